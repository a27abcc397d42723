// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/caps.h"
#include "core/x86/tsc_calc.h"

static void test_cpuid_leaves(void **state)
{
	struct cpu_caps c = { .tsc_denominator = 2, .tsc_numerator = 216,
			      .crystal_hz = 24000000 };

	assert_int_equal(tsc_khz_from_cpuid(&c), 2592000);
	/* Crystal not told: the base frequency stands for it. */
	c.crystal_hz = 0;
	c.base_mhz = 4000;
	assert_int_equal(tsc_khz_from_cpuid(&c), 4000000);
	c.base_mhz = 0;
	assert_int_equal(tsc_khz_from_cpuid(&c), 0);
	c = (struct cpu_caps){ .tsc_denominator = 0, .tsc_numerator = 1, .crystal_hz = 1 };
	assert_int_equal(tsc_khz_from_cpuid(&c), 0);
	c = (struct cpu_caps){ .base_mhz = 3000 };
	assert_int_equal(tsc_khz_from_cpuid(&c), 0);
}

static void test_counter_wraps(void **state)
{
	assert_int_equal(counter_delta(0xfffff0, 0x10, 24), 0x20);
	/* Bits above the counter's width mean nothing. */
	assert_int_equal(counter_delta(0x12fffff0, 0x34000010, 24), 0x20);
	assert_int_equal(counter_delta(0xfffffff0, 0x10, 32), 0x20);
	assert_int_equal(counter_delta(~0ULL, 1, 64), 2);
	assert_int_equal(counter_delta(5, 5, 24), 0);
}

static void test_khz(void **state)
{
	/* 10 ms of PM timer, 3 GHz */
	assert_in_range(khz_from_ticks(30000000, 35795, 3579545), 2999900, 3000100);
	assert_int_equal(khz_from_ticks(500000, 1000000, 100000000), 50000);
	assert_int_equal(khz_from_ticks(1, 0, 1000), 0);
}

static void test_median(void **state)
{
	static const u64 order[][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 },
					{ 3, 1, 2 }, { 3, 2, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(median3(order[i][0], order[i][1], order[i][2]), 2);
	assert_int_equal(median3(5, 5, 9), 5);
}

static void test_after(void **state)
{
	assert_int_equal(tsc_after(1000, 0), 1000);
	assert_int_equal(tsc_after(1000, 5), 1005);
	assert_int_equal(tsc_after(1000, ~0ULL - 1000), ~0ULL);
	assert_int_equal(tsc_after(1000, ~0ULL - 999), ~0ULL);
	/* A guest that is older than the machine. */
	assert_int_equal(tsc_after(-1000ULL, 1005), 5);
	assert_int_equal(tsc_after(-1000ULL, 1000), 1);
	assert_int_equal(tsc_after(-1000ULL, 0), 1);
	assert_int_equal(tsc_after(-1000ULL, ~0ULL), ~0ULL - 1000);
}

static void test_differs(void **state)
{
	assert_false(differs_percent(100, 90, 10));
	assert_true(differs_percent(100, 89, 10));
	assert_true(differs_percent(50000, 3000000, 10));
	assert_false(differs_percent(0, 0, 10));
	assert_false(differs_percent(~0ULL, ~0ULL, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuid_leaves),
		cmocka_unit_test(test_counter_wraps),
		cmocka_unit_test(test_khz),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_differs),
	};

	return cmocka_run_group_tests_name("tsc_calc", tests, NULL, NULL);
}
