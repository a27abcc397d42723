// SPDX-License-Identifier: MIT
/* Virtual interrupts, windows and NMIs: APM2 15.21, 15.17. */
#include "core/lib/string.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/percpu.h"
#include "svm/insn.h"
#include "tests/svm/svm_test.h"

#define V_IRQ(prio)	(INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(prio))

#define STI_CODE	CODE(0xfb, 0x90, 0x90)			/* sti; nop; nop */
#define NOPS		CODE(0x90, 0x90, 0x90)

static void set_virq(struct machine *m, u32 ctl, u8 vector)
{
	vmcb_set_int_ctl(vmcb_of(m), ctl);
	vmcb_set_int_vector(vmcb_of(m), vector);
}

/* APM2 15.21.2: pending until IF = 1, then through the guest's IDT. */
TEST(svm, virq_after_sti, .ref = "APM2 15.21.2", .needs = NEED_SVM)
{
	static const struct code sti_nop = STI_CODE;
	struct machine *m = svm_machine(t);

	svm_load(m, &sti_nop);
	set_virq(m, V_IRQ(1), 0x45);
	svm_expect_exception(m, 0x45, 0);
	/* STI's shadow: behind the first NOP. */
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	EXPECT_EQ(t, machine_exception(m)->rflags & RFLAGS_IF, RFLAGS_IF);
	/* APM2 15.21.4: taking it clears V_IRQ. */
	EXPECT_EQ(t, vmcb_get_int_ctl(vmcb_of(m)) & INT_CTL_V_IRQ, 0);
}

TEST(svm, virq_masked_by_if, .ref = "APM2 15.21.2", .needs = NEED_SVM)
{
	static const struct code nops = NOPS;
	struct machine *m = svm_machine(t);

	svm_load(m, &nops);
	set_virq(m, V_IRQ(1), 0x45);
	if (svm_expect(m, SVM_EXIT_VMMCALL, "IF = 0"))
		EXPECT_EQ(t, m->v->rip, G_CODE + 3);
	EXPECT_EQ(t, vmcb_get_int_ctl(vmcb_of(m)) & INT_CTL_V_IRQ, INT_CTL_V_IRQ);
}

/* With IF = 1 in the VMCB it is taken before the first instruction. */
TEST(svm, virq_at_entry, .ref = "APM2 15.21.2", .needs = NEED_SVM)
{
	static const struct code nops = NOPS;
	struct machine *m = svm_machine(t);

	svm_load(m, &nops);
	m->v->rflags |= RFLAGS_IF;
	set_virq(m, V_IRQ(1), 0x45);
	svm_expect_exception(m, 0x45, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
}

/* APM2 15.21.3: taken when V_INTR_PRIO > V_TPR, or V_IGN_TPR is set. */
TEST(svm, virq_tpr, .ref = "APM2 15.21.3", .needs = NEED_SVM)
{
	static const struct { const char *name; u32 ctl; bool taken; } row[] = {
		{ "priority 5, TPR 4", V_IRQ(5) | 4, true },
		{ "priority 5, TPR 5", V_IRQ(5) | 5, false },
		{ "priority 5, TPR 6", V_IRQ(5) | 6, false },
		{ "priority 0, TPR 0", V_IRQ(0), false },
		{ "priority 0, TPR 15, TPR ignored", V_IRQ(0) | INT_CTL_V_IGN_TPR | 15, true },
		{ "priority 15, TPR 14", V_IRQ(15) | 14, true },
		{ "no V_IRQ", INT_CTL_V_INTR_MASKING | INT_CTL_V_INTR_PRIO(15), false },
	};
	static const struct code sti_nop = STI_CODE;
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &sti_nop);
		set_virq(m, row[i].ctl, 0x46);
		if (row[i].taken)
			svm_expect_exception(m, 0x46, 0);
		else if (svm_expect(m, SVM_EXIT_VMMCALL, row[i].name))
			EXPECT_EQ(t, m->v->rip, G_CODE + 3);
	}
}

/* CR8 of the guest is V_TPR while V_INTR_MASKING is set. */
TEST(svm, virq_cr8, .ref = "APM2 15.21.1", .needs = NEED_SVM)
{
	/* mov rax, cr8; mov rbx, rax; mov eax, 9; mov cr8, rax; mov rcx, cr8 */
	static const struct code c = CODE(0x44, 0x0f, 0x20, 0xc0, 0x48, 0x89, 0xc3,
					  0xb8, 9, 0, 0, 0, 0x44, 0x0f, 0x22, 0xc0,
					  0x44, 0x0f, 0x20, 0xc1);
	struct machine *m = svm_machine(t);
	u64 host = read_cr8();

	svm_load(m, &c);
	machine_set(m, VREG_CR8, 6);
	svm_expect(m, SVM_EXIT_VMMCALL, "CR8");
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 6);
	EXPECT_EQ(t, machine_get(m, VREG_RCX), 9);
	EXPECT_EQ(t, machine_get(m, VREG_CR8), 9);
	EXPECT_EQ(t, read_cr8(), host);
}

/* Lowering CR8 lets a pending one in. */
TEST(svm, virq_cr8_lowered, .ref = "APM2 15.21.3", .needs = NEED_SVM)
{
	/* sti; nop; xor eax, eax; mov cr8, rax; nop */
	static const struct code c = CODE(0xfb, 0x90, 0x31, 0xc0, 0x44, 0x0f, 0x22, 0xc0, 0x90);
	struct machine *m = svm_machine(t);

	svm_load(m, &c);
	set_virq(m, V_IRQ(5) | 8, 0x47);
	svm_expect_exception(m, 0x47, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 8);
}

/* APM2 15.21.5: the intercept comes before the interrupt is taken. */
TEST(svm, vintr_intercept, .ref = "APM2 15.21.5", .needs = NEED_SVM)
{
	static const struct code sti_nop = STI_CODE;
	struct machine *m = svm_machine(t);

	svm_load(m, &sti_nop);
	set_virq(m, V_IRQ(15), 0x48);
	vec3_set(vmcb_of(m), VEC3_VINTR, true);
	if (svm_expect(m, SVM_EXIT_VINTR, "VINTR")) {
		EXPECT_EQ(t, m->v->rip, G_CODE + 2);
		EXPECT_EQ(t, m->v->exit.reason, EXIT_INTR_WINDOW);
		EXPECT_EQ(t, vmcb_get_int_ctl(vmcb_of(m)) & INT_CTL_V_IRQ, INT_CTL_V_IRQ);
	}
	vec3_set(vmcb_of(m), VEC3_VINTR, false);
	set_virq(m, INT_CTL_V_INTR_MASKING, 0);
	svm_expect(m, SVM_EXIT_VMMCALL, "V_IRQ withdrawn");
}

/* The neutral window: exits where an interrupt could be taken, and only there. */
TEST(svm, intr_window, .ref = "APM2 15.21.4, 15.21.5", .needs = NEED_SVM)
{
	static const struct code sti_nop = STI_CODE, nops = NOPS;
	struct machine *m = svm_machine(t);

	test_row(t, "behind STI and one instruction");
	svm_load(m, &sti_nop);
	virt->windows(m->v, WINDOW_INTR);
	EXPECT_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
	virt->windows(m->v, 0);
	svm_expect(m, SVM_EXIT_VMMCALL, "window closed");
	test_row(t, "not with IF = 0");
	svm_load(m, &nops);
	virt->windows(m->v, WINDOW_INTR);
	svm_expect(m, SVM_EXIT_VMMCALL, "IF = 0");
	virt->windows(m->v, 0);
	test_row(t, "IF = 1 and an interrupt shadow");
	svm_load(m, &nops);
	m->v->rflags |= RFLAGS_IF;
	machine_set(m, VREG_INT_SHADOW, 1);
	virt->windows(m->v, WINDOW_INTR);
	EXPECT_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
	EXPECT_EQ(t, m->v->rip, G_CODE + 1);
	EXPECT_EQ(t, m->v->rflags & RFLAGS_TF, 0);
	EXPECT_EQ(t, machine_get(m, VREG_DR6), DR6_FIXED1);
	virt->windows(m->v, 0);
	test_row(t, "POPF sets IF");
	{
		static const struct code popf = CODE(0x68, 0x02, 0x02, 0, 0, 0x9d, 0x90, 0x90);

		svm_load(m, &popf);
		virt->windows(m->v, WINDOW_INTR);
		EXPECT_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
		EXPECT_EQ(t, m->v->rip, G_CODE + 6);
		virt->windows(m->v, 0);
	}
}

/* STI; HLT must wake: an interrupt queued before is taken behind the HLT. */
TEST(svm, sti_hlt, .ref = "APM2 15.21.2, APM3 STI", .needs = NEED_SVM)
{
	static const struct code sti_hlt = CODE(0xfb, 0xf4);
	struct machine *m = svm_machine(t);

	svm_load(m, &sti_hlt);
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x49;
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_INTR_WINDOW) | BIT(EXIT_HLT)),
		   EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, 0x49);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
}

/* What a step borrowed TF for must not be seen by the guest. */
TEST(svm, step_leaves_no_trace, .ref = "APM2 13.1.4", .needs = NEED_SVM)
{
	static const struct { const char *name; struct code c; u8 rip; } row[] = {
		{ "PUSHF", CODE(0x9c, 0x58, 0x90), 1 },		/* pushf; pop rax */
		{ "POPF", CODE(0x9d, 0x58, 0x90), 1 },
		{ "NOP", NOPS, 1 },
	};
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &row[i].c);
		m->v->rflags |= RFLAGS_IF;
		m->v->gpr[VREG_RSP] = G_STACK_TOP - 64;
		machine_write64(m, G_STACK_TOP - 64, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF);
		machine_set(m, VREG_INT_SHADOW, 1);
		virt->windows(m->v, WINDOW_INTR);
		EXPECT_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
		EXPECT_EQ(t, m->v->rip, G_CODE + row[i].rip);
		EXPECT_EQ(t, m->v->rflags & RFLAGS_TF, 0);
		if (i == 0)
			EXPECT_EQ(t, machine_read64(m, G_STACK_TOP - 72) & RFLAGS_TF, 0);
		if (i == 1)
			EXPECT_EQ(t, m->v->rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF);
		virt->windows(m->v, 0);
		svm_expect(m, SVM_EXIT_VMMCALL, "goes on");
		EXPECT(t, m->v->rip < G_HANDLERS);
	}
}

/* APM2 15.20: NMIs wait for IRET; software tracks that and opens a window. */
TEST(svm, nmi_window, .ref = "APM2 15.20, 8.2.3", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	const struct guest_exception *e = machine_exception(m);

	svm_rewind(m);
	m->v->events.nmi = true;
	test_row(t, "first NMI");
	REQUIRE(t, svm_expect_exception(m, VEC_NMI, 0));
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 1);
	test_row(t, "second one waits for IRET");
	m->v->events.nmi = true;
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_NMI_WINDOW)), EXIT_HYPERCALL);
	EXPECT_EQ(t, e->vector, VEC_NMI);
	EXPECT_EQ(t, e->rip, G_CODE);
	EXPECT_EQ(t, e->rflags & RFLAGS_TF, 0);
	test_row(t, "unblocked behind the last IRET");
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	if (svm_expect(m, SVM_EXIT_VMMCALL, "main program"))
		EXPECT_EQ(t, m->v->rip, G_CODE);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 0);
	EXPECT_EQ(t, machine_get(m, VREG_DR6), DR6_FIXED1);
}

/* An IRET that faults on the way out of an NMI handler. */
TEST(svm, nmi_iret_faults, .ref = "APM2 8.2.3", .needs = NEED_SVM)
{
	/* push 78h (SS); push rsp; pushf; push 78h (CS); push 0; iretq: #GP(78h) */
	static const struct code bad_iret = CODE(0x6a, 0x78, 0x54, 0x9c, 0x6a, 0x78, 0x6a, 0,
						 0x48, 0xcf);
	struct machine *m = svm_machine(t);

	svm_load(m, &bad_iret);
	machine_set(m, VREG_NMI_BLOCKED, 1);
	m->v->events.nmi = true;
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_NMI_WINDOW)), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_GP);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 8);
	EXPECT_EQ(t, machine_exception(m)->rflags & RFLAGS_TF, 0);
}

/* APM2 15.13.1: a physical interrupt ends the guest; it is taken afterwards. */
TEST(svm, intr_exit, .ref = "APM2 15.13.1, 15.21.1", .needs = NEED_SVM)
{
	static const struct { const char *name; u64 rflags; } row[] = {
		{ "guest IF = 1", RFLAGS_IF }, { "guest IF = 0", 0 },
	};
	/* mov ecx, 100000; loop . */
	static const struct code loop = CODE(0xb9, 0xa0, 0x86, 1, 0, 0xe2, 0xfe);
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		u64 flags, irqs;
		enum exit_reason r;

		test_row(t, row[i].name);
		svm_load(m, &loop);
		m->v->rflags |= row[i].rflags;
		flags = irq_save();
		irqs = this_cpu()->irqs;
		REQUIRE_EQ(t, lapic_send_ipi(lapic_id(), LAPIC_FIXED, 0xef), 0);
		r = vcpu_step(m->v);
		EXPECT_EQ(t, r, EXIT_INTR);
		EXPECT_EQ(t, m->v->exit.code, SVM_EXIT_INTR);
		/* Still pending: it was not acknowledged. */
		EXPECT_EQ(t, this_cpu()->irqs, irqs);
		irq_restore(flags);
		__asm__ volatile("sti; nop; nop" ::: "memory");
		EXPECT(t, this_cpu()->irqs > irqs);
		irq_restore(flags);
	}
}

/* APM2 15.13.2: a physical NMI ends the guest and reaches the host at STGI. */
TEST(svm, nmi_exit, .ref = "APM2 15.13.2", .needs = NEED_SVM)
{
	static const struct code loop = CODE(0xb9, 0xa0, 0x86, 1, 0, 0xe2, 0xfe);
	struct machine *m = svm_machine(t);
	u64 flags = irq_save(), nmis = this_cpu()->nmis;
	enum exit_reason r;

	svm_load(m, &loop);
	/* With GIF = 0 the NMI waits for VMRUN (APM2 15.17). */
	clgi();
	if (lapic_send_ipi(lapic_id(), LAPIC_NMI, 0)) {
		stgi();
		irq_restore(flags);
		SKIP(t, "the local APIC takes no NMI to itself");
	}
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	EXPECT_EQ(t, this_cpu()->nmis, nmis);
	r = vcpu_step(m->v);
	irq_restore(flags);
	EXPECT_EQ(t, r, EXIT_NMI);
	EXPECT_EQ(t, this_cpu()->nmis, nmis + 1);
}
