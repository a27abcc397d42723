// SPDX-License-Identifier: MIT
/* Bit tests and scans, conditions, exchanges with known answers. */
#include "tests/unit/emul_box.h"
#include "core/vm/emul_int.h"

#define M64	INSN_MODE_64

/* A register bit offset reaches outside the operand, backwards too. */
static void bit_offsets(void **state)
{
	static const struct { u64 offset; u64 linear; u8 bit; } at[] = {
		{ 0,   BOX_BASE + 0x100, 0 },
		{ 31,  BOX_BASE + 0x100, 31 },
		{ 32,  BOX_BASE + 0x104, 0 },
		{ 0x1005, BOX_BASE + 0x300, 5 },
		{ -1,  BOX_BASE + 0xfc, 31 },
		{ -33, BOX_BASE + 0xf8, 31 },
		{ 0xffffffffULL, BOX_BASE + 0xfc, 31 },	/* 32-bit operand: -1 */
	};
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(at); k++) {
		box_init(&b);
		memset(b.mem, 0, sizeof(b.mem));
		b.s.gpr[0] = BOX_BASE + 0x100;
		b.s.gpr[1] = at[k].offset;
		/* bts [rax], ecx */
		assert_int_equal(box_run(&b, M64, 0x0f, 0xab, 0x08), 0);
		assert_int_equal(box_get(&b, at[k].linear, 4), BIT(at[k].bit));
		assert_false(b.s.rflags & RFLAGS_CF);
		/* bt, btc, btr see it, change it */
		assert_int_equal(box_run(&b, M64, 0x0f, 0xa3, 0x08), 0);
		assert_true(b.s.rflags & RFLAGS_CF);
		assert_int_equal(box_run(&b, M64, 0x0f, 0xbb, 0x08), 0);
		assert_int_equal(box_get(&b, at[k].linear, 4), 0);
		assert_int_equal(box_run(&b, M64, 0x0f, 0xb3, 0x08), 0);
		assert_false(b.s.rflags & RFLAGS_CF);
	}
}

/* An immediate offset does not: it is taken modulo the operand. */
static void bit_immediates(void **state)
{
	struct box b;

	box_init(&b);
	memset(b.mem, 0, sizeof(b.mem));
	b.s.gpr[0] = BOX_BASE;
	assert_int_equal(box_run(&b, M64, 0x66, 0x0f, 0xba, 0x28, 0x25), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 0x20);
	assert_int_equal(box_run(&b, M64, 0x0f, 0xba, 0x20, 5), 0);
	assert_true(b.s.rflags & RFLAGS_CF);
	assert_int_equal(b.writes, 1);
}

static void scans(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	box_put(&b, BOX_BASE, 0x00f0, 8);
	assert_int_equal(box_run(&b, M64, 0x0f, 0xbc, 0x08), 0);		/* BSF */
	assert_int_equal(b.s.gpr[1], 4);
	assert_int_equal(box_run(&b, M64, 0x66, 0x0f, 0xbd, 0x08), 0);		/* BSR */
	assert_int_equal(b.s.gpr[1], 7);
	assert_int_equal(box_run(&b, M64, 0xf3, 0x66, 0x0f, 0xbd, 0x08), 0);	/* LZCNT */
	assert_int_equal(b.s.gpr[1], 8);
	assert_int_equal(box_run(&b, M64, 0xf3, 0x48, 0x0f, 0xb8, 0x08), 0);	/* POPCNT */
	assert_int_equal(b.s.gpr[1], 4);
	/* without the feature F3 changes nothing: BSR */
	b.s.cpu = 0;
	assert_int_equal(box_run(&b, M64, 0xf3, 0x66, 0x0f, 0xbd, 0x08), 0);
	assert_int_equal(b.s.gpr[1], 7);
	/* zero source: BSF keeps the register, TZCNT counts all bits */
	box_put(&b, BOX_BASE, 0, 8);
	b.s.gpr[1] = 0x1234567890abcdef;
	assert_int_equal(box_run(&b, M64, 0x0f, 0xbc, 0x08), 0);
	assert_int_equal(b.s.gpr[1], 0x1234567890abcdef);
	assert_true(b.s.rflags & RFLAGS_ZF);
	b.s.cpu = EMUL_CPU_TZCNT;
	assert_int_equal(box_run(&b, M64, 0xf3, 0x0f, 0xbc, 0x08), 0);
	assert_int_equal(b.s.gpr[1], 32);
	assert_int_equal(b.s.rflags & (RFLAGS_CF | RFLAGS_ZF), RFLAGS_CF);
}

/* All sixteen conditions on all combinations of the five flags. */
static void conditions(void **state)
{
	for (unsigned int k = 0; k < 32; k++) {
		bool cf = k & 1, zf = k & 2, sf = k & 4, of = k & 8, pf = k & 16;
		u64 f = (cf ? RFLAGS_CF : 0) | (zf ? RFLAGS_ZF : 0) | (sf ? RFLAGS_SF : 0) |
			(of ? RFLAGS_OF : 0) | (pf ? RFLAGS_PF : 0);
		const bool want[8] = {
			of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of,
		};

		for (u8 c = 0; c < 16; c++)
			assert_int_equal(emul_condition(f, c), want[c / 2] != (c & 1));
	}
}

static void setcc_cmovcc(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.rflags |= RFLAGS_ZF;
	assert_int_equal(box_run(&b, M64, 0x0f, 0x94, 0x00), 0);	/* SETZ */
	assert_int_equal(b.mem[0], 1);
	assert_int_equal(box_run(&b, M64, 0x0f, 0x95, 0x00), 0);
	assert_int_equal(b.mem[0], 0);
	/* cmovnz ecx, [rax]: not taken, still reads, still clears 63:32 */
	b.s.gpr[1] = 0xaaaaaaaabbbbbbbb;
	b.reads = 0;
	assert_int_equal(box_run(&b, M64, 0x0f, 0x45, 0x08), 0);
	assert_int_equal(b.s.gpr[1], 0xbbbbbbbb);
	assert_int_equal(b.reads, 1);
	box_put(&b, BOX_BASE, 0x11223344, 4);
	assert_int_equal(box_run(&b, M64, 0x0f, 0x44, 0x08), 0);
	assert_int_equal(b.s.gpr[1], 0x11223344);
}

static void cmpxchg(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[3] = BOX_BASE;
	b.s.gpr[0] = 0xdead00000005;
	b.s.gpr[1] = 9;
	box_put(&b, BOX_BASE, 5, 4);
	assert_int_equal(box_run(&b, M64, 0x0f, 0xb1, 0x0b), 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 9);
	assert_true(b.s.rflags & RFLAGS_ZF);
	assert_int_equal(b.s.gpr[0], 0xdead00000005);
	/* mismatch: rAX gets memory, memory is written back */
	b.writes = 0;
	assert_int_equal(box_run(&b, M64, 0x0f, 0xb1, 0x0b), 0);
	assert_int_equal(b.s.gpr[0], 9);
	assert_false(b.s.rflags & RFLAGS_ZF);
	assert_int_equal(b.writes, 1);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 9);
}

static void cmpxchg_pairs(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[6] = BOX_BASE;
	box_put(&b, BOX_BASE, 0x1111111122222222, 8);
	box_put(&b, BOX_BASE + 8, 0x3333, 8);
	b.s.gpr[0] = 0xff22222222;
	b.s.gpr[2] = 0xff11111111;
	b.s.gpr[3] = 7;
	b.s.gpr[1] = 8;
	/* cmpxchg8b [rsi]: 32-bit halves of the registers */
	assert_int_equal(box_run(&b, M64, 0x0f, 0xc7, 0x0e), 0);
	assert_true(b.s.rflags & RFLAGS_ZF);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 0x800000007);
	/* lock cmpxchg16b [rsi]: mismatch */
	assert_int_equal(box_run(&b, M64, 0xf0, 0x48, 0x0f, 0xc7, 0x0e), 0);
	assert_false(b.s.rflags & RFLAGS_ZF);
	assert_int_equal(b.s.gpr[0], 0x800000007);
	assert_int_equal(b.s.gpr[2], 0x3333);
	assert_int_equal(b.swaps, 1);
	assert_int_equal(b.last_n, 16);
	/* and match */
	assert_int_equal(box_run(&b, M64, 0xf0, 0x48, 0x0f, 0xc7, 0x0e), 0);
	assert_true(b.s.rflags & RFLAGS_ZF);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 7);
	assert_int_equal(box_get(&b, BOX_BASE + 8, 8), 8);
	/* must be aligned */
	b.s.gpr[6]++;
	b.s.rip = 0x1000;
	box_assert_fault(&b, box_run(&b, M64, 0x48, 0x0f, 0xc7, 0x0e), VEC_GP, 0);
}

BOX_TESTS(cmocka_unit_test(bit_offsets), cmocka_unit_test(bit_immediates),
	  cmocka_unit_test(scans), cmocka_unit_test(conditions),
	  cmocka_unit_test(setcc_cmovcc), cmocka_unit_test(cmpxchg),
	  cmocka_unit_test(cmpxchg_pairs))
