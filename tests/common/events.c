/* SPDX-License-Identifier: MIT */
/* Events for a guest: through the queue of a vCPU and through virt->inject. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

GUEST64(c_nops, "nop; nop; nop; nop; hlt");
GUEST64(c_sti_nops, "nop; sti; nop; nop; hlt");

static struct machine *event_machine(struct test_ctx *t, const struct guest_code *code)
{
	struct machine *m = machine_new(t, MODE_LONG64, code);

	machine_idt(m);
	return m;
}

/* Runs with core waiting for windows. */
static enum exit_reason run_events(struct machine *m)
{
	return machine_run_handling(m, BIT(EXIT_INTR_WINDOW) | BIT(EXIT_NMI_WINDOW));
}

/* Back to the first instruction as if nothing had happened. */
static void rewind(struct machine *m)
{
	m->v->rip = G_CODE;
	m->v->gpr[VREG_RSP] = G_STACK_TOP;
	m->v->rflags = RFLAGS_FIXED;
	m->v->exit.reason = EXIT_NONE;
	machine_set(m, VREG_INT_SHADOW, 0);
}

/* Delivered before the first instruction, with this frame. */
static void check_frame(struct machine *m, u64 rip, u64 rflags)
{
	const struct guest_exception *e = machine_exception(m);
	struct test_ctx *t = m->t;

	EXPECT_EQ(t, e->rip, rip);
	EXPECT_EQ(t, e->cs, G_SEL_CODE64);
	EXPECT_EQ(t, e->ss, G_SEL_DATA);
	EXPECT_EQ(t, e->rsp, G_STACK_TOP);
	/* RF is the fault's own business (APM2 3.1.6). */
	EXPECT_EQ(t, e->rflags & ~RFLAGS_RF, rflags);
}

/* By IRET, to the HLT at the end. */
static void leave_handler(struct machine *m)
{
	REQUIRE_EQ(m->t, vcpu_advance(m->v), 0);
	EXPECT_EQ(m->t, run_events(m), EXIT_HLT);
	EXPECT_EQ(m->t, machine_get(m, VREG_NMI_BLOCKED), 0);
}

static const struct {
	const char *name;
	u8 vector;
	u32 error;
} exceptions[] = {
	{ "#DE", VEC_DE, 0 }, { "#UD", VEC_UD, 0 }, { "#NM", VEC_NM, 0 },
	{ "#DF", VEC_DF, 0 }, { "#TS", VEC_TS, 0x38 }, { "#NP", VEC_NP, 0x2a },
	{ "#SS", VEC_SS, 0 }, { "#GP", VEC_GP, 0x1f8 }, { "#PF", VEC_PF, 0x16 },
	{ "#MF", VEC_MF, 0 }, { "#AC", VEC_AC, 0 }, { "#MC", VEC_MC, 0 },
	{ "#XM", VEC_XM, 0 },
};

static struct event exception_row(u32 i)
{
	struct event e = event_exception(exceptions[i].vector);

	if (exc_has_error(e.vector))
		e = event_exception_err(e.vector, exceptions[i].error);
	if (e.vector == VEC_PF)
		e.payload = 0x123456789000ULL;
	return e;
}

TEST(common, inject_exceptions, .ref = "APM2 15.20, SDM3 27.6.1", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	for (u32 i = 0; i < ARRAY_SIZE(exceptions); i++) {
		test_row(t, exceptions[i].name);
		rewind(m);
		m->v->events.exception = exception_row(i);
		expect_exception(m, run_events(m), exceptions[i].vector, exceptions[i].error);
		check_frame(m, G_CODE, RFLAGS_FIXED);
		if (exceptions[i].vector == VEC_PF)
			EXPECT_EQ(t, machine_exception(m)->cr2, 0x123456789000ULL);
		EXPECT_EQ(t, m->v->events.exception.type, EVENT_NONE);
	}
}

/* The same without the queue. */
TEST(common, inject_directly, .ref = "APM2 15.20, SDM3 25.8.3", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	for (u32 i = 0; i < ARRAY_SIZE(exceptions); i++) {
		struct event e = exception_row(i);

		test_row(t, exceptions[i].name);
		rewind(m);
		virt->inject(m->v, &e);
		expect_exception(m, machine_run(m), e.vector, e.error);
		check_frame(m, G_CODE, RFLAGS_FIXED);
		/* Once only. */
		rewind(m);
		EXPECT_EQ(t, machine_run(m), EXIT_HLT);
	}
}

/* #DB brings DR6 along and clears DR7.GD. */
TEST(common, inject_debug, .ref = "APM2 15.20, 13.1.1, SDM3 27.6.1.1", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);
	struct event e = event_exception(VEC_DB);

	e.payload = DR6_BS | 1;
	machine_set(m, VREG_DR7, DR7_FIXED1 | DR7_GD);
	m->v->events.exception = e;
	expect_exception(m, run_events(m), VEC_DB, 0);
	EXPECT_EQ(t, machine_exception(m)->dr6, DR6_FIXED1 | DR6_BS | 1);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), DR7_FIXED1);
}

TEST(common, inject_interrupts, .ref = "APM2 15.20, SDM3 27.6.1", .needs = NEED_VIRT)
{
	static const u8 vectors[] = { 0x20, 0x31, 0x80, 0xfe, 0xff };
	struct machine *m = event_machine(t, &c_nops);

	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		rewind(m);
		m->v->rflags |= RFLAGS_IF;
		m->v->events.intr = true;
		m->v->events.intr_vector = vectors[i];
		expect_exception(m, run_events(m), vectors[i], 0);
		check_frame(m, G_CODE, RFLAGS_FIXED | RFLAGS_IF);
		/* An interrupt gate: IF is clear in the handler. */
		EXPECT(t, !(m->v->rflags & RFLAGS_IF));
	}
}

TEST(common, inject_nmi, .ref = "APM2 15.20, SDM3 27.6.1", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	m->v->events.nmi = true;
	expect_exception(m, run_events(m), VEC_NMI, 0);
	check_frame(m, G_CODE, RFLAGS_FIXED);
	EXPECT(t, !m->v->events.nmi);
	/* Until IRET no second one. */
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 1);
	leave_handler(m);
}

/* INT n, INT3, INTO, INT1: RIP of the frame is behind the instruction. */
static void inject_soft(struct test_ctx *t, u8 type, u8 vector, u8 len)
{
	struct machine *m = event_machine(t, &c_nops);
	struct event e = { .type = type, .vector = vector, .insn_len = len };

	virt->inject(m->v, &e);
	expect_exception(m, machine_run(m), vector, 0);
	check_frame(m, G_CODE + len, RFLAGS_FIXED);
	machine_free(m);
}

TEST(common, inject_int_n, .ref = "APM2 15.20, SDM3 27.6.1.1", .needs = NEED_VIRT)
{
	inject_soft(t, EVENT_SOFT_INT, 0x80, 2);
	inject_soft(t, EVENT_SOFT_INT, 0x21, 2);
}

TEST(common, inject_int3, .ref = "APM2 15.20, SDM3 27.6.1.1", .needs = NEED_VIRT)
{
	inject_soft(t, EVENT_SOFT_EXC, VEC_BP, 1);
}

/* INT1: a #DB with the frame of a trap. */
TEST(common, inject_int1, .ref = "APM2 15.20, SDM3 27.6.1.1", .needs = NEED_VIRT)
{
	inject_soft(t, EVENT_PRIV_EXC, VEC_DB, 1);
}

/* APM2 8.5, SDM3 6.9: exception, NMI, interrupt; each in the handler of the one before. */
static void event_priority(struct test_ctx *t)
{
	struct machine *m = event_machine(t, &c_nops);

	m->v->rflags |= RFLAGS_IF;
	m->v->events.exception = event_exception(VEC_UD);
	m->v->events.nmi = true;
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x40;
	if (!expect_exception(m, run_events(m), VEC_NMI, 0))
		return;
	/* The NMI came before the first instruction of #UD's handler. */
	EXPECT_EQ(t, machine_exception(m)->rip, G_HANDLERS + VEC_UD * 16);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	/* Its IRET unblocks NMIs; #UD's handler runs with IF = 0. */
	expect_exception(m, run_events(m), VEC_UD, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	/* IF is set again: the interrupt, where #UD came from. */
	expect_exception(m, run_events(m), 0x40, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
}

TEST(common, event_priority_svm, .ref = "APM2 8.5", .needs = NEED_SVM)
{
	event_priority(t);
}

TEST(common, event_priority_vmx, .ref = "SDM3 6.9", .needs = NEED_VMX)
{
	event_priority(t);
}

/* IF = 0: the window opens behind STI's shadow. */
TEST(common, interrupt_window, .ref = "APM2 15.21.4, SDM3 26.2", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_sti_nops);

	m->v->events.intr = true;
	m->v->events.intr_vector = 0x50;
	expect_exception(m, run_events(m), 0x50, 0);
	/* nop, sti, and one more instruction. */
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 3);
}



/* A shadow that is there at entry holds an interrupt and an NMI back. */
TEST(common, shadow_at_entry, .ref = "APM2 15.21.5, SDM3 27.3.1.5", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	m->v->rflags |= RFLAGS_IF;
	machine_set(m, VREG_INT_SHADOW, 1);
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x51;
	expect_exception(m, run_events(m), 0x51, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 1);
}

/* An emulated instruction ends the shadow, as any other does. */
GUEST64(c_sti_cpuid, "sti; cpuid; nop; hlt");

TEST(common, shadow_ends_at_emulated, .ref = "APM2 15.21.5, SDM3 25.4.2", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_sti_cpuid);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 1);
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x52;
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 0);
	expect_exception(m, run_events(m), 0x52, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 3);
}

/* MOV SS: the next instruction first. */
GUEST64(c_mov_ss_cpuid, "mov %ss, %eax; mov %eax, %ss; cpuid; nop; hlt");

TEST(common, mov_ss_shadow, .ref = "APM2 8.5, SDM3 6.8.3", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_mov_ss_cpuid);

	m->v->rflags |= RFLAGS_IF;
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 1);
	/* Not stepped over: the interrupt has to wait for CPUID. */
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x53;
	REQUIRE_EQ(t, run_events(m), EXIT_CPUID);
	EXPECT_EQ(t, m->v->rip, G_CODE + 4);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	expect_exception(m, run_events(m), 0x53, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 6);
}

/* APM2 8.2.3, SDM3 6.7.1: blocked from delivery until IRET. */
TEST(common, nmi_blocked_until_iret, .ref = "APM2 15.21.9, 8.2.3, SDM3 6.7.1", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	m->v->events.nmi = true;
	expect_exception(m, run_events(m), VEC_NMI, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	m->v->events.nmi = true;
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	memset((void *)machine_exception(m), 0, sizeof(struct guest_exception));
	expect_exception(m, run_events(m), VEC_NMI, 0);
	/* Behind the IRET, not in the first handler. */
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	EXPECT_EQ(t, machine_exception(m)->rsp, G_STACK_TOP);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	EXPECT_EQ(t, run_events(m), EXIT_HLT);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 0);
}

/* A blocked NMI does not hold back an interrupt. */
TEST(common, interrupt_in_nmi_handler, .ref = "APM2 8.5, SDM3 6.7.1", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	machine_set(m, VREG_NMI_BLOCKED, 1);
	m->v->rflags |= RFLAGS_IF;
	m->v->events.nmi = true;
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x60;
	expect_exception(m, run_events(m), 0x60, 0);
	EXPECT(t, m->v->events.nmi);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	/* Any IRET unblocks: that of the interrupt's handler too. */
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	expect_exception(m, run_events(m), VEC_NMI, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	leave_handler(m);
}

/* The IDT is on a page that nested paging does not map: the event comes back. */
static void interrupted_delivery(struct test_ctx *t, const char *row, const struct event *e)
{
	struct machine *m = event_machine(t, &c_nops);
	u8 *idt = machine_ptr(m, G_IDT, PAGE_SIZE);
	struct event got;

	test_row(t, row);
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, G_IDT, PAGE_SIZE), 0);
	virt->flush(m->v);
	m->v->rflags |= RFLAGS_IF;
	virt->inject(m->v, e);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	got = m->v->exit.idt;
	EXPECT_EQ(t, m->v->exit.npf.gpa & PAGE_MASK, G_IDT);
	EXPECT_EQ(t, got.type, e->type);
	EXPECT_EQ(t, got.vector, e->vector);
	EXPECT_EQ(t, got.has_error, e->has_error);
	if (e->has_error)
		EXPECT_EQ(t, got.error, e->error);
	if (e->insn_len)
		EXPECT_EQ(t, got.insn_len, e->insn_len);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	EXPECT_EQ(t, m->v->gpr[VREG_RSP], G_STACK_TOP);
	/* Mapped again, its delivery is done once more, and only once. */
	REQUIRE_EQ(t, pt_map(&m->vm.npt, G_IDT, (u64)idt, PAGE_SIZE, PT_RWX | PT_U, PAGE_SIZE), 0);
	expect_exception(m, run_events(m), e->vector, e->error);
	check_frame(m, G_CODE + e->insn_len, RFLAGS_FIXED | RFLAGS_IF);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	EXPECT_EQ(t, run_events(m), EXIT_HLT);
	machine_free(m);
}

TEST(common, interrupted_delivery, .ref = "APM2 15.7.2, SDM3 28.2.4", .needs = NEED_VIRT)
{
	struct event intr = event_intr(0x70), nmi = event_nmi();
	struct event ud = event_exception(VEC_UD), gp = event_exception_err(VEC_GP, 0x48);

	interrupted_delivery(t, "interrupt", &intr);
	interrupted_delivery(t, "NMI", &nmi);
	interrupted_delivery(t, "#UD", &ud);
	interrupted_delivery(t, "#GP", &gp);
}

/* The guest's own INT n, interrupted: executed again or injected, once. */
GUEST64(c_int80, "int $0x80; hlt");

TEST(common, interrupted_int_n, .ref = "APM2 15.7.2, SDM3 28.2.4", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_int80);
	u8 *idt = machine_ptr(m, G_IDT, PAGE_SIZE);

	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, G_IDT, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	REQUIRE_EQ(t, pt_map(&m->vm.npt, G_IDT, (u64)idt, PAGE_SIZE, PT_RWX | PT_U, PAGE_SIZE), 0);
	expect_exception(m, run_events(m), 0x80, 0);
	check_frame(m, G_CODE + 2, RFLAGS_FIXED);
}

/* A #PF while an exception is delivered makes a double fault (APM2 8.2.9). */
TEST(common, double_fault_by_core, .ref = "APM2 8.2.9, SDM3 6.15", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	m->v->events.exception = event_exception_err(VEC_GP, 0x18);
	EXPECT_EQ(t, event_queue_exception(&m->v->events, event_exception_err(VEC_NP, 8)), 0);
	expect_exception(m, run_events(m), VEC_DF, 0);
	check_frame(m, G_CODE, RFLAGS_FIXED);
}

/* An exception that is intercepted and given back arrives as if it never was. */
GUEST64(c_divide, "xor %ecx, %ecx; div %ecx; hlt");
GUEST64(c_page_fault, "mov %eax, 0x40000000; hlt");

TEST(common, intercepted_exceptions, .ref = "APM2 15.12, SDM3 26.2", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_divide);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, VEC_DE, true), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_EXCEPTION);
	EXPECT_EQ(t, m->v->exit.exc.vector, VEC_DE);
	EXPECT(t, !m->v->exit.exc.has_error);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
	expect_exception(m, machine_run_handling(m, BIT(EXIT_EXCEPTION)), VEC_DE, 0);
	check_frame(m, G_CODE + 2, RFLAGS_FIXED | RFLAGS_ZF | RFLAGS_PF);

	m = event_machine(t, &c_page_fault);
	machine_write64(m, G_PDPT + 8, 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, VEC_PF, true), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_EXCEPTION);
	EXPECT_EQ(t, m->v->exit.exc.vector, VEC_PF);
	EXPECT_EQ(t, m->v->exit.exc.error, PFERR_W);
	EXPECT_EQ(t, m->v->exit.exc.payload, 0x40000000);
	/* CR2 is not changed by a fault that exits (APM2 15.12.15, SDM3 28.1). */
	EXPECT_EQ(t, machine_get(m, VREG_CR2), 0);
	expect_exception(m, machine_run_handling(m, BIT(EXIT_EXCEPTION)), VEC_PF, PFERR_W);
	EXPECT_EQ(t, machine_exception(m)->cr2, 0x40000000);
}

/* A trap of the guest's own, TF, over instructions that do not exit. */
GUEST64(c_tf_nops, "pushfq; orl $0x100, (%rsp); popfq; nop; nop; hlt");

TEST(common, guest_single_step, .ref = "APM2 13.1.4, SDM3 18.3.1.4", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_tf_nops);

	expect_exception(m, machine_run(m), VEC_DB, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 10);
	EXPECT(t, machine_exception(m)->dr6 & DR6_BS);
}

/* A breakpoint of the guest in a register that the host does not touch. */
TEST(common, guest_breakpoint, .ref = "APM2 13.1.2, SDM3 18.2.4", .needs = NEED_VIRT)
{
	struct machine *m = event_machine(t, &c_nops);

	machine_set(m, VREG_DR1, G_CODE + 2);
	machine_set(m, VREG_DR7, DR7_FIXED1 | BIT(2));
	expect_exception(m, machine_run(m), VEC_DB, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	EXPECT_EQ(t, machine_exception(m)->dr6 & 0xf, 2);
}
