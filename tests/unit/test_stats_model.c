// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tools/nestbed/stats_model.h"

static struct stats_dump *d;

static int setup(void **state)
{
	d = stats_dump_new(7, 1000);
	return 0;
}

static int teardown(void **state)
{
	stats_dump_put(d);
	return 0;
}

static void ok(const char *line)
{
	assert_null(stats_dump_add_line(d, line, strlen(line)));
}

static void bad(const char *line, const char *why)
{
	const char *said = stats_dump_add_line(d, line, strlen(line));

	assert_non_null(said);
	assert_non_null(strstr(said, why));
}

static const char *text_of(const char *path)
{
	static char buf[32];
	const struct stats_node *n = stats_find(d, path);

	assert_non_null(n);
	assert_true(n->has_value);
	stats_value_text(&n->value, buf, sizeof(buf));
	return buf;
}

static void test_tree(void **state)
{
	const struct stats_node *n;

	ok("/kvm/vm0/exits 12 count sum");
	ok("/kvm/vm0/vcpu0/exits 12 count sum");
	ok("/kvm/exits 12 count sum");
	assert_int_equal(d->values, 3);
	assert_int_equal(d->n, 7);
	n = stats_find(d, "/kvm");
	assert_non_null(n);
	assert_false(n->has_value);
	assert_string_equal(n->path, "/kvm");
	assert_int_equal(n->depth, 1);
	n = stats_first(d, n);
	assert_string_equal(n->name, "vm0");
	assert_string_equal(n->path, "/kvm/vm0");
	n = stats_next(d, n);
	assert_string_equal(n->name, "exits");
	assert_null(stats_next(d, n));
	assert_ptr_equal(stats_find(d, "/"), d->node);
	assert_null(stats_find(d, "/kvm/vm1"));
	assert_null(stats_find(d, "kvm"));
	assert_null(stats_find(d, "/kvm/"));
	assert_null(stats_child(d, n, "exits"));
}

static void test_value_and_directory(void **state)
{
	const struct stats_node *n;

	ok("/kvm/exits 12 count sum");
	ok("/kvm/exits/cpuid 5 count sum");
	n = stats_find(d, "/kvm/exits");
	assert_true(n->has_value);
	assert_string_equal(stats_first(d, n)->name, "cpuid");
	bad("/kvm/exits 13 count sum", "second value");
	assert_string_equal(text_of("/kvm/exits"), "12");
}

static void test_paths(void **state)
{
	static const char *const refused[] = {
		"kvm/x", "/", "/a/", "//a", "/a//b", "/.", "/..", "/a/../b", "/a\\x2fb", "/a\\x00",
		"/a\\x1b[31m", "/a\\x7f", "/a\\xff", "/a\\", "/a\\x4", "/a\\y41", "/\x1b[2J",
		"/\xc3\xa4", "/a\x7f",
	};
	char line[2048];

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_string_equal(stats_dump_add(d, refused[i], "1", "count", "sum"),
				    "not a path");
	assert_int_equal(d->n, 1);
	ok("/odd\\x20name\\x5c 1 count sum");
	assert_string_equal(stats_find(d, "/odd\\x20name\\x5c")->name, "odd name\\");
	/* Another spelling of the same name. */
	bad("/\\x6fdd\\x20name\\x5c 1 count sum", "second value");
	ok("/..a/.b/... 1 count sum");
	snprintf(line, sizeof(line), "/%0100d 1 count sum", 0);
	ok(line);
	snprintf(line, sizeof(line), "/%0101d 1 count sum", 0);
	bad(line, "not a path");
	for (size_t i = 0; i < 2 * STATS_DEPTH_MAX; i += 2)
		memcpy(line + i, "/a", 2);
	memcpy(line + 2 * STATS_DEPTH_MAX, " 1 count sum", 13);
	ok(line);
	for (size_t i = 0; i <= 2 * STATS_DEPTH_MAX; i += 2)
		memcpy(line + i, "/b", 2);
	memcpy(line + 2 * STATS_DEPTH_MAX + 2, " 1 count sum", 13);
	bad(line, "not a path");
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		const char *read;	/* NULL: refused */
	} rows[] = {
		{ "0", "0" }, { "-0", "0" }, { "007", "7" }, { "-17", "-17" },
		{ "18446744073709551615", "18446744073709551615" },
		{ "18446744073709551616", NULL },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "-9223372036854775809", NULL },
		{ "", NULL }, { "-", NULL }, { "--1", NULL }, { "+1", NULL }, { "1.5", NULL },
		{ "0x10", NULL }, { "1e3", NULL }, { "12a", NULL },
	};
	char path[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why;

		snprintf(path, sizeof(path), "/n%zu", i);
		why = stats_dump_add(d, path, rows[i].text, "count", "sum");
		if (rows[i].read) {
			assert_null(why);
			assert_string_equal(text_of(path), rows[i].read);
		} else {
			assert_string_equal(why, "not a number of 64 bits");
			assert_null(stats_find(d, path));
		}
	}
}

static void test_units_and_kinds(void **state)
{
	char text[64];

	ok("/a 1 % sum");
	ok("/b 1 1/s max,instant");
	ok("/c 0 cycles min,revoked");
	ok("/d 0 KiB avg,empty,instant,later");
	bad("/e 1 =cmd sum", "not a unit");
	bad("/e 1 -x sum", "not a unit");
	bad("/e 1 a\"b sum", "not a unit");
	bad("/e 1 abcdefghijklmnopqrstuvwxyzabcdefg sum", "not a unit");
	bad("/e 1 count summ", "not an aggregate");
	bad("/e 1 count su", "not an aggregate");
	bad("/e 1 count ,instant", "not an aggregate");
	bad("/e 1 count", "words are missing");
	bad("", "words are missing");
	assert_null(stats_find(d, "/e"));
	stats_kind_text(&stats_find(d, "/d")->value, text, sizeof(text));
	assert_string_equal(text, "avg,instant,empty");
	assert_int_equal(stats_value_mode(&stats_find(d, "/a")->value), 0644);
	assert_int_equal(stats_value_mode(&stats_find(d, "/b")->value), 0444);
	assert_int_equal(stats_value_mode(&stats_find(d, "/c")->value), 0644);
	assert_true(stats_value_counts(&stats_find(d, "/a")->value));
	assert_false(stats_value_counts(&stats_find(d, "/b")->value));
	assert_false(stats_value_counts(&stats_find(d, "/c")->value));
}

static void test_order_of_values(void **state)
{
	const struct stats_value a = { .magnitude = 5 }, b = { .magnitude = ~0ULL },
				 c = { .magnitude = 5, .negative = true },
				 e = { .magnitude = 6, .negative = true };

	assert_int_equal(stats_value_cmp(&a, &b), -1);
	assert_int_equal(stats_value_cmp(&b, &a), 1);
	assert_int_equal(stats_value_cmp(&a, &a), 0);
	assert_int_equal(stats_value_cmp(&c, &a), -1);
	assert_int_equal(stats_value_cmp(&a, &c), 1);
	assert_int_equal(stats_value_cmp(&e, &c), -1);
	assert_true(stats_value_double(&c) == -5.0);
}

static void test_histogram(void **state)
{
	struct stats_hist h;

	ok("/h/count 15 count hist");
	ok("/h/p50 1742 cycles p50");
	ok("/h/p90 3276 cycles p90");
	ok("/h/p99 3993 cycles p99");
	ok("/h/ge_2048 5 count bucket");
	ok("/h/ge_0 10 count bucket");
	ok("/h/ge_x 1 count bucket");
	ok("/h/other 9 count sum");
	ok("/plain/count 3 count sum");
	assert_true(stats_is_hist(d, stats_find(d, "/h")));
	assert_false(stats_is_hist(d, stats_find(d, "/plain")));
	assert_false(stats_is_hist(d, stats_find(d, "/h/count")));
	stats_hist_read(d, stats_find(d, "/h"), &h);
	assert_int_equal(h.count, 15);
	assert_int_equal(h.p50, 1742);
	assert_int_equal(h.p90, 3276);
	assert_int_equal(h.p99, 3993);
	assert_string_equal(h.unit, "cycles");
	assert_int_equal(h.n, 2);
	assert_int_equal(h.bucket[0].low, 0);
	assert_int_equal(h.bucket[0].count, 10);
	assert_int_equal(h.bucket[1].low, 2048);
	stats_hist_free(&h);
	assert_int_equal(stats_value_mode(&stats_find(d, "/h/count")->value), 0644);
	assert_int_equal(stats_value_mode(&stats_find(d, "/h/ge_0")->value), 0444);
}

static void test_labels(void **state)
{
	const struct stats_node *n;

	assert_null(stats_dump_label(d, "/kvm/vm0", "guest", "a\x1b[31m\"b"));
	n = stats_find(d, "/kvm/vm0");
	assert_false(n->has_value);
	assert_int_equal(n->nlabels, 1);
	assert_string_equal(n->label[0].value, "a\\x1b[31m\"b");
	assert_string_equal(stats_dump_label(d, "vm0", "a", "b"), "not a path");
	for (size_t i = 1; i < STATS_LABELS_MAX; i++)
		assert_null(stats_dump_label(d, "/kvm/vm0", "k", "v"));
	assert_string_equal(stats_dump_label(d, "/kvm/vm0", "k", "v"), "too many labels");
}

/* Many siblings stay quick, and the bound holds. */
static void test_many(void **state)
{
	char path[32];

	for (unsigned int i = 0; i < STATS_VALUES_MAX; i++) {
		snprintf(path, sizeof(path), "/big/v%u", i);
		assert_null(stats_dump_add(d, path, "1", "count", "sum"));
	}
	assert_string_equal(stats_dump_add(d, "/one", "1", "count", "sum"), "too many values");
	assert_non_null(stats_find(d, "/big/v65535"));
	assert_null(stats_find(d, "/big/v65536"));
}

static void test_references(void **state)
{
	struct stats_dump *x = stats_dump_get(d);

	ok("/a 1 count sum");
	stats_dump_put(x);
	assert_string_equal(text_of("/a"), "1");
	stats_dump_put(NULL);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tree), T(test_value_and_directory), T(test_paths), T(test_numbers),
		T(test_units_and_kinds), T(test_order_of_values), T(test_histogram),
		T(test_labels), T(test_many), T(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
