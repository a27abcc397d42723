/* SPDX-License-Identifier: MIT */
/* The tree: names, parents, references, revoke and retire, many threads. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "stats/statsfs.h"
#include "stats/statsfs_int.h"
#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

struct data {
	u64 n, derived;
	s32 low;
	u64 peak;
	u64 level;
	u64 hist[4];
};

static const struct stats_fs_hist hist4 = { .buckets = 4, .width = 10 };

static const struct stats_fs_value values[] = {
	{ .name = "n", .offset = offsetof(struct data, n), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER },
	{ .name = "alias", .offset = offsetof(struct data, n), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER | STATS_FS_DERIVED },
	{ .name = "low", .offset = offsetof(struct data, low), .type = &stats_fs_type_s32,
	  .aggr_kind = STATS_FS_MIN },
	{ .name = "peak", .offset = offsetof(struct data, peak), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_MAX },
	{ .name = "level", .offset = offsetof(struct data, level), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_FLOATING_VALUE },
	{ .name = "hist", .offset = offsetof(struct data, hist), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER, .hist = &hist4 },
	{ 0 },
};

static struct stats_mem mem;
static struct stats_fs fs;

static int setup(void **state)
{
	struct stats_fs_mem ops = stats_mem_ops(&mem);

	(void)state;
	return stats_fs_init(&fs, &ops);
}

/* Every test puts what it made: nothing may be left. */
static int teardown(void **state)
{
	(void)state;
	stats_fs_fini(&fs);
	assert_int_equal(mem.live, 0);
	assert_false(spin_is_locked(&fs.lock));
	assert_int_equal(fs.readers[0] + fs.readers[1], 0);
	return 0;
}

static struct stats_fs_source *make(const char *name)
{
	struct stats_fs_source *s;

	assert_int_equal(stats_fs_source_create(&fs, &s, 0, "%s", name), 0);
	return s;
}

static struct stats_fs_source *make_below(struct stats_fs_source *parent, const char *name)
{
	struct stats_fs_source *s = make(name);

	assert_int_equal(stats_fs_source_add_subordinate(parent, s), 0);
	return s;
}

static u64 get(struct stats_fs_source *s, const char *name)
{
	u64 v;

	assert_int_equal(stats_fs_source_get_value_by_name(s, name, &v), 0);
	return v;
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"", "a/b", "/", ".", "..", "tab\there", "\x7f", "\xc3\xa9", "esc\x1b[31m",
	};
	char longest[STATS_FS_NAME_MAX + 2];
	struct stats_fs_source *s;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(stats_fs_source_create(&fs, &s, 0, "%s", bad[i]), -EINVAL);
		assert_null(s);
	}
	memset(longest, 'x', sizeof(longest));
	longest[STATS_FS_NAME_MAX + 1] = 0;
	assert_int_equal(stats_fs_source_create(&fs, &s, 0, "%s", longest), -EINVAL);
	longest[STATS_FS_NAME_MAX] = 0;
	s = make(longest);
	assert_int_equal(strlen(s->name), STATS_FS_NAME_MAX);
	stats_fs_source_put(s);
	mem.left = 0;
	assert_int_equal(stats_fs_source_create(&fs, &s, 0, "a"), -ENOMEM);
	assert_null(s);
}

static void test_name_order(void **state)
{
	static const char *const sorted[] = {
		"01", "1", "a", "a0", "a1b", "a2", "a10", "a10b", "b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			int c = stats_fs_name_cmp(sorted[i], sorted[j]);

			assert_int_equal(c < 0 ? -1 : c > 0, i < j ? -1 : i > j);
		}
}

static void test_subordinates_sorted(void **state)
{
	static const char *const name[] = { "vm10", "vm2", "ended", "vm1" };
	static const char *const want[] = { "ended", "vm1", "vm2", "vm10" };
	struct stats_fs_source *s[4], *c;

	for (int i = 0; i < 4; i++)
		s[i] = make_below(fs.root, name[i]);
	c = fs.root->child;
	for (int i = 0; i < 4; i++, c = c->next)
		assert_string_equal(c->name, want[i]);
	assert_null(c);
	for (int i = 0; i < 4; i++)
		stats_fs_source_put(s[i]);
}

static void test_parents(void **state)
{
	struct stats_fs_source *a = make("a"), *b = make_below(a, "b"), *c = make_below(b, "c");
	struct stats_fs_source *twin = make("b"), *other = make("other");

	assert_int_equal(stats_fs_source_add_subordinate(a, b), -EEXIST);
	assert_int_equal(stats_fs_source_add_subordinate(other, b), -EBUSY);
	assert_int_equal(stats_fs_source_add_subordinate(a, twin), -EEXIST);
	assert_int_equal(stats_fs_source_add_subordinate(a, a), -ELOOP);
	assert_int_equal(stats_fs_source_add_subordinate(c, a), -ELOOP);
	assert_int_equal(stats_fs_source_remove_subordinate(a, c), -ENOENT);
	assert_int_equal(stats_fs_source_remove_subordinate(a, twin), -ENOENT);
	assert_int_equal(stats_fs_source_remove_subordinate(a, b), 0);
	assert_int_equal(stats_fs_source_remove_subordinate(a, b), -ENOENT);
	assert_int_equal(stats_fs_source_add_subordinate(a, twin), 0);
	assert_int_equal(stats_fs_source_add_subordinate(other, b), 0);
	stats_fs_source_put(a);
	stats_fs_source_put(b);
	stats_fs_source_put(c);
	stats_fs_source_put(twin);
	stats_fs_source_put(other);
}

static void test_depth(void **state)
{
	struct stats_fs_source *s[STATS_FS_DEPTH_MAX + 1], *pair = make("x"), *below;

	s[0] = fs.root;
	for (u32 i = 1; i <= STATS_FS_DEPTH_MAX; i++)
		s[i] = make_below(s[i - 1], "d");
	below = make_below(pair, "y");
	assert_int_equal(stats_fs_source_add_subordinate(s[STATS_FS_DEPTH_MAX], pair), -E2BIG);
	assert_int_equal(stats_fs_source_add_subordinate(s[STATS_FS_DEPTH_MAX - 1], pair), -E2BIG);
	assert_int_equal(stats_fs_source_add_subordinate(s[STATS_FS_DEPTH_MAX - 2], pair), 0);
	stats_fs_source_put(pair);
	stats_fs_source_put(below);
	for (u32 i = 1; i <= STATS_FS_DEPTH_MAX; i++)
		stats_fs_source_put(s[i]);
}

/* Rule 8: creator, parent and readers keep it; the last put frees all below. */
static void test_references(void **state)
{
	struct stats_fs_source *a = make("a"), *b = make_below(a, "b"), *c = make_below(b, "c");
	struct stats_fs_node node;
	struct data d = { .n = 7 };

	assert_int_equal(stats_fs_source_add_values(c, values, &d, 0), 0);
	assert_int_equal(stats_fs_source_register(a), 0);
	stats_fs_source_put(b);
	stats_fs_source_put(c);
	assert_int_equal(stats_fs_lookup(&fs, "/a/b/c/n", &node), 0);
	assert_int_equal(stats_fs_source_remove_subordinate(fs.root, a), 0);
	assert_int_equal(get(c, "n"), 7);
	stats_fs_source_put(a);
	/* The open file alone holds c now, which has no parent any more. */
	assert_null(c->parent);
	assert_int_equal(c->refs, 1);
	assert_int_equal(get(c, "n"), 7);
	stats_fs_node_put(&node);
	assert_int_equal(mem.live, 1);		/* the root */
}

static void test_groups(void **state)
{
	static const struct stats_fs_value slash[] = { { .name = "a/b", .type = &stats_fs_type_u8 },
						       { 0 } };
	static const struct stats_fs_value no_type[] = { { .name = "a" }, { 0 } };
	static const struct stats_fs_hist none = { .buckets = 0 }, many = { .buckets = 65 };
	static const struct stats_fs_value no_buckets[] = {
		{ .name = "h", .type = &stats_fs_type_u64, .hist = &none }, { 0 } };
	static const struct stats_fs_value buckets65[] = {
		{ .name = "h", .type = &stats_fs_type_u64, .hist = &many }, { 0 } };
	static const struct stats_fs_value narrow[] = {
		{ .name = "c", .type = &stats_fs_type_u32, .value_flag = STATS_FS_COUNTER },
		{ 0 } };
	const struct stats_fs_group_desc bad_dir = { .array = values, .dir = "a/b" };
	struct stats_fs_source *s = make("s");
	struct data d = { 0 }, e = { 0 };

	assert_int_equal(stats_fs_source_add_values(s, slash, &d, 0), -EINVAL);
	assert_int_equal(stats_fs_source_add_values(s, no_type, &d, 0), -EINVAL);
	assert_int_equal(stats_fs_source_add_values(s, no_buckets, &d, 0), -EINVAL);
	assert_int_equal(stats_fs_source_add_values(s, buckets65, &d, 0), -EINVAL);
	assert_int_equal(stats_fs_source_add_values(s, narrow, &d, 0), -EINVAL);
	assert_int_equal(stats_fs_source_add_values(s, NULL, &d, 0), -EINVAL);
	assert_int_equal(stats_fs_source_add_group(s, &bad_dir), -EINVAL);
	assert_int_equal(stats_fs_source_add_values(s, values, &d, 0), 0);
	assert_int_equal(stats_fs_source_add_values(s, values, &d, 0), -EEXIST);
	assert_int_equal(stats_fs_source_add_values(s, values, NULL, 0), 0);
	assert_int_equal(stats_fs_source_add_values(s, values, NULL, 0), -EEXIST);
	mem.left = 0;
	assert_int_equal(stats_fs_source_add_values(s, values, &e, 0), -ENOMEM);
	mem.left = -1;
	assert_int_equal(stats_fs_source_add_values(s, values, &e, 0), 0);
	stats_fs_source_put(s);
}

/* Built out: everything answers -ENODEV. */
static void test_no_statistics(void **state)
{
	struct stats_fs_source *s;
	struct stats_fs_node node;
	u64 v = 5;

	assert_int_equal(stats_fs_source_create(NULL, &s, 0, "a"), -ENODEV);
	assert_null(s);
	assert_int_equal(stats_fs_source_register(NULL), -ENODEV);
	assert_int_equal(stats_fs_source_add_values(NULL, values, NULL, 0), -ENODEV);
	assert_int_equal(stats_fs_source_add_subordinate(NULL, NULL), -ENODEV);
	assert_int_equal(stats_fs_source_remove_subordinate(NULL, NULL), -ENODEV);
	assert_int_equal(stats_fs_source_get_value(NULL, values, &v), -ENODEV);
	assert_int_equal(v, 0);
	assert_int_equal(stats_fs_source_get_value_by_name(NULL, "n", &v), -ENODEV);
	assert_int_equal(stats_fs_source_get_hist(NULL, values, &v), -ENODEV);
	assert_int_equal(stats_fs_source_clear(NULL, values), -ENODEV);
	assert_int_equal(stats_fs_source_label(NULL, "a", "b"), -ENODEV);
	assert_int_equal(stats_fs_lookup(NULL, "/", &node), -ENODEV);
	stats_fs_source_revoke(NULL);
	stats_fs_source_retire(NULL, NULL);
	stats_fs_source_put(NULL);
	stats_fs_recover(NULL);
}

static void test_labels(void **state)
{
	struct stats_fs_source *s = make("s");

	assert_int_equal(stats_fs_source_label(s, "guest", "linux"), 0);
	assert_int_equal(stats_fs_source_label(s, "mode", ""), 0);
	assert_int_equal(stats_fs_source_label(s, "guest", "xen"), 0);
	assert_string_equal(stats_fs_source_get_label(s, "guest"), "xen");
	assert_string_equal(stats_fs_source_get_label(s, "mode"), "");
	assert_null(stats_fs_source_get_label(s, "gues"));
	assert_int_equal(stats_fs_source_label(s, "", "x"), -EINVAL);
	assert_int_equal(stats_fs_source_label(s, "a=b", "x"), -EINVAL);
	assert_int_equal(stats_fs_source_label(s, "a b", "x"), -EINVAL);
	mem.left = 0;
	assert_int_equal(stats_fs_source_label(s, "a", "x"), -ENOMEM);
	stats_fs_source_put(s);
}

/* What a VM counted stays in the totals when it goes. */
static void test_retire(void **state)
{
	struct data total = { .low = 100 }, a = { 5, 0, -3, 9, 4, { 1, 2, 0, 1 } };
	struct data b = { 7, 0, 8, 2, 6, { 0, 1, 0, 0 } };
	struct stats_fs_source *kvm = make("kvm"), *ended = make_below(kvm, "ended");
	struct stats_fs_source *vm0 = make_below(kvm, "vm0"), *vm1 = make_below(kvm, "vm1");
	struct stats_fs_source *cpu = make_below(vm0, "vcpu0");
	u64 bucket[4];

	assert_int_equal(stats_fs_source_add_values(kvm, values, NULL, 0), 0);
	assert_int_equal(stats_fs_source_add_values(ended, values, &total, 0), 0);
	assert_int_equal(stats_fs_source_add_values(cpu, values, &a, 0), 0);
	assert_int_equal(stats_fs_source_add_values(vm1, values, &b, 0), 0);
	assert_int_equal(get(kvm, "n"), 12);
	/* A cleared counter goes into the total as it reads, and its alias too. */
	a.n = 50;
	assert_int_equal(stats_fs_source_clear(cpu, &values[0]), 0);
	a.n = 55;
	assert_int_equal(get(cpu, "n"), 5);
	assert_int_equal(get(cpu, "alias"), 55);
	assert_int_equal(get(kvm, "n"), 12);
	assert_int_equal(get(kvm, "alias"), 62);

	stats_fs_source_retire(vm0, ended);
	memset(&a, 0xee, sizeof(a));
	assert_null(vm0->parent);
	assert_int_equal(get(kvm, "n"), 12);
	assert_int_equal(get(ended, "n"), 5);
	assert_int_equal(get(kvm, "alias"), 62);
	assert_int_equal((s64)get(kvm, "low"), -3);
	assert_int_equal(get(kvm, "peak"), 9);
	assert_int_equal(get(kvm, "level"), 6);		/* floating: gone with it */
	assert_int_equal(stats_fs_source_get_hist(kvm, &values[5], bucket), 0);
	assert_int_equal(bucket[0], 1);
	assert_int_equal(bucket[1], 3);
	assert_int_equal(bucket[3], 1);

	stats_fs_source_retire(vm1, ended);
	assert_int_equal(get(kvm, "n"), 12);
	assert_int_equal(get(ended, "n"), 12);
	assert_int_equal(stats_fs_source_clear(kvm, &values[0]), 0);
	assert_int_equal(get(kvm, "n"), 0);
	stats_fs_source_put(cpu);
	stats_fs_source_put(vm0);
	stats_fs_source_put(vm1);
	stats_fs_source_put(ended);
	stats_fs_source_put(kvm);
}

/* No memory to keep the baseline apart: the number alone is right. */
static void test_retire_without_memory(void **state)
{
	struct data total = { 0 }, a = { .n = 50 };
	struct stats_fs_source *ended = make("ended"), *vm = make_below(fs.root, "vm");

	assert_int_equal(stats_fs_source_add_values(ended, values, &total, 0), 0);
	assert_int_equal(stats_fs_source_add_values(vm, values, &a, 0), 0);
	mem.left = 0;
	assert_int_equal(stats_fs_source_clear(vm, &values[0]), -ENOMEM);
	mem.left = 1;
	assert_int_equal(stats_fs_source_clear(vm, &values[0]), 0);
	a.n = 53;
	stats_fs_source_retire(vm, ended);
	assert_int_equal(get(ended, "n"), 3);
	stats_fs_source_put(vm);
	stats_fs_source_put(ended);
}

/* A CPU that was stopped in a read section, with the lock, while moving. */
static void test_recover(void **state)
{
	struct stats_fs_source *s = make_below(fs.root, "s");
	struct data d = { .n = 3 };

	assert_int_equal(stats_fs_source_add_values(s, values, &d, 0), 0);
	stats_fs_enter(&fs);
	spin_lock(&fs.lock);
	fs.seq++;
	stats_fs_recover(&fs);
	assert_int_equal(get(s, "n"), 3);
	assert_int_equal(stats_fs_source_remove_subordinate(fs.root, s), 0);
	stats_fs_source_put(s);
}

/*
 * Threads that add, count, clear and take away sources below one parent while
 * others read: a counter that never shrinks must never be seen to shrink, and
 * what is gone must never be read (its memory is poisoned and freed).
 */
#define WRITERS		3
#define READERS		2
#define ROUNDS		400

static struct stats_fs_source *top, *gone;
static struct data gone_data;
static bool stop;
static u64 counted;

static void *writer(void *arg)
{
	u64 id = (u64)(uintptr_t)arg;

	for (u64 i = 0; i < ROUNDS; i++) {
		struct data *d = calloc(1, sizeof(*d));
		struct stats_fs_source *s, *below;

		assert_non_null(d);
		assert_int_equal(stats_fs_source_create(&fs, &s, 0, "w%llu_%llu",
							(unsigned long long)id,
							(unsigned long long)i), 0);
		below = make_below(s, "below");
		assert_int_equal(stats_fs_source_add_values(below, values, d, 0), 0);
		assert_int_equal(stats_fs_source_add_subordinate(top, s), 0);
		for (int k = 0; k < 50; k++) {
			__atomic_store_n(&d->n, d->n + 1, __ATOMIC_RELAXED);
			__atomic_fetch_add(&counted, 1, __ATOMIC_SEQ_CST);
		}
		if (i % 4 == 3)
			assert_int_equal(stats_fs_source_clear(s, &values[4]), -ENOENT);
		stats_fs_source_retire(s, gone);
		memset(d, 0xee, sizeof(*d));
		free(d);
		stats_fs_source_put(below);
		stats_fs_source_put(s);
	}
	return NULL;
}

static void *reader(void *arg)
{
	u64 last = 0, n;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		char buf[32];

		assert_int_equal(stats_fs_source_get_value(top, &values[0], &n), 0);
		assert_true(n >= last);
		last = n;
		/* Every increment of n is counted just after it. */
		assert_true(n <= __atomic_load_n(&counted, __ATOMIC_SEQ_CST) + WRITERS);
		stats_fs_read_path(&fs, "/top/w1_7/below/n", buf, sizeof(buf));
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t w[WRITERS], r[READERS];
	u64 n;

	top = make_below(fs.root, "top");
	gone = make_below(top, "gone");
	memset(&gone_data, 0, sizeof(gone_data));
	counted = 0;
	stop = false;
	assert_int_equal(stats_fs_source_add_values(top, values, NULL, 0), 0);
	assert_int_equal(stats_fs_source_add_values(gone, values, &gone_data, 0), 0);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&r[i], NULL, reader, NULL), 0);
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&w[i], NULL, writer, (void *)i), 0);
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(w[i], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(r[i], NULL);
	assert_int_equal(stats_fs_source_get_value(top, &values[0], &n), 0);
	assert_int_equal(n, WRITERS * ROUNDS * 50);
	stats_fs_source_put(gone);
	stats_fs_source_put(top);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		T(test_names), T(test_name_order), T(test_subordinates_sorted), T(test_parents),
		T(test_depth), T(test_references), T(test_groups), T(test_no_statistics),
		T(test_labels), T(test_retire), T(test_retire_without_memory), T(test_recover),
		T(test_threads),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
