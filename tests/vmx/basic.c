// SPDX-License-Identifier: MIT
/* A guest enters and leaves: instructions that always exit (SDM3 26.1.2). */
#include "tests/machine.h"
#include "tests/vmx/vmx_test.h"

GUEST64(vx_cpuid_vmcall, "mov $0x40001234, %eax; cpuid; vmcall");

TEST(vmx, cpuid_exit, .ref = "SDM3 26.1.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_cpuid_vmcall);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, m->v->exit.code, VMX_EXIT_CPUID);
	EXPECT_EQ(t, m->v->exit.insn_len, 2);
	EXPECT_EQ(t, m->v->rip, G_CODE + 5);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 0x40001234);
	EXPECT_EQ(t, machine_next(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, m->v->exit.insn_len, 3);
	EXPECT_EQ(t, m->v->rip, G_CODE + 7);
}
