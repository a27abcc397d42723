/* SPDX-License-Identifier: MIT */
#include "tests/stats/kunit.h"

#include "core/lib/string.h"
#include "stats/statsfs_int.h"

#define EQ(k, got, want)	(k)->eq((k)->ctx, (u64)(got), (u64)(want), #got, __LINE__)

struct container {
	u64 u64;
	s32 s32;
	bool bo;
	u8 u8;
	s16 s16;
};

#define VALUE(member, type_, ...)						\
	{ .name = #member, .offset = offsetof(struct container, member),	\
	  .type = &stats_fs_type_##type_, __VA_ARGS__ }
#define FLOATING .value_flag = STATS_FS_FLOATING_VALUE
#define COUNT(array) ((int)ARRAY_SIZE(array) - 1)

static const struct stats_fs_value test_values[] = {
	VALUE(u64, u64, .aggr_kind = STATS_FS_NONE, FLOATING),
	VALUE(s32, s32, .aggr_kind = STATS_FS_NONE),
	VALUE(bo, bool, .aggr_kind = STATS_FS_NONE, FLOATING),
	VALUE(u8, u8, .aggr_kind = STATS_FS_NONE),
	VALUE(s16, s16, .aggr_kind = STATS_FS_NONE, FLOATING),
	{ 0 },
};

static const struct stats_fs_value test_aggr[] = {
	VALUE(s32, s32, .aggr_kind = STATS_FS_MIN, FLOATING),
	VALUE(bo, bool, .aggr_kind = STATS_FS_MAX, FLOATING),
	VALUE(u64, u64, .aggr_kind = STATS_FS_SUM, FLOATING),
	{ 0 },
};

static const struct stats_fs_value test_same_name[] = {
	VALUE(s32, s32, .aggr_kind = STATS_FS_NONE),
	VALUE(s32, s32, .aggr_kind = STATS_FS_MIN),
	{ 0 },
};

static const struct stats_fs_value test_all_aggr[] = {
	VALUE(s32, s32, .aggr_kind = STATS_FS_MIN),
	VALUE(bo, bool, .aggr_kind = STATS_FS_COUNT_ZERO, FLOATING),
	VALUE(u64, u64, .aggr_kind = STATS_FS_SUM),
	VALUE(u8, u8, .aggr_kind = STATS_FS_AVG, FLOATING),
	VALUE(s16, s16, .aggr_kind = STATS_FS_MAX, FLOATING),
	{ 0 },
};

#define DEF_S32		INT32_MIN
#define DEF2_S32	INT16_MAX

static struct container cont = { .u64 = 64, .s32 = DEF_S32, .bo = true, .u8 = 127, .s16 = 10000 };
static struct container cont2 = { .u64 = 64, .s32 = DEF2_S32, .bo = false, .u8 = 255,
				  .s16 = -20000 };

/* Values of src by how they are aggregated; base: only of groups with it. */
static int count_values(const struct stats_fs_source *src, bool any_base, const void *base,
			bool aggregates)
{
	int n = 0;

	for (const struct stats_fs_group *g = src->groups; g; g = g->next) {
		if (!any_base && g->base != base)
			continue;
		for (u32 i = 0; i < g->count; i++)
			n += (g->array[i].aggr_kind != STATS_FS_NONE) == aggregates;
	}
	return n;
}

static int number_values(const struct stats_fs_source *src)
{
	return count_values(src, true, NULL, false);
}

static int values_with_base(const struct stats_fs_source *src, const void *base)
{
	return count_values(src, false, base, false);
}

static int aggr_with_base(const struct stats_fs_source *src, const void *base)
{
	return count_values(src, false, base, true);
}

static int number_aggregates(const struct stats_fs_source *src)
{
	return aggr_with_base(src, NULL);
}

static int total_values(struct stats_fs_source *top)
{
	int n = 0;

	for (struct stats_fs_source *s = top; s; s = stats_fs_next(top, s))
		n += number_values(s);
	return n;
}

static int number_subsources(const struct stats_fs_source *src)
{
	int n = 0;

	for (const struct stats_fs_source *s = src->child; s; s = s->next)
		n++;
	return n;
}

static bool has_subsource(const struct stats_fs_source *src, const struct stats_fs_source *sub)
{
	for (const struct stats_fs_source *s = src->child; s; s = s->next)
		if (s == sub)
			return true;
	return false;
}

static struct stats_fs_source *new_source(struct kunit *k, const char *name)
{
	struct stats_fs_source *src;

	EQ(k, stats_fs_source_create(k->fs, &src, 0, "%s", name), 0);
	return src;
}

static void add_sub(struct kunit *k, struct stats_fs_source *parent, struct stats_fs_source *sub)
{
	EQ(k, stats_fs_source_add_subordinate(parent, sub), 0);
}

static void add(struct kunit *k, struct stats_fs_source *src, const struct stats_fs_value *array,
		struct container *base)
{
	EQ(k, stats_fs_source_add_values(src, array, base, 0), 0);
}

/* value, sign-extended from its type by the caller's constant, or the error. */
static void expect(struct kunit *k, struct stats_fs_source *src, const char *name, int err,
		   s64 want, int line)
{
	u64 ret = 12345;
	int got = stats_fs_source_get_value_by_name(src, name, &ret);

	k->eq(k->ctx, (u64)got, (u64)err, name, line);
	k->eq(k->ctx, ret, (u64)want, name, line);
}

#define GET(k, src, name, want)	expect(k, src, name, 0, (s64)(want), __LINE__)
#define NONE(k, src, name)	expect(k, src, name, -ENOENT, 0, __LINE__)

static void put3(struct stats_fs_source *a, struct stats_fs_source *b, struct stats_fs_source *c)
{
	stats_fs_source_put(a);
	stats_fs_source_put(b);
	stats_fs_source_put(c);
}

static void test_empty_folder(struct kunit *k)
{
	struct stats_fs_source *src;

	EQ(k, stats_fs_source_create(k->fs, &src, 0, "kvm_%d", 123), 0);
	EQ(k, strcmp(src->name, "kvm_123"), 0);
	EQ(k, number_subsources(src), 0);
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), 0);
	stats_fs_source_put(src);
}

static void test_add_subfolder(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub = new_source(k, "child");

	add_sub(k, src, sub);
	EQ(k, has_subsource(src, sub), true);
	EQ(k, number_subsources(src), 1);
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), 0);
	EQ(k, number_values(sub), 0);
	EQ(k, number_aggregates(sub), 0);
	EQ(k, total_values(src), 0);
	stats_fs_source_put(sub);
	sub = new_source(k, "not a child");
	EQ(k, has_subsource(src, sub), false);
	EQ(k, number_subsources(src), 1);
	put3(sub, src, NULL);
}

static void test_add_value(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");

	add(k, src, test_values, &cont);
	EQ(k, values_with_base(src, &cont), COUNT(test_values));
	EQ(k, stats_fs_source_add_values(src, test_values, &cont, 0), -EEXIST);
	EQ(k, values_with_base(src, &cont), COUNT(test_values));
	EQ(k, number_values(src), COUNT(test_values));
	EQ(k, aggr_with_base(src, &cont), 0);
	EQ(k, number_aggregates(src), 0);
	stats_fs_source_put(src);
}

static void test_add_value_in_subfolder(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub = new_source(k, "child");
	struct stats_fs_source *sub_not = new_source(k, "not a child");

	add_sub(k, src, sub);
	add(k, sub, test_values, &cont);
	EQ(k, values_with_base(sub, &cont), COUNT(test_values));
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), 0);
	EQ(k, total_values(src), COUNT(test_values));
	EQ(k, number_values(sub), COUNT(test_values));
	EQ(k, number_aggregates(sub), 0);

	add(k, sub_not, test_values, &cont);
	EQ(k, values_with_base(sub_not, &cont), COUNT(test_values));
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), 0);
	EQ(k, total_values(src), COUNT(test_values));

	EQ(k, stats_fs_source_remove_subordinate(src, sub), 0);
	EQ(k, total_values(src), 0);
	add_sub(k, src, sub);
	EQ(k, total_values(src), COUNT(test_values));
	add_sub(k, src, sub_not);
	EQ(k, total_values(src), COUNT(test_values) * 2);
	EQ(k, number_values(sub_not), COUNT(test_values));
	EQ(k, number_aggregates(sub_not), 0);
	put3(sub, sub_not, src);
}

static void test_search_value(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");

	add(k, src, test_values, &cont);
	EQ(k, values_with_base(src, &cont), COUNT(test_values));
	GET(k, src, "u64", 64);
	GET(k, src, "s32", DEF_S32);
	GET(k, src, "bo", true);
	NONE(k, src, "does not exist");
	stats_fs_source_put(src);
}

static void test_search_value_in_subfolder(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub = new_source(k, "child");

	add_sub(k, src, sub);
	add(k, sub, test_values, &cont);
	EQ(k, values_with_base(sub, &cont), COUNT(test_values));
	GET(k, sub, "u64", 64);
	NONE(k, src, "u64");
	GET(k, sub, "s32", DEF_S32);
	NONE(k, src, "s32");
	GET(k, sub, "bo", true);
	NONE(k, src, "bo");
	NONE(k, sub, "does not exist");
	NONE(k, src, "does not exist");
	put3(sub, src, NULL);
}

static void test_search_value_in_empty_folder(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "empty folder");

	EQ(k, number_aggregates(src), 0);
	EQ(k, number_subsources(src), 0);
	EQ(k, number_values(src), 0);
	NONE(k, src, "u64");
	NONE(k, src, "s32");
	NONE(k, src, "bo");
	NONE(k, src, "does not exist");
	stats_fs_source_put(src);
}

static void test_add_aggregate(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");

	add(k, src, test_aggr, NULL);
	EQ(k, values_with_base(src, NULL), 0);
	EQ(k, aggr_with_base(src, NULL), COUNT(test_aggr));
	EQ(k, stats_fs_source_add_values(src, test_aggr, NULL, 0), -EEXIST);
	EQ(k, aggr_with_base(src, NULL), COUNT(test_aggr));
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), COUNT(test_aggr));
	stats_fs_source_put(src);
}

static void test_add_aggregate_in_subfolder(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub = new_source(k, "child");
	struct stats_fs_source *sub_not = new_source(k, "not a child");

	add_sub(k, src, sub);
	add(k, sub, test_aggr, NULL);
	EQ(k, aggr_with_base(sub, NULL), COUNT(test_aggr));
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), 0);
	EQ(k, total_values(src), 0);
	EQ(k, number_values(sub), 0);
	EQ(k, number_aggregates(sub), COUNT(test_aggr));

	add(k, sub_not, test_aggr, NULL);
	EQ(k, aggr_with_base(sub_not, NULL), COUNT(test_aggr));
	EQ(k, number_values(src), 0);
	EQ(k, number_aggregates(src), 0);
	EQ(k, total_values(src), 0);

	EQ(k, stats_fs_source_remove_subordinate(src, sub), 0);
	EQ(k, total_values(src), 0);
	add_sub(k, src, sub);
	EQ(k, total_values(src), 0);
	add_sub(k, src, sub_not);
	EQ(k, total_values(src), 0);
	EQ(k, number_values(sub_not), 0);
	EQ(k, number_aggregates(sub_not), COUNT(test_aggr));
	put3(sub, sub_not, src);
}

static void test_search_aggregate(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");

	add(k, src, test_aggr, NULL);
	EQ(k, aggr_with_base(src, NULL), COUNT(test_aggr));
	EQ(k, aggr_with_base(src, &cont), 0);
	GET(k, src, "u64", 0);
	GET(k, src, "s32", INT64_MAX);
	GET(k, src, "bo", 0);
	NONE(k, src, "does not exist");
	stats_fs_source_put(src);
}

static void test_search_aggregate_in_subfolder(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub = new_source(k, "child");

	add_sub(k, src, sub);
	add(k, sub, test_aggr, NULL);
	EQ(k, aggr_with_base(sub, NULL), COUNT(test_aggr));
	EQ(k, aggr_with_base(sub, &cont), 0);
	GET(k, sub, "u64", 0);
	NONE(k, src, "u64");
	GET(k, sub, "s32", INT64_MAX);
	NONE(k, src, "s32");
	GET(k, sub, "bo", 0);
	NONE(k, src, "bo");
	NONE(k, sub, "does not exist");
	NONE(k, src, "does not exist");
	put3(sub, src, NULL);
}

static void test_search_same(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");

	add(k, src, test_same_name, &cont);
	EQ(k, values_with_base(src, &cont), 1);
	EQ(k, aggr_with_base(src, &cont), 1);
	EQ(k, stats_fs_source_add_values(src, test_same_name, &cont, 0), -EEXIST);
	EQ(k, values_with_base(src, &cont), 1);
	EQ(k, aggr_with_base(src, &cont), 1);
	GET(k, src, "s32", DEF_S32);
	stats_fs_source_put(src);
}

static void test_add_mixed(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");

	add(k, src, test_aggr, NULL);
	EQ(k, values_with_base(src, NULL), 0);
	add(k, src, test_values, &cont);
	EQ(k, aggr_with_base(src, NULL), COUNT(test_aggr));
	EQ(k, stats_fs_source_add_values(src, test_values, &cont, 0), -EEXIST);
	EQ(k, values_with_base(src, &cont), COUNT(test_values));
	EQ(k, stats_fs_source_add_values(src, test_aggr, NULL, 0), -EEXIST);
	EQ(k, aggr_with_base(src, NULL), COUNT(test_aggr));
	EQ(k, number_values(src), COUNT(test_values));
	EQ(k, number_aggregates(src), COUNT(test_aggr));
	stats_fs_source_put(src);
}

static void test_search_mixed(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub = new_source(k, "child");

	add_sub(k, src, sub);
	add(k, sub, test_values, &cont);
	EQ(k, values_with_base(sub, &cont), COUNT(test_values));
	add(k, src, test_aggr, &cont);
	EQ(k, aggr_with_base(src, &cont), COUNT(test_aggr));
	GET(k, sub, "u64", 64);
	GET(k, src, "u64", 64);
	GET(k, sub, "s32", DEF_S32);
	GET(k, src, "s32", DEF_S32);
	GET(k, sub, "bo", true);
	GET(k, src, "bo", true);
	NONE(k, sub, "does not exist");
	NONE(k, src, "does not exist");
	put3(sub, src, NULL);
}

/* What all aggregations over cont and cont2 give. */
static void expect_both(struct kunit *k, struct stats_fs_source *src)
{
	GET(k, src, "u64", 128);
	GET(k, src, "s32", DEF_S32);
	GET(k, src, "bo", 1);
	GET(k, src, "u8", 191);
	GET(k, src, "s16", 10000);
}

static void add_all(struct kunit *k, struct stats_fs_source *src, struct container *base)
{
	add(k, src, test_all_aggr, base);
	EQ(k, aggr_with_base(src, base), COUNT(test_all_aggr));
}

static void test_all_aggregations_agg_val_val(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");
	struct stats_fs_source *sub1 = new_source(k, "child1"), *sub2 = new_source(k, "child2");

	add_sub(k, src, sub1);
	add_sub(k, src, sub2);
	add_all(k, sub1, &cont);
	add_all(k, sub2, &cont2);
	add_all(k, src, NULL);
	expect_both(k, src);
	put3(sub1, sub2, src);
}

static void test_all_aggregations_val_agg_val(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");
	struct stats_fs_source *sub1 = new_source(k, "child1"), *sub2 = new_source(k, "child2");

	add_sub(k, src, sub1);
	add_sub(k, src, sub2);
	add_all(k, src, &cont);
	add_all(k, sub2, &cont2);
	add_all(k, sub1, NULL);
	GET(k, src, "u64", 64);
	GET(k, sub1, "u64", 0);
	GET(k, sub2, "u64", 64);
	GET(k, src, "s32", DEF_S32);
	GET(k, sub1, "s32", INT64_MAX);
	GET(k, sub2, "s32", DEF2_S32);
	GET(k, src, "bo", true);
	GET(k, sub1, "bo", 0);
	GET(k, sub2, "bo", false);
	GET(k, src, "u8", 127);
	GET(k, sub1, "u8", 0);
	GET(k, sub2, "u8", 255);
	GET(k, src, "s16", 10000);
	GET(k, sub1, "s16", INT64_MIN);
	GET(k, sub2, "s16", -20000);
	put3(sub1, sub2, src);
}

static void test_all_aggregations_agg_val_val_sub(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");
	struct stats_fs_source *sub1 = new_source(k, "child1"), *sub11 = new_source(k, "child11");

	add_sub(k, src, sub1);
	add_sub(k, sub1, sub11);
	add(k, sub1, test_values, &cont);
	EQ(k, values_with_base(sub1, &cont), COUNT(test_values));
	add(k, sub11, test_values, &cont2);
	EQ(k, values_with_base(sub11, &cont2), COUNT(test_values));
	EQ(k, total_values(src), COUNT(test_values) * 2);
	add_all(k, sub1, &cont);
	add_all(k, sub11, &cont2);
	add_all(k, src, NULL);
	expect_both(k, src);
	put3(sub1, sub11, src);
}

static void test_all_aggregations_agg_no_val_sub(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent");
	struct stats_fs_source *sub1 = new_source(k, "child1"), *sub11 = new_source(k, "child11");

	add_sub(k, src, sub1);
	add_sub(k, sub1, sub11);
	add_all(k, sub11, &cont2);
	EQ(k, total_values(src), 0);
	add_all(k, src, NULL);
	GET(k, src, "u64", 64);
	GET(k, src, "s32", DEF2_S32);
	GET(k, src, "bo", 1);
	GET(k, src, "u8", 255);
	GET(k, src, "s16", -20000);
	put3(sub1, sub11, src);
}

static void test_all_aggregations_agg_agg_val_sub(struct kunit *k)
{
	struct stats_fs_source *src = new_source(k, "parent"), *sub1 = new_source(k, "child1");
	struct stats_fs_source *sub11 = new_source(k, "child11"), *sub12 = new_source(k, "child12");

	add_sub(k, src, sub1);
	add_sub(k, sub1, sub11);
	add_sub(k, sub1, sub12);
	add_all(k, sub11, &cont2);
	add_all(k, sub12, &cont);
	EQ(k, total_values(src), 0);
	add_all(k, src, NULL);
	add_all(k, sub1, NULL);
	expect_both(k, src);
	stats_fs_source_put(sub1);
	put3(sub11, sub12, src);
}

const struct kunit_case kunit_cases[] = {
#define X(name) { #name, name },
#include "tests/stats/kunit.def"
#undef X
};
STATIC_ASSERT(ARRAY_SIZE(kunit_cases) == 19, "the cases of the series");
