/* SPDX-License-Identifier: MIT */
/* The example of docs/testing.md: OUT to a port that the permission map intercepts. */
#include "tests/machine.h"

GUEST64(g_out, "mov $0x12345678, %eax; out %eax, $0x80; hlt");

TEST(common, out_exit, .ref = "APM2 15.10.2, SDM3 28.2.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_out);

	REQUIRE_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.port, 0x80);
	EXPECT_EQ(t, m->v->exit.io.size, 4);
	EXPECT(t, !m->v->exit.io.in && !m->v->exit.io.string);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 0x12345678);
	EXPECT_EQ(t, m->v->rip, G_CODE + 5);
	REQUIRE_EQ(t, machine_next(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 7);
}
