// SPDX-License-Identifier: MIT
/* Debug exceptions of a guest: delivered to it, once, with its DR6 (APM2 13.1). */
#include "tests/svm/svm_test.h"

struct db_row {
	const char *name;
	u64 dr7, dr0;
	u64 dr6;		/* bits set beside the fixed ones */
	u8 rip;			/* offset that the handler sees */
	struct code c;
};

#define WATCH	(G_DATA + 0x100)

/* What the rows begin with: the guest arms DR7 itself. */
#define ARM	0x0f, 0x23, 0xfb				/* mov dr7, rbx */
#define ARM_LEN	3

/* clang-format off */
static const struct db_row db_rows[] = {
	/* mov [30100h], al: R/W0 = 1 (write), LEN0 = 0, L0 */
	{ "write breakpoint", 1 | 1 << 16, WATCH, 1, 8,
	  CODE(ARM, 0x90, 0x88, 0x04, 0x25, 0x00, 0x01, 0x03, 0x00, 0x90) },
	{ "read/write breakpoint, read", 1 | 3 << 16, WATCH, 1, 7,
	  CODE(ARM, 0x8a, 0x04, 0x25, 0x00, 0x01, 0x03, 0x00, 0x90) },
	/* a fault: RIP is at the instruction */
	{ "instruction breakpoint", 1, G_CODE + ARM_LEN + 2, 1, 2,
	  CODE(ARM, 0x90, 0x90, 0x90, 0x90) },
	/* MOV from DR0 with DR7.GD */
	{ "general detect", DR7_GD, 0, DR6_BD, 1, CODE(ARM, 0x90, 0x0f, 0x21, 0xc0) },
};
/* clang-format on */

TEST(svm, debug_exceptions, .ref = "APM2 13.1, 15.12.2", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	const struct guest_exception *e = machine_exception(m);

	for (unsigned int i = 0; i < ARRAY_SIZE(db_rows); i++) {
		const struct db_row *r = &db_rows[i];

		test_row(t, r->name);
		svm_load(m, &r->c);
		machine_set(m, VREG_DR6, DR6_FIXED1);
		machine_set(m, VREG_DR7, DR7_FIXED1);
		machine_set(m, VREG_RBX, DR7_FIXED1 | r->dr7);
		machine_set(m, VREG_DR0, r->dr0);
		if (svm_expect_exception(m, VEC_DB, 0)) {
			EXPECT_EQ(t, e->rip, G_CODE + ARM_LEN + r->rip);
			EXPECT_EQ(t, e->dr6, DR6_FIXED1 | r->dr6);
			EXPECT_EQ(t, e->rflags & RFLAGS_TF, 0);
		}
	}
	machine_set(m, VREG_DR7, DR7_FIXED1);
}

/* A read does not match a write breakpoint. */
TEST(svm, debug_no_match, .ref = "APM2 13.1.2", .needs = NEED_SVM)
{
	static const struct code c = CODE(ARM, 0x8a, 0x04, 0x25, 0x00, 0x01, 0x03, 0x00, 0x90);
	struct machine *m = svm_machine(t);

	svm_load(m, &c);
	machine_set(m, VREG_RBX, DR7_FIXED1 | 1 | 1 << 16);
	machine_set(m, VREG_DR0, WATCH);
	if (svm_expect(m, SVM_EXIT_VMMCALL, "read"))
		EXPECT(t, m->v->rip < G_HANDLERS);
}

/* APM2 15.5.1: VMRUN arms what DR7 of the VMCB says. */
TEST(svm, debug_dr7_loaded, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x88, 0x04, 0x25, 0x00, 0x01, 0x03, 0x00, 0x90);
	struct machine *m = svm_machine(t);

	svm_load(m, &c);
	machine_set(m, VREG_DR7, DR7_FIXED1 | 1 | 1 << 16);
	machine_set(m, VREG_DR0, WATCH);
	if (svm_expect_exception(m, VEC_DB, 0))
		EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 7);
	machine_set(m, VREG_DR7, DR7_FIXED1);
}

TEST(svm, debug_single_step, .ref = "APM2 13.1.4", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x90, 0x90);
	struct machine *m = svm_machine(t);

	svm_load(m, &c);
	machine_set(m, VREG_DR6, DR6_FIXED1);
	m->v->rflags |= RFLAGS_TF;
	if (svm_expect_exception(m, VEC_DB, 0)) {
		EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 1);
		EXPECT_EQ(t, machine_exception(m)->dr6, DR6_FIXED1 | DR6_BS);
		EXPECT_EQ(t, machine_exception(m)->rflags & RFLAGS_TF, RFLAGS_TF);
	}
}

/* DR7.GD is off in the handler, so that it may read the debug registers. */
TEST(svm, debug_gd_cleared, .ref = "APM2 13.1.1", .needs = NEED_SVM)
{
	static const struct code c = CODE(ARM, 0x0f, 0x21, 0xc0);
	struct machine *m = svm_machine(t);

	svm_load(m, &c);
	machine_set(m, VREG_RBX, DR7_FIXED1 | DR7_GD);
	svm_expect_exception(m, VEC_DB, 0);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), DR7_FIXED1);
}

/* An exit between two steps: the advance over CPUID makes the trap itself. */
TEST(svm, debug_step_over_exit, .ref = "APM2 13.1.4, 15.9", .needs = NEED_SVM)
{
	static const struct code c = CODE(B_CPUID, 0x90);
	struct machine *m = svm_machine(t);

	svm_load(m, &c);
	machine_set(m, VREG_DR6, DR6_FIXED1);
	m->v->rflags |= RFLAGS_TF;
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_CPUID)), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_DB);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	EXPECT_EQ(t, machine_exception(m)->dr6, DR6_FIXED1 | DR6_BS);
}

/*
 * A handler whose own delivery hits a breakpoint never ends; an interrupt of
 * the host must still get in (APM2 15.12.2).
 */
TEST(svm, debug_recursion, .ref = "APM2 15.12.2", .needs = NEED_SVM)
{
	static const struct code c = CODE(ARM, 0x50, 0x90);	/* push rax */
	struct machine *m = svm_machine(t);
	unsigned int n;

	svm_load(m, &c);
	/* Every delivery at CPL 0 pushes SS at the same place: IST 1. */
	*(u64 *)machine_ptr(m, G_TSS + 0x24, 8) = G_STACK_TOP - 0x800;
	*(u64 *)machine_ptr(m, G_IDT + VEC_DB * 16, 8) |= 1ULL << 32;
	machine_set(m, VREG_DR0, G_STACK_TOP - 0x800 - 8);
	machine_set(m, VREG_DR1, G_STACK_TOP - 8);
	/* L0 and L1, writes of 8 bytes */
	machine_set(m, VREG_RBX, DR7_FIXED1 | 5 | 9 << 16 | 9 << 20);
	for (n = 0; n < 50; n++) {
		enum exit_reason r = vcpu_step(m->v);

		if (r == EXIT_HYPERCALL)
			break;
		EXPECT(t, r == EXIT_EXCEPTION || r == EXIT_INTR || r == EXIT_NMI);
	}
	/* Either kind of CPU: one that traps on its own pushes, or one that does not. */
	EXPECT(t, n == 50 || machine_exception(m)->vector == VEC_DB);
}
