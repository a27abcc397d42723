// SPDX-License-Identifier: MIT
/* Shifts and rotates with known answers. */
#include "tests/unit/emul_box.h"

#define CF	RFLAGS_CF
#define OF	RFLAGS_OF

/* D2 /reg [rax], cl on a byte. */
struct shift_case {
	u8 reg, mem, count;
	bool carry;
	u8 want;
	bool cf;
};

enum { ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR };

static const struct shift_case cases[] = {
	{ ROL, 0x81, 1,  false, 0x03, true },
	{ ROL, 0x81, 8,  false, 0x81, true },	/* a whole turn still sets CF */
	{ ROL, 0x81, 9,  false, 0x03, true },
	{ ROR, 0x81, 1,  false, 0xc0, true },
	{ ROR, 0x01, 4,  true,  0x10, false },
	{ RCL, 0x80, 1,  true,  0x01, true },
	{ RCL, 0x5a, 9,  true,  0x5a, true },	/* nine positions */
	{ RCL, 0x01, 2,  false, 0x04, false },
	{ RCR, 0x01, 1,  true,  0x80, true },
	{ RCR, 0x80, 2,  false, 0x20, false },
	{ SHL, 0x81, 1,  false, 0x02, true },
	{ SHL, 0x01, 8,  false, 0x00, true },
	{ SAL, 0x40, 1,  true,  0x80, false },
	{ SHR, 0x81, 1,  false, 0x40, true },
	{ SHR, 0x80, 8,  false, 0x00, true },
	{ SAR, 0x81, 1,  false, 0xc0, true },
	{ SAR, 0x80, 31, false, 0xff, true },
	{ SHL, 0x55, 32, true,  0x55, true },	/* count 0 after the mask */
	{ ROR, 0x55, 0,  true,  0x55, true },
	{ RCL, 0x55, 32, true,  0x55, true },
};

static void byte_answers(void **state)
{
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct shift_case *c = &cases[k];

		box_init(&b);
		b.s.gpr[0] = BOX_BASE;
		b.s.gpr[1] = c->count;
		b.mem[0] = c->mem;
		b.s.rflags |= c->carry ? CF : 0;
		assert_int_equal(box_run(&b, INSN_MODE_64, 0xd2, c->reg << 3), 0);
		assert_int_equal(b.mem[0], c->want);
		assert_int_equal(!!(b.s.rflags & CF), c->cf);
	}
}

/* OF of a count of one says whether the sign changed. */
static void overflow(void **state)
{
	static const struct { u8 reg, mem; bool carry, of; } one[] = {
		{ ROL, 0x40, false, true },  { ROL, 0xc0, false, false },
		{ ROR, 0x01, false, true },  { ROR, 0x81, false, false },
		{ RCL, 0x40, false, true },  { RCR, 0x00, true, true },
		{ SHL, 0x40, false, true },  { SHL, 0xc0, false, false },
		{ SHR, 0x80, false, true },  { SHR, 0x40, false, false },
		{ SAR, 0x80, false, false },
	};
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(one); k++) {
		box_init(&b);
		b.s.gpr[0] = BOX_BASE;
		b.mem[0] = one[k].mem;
		b.s.rflags |= one[k].carry ? CF : 0;
		assert_int_equal(box_run(&b, INSN_MODE_64, 0xd0, one[k].reg << 3), 0);
		assert_int_equal(!!(b.s.rflags & OF), one[k].of);
	}
}

static void wide(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	/* shl qword [rax], 63; the 6-bit count */
	box_put(&b, BOX_BASE, 3, 8);
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x48, 0xc1, 0x20, 63), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 1ULL << 63);
	assert_true(b.s.rflags & CF);
	/* shr dword [rax + 4], 33 is a shift by one */
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xc1, 0x68, 0x04, 33), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 1ULL << 62);
	/* sar byte: group 2 member 7 */
	box_put(&b, BOX_BASE, 0x8000, 2);
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x66, 0xc1, 0x38, 15), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 2), 0xffff);
}

static void doubles(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.gpr[2] = 0xdeadbeef;
	box_put(&b, BOX_BASE, 0x12345678, 4);
	/* shld [rax], edx, 8 */
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x0f, 0xa4, 0x10, 8), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 0x345678de);
	assert_false(b.s.rflags & CF);
	/* shrd [rax], edx, cl */
	b.s.gpr[1] = 12;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x0f, 0xad, 0x10), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 0xeef34567);
	assert_true(b.s.rflags & CF);
	/* count 0: nothing, not even flags */
	b.s.gpr[1] = 32;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x0f, 0xa5, 0x10), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 0xeef34567);
	assert_true(b.s.rflags & CF);
	/* 16 bits by 16: the source replaces the destination */
	b.s.gpr[1] = 16;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x66, 0x0f, 0xa5, 0x10), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 2), 0xbeef);
}

BOX_TESTS(cmocka_unit_test(byte_answers), cmocka_unit_test(overflow),
	  cmocka_unit_test(wide), cmocka_unit_test(doubles))
