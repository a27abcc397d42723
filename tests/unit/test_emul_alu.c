// SPDX-License-Identifier: MIT
/* Arithmetic with known answers; test_emul_native.c has the random ones. */
#include "tests/unit/emul_box.h"

#define CF	RFLAGS_CF
#define PF	RFLAGS_PF
#define AF	RFLAGS_AF
#define ZF	RFLAGS_ZF
#define SF	RFLAGS_SF
#define OF	RFLAGS_OF
#define ARITH	(CF | PF | AF | ZF | SF | OF)

/* op [rax], cl with ModRM.reg 1: memory, register, carry in, results. */
struct alu_case {
	u8 opcode;
	u8 mem, reg;
	bool carry;
	u8 want;
	u64 flags;
};

static const struct alu_case bytes[] = {
	{ 0x00, 0x7f, 0x01, false, 0x80, SF | AF | OF },	/* ADD */
	{ 0x00, 0xff, 0x01, false, 0x00, ZF | AF | CF | PF },
	{ 0x00, 0x80, 0x80, true,  0x00, ZF | CF | OF | PF },
	{ 0x10, 0xff, 0x00, true,  0x00, ZF | AF | CF | PF },	/* ADC */
	{ 0x10, 0x0f, 0xf0, true,  0x00, ZF | AF | CF | PF },
	{ 0x28, 0x00, 0x01, false, 0xff, SF | AF | CF | PF },	/* SUB */
	{ 0x28, 0x80, 0x01, false, 0x7f, AF | OF },
	{ 0x18, 0x00, 0xff, true,  0x00, ZF | AF | CF | PF },	/* SBB */
	{ 0x18, 0x10, 0x0f, true,  0x00, ZF | PF | AF },
	{ 0x38, 0x42, 0x42, true,  0x42, ZF | PF },		/* CMP keeps memory */
	{ 0x08, 0xf0, 0x0f, true,  0xff, SF | PF },		/* OR */
	{ 0x20, 0xf0, 0x0f, true,  0x00, ZF | PF },		/* AND */
	{ 0x30, 0x55, 0x54, true,  0x01, 0 },			/* XOR */
	{ 0x84, 0x80, 0xff, true,  0x80, SF },			/* TEST keeps memory */
};

static void byte_answers(void **state)
{
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(bytes); k++) {
		const struct alu_case *c = &bytes[k];

		box_init(&b);
		b.s.gpr[0] = BOX_BASE;
		b.s.gpr[1] = c->reg;
		b.mem[0] = c->mem;
		b.s.rflags |= (c->carry ? CF : 0) | RFLAGS_DF;
		assert_int_equal(box_run(&b, INSN_MODE_64, c->opcode, 0x08), 0);
		assert_int_equal(b.mem[0], c->want);
		assert_int_equal(b.s.rflags & ARITH, c->flags);
		assert_true(b.s.rflags & RFLAGS_DF);
	}
}

static void inc_dec_keep_carry(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.rflags |= CF;
	box_put(&b, BOX_BASE, ~0ULL, 8);
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x48, 0xff, 0x00), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 0);
	assert_int_equal(b.s.rflags & ARITH, CF | ZF | PF | AF);
	b.s.rflags &= ~CF;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x66, 0xff, 0x08), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 0xffff);
	assert_int_equal(b.s.rflags & ARITH, SF | PF | AF);
}

static void neg_not(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	box_put(&b, BOX_BASE, 0x80000000, 4);
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf7, 0x18), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 0x80000000);
	assert_int_equal(b.s.rflags & (CF | OF | SF | ZF), CF | OF | SF);
	b.s.rflags |= ZF;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf7, 0x10), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 0x7fffffff);
	assert_true(b.s.rflags & ZF);	/* NOT changes no flag */
}

static void multiply(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[3] = BOX_BASE;
	/* mul byte: 0xff * 0xff in AX */
	b.mem[0] = 0xff;
	b.s.gpr[0] = 0xaaaaaaaaaaaaaaff;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf6, 0x23), 0);
	assert_int_equal(b.s.gpr[0], 0xaaaaaaaaaaaafe01);
	assert_int_equal(b.s.rflags & (CF | OF), CF | OF);
	/* imul byte: -1 * -1 fits */
	b.s.gpr[0] = 0xff;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf6, 0x2b), 0);
	assert_int_equal(b.s.gpr[0], 1);
	assert_int_equal(b.s.rflags & (CF | OF), 0);
	/* mul qword */
	box_put(&b, BOX_BASE, ~0ULL, 8);
	b.s.gpr[0] = ~0ULL;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x48, 0xf7, 0x23), 0);
	assert_int_equal(b.s.gpr[0], 1);
	assert_int_equal(b.s.gpr[2], ~0ULL - 1);
	/* imul dword: -2^31 * 2, upper halves cleared */
	box_put(&b, BOX_BASE, 0x80000000, 4);
	b.s.gpr[0] = 0xffffffff00000002;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf7, 0x2b), 0);
	assert_int_equal(b.s.gpr[0], 0);
	assert_int_equal(b.s.gpr[2], 0xffffffff);
	assert_int_equal(b.s.rflags & (CF | OF), CF | OF);
	/* imul ecx, [rbx], -2 */
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x6b, 0x0b, 0xfe), 0);
	assert_int_equal(b.s.gpr[1], 0);
	assert_int_equal(b.s.rflags & (CF | OF), CF | OF);
}

static void divide(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[3] = BOX_BASE;
	/* div qword: 2^64 * 5 + 7 by 16 */
	box_put(&b, BOX_BASE, 16, 8);
	b.s.gpr[2] = 5;
	b.s.gpr[0] = 7;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0x48, 0xf7, 0x33), 0);
	assert_int_equal(b.s.gpr[0], 5ULL << 60);
	assert_int_equal(b.s.gpr[2], 7);
	/* idiv dword: -7 / 2 = -3 rest -1 */
	box_put(&b, BOX_BASE, 2, 8);
	b.s.gpr[2] = 0xffffffff;
	b.s.gpr[0] = (u32)-7;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf7, 0x3b), 0);
	assert_int_equal(b.s.gpr[0], (u32)-3);
	assert_int_equal(b.s.gpr[2], (u32)-1);
	/* idiv byte: -128 / -1 does not fit, -128 / 1 does */
	b.s.gpr[0] = 0xff80;
	b.mem[0] = 0xff;
	b.s.rip = 0x1000;
	box_assert_fault(&b, box_run(&b, INSN_MODE_64, 0xf6, 0x3b), VEC_DE, 0);
	assert_int_equal(b.s.gpr[0], 0xff80);
	b.mem[0] = 1;
	assert_int_equal(box_run(&b, INSN_MODE_64, 0xf6, 0x3b), 0);
	assert_int_equal(b.s.gpr[0], 0x0080);
	/* by zero; quotient too large */
	b.s.rip = 0x1000;
	box_put(&b, BOX_BASE, 0, 8);
	box_assert_fault(&b, box_run(&b, INSN_MODE_64, 0xf7, 0x33), VEC_DE, 0);
	box_assert_fault(&b, box_run(&b, INSN_MODE_64, 0xf7, 0x3b), VEC_DE, 0);
	box_put(&b, BOX_BASE, 5, 8);
	b.s.gpr[2] = 5;
	box_assert_fault(&b, box_run(&b, INSN_MODE_64, 0x48, 0xf7, 0x33), VEC_DE, 0);
}

BOX_TESTS(cmocka_unit_test(byte_answers), cmocka_unit_test(inc_dec_keep_carry),
	  cmocka_unit_test(neg_not), cmocka_unit_test(multiply), cmocka_unit_test(divide))
