/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/lib/crc32.h"
#include "stats/stat_fmt.h"
#include "tests/unit/stats_mem.h"

struct data {
	u64 n;
	s32 level;
	u64 hist[3];
};

static const struct stats_fs_hist three = { .buckets = 3, .width = 100 };
static const struct stats_fs_value values[] = {
	{ .name = "n", .offset = offsetof(struct data, n), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER },
	{ .name = "level", .offset = offsetof(struct data, level), .type = &stats_fs_type_s32,
	  .aggr_kind = STATS_FS_MIN, .value_flag = STATS_FS_FLOATING_VALUE, .unit = "mK" },
	{ .name = "h", .offset = offsetof(struct data, hist), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER, .hist = &three,
	  .unit = "cycles" },
	{ 0 },
};

static struct stats_mem mem;
static struct stats_fs fs;
static char text[65536];
static size_t len;
static u32 crc, lines;

static void line(void *ctx, const char *s)
{
	char out[800];
	int n = snprintf(out, sizeof(out), "@nestbed %s\n", s);

	assert_true((size_t)n < STAT_LINE_MAX + 16);
	assert_null(strchr(s, '\n'));
	if (!strncmp(s, "stat ", 5)) {
		crc = crc32_update(crc, out, (size_t)n);
		lines++;
	}
	assert_true(len + (size_t)n < sizeof(text));
	memcpy(text + len, out, (size_t)n + 1);
	len += (size_t)n;
}

static void dump(struct stat_dump_totals *t)
{
	const struct stat_out out = { line, NULL };

	len = 0;
	crc = lines = 0;
	stat_dump(&fs, 3, 1500, &out, t);
	assert_int_equal(t->crc, crc);
	assert_int_equal(t->lines, lines);
}

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

static struct stats_fs_source *make(struct stats_fs_source *parent, u32 flags, const char *name)
{
	struct stats_fs_source *s;

	assert_int_equal(stats_fs_source_create(&fs, &s, flags, "%s", name), 0);
	assert_int_equal(stats_fs_source_add_subordinate(parent, s), 0);
	stats_fs_source_put(s);
	return s;
}

static void test_block(void **state)
{
	struct data a = { 5, -7, { 1, 0, 3 } }, b = { 1, 2, { 0 } };
	struct stats_fs_source *kvm = make(fs.root, 0, "kvm"), *vm, *hidden;
	const struct stats_fs_group_desc in_dir = { .array = values, .dir = "sub" };
	struct stat_dump_totals t;

	vm = make(kvm, 0, "vm 0\\");
	hidden = make(kvm, STATS_FS_HIDDEN, "hidden");
	assert_int_equal(stats_fs_source_add_values(vm, values, &a, 0), 0);
	assert_int_equal(stats_fs_source_add_values(hidden, values, &b, 0), 0);
	assert_int_equal(stats_fs_source_add_group(kvm, &in_dir), 0);
	assert_int_equal(stats_fs_source_label(vm, "guest", "a\"b"), 0);
	dump(&t);
	assert_string_equal(text,
		"@nestbed stats begin seq=3 us=1500\n"
		"@nestbed stat /kvm/sub/n 6 count sum\n"
		"@nestbed stat /kvm/sub/level -7 mK min,instant\n"
		"@nestbed stat /kvm/sub/h/count 4 count hist\n"
		"@nestbed stat /kvm/sub/h/p50 200 cycles p50\n"
		"@nestbed stat /kvm/sub/h/p90 200 cycles p90\n"
		"@nestbed stat /kvm/sub/h/p99 200 cycles p99\n"
		"@nestbed stat /kvm/sub/h/ge_0 1 count bucket\n"
		"@nestbed stat /kvm/sub/h/ge_200 3 count bucket\n"
		"@nestbed label /kvm/vm\\x200\\x5c guest=\"a\\x22b\"\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/n 5 count sum\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/level -7 mK min,instant\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/h/count 4 count hist\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/h/p50 200 cycles p50\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/h/p90 200 cycles p90\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/h/p99 200 cycles p99\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/h/ge_0 1 count bucket\n"
		"@nestbed stat /kvm/vm\\x200\\x5c/h/ge_200 3 count bucket\n"
		"@nestbed stats end lines=16 crc32=d546e405\n");
}

/* Empty sets and revoked values are 0 and say so. */
static void test_marks(void **state)
{
	struct stats_fs_source *s = make(fs.root, 0, "s"), *r = make(fs.root, 0, "r");
	struct stat_dump_totals t;
	struct data a = { 5, -7, { 0 } };

	assert_int_equal(stats_fs_source_add_values(s, values, NULL, 0), 0);
	assert_int_equal(stats_fs_source_add_values(r, values, &a, 0), 0);
	stats_fs_source_revoke(r);
	dump(&t);
	assert_non_null(strstr(text, "stat /s/level 0 mK min,instant,empty\n"));
	assert_non_null(strstr(text, "stat /r/level 0 mK min,instant,revoked\n"));
	assert_non_null(strstr(text, "stat /r/n 0 count sum,revoked\n"));
}

/* Equal trees, made in different orders, look equal. */
static void test_deterministic(void **state)
{
	static const char *const name[] = { "b", "a", "c10", "c9" };
	struct data d[4] = { { .n = 1 }, { .n = 2 }, { .n = 3 }, { .n = 4 } };
	static char first[65536];
	struct stat_dump_totals t;

	for (int round = 0; round < 2; round++) {
		struct stats_fs_source *top = make(fs.root, 0, "top");

		for (int i = 0; i < 4; i++) {
			int k = round ? 3 - i : i;

			assert_int_equal(stats_fs_source_add_values(make(top, 0, name[k]), values,
								    &d[k], 0), 0);
		}
		dump(&t);
		if (!round)
			memcpy(first, text, len + 1);
		else
			assert_string_equal(first, text);
		assert_int_equal(stats_fs_source_remove_subordinate(fs.root, top), 0);
	}
}

/* A path that no line holds is left out, and counted. */
static void test_deep(void **state)
{
	char longest[STATS_FS_NAME_MAX + 1];
	struct stats_fs_source *s = fs.root;
	struct stat_dump_totals t;
	struct data d = { 0 };

	memset(longest, 'x', STATS_FS_NAME_MAX);
	longest[STATS_FS_NAME_MAX] = 0;
	for (int i = 0; i < STATS_FS_DEPTH_MAX; i++)
		s = make(s, 0, longest);
	assert_int_equal(stats_fs_source_add_values(s, values, &d, 0), 0);
	assert_int_equal(stats_fs_source_add_values(fs.root, values, &d, 0), 0);
	dump(&t);
	assert_int_equal(t.lines, 6);
	assert_int_equal(t.skipped, 6);
	assert_non_null(strstr(text, " skipped=6\n"));
}

static void test_none(void **state)
{
	const struct stat_out out = { line, NULL };
	struct stat_dump_totals t;

	len = 0;
	stat_dump(NULL, 1, 2, &out, &t);
	assert_string_equal(text, "@nestbed stats begin seq=1 us=2\n"
				  "@nestbed stats end lines=0 crc32=00000000\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		T(test_block), T(test_marks), T(test_deterministic), T(test_deep), T(test_none),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
