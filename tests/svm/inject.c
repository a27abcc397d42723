// SPDX-License-Identifier: MIT
/* Event injection: APM2 15.20; interrupted delivery: APM2 15.7.2. */
#include "core/lib/string.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "tests/svm/svm_test.h"

static u64 inj(u8 type, u8 vector)
{
	return EVENTINJ_VALID | EVENTINJ_TYPE(type) | vector;
}

static u64 inj_err(u8 vector, u32 error)
{
	return inj(EVENTINJ_EXCEPTION, vector) | EVENTINJ_EV | (u64)error << 32;
}

/* Enters with this EVENTINJ; the handler must see the event at G_CODE. */
static void deliver(struct machine *m, u64 eventinj, u32 error)
{
	struct test_ctx *t = m->t;
	const struct guest_exception *e = machine_exception(m);

	svm_rewind(m);
	vmcb_of(m)->eventinj = eventinj;
	if (!svm_expect_exception(m, (u8)eventinj, error))
		return;
	EXPECT_EQ(t, e->rip, G_CODE);
	EXPECT_EQ(t, e->cs, G_SEL_CODE64);
	EXPECT_EQ(t, e->rsp, G_STACK_TOP);
	/* APM2 15.7.2: delivery was complete. */
	EXPECT_EQ(t, m->v->exit.idt.type, EVENT_NONE);
	EXPECT_EQ(t, vmcb_of(m)->exitintinfo & EVENTINJ_VALID, 0);
}

TEST(svm, inject_interrupt, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	static const u8 vector[] = { 0x20, 0x21, 0x80, 0xfe, 0xff };
	static const char *const name[] = { "20h", "21h", "80h", "FEh", "FFh" };
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(vector); i++) {
		test_row(t, name[i]);
		deliver(m, inj(EVENTINJ_INTR, vector[i]), 0);
		/* RFLAGS.IF = 0 in the VMCB: injection does not ask (APM2 15.20). */
		EXPECT_EQ(t, machine_exception(m)->rflags & RFLAGS_IF, 0);
	}
}

TEST(svm, inject_exceptions, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	static const struct { const char *name; u8 vector; } row[] = {
		{ "#DE", VEC_DE }, { "#UD", VEC_UD }, { "#NM", VEC_NM }, { "#DF", VEC_DF },
		{ "#TS", VEC_TS }, { "#NP", VEC_NP }, { "#SS", VEC_SS }, { "#GP", VEC_GP },
		{ "#PF", VEC_PF }, { "#MF", VEC_MF }, { "#AC", VEC_AC }, { "#MC", VEC_MC },
		{ "#XM", VEC_XM },
	};
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		u32 error = row[i].vector == VEC_DF || row[i].vector == VEC_AC ? 0 : 0x1234;

		test_row(t, row[i].name);
		if (exc_has_error(row[i].vector))
			deliver(m, inj_err(row[i].vector, error), error);
		else
			deliver(m, inj(EVENTINJ_EXCEPTION, row[i].vector), 0);
	}
}

/* APM2 15.20: injection is not an occurrence: no intercept, CR2 and DR6 stay. */
TEST(svm, inject_not_intercepted, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	virt->intercept(m->v, ICPT_EXCEPTION, VEC_GP, true);
	virt->intercept(m->v, ICPT_EXCEPTION, VEC_PF, true);
	test_row(t, "#GP");
	deliver(m, inj_err(VEC_GP, 8), 8);
	test_row(t, "#PF keeps CR2");
	machine_set(m, VREG_CR2, 0x123456789000ULL);
	deliver(m, inj_err(VEC_PF, 7), 7);
	EXPECT_EQ(t, machine_exception(m)->cr2, 0x123456789000ULL);
}

TEST(svm, inject_nmi, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	test_row(t, "vector 2");
	deliver(m, inj(EVENTINJ_NMI, 2), 0);
	/* APM2 15.20: VECTOR is ignored for an NMI. */
	test_row(t, "another vector is ignored");
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj(EVENTINJ_NMI, 0x55);
	svm_expect_exception(m, VEC_NMI, 0);
}

/* APM2 15.20, 15.7.1: INT n pushes nRIP where the CPU has it, else RIP as it is. */
TEST(svm, inject_soft_int, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	struct event e = { .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 };

	test_row(t, "through the neutral interface");
	svm_rewind(m);
	virt->inject(m->v, &e);
	svm_expect_exception(m, 0x80, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	test_row(t, "INT3");
	svm_rewind(m);
	e = (struct event){ .type = EVENT_SOFT_EXC, .vector = VEC_BP, .insn_len = 1 };
	virt->inject(m->v, &e);
	svm_expect_exception(m, VEC_BP, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 1);
	test_row(t, "nRIP");
	if (!svm.caps.nrips) {
		test_report(t, OUTCOME_SKIP, "CPUID 8000_000A has no nrips");
		return;
	}
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj(EVENTINJ_SOFT_INT, 0x80);
	vmcb_of(m)->nrip = G_CODE + 2;
	svm_expect_exception(m, 0x80, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
}

/* APM2 15.20, 8.9: a gate with DPL 0 stops INT n from ring 3, not an interrupt. */
TEST(svm, inject_soft_int_checks_dpl, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	struct vsegment cs = { .selector = G_SEL_USER_CODE, .attr = 0xafb, .limit = ~0u };
	struct vsegment ss = { .selector = G_SEL_USER_DATA, .attr = 0xcf3, .limit = ~0u };
	u64 *gate = machine_ptr(m, G_IDT + 0x80 * 16, 16);

	*gate &= ~(3ULL << 45);
	virt->set_seg(m->v, VSEG_CS, &cs);
	virt->set_seg(m->v, VSEG_SS, &ss);
	*(u64 *)machine_ptr(m, G_TSS + 4, 8) = G_STACK_TOP - 0x1000;
	test_row(t, "software interrupt");
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj(EVENTINJ_SOFT_INT, 0x80);
	vmcb_of(m)->nrip = G_CODE;
	svm_expect_exception(m, VEC_GP, 0x80 * 8 + 2);
	test_row(t, "external interrupt");
	virt->set_seg(m->v, VSEG_CS, &cs);
	virt->set_seg(m->v, VSEG_SS, &ss);
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj(EVENTINJ_INTR, 0x80);
	svm_expect_exception(m, 0x80, 0);
	EXPECT_EQ(t, machine_exception(m)->cs, G_SEL_USER_CODE);
}

/* An event whose delivery cannot read the IDT: reported, then delivered once. */
static void idt_fault(struct machine *m, const char *name, const struct event *e, u64 want)
{
	struct test_ctx *t = m->t;
	struct event_queue *q = &m->v->events;

	test_row(t, name);
	svm_rewind(m);
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, G_IDT, PAGE_SIZE), 0);
	virt->flush(m->v);
	virt->inject(m->v, e);
	if (svm_expect(m, SVM_EXIT_NPF, name)) {
		EXPECT_EQ(t, m->v->exit.npf.gpa & PAGE_MASK, G_IDT);
		EXPECT_EQ(t, vmcb_of(m)->exitintinfo & 0xffffffff, want & 0xffffffff);
		if (want & EVENTINJ_EV)
			EXPECT_EQ(t, vmcb_of(m)->exitintinfo >> 32, want >> 32);
		EXPECT_EQ(t, m->v->exit.idt.type, e->type);
		EXPECT_EQ(t, m->v->exit.idt.insn_len, e->insn_len);
		EXPECT_EQ(t, m->v->rip, G_CODE);
		EXPECT_EQ(t, q->reinject.type, e->type);
	}
	REQUIRE_EQ(t, pt_map(&m->vm.npt, G_IDT, (u64)machine_ptr(m, G_IDT, 1), PAGE_SIZE,
			     PT_RWX | PT_U, PAGE_SIZE), 0);
	virt->flush(m->v);
	/* Core delivers what was interrupted; the handler runs, and runs once. */
	svm_expect_exception(m, e->vector, e->has_error ? e->error : 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + e->insn_len);
	EXPECT_EQ(t, m->v->gpr[VREG_RSP], G_STACK_TOP - 56);
	EXPECT_EQ(t, q->reinject.type, EVENT_NONE);
	EXPECT_EQ(t, vmcb_of(m)->exitintinfo & EVENTINJ_VALID, 0);
}

TEST(svm, inject_delivery_faults, .ref = "APM2 15.7.2, 15.20", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	struct event e = event_intr(0x40);

	idt_fault(m, "interrupt", &e, inj(EVENTINJ_INTR, 0x40));
	e = event_nmi();
	idt_fault(m, "NMI", &e, inj(EVENTINJ_NMI, 2));
	virt->set(m->v, VREG_NMI_BLOCKED, 0);
	e = event_exception(VEC_UD);
	idt_fault(m, "#UD", &e, inj(EVENTINJ_EXCEPTION, VEC_UD));
	e = event_exception_err(VEC_GP, 0x18);
	idt_fault(m, "#GP", &e, inj_err(VEC_GP, 0x18));
	e = event_exception_err(VEC_PF, 5);
	e.payload = 0x7000;
	idt_fault(m, "#PF", &e, inj_err(VEC_PF, 5));
	EXPECT_EQ(t, machine_exception(m)->cr2, 0x7000);
	e = (struct event){ .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 };
	idt_fault(m, "INT n", &e, inj(EVENTINJ_SOFT_INT, 0x80));
}

/* The same for events that the guest makes itself. */
TEST(svm, exitintinfo_own_events, .ref = "APM2 15.7.2", .needs = NEED_SVM)
{
	static const struct { const char *name; struct code c; u64 want; u8 vector, len; } row[] = {
		{ "#UD", CODE(B_UD2), EVENTINJ_TYPE(EVENTINJ_EXCEPTION) | VEC_UD, VEC_UD, 0 },
		{ "#GP", CODE(0x66, 0xb8, 0x78, 0, 0x8e, 0xd8),
		  EVENTINJ_TYPE(EVENTINJ_EXCEPTION) | EVENTINJ_EV | VEC_GP | 0x78ULL << 32,
		  VEC_GP, 0 },
		{ "INT n", CODE(0xcd, 0x80), EVENTINJ_TYPE(EVENTINJ_SOFT_INT) | 0x80, 0x80, 2 },
	};
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		REQUIRE_EQ(t, pt_unmap(&m->vm.npt, G_IDT, PAGE_SIZE), 0);
		virt->flush(m->v);
		svm_load(m, &row[i].c);
		if (svm_expect(m, SVM_EXIT_NPF, row[i].name)) {
			u64 mask = row[i].want & EVENTINJ_EV ? ~0ULL : 0xffffffff;

			EXPECT_EQ(t, vmcb_of(m)->exitintinfo & mask, row[i].want | EVENTINJ_VALID);
			EXPECT_EQ(t, m->v->exit.idt.vector, row[i].vector);
			EXPECT_EQ(t, m->v->exit.idt.insn_len, row[i].len);
		}
		REQUIRE_EQ(t, pt_map(&m->vm.npt, G_IDT, (u64)machine_ptr(m, G_IDT, 1), PAGE_SIZE,
				     PT_RWX | PT_U, PAGE_SIZE), 0);
		virt->flush(m->v);
		svm_expect_exception(m, row[i].vector, (u32)(row[i].want >> 32));
	}
}

/* Whatever EXITINTINFO says: the guest's INT n happens once, and it alone. */
TEST(svm, int_delivery_restarts, .ref = "APM2 15.7.2, 15.25.6", .needs = NEED_SVM)
{
	static const struct code c = CODE(B_UD2, 0xcd, 0x80);
	struct machine *m = svm_machine(t);

	/* An exception before it, which a CPU might confuse it with. */
	svm_load(m, &c);
	svm_expect_exception(m, VEC_UD, 0);
	svm_load(m, &c);
	m->v->rip = G_CODE + 2;
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, G_IDT, PAGE_SIZE), 0);
	virt->flush(m->v);
	svm_expect(m, SVM_EXIT_NPF, "INT n");
	REQUIRE_EQ(t, pt_map(&m->vm.npt, G_IDT, (u64)machine_ptr(m, G_IDT, 1), PAGE_SIZE,
			     PT_RWX | PT_U, PAGE_SIZE), 0);
	virt->flush(m->v);
	svm_expect_exception(m, 0x80, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 4);
	EXPECT_EQ(t, m->v->gpr[VREG_RSP], G_STACK_TOP - 56);
}

/* An exception in delivery that is intercepted: both are reported. */
TEST(svm, inject_exception_in_delivery, .ref = "APM2 15.7.2", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	u64 *gate = machine_ptr(m, G_IDT + 0x40 * 16, 16);

	*gate &= ~BIT(47);		/* not present: #NP */
	test_row(t, "intercepted");
	virt->intercept(m->v, ICPT_EXCEPTION, VEC_NP, true);
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj(EVENTINJ_INTR, 0x40);
	if (svm_expect(m, SVM_EXIT_EXCP + VEC_NP, "gate not present")) {
		/* APM2 8.4.1: index, IDT, EXT. */
		EXPECT_EQ(t, m->v->exit.exc.error, 0x40 * 8 + 3);
		EXPECT_EQ(t, m->v->exit.idt.type, EVENT_INTR);
		EXPECT_EQ(t, m->v->exit.idt.vector, 0x40);
	}
	test_row(t, "not intercepted");
	virt->intercept(m->v, ICPT_EXCEPTION, VEC_NP, false);
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj(EVENTINJ_INTR, 0x40);
	svm_expect_exception(m, VEC_NP, 0x40 * 8 + 3);
	/* APM2 8.2.9: contributory after contributory is a double fault. */
	test_row(t, "#GP then #NP is #DF");
	gate = machine_ptr(m, G_IDT + VEC_GP * 16, 16);
	*gate &= ~BIT(47);
	svm_rewind(m);
	vmcb_of(m)->eventinj = inj_err(VEC_GP, 0);
	svm_expect_exception(m, VEC_DF, 0);
}

/* RFLAGS.IF, TF and friends are changed by the gate, the image is pushed. */
TEST(svm, inject_rflags, .ref = "APM2 15.20, 8.9.3", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	svm_rewind(m);
	m->v->rflags |= RFLAGS_IF | RFLAGS_CF | RFLAGS_NT;
	vmcb_of(m)->eventinj = inj(EVENTINJ_INTR, 0x40);
	svm_expect_exception(m, 0x40, 0);
	EXPECT_EQ(t, machine_exception(m)->rflags,
		  RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_NT);
	EXPECT_EQ(t, m->v->rflags & (RFLAGS_IF | RFLAGS_TF | RFLAGS_NT), 0);
}

/* Through core: one event an entry, in the order of event_next. */
TEST(svm, inject_order, .ref = "APM2 8.5, 15.20", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	svm_rewind(m);
	m->v->rflags |= RFLAGS_IF;
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x40;
	m->v->events.nmi = true;
	m->v->events.exception = event_exception_err(VEC_GP, 0);
	/* APM2 8.5: delivery of the exception, then the boundary where the NMI comes in. */
	test_row(t, "the NMI, at the first instruction of the exception's handler");
	svm_expect_exception(m, VEC_NMI, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_HANDLERS + VEC_GP * 16);
	test_row(t, "then that handler");
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	svm_expect_exception(m, VEC_GP, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	test_row(t, "the interrupt when IF allows it");
	for (unsigned int i = 0; i < 8 && machine_exception(m)->vector != 0x40; i++) {
		REQUIRE_EQ(t, vcpu_advance(m->v), 0);
		if (machine_run_handling(m, BIT(EXIT_INTR_WINDOW)) != EXIT_HYPERCALL)
			break;
	}
	EXPECT_EQ(t, machine_exception(m)->vector, 0x40);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	EXPECT_EQ(t, machine_exception(m)->rflags & RFLAGS_IF, RFLAGS_IF);
}
