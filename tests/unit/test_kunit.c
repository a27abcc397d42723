/* SPDX-License-Identifier: MIT */
/* The kunit cases of statsfs v3, on the host. */
#include "tests/unit/unit.h"

#include "tests/stats/kunit.h"
#include "tests/unit/stats_mem.h"

static void eq(void *ctx, u64 got, u64 want, const char *what, int line)
{
	if (got != want)
		print_error("kunit.c:%d: %s is %lld, not %lld\n", line, what, (long long)got,
			    (long long)want);
	assert_int_equal(got, want);
	++*(int *)ctx;
}

static void run_case(void **state)
{
	const struct kunit_case *c = *state;
	struct stats_mem mem;
	struct stats_fs_mem ops = stats_mem_ops(&mem);
	struct stats_fs fs;
	int checks = 0;
	struct kunit k = { .fs = &fs, .eq = eq, .ctx = &checks };

	assert_int_equal(stats_fs_init(&fs, &ops), 0);
	c->fn(&k);
	assert_true(checks > 0);
	stats_fs_fini(&fs);
	assert_int_equal(mem.live, 0);
}

int main(void)
{
	struct CMUnitTest t[ARRAY_SIZE(kunit_cases)];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = (struct CMUnitTest){ kunit_cases[i].name, run_case, NULL, NULL,
					    (void *)&kunit_cases[i] };
	return cmocka_run_group_tests(t, NULL, NULL);
}
