/* SPDX-License-Identifier: MIT */
/* Intercepts of the exceptions that only code outside 64-bit mode raises, and #MF. */
#include "core/x86/regs.h"
#include "tests/common/common.h"

GUEST32(g_into, "mov $0x7fffffff, %eax; inc %eax; into; hlt");
GUEST32(g_bound, "mov $5, %eax; bound %eax, 0x30000; hlt");
/* IRET with NT set goes back to a task: its selector, 0, is #TS. */
GUEST32(g_iret, "pushf; orl $0x4000, (%esp); popf; iret; hlt");
/* 1 / 0 with the zero-divide exception unmasked: FCW at 30100h. */
GUEST32(g_fpu, "fninit; fldcw 0x30100; fld1; fldz; fdivrp; fwait; hlt");

static const struct excp_row {
	const char *name;
	const struct guest_code *code;
	u8 vector;
	u32 error;		/* ~0: none */
} excp_rows[] = {
	{ "#OF", &g_into,  VEC_OF, ~0u },
	{ "#BR", &g_bound, VEC_BR, ~0u },
	{ "#TS", &g_iret,  VEC_TS, 0 },
	{ "#MF", &g_fpu,   VEC_MF, ~0u },
};

/* Intercepted, it exits with its vector; not intercepted, the guest's handler runs. */
static void excp_row(struct test_ctx *t, const struct excp_row *r)
{
	struct machine *m = machine_new(t, MODE_PROT32, r->code);
	const struct event *e = &m->v->exit.exc;

	idt32(m);
	*(u16 *)machine_ptr(m, G_DATA + 0x100, 2) = 0x37b;
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, r->vector, true), 0);
	if (!EXPECT_EQ(t, machine_run(m), EXIT_EXCEPTION))
		return;
	EXPECT_EQ(t, e->vector, r->vector);
	EXPECT_EQ(t, e->has_error, r->error != ~0u);
	EXPECT_EQ(t, e->error, r->error != ~0u ? r->error : 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, r->vector, false), 0);
	expect_exc32(m, r->vector, r->error);
	machine_free(m);
}

TEST(common, exception_intercepts_32, .ref = "APM2 15.12, SDM3 26.2", .needs = NEED_VIRT)
{
	for (u32 i = 0; i < ARRAY_SIZE(excp_rows); i++) {
		test_row(t, excp_rows[i].name);
		excp_row(t, &excp_rows[i]);
	}
}
