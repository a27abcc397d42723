// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/muldiv.h"
#include "tests/unit/rng.h"

static void test_mul_div(void **state)
{
	assert_int_equal(mul_div_u64(10, 3, 4), 7);
	assert_true(mul_div_u64(~0ULL, 1000, 1000) == ~0ULL);
	assert_true(mul_div_u64(~0ULL, 1000, 3000000) == 0x15d867c3ece2a5ULL);
	assert_true(mul_div_u64(~0ULL, 2, 1) == ~0ULL);
	assert_true(mul_div_u64(~0ULL, ~0ULL, ~0ULL) == ~0ULL);
	/* A divisor whose remainder needs the 65th bit. */
	assert_true(mul_div_u64(0xfffffffffffffffeULL, 0x8000000000000001ULL,
				0xffffffffffffffffULL) == 0x8000000000000000ULL);
}

static void test_mul_shift(void **state)
{
	assert_true(mul_shift_u64(10, 3, 1) == 15);
	assert_true(mul_shift_u64(~0ULL, ~0ULL, 0) == 1);
	assert_true(mul_shift_u64(~0ULL, ~0ULL, 64) == ~0ULL - 1);
	assert_true(mul_shift_u64(~0ULL, ~0ULL, 127) == 1);
	assert_true(mul_shift_u64(1ULL << 63, 1ULL << 48, 48) == 1ULL << 63);
	/* What is above 64 bits is lost. */
	assert_true(mul_shift_u64(1ULL << 63, 3ULL << 48, 48) == 1ULL << 63);
}

/* Against the 128-bit division of the host's compiler. */
static void test_random(void **state)
{
	struct rng rng = rng_seed(1);

	for (u32 i = 0; i < 200000; i++) {
		u64 a = rng_next(&rng) >> (rng_next(&rng) & 63);
		u64 mul = rng_next(&rng) >> (rng_next(&rng) & 63);
		u64 div = rng_next(&rng) >> (rng_next(&rng) & 63);
		unsigned __int128 q;

		if (!div)
			continue;
		q = (unsigned __int128)a * mul / div;
		assert_true(mul_div_u64(a, mul, div) == (q >> 64 ? ~0ULL : (u64)q));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mul_div),
		cmocka_unit_test(test_mul_shift),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
