/* SPDX-License-Identifier: MIT */
/* The rules of values: one test per rule of docs/stats.md, and histograms. */
#include "tests/unit/unit.h"

#include "stats/statsfs.h"
#include "stats/statsfs_int.h"
#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

struct all {
	u8 a;
	u16 b;
	u32 c;
	u64 d;
	s8 e;
	s16 f;
	s32 g;
	s64 h;
	bool i;
};

#define V(m, t, kind) { .name = #m, .offset = offsetof(struct all, m), \
			.type = &stats_fs_type_##t, .aggr_kind = STATS_FS_##kind }
#define ALL_TYPES(kind) { V(a, u8, kind), V(b, u16, kind), V(c, u32, kind), V(d, u64, kind), \
	V(e, s8, kind), V(f, s16, kind), V(g, s32, kind), V(h, s64, kind), V(i, bool, kind), { 0 } }

static const struct stats_fs_value none[] = ALL_TYPES(NONE), sum[] = ALL_TYPES(SUM);
static const struct stats_fs_value min[] = ALL_TYPES(MIN), max[] = ALL_TYPES(MAX);
static const struct stats_fs_value zero[] = ALL_TYPES(COUNT_ZERO), avg[] = ALL_TYPES(AVG);
/* The same values under another address: another identity. */
static const struct stats_fs_value sum_twin[] = ALL_TYPES(SUM);

static struct all x = { 200, 60000, 4000000000u, ~0ULL, -100, -30000, -2000000000, INT64_MIN, 1 };
static struct all y = { 3, 3, 3, 3, 3, 3, 3, 3, 0 };

static struct stats_mem mem;
static struct stats_fs fs;
static struct stats_fs_source *top, *one, *two;

static int setup(void **state)
{
	struct stats_fs_mem ops = stats_mem_ops(&mem);

	(void)state;
	assert_int_equal(stats_fs_init(&fs, &ops), 0);
	assert_int_equal(stats_fs_source_create(&fs, &top, 0, "top"), 0);
	assert_int_equal(stats_fs_source_create(&fs, &one, 0, "one"), 0);
	assert_int_equal(stats_fs_source_create(&fs, &two, 0, "two"), 0);
	assert_int_equal(stats_fs_source_register(top), 0);
	assert_int_equal(stats_fs_source_add_subordinate(top, one), 0);
	assert_int_equal(stats_fs_source_add_subordinate(one, two), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stats_fs_source_put(top);
	stats_fs_source_put(one);
	stats_fs_source_put(two);
	stats_fs_fini(&fs);
	assert_int_equal(mem.live, 0);
	return 0;
}

static void add(struct stats_fs_source *s, const struct stats_fs_value *v, void *base)
{
	assert_int_equal(stats_fs_source_add_values(s, v, base, 0), 0);
}

static u64 get(struct stats_fs_source *s, const struct stats_fs_value *v)
{
	u64 n = 1;

	assert_int_equal(stats_fs_source_get_value(s, v, &n), 0);
	return n;
}

/* x at `one`, y below it, the aggregate on top. */
static void both(const struct stats_fs_value *v)
{
	add(one, v, &x);
	add(two, v, &y);
	add(top, v, NULL);
}

/* Rule 1: with a base it is read there, whatever its kind of aggregate. */
static void test_rule1_simple(void **state)
{
	const struct stats_fs_value *const kinds[] = { none, sum, min, max, zero, avg };
	const u64 want[] = { 200, 60000, 4000000000u, ~0ULL, (u64)-100, (u64)-30000,
			     (u64)-2000000000LL, (u64)INT64_MIN, 1 };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		add(one, kinds[k], &x);
		add(two, kinds[k], &y);
		for (size_t i = 0; i < ARRAY_SIZE(want); i++)
			assert_int_equal(get(one, &kinds[k][i]), want[i]);
	}
}

/* Rule 2: own source and all below, same array, with a base. */
static void test_rule2_aggregate(void **state)
{
	add(top, sum, NULL);
	assert_int_equal(get(top, &sum[0]), 0);
	add(top, sum, &y);
	add(one, sum, &x);
	add(two, sum, &y);
	add(two, sum_twin, &x);		/* another array: not part of it */
	assert_int_equal(get(top, &sum[0]), 206);
	add(one, sum, NULL);		/* an aggregate is no member of another */
	assert_int_equal(get(top, &sum[0]), 206);
	assert_int_equal(stats_fs_source_remove_subordinate(one, two), 0);
	assert_int_equal(get(top, &sum[0]), 203);
	/* What is above and beside is not seen from below. */
	assert_int_equal(get(two, &sum[0]), 3);
}

/* Rule 3: by descriptor the group that has it, by name the first one. */
static void test_rule3_lookup(void **state)
{
	u64 n;

	add(one, min, &x);
	add(one, max, &y);
	assert_int_equal(get(one, &max[0]), 3);
	assert_int_equal(stats_fs_source_get_value_by_name(one, "a", &n), 0);
	assert_int_equal(n, 200);
	assert_int_equal(stats_fs_source_get_value(one, &avg[0], &n), -ENOENT);
	assert_int_equal(n, 0);
	assert_int_equal(stats_fs_source_get_value_by_name(one, "zz", &n), -ENOENT);
	assert_int_equal(stats_fs_source_get_value_by_name(one, "", &n), -ENOENT);
}

/* Rule 4: results, signs, wrap, rounding toward zero. */
static void test_rule4_results(void **state)
{
	static const s64 want[][9] = {
		{ 203, 60003, 4000000003, 2, -97, -29997, -1999999997, INT64_MIN + 3, 1 },
		{ 3, 3, 3, 3, -100, -30000, -2000000000, INT64_MIN, 0 },
		{ 200, 60000, 4000000000, -1, 3, 3, 3, 3, 1 },
		{ 0, 0, 0, 0, 0, 0, 0, 0, 1 },
		{ 101, 30001, 2000000001, 1, -48, -14998, -999999998, INT64_MIN / 2 + 2, 0 },
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	};
	const struct stats_fs_value *const kinds[] = { sum, min, max, zero, avg, none };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		both(kinds[k]);
		for (size_t i = 0; i < 9; i++) {
			s64 got = (s64)get(top, &kinds[k][i]);

			if (got != want[k][i])
				print_error("%s of %s\n", stats_fs_aggr_name(kinds[k][i].aggr_kind),
					    kinds[k][i].name);
			assert_true(got == want[k][i]);
		}
	}
}

static void test_rule4_empty(void **state)
{
	const struct stats_fs_value *const kinds[] = { sum, zero, avg, none };
	struct stats_fs_reading r;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		add(top, kinds[k], NULL);
		for (size_t i = 0; i < 9; i++)
			assert_int_equal(get(top, &kinds[k][i]), 0);
	}
	add(top, min, NULL);
	add(top, max, NULL);
	for (size_t i = 0; i < 9; i++) {
		bool sign = i >= 4 && i < 8;

		assert_true(get(top, &min[i]) == (sign ? (u64)INT64_MAX : UINT64_MAX));
		assert_true(get(top, &max[i]) == (sign ? (u64)INT64_MIN : 0));
		assert_int_equal(stats_fs_source_read(top, &min[i], &r), 0);
		assert_int_equal(r.members, 0);
		assert_int_equal(r.sign, sign);
		assert_false(r.revoked);
	}
}

/* Rule 5: hidden ones are not seen, but counted. */
static void test_rule5_hidden(void **state)
{
	struct stats_fs_source *hidden;
	struct stats_fs_entry e;
	struct stats_fs_node node;
	char buf[32];

	assert_int_equal(stats_fs_source_create(&fs, &hidden, STATS_FS_HIDDEN, "hidden"), 0);
	assert_int_equal(stats_fs_source_add_subordinate(top, hidden), 0);
	add(hidden, sum, &x);
	add(top, sum, NULL);
	assert_int_equal(stats_fs_source_add_values(two, sum, &y, STATS_FS_HIDDEN), 0);
	assert_int_equal(get(top, &sum[0]), 203);
	assert_int_equal(stats_fs_lookup(&fs, "/top/hidden", &node), -ENOENT);
	assert_int_equal(stats_fs_read_path(&fs, "/top/hidden/a", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(stats_fs_read_path(&fs, "/top/one/two/a", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(stats_fs_read_path(&fs, "/top/a", buf, sizeof(buf)), 4);
	assert_string_equal(buf, "203\n");
	assert_int_equal(stats_fs_lookup(&fs, "/top", &node), 0);
	for (u32 i = 0; !stats_fs_node_entry(&node, i, &e); i++)
		assert_string_not_equal(e.name, "hidden");
	stats_fs_node_put(&node);
	stats_fs_source_put(hidden);
}

static u64 custom_get(const struct stats_fs_value *val, const void *addr)
{
	return 10 * *(const u8 *)addr + val->offset;
}

static void custom_clear(const struct stats_fs_value *val, void *addr)
{
	*(u8 *)addr = 42;
}

static const char *show(u64 v)
{
	return v == 3 ? "three" : "other";
}

static const struct stats_fs_type custom = { "custom", 1, false, custom_get, custom_clear };
static const struct stats_fs_type read_only = { "read_only", 1, false, custom_get, NULL };

/* Rule 6: modes, clear, what files contain. */
static void test_rule6_files(void **state)
{
	static const struct stats_fs_value v[] = {
		{ .name = "plain", .offset = offsetof(struct all, e), .type = &stats_fs_type_s8,
		  .aggr_kind = STATS_FS_SUM },
		{ .name = "level", .offset = offsetof(struct all, b), .type = &stats_fs_type_u16,
		  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_FLOATING_VALUE },
		{ .name = "custom", .offset = 0, .type = &custom, .aggr_kind = STATS_FS_SUM },
		{ .name = "ro", .offset = 0, .type = &read_only, .aggr_kind = STATS_FS_SUM },
		{ .name = "enum", .offset = 0, .type = &stats_fs_type_u8, .show = show },
		{ 0 },
	};
	struct all data = { .a = 3, .b = 7, .e = -5 }, more = { .a = 1, .b = 1, .e = -6 };
	static const struct { const char *path; u32 mode; const char *text; int write; } t[] = {
		{ "/top/one/plain", 0644, "-5\n", 0 },
		{ "/top/one/level", 0444, "7\n", -EPERM },
		{ "/top/one/custom", 0644, "30\n", 0 },
		{ "/top/one/ro", 0444, "420\n", -EPERM },	/* behind custom's clear */
		{ "/top/one/enum", 0644, "other\n", 0 },
		{ "/top/plain", 0644, "-6\n", 0 },
		{ "/top/level", 0444, "8\n", -EPERM },
		{ "/top/one", 0755, NULL, -EINVAL },
	};

	add(one, v, &data);
	add(two, v, &more);
	add(top, v, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct stats_fs_node node;
		char buf[32];
		int len;

		assert_int_equal(stats_fs_lookup(&fs, t[i].path, &node), 0);
		assert_int_equal(stats_fs_node_mode(&node), t[i].mode);
		len = stats_fs_node_text(&node, buf, sizeof(buf));
		if (t[i].text) {
			assert_string_equal(buf, t[i].text);
			assert_int_equal(len, strlen(buf));
		} else {
			assert_int_equal(len, -EINVAL);
		}
		if (t[i].mode == 0644)
			assert_int_equal(stats_fs_node_write(&node, 1), -EINVAL);
		assert_int_equal(stats_fs_node_write(&node, 0), t[i].write);
		stats_fs_node_put(&node);
	}
	/* The aggregate's clear went to all members. */
	assert_int_equal(data.e, 0);
	assert_int_equal(more.e, 0);
	assert_int_equal(more.b, 1);
	data.a = 3;
	assert_int_equal(stats_fs_source_clear(one, &v[1]), -EPERM);
	assert_int_equal(stats_fs_source_clear(one, &sum[0]), -ENOENT);
}

/* Rule 7: after revoke the data is not looked at any more. */
static void test_rule7_revoke(void **state)
{
	struct all *data = malloc(sizeof(*data));
	struct stats_fs_reading r;
	char buf[16];

	assert_non_null(data);
	*data = x;
	add(two, min, data);
	add(top, min, NULL);
	assert_int_equal(get(top, &min[0]), 200);
	stats_fs_source_revoke(one);
	free(data);
	assert_true(get(two, &min[0]) == UINT64_MAX);
	assert_true(get(top, &min[0]) == UINT64_MAX);
	assert_int_equal(stats_fs_source_read(two, &min[0], &r), 0);
	assert_true(r.revoked && !r.members);
	assert_int_equal(stats_fs_source_read(top, &min[0], &r), 0);
	assert_true(!r.revoked && !r.members);
	/* Files give 0, not the neutral element. */
	assert_int_equal(stats_fs_read_path(&fs, "/top/one/two/a", buf, sizeof(buf)), 2);
	assert_string_equal(buf, "0\n");
	assert_int_equal(stats_fs_source_clear(two, &min[0]), 0);
}

/* Rule 9: as KVM uses it. */
static void test_rule9_kvm(void **state)
{
	struct all vcpu[2][2] = { { { .d = 1 }, { .d = 2 } }, { { .d = 4 }, { .d = 8 } } };
	struct all vm[2] = { { .c = 16 }, { .c = 32 } };
	struct stats_fs_source *vms[2], *cpu;

	add(top, sum, NULL);
	add(top, max, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stats_fs_source_create(&fs, &vms[i], 0, "vm%d", i), 0);
		add(vms[i], max, &vm[i]);
		add(vms[i], sum, NULL);
		assert_int_equal(stats_fs_source_add_subordinate(top, vms[i]), 0);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(stats_fs_source_create(&fs, &cpu, 0, "vcpu%d", k), 0);
			add(cpu, sum, &vcpu[i][k]);
			assert_int_equal(stats_fs_source_add_subordinate(vms[i], cpu), 0);
			stats_fs_source_put(cpu);
		}
	}
	assert_int_equal(get(top, &sum[3]), 15);
	assert_int_equal(get(vms[0], &sum[3]), 3);
	assert_int_equal(get(vms[1], &sum[3]), 12);
	assert_int_equal(get(top, &max[2]), 32);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stats_fs_source_remove_subordinate(top, vms[i]), 0);
		stats_fs_source_put(vms[i]);
	}
	assert_int_equal(get(top, &sum[3]), 0);
}

struct counters {
	u64 n;
	u64 hist[64];
};

static const struct stats_fs_hist pow2 = { .buckets = 64 }, linear = { .buckets = 4, .width = 10 };
static const struct stats_fs_value counters[] = {
	{ .name = "n", .offset = offsetof(struct counters, n), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER },
	{ .name = "h", .offset = offsetof(struct counters, hist), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER, .hist = &pow2,
	  .unit = "cycles" },
	{ 0 },
};

/* Clearing does not touch the counter: an increment under way is not undone. */
static void test_counter_clear(void **state)
{
	struct counters a = { .n = 5, .hist = { [3] = 2 } }, b = { .n = 6 };
	u64 bucket[64];

	add(one, counters, &a);
	add(two, counters, &b);
	add(top, counters, NULL);
	assert_int_equal(stats_fs_source_clear(top, &counters[0]), 0);
	assert_int_equal(a.n, 5);
	assert_int_equal(get(top, &counters[0]), 0);
	a.n++;
	b.n += 2;
	assert_int_equal(get(top, &counters[0]), 3);
	assert_int_equal(get(one, &counters[0]), 1);
	assert_int_equal(get(one, &counters[1]), 2);
	assert_int_equal(stats_fs_source_clear(one, &counters[1]), 0);
	a.hist[3]++;
	assert_int_equal(stats_fs_source_get_hist(top, &counters[1], bucket), 0);
	assert_int_equal(bucket[3], 1);
	assert_int_equal(get(one, &counters[0]), 1);
}

/* Copies per CPU: added; the largest for MAX, the smallest for MIN. */
static void test_slots(void **state)
{
	struct all cpu[3] = { { .a = 1, .d = 10, .h = -1 }, { .a = 2, .d = 30, .h = -9 },
			      { .a = 4, .d = 20, .h = -2 } };
	const struct stats_fs_value *const arrays[] = { sum, max, min };

	for (size_t i = 0; i < 3; i++) {
		const struct stats_fs_group_desc d = { .array = arrays[i], .base = cpu, .slots = 3,
						       .stride = sizeof(cpu[0]) };

		assert_int_equal(stats_fs_source_add_group(one, &d), 0);
		add(top, arrays[i], NULL);
	}
	assert_int_equal(get(one, &sum[0]), 7);
	assert_int_equal(get(top, &sum[3]), 60);
	assert_int_equal(get(top, &max[3]), 30);
	assert_int_equal((s64)get(top, &max[7]), -1);
	assert_int_equal((s64)get(one, &min[7]), -9);
	assert_int_equal(stats_fs_source_clear(top, &sum[3]), 0);
	assert_int_equal(cpu[0].d + cpu[1].d + cpu[2].d, 0);
}

static void test_hist_buckets(void **state)
{
	u64 bucket[1];

	assert_int_equal(stats_fs_log2(0), 0);
	assert_int_equal(stats_fs_log2(1), 0);
	assert_int_equal(stats_fs_log2(2), 1);
	assert_int_equal(stats_fs_log2(1023), 9);
	assert_int_equal(stats_fs_log2(1024), 10);
	assert_int_equal(stats_fs_log2(~0ULL), 63);
	assert_int_equal(stats_fs_hist_low(&pow2, 0), 0);
	assert_int_equal(stats_fs_hist_low(&pow2, 1), 2);
	assert_true(stats_fs_hist_low(&pow2, 63) == 1ULL << 63);
	assert_int_equal(stats_fs_hist_low(&linear, 3), 30);
	add(one, sum, &x);
	assert_int_equal(stats_fs_source_get_hist(one, &sum[3], bucket), -EINVAL);
	assert_int_equal(stats_fs_source_get_hist(one, &counters[1], bucket), -ENOENT);
}

static void test_percentiles(void **state)
{
	const u64 empty[4] = { 0 }, flat[4] = { 100, 100, 100, 100 }, one_in[4] = { 0, 0, 1, 0 };
	const u64 open[4] = { 1, 0, 0, 1000 };
	u64 huge[64] = { [40] = 1ULL << 50, [41] = 1ULL << 50 };

	assert_int_equal(stats_fs_hist_percentile(&linear, empty, 50), 0);
	assert_int_equal(stats_fs_hist_percentile(&linear, flat, 0), 0);
	assert_in_range(stats_fs_hist_percentile(&linear, flat, 50), 19, 20);
	assert_in_range(stats_fs_hist_percentile(&linear, flat, 75), 29, 30);
	assert_int_equal(stats_fs_hist_percentile(&linear, flat, 90), 30);
	assert_in_range(stats_fs_hist_percentile(&linear, one_in, 50), 20, 29);
	assert_int_equal(stats_fs_hist_percentile(&linear, open, 99), 30);
	/* Large numbers do not overflow. */
	assert_in_range(stats_fs_hist_percentile(&pow2, huge, 50), 1ULL << 40, 1ULL << 41);
	assert_in_range(stats_fs_hist_percentile(&pow2, huge, 99), 1ULL << 41, 1ULL << 42);
}

/* The cost of an aggregate is that of what is read: bounded per source. */
static void test_many_sources(void **state)
{
	static struct all data[1000];
	struct stats_fs_source *s;

	add(top, sum, NULL);
	for (int i = 0; i < 1000; i++) {
		data[i].d = (u64)i;
		assert_int_equal(stats_fs_source_create(&fs, &s, 0, "s%d", i), 0);
		add(s, sum, &data[i]);
		assert_int_equal(stats_fs_source_add_subordinate(top, s), 0);
		stats_fs_source_put(s);
	}
	assert_int_equal(get(top, &sum[3]), 499500);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		T(test_rule1_simple), T(test_rule2_aggregate), T(test_rule3_lookup),
		T(test_rule4_results), T(test_rule4_empty), T(test_rule5_hidden),
		T(test_rule6_files), T(test_rule7_revoke), T(test_rule9_kvm),
		T(test_counter_clear), T(test_slots), T(test_hist_buckets), T(test_percentiles),
		T(test_many_sources),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
