// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/nearest.h"

static void test_distance(void **state)
{
	char long_a[100], long_b[100];

	assert_int_equal(str_distance("", ""), 0);
	assert_int_equal(str_distance("abc", ""), 3);
	assert_int_equal(str_distance("", "abc"), 3);
	assert_int_equal(str_distance("abc", "abc"), 0);
	assert_int_equal(str_distance("abc", "abx"), 1);
	assert_int_equal(str_distance("abc", "ab"), 1);
	assert_int_equal(str_distance("abc", "xabc"), 1);
	assert_int_equal(str_distance("tset", "test"), 1);
	assert_int_equal(str_distance("kitten", "sitting"), 3);
	memset(long_a, 'a', sizeof(long_a));
	memset(long_b, 'b', sizeof(long_b));
	long_a[99] = long_b[99] = 0;
	assert_int_equal(str_distance(long_a, long_b), 63);
}

/* The recursive definition of optimal string alignment. */
static unsigned int reference(const char *a, size_t i, const char *b, size_t j)
{
	unsigned int best;

	if (!i || !j)
		return (unsigned int)(i + j);
	best = reference(a, i - 1, b, j - 1) + (a[i - 1] != b[j - 1]);
	best = MIN(best, reference(a, i - 1, b, j) + 1);
	best = MIN(best, reference(a, i, b, j - 1) + 1);
	if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
		best = MIN(best, reference(a, i - 2, b, j - 2) + 1);
	return best;
}

static void test_distance_random(void **state)
{
	for (int i = 0; i < 2000; i++) {
		char a[7] = "", b[7] = "";

		for (int j = rand() % 7; j-- > 0;)
			a[j] = "abc"[rand() % 3];
		for (int j = rand() % 7; j-- > 0;)
			b[j] = "abc"[rand() % 3];
		assert_int_equal(str_distance(a, b), reference(a, strlen(a), b, strlen(b)));
	}
}

static const char *next_name(void *ctx, size_t i)
{
	static const char *const names[] = { "svm.vmrun.asid_zero", "svm.cpuid", "vmx.cpuid" };

	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

static void test_nearest(void **state)
{
	assert_string_equal(str_nearest("svm.vmrun.asidzero", next_name, NULL),
			    "svm.vmrun.asid_zero");
	assert_string_equal(str_nearest("vmx.cpudi", next_name, NULL), "vmx.cpuid");
	assert_string_equal(str_nearest("xvm.cpuid", next_name, NULL), "svm.cpuid");
	assert_null(str_nearest("npt", next_name, NULL));
	assert_null(str_nearest("", next_name, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_distance_random),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
