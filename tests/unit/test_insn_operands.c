// SPDX-License-Identifier: MIT
/* Operand fields and effective addresses, by hand from the manuals. */
#include "tests/unit/unit.h"

#include "core/vm/insn.h"

struct field_case {
	u8 bytes[12];
	u8 mode;
	struct insn want;	/* only the members that compare_fields() names */
};

#define NONE	INSN_REG_NONE

static void compare_fields(const struct insn *got, const struct insn *want)
{
	assert_int_equal(got->len, want->len);
	assert_int_equal(got->op_size, want->op_size);
	assert_int_equal(got->addr_size, want->addr_size);
	assert_int_equal(got->seg, want->seg);
	assert_int_equal(got->base, want->base);
	assert_int_equal(got->index, want->index);
	assert_int_equal(got->scale, want->scale);
	assert_int_equal(got->reg, want->reg);
	assert_int_equal(got->disp, want->disp);
	assert_int_equal(got->imm, want->imm);
	assert_int_equal(got->imm2, want->imm2);
}

#define WANT(l, os, as, sg, b, x, sc, r, d, im, im2) \
	{ .len = l, .op_size = os, .addr_size = as, .seg = INSN_##sg, .base = b, \
	  .index = x, .scale = sc, .reg = r, .disp = d, .imm = im, .imm2 = im2 }

static const struct field_case fields[] = {
	/* mov [rax], ecx */
	{ { 0x89, 0x08 }, INSN_MODE_64, WANT(2, 4, 8, DS, 0, NONE, 0, 1, 0, 0, 0) },
	/* mov [r12 + r9*8 - 16], r15 */
	{ { 0x4f, 0x89, 0x7c, 0xcc, 0xf0 }, INSN_MODE_64,
	  WANT(5, 8, 8, DS, 12, 9, 3, 15, -16, 0, 0) },
	/* mov ax, [rip - 2] */
	{ { 0x66, 0x8b, 0x05, 0xfe, 0xff, 0xff, 0xff }, INSN_MODE_64,
	  WANT(7, 2, 8, DS, INSN_REG_RIP, NONE, 0, 0, -2, 0, 0) },
	/* mov byte [rsp + 8], 0x80: sign-extended, stack segment */
	{ { 0xc6, 0x44, 0x24, 0x08, 0x80 }, INSN_MODE_64,
	  WANT(5, 1, 8, SS, 4, NONE, 0, 0, 8, (u64)-128, 0) },
	/* r12 and r13 are not stack registers */
	{ { 0x41, 0x8b, 0x45, 0x00 }, INSN_MODE_64,
	  WANT(4, 4, 8, DS, 13, NONE, 0, 0, 0, 0, 0) },
	/* no base, no index */
	{ { 0x8b, 0x04, 0x25, 0, 0, 0, 0x80 }, INSN_MODE_64,
	  WANT(7, 4, 8, DS, NONE, NONE, 0, 0, -0x80000000LL, 0, 0) },
	/* the same with REX.B: still no base */
	{ { 0x41, 0x8b, 0x04, 0x25, 0, 0, 0, 0 }, INSN_MODE_64,
	  WANT(8, 4, 8, DS, NONE, NONE, 0, 0, 0, 0, 0) },
	/* CS override is ignored in 64-bit mode, GS is not */
	{ { 0x2e, 0x8b, 0x00 }, INSN_MODE_64, WANT(3, 4, 8, DS, 0, NONE, 0, 0, 0, 0, 0) },
	{ { 0x65, 0x2e, 0x8b, 0x00 }, INSN_MODE_64,
	  WANT(4, 4, 8, GS, 0, NONE, 0, 0, 0, 0, 0) },
	{ { 0x2e, 0x8b, 0x00 }, INSN_MODE_32, WANT(3, 4, 4, CS, 0, NONE, 0, 0, 0, 0, 0) },
	/* 16-bit: [bp + di - 1], [0x1234], 67 selects 32-bit addressing */
	{ { 0x8b, 0x43, 0xff }, INSN_MODE_16, WANT(3, 2, 2, SS, 5, 7, 0, 0, -1, 0, 0) },
	{ { 0x8a, 0x0e, 0x34, 0x12 }, INSN_MODE_16,
	  WANT(4, 1, 2, DS, NONE, NONE, 0, 1, 0x1234, 0, 0) },
	{ { 0x67, 0x66, 0x8b, 0x04, 0x48 }, INSN_MODE_16,
	  WANT(5, 4, 4, DS, 0, 1, 1, 0, 0, 0, 0) },
	/* mov al, [moffs]: 8 bytes, 4 with 67, no sign extension */
	{ { 0xa0, 1, 2, 3, 4, 5, 6, 7, 0x88 }, INSN_MODE_64,
	  WANT(9, 1, 8, DS, NONE, NONE, 0, 0, (s64)0x8807060504030201ULL, 0, 0) },
	{ { 0x67, 0xa1, 0xff, 0xff, 0xff, 0xff }, INSN_MODE_64,
	  WANT(6, 4, 4, DS, NONE, NONE, 0, 0, 0xffffffff, 0, 0) },
	/* test dword [rbx], imm32: group 3 has an immediate, not has none */
	{ { 0xf7, 0x03, 4, 3, 2, 1 }, INSN_MODE_64,
	  WANT(6, 4, 8, DS, 3, NONE, 0, 0, 0, 0x01020304, 0) },
	{ { 0xf7, 0x13 }, INSN_MODE_64, WANT(2, 4, 8, DS, 3, NONE, 0, 2, 0, 0, 0) },
	/* mov rax, imm64; add rax, imm32 sign-extended */
	{ { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 }, INSN_MODE_64,
	  WANT(10, 8, 8, DS, NONE, NONE, 0, 0, 0, 0x0807060504030201ULL, 0) },
	{ { 0x48, 0x05, 0, 0, 0, 0x80 }, INSN_MODE_64,
	  WANT(6, 8, 8, DS, NONE, NONE, 0, 0, 0, 0xffffffff80000000ULL, 0) },
	/* enter 0xfffe, 3; jmp 0x0605:0x04030201 */
	{ { 0xc8, 0xfe, 0xff, 3 }, INSN_MODE_64,
	  WANT(4, 8, 8, DS, NONE, NONE, 0, 0, 0, 0xfffe, 3) },
	{ { 0xea, 1, 2, 3, 4, 5, 6 }, INSN_MODE_32,
	  WANT(7, 4, 4, DS, NONE, NONE, 0, 0, 0, 0x04030201, 0x0605) },
	/* mov rax, cr8: mod is ignored, no displacement follows */
	{ { 0x44, 0x0f, 0x20, 0x05 }, INSN_MODE_64,
	  WANT(4, 8, 8, DS, NONE, NONE, 0, 8, 0, 0, 0) },
	/* push word [rax] with 66; push qword without */
	{ { 0x66, 0xff, 0x30 }, INSN_MODE_64, WANT(3, 2, 8, DS, 0, NONE, 0, 6, 0, 0, 0) },
	{ { 0xff, 0x30 }, INSN_MODE_64, WANT(2, 8, 8, DS, 0, NONE, 0, 6, 0, 0, 0) },
	/* crc32 eax, byte [rax]; invept rax, [rax]: 8 bytes whatever REX.W says */
	{ { 0xf2, 0x0f, 0x38, 0xf0, 0x00 }, INSN_MODE_64,
	  WANT(5, 1, 8, DS, 0, NONE, 0, 0, 0, 0, 0) },
	{ { 0x66, 0x0f, 0x38, 0x80, 0x00 }, INSN_MODE_64,
	  WANT(5, 8, 8, DS, 0, NONE, 0, 0, 0, 0, 0) },
	{ { 0x66, 0x0f, 0x38, 0x82, 0x00 }, INSN_MODE_32,
	  WANT(5, 4, 4, DS, 0, NONE, 0, 0, 0, 0, 0) },
	/* sldt [rax] stores 16 bits, sldt ecx 32; smsw rcx, lmsw [rax] */
	{ { 0x0f, 0x00, 0x00 }, INSN_MODE_64, WANT(3, 2, 8, DS, 0, NONE, 0, 0, 0, 0, 0) },
	{ { 0x0f, 0x00, 0xc1 }, INSN_MODE_64, WANT(3, 4, 8, DS, NONE, NONE, 0, 0, 0, 0, 0) },
	{ { 0x48, 0x0f, 0x01, 0xe1 }, INSN_MODE_64,
	  WANT(4, 8, 8, DS, NONE, NONE, 0, 4, 0, 0, 0) },
	{ { 0x0f, 0x01, 0x30 }, INSN_MODE_64, WANT(3, 2, 8, DS, 0, NONE, 0, 6, 0, 0, 0) },
	/* in ax, dx: REX.W wins over 66 but has no 64-bit form */
	{ { 0x66, 0xed }, INSN_MODE_64, WANT(2, 2, 8, DS, NONE, NONE, 0, 0, 0, 0, 0) },
	{ { 0x66, 0x48, 0xed }, INSN_MODE_64, WANT(3, 4, 8, DS, NONE, NONE, 0, 0, 0, 0, 0) },
};

static void operand_fields(void **state)
{
	struct insn i;

	for (unsigned int k = 0; k < ARRAY_SIZE(fields); k++) {
		assert_int_equal(insn_decode(&i, fields[k].bytes, sizeof(fields[k].bytes),
					     fields[k].mode), 0);
		compare_fields(&i, &fields[k].want);
	}
}

/* One name for a rule of existence, and bytes on both sides of it. */
struct form_case {
	u8 bytes[6];
	u8 mode;
	int want;
};

static const struct form_case forms[] = {
	/* LOCK: only with a memory destination, only where listed */
	{ { 0xf0, 0x01, 0x08 }, INSN_MODE_64, 0 },
	{ { 0xf0, 0x01, 0xc8 }, INSN_MODE_64, -EINVAL },
	{ { 0xf0, 0x03, 0x08 }, INSN_MODE_64, -EINVAL },
	{ { 0xf0, 0x39, 0x08 }, INSN_MODE_64, -EINVAL },
	{ { 0xf0, 0x83, 0x38, 1 }, INSN_MODE_64, -EINVAL },
	{ { 0xf0, 0x83, 0x30, 1 }, INSN_MODE_64, 0 },
	{ { 0xf0, 0x0f, 0xa3, 0x08 }, INSN_MODE_64, -EINVAL },
	{ { 0xf0, 0x0f, 0xab, 0x08 }, INSN_MODE_64, 0 },
	{ { 0xf0, 0x89, 0x08 }, INSN_MODE_64, -EINVAL },
	{ { 0xf0, 0x0f, 0xc7, 0x08 }, INSN_MODE_64, 0 },
	/* only outside 64-bit mode */
	{ { 0x06 }, INSN_MODE_64, -EINVAL },
	{ { 0x06 }, INSN_MODE_32, 0 },
	{ { 0x9a, 0, 0, 0, 0, 0 }, INSN_MODE_64, -EINVAL },
	{ { 0x82, 0xc0, 1 }, INSN_MODE_64, -EINVAL },
	{ { 0x82, 0xc0, 1 }, INSN_MODE_32, 0 },
	/* register or memory form missing */
	{ { 0x8d, 0xc0 }, INSN_MODE_64, -EINVAL },
	{ { 0x0f, 0x01, 0x28 }, INSN_MODE_64, -EINVAL },
	{ { 0x0f, 0xc3, 0x08 }, INSN_MODE_64, 0 },
	{ { 0x0f, 0xc3, 0xc8 }, INSN_MODE_64, -EINVAL },
	{ { 0x66, 0x0f, 0xc3, 0x08 }, INSN_MODE_64, -EINVAL },
	/* CR1, CR5, DR8; MOV to CS; SWAPGS */
	{ { 0x0f, 0x20, 0xc8 }, INSN_MODE_64, -EINVAL },
	{ { 0x0f, 0x20, 0xd0 }, INSN_MODE_64, 0 },
	{ { 0x44, 0x0f, 0x21, 0xc0 }, INSN_MODE_64, -EINVAL },
	{ { 0x8e, 0xc8 }, INSN_MODE_64, -EINVAL },
	{ { 0x0f, 0x01, 0xf8 }, INSN_MODE_32, -EINVAL },
	{ { 0x0f, 0x01, 0xf8 }, INSN_MODE_64, 0 },
	/* VEX: no 66 and no REX in front of it */
	{ { 0xc5, 0xf9, 0x6f, 0xc0 }, INSN_MODE_64, 0 },
	{ { 0x66, 0xc5, 0xf9, 0x6f, 0xc0 }, INSN_MODE_64, -EINVAL },
	{ { 0x40, 0xc5, 0xf9, 0x6f, 0xc0 }, INSN_MODE_64, -EINVAL },
	/* EVEX: reserved bits of P0 and P1 */
	{ { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x08 }, INSN_MODE_64, 0 },
	{ { 0x62, 0xf9, 0x7c, 0x48, 0x10, 0x08 }, INSN_MODE_64, -EINVAL },
	{ { 0x62, 0xf1, 0x78, 0x48, 0x10, 0x08 }, INSN_MODE_64, -EINVAL },
	/* C5 with mod 0 is LDS outside 64-bit mode */
	{ { 0xc5, 0x08 }, INSN_MODE_32, 0 },
};

static void existence(void **state)
{
	struct insn i;

	for (unsigned int k = 0; k < ARRAY_SIZE(forms); k++)
		assert_int_equal(insn_decode(&i, forms[k].bytes, sizeof(forms[k].bytes),
					     forms[k].mode), forms[k].want);
}

struct vector_case {
	u8 bytes[8];
	u8 len, enc, map, pfx, l, w, vvvv, reg, rm;
};

/* Fields that VEX, XOP and EVEX hide in their payload. */
static void vector_fields(void **state)
{
	static const struct vector_case cases[] = {
		/* vmovaps ymm9, ymm2 */
		{ { 0xc5, 0x7c, 0x28, 0xca }, 4, INSN_ENC_VEX, 1, 0, 1, 0, 0, 9, 2 },
		/* vpaddd xmm1, xmm3, xmm10 */
		{ { 0xc4, 0xc1, 0x61, 0xfe, 0xca }, 5, INSN_ENC_VEX, 1, 1, 0, 0, 3, 1, 10 },
		/* andn rax, rbx, rcx */
		{ { 0xc4, 0xe2, 0xe0, 0xf2, 0xc1 }, 5, INSN_ENC_VEX, 2, 0, 0, 1, 3, 0, 1 },
		/* vpcomb xmm1, xmm2, xmm3, 5 */
		{ { 0x8f, 0xe8, 0x68, 0xcc, 0xcb, 5 }, 6, INSN_ENC_XOP, 8, 0, 0, 0, 2, 1, 3 },
		/* vmovdqa64 zmm17, zmm2 */
		{ { 0x62, 0xe1, 0xfd, 0x48, 0x6f, 0xca }, 6, INSN_ENC_EVEX, 1, 1, 2, 1, 0,
		  17, 2 },
		/* vpaddd ymm1, ymm19, ymm3 */
		{ { 0x62, 0xf1, 0x65, 0x20, 0xfe, 0xcb }, 6, INSN_ENC_EVEX, 1, 1, 1, 0, 19,
		  1, 3 },
	};

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct vector_case *c = &cases[k];
		struct insn i;

		assert_int_equal(insn_decode(&i, c->bytes, sizeof(c->bytes), INSN_MODE_64), 0);
		assert_int_equal(i.len, c->len);
		assert_int_equal(i.enc, c->enc);
		assert_int_equal(i.map, c->map);
		assert_int_equal(i.pfx, c->pfx);
		assert_int_equal(i.vex_l, c->l);
		assert_int_equal(i.vex_w, c->w);
		assert_int_equal(i.vvvv, c->vvvv);
		assert_int_equal(i.reg, c->reg);
		assert_int_equal(i.rm, c->rm);
	}
}

/* Opcodes with a register in their low bits have it in rm. */
static void opcode_register(void **state)
{
	struct insn i;

	assert_int_equal(insn_decode(&i, (const u8 []){ 0x53 }, 1, INSN_MODE_64), 0);
	assert_int_equal(i.rm, 3);
	assert_int_equal(insn_decode(&i, (const u8 []){ 0x49, 0x0f, 0xc9 }, 3, INSN_MODE_64), 0);
	assert_int_equal(i.rm, 9);
}

/* 66 before a near branch in 64-bit mode: SDM2 ignores it, APM3 does not. */
static void branch_rules(void **state)
{
	static const u8 call[] = { 0x66, 0xe8, 1, 2, 3, 4 };
	struct insn i;

	assert_int_equal(insn_decode(&i, call, sizeof(call), INSN_MODE_64), 0);
	assert_int_equal(i.len, 6);
	assert_int_equal(i.op_size, 8);
	assert_int_equal(insn_decode_as(&i, call, sizeof(call), INSN_MODE_64,
					INSN_RULE_AMD), 0);
	assert_int_equal(i.len, 4);
	assert_int_equal(i.op_size, 2);
	assert_true(i.flags & INSN_F_REL);
}

static u64 effective(const u8 *bytes, enum insn_mode mode, const u64 *gpr, u64 next)
{
	struct insn i;

	assert_int_equal(insn_decode(&i, bytes, INSN_MAX_LEN, mode), 0);
	return insn_effective(&i, gpr, next);
}

static void effective_addresses(void **state)
{
	u64 g[16];

	for (unsigned int k = 0; k < 16; k++)
		g[k] = 0x1111111111111111ULL * k;
	/* [r12 + r9*8 - 16] */
	assert_int_equal(effective((const u8 [15]){ 0x4f, 0x89, 0x7c, 0xcc, 0xf0 },
				   INSN_MODE_64, g, 0), g[12] + g[9] * 8 - 16);
	/* the same with 67 */
	assert_int_equal(effective((const u8 [15]){ 0x67, 0x4f, 0x89, 0x7c, 0xcc, 0xf0 },
				   INSN_MODE_64, g, 0), (u32)(g[12] + g[9] * 8 - 16));
	/* [rip - 2], [eip - 2] */
	assert_int_equal(effective((const u8 [15]){ 0x8b, 5, 0xfe, 0xff, 0xff, 0xff },
				   INSN_MODE_64, g, 0x100000001ULL), 0xffffffffULL);
	assert_int_equal(effective((const u8 [15]){ 0x67, 0x8b, 5, 0xfe, 0xff, 0xff, 0xff },
				   INSN_MODE_64, g, 1), 0xffffffffULL);
	/* 16-bit wraps: [bx + si + 0x7fff] */
	assert_int_equal(effective((const u8 [15]){ 0x8b, 0x80, 0xff, 0x7f },
				   INSN_MODE_16, g, 0), (u16)(0x3333 + 0x6666 + 0x7fff));
	/* index 4 is none: [rsp] */
	assert_int_equal(effective((const u8 [15]){ 0x8b, 0x04, 0x24 }, INSN_MODE_64, g, 0),
			 g[4]);
	/* index 12 is R12 */
	assert_int_equal(effective((const u8 [15]){ 0x42, 0x8b, 0x04, 0x20 },
				   INSN_MODE_64, g, 0), g[12]);
	/* moffs16 */
	assert_int_equal(effective((const u8 [15]){ 0xa0, 0xfe, 0xff }, INSN_MODE_16, g, 0),
			 0xfffe);
}

static void strings(void **state)
{
	static const u8 yes[] = { 0x6c, 0x6f, 0xa4, 0xa7, 0xaa, 0xaf };
	static const u8 no[] = { 0x90, 0xa8, 0xf4, 0xec };
	struct insn i;

	for (unsigned int k = 0; k < sizeof(yes); k++) {
		assert_int_equal(insn_decode(&i, &yes[k], 1, INSN_MODE_64), 0);
		assert_true(insn_is_string(&i));
	}
	for (unsigned int k = 0; k < sizeof(no); k++) {
		u8 b[2] = { no[k], 0 };

		assert_int_equal(insn_decode(&i, b, 2, INSN_MODE_64), 0);
		assert_false(insn_is_string(&i));
	}
	/* fs lodsb: the override is in seg */
	assert_int_equal(insn_decode(&i, (const u8 [2]){ 0x64, 0xac }, 2, INSN_MODE_64), 0);
	assert_int_equal(i.seg, INSN_FS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operand_fields),
		cmocka_unit_test(existence),
		cmocka_unit_test(vector_fields),
		cmocka_unit_test(opcode_register),
		cmocka_unit_test(branch_rules),
		cmocka_unit_test(effective_addresses),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
