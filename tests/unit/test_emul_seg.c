// SPDX-License-Identifier: MIT
/* Segment registers, LDTR, TR and the machine status word from memory. */
#include "tests/unit/emul_box.h"

#define M64	INSN_MODE_64
#define GDT	(BOX_BASE + 0x1000)
#define LDT	(BOX_BASE + 0x1100)

/* Descriptors by selector: low byte of the type and the flags nibble. */
#define DESC(type, flags) \
	(0x0000ffffULL | (u64)(type) << 40 | (u64)(flags) << 52 | 0x000f000000000000ULL)

enum sel {
	S_CODE64 = 0x08,	/* not yet accessed */
	S_DATA = 0x10,
	S_DATA3 = 0x18,
	S_CODE3 = 0x20,
	S_ABSENT = 0x28,
	S_EXEC = 0x30,		/* execute-only */
	S_READONLY = 0x38,
	S_TSS = 0x40,		/* 16 bytes */
	S_LDT = 0x50,		/* 16 bytes */
	S_CONFORM = 0x60,
	S_LD = 0x68,		/* L and D */
	S_BUSY = 0x70,		/* 16 bytes */
	S_CODE32 = 0x80,
	S_TSS16 = 0x88,
	S_GATE = 0x90,
	S_END = 0x98,
};

static void gdt(struct box *b, u16 sel, u64 desc)
{
	box_put(b, GDT + (sel & ~7u), desc, 8);
}

static void box_tables(struct box *b)
{
	box_init(b);
	memset(b->mem + (GDT - BOX_BASE), 0, 0x200);
	gdt(b, S_CODE64, DESC(0x9a, 0xa));
	gdt(b, S_DATA, DESC(0x92, 0xc));
	gdt(b, S_DATA3, DESC(0xf3, 0xc));
	gdt(b, S_CODE3, DESC(0xfb, 0xa));
	gdt(b, S_ABSENT, DESC(0x13, 0xc));
	gdt(b, S_EXEC, DESC(0x99, 0xa));
	gdt(b, S_READONLY, DESC(0x91, 0xc));
	gdt(b, S_TSS, DESC(0x89, 0x0));
	gdt(b, S_TSS + 8, 0x12345678);
	gdt(b, S_LDT, DESC(0x82, 0x0));
	gdt(b, S_LDT + 8, 0xffff8000);
	gdt(b, S_CONFORM, DESC(0x9e, 0xa));
	gdt(b, S_LD, DESC(0x9a, 0xe));
	gdt(b, S_BUSY, DESC(0x8b, 0x0));
	gdt(b, S_CODE32, DESC(0x9b, 0xc));
	gdt(b, S_TSS16, DESC(0x81, 0x0));
	gdt(b, S_GATE, DESC(0x8c, 0x0));
	b->gdtr = (struct vsegment){ .base = GDT, .limit = S_END - 1 };
	b->ldtr = (struct vsegment){ .base = LDT, .limit = 15, .selector = 0x1234 };
	b->tr.selector = 0x4321;
	box_put(b, LDT + 8, DESC(0x93, 0xc) | 0x55ULL << 56, 8);
	b->s.gpr[0] = BOX_BASE;
}

/* mov Sreg, [rax] in 64-bit mode with a selector there. */
static int load(struct box *b, enum vseg which, u16 sel)
{
	const u8 mov[] = { 0x8e, (u8)(which << 3) };

	box_put(b, BOX_BASE, sel, 2);
	b->s.rip = 0x1000;
	return box_run_ops(b, M64, &box_ops, mov, sizeof(mov));
}

static void loads(void **state)
{
	struct box b;

	box_tables(&b);
	assert_int_equal(load(&b, VSEG_ES, S_DATA), 0);
	assert_int_equal(b.s.loaded, BIT(VSEG_ES));
	assert_false(b.s.shadow);
	assert_int_equal(b.s.seg[VSEG_ES].selector, S_DATA);
	assert_int_equal(b.s.seg[VSEG_ES].attr, 0xc93);
	assert_int_equal(b.s.seg[VSEG_ES].limit, 0xffffffff);
	assert_false(b.s.seg[VSEG_ES].unusable);
	/* accessed in memory, too, and only once */
	assert_int_equal(b.mem[GDT + S_DATA + 5 - BOX_BASE], 0x93);
	assert_int_equal(b.writes, 1);
	assert_int_equal(load(&b, VSEG_SS, S_DATA), 0);
	assert_int_equal(b.writes, 1);
	assert_true(b.s.shadow);
	assert_int_equal(b.descs, 2);
	/* from the LDT; RPL is kept in the selector */
	assert_int_equal(load(&b, VSEG_FS, 8 | 4), 0);
	assert_int_equal(b.s.seg[VSEG_FS].base, 0x55000000);
	assert_int_equal(b.s.loaded, BIT(VSEG_FS));
	b.s.cpl = 3;
	assert_int_equal(load(&b, VSEG_SS, S_DATA3 | 3), 0);
	assert_int_equal(b.s.seg[VSEG_SS].selector, S_DATA3 | 3);
	/* conforming code is readable by all, execute-only by none */
	assert_int_equal(load(&b, VSEG_GS, S_CONFORM | 3), 0);
}

static void null_selectors(void **state)
{
	struct box b;

	box_tables(&b);
	assert_int_equal(load(&b, VSEG_DS, 3), 0);
	assert_true(b.s.seg[VSEG_DS].unusable);
	assert_int_equal(b.s.seg[VSEG_DS].selector, 3);
	assert_int_equal(b.descs, 0);
	/* SS: in 64-bit mode, below CPL 3, with RPL = CPL */
	assert_int_equal(load(&b, VSEG_SS, 0), 0);
	assert_true(b.s.seg[VSEG_SS].unusable);
	box_assert_fault(&b, load(&b, VSEG_SS, 3), VEC_GP, 0);
	assert_int_equal(b.s.loaded, 0);
	b.s.cpl = 1;
	assert_int_equal(load(&b, VSEG_SS, 1), 0);
	assert_int_equal(b.s.seg[VSEG_SS].attr >> 5 & 3, 1);
	b.s.cpl = 3;
	box_assert_fault(&b, load(&b, VSEG_SS, 3), VEC_GP, 0);
	b.s.cpl = 0;
	b.s.efer = 0;
	b.s.rip = 0x1000;
	box_put(&b, BOX_BASE, 0, 2);
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x8e, 0x10), VEC_GP, 0);
}

struct fault_case {
	u8 seg, cpl;
	u16 sel;
	u8 vector;
};

static void load_faults(void **state)
{
	static const struct fault_case cases[] = {
		{ VSEG_DS, 0, S_END, VEC_GP },		/* beyond the limit */
		{ VSEG_DS, 0, 0x10 | 4, VEC_GP },	/* the LDT's */
		{ VSEG_DS, 3, S_DATA, VEC_GP },		/* CPL > DPL */
		{ VSEG_DS, 0, S_DATA | 3, VEC_GP },	/* RPL > DPL */
		{ VSEG_DS, 0, S_EXEC, VEC_GP },
		{ VSEG_DS, 0, S_TSS, VEC_GP },
		{ VSEG_DS, 0, S_ABSENT, VEC_NP },
		{ VSEG_SS, 0, S_DATA | 3, VEC_GP },	/* RPL != CPL */
		{ VSEG_SS, 0, S_DATA3, VEC_GP },	/* DPL != CPL */
		{ VSEG_SS, 0, S_READONLY, VEC_GP },
		{ VSEG_SS, 0, S_CODE64, VEC_GP },
		{ VSEG_SS, 0, S_ABSENT, VEC_SS },
	};
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct fault_case *c = &cases[k];
		struct vsegment before;

		box_tables(&b);
		b.s.cpl = c->cpl;
		before = b.s.seg[c->seg];
		box_assert_fault(&b, load(&b, c->seg, c->sel), c->vector, c->sel & ~3u);
		assert_memory_equal(&before, &b.s.seg[c->seg], sizeof(before));
		assert_int_equal(b.s.loaded, 0);
		assert_int_equal(b.writes, 0);
	}
	/* no LDT at all */
	b.ldtr.unusable = true;
	b.s.cpl = 0;
	box_assert_fault(&b, load(&b, VSEG_DS, 8 | 4), VEC_GP, 8 | 4);
	/* the accessed bit cannot be written: nothing is loaded */
	b.read_only = true;
	b.s.rip = 0x1000;
	assert_int_equal(load(&b, VSEG_DS, S_DATA), -EFAULT);
	assert_int_equal(b.fault.vector, VEC_PF);
	assert_int_equal(b.s.loaded, 0);
}

/* Without access to tables nothing is loaded in protected mode. */
static void no_tables(void **state)
{
	static const struct emul_ops ops = { .read = box_read, .write = box_write };
	static const u8 mov[] = { 0x8e, 0x18 }, str[] = { 0x0f, 0x00, 0x08 };
	struct box b;

	box_tables(&b);
	box_put(&b, BOX_BASE, S_DATA, 2);
	assert_int_equal(box_run_ops(&b, M64, &ops, mov, 2), -EOPNOTSUPP);
	assert_int_equal(box_run_ops(&b, M64, &ops, str, 3), -EOPNOTSUPP);
}

/* jmp far [rax], m16:64 with REX.W, m16:32 without. */
static int jump(struct box *b, bool wide, u64 target, u16 sel)
{
	static const u8 jmp[] = { 0x48, 0xff, 0x28 };

	box_put(b, BOX_BASE, target, wide ? 8 : 4);
	box_put(b, BOX_BASE + (wide ? 8 : 4), sel, 2);
	b->s.rip = 0x1000;
	return box_run_ops(b, M64, &box_ops, jmp + !wide, 3 - !wide);
}

static void far_jumps(void **state)
{
	struct box b;

	box_tables(&b);
	assert_int_equal(jump(&b, false, 0x81234567, S_CODE64), 0);
	assert_int_equal(b.s.rip, 0x81234567);
	assert_int_equal(b.s.loaded, BIT(VSEG_CS));
	assert_int_equal(b.s.seg[VSEG_CS].selector, S_CODE64);
	assert_int_equal(b.s.seg[VSEG_CS].attr, 0xa9b);
	assert_int_equal(b.mem[GDT + S_CODE64 + 5 - BOX_BASE], 0x9b);
	assert_int_equal(jump(&b, true, 0xffff800000001234, S_CODE64), 0);
	assert_int_equal(b.s.rip, 0xffff800000001234);
	/* to 32-bit code; the selector gets the CPL */
	assert_int_equal(jump(&b, false, 0x1234, S_CODE32), 0);
	assert_int_equal(b.s.seg[VSEG_CS].attr, 0xc9b);
	b.s.cpl = 3;
	assert_int_equal(jump(&b, false, 0x1234, S_CONFORM), 0);
	assert_int_equal(b.s.seg[VSEG_CS].selector, S_CONFORM | 3);
	assert_int_equal(jump(&b, false, 0x1234, S_CODE3), 0);
	assert_int_equal(b.s.seg[VSEG_CS].selector, S_CODE3 | 3);
	/* real mode */
	b.s.cpl = 0;
	b.s.cr0 = 0;
	b.s.efer = 0;
	b.s.rip = 0x1000;
	b.s.seg[VSEG_DS].base = BOX_BASE;
	b.s.gpr[3] = 0;
	b.s.gpr[6] = 0;
	box_put(&b, BOX_BASE, 0xf0000123, 4);
	assert_int_equal(box_run(&b, INSN_MODE_16, 0xff, 0x28), 0);
	assert_int_equal(b.s.rip, 0x123);
	assert_int_equal(b.s.seg[VSEG_CS].selector, 0xf000);
	assert_int_equal(b.s.seg[VSEG_CS].base, 0xf0000);
}

static void jump_faults(void **state)
{
	struct box b;

	box_tables(&b);
	box_assert_fault(&b, jump(&b, false, 0, 0), VEC_GP, 0);
	box_assert_fault(&b, jump(&b, false, 0, 3), VEC_GP, 0);
	box_assert_fault(&b, jump(&b, false, 0, S_END), VEC_GP, S_END);
	box_assert_fault(&b, jump(&b, false, 0, S_DATA), VEC_GP, S_DATA);
	box_assert_fault(&b, jump(&b, false, 0, S_CODE3), VEC_GP, S_CODE3);
	box_assert_fault(&b, jump(&b, false, 0, S_CODE64 | 1), VEC_GP, S_CODE64);
	box_assert_fault(&b, jump(&b, false, 0, S_LD), VEC_GP, S_LD);
	b.mem[GDT + S_CODE32 + 5 - BOX_BASE] = 0x1b;
	box_assert_fault(&b, jump(&b, false, 0, S_CODE32), VEC_NP, S_CODE32);
	/* the target, as the new segment sees it */
	box_assert_fault(&b, jump(&b, true, 0x800000000000, S_CODE64), VEC_GP, 0);
	b.mem[GDT + S_CODE32 + 5 - BOX_BASE] = 0x9b;
	box_assert_fault(&b, jump(&b, true, 0x100000000, S_CODE32), VEC_GP, 0);
	assert_int_equal(b.writes, 0);
	/* through a gate or to a task: not here */
	assert_int_equal(jump(&b, false, 0, S_GATE), -EOPNOTSUPP);
	assert_int_equal(jump(&b, false, 0, S_TSS), -EOPNOTSUPP);
	b.s.cpl = 3;
	box_assert_fault(&b, jump(&b, false, 0, S_CODE64), VEC_GP, S_CODE64);
}

/* 0F 00 /op [rax]: 0 sldt, 1 str, 2 lldt, 3 ltr. */
static int system_insn(struct box *b, u8 op, u16 sel)
{
	const u8 code[] = { 0x0f, 0x00, (u8)(op << 3) };

	box_put(b, BOX_BASE, sel, 2);
	b->s.rip = 0x1000;
	return box_run_ops(b, M64, &box_ops, code, sizeof(code));
}

static void system_segments(void **state)
{
	struct box b;

	box_tables(&b);
	assert_int_equal(system_insn(&b, 3, S_TSS), 0);
	assert_int_equal(b.s.loaded, BIT(VSEG_TR));
	assert_int_equal(b.s.seg[VSEG_TR].selector, S_TSS);
	assert_int_equal(b.s.seg[VSEG_TR].attr, 0x8b);
	assert_int_equal(b.s.seg[VSEG_TR].base, 0x1234567800000000);
	assert_int_equal(b.mem[GDT + S_TSS + 5 - BOX_BASE], 0x8b);
	/* now it is busy */
	box_assert_fault(&b, system_insn(&b, 3, S_TSS), VEC_GP, S_TSS);
	box_assert_fault(&b, system_insn(&b, 3, 0), VEC_GP, 0);
	box_assert_fault(&b, system_insn(&b, 3, S_TSS | 4), VEC_GP, S_TSS | 4);
	box_assert_fault(&b, system_insn(&b, 3, S_DATA), VEC_GP, S_DATA);
	/* 16-bit only outside long mode, where descriptors have 8 bytes */
	box_assert_fault(&b, system_insn(&b, 3, S_TSS16), VEC_GP, S_TSS16);
	b.s.efer = 0;
	assert_int_equal(system_insn(&b, 3, S_TSS16), 0);
	assert_int_equal(b.s.seg[VSEG_TR].attr, 0x83);
	b.s.efer = EFER_LMA;
	/* the upper half must have no type, and fit */
	gdt(&b, S_BUSY, DESC(0x89, 0));
	gdt(&b, S_BUSY + 8, 1ULL << 40);
	box_assert_fault(&b, system_insn(&b, 3, S_BUSY), VEC_GP, S_BUSY);
	gdt(&b, S_BUSY + 8, 0);
	b.gdtr.limit = S_BUSY + 14;
	box_assert_fault(&b, system_insn(&b, 3, S_BUSY), VEC_GP, S_BUSY);
	gdt(&b, S_BUSY, DESC(0x09, 0));
	b.gdtr.limit = S_END - 1;
	box_assert_fault(&b, system_insn(&b, 3, S_BUSY), VEC_NP, S_BUSY);
}

static void local_table(void **state)
{
	struct box b;

	box_tables(&b);
	assert_int_equal(system_insn(&b, 2, S_LDT), 0);
	assert_int_equal(b.s.loaded, BIT(VSEG_LDTR));
	assert_int_equal(b.s.seg[VSEG_LDTR].base, 0xffff800000000000);
	assert_int_equal(b.writes, 0);
	assert_int_equal(system_insn(&b, 2, 2), 0);
	assert_true(b.s.seg[VSEG_LDTR].unusable);
	assert_int_equal(b.s.seg[VSEG_LDTR].selector, 2);
	box_assert_fault(&b, system_insn(&b, 2, S_TSS), VEC_GP, S_TSS);
	gdt(&b, S_LDT, DESC(0x02, 0));
	box_assert_fault(&b, system_insn(&b, 2, S_LDT), VEC_NP, S_LDT);
	/* stores */
	assert_int_equal(system_insn(&b, 0, 0), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 2), 0x1234);
	assert_int_equal(system_insn(&b, 1, 0), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 2), 0x4321);
}

/* Privilege comes before the operand: nothing is read. */
static void privilege(void **state)
{
	struct box b;

	box_tables(&b);
	b.s.cpl = 3;
	box_assert_fault(&b, system_insn(&b, 2, S_LDT), VEC_GP, 0);
	box_assert_fault(&b, system_insn(&b, 3, S_TSS), VEC_GP, 0);
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0x01, 0x30), VEC_GP, 0);
	assert_int_equal(b.reads, 0);
	assert_int_equal(system_insn(&b, 1, 0), 0);
	b.s.cr4 |= CR4_UMIP;
	box_assert_fault(&b, system_insn(&b, 0, 0), VEC_GP, 0);
	box_assert_fault(&b, system_insn(&b, 1, 0), VEC_GP, 0);
	b.s.rip = 0x1000;
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0x01, 0x20), VEC_GP, 0);
	/* UMIP is for CPL 1 to 3 */
	b.s.cpl = 0;
	assert_int_equal(system_insn(&b, 1, 0), 0);
	/* not known in real mode */
	b.s.cr0 = 0;
	b.s.rip = 0x1000;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x0f, 0x00, 0x08), VEC_UD, 0);
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x0f, 0x00, 0x18), VEC_UD, 0);
}

static void status_word(void **state)
{
	struct box b;

	box_tables(&b);
	b.s.cr0 = 0x80010033;
	box_put(&b, BOX_BASE, ~0ULL, 8);
	/* smsw [rax]: 16 bits even with REX.W */
	assert_int_equal(box_run(&b, M64, 0x48, 0x0f, 0x01, 0x20), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 0xffffffffffff0033);
	/* lmsw [rax]: bits 3:0, PE stays */
	box_put(&b, BOX_BASE, 0xfffc, 2);
	assert_int_equal(box_run(&b, M64, 0x0f, 0x01, 0x30), 0);
	assert_int_equal(b.last_n, 2);
	assert_int_equal(b.s.cr0, 0x8001003d);
	b.s.cr0 = 0x10;
	box_put(&b, BOX_BASE, 0xfff1, 2);
	b.s.gpr[0] = BOX_BASE;
	assert_int_equal(box_run(&b, INSN_MODE_32, 0x0f, 0x01, 0x30), 0);
	assert_int_equal(b.s.cr0, 0x11);
}

BOX_TESTS(cmocka_unit_test(loads), cmocka_unit_test(null_selectors),
	  cmocka_unit_test(load_faults), cmocka_unit_test(no_tables),
	  cmocka_unit_test(far_jumps), cmocka_unit_test(jump_faults),
	  cmocka_unit_test(system_segments), cmocka_unit_test(local_table),
	  cmocka_unit_test(privilege), cmocka_unit_test(status_word))
