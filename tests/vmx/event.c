// SPDX-License-Identifier: MIT
/* Event injection, exits during delivery, windows: SDM3 27.6, 27.7, 28.2. */
#include "tests/vmx/vmx_test.h"

GUEST64(vi_nops, "nop; nop; nop; nop; cpuid; vmcall");

struct inject_row {
	const char *name;
	struct event e;
	u8 rip;			/* pushed RIP, from G_CODE */
};

static const struct inject_row inject_rows[] = {
	{ "interrupt 20h",	{ .type = EVENT_INTR, .vector = 0x20 }, 0 },
	{ "interrupt ffh",	{ .type = EVENT_INTR, .vector = 0xff }, 0 },
	{ "NMI",		{ .type = EVENT_NMI, .vector = 2 }, 0 },
	{ "#DE",		{ .type = EVENT_EXCEPTION, .vector = VEC_DE }, 0 },
	{ "#DB with DR6 bits",	{ .type = EVENT_EXCEPTION, .vector = VEC_DB, .payload = 2 }, 0 },
	{ "#UD",		{ .type = EVENT_EXCEPTION, .vector = VEC_UD }, 0 },
	{ "#DF",	{ .type = EVENT_EXCEPTION, .vector = VEC_DF, .has_error = true }, 0 },
	{ "#GP with an error code", { .type = EVENT_EXCEPTION, .vector = VEC_GP,
				      .has_error = true, .error = 0x1238 }, 0 },
	{ "#PF with CR2",	{ .type = EVENT_EXCEPTION, .vector = VEC_PF, .has_error = true,
				  .error = 6, .payload = 0x12345678000ULL }, 0 },
	{ "#AC",	{ .type = EVENT_EXCEPTION, .vector = VEC_AC, .has_error = true }, 0 },
	{ "INT 80h",		{ .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 }, 2 },
	{ "INT 80h with a prefix", { .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 3 }, 3 },
	{ "INT3",		{ .type = EVENT_SOFT_EXC, .vector = VEC_BP, .insn_len = 1 }, 1 },
	{ "INT1",		{ .type = EVENT_PRIV_EXC, .vector = VEC_DB, .insn_len = 1 }, 1 },
};

TEST(vmx, inject, .ref = "SDM3 27.6.1", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(inject_rows); i++) {
		const struct inject_row *r = &inject_rows[i];
		const struct guest_exception *x;
		struct machine *m;

		test_row(t, r->name);
		m = machine_new(t, MODE_LONG64, &vi_nops);
		machine_idt(m);
		m->v->rflags |= RFLAGS_IF;
		virt->inject(m->v, &r->e);
		REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
		x = machine_exception(m);
		EXPECT_EQ(t, x->vector, r->e.vector);
		EXPECT_EQ(t, x->error, r->e.error);
		EXPECT_EQ(t, x->rip, G_CODE + r->rip);
		EXPECT_EQ(t, x->cs, G_SEL_CODE64);
		EXPECT_EQ(t, x->rsp, G_STACK_TOP);
		EXPECT_EQ(t, x->rflags & RFLAGS_IF, RFLAGS_IF);
		if (r->e.type == EVENT_EXCEPTION && r->e.vector == VEC_PF)
			EXPECT_EQ(t, x->cr2, r->e.payload);
		if (r->e.type == EVENT_EXCEPTION && r->e.vector == VEC_DB)
			EXPECT_EQ(t, x->dr6, DR6_FIXED1 | r->e.payload);
		/* SDM3 28.3: the exit made the field invalid. */
		EXPECT_EQ(t, vmx_read(m->v, VMCS_ENTRY_INTR_INFO) & INTR_VALID, 0);
		/* IRET: back where it came from. */
		EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
		machine_free(m);
	}
}

GUEST16(vi_real, "nop; nop; cpuid");

TEST(vmx, inject_real_mode, .ref = "SDM3 27.6.1.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_REAL16, &vi_real);
	const struct event gp = event_exception_err(VEC_GP, 0x55);

	/* Vector 13 at 0000:0034; the handler is the CPUID. */
	*(u32 *)machine_ptr(m, 0x34, 4) = (G_CODE >> 4) << 16 | 2;
	virt->inject(m->v, &gp);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	/* IP, CS, FLAGS and no error code. */
	EXPECT_EQ(t, machine_get(m, VREG_RSP) & 0xffff, 0xfff0 - 6);
	EXPECT_EQ(t, m->v->rip, 2);
}

/* SDM3 27.6.1: the virtual NMI blocks others until IRET. */
TEST(vmx, inject_nmi_blocks, .ref = "SDM3 27.6.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_nops);
	const struct event nmi = event_nmi();

	machine_idt(m);
	virt->inject(m->v, &nmi);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 1);
	REQUIRE_EQ(t, machine_next(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 0);
}

/* --- delivery that fails --- */

/* The gate lies beyond the IDT's limit: #GP with IDT and EXT in its error. */
TEST(vmx, inject_beyond_idt, .ref = "SDM3 27.6.1.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_nops);
	struct vsegment idtr = { .base = G_IDT, .limit = 32 * 16 - 1 };
	const struct event intr = event_intr(0x40);

	machine_idt(m);
	virt->set_seg(m->v, VSEG_IDTR, &idtr);
	m->v->rflags |= RFLAGS_IF;
	virt->inject(m->v, &intr);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_GP);
	EXPECT_EQ(t, machine_exception(m)->error, 0x40 * 8 + 3);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
}

/* The same of INT n: EXT is clear. */
TEST(vmx, inject_int_n_beyond_idt, .ref = "SDM3 27.6.1.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_nops);
	struct vsegment idtr = { .base = G_IDT, .limit = 32 * 16 - 1 };
	const struct event soft = { .type = EVENT_SOFT_INT, .vector = 0x40, .insn_len = 2 };

	machine_idt(m);
	virt->set_seg(m->v, VSEG_IDTR, &idtr);
	virt->inject(m->v, &soft);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_GP);
	EXPECT_EQ(t, machine_exception(m)->error, 0x40 * 8 + 2);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
}

TEST(vmx, inject_triple_fault, .ref = "SDM3 27.6.1.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_nops);
	const struct event ud = event_exception(VEC_UD);

	/* No IDT at all. */
	virt->inject(m->v, &ud);
	EXPECT_EQ(t, machine_run(m), EXIT_SHUTDOWN);
}

/* An intercepted fault in the delivery names the event that it stopped. */
TEST(vmx, idt_vectoring_exception, .ref = "SDM3 28.2.4", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_nops);
	const struct event intr = event_intr(0x40);
	const struct event *idt = &m->v->exit.idt;

	machine_idt(m);
	/* The stack is not there. */
	m->v->gpr[VREG_RSP] = 0x100000000000ULL;
	m->v->rflags |= RFLAGS_IF;
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, VEC_PF, true), 0);
	virt->inject(m->v, &intr);
	REQUIRE_EQ(t, machine_run(m), EXIT_EXCEPTION);
	EXPECT_EQ(t, m->v->exit.exc.vector, VEC_PF);
	EXPECT_EQ(t, m->v->exit.exc.error, PFERR_W);
	EXPECT_EQ(t, m->v->exit.exc.payload, 0x100000000000ULL - 8);
	EXPECT_EQ(t, idt->type, EVENT_INTR);
	EXPECT_EQ(t, idt->vector, 0x40);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	/* With a stack it is delivered after all: core injects it again. */
	m->v->gpr[VREG_RSP] = G_STACK_TOP;
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, 0x40);
}

struct vectoring_row {
	const char *name;
	struct event e;
};

static const struct vectoring_row vectoring_rows[] = {
	{ "interrupt",	{ .type = EVENT_INTR, .vector = 0x55 } },
	{ "NMI",	{ .type = EVENT_NMI, .vector = 2 } },
	{ "#UD",	{ .type = EVENT_EXCEPTION, .vector = VEC_UD } },
	{ "#GP",	{ .type = EVENT_EXCEPTION, .vector = VEC_GP, .has_error = true,
			  .error = 0x10 } },
	{ "INT 80h",	{ .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 } },
	{ "INT3",	{ .type = EVENT_SOFT_EXC, .vector = 3, .insn_len = 1 } },
};

/* Of an EPT violation in the delivery too; mapped, it is delivered. */
TEST(vmx, idt_vectoring_ept, .ref = "SDM3 28.2.4", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(vectoring_rows); i++) {
		const struct event *e = &vectoring_rows[i].e;
		u64 stack = G_STACK_TOP - PAGE_SIZE;
		struct machine *m;

		test_row(t, vectoring_rows[i].name);
		m = machine_new(t, MODE_LONG64, &vi_nops);
		machine_idt(m);
		m->v->rflags |= RFLAGS_IF;
		REQUIRE_EQ(t, pt_unmap(&m->vm.npt, stack, PAGE_SIZE), 0);
		virt->flush(m->v);
		virt->inject(m->v, e);
		REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
		EXPECT_EQ(t, m->v->exit.idt.type, e->type);
		EXPECT_EQ(t, m->v->exit.idt.vector, e->vector);
		EXPECT_EQ(t, m->v->exit.idt.has_error, e->has_error);
		EXPECT_EQ(t, m->v->exit.idt.error, e->error);
		EXPECT_EQ(t, m->v->exit.idt.insn_len, e->insn_len);
		EXPECT_EQ(t, m->v->exit.npf.write, true);
		REQUIRE_EQ(t, pt_map(&m->vm.npt, stack, (u64)machine_ptr(m, stack, 8), PAGE_SIZE,
				     PT_RWX, PAGE_SIZE), 0);
		virt->flush(m->v);
		REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
		EXPECT_EQ(t, machine_exception(m)->vector, e->vector);
		EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + e->insn_len);
		machine_free(m);
	}
}

/* --- exceptions of the guest itself --- */

GUEST64(vi_de, "xor %ecx, %ecx; div %ecx");
GUEST64(vi_bp, "int3");
GUEST64(vi_ud, "ud2");
GUEST64(vi_pf, "mov 0x7ffff000(%rbp), %rax");
GUEST64(vi_nm, "mov %cr0, %rax; or $8, %eax; mov %rax, %cr0; fnop");
GUEST64(vi_int1, ".byte 0xf1");
GUEST64(vi_ss, "mov $0x8000000000000000, %rbp; mov (%rbp), %rax");

struct exc_row {
	const char *name;
	const struct guest_code *code;
	u8 vector, type, has_error;
	u32 error;
	u8 off;			/* of the instruction: all these exits are faults */
};

static const struct exc_row exc_rows[] = {
	{ "#DE",  &vi_de,	VEC_DE, EVENT_EXCEPTION, 0, 0, 2 },
	{ "INT3", &vi_bp,	VEC_BP, EVENT_SOFT_EXC, 0, 0, 0 },
	{ "#UD",  &vi_ud,	VEC_UD, EVENT_EXCEPTION, 0, 0, 0 },
	{ "#NM",  &vi_nm,	VEC_NM, EVENT_EXCEPTION, 0, 0, 9 },
	{ "#SS",  &vi_ss,	VEC_SS, EVENT_EXCEPTION, 1, 0, 10 },
	{ "#PF",  &vi_pf,	VEC_PF, EVENT_EXCEPTION, 1, 0, 0 },
	{ "INT1", &vi_int1,	VEC_DB, EVENT_PRIV_EXC, 0, 0, 0 },
};

TEST(vmx, exception_bitmap, .ref = "SDM3 25.6.3, 28.2.2", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(exc_rows); i++) {
		const struct exc_row *r = &exc_rows[i];
		struct machine *m;

		test_row(t, r->name);
		m = machine_new(t, MODE_LONG64, r->code);
		machine_set(m, VREG_RBP, 0x200000000000ULL);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, r->vector, true), 0);
		REQUIRE_EQ(t, machine_run(m), EXIT_EXCEPTION);
		EXPECT_EQ(t, m->v->exit.exc.vector, r->vector);
		EXPECT_EQ(t, m->v->exit.exc.type, r->type);
		EXPECT_EQ(t, m->v->exit.exc.has_error, r->has_error);
		if (r->has_error)
			EXPECT_EQ(t, m->v->exit.exc.error, r->error);
		EXPECT_EQ(t, m->v->rip, G_CODE + r->off);
		if (r->vector == VEC_PF) {
			/* CR2 is not written, the address is in the exit. */
			EXPECT_EQ(t, m->v->exit.exc.payload, 0x20007ffff000ULL);
			EXPECT_EQ(t, machine_get(m, VREG_CR2), 0);
		}
		machine_free(m);
	}
}

/* SDM3 25.6.3: which #PF exit, by error code. */
TEST(vmx, page_fault_mask, .ref = "SDM3 25.6.3", .needs = NEED_VMX)
{
	static const struct {
		const char *name;
		u32 bitmap, mask, match;
		bool exits;
	} rows[] = {
		{ "bit set, match",		1, PFERR_W, 0, true },
		{ "bit set, no match",		1, PFERR_W, PFERR_W, false },
		{ "bit clear, match",		0, PFERR_W, 0, false },
		{ "bit clear, no match",	0, PFERR_W, PFERR_W, true },
		{ "bit clear, mask 0 match 1",	0, 0, 1, true },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine *m;

		test_row(t, rows[i].name);
		m = machine_new(t, MODE_LONG64, &vi_pf);
		machine_idt(m);
		machine_set(m, VREG_RBP, 0x200000000000ULL);
		vmx_write(m->v, VMCS_EXCEPTION_BITMAP, rows[i].bitmap << VEC_PF);
		vmx_write(m->v, VMCS_PF_ERROR_CODE_MASK, rows[i].mask);
		vmx_write(m->v, VMCS_PF_ERROR_CODE_MATCH, rows[i].match);
		EXPECT_EQ(t, machine_run(m), rows[i].exits ? EXIT_EXCEPTION : EXIT_HYPERCALL);
		machine_free(m);
	}
}

/* #DB: which bits DR6 would get; DR6 and DR7 are as they were. */
TEST(vmx, debug_exception_exit, .ref = "SDM3 28.2.1 table 28-1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_nops);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_EXCEPTION, VEC_DB, true), 0);
	test_row(t, "single step");
	m->v->rflags |= RFLAGS_TF;
	REQUIRE_EQ(t, machine_run(m), EXIT_EXCEPTION);
	EXPECT_EQ(t, m->v->exit.exc.vector, VEC_DB);
	EXPECT_EQ(t, m->v->exit.exc.payload, DR6_BS);
	EXPECT_EQ(t, m->v->rip, G_CODE + 1);
	EXPECT_EQ(t, machine_get(m, VREG_DR6), DR6_FIXED1);
	test_row(t, "code breakpoint");
	m->v->rflags &= ~RFLAGS_TF;
	machine_set(m, VREG_DR0, G_CODE + 3);
	machine_set(m, VREG_DR7, DR7_FIXED1 | 2);
	REQUIRE_EQ(t, machine_run(m), EXIT_EXCEPTION);
	EXPECT_EQ(t, m->v->exit.exc.payload, 1);
	EXPECT_EQ(t, m->v->rip, G_CODE + 3);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), DR7_FIXED1 | 2);
	EXPECT_EQ(t, machine_get(m, VREG_DR6), DR6_FIXED1);
}

GUEST64(vi_step, "nop; nop; .byte 0xf1; nop; cpuid");

/*
 * #DB always exits (it could keep the CPU busy for ever) and goes on to the
 * guest, which must not notice.
 */
TEST(vmx, debug_exception_delivered, .ref = "SDM3 27.6.1, 18.3.1", .needs = NEED_VMX)
{
	const struct guest_exception *x;
	struct machine *m;

	test_row(t, "single step");
	m = machine_new(t, MODE_LONG64, &vi_step);
	machine_idt(m);
	m->v->rflags |= RFLAGS_TF;
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	x = machine_exception(m);
	EXPECT_EQ(t, x->vector, VEC_DB);
	EXPECT_EQ(t, x->rip, G_CODE + 1);
	EXPECT_EQ(t, x->dr6, DR6_FIXED1 | DR6_BS);
	EXPECT_EQ(t, x->rflags & RFLAGS_TF, RFLAGS_TF);
	machine_free(m);

	test_row(t, "code breakpoint");
	m = machine_new(t, MODE_LONG64, &vi_step);
	machine_idt(m);
	machine_set(m, VREG_DR2, G_CODE + 1);
	machine_set(m, VREG_DR7, DR7_FIXED1 | 0x20);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	x = machine_exception(m);
	EXPECT_EQ(t, x->vector, VEC_DB);
	EXPECT_EQ(t, x->rip, G_CODE + 1);
	EXPECT_EQ(t, x->dr6, DR6_FIXED1 | 4);
	EXPECT_EQ(t, x->rflags & RFLAGS_RF, RFLAGS_RF);
	machine_free(m);

	test_row(t, "INT1");
	m = machine_new(t, MODE_LONG64, &vi_step);
	machine_idt(m);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	x = machine_exception(m);
	EXPECT_EQ(t, x->vector, VEC_DB);
	EXPECT_EQ(t, x->rip, G_CODE + 3);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}

GUEST64(vi_ac, "mov %cr0, %rax; or $0x40000, %eax; mov %rax, %cr0\n\t"
	"push $0x43; push $0x50000; push $0x40002; push $0x4b; lea 1f(%rip), %rax\n\t"
	"push %rax; iretq; 1: mov 0x30001, %eax");

TEST(vmx, alignment_check_delivered, .ref = "SDM3 6.15", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vi_ac);

	machine_idt(m);
	machine_write64(m, G_TSS + 4, G_STACK_TOP - 0x1000);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_AC);
	EXPECT_EQ(t, machine_exception(m)->error, 0);
	EXPECT_EQ(t, machine_exception(m)->cs & 3, 3);
}
