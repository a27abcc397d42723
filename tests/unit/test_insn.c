// SPDX-License-Identifier: MIT
/*
 * The decoder against Zydis: every ModRM of the two large maps, random and
 * structured byte strings, in each mode.  A difference is a failure unless
 * insn_zydis.h lists it with its reason.  Then the properties that Zydis
 * cannot tell: short input, lengths of exits.
 */
#include "tests/unit/unit.h"

#include "core/vm/insn.h"
#include "tests/unit/insn_zydis.h"
#include "tests/unit/rng.h"

#define SEED		0x6e657374u
#define RANDOM_CASES	3000000		/* for each mode */
#define MODES		3

/* Returns 1 if it is an instruction, 0 if not. */
static unsigned int check(const u8 *b, enum insn_mode mode, unsigned int rules)
{
	char why[160];
	int same = insn_zydis_compare(b, mode, rules, why, sizeof(why));

	if (same >= 0)
		return same;
	print_error("mode %d rules %u:", mode, rules);
	for (unsigned int k = 0; k < INSN_MAX_LEN; k++)
		print_error(" %02x", b[k]);
	print_error(": %s\n", why);
	fail();
	return 0;
}

/* Strings that are no instruction prove little: most must be one. */
static void enough(unsigned int valid, unsigned int all)
{
	print_message("%u of %u are instructions\n", valid, all);
	assert_true(valid > all / 3);
}

static void rand_bytes(struct rng *r, u8 *b)
{
	for (unsigned int k = 0; k < 2; k++) {
		u64 v = rng_next(r);

		memcpy(b + 8 * k, &v, 8);
	}
}

static unsigned int put(u8 *b, unsigned int pos, const u8 *from, unsigned int n)
{
	for (unsigned int k = 0; k < n && pos < INSN_MAX_LEN; k++)
		b[pos++] = from[k];
	return pos;
}

/* Each prefix, each opcode of map 1 and 0F, each ModRM, a few tails. */
static void every_modrm(void **state)
{
	static const u8 prefix[] = { 0, 0x66, 0xf3, 0xf2, 0xf0, 0x67, 0x48 };
	struct rng r = rng_seed(SEED);
	unsigned int valid = 0;
	u8 b[16];

	for (unsigned int mode = 0; mode < MODES; mode++)
		for (unsigned int p = 0; p < ARRAY_SIZE(prefix) * 2; p++)
			for (unsigned int k = 0; k < 0x10000; k++) {
				const u8 op[] = { k >> 8, k };
				unsigned int pos = 0;

				rand_bytes(&r, b);
				pos = put(b, pos, &prefix[p / 2], prefix[p / 2] != 0);
				if (p & 1)
					b[pos++] = 0x0f;
				put(b, pos, op, 2);
				valid += check(b, mode, 0);
			}
	enough(valid, MODES * ARRAY_SIZE(prefix) * 2 * 0x10000);
}

static void random_bytes(void **state)
{
	struct rng r = rng_seed(SEED + 1);
	unsigned int valid = 0;
	u8 b[16];

	for (unsigned int k = 0; k < RANDOM_CASES / 2; k++)
		for (unsigned int mode = 0; mode < MODES; mode++) {
			rand_bytes(&r, b);
			valid += check(b, mode, k & 1 ? INSN_RULE_AMD : 0);
		}
	enough(valid, MODES * (RANDOM_CASES / 2));
}

/* Prefixes, an escape with a plausible payload, random bytes behind it. */
static void make_structured(struct rng *r, u8 *b)
{
	static const u8 prefix[] = {
		0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
		0x66, 0xf2, 0xf3,
	};
	static const u8 escape[][3] = {	/* length, bytes */
		{ 0 }, { 1, 0x0f }, { 2, 0x0f, 0x38 }, { 2, 0x0f, 0x3a }, { 2, 0x0f, 0x0f },
		{ 1, 0xc5 }, { 1, 0xc4 }, { 1, 0x62 }, { 1, 0x8f },
	};
	static const unsigned int counts[] = { 0, 0, 0, 0, 1, 1, 2, 3, 5, 14 };
	unsigned int pos = 0, e = rng_below(r, ARRAY_SIZE(escape));
	unsigned int n = counts[rng_below(r, ARRAY_SIZE(counts))];

	rand_bytes(r, b);
	while (n--)
		b[pos++] = prefix[rng_below(r, sizeof(prefix))];
	if (!rng_below(r, 4) && pos < 14)
		b[pos++] = 0x40 | rng_below(r, 16);
	if (pos > 11)
		return;
	pos = put(b, pos, &escape[e][1], escape[e][0]);
	if (e < 6)
		return;
	/* A map that exists, extension bits as legacy modes want them. */
	b[pos] &= 0xe0;
	b[pos] |= e == 8 ? 8 + rng_below(r, 3) : rng_below(r, 7);
	if (rng_below(r, 2))
		b[pos] |= 0xc0;
	if (e == 7)
		b[pos + 1] |= 4;
}

static void structured_bytes(void **state)
{
	struct rng r = rng_seed(SEED + 2);
	unsigned int valid = 0;
	u8 b[16];

	for (unsigned int k = 0; k < RANDOM_CASES / 2; k++)
		for (unsigned int mode = 0; mode < MODES; mode++) {
			make_structured(&r, b);
			valid += check(b, mode, k & 1 ? INSN_RULE_AMD : 0);
		}
	enough(valid, MODES * (RANDOM_CASES / 2));
}

/* Fewer bytes than the instruction has: -EAGAIN, whatever the number. */
static void short_input(void **state)
{
	struct rng r = rng_seed(SEED + 3);
	struct insn full, part;
	unsigned int seen = 0;
	u8 b[16];

	while (seen < 20000) {
		unsigned int mode = rng_below(&r, MODES);

		make_structured(&r, b);
		if (insn_decode(&full, b, sizeof(b), mode))
			continue;
		seen++;
		for (unsigned int n = 0; n < full.len; n++)
			assert_int_equal(insn_decode(&part, b, n, mode), -EAGAIN);
		for (unsigned int n = full.len; n <= sizeof(b); n++) {
			assert_int_equal(insn_decode(&part, b, n, mode), 0);
			assert_memory_equal(&part, &full, sizeof(full));
		}
	}
}

static void too_long(void **state)
{
	u8 b[20];
	struct insn i;

	memset(b, 0x66, sizeof(b));
	assert_int_equal(insn_decode(&i, b, 14, INSN_MODE_64), -EAGAIN);
	assert_int_equal(insn_decode(&i, b, 15, INSN_MODE_64), -E2BIG);
	assert_int_equal(insn_decode(&i, b, 20, INSN_MODE_64), -E2BIG);
	b[14] = 0x90;
	assert_int_equal(insn_decode(&i, b, 15, INSN_MODE_64), 0);
	assert_int_equal(i.len, 15);
	/* add eax, imm32 behind 14 prefixes */
	b[14] = 0x05;
	assert_int_equal(insn_decode(&i, b, 20, INSN_MODE_32), -E2BIG);
}

struct len_case {
	u8 bytes[6];
	u8 n;
	u8 mode;
	u32 op;
	int want;
};

static void exit_lengths(void **state)
{
	static const struct len_case cases[] = {
		{ { 0x0f, 0xa2 }, 2, INSN_MODE_64, INSN_OP_CPUID, 2 },
		{ { 0x0f, 0x32 }, 2, INSN_MODE_16, INSN_OP_RDMSR, 2 },
		{ { 0xf4 }, 1, INSN_MODE_64, INSN_OP_HLT, 1 },
		{ { 0x0f, 0x01, 0xd9 }, 3, INSN_MODE_64, INSN_OP_VMMCALL, 3 },
		{ { 0x0f, 0x01, 0xc1 }, 3, INSN_MODE_32, INSN_OP_VMCALL, 3 },
		{ { 0x48, 0x0f, 0x32 }, 3, INSN_MODE_64, INSN_OP_RDMSR, 3 },
		{ { 0x66, 0x2e, 0x0f, 0xa2 }, 4, INSN_MODE_32, INSN_OP_CPUID, 4 },
		{ { 0x67, 0x0f, 0x01, 0xd8 }, 4, INSN_MODE_64, INSN_OP_VMRUN, 4 },
		{ { 0xf3, 0x90 }, 2, INSN_MODE_64, INSN_OP_NOP, 2 },
		/* another instruction than the exit says */
		{ { 0x0f, 0xa2 }, 2, INSN_MODE_64, INSN_OP_RDMSR, -EINVAL },
		{ { 0xf4 }, 1, INSN_MODE_64, INSN_OP_INT3, -EINVAL },
		{ { 0x0f, 0x01, 0xd9 }, 3, INSN_MODE_64, INSN_OP_VMRUN, -EINVAL },
		{ { 0xc5, 0xf8, 0x77 }, 3, INSN_MODE_64, INSN_OP_HLT, -EINVAL },
		{ { 0x0f, 0x38, 0x00, 0xc0 }, 4, INSN_MODE_64, INSN_OP_CPUID, -EINVAL },
		/* VZEROUPPER is not EMMS, SHA256MSG1 (0F 38 CC) not INT3 */
		{ { 0xc5, 0xf8, 0x77 }, 3, INSN_MODE_64, 0x0f77, -EINVAL },
		{ { 0x0f, 0x38, 0xcc, 0xc1 }, 4, INSN_MODE_64, INSN_OP_INT3, -EINVAL },
		{ { 0x0f }, 1, INSN_MODE_64, INSN_OP_CPUID, -EAGAIN },
		{ { 0 }, 0, INSN_MODE_64, INSN_OP_HLT, -EAGAIN },
		/* any instruction: OUT, IN, MOV CR0 */
		{ { 0xe6, 0x80 }, 2, INSN_MODE_64, 0, 2 },
		{ { 0x66, 0xed }, 2, INSN_MODE_64, 0, 2 },
		{ { 0xf3, 0x6e }, 2, INSN_MODE_16, 0, 2 },
		{ { 0x0f, 0x20, 0x05 }, 3, INSN_MODE_64, 0, 3 },
		{ { 0x0f, 0x04 }, 2, INSN_MODE_64, 0, -EINVAL },
	};

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct len_case *c = &cases[k];

		assert_int_equal(insn_len(c->bytes, c->n, c->mode, c->op), c->want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_modrm),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(structured_bytes),
		cmocka_unit_test(short_input),
		cmocka_unit_test(too_long),
		cmocka_unit_test(exit_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
