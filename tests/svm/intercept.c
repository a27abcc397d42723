// SPDX-License-Identifier: MIT
/* Every intercept bit: off, the instruction runs; on, it exits (APM2 15.9, 15.12-15.14). */
#include "core/lib/string.h"
#include "core/x86/caps.h"
#include "tests/svm/svm_test.h"

enum flags {
	ON_ONLY = 1,	/* without the intercept it would reach into the host, or hang */
	USER = 2,
};

struct icpt_row {
	const char *name;
	u16 field;		/* enum vmcb_field */
	u16 code;		/* EXITCODE */
	u32 bit;
	u32 flags;
	struct code insn;
};

#define V3(bit)	VMCB_F_intercept_vec3, SVM_EXIT_##bit, (u32)VEC3_##bit
#define V4(bit)	VMCB_F_intercept_vec4, SVM_EXIT_##bit, (u32)VEC4_##bit

/* clang-format off */
static const struct icpt_row insn_rows[] = {
	{ "CPUID",	V3(CPUID),	0,	CODE(B_CPUID) },
	{ "RDTSC",	V3(RDTSC),	0,	CODE(0x0f, 0x31) },
	{ "RDPMC",	V3(RDPMC),	0,	CODE(0x31, 0xc9, 0x0f, 0x33) },
	{ "PUSHF",	V3(PUSHF),	0,	CODE(0x9c) },
	{ "POPF",	V3(POPF),	0,	CODE(0x6a, 0x02, 0x9d) },
	{ "RSM",	V3(RSM),	0,	CODE(0x0f, 0xaa) },
	{ "IRET",	V3(IRET),	0,	/* ss, rsp, rflags, cs, rip of the next */
	  CODE(0x6a, 0x10, 0x54, 0x6a, 0x02, 0x6a, 0x08, 0x48, 0x8d, 0x05, 0x03, 0, 0, 0,
	       0x50, 0x48, 0xcf) },
	{ "INT n",	V3(SWINT),	0,	CODE(0xcd, 0x80) },
	{ "INVD",	V3(INVD),	ON_ONLY, CODE(0x0f, 0x08) },
	{ "PAUSE",	V3(PAUSE),	0,	CODE(0xf3, 0x90) },
	{ "HLT",	V3(HLT),	ON_ONLY, CODE(0xf4) },
	{ "INVLPG",	V3(INVLPG),	0,	CODE(0x0f, 0x01, 0x38) },
	{ "INVLPGA",	V3(INVLPGA),	ON_ONLY, CODE(0x0f, 0x01, 0xdf) },
	{ "VMMCALL",	V4(VMMCALL),	ON_ONLY, CODE(B_VMMCALL) },
	{ "VMRUN",	V4(VMRUN),	ON_ONLY, CODE(0x0f, 0x01, 0xd8) },
	{ "VMLOAD",	V4(VMLOAD),	ON_ONLY, CODE(0x0f, 0x01, 0xda) },
	{ "VMSAVE",	V4(VMSAVE),	ON_ONLY, CODE(0x0f, 0x01, 0xdb) },
	{ "STGI",	V4(STGI),	ON_ONLY, CODE(0x0f, 0x01, 0xdc) },
	{ "CLGI",	V4(CLGI),	ON_ONLY, CODE(0x0f, 0x01, 0xdd) },
	{ "SKINIT",	V4(SKINIT),	ON_ONLY, CODE(0x31, 0xc0, 0x0f, 0x01, 0xde) },
	{ "RDTSCP",	V4(RDTSCP),	0,	CODE(0x0f, 0x01, 0xf9) },
	{ "ICEBP",	V4(ICEBP),	0,	CODE(0xf1) },
	{ "WBINVD",	V4(WBINVD),	0,	CODE(0x0f, 0x09) },
	{ "MONITOR",	V4(MONITOR),	0,	CODE(0xb8, 0, 0, 3, 0, 0x31, 0xc9, 0x31, 0xd2,
						     0x0f, 0x01, 0xc8) },
	{ "MWAIT",	V4(MWAIT),	ON_ONLY, CODE(0x31, 0xc0, 0x31, 0xc9, 0x0f, 0x01, 0xc9) },
	/* Armed by MONITOR at an address that nothing writes. */
	{ "MWAIT armed", V4(MWAIT_ARMED), ON_ONLY,
	  CODE(0xb8, 0, 0, 3, 0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xc8,
	       0x31, 0xc0, 0x0f, 0x01, 0xc9) },
	{ "SIDT",	V3(IDTR_READ),	0,	CODE(0x0f, 0x01, 0x0c, 0x25, 0, 0, 3, 0) },
	{ "SGDT",	V3(GDTR_READ),	0,	CODE(0x0f, 0x01, 0x04, 0x25, 0, 0, 3, 0) },
	{ "SLDT",	V3(LDTR_READ),	0,	CODE(0x0f, 0x00, 0xc0) },
	{ "STR",	V3(TR_READ),	0,	CODE(0x0f, 0x00, 0xc8) },
	/* Loads what it stored before. */
	{ "LIDT",	V3(IDTR_WRITE),	0,	CODE(0x0f, 0x01, 0x0c, 0x25, 0, 0, 3, 0,
						     0x0f, 0x01, 0x1c, 0x25, 0, 0, 3, 0) },
	{ "LGDT",	V3(GDTR_WRITE),	0,	CODE(0x0f, 0x01, 0x04, 0x25, 0, 0, 3, 0,
						     0x0f, 0x01, 0x14, 0x25, 0, 0, 3, 0) },
	{ "LLDT",	V3(LDTR_WRITE),	0,	CODE(0x31, 0xc0, 0x0f, 0x00, 0xd0) },
	{ "LTR",	V3(TR_WRITE),	0,	CODE(0xb8, G_SEL_TSS, 0, 0, 0, 0x0f, 0x00, 0xd8) },
};
/* clang-format on */

/* MWAIT, MONITOR, RDTSCP and the like exist only where CPUID says so. */
static bool exists(const struct icpt_row *r)
{
	const struct cpu_caps *c = run_policy.caps;

	if (r->code == SVM_EXIT_MONITOR || r->code == SVM_EXIT_MWAIT ||
	    r->code == SVM_EXIT_MWAIT_ARMED)
		return c->monitor;
	if (r->code == SVM_EXIT_RDTSCP)
		return c->rdtscp;
	return true;
}

static void icpt_row(struct test_ctx *t, struct machine *m, const struct icpt_row *r)
{
	struct vmcb *c = vmcb_of(m);
	u64 old = vmcb_read(c, r->field);

	/* Armed is only asked when MWAIT itself may run, behind a MONITOR. */
	if (r->code == SVM_EXIT_MWAIT_ARMED)
		old &= ~(u64)(VEC4_MONITOR | VEC4_MWAIT);
	if (!exists(r)) {
		test_report(t, OUTCOME_SKIP, "the CPU has no such instruction");
		return;
	}
	if (!(r->flags & ON_ONLY)) {
		svm_load(m, &r->insn);
		machine_set(m, VREG_RAX, G_DATA);
		vmcb_write(c, r->field, old & ~(u64)r->bit);
		/* Runs to VMMCALL, or faults into a handler that ends there. */
		svm_expect(m, SVM_EXIT_VMMCALL, "intercept off");
	}
	svm_load(m, &r->insn);
	/* A page, as VMRUN, VMLOAD and VMSAVE want (APM3 VMRUN). */
	machine_set(m, VREG_RAX, G_DATA);
	vmcb_write(c, r->field, old | r->bit);
	svm_expect(m, r->code, "intercept on");
	vmcb_write(c, r->field, old);
	vmcb_set_intercept_vec4(c, vmcb_get_intercept_vec4(c) | VEC4_MONITOR | VEC4_MWAIT);
}

TEST(svm, intercept_instructions, .ref = "APM2 15.9", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(insn_rows); i++) {
		test_row(t, insn_rows[i].name);
		if (!svm_known_defect(t, insn_rows[i].name))
			icpt_row(t, m, &insn_rows[i]);
	}
}

/* APM2 15.9: the exit comes before the instruction changes anything. */
TEST(svm, intercept_is_a_fault, .ref = "APM2 15.9, 15.7.1", .needs = NEED_SVM)
{
	static const struct code cpuid_code = CODE(0xb8, 0, 0, 0, 0x40, B_CPUID);
	struct machine *m = svm_machine(t);
	u64 rbx = 0x123456789abcdef0ULL;

	svm_load(m, &cpuid_code);
	machine_set(m, VREG_RBX, rbx);
	if (!svm_expect(m, SVM_EXIT_CPUID, "CPUID"))
		return;
	EXPECT_EQ(t, m->v->rip, G_CODE + 5);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 0x40000000);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), rbx);
	if (svm.caps.nrips)
		EXPECT_EQ(t, vmcb_of(m)->nrip, G_CODE + 7);
}

/* mov rax, crN / mov crN, rax with what it holds. */
static void cr_insn(struct code *c, unsigned int cr, bool write)
{
	static const u8 rd[] = { 0x44, 0x0f, 0x20, 0xc0 }, wr[] = { 0x44, 0x0f, 0x22, 0xc0 };
	unsigned int n = 0;

	for (unsigned int i = 0; i < (write ? 2u : 1u); i++) {
		const u8 *b = i ? wr : rd;

		if (cr == 8)
			c->b[n++] = b[0];
		c->b[n++] = b[1];
		c->b[n++] = b[2];
		c->b[n++] = (u8)(0xc0 | (cr & 7) << 3);
	}
	c->len = (u8)n;
}

static void cr_intercepts(struct test_ctx *t, bool write)
{
	static const struct { u8 cr; const char *name; } row[] = {
		{ 0, "CR0" }, { 2, "CR2" }, { 3, "CR3" }, { 4, "CR4" }, { 8, "CR8" },
	};
	struct machine *m = svm_machine(t);
	u16 field = write ? VMCB_F_intercept_cr_write : VMCB_F_intercept_cr_read;

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		struct code c = { 0 };

		test_row(t, row[i].name);
		cr_insn(&c, row[i].cr, write);
		svm_load(m, &c);
		svm_expect(m, SVM_EXIT_VMMCALL, "intercept off");
		svm_load(m, &c);
		vmcb_write(vmcb_of(m), field, BIT(row[i].cr));
		if (svm_expect(m, (write ? 0x10u : 0u) + row[i].cr, "intercept on")) {
			EXPECT_EQ(t, m->v->exit.cr.num, row[i].cr);
			EXPECT_EQ(t, m->v->exit.cr.write, write);
			EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RAX);
			EXPECT_EQ(t, m->v->exit.cr.kind, CR_MOV);
		}
		vmcb_write(vmcb_of(m), field, 0);
	}
}

TEST(svm, intercept_cr_read, .ref = "APM2 15.9, 15.8.1", .needs = NEED_SVM)
{
	cr_intercepts(t, false);
}

TEST(svm, intercept_cr_write, .ref = "APM2 15.9, 15.8.1", .needs = NEED_SVM)
{
	cr_intercepts(t, true);
}

static void dr_intercepts(struct test_ctx *t, bool write)
{
	static const char *const name[] = { "DR0", "DR1", "DR2", "DR3", "DR4", "DR5", "DR6",
					    "DR7" };
	struct machine *m = svm_machine(t);
	u16 field = write ? VMCB_F_intercept_dr_write : VMCB_F_intercept_dr_read;

	for (unsigned int i = 0; i < 8; i++) {
		/* mov rcx, drN; mov drN, rcx: DR4 and DR5 are aliases (CR4.DE = 0). */
		struct code c = CODE(0x0f, 0x21, 0xc1, 0x0f, 0x23, 0xc1);

		test_row(t, name[i]);
		c.b[2] = c.b[5] = (u8)(0xc1 | i << 3);
		c.len = write ? 6 : 3;
		svm_load(m, &c);
		svm_expect(m, SVM_EXIT_VMMCALL, "intercept off");
		svm_load(m, &c);
		vmcb_write(vmcb_of(m), field, BIT(i));
		if (svm_expect(m, (write ? 0x30u : 0x20u) + i, "intercept on")) {
			EXPECT_EQ(t, m->v->exit.cr.num, i);
			EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RCX);
		}
		vmcb_write(vmcb_of(m), field, 0);
	}
}

TEST(svm, intercept_dr_read, .ref = "APM2 15.9", .needs = NEED_SVM)
{
	dr_intercepts(t, false);
}

TEST(svm, intercept_dr_write, .ref = "APM2 15.9", .needs = NEED_SVM)
{
	dr_intercepts(t, true);
}

/* APM2 15.8.1: CLTS, LMSW and SMSW are told apart from MOV. */
TEST(svm, intercept_cr0_others, .ref = "APM2 15.8.1, 15.9", .needs = NEED_SVM)
{
	static const struct { const char *name; struct code c; u8 code, kind; } row[] = {
		{ "CLTS", CODE(0x0f, 0x06), 0x10, CR_CLTS },
		{ "LMSW AX", CODE(0x0f, 0x01, 0xf0), 0x10, CR_LMSW },
		{ "LMSW memory", CODE(0x0f, 0x01, 0x34, 0x25, 0, 0, 3, 0), 0x10, CR_LMSW },
		{ "SMSW EDI", CODE(0x0f, 0x01, 0xe7), 0x00, CR_SMSW },
		{ "MOV CR0 from RBP", CODE(0x0f, 0x22, 0xc5), 0x10, CR_MOV },
		{ "MOV R12 from CR0", CODE(0x41, 0x0f, 0x20, 0xc4), 0x00, CR_MOV },
	};
	struct machine *m = svm_machine(t);
	const struct exit_cr *x = &m->v->exit.cr;

	vmcb_set_intercept_cr_read(vmcb_of(m), 1);
	vmcb_set_intercept_cr_write(vmcb_of(m), 1);
	machine_write64(m, G_DATA, 0xb);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &row[i].c);
		machine_set(m, VREG_RAX, 0x7);
		/* Illegal values are #GP before the intercept (APM2 table 15-7). */
		machine_set(m, VREG_RBP, machine_get(m, VREG_CR0));
		if (!svm_expect(m, row[i].code, row[i].name))
			continue;
		EXPECT_EQ(t, x->kind, row[i].kind);
		if (i == 1)
			EXPECT_EQ(t, x->lmsw, 7);
		else if (i == 2)
			EXPECT_EQ(t, x->lmsw, 0xb);
		else if (i > 2)
			EXPECT_EQ(t, x->gpr, i == 3 ? VREG_RDI : i == 4 ? VREG_RBP : VREG_R12);
	}
}

/* APM2 15.9, table 15-2: only changes of bits other than TS and MP. */
TEST(svm, intercept_cr0_selective, .ref = "APM2 15.9", .needs = NEED_SVM)
{
	static const struct { const char *name; u64 flip; struct code c; bool exits; } row[] = {
		{ "MOV without a change", 0, CODE(0x0f, 0x22, 0xc0), false },
		{ "MOV that changes TS", CR0_TS, CODE(0x0f, 0x22, 0xc0), false },
		{ "MOV that changes MP", CR0_MP, CODE(0x0f, 0x22, 0xc0), false },
		{ "MOV that changes AM", CR0_AM, CODE(0x0f, 0x22, 0xc0), true },
		{ "MOV that changes WP", CR0_WP, CODE(0x0f, 0x22, 0xc0), true },
		{ "LMSW that changes EM", CR0_EM, CODE(0x0f, 0x01, 0xf0), true },
		/* APM2 15.9: for LMSW it does not matter what changes. */
		{ "LMSW that changes TS", CR0_TS, CODE(0x0f, 0x01, 0xf0), true },
		{ "CLTS", 0, CODE(0x0f, 0x06), false },
	};
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);
	u64 cr0 = machine_get(m, VREG_CR0);

	vec3_set(c, VEC3_CR0_SEL_WRITE, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		machine_set(m, VREG_CR0, cr0);
		svm_load(m, &row[i].c);
		machine_set(m, VREG_RAX, cr0 ^ row[i].flip);
		svm_expect(m, row[i].exits ? SVM_EXIT_CR0_SEL_WRITE : SVM_EXIT_VMMCALL,
			   row[i].name);
	}
}

struct excp_row {
	const char *name;
	u8 vector;
	u32 error;
	u8 rip;			/* offset of the RIP that is saved */
	struct code c;
};

/* clang-format off */
static const struct excp_row excp_rows[] = {
	{ "#DE", VEC_DE, 0, 2,		CODE(0x31, 0xc9, 0xf7, 0xf1) },
	{ "#DB", VEC_DB, 0, 10,		/* pushf; or dword [rsp], 100h; popf; nop */
	  CODE(0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90) },
	{ "#BP", VEC_BP, 0, 1,		CODE(0x90, 0xcc) },
	{ "#UD", VEC_UD, 0, 1,		CODE(0x90, B_UD2) },
	{ "#NM", VEC_NM, 0, 0,		CODE(0xd9, 0xee) },
	{ "#NP", VEC_NP, 0x68, 4,	CODE(0x66, 0xb8, 0x68, 0, 0x8e, 0xd8) },
	{ "#SS", VEC_SS, 0, 10,		/* mov rbp, 1 << 62; mov [rbp], al */
	  CODE(0x48, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x88, 0x45, 0) },
	{ "#GP", VEC_GP, 0x78, 4,	CODE(0x66, 0xb8, 0x78, 0, 0x8e, 0xd8) },
	{ "#PF", VEC_PF, PFERR_W, 10,	/* mov rax, 4 GiB + 40h; mov [rax], al */
	  CODE(0x48, 0xb8, 0x40, 0, 0, 0, 1, 0, 0, 0, 0x88, 0x00) },
};
/* clang-format on */

/* A not-present data segment at 68h, nothing usable at 78h. */
static void excp_gdt(struct machine *m)
{
	struct vsegment gdtr = { .base = G_GDT, .limit = 0x7f };

	machine_write64(m, G_GDT + 0x68, 0x00cf13000000ffffULL);
	machine_write64(m, G_GDT + 0x78, 0);
	virt->set_seg(m->v, VSEG_GDTR, &gdtr);
}

TEST(svm, intercept_exceptions, .ref = "APM2 15.12", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	excp_gdt(m);
	for (unsigned int i = 0; i < ARRAY_SIZE(excp_rows); i++) {
		const struct excp_row *r = &excp_rows[i];
		const struct vm_exit *x = &m->v->exit;

		test_row(t, r->name);
		machine_set(m, VREG_CR0, machine_get(m, VREG_CR0) & ~CR0_TS);
		if (r->vector == VEC_NM)
			machine_set(m, VREG_CR0, machine_get(m, VREG_CR0) | CR0_TS);
		svm_load(m, &r->c);
		svm_expect_exception(m, r->vector, r->error);
		svm_load(m, &r->c);
		machine_set(m, VREG_CR2, 0x5555);
		machine_set(m, VREG_DR6, DR6_FIXED1);
		virt->intercept(m->v, ICPT_EXCEPTION, r->vector, true);
		if (svm_expect(m, SVM_EXIT_EXCP + r->vector, "intercept on")) {
			EXPECT_EQ(t, x->exc.vector, r->vector);
			EXPECT_EQ(t, x->exc.error, r->error);
			EXPECT_EQ(t, m->v->rip, G_CODE + r->rip);
			EXPECT_EQ(t, x->idt.type, EVENT_NONE);
			/* APM2 15.12.15: CR2 is not written, EXITINFO2 has the address. */
			if (r->vector == VEC_PF) {
				EXPECT_EQ(t, x->exc.payload, BIT(32) + 0x40);
				EXPECT_EQ(t, machine_get(m, VREG_CR2), 0x5555);
			}
			/* APM2 15.12.2: DR6 has been written. */
			if (r->vector == VEC_DB)
				EXPECT(t, machine_get(m, VREG_DR6) & DR6_BS);
		}
		virt->intercept(m->v, ICPT_EXCEPTION, r->vector, false);
		machine_set(m, VREG_DR6, DR6_FIXED1);
	}
}

/* APM2 15.14.3: a triple fault exits; nothing else in the VMCB is defined. */
TEST(svm, intercept_shutdown, .ref = "APM2 15.14.3", .needs = NEED_SVM)
{
	static const struct code ud = CODE(B_UD2);
	struct machine *m = svm_machine(t);
	struct vsegment idtr = { .limit = 0 };

	if (svm_known_defect(t, NULL))
		return;
	svm_load(m, &ud);
	virt->set_seg(m->v, VSEG_IDTR, &idtr);
	svm_expect(m, SVM_EXIT_SHUTDOWN, "triple fault");
	EXPECT_EQ(t, m->v->exit.reason, EXIT_SHUTDOWN);
}

/* APM2 15.14.1: no task switch in long mode, so in 32-bit mode. */
GUEST32(g_task_jmp, "ljmp $0x50, $0; vmmcall; hlt");
GUEST32(g_task_call, "lcall $0x50, $0; vmmcall; hlt");

static void task_switch(struct test_ctx *t, const struct guest_code *g, u8 source)
{
	struct machine *m = machine_new(t, MODE_PROT32, g);
	const struct vm_exit *x = &m->v->exit;

	if (!svm_expect(m, SVM_EXIT_TASK_SWITCH, "task switch"))
		return;
	EXPECT_EQ(t, x->task.selector, G_SEL_TSS2);
	EXPECT_EQ(t, x->task.source, source);
	EXPECT_EQ(t, x->task.has_error, false);
	EXPECT_EQ(t, m->v->rip, G_CODE);
}

TEST(svm, task_switch_jmp, .ref = "APM2 15.14.1", .needs = NEED_SVM)
{
	task_switch(t, &g_task_jmp, 2);
}

TEST(svm, task_switch_call, .ref = "APM2 15.14.1", .needs = NEED_SVM)
{
	task_switch(t, &g_task_call, 0);
}

static struct vmcb before;

/* Ring 3 with a stack for the way back. */
static void user_mode(struct machine *m)
{
	struct vsegment cs = { .selector = G_SEL_USER_CODE, .attr = 0xafb, .limit = ~0u };
	struct vsegment ss = { .selector = G_SEL_USER_DATA, .attr = 0xcf3, .limit = ~0u };

	virt->set_seg(m->v, VSEG_CS, &cs);
	virt->set_seg(m->v, VSEG_SS, &ss);
	virt->set_seg(m->v, VSEG_DS, &ss);
	virt->set_seg(m->v, VSEG_ES, &ss);
	*(u64 *)machine_ptr(m, G_TSS + 4, 8) = G_STACK_TOP - 0x1000;
}

/* APM2 15.9, table 15-7: what an instruction checks before its intercept. */
TEST(svm, intercept_after_privilege, .ref = "APM2 15.9 table 15-7", .needs = NEED_SVM)
{
	static const struct { const char *name; struct code c; } row[] = {
		{ "HLT", CODE(0xf4) },
		{ "MOV from CR0", CODE(0x0f, 0x20, 0xc0) },
		{ "MOV to CR3", CODE(0x0f, 0x22, 0xd8) },
		{ "MOV to DR7", CODE(0x0f, 0x23, 0xf8) },
		{ "CLTS", CODE(0x0f, 0x06) },
		{ "INVLPG", CODE(0x0f, 0x01, 0x38) },
		{ "WBINVD", CODE(0x0f, 0x09) },
		{ "INVD", CODE(0x0f, 0x08) },
		{ "RDMSR", CODE(0x0f, 0x32) },
		{ "WRMSR", CODE(0x0f, 0x30) },
		{ "LGDT", CODE(0x0f, 0x01, 0x14, 0x25, 0, 0, 3, 0) },
		{ "LLDT", CODE(0x0f, 0x00, 0xd0) },
		{ "IN AL, DX (IOPL 0)", CODE(0xec) },
		{ "RDTSC with CR4.TSD", CODE(0x0f, 0x31) },
	};
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);

	user_mode(m);
	machine_set(m, VREG_CR4, machine_get(m, VREG_CR4) | CR4_TSD);
	vec3_set(c, VEC3_INVLPG | VEC3_RDTSC | VEC3_DESC, true);
	vmcb_set_intercept_cr_read(c, 0xffff);
	vmcb_set_intercept_cr_write(c, 0xffff);
	vmcb_set_intercept_dr_write(c, 0xffff);
	/* The handler reads CR2 and DR6. */
	vmcb_set_intercept_cr_read(c, (u16)~BIT(2));
	svm_save(m, &before);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_restore(m, &before);
		svm_load(m, &row[i].c);
		svm_expect_exception(m, VEC_GP, 0);
	}
}

TEST(svm, intercept_from_user, .ref = "APM2 15.9 table 15-7", .needs = NEED_SVM)
{
	static const struct { const char *name; u64 code; struct code c; } row[] = {
		{ "CPUID", SVM_EXIT_CPUID, CODE(B_CPUID) },
		{ "VMMCALL", SVM_EXIT_VMMCALL, CODE(B_VMMCALL) },
		{ "RDTSC", SVM_EXIT_RDTSC, CODE(0x0f, 0x31) },
		{ "PAUSE", SVM_EXIT_PAUSE, CODE(0xf3, 0x90) },
		{ "INT n", SVM_EXIT_SWINT, CODE(0xcd, 0x80) },
		{ "PUSHF", SVM_EXIT_PUSHF, CODE(0x9c) },
	};
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);

	user_mode(m);
	vec3_set(c, VEC3_RDTSC | VEC3_PAUSE | VEC3_SWINT | VEC3_PUSHF, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &row[i].c);
		if (svm_expect(m, row[i].code, row[i].name)) {
			EXPECT_EQ(t, m->v->rip, G_CODE);
			EXPECT_EQ(t, vmcb_get_cpl(c), 3);
		}
	}
}
