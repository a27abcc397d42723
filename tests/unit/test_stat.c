/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "stats/stat.h"
#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

static struct stats_mem mem;
static struct stats_fs fs;

static int setup(void **state)
{
	struct stats_fs_mem ops = stats_mem_ops(&mem);

	(void)state;
	return stats_fs_init(&fs, &ops);
}

static int teardown(void **state)
{
	(void)state;
	stats_fs_fini(&fs);
	assert_int_equal(mem.live, 0);
	return 0;
}

STAT_COUNTER(fills, "/mm/npt", "fills", "pages", "test");
STAT_PEAK(longest, "/mm", "longest", "us", "test");
STAT_LOG2(sizes, 8, "/mm", "sizes", "bytes", "test");

static void expect(const char *path, const char *want)
{
	char buf[32];

	assert_true(stats_fs_read_path(&fs, path, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, want);
}

static void test_records(void **state)
{
	const struct stat_rec table[] = { fills_stat, longest_stat, sizes_stat };

	assert_int_equal(stat_register_table(&fs, table, table + 3), 0);
	stat_inc(&fills);
	stat_add(&fills, 4);
	stat_peak(&longest, 10);
	stat_peak(&longest, 7);
	stat_log2(sizes, 5);
	stat_log2(sizes, 1 << 20);
	expect("/mm/npt/fills", "5\n");
	expect("/mm/longest", "10\n");
	expect("/mm/sizes/count", "2\n");
	expect("/mm/sizes/ge_4", "1\n");
	expect("/mm/sizes/ge_128", "1\n");	/* the last bucket is open */
	assert_int_equal(stat_register_table(&fs, table, table + 1), -EEXIST);
	assert_int_equal(stats_fs_write_path(&fs, "/mm/longest", 0), 0);
	assert_int_equal(longest, 0);
}

static void test_source(void **state)
{
	struct stats_fs_source *a, *b;

	assert_int_equal(stat_source(&fs, "/a/b", &a), 0);
	assert_int_equal(stat_source(&fs, "/a/b/", &b), 0);
	assert_ptr_equal(a, b);
	stats_fs_source_put(a);
	stats_fs_source_put(b);
	assert_int_equal(stat_source(&fs, "/", &a), 0);
	assert_ptr_equal(a, fs.root);
	stats_fs_source_put(a);
}

static void test_source_errors(void **state)
{
	static const char *const bad[] = { "", "a", "//", "/a//b", "/a/./b" };
	char huge[300];
	struct stats_fs_source *s;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(stat_source(&fs, bad[i], &s), -EINVAL);
		assert_null(s);
	}
	memset(huge, 'a', sizeof(huge));
	huge[0] = '/';
	huge[299] = 0;
	assert_int_equal(stat_source(&fs, huge, &s), -EINVAL);
	huge[150] = 0;
	assert_int_equal(stat_source(&fs, huge, &s), -EINVAL);
	assert_int_equal(stat_source(NULL, "/a", &s), -ENODEV);
	mem.left = 1;
	assert_int_equal(stat_source(&fs, "/x/y", &s), -ENOMEM);
	assert_null(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = { T(test_records), T(test_source), T(test_source_errors) };

	return cmocka_run_group_tests(t, NULL, NULL);
}
