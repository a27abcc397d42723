// SPDX-License-Identifier: MIT
/* Moves between memory and vector registers. */
#include "tests/unit/emul_box.h"

#define M64	INSN_MODE_64

struct vec_case {
	u8 bytes[6];
	u8 n;
	u8 size;		/* bytes of memory */
	u8 from;		/* first byte of the register */
	bool store;
	bool zero16;		/* a load clears up to 128 bits */
	bool zero32;		/* VEX: and above */
	bool aligned;
};

/* All with [rax] and XMM1. */
static const struct vec_case cases[] = {
	{ { 0x0f, 0x10, 0x08 },		3, 16, 0, false, true, false, false },
	{ { 0x0f, 0x11, 0x08 },		3, 16, 0, true, false, false, false },
	{ { 0xf3, 0x0f, 0x10, 0x08 },	4, 4,  0, false, true, false, false },
	{ { 0xf2, 0x0f, 0x10, 0x08 },	4, 8,  0, false, true, false, false },
	{ { 0xf2, 0x0f, 0x11, 0x08 },	4, 8,  0, true, false, false, false },
	{ { 0x0f, 0x12, 0x08 },		3, 8,  0, false, false, false, false },
	{ { 0x0f, 0x16, 0x08 },		3, 8,  8, false, false, false, false },
	{ { 0x0f, 0x17, 0x08 },		3, 8,  8, true, false, false, false },
	{ { 0x0f, 0x28, 0x08 },		3, 16, 0, false, true, false, true },
	{ { 0x66, 0x0f, 0x29, 0x08 },	4, 16, 0, true, false, false, true },
	{ { 0x66, 0x0f, 0x6e, 0x08 },	4, 4,  0, false, true, false, false },
	{ { 0x66, 0x48, 0x0f, 0x6e, 0x08 }, 5, 8, 0, false, true, false, false },
	{ { 0x66, 0x0f, 0x6f, 0x08 },	4, 16, 0, false, true, false, true },
	{ { 0xf3, 0x0f, 0x6f, 0x08 },	4, 16, 0, false, true, false, false },
	{ { 0x66, 0x0f, 0x7e, 0x08 },	4, 4,  0, true, false, false, false },
	{ { 0xf3, 0x0f, 0x7e, 0x08 },	4, 8,  0, false, true, false, false },
	{ { 0xf3, 0x0f, 0x7f, 0x08 },	4, 16, 0, true, false, false, false },
	{ { 0x66, 0x0f, 0xd6, 0x08 },	4, 8,  0, true, false, false, false },
	{ { 0x66, 0x0f, 0xe7, 0x08 },	4, 16, 0, true, false, false, true },
	{ { 0xf2, 0x0f, 0xf0, 0x08 },	4, 16, 0, false, true, false, false },
	{ { 0x66, 0x0f, 0x38, 0x2a, 0x08 }, 5, 16, 0, false, true, false, true },
	{ { 0x66, 0x0f, 0x10, 0x08 },	4, 16, 0, false, true, false, false },
	{ { 0x66, 0x0f, 0x11, 0x08 },	4, 16, 0, true, false, false, false },
	{ { 0x66, 0x0f, 0x12, 0x08 },	4, 8,  0, false, false, false, false },
	{ { 0x66, 0x0f, 0x13, 0x08 },	4, 8,  0, true, false, false, false },
	{ { 0x66, 0x0f, 0x16, 0x08 },	4, 8,  8, false, false, false, false },
	{ { 0x66, 0x0f, 0x17, 0x08 },	4, 8,  8, true, false, false, false },
	{ { 0x66, 0x0f, 0x28, 0x08 },	4, 16, 0, false, true, false, true },
	{ { 0x0f, 0x29, 0x08 },		3, 16, 0, true, false, false, true },
	{ { 0x0f, 0x2b, 0x08 },		3, 16, 0, true, false, false, true },
	{ { 0x66, 0x0f, 0x2b, 0x08 },	4, 16, 0, true, false, false, true },
	{ { 0x66, 0x0f, 0x7f, 0x08 },	4, 16, 0, true, false, false, true },
	/* VEX.128 and VEX.256 */
	{ { 0xc5, 0xf8, 0x10, 0x08 },	4, 16, 0, false, true, true, false },
	{ { 0xc5, 0xfc, 0x10, 0x08 },	4, 32, 0, false, true, true, false },
	{ { 0xc5, 0xfd, 0x7f, 0x08 },	4, 32, 0, true, false, false, true },
	{ { 0xc5, 0xfc, 0x28, 0x08 },	4, 32, 0, false, true, true, true },
	{ { 0xc5, 0xf9, 0x6e, 0x08 },	4, 4,  0, false, true, true, false },
};

static void expect_load(const struct vec_case *c, const struct box *b)
{
	u8 want[32];

	memset(want, 0xee, sizeof(want));
	if (c->zero16)
		memset(want, 0, 16);
	if (c->zero32)
		memset(want, 0, 32);
	memcpy(want + c->from, b->mem, c->size);
	assert_memory_equal(b->vec[1], want, 32);
}

static void expect_store(const struct vec_case *c, const struct box *b)
{
	assert_memory_equal(b->mem, b->vec[1] + c->from, c->size);
	assert_int_equal(b->mem[c->size], (u8)(c->size));
}

static void all_moves(void **state)
{
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct vec_case *c = &cases[k];
		int err;

		box_init(&b);
		b.s.gpr[0] = BOX_BASE;
		memset(b.vec[1], 0xee, 32);
		assert_int_equal(box_run_ops(&b, M64, &box_ops, c->bytes, c->n), 0);
		assert_int_equal(b.last_n, c->size);
		if (c->store)
			expect_store(c, &b);
		else
			expect_load(c, &b);
		/* misaligned */
		b.s.gpr[0] = BOX_BASE + 8;
		b.s.rip = 0x1000;
		err = box_run_ops(&b, M64, &box_ops, c->bytes, c->n);
		if (c->aligned)
			box_assert_fault(&b, err, VEC_GP, 0);
		else
			assert_int_equal(err, 0);
	}
}

static void mmx(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	assert_int_equal(box_run(&b, M64, 0x0f, 0x6f, 0x10), 0);
	assert_memory_equal(b.mmx[2], b.mem, 8);
	/* REX.R does not reach MMX registers; movd clears the upper half */
	assert_int_equal(box_run(&b, M64, 0x44, 0x0f, 0x6e, 0x10), 0);
	assert_memory_equal(b.mmx[2], b.mem, 4);
	assert_memory_equal(b.mmx[2] + 4, "\0\0\0\0", 4);
	memset(b.mmx[2], 0x77, 8);
	assert_int_equal(box_run(&b, M64, 0x0f, 0x7f, 0x10), 0);
	assert_memory_equal(b.mem, b.mmx[2], 8);
}

/* SDM3 14.1, APM2 11.3: CR0.EM, CR4.OSFXSR, CR0.TS, CR4.OSXSAVE. */
static void disabled(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.cr0 |= CR0_TS;
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0x10, 0x08), VEC_NM, 0);
	box_assert_fault(&b, box_run(&b, M64, 0xc5, 0xf8, 0x10, 0x08), VEC_NM, 0);
	b.s.cr0 |= CR0_EM;
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0x10, 0x08), VEC_UD, 0);
	b.s.cr0 &= ~(CR0_EM | CR0_TS);
	b.s.cr4 = 0;
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0x10, 0x08), VEC_UD, 0);
	box_assert_fault(&b, box_run(&b, M64, 0xc5, 0xf8, 0x10, 0x08), VEC_UD, 0);
	/* MMX does not ask for OSFXSR */
	assert_int_equal(box_run(&b, M64, 0x0f, 0x6f, 0x10), 0);
}

static void not_executed(void **state)
{
	static const struct emul_ops plain = { .read = box_read, .write = box_write };
	static const u8 movups[] = { 0x0f, 0x10, 0x08 };
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	/* no vector callbacks; vvvv set; VEX.256 of a scalar; VEX MOVLPS */
	assert_int_equal(box_run_ops(&b, M64, &plain, movups, 3), -EOPNOTSUPP);
	assert_int_equal(box_run(&b, M64, 0xc5, 0xf0, 0x10, 0x08), -EOPNOTSUPP);
	assert_int_equal(box_run(&b, M64, 0xc5, 0xfd, 0x6e, 0x08), -EOPNOTSUPP);
	assert_int_equal(box_run(&b, M64, 0xc5, 0xf0, 0x12, 0x08), -EOPNOTSUPP);
	/* EVEX */
	assert_int_equal(box_run(&b, M64, 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x08), -EOPNOTSUPP);
}

BOX_TESTS(cmocka_unit_test(all_moves), cmocka_unit_test(mmx), cmocka_unit_test(disabled),
	  cmocka_unit_test(not_executed))
