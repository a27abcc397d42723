/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

struct data {
	u64 exits, reason[2], hist[3];
};

static const struct stats_fs_hist three = { .buckets = 3, .width = 100 };
static const struct stats_fs_value values[] = {
	{ .name = "exits", .offset = offsetof(struct data, exits), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER },
	{ .name = "cycles", .offset = offsetof(struct data, hist), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER, .hist = &three },
	{ 0 },
};
static const struct stats_fs_value reasons[] = {
	{ .name = "cpuid", .offset = offsetof(struct data, reason[0]), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER },
	{ .name = "hlt", .offset = offsetof(struct data, reason[1]), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_FLOATING_VALUE },
	{ 0 },
};
static const struct stats_fs_value extra[] = {
	{ .name = "extra", .offset = 0, .type = &stats_fs_type_u64 }, { 0 },
};

static struct stats_mem mem;
static struct stats_fs fs;
static struct data data;

static int setup(void **state)
{
	const struct stats_fs_group_desc dir = { .array = reasons, .base = &data, .dir = "exits" };
	const struct stats_fs_group_desc dir2 = { .array = extra, .base = &data, .dir = "exits" };
	struct stats_fs_mem ops = stats_mem_ops(&mem);
	struct stats_fs_source *kvm, *vm;

	(void)state;
	data = (struct data){ 12, { 5, 7 }, { 1, 2, 1 } };
	assert_int_equal(stats_fs_init(&fs, &ops), 0);
	assert_int_equal(stats_fs_source_create(&fs, &kvm, 0, "kvm"), 0);
	assert_int_equal(stats_fs_source_register(kvm), 0);
	assert_int_equal(stats_fs_source_create(&fs, &vm, 0, "vm0"), 0);
	assert_int_equal(stats_fs_source_add_subordinate(kvm, vm), 0);
	assert_int_equal(stats_fs_source_add_values(kvm, values, &data, 0), 0);
	assert_int_equal(stats_fs_source_add_group(kvm, &dir), 0);
	assert_int_equal(stats_fs_source_add_group(kvm, &dir2), 0);
	assert_int_equal(stats_fs_source_add_values(vm, values, &data, 0), 0);
	stats_fs_source_put(vm);
	stats_fs_source_put(kvm);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stats_fs_fini(&fs);
	assert_int_equal(mem.live, 0);
	return 0;
}

static void test_paths(void **state)
{
	static const struct { const char *path; int kind; const char *text; } t[] = {
		{ "/", STATS_FS_DIR, NULL },
		{ "/kvm", STATS_FS_DIR, NULL },
		{ "//kvm///vm0/", STATS_FS_DIR, NULL },
		{ "/kvm/exits", STATS_FS_VALUE, "12\n" },
		{ "/kvm/vm0/exits", STATS_FS_VALUE, "12\n" },
		{ "/kvm/exits/", STATS_FS_DIR, NULL },
		{ "/kvm/exits/cpuid", STATS_FS_VALUE, "5\n" },
		{ "/kvm/exits/extra", STATS_FS_VALUE, "12\n" },
		{ "/kvm/cycles", STATS_FS_HIST_DIR, NULL },
		{ "/kvm/cycles/", STATS_FS_HIST_DIR, NULL },
		{ "/kvm/cycles/count", STATS_FS_HIST_COUNT, "4\n" },
		{ "/kvm/cycles/p50", STATS_FS_HIST_P50, "100\n" },
		{ "/kvm/cycles/p99", STATS_FS_HIST_P99, "200\n" },
		{ "/kvm/cycles/ge_0", STATS_FS_HIST_BUCKET, "1\n" },
		{ "/kvm/cycles/ge_100", STATS_FS_HIST_BUCKET, "2\n" },
		{ "/kvm/cycles/ge_200", STATS_FS_HIST_BUCKET, "1\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct stats_fs_node n;
		char buf[32] = "";

		if (stats_fs_lookup(&fs, t[i].path, &n))
			fail_msg("%s is not there", t[i].path);
		assert_int_equal(n.kind, t[i].kind);
		if (t[i].text) {
			stats_fs_node_text(&n, buf, sizeof(buf));
			assert_string_equal(buf, t[i].text);
		} else {
			assert_int_equal(stats_fs_node_mode(&n), 0755);
		}
		stats_fs_node_put(&n);
	}
}

static void test_bad_paths(void **state)
{
	static const char *const none[] = {
		"/kvm/nothing", "/kvm/exits/nothing", "/kvm/exits/cpuid/more", "/vm0",
		"/kvm/exits/cpuid/",
		"/kvm/cycles/ge_50", "/kvm/cycles/ge_", "/kvm/cycles/ge_x", "/kvm/cycles/p51",
		"/kvm/cycles/count/x", "/kvm/.", "/kvm/..", "/kvm/vm0/cpuid",
	};
	char huge[300];
	struct stats_fs_node n;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_int_equal(stats_fs_lookup(&fs, none[i], &n), -ENOENT);
		assert_null(n.src);
	}
	assert_int_equal(stats_fs_lookup(&fs, "", &n), -EINVAL);
	assert_int_equal(stats_fs_lookup(&fs, "kvm", &n), -EINVAL);
	memset(huge, 'a', sizeof(huge));
	huge[0] = '/';
	huge[299] = 0;
	assert_int_equal(stats_fs_lookup(&fs, huge, &n), -EINVAL);
}

static void test_write(void **state)
{
	assert_int_equal(stats_fs_write_path(&fs, "/kvm/exits", 3), -EINVAL);
	assert_int_equal(stats_fs_write_path(&fs, "/kvm/exits/hlt", 0), -EPERM);
	assert_int_equal(stats_fs_write_path(&fs, "/kvm/cycles/p50", 0), -EPERM);
	assert_int_equal(stats_fs_write_path(&fs, "/kvm/cycles", 0), -EINVAL);
	assert_int_equal(stats_fs_write_path(&fs, "/kvm", 0), -EINVAL);
	assert_int_equal(stats_fs_write_path(&fs, "/nothing", 0), -ENOENT);
	assert_int_equal(stats_fs_write_path(&fs, "/kvm/exits", 0), 0);
	assert_int_equal(stats_fs_write_path(&fs, "/kvm/cycles/count", 0), 0);
	data.exits++;
	data.hist[1]++;
	for (int i = 0; i < 2; i++) {
		const char *path = i ? "/kvm/cycles/count" : "/kvm/exits";
		char buf[16];

		assert_int_equal(stats_fs_read_path(&fs, path, buf, sizeof(buf)), 2);
		assert_string_equal(buf, "1\n");
	}
}

static void test_list(void **state)
{
	static const struct { const char *dir, *name; u32 mode; } want[] = {
		{ "/", "kvm", 0755 },
		{ "/kvm", "exits", 0644 }, { "/kvm", "cycles", 0755 }, { "/kvm", "exits", 0755 },
		{ "/kvm", "vm0", 0755 },
		{ "/kvm/exits/", "cpuid", 0644 }, { "/kvm/exits/", "hlt", 0444 },
		{ "/kvm/exits/", "extra", 0644 },
		{ "/kvm/cycles", "count", 0644 }, { "/kvm/cycles", "p50", 0444 },
		{ "/kvm/cycles", "p90", 0444 }, { "/kvm/cycles", "p99", 0444 },
		{ "/kvm/cycles", "ge_0", 0444 }, { "/kvm/cycles", "ge_100", 0444 },
		{ "/kvm/cycles", "ge_200", 0444 },
	};
	struct stats_fs_node n;
	struct stats_fs_entry e;

	for (size_t i = 0, k = 0; i < ARRAY_SIZE(want); i++, k++) {
		if (i && strcmp(want[i].dir, want[i - 1].dir)) {
			assert_int_equal(stats_fs_lookup(&fs, want[i - 1].dir, &n), 0);
			assert_int_equal(stats_fs_node_entry(&n, (u32)k, &e), -ENOENT);
			stats_fs_node_put(&n);
			k = 0;
		}
		assert_int_equal(stats_fs_lookup(&fs, want[i].dir, &n), 0);
		assert_int_equal(stats_fs_node_entry(&n, (u32)k, &e), 0);
		assert_string_equal(e.name, want[i].name);
		assert_int_equal(e.mode, want[i].mode);
		stats_fs_node_put(&n);
	}
	assert_int_equal(stats_fs_lookup(&fs, "/kvm/exits", &n), 0);
	assert_int_equal(stats_fs_node_entry(&n, 0, &e), -EINVAL);
	stats_fs_node_put(&n);
}

/* The walk goes on although the source it stands on was taken away. */
static void test_next_child(void **state)
{
	struct stats_fs_source *s[3], *c;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(stats_fs_source_create(&fs, &s[i], i == 1 ? STATS_FS_HIDDEN : 0,
							"s%d", i), 0);
		assert_int_equal(stats_fs_source_register(s[i]), 0);
	}
	c = stats_fs_next_child(fs.root, NULL);		/* kvm */
	stats_fs_source_put(c);
	c = stats_fs_next_child(fs.root, c);
	assert_ptr_equal(c, s[0]);
	assert_int_equal(stats_fs_source_remove_subordinate(fs.root, s[0]), 0);
	stats_fs_source_put(c);
	c = stats_fs_next_child(fs.root, s[0]);
	assert_ptr_equal(c, s[2]);
	stats_fs_source_put(c);
	assert_null(stats_fs_next_child(fs.root, s[2]));
	for (int i = 0; i < 3; i++)
		stats_fs_source_put(s[i]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		T(test_paths), T(test_bad_paths), T(test_write), T(test_list), T(test_next_child),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
