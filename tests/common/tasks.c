/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches.  Where they exit (always on VMX) core does them;
 * elsewhere the processor.  Both must come to the same.
 */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

#define TSS_B		(G_TSS + 0x800)		/* of G_SEL_TSS2 */
#define TASK_B		(G_CODE + 0x100)	/* code of the new task */
#define STACK_B		0x3f000
#define SEL_TSS16	0x58			/* a 16-bit TSS, in the same place */
#define SEL_GATE	0x50

/* SDM3 figure 8-2 */
struct tss32 {
	u32 link, stacks[6], cr3, eip, eflags, gpr[8];
	u32 seg[6];			/* ES CS SS DS FS GS */
	u32 ldt, trap_iomap;
};
HW_SIZE(struct tss32, 0x68);

static struct tss32 *new_task(struct machine *m)
{
	struct tss32 *b = machine_ptr(m, TSS_B, sizeof(*b));

	memset(b, 0, sizeof(*b));
	b->eip = TASK_B;
	b->eflags = RFLAGS_FIXED;
	for (u32 i = 0; i < 8; i++)
		b->gpr[i] = 0xb0000000 + i;
	b->gpr[VREG_RSP] = STACK_B;
	for (u32 i = 0; i < 6; i++)
		b->seg[i] = i == VSEG_CS ? G_SEL_CODE32 : G_SEL_DATA;
	b->cr3 = G_PT32;
	return b;
}

static struct machine *task_machine(struct test_ctx *t, const struct guest_code *code)
{
	struct machine *m = machine_new(t, MODE_PAGED32, code);

	idt32(m);
	new_task(m);
	/* Not saved by a switch, but loaded by the one that comes back. */
	((struct tss32 *)machine_ptr(m, G_TSS, sizeof(struct tss32)))->cr3 = G_PT32;
	for (u32 i = 0; i < 8; i++)
		m->v->gpr[i] = 0xa0000000 + i;
	m->v->gpr[VREG_RSP] = G_STACK_TOP;
	return m;
}

static u8 tss_type(struct machine *m, u16 sel)
{
	return *(u8 *)machine_ptr(m, G_GDT + sel + 5, 1) & 0xf;
}

/* Where the old task goes on; false: not where it should. */
static bool check_saved(struct machine *m, u32 eip, u32 eflags)
{
	const struct tss32 *a = machine_ptr(m, G_TSS, sizeof(*a));
	struct test_ctx *t = m->t;

	EXPECT_EQ(t, a->eflags, eflags);
	for (u32 i = 0; i < 8; i++)
		CHECK(t, a->gpr[i] == (i == VREG_RSP ? G_STACK_TOP : 0xa0000000 + i),
		      "%s saved as 0x%x", vreg_name(i), a->gpr[i]);
	for (u32 i = 0; i < 6; i++)
		EXPECT_EQ(t, a->seg[i] & 0xffff, i == VSEG_CS ? G_SEL_CODE32 : G_SEL_DATA);
	return EXPECT_EQ(t, a->eip, eip);
}

static void check_entered(struct machine *m, u32 eflags)
{
	struct test_ctx *t = m->t;
	struct vsegment tr;

	EXPECT_EQ(t, m->v->rip, TASK_B);
	EXPECT_EQ(t, m->v->rflags, eflags);
	for (u32 i = 0; i < 8; i++)
		CHECK(t, m->v->gpr[i] == (i == VREG_RSP ? STACK_B : 0xb0000000 + i),
		      "%s is 0x%llx", vreg_name(i), (unsigned long long)m->v->gpr[i]);
	EXPECT(t, machine_get(m, VREG_CR0) & CR0_TS);
	virt->get_seg(m->v, VSEG_TR, &tr);
	EXPECT_EQ(t, tr.selector, G_SEL_TSS2);
	EXPECT_EQ(t, tr.base, TSS_B);
	EXPECT_EQ(t, tr.limit, 0x67);
}

GUEST32(c_jmp_tss, "nop; ljmp $0x50, $0; .org c_jmp_tss_start + 0x100; hlt");

TEST(common, task_jmp, .ref = "APM2 12.3, SDM3 8.3", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_jmp_tss);

	run_to_hlt(m);
	check_saved(m, G_CODE + 8, RFLAGS_FIXED);
	check_entered(m, RFLAGS_FIXED);
	EXPECT_EQ(t, tss_type(m, G_SEL_TSS), 9);
	EXPECT_EQ(t, tss_type(m, G_SEL_TSS2), 11);
	EXPECT_EQ(t, *(u16 *)machine_ptr(m, TSS_B, 2), 0);
}

/* CALL nests: link and NT, and IRET comes back. */
GUEST32(c_call_tss, "lcall $0x50, $0; hlt; .org c_call_tss_start + 0x100; hlt; iret");

TEST(common, task_call_and_iret, .ref = "APM2 12.3-12.4, SDM3 8.4", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_call_tss);

	run_to_hlt(m);
	check_saved(m, G_CODE + 7, RFLAGS_FIXED);
	check_entered(m, RFLAGS_FIXED | RFLAGS_NT);
	EXPECT_EQ(t, *(u16 *)machine_ptr(m, TSS_B, 2), G_SEL_TSS);
	EXPECT_EQ(t, tss_type(m, G_SEL_TSS), 11);
	EXPECT_EQ(t, tss_type(m, G_SEL_TSS2), 11);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, G_CODE + 7);
	EXPECT_EQ(t, m->v->gpr[VREG_RBX], 0xa0000003);
	EXPECT_EQ(t, tss_type(m, G_SEL_TSS), 11);
	EXPECT_EQ(t, tss_type(m, G_SEL_TSS2), 9);
	/* Its NT was cleared in what was saved; it goes on behind IRET. */
	EXPECT_EQ(t, *(u32 *)machine_ptr(m, TSS_B + 0x24, 4), RFLAGS_FIXED);
	EXPECT_EQ(t, *(u32 *)machine_ptr(m, TSS_B + 0x20, 4), TASK_B + 2);
}

/* A task gate in the IDT for an exception with an error code. */
GUEST32(c_gate_np, "nop; mov $0x68, %eax; mov %eax, %es; hlt; .org c_gate_np_start + 0x100; hlt");

static void task_gate(struct machine *m, u8 vector)
{
	/* APM2 4.8.3: present task gate. */
	machine_write64(m, G_IDT + vector * 8, (u64)SEL_GATE << 16 | 0xe5ULL << 40);
}

TEST(common, task_gate_exception, .ref = "APM2 12.3.3, SDM3 6.12.2, 8.3", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_gate_np);

	task_gate(m, VEC_GP);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, TASK_B);
	EXPECT(t, m->v->rflags & RFLAGS_NT);
	EXPECT_EQ(t, m->v->gpr[VREG_RSP], STACK_B - 4);
	EXPECT_EQ(t, *(u32 *)machine_ptr(m, STACK_B - 4, 4), 0x68);
	EXPECT_EQ(t, *(u16 *)machine_ptr(m, TSS_B, 2), G_SEL_TSS);
	/* A fault: EIP of the instruction, RF in the saved flags. */
	EXPECT_EQ(t, *(u32 *)machine_ptr(m, G_TSS + 0x20, 4), G_CODE + 6);
	EXPECT_EQ(t, *(u32 *)machine_ptr(m, G_TSS + 0x24, 4) & ~RFLAGS_RF, RFLAGS_FIXED);
}

GUEST32(c_gate_int, "int $0x40; hlt; .org c_gate_int_start + 0x100; hlt; iret");

static void task_gate_int_n(struct test_ctx *t)
{
	struct machine *m = task_machine(t, &c_gate_int);

	task_gate(m, 0x40);
	run_to_hlt(m);
	if (!check_saved(m, G_CODE + 2, RFLAGS_FIXED))
		return;
	check_entered(m, RFLAGS_FIXED | RFLAGS_NT);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
}

TEST(common, task_gate_int_n_svm, .ref = "APM2 12.3.3, 15.14.1", .needs = NEED_SVM)
{
	task_gate_int_n(t);
}

TEST(common, task_gate_int_n_vmx, .ref = "SDM3 6.12.2, 26.4.2", .needs = NEED_VMX)
{
	task_gate_int_n(t);
}

/* An interrupt of core's own through a task gate: delivered once. */
GUEST32(c_gate_intr, "nop; nop; hlt; .org c_gate_intr_start + 0x100; hlt; iret");

TEST(common, task_gate_interrupt, .ref = "APM2 12.3.3, SDM3 6.12.2", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_gate_intr);

	task_gate(m, 0x41);
	m->v->rflags |= RFLAGS_IF;
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x41;
	run_to_hlt(m);
	check_saved(m, G_CODE, RFLAGS_FIXED | RFLAGS_IF);
	check_entered(m, RFLAGS_FIXED | RFLAGS_NT);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
	EXPECT(t, m->v->rflags & RFLAGS_IF);
}

/* 16-bit TSS: no CR3, no FS and GS, upper words not loaded. */
GUEST32(c_jmp_tss16, "ljmp $0x58, $0; .org c_jmp_tss16_start + 0x100; hlt");

TEST(common, task_16_bit_tss, .ref = "SDM3 8.6, APM2 12.2.4", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_jmp_tss16);
	u16 *b = machine_ptr(m, TSS_B, 44);
	struct vsegment gdtr, fs;

	virt->get_seg(m->v, VSEG_GDTR, &gdtr);
	gdtr.limit = SEL_TSS16 + 7;
	virt->set_seg(m->v, VSEG_GDTR, &gdtr);
	machine_write64(m, G_GDT + SEL_TSS16, 0x000081000000002bULL | (u64)TSS_B << 16);
	memset(b, 0, 44);
	b[7] = 0x100;			/* IP, in a segment based at G_CODE */
	b[8] = RFLAGS_FIXED | RFLAGS_CF;
	for (u32 i = 0; i < 8; i++)
		b[9 + i] = (u16)(0xc000 + i);
	b[17] = b[19] = b[20] = G_SEL_DATA;
	b[18] = G_SEL_CODE32;
	/* The code segment's base becomes G_CODE for this. */
	machine_write64(m, G_GDT + G_SEL_CODE32, 0x00cf9b000000ffffULL | (u64)G_CODE << 16);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, 0x100);
	EXPECT_EQ(t, m->v->rflags, RFLAGS_FIXED | RFLAGS_CF);
	for (u32 i = 0; i < 8; i++)
		EXPECT_EQ(t, m->v->gpr[i] & 0xffff, 0xc000 + i);
	virt->get_seg(m->v, VSEG_FS, &fs);
	EXPECT_EQ(t, fs.selector, 0);
	EXPECT_EQ(t, machine_get(m, VREG_CR3), G_PT32);
	check_saved(m, G_CODE + 7, RFLAGS_FIXED);
	EXPECT_EQ(t, tss_type(m, SEL_TSS16), 3);
}

/* Faults of the switch: in the old task, or in the new one. */
GUEST32(c_jmp_bad, "ljmp $0x50, $0; hlt; .org c_jmp_bad_start + 0x100; hlt");

static void patch_gdt(struct machine *m, u16 sel, u64 clear, u64 set)
{
	u64 *d = machine_ptr(m, G_GDT + sel, 8);

	*d = (*d & ~clear) | set;
}

TEST(common, task_fault_old, .ref = "SDM3 table 8-1", .needs = NEED_VIRT)
{
	static const struct {
		const char *name;
		u64 clear, set;
		u8 vector;
	} row[] = {
		{ "busy", 0, 0x2ULL << 40, VEC_GP },
		{ "not present", 0x80ULL << 40, 0, VEC_NP },
		{ "limit 66h", 0xffff, 0x66, VEC_TS },
	};

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		struct machine *m = task_machine(t, &c_jmp_bad);

		test_row(t, row[i].name);
		patch_gdt(m, G_SEL_TSS2, row[i].clear, row[i].set);
		EXPECT_EQ(t, expect_exc32(m, row[i].vector, G_SEL_TSS2), G_CODE);
		EXPECT_EQ(t, tss_type(m, G_SEL_TSS), 11);
		EXPECT(t, !(machine_get(m, VREG_CR0) & CR0_TS));
		machine_free(m);
	}
}

TEST(common, task_fault_new, .ref = "SDM3 table 8-1", .needs = NEED_VIRT)
{
	static const struct {
		const char *name;
		u8 seg, vector;
		u16 sel;
	} row[] = {
		{ "DS beyond the GDT", VSEG_DS, VEC_TS, 0x200 },
		{ "ES is a TSS", VSEG_ES, VEC_TS, G_SEL_TSS },
		{ "GS not present", VSEG_GS, VEC_NP, G_SEL_DATA16 },
		{ "SS is code", VSEG_SS, VEC_TS, G_SEL_CODE32 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		struct machine *m = task_machine(t, &c_jmp_bad);
		struct tss32 *b = machine_ptr(m, TSS_B, sizeof(*b));
		struct vsegment tr;

		test_row(t, row[i].name);
		patch_gdt(m, G_SEL_DATA16, 0x80ULL << 40, 0);
		b->seg[row[i].seg] = row[i].sel;
		/* A handler that brings a stack of its own: by task gate back to A. */
		machine_write64(m, G_IDT + row[i].vector * 8,
				(u64)G_SEL_TSS << 16 | 0xe5ULL << 40);
		run_to_hlt(m);
		/* The error code is on A's stack, the new task's EIP in its TSS. */
		EXPECT_EQ(t, m->v->rip, G_CODE + 7);
		EXPECT_EQ(t, *(u32 *)machine_ptr(m, G_STACK_TOP - 4, 4) & ~1u, row[i].sel);
		EXPECT_EQ(t, b->eip, TASK_B);
		virt->get_seg(m->v, VSEG_TR, &tr);
		EXPECT_EQ(t, tr.selector, G_SEL_TSS);
		machine_free(m);
	}
}

/* Into virtual-8086 mode: segments as in real mode, at CPL 3. */
TEST(common, task_into_v86, .ref = "APM2 10.4, SDM3 21.2.2", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_jmp_tss);
	struct tss32 *b = machine_ptr(m, TSS_B, sizeof(*b));
	struct vsegment seg;

	b->eflags = RFLAGS_FIXED | RFLAGS_VM;
	b->eip = 0x10;
	for (u32 i = 0; i < 6; i++)
		b->seg[i] = i == VSEG_CS ? TASK_B >> 4 : 0x3100 + i;
	/* Privileged: HLT is #GP there, whose handler needs SS0:ESP0. */
	*(u8 *)machine_ptr(m, TASK_B + 0x10, 1) = 0xf4;
	b->stacks[0] = STACK_B - 0x100;
	b->stacks[1] = G_SEL_DATA;
	EXPECT_EQ(t, expect_exc32(m, VEC_GP, 0), 0x10);
	/* Behind the error code: EIP CS EFLAGS ESP SS ES DS FS GS. */
	EXPECT_EQ(t, ((u32 *)machine_ptr(m, STACK_B - 0x100 - 36, 36))[2] & RFLAGS_VM, RFLAGS_VM);
	EXPECT_EQ(t, *(u32 *)machine_ptr(m, STACK_B - 0x100 - 4, 4), 0x3100 + VSEG_GS);
	virt->get_seg(m->v, VSEG_TR, &seg);
	EXPECT_EQ(t, seg.selector, G_SEL_TSS2);
}

/* The T bit: a #DB before the first instruction of the new task. */
TEST(common, task_debug_trap, .ref = "APM2 13.1.1, SDM3 18.3.1.5", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_jmp_tss);
	struct tss32 *b = machine_ptr(m, TSS_B, sizeof(*b));

	b->trap_iomap = 1;
	EXPECT_EQ(t, expect_exc32(m, VEC_DB, ~0u), TASK_B);
	EXPECT(t, machine_get(m, VREG_DR6) & DR6_BT);
}

/* CR3 comes from the TSS; local breakpoints are switched off. */
TEST(common, task_cr3_and_dr7, .ref = "APM2 12.3, SDM3 8.3, 18.2.4", .needs = NEED_VIRT)
{
	struct machine *m = task_machine(t, &c_jmp_tss);
	struct tss32 *b = machine_ptr(m, TSS_B, sizeof(*b));
	u32 *pd = machine_ptr(m, 0xc000, PAGE_SIZE);

	memcpy(pd, machine_ptr(m, G_PT32, PAGE_SIZE), PAGE_SIZE);
	b->cr3 = 0xc000;
	/* Local and global, of a place that is not executed. */
	machine_set(m, VREG_DR0, 0x12345);
	machine_set(m, VREG_DR7, DR7_FIXED1 | 0x3);
	run_to_hlt(m);
	EXPECT_EQ(t, machine_get(m, VREG_CR3), 0xc000);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), DR7_FIXED1 | 0x2);
}
