// SPDX-License-Identifier: MIT
/* Segmentation, canonical addresses, alignment: who faults, with what. */
#include "tests/unit/emul_box.h"

struct linear_case {
	u64 off;
	u32 limit;
	u16 attr;
	u8 mode, n;
	u8 seg;
	bool write, real;
	int vector;		/* -1: allowed */
};

#define DATA	(SEG_P | SEG_S | 0x2)
#define DOWN	(SEG_P | SEG_S | 0x6)
#define RDONLY	(SEG_P | SEG_S)
#define CODE	(SEG_P | SEG_S | 0x8)
#define CODE_R	(SEG_P | SEG_S | 0xa)
#define M64	INSN_MODE_64
#define M32	INSN_MODE_32
#define M16	INSN_MODE_16

static const struct linear_case cases[] = {
	/* limit: the last byte counts */
	{ 0xffc,  0xfff, DATA, M32, 4, VSEG_DS, false, false, -1 },
	{ 0xffd,  0xfff, DATA, M32, 4, VSEG_DS, false, false, VEC_GP },
	{ 0xffd,  0xfff, DATA, M32, 4, VSEG_SS, false, false, VEC_SS },
	{ 0xffffffff, 0xffffffff, DATA, M32, 1, VSEG_DS, false, false, -1 },
	{ 0xffffffff, 0xffffffff, DATA, M32, 2, VSEG_DS, false, false, VEC_GP },
	/* expand-down: above the limit, up to 64K or 4G */
	{ 0xfff,  0xfff, DOWN, M32, 1, VSEG_DS, false, false, VEC_GP },
	{ 0x1000, 0xfff, DOWN, M32, 1, VSEG_DS, false, false, -1 },
	{ 0xffff, 0xfff, DOWN, M32, 1, VSEG_DS, false, false, -1 },
	{ 0xffff, 0xfff, DOWN, M32, 2, VSEG_DS, false, false, VEC_GP },
	{ 0xffff, 0xfff, DOWN | SEG_D, M32, 2, VSEG_DS, false, false, -1 },
	/* type */
	{ 0, 0xfff, RDONLY, M32, 1, VSEG_DS, false, false, -1 },
	{ 0, 0xfff, RDONLY, M32, 1, VSEG_DS, true, false, VEC_GP },
	{ 0, 0xfff, CODE, M32, 1, VSEG_CS, false, false, VEC_GP },
	{ 0, 0xfff, CODE_R, M32, 1, VSEG_CS, false, false, -1 },
	{ 0, 0xfff, CODE_R, M32, 1, VSEG_CS, true, false, VEC_GP },
	{ 0, 0xfff, DATA & ~SEG_P, M32, 1, VSEG_DS, false, false, VEC_GP },
	/* real mode: the limit only */
	{ 0, 0xffff, RDONLY, M16, 1, VSEG_DS, true, true, -1 },
	{ 0xfffe, 0xffff, DATA, M16, 2, VSEG_DS, false, true, -1 },
	{ 0xffff, 0xffff, DATA, M16, 2, VSEG_DS, false, true, VEC_GP },
	{ 0xffff, 0xffff, DATA, M16, 2, VSEG_SS, false, true, VEC_SS },
	/* 64-bit: no limit, no type, canonical */
	{ 0x5000, 0xfff, CODE, M64, 8, VSEG_DS, true, false, -1 },
	{ 0x7ffffffffff8, 0, 0, M64, 8, VSEG_DS, false, false, -1 },
	{ 0x7ffffffffff9, 0, 0, M64, 8, VSEG_DS, false, false, VEC_GP },
	{ 0x800000000000, 0, 0, M64, 1, VSEG_DS, false, false, VEC_GP },
	{ 0x800000000000, 0, 0, M64, 1, VSEG_SS, false, false, VEC_SS },
	{ 0xffff7fffffffffff, 0, 0, M64, 1, VSEG_DS, false, false, VEC_GP },
	{ 0xffff800000000000, 0, 0, M64, 8, VSEG_DS, false, false, -1 },
};

static void segment_rules(void **state)
{
	struct insn i = { 0 };
	struct event fault;
	struct box b;
	u64 linear;

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct linear_case *c = &cases[k];
		int err;

		box_init(&b);
		i.mode = c->mode;
		b.s.seg[c->seg].limit = c->limit;
		b.s.seg[c->seg].attr = c->attr;
		if (c->real)
			b.s.cr0 = 0;
		err = emul_linear(&b.s, &i, c->seg, c->off, c->n, c->write, &linear, &fault);
		assert_int_equal(err, c->vector < 0 ? 0 : -EFAULT);
		if (err) {
			assert_int_equal(fault.vector, c->vector);
			assert_int_equal(fault.has_error, !c->real);
		} else {
			assert_int_equal(linear, c->off);
		}
	}
}

static void unusable_segment(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.seg[VSEG_DS].unusable = true;
	box_assert_fault(&b, box_run(&b, M32, 0x8b, 0x08), VEC_GP, 0);
	/* virtual-8086 mode does not look */
	b.s.rflags |= RFLAGS_VM;
	assert_int_equal(box_run(&b, M32, 0x8b, 0x08), 0);
}

static void bases(void **state)
{
	struct box b;

	box_init(&b);
	b.s.seg[VSEG_DS].base = BOX_BASE;
	b.s.seg[VSEG_FS].base = BOX_BASE + 0x100;
	b.s.gpr[0] = 0x10;
	/* the base counts outside 64-bit mode, and wraps at 4G */
	assert_int_equal(box_run(&b, M32, 0x8b, 0x08), 0);
	assert_int_equal(b.last_linear, BOX_BASE + 0x10);
	b.s.gpr[0] = 0xfffffff0;
	assert_int_equal(box_run(&b, M32, 0x8a, 0x48, 0x20), 0);
	assert_int_equal(b.last_linear, BOX_BASE + 0x10);
	b.s.seg[VSEG_DS].base = 0xfffffff0;
	b.s.gpr[0] = BOX_BASE + 0x20;
	assert_int_equal(box_run(&b, M32, 0x8a, 0x08), 0);
	assert_int_equal(b.last_linear, BOX_BASE + 0x10);
	/* in 64-bit mode those of FS and GS only */
	b.s.gpr[0] = BOX_BASE;
	assert_int_equal(box_run(&b, M64, 0x8a, 0x08), 0);
	assert_int_equal(b.last_linear, BOX_BASE);
	b.s.gpr[0] = 4;
	assert_int_equal(box_run(&b, M64, 0x64, 0x8a, 0x08), 0);
	assert_int_equal(b.last_linear, BOX_BASE + 0x104);
	/* 67: the offset wraps at 32 bits, then the base is added */
	b.s.gpr[0] = 0x1fffffff0;
	assert_int_equal(box_run(&b, M64, 0x64, 0x67, 0x8a, 0x48, 0x20), 0);
	assert_int_equal(b.last_linear, BOX_BASE + 0x110);
}

static void five_levels(void **state)
{
	struct insn i = { .mode = M64 };
	struct event fault;
	struct box b;
	u64 linear;

	box_init(&b);
	b.s.cr4 |= CR4_LA57;
	assert_int_equal(emul_linear(&b.s, &i, VSEG_DS, 0x00ffffffffffffff, 1, false, &linear,
				     &fault), 0);
	assert_int_equal(emul_linear(&b.s, &i, VSEG_DS, 0x0100000000000000, 1, false, &linear,
				     &fault), -EFAULT);
}

/* #AC needs all of CPL 3, CR0.AM, RFLAGS.AC and a misaligned operand. */
static void alignment(void **state)
{
	struct box b;

	for (unsigned int k = 0; k < 16; k++) {
		int err;

		box_init(&b);
		b.s.gpr[0] = BOX_BASE + (k & 1 ? 2 : 4);
		b.s.cpl = k & 2 ? 3 : 0;
		b.s.cr0 |= k & 4 ? CR0_AM : 0;
		b.s.rflags |= k & 8 ? RFLAGS_AC : 0;
		err = box_run(&b, M64, 0x8b, 0x08);
		if (k == 15)
			box_assert_fault(&b, err, VEC_AC, 0);
		else
			assert_int_equal(err, 0);
	}
}

BOX_TESTS(cmocka_unit_test(segment_rules), cmocka_unit_test(unusable_segment),
	  cmocka_unit_test(bases), cmocka_unit_test(five_levels),
	  cmocka_unit_test(alignment))
