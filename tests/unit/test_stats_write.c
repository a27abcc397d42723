// SPDX-License-Identifier: MIT
/* show, json, prom, csv, diff, top: the text that comes out. */
#include "tests/unit/unit.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "tests/unit/om_check.h"
#include "tools/nestbed/stats_top.h"

static struct stats_dump *a, *b;
static struct strbuf out;
static struct stats_view view;

static struct stats_dump *dump(u64 seq, const char *const *line, size_t n)
{
	struct stats_dump *d = stats_dump_new(seq, seq * 2000000);

	for (size_t i = 0; i < n; i++)
		assert_null(stats_dump_add_line(d, line[i], strlen(line[i])));
	return d;
}

static const char *const first[] = {
	"/cpu0/irqs 100 count sum", "/cpu1/irqs 0 count sum",
	"/kvm/exits 1200 count sum", "/kvm/exits/cpuid 900 count sum",
	"/kvm/vm0/exits 1200 count sum", "/kvm/vm0/vcpu0/exits 1200 count sum",
	"/kvm/vm0/vcpu0/mode 0 bool max,instant", "/kvm/wait_ns 1234567 ns sum",
	"/kvm/low -17 bytes min", "/kvm/gone 7 count sum",
	"/kvm/lat/count 15 count hist", "/kvm/lat/p50 1742 cycles p50",
	"/kvm/lat/p90 3276 cycles p90", "/kvm/lat/p99 3993 cycles p99",
	"/kvm/lat/ge_1024 10 count bucket", "/kvm/lat/ge_2048 5 count bucket",
};

static const char *const second[] = {
	"/cpu0/irqs 300 count sum", "/cpu1/irqs 0 count sum",
	"/kvm/exits 1000 count sum", "/kvm/exits/cpuid 900 count sum",
	"/kvm/vm0/exits 1300 count sum", "/kvm/vm0/vcpu0/exits 1300 count sum",
	"/kvm/vm0/vcpu0/mode 1 bool max,instant", "/kvm/wait_ns 18446744073709551615 ns sum",
	"/kvm/low 5 bytes min", "/kvm/fresh 7 count sum",
	"/kvm/lat/count 15 count hist",
};

static int setup(void **state)
{
	a = dump(1, first, ARRAY_SIZE(first));
	b = dump(2, second, ARRAY_SIZE(second));
	view = (struct stats_view){ .filter = NULL };
	return 0;
}

static int teardown(void **state)
{
	stats_dump_put(a);
	stats_dump_put(b);
	sb_free(&out);
	return 0;
}

static bool has(const char *text)
{
	return strstr(sb_str(&out), text);
}

static void test_show(void **state)
{
	assert_null(stats_dump_label(a, "/kvm/vm0", "guest", "linux"));
	stats_show(a, &view, &out);
	assert_string_equal(out.s,
		"dump 1, 2.00 s after boot, 16 values, 14 shown\n"
		"/\n"
		"|-- cpu0\n"
		"|   `-- irqs               100 count    sum\n"
		"`-- kvm\n"
		"    |-- exits             1200 count    sum\n"
		"    |-- exits/\n"
		"    |   `-- cpuid          900 count    sum\n"
		"    |-- vm0            guest=\"linux\"\n"
		"    |   |-- exits         1200 count    sum\n"
		"    |   `-- vcpu0\n"
		"    |       `-- exits     1200 count    sum\n"
		"    |-- wait_ns        1234567 ns       sum\n"
		"    |-- low                -17 bytes    min\n"
		"    |-- gone                 7 count    sum\n"
		"    `-- lat                 15 samples  p50 1742  p90 3276  p99 3993 "
		"cycles  @=\n");
}

static void test_show_options(void **state)
{
	struct stats_filter *f;
	char *why;

	view.zero = view.utf8 = view.buckets = true;
	stats_show(a, &view, &out);
	assert_true(has("\u251c\u2500\u2500 cpu1"));
	assert_true(has("\u2514\u2500\u2500 ge_2048"));
	assert_true(has("16 shown"));
	sb_free(&out);
	view.depth = 1;
	stats_show(a, &view, &out);
	assert_false(has("irqs"));
	assert_true(has("cpu1"));
	sb_free(&out);
	assert_null(stats_filter_new("lat(", &why));
	assert_non_null(why);
	free(why);
	f = stats_filter_new("lat/p50|mode$", &why);
	assert_non_null(f);
	view = (struct stats_view){ .filter = f, .zero = true };
	stats_show(a, &view, &out);
	stats_filter_free(f);
	assert_true(has("p50 1742"));
	assert_true(has("mode"));
	assert_false(has("irqs"));
	assert_true(has("7 shown"));
}

static void test_empty(void **state)
{
	struct stats_dump *d = stats_dump_new(1, 1);

	stats_show(d, &view, &out);
	assert_string_equal(out.s, "dump 1, 1 us after boot, 0 values, 0 shown\n/\n");
	sb_free(&out);
	stats_prom(d, &view, PROM_STRICT, &out);
	assert_string_equal(out.s, "# EOF\n");
	sb_free(&out);
	stats_csv(d, &view, &out);
	stats_json(d, &view, &out);
	stats_diff(d, d, &view, true, &out);
	stats_dump_put(d);
}

static const cJSON *child(const cJSON *n, const char *path)
{
	char *copy = xstrdup(path), *save = NULL;

	for (char *w = strtok_r(copy, "/", &save); w; w = strtok_r(NULL, "/", &save))
		n = cJSON_GetObjectItemCaseSensitive(
			cJSON_GetObjectItemCaseSensitive(n, "children"), w);
	free(copy);
	return n;
}

static void test_json(void **state)
{
	const cJSON *root, *n;
	cJSON *top;

	view.zero = true;
	assert_null(stats_dump_label(b, "/kvm/vm0", "guest", "a\"b"));
	stats_json(b, &view, &out);
	/* 64 bits keep their digits. */
	assert_true(has("18446744073709551615"));
	top = cJSON_Parse(out.s);
	assert_non_null(top);
	assert_true(cJSON_GetObjectItem(top, "seq")->valueint == 2);
	root = cJSON_GetObjectItem(top, "root");
	n = child(root, "kvm/exits");
	assert_int_equal(cJSON_GetObjectItem(n, "value")->valueint, 1000);
	assert_string_equal(cJSON_GetObjectItem(n, "aggregate")->valuestring, "sum");
	assert_string_equal(cJSON_GetObjectItem(n, "mode")->valuestring, "0644");
	n = child(root, "kvm/exits/cpuid");
	assert_int_equal(cJSON_GetObjectItem(n, "value")->valueint, 900);
	n = child(root, "kvm/vm0/vcpu0/mode");
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(n, "instant")));
	assert_string_equal(cJSON_GetObjectItem(n, "mode")->valuestring, "0444");
	n = cJSON_GetObjectItem(child(root, "kvm/vm0"), "labels");
	assert_string_equal(cJSON_GetObjectItem(n, "guest")->valuestring, "a\"b");
	n = cJSON_GetObjectItem(child(root, "kvm/lat"), "histogram");
	assert_int_equal(cJSON_GetObjectItem(n, "count")->valueint, 15);
	cJSON_Delete(top);
}

static void valid(const struct stats_dump *d)
{
	for (int form = PROM_PROMTOOL; form <= PROM_STRICT; form++) {
		char *why;

		sb_free(&out);
		stats_prom(d, &view, (enum stats_prom)form, &out);
		why = om_check(out.s, form == PROM_STRICT);
		if (why)
			print_error("%s\n%s\n", out.s, why);
		assert_null(why);
	}
}

static void test_prom(void **state)
{
	view.zero = true;
	assert_null(stats_dump_label(a, "/kvm/vm0", "guest", "a\"\\b"));
	valid(a);
	assert_true(has("# TYPE nestbed_kvm_exits counter\n# HELP nestbed_kvm_exits /kvm/exits, "
			"sum of count\nnestbed_kvm_exits_total 1200\n"));
	assert_true(has("\nnestbed_cpu_irqs_total{cpu=\"0\"} 100\n"
			"nestbed_cpu_irqs_total{cpu=\"1\"} 0\n"));
	assert_true(has("\nnestbed_kvm_vm_vcpu_exits_total{vm=\"0\",guest=\"a\\\"\\\\b\","
			"vcpu=\"0\"} 1200\n"));
	assert_true(has("# UNIT nestbed_kvm_wait_seconds seconds\n"));
	assert_true(has("\nnestbed_kvm_wait_seconds_total 0.001234567\n"));
	assert_true(has("# TYPE nestbed_kvm_low_bytes gauge\n"));
	assert_true(has("\nnestbed_kvm_low_bytes -17\n"));
	assert_true(has("# TYPE nestbed_kvm_lat_cycles histogram\n"));
	assert_true(has("nestbed_kvm_lat_cycles_bucket{le=\"1023\"} 0\n"
			"nestbed_kvm_lat_cycles_bucket{le=\"2047\"} 10\n"
			"nestbed_kvm_lat_cycles_bucket{le=\"+Inf\"} 15\n"
			"nestbed_kvm_lat_cycles_sum 30720\nnestbed_kvm_lat_cycles_count 15\n"));
	sb_free(&out);
	stats_prom(a, &view, PROM_PROMTOOL, &out);
	assert_true(has("# TYPE nestbed_kvm_exits_total counter\n"));
	assert_false(has("# UNIT"));
	valid(b);
}

/* Names that are made to collide, and endings that belong to the format. */
static void test_prom_awkward_names(void **state)
{
	static const char *const lines[] = {
		"/a-c 1 count sum", "/a_c 2 count sum", "/a.c 3 count sum",
		"/x/total 1 count sum", "/x 1 count sum", "/x_total 2 count sum",
		"/x_count 3 count max,instant", "/x_sum 1 count sum", "/x_bucket 1 count min",
		"/y 1 count sum", "/y. -1 count sum", "/z -1 count sum", "/Z 1 count sum",
		"/g 1 count max", "/g- 1 count sum", "/vm0/vm1/le2/quantile3/x 1 count sum",
		"/vm0/vm2/le2/quantile3/x 1 count sum", "/--- 1 count sum", "/s/ms/d 1 us sum",
		"/m_us 1 us sum", "/counter 1 count max", "/h/count 2 ns hist",
		"/h/ge_0 1 count bucket", "/h/ge_0010 1 count bucket", "/h/p50 1 ns p50",
		"/h2/count 1 count hist", "/h2/ge_4 9 count bucket", "/h2/p50 3 count p50",
		"/h2_count 1 count sum", "/h-2/count 1 count hist", "/u 1 1/s sum",
		"/e 0 count min,empty",
		"/9lives 9 count sum", "/kvm/path 1 count sum", "/kvm_path 1 count sum",
		"/p-q 1 pages sum", "/p_q 1 pages max",
	};
	struct stats_dump *d = dump(1, lines, ARRAY_SIZE(lines));

	view.zero = true;
	assert_null(stats_dump_label(d, "/kvm", "path", "x"));
	assert_null(stats_dump_label(d, "/vm0", "__name", "x"));
	assert_null(stats_dump_label(d, "/vm0", "le", "x"));
	assert_null(stats_dump_label(d, "/vm0", "0", "x"));
	valid(d);
	assert_true(has("nestbed_a_c_total 1\n"));
	assert_true(has("nestbed_a_c_total{path=\"/a.c\"} 3\n"));
	assert_true(has("nestbed_kvm_path_total{path=\"x\"} 1\n"));
	/* Below 0 it is no counter, and then none of its family is. */
	assert_true(has("# TYPE nestbed_z gauge\n"));
	assert_true(has("\nnestbed_z{path=\"/Z\"} 1\n"));
	/* An aggregate of nothing has no value. */
	assert_false(has("nestbed_e"));
	stats_dump_put(d);
}

static void test_csv(void **state)
{
	static const char *const lines[] = {
		"/a,b 1 count sum", "/q\" -2 bytes min,instant,revoked",
	};
	struct stats_dump *d = dump(3, lines, ARRAY_SIZE(lines));

	stats_csv_head(&out);
	stats_csv(d, &view, &out);
	assert_string_equal(out.s, "seq,us,path,value,unit,aggregate,flags\n"
			    "3,6000000,\"/a,b\",1,count,sum,\n"
			    "3,6000000,\"/q\"\"\",-2,bytes,min,instant revoked\n");
	stats_dump_put(d);
}

static void test_deltas(void **state)
{
	const struct stats_value zero = { 0 }, top = { .magnitude = ~0ULL },
				 low = { .magnitude = 1ULL << 63, .negative = true };
	char text[40];

	stats_delta_text(&zero, &zero, text, sizeof(text));
	assert_string_equal(text, "0");
	stats_delta_text(&zero, &top, text, sizeof(text));
	assert_string_equal(text, "+18446744073709551615");
	stats_delta_text(&top, &zero, text, sizeof(text));
	assert_string_equal(text, "-18446744073709551615");
	stats_delta_text(&low, &top, text, sizeof(text));
	assert_string_equal(text, "+27670116110564327423");
	stats_delta_text(&zero, &(struct stats_value){ .magnitude = 1000000000000000000ULL },
			 text, sizeof(text));
	assert_string_equal(text, "+1000000000000000000");
}

static double rate(const char *path)
{
	return stats_rate(a, &stats_find(a, path)->value, b, &stats_find(b, path)->value);
}

static void test_rates(void **state)
{
	char text[400];

	assert_true(rate("/cpu0/irqs") == 100.0);
	/* Lower than before: it was cleared, and has counted since. */
	assert_true(rate("/kvm/exits") == 500.0);
	assert_true(isnan(rate("/kvm/vm0/vcpu0/mode")));
	assert_true(isnan(rate("/kvm/low")));
	assert_true(isnan(stats_rate(b, &stats_find(b, "/kvm/exits")->value, a,
				     &stats_find(a, "/kvm/exits")->value)));
	stats_rate_text(1.0 / 3, text, sizeof(text));
	assert_string_equal(text, "0.33");
	stats_rate_text(1e300, text, sizeof(text));
	assert_int_equal(strlen(text), 301);
	stats_rate_text(NAN, text, sizeof(text));
	assert_string_equal(text, "");
}

static void test_diff(void **state)
{
	stats_diff(a, b, &view, false, &out);
	assert_true(has("dump 1 to dump 2, 2.00 s apart, 14 differ\n"));
	assert_true(has("/cpu0/irqs "));
	assert_true(has("+200 "));
	assert_true(has("100  count\n"));
	assert_false(has("/cpu1/irqs"));
	assert_false(has("/kvm/exits/cpuid"));
	assert_true(has("  new "));
	assert_true(has(" gone "));
	assert_true(has("+18446744073708317048"));
	sb_free(&out);
	stats_diff(a, b, &view, true, &out);
	assert_true(has("/cpu1/irqs"));
	sb_free(&out);
	stats_diff(b, a, &view, false, &out);
	assert_true(has("not of one run apart"));
	sb_free(&out);
	stats_diff(a, a, &view, false, &out);
	assert_string_equal(out.s, "dump 1 to dump 1, 0 us apart, 0 differ\n");
}

static const char *row(struct top_table *t, size_t i, size_t width)
{
	sb_free(&out);
	top_line(t, i, width, &out);
	return out.s;
}

static void test_top(void **state)
{
	struct top_table t;

	top_fill(&t, a, b, &view, TOP_RATE);
	/* The percentiles and buckets of a histogram are not rows of their own. */
	assert_int_equal(t.n, 10);
	assert_string_equal(t.row[0].node->path, "/kvm/wait_ns");
	assert_string_equal(t.row[1].node->path, "/kvm/exits");
	assert_string_equal(t.row[2].node->path, "/cpu0/irqs");
	assert_non_null(strstr(row(&t, 2, 0), " 300 count               100  sum"));
	assert_int_equal(strlen(row(&t, 2, 40)), 40);
	assert_int_equal(strlen(row(&t, 2, 5)), 5);
	assert_int_equal(strlen(row(&t, 2, 1)), 1);
	top_free(&t);
	top_fill(&t, a, b, &view, TOP_PATH);
	assert_string_equal(t.row[0].node->path, "/cpu0/irqs");
	assert_string_equal(t.row[9].node->path, "/kvm/wait_ns");
	top_free(&t);
	top_fill(&t, NULL, b, &view, TOP_VALUE);
	assert_string_equal(t.row[0].node->path, "/kvm/wait_ns");
	assert_true(isnan(t.row[0].rate));
	top_free(&t);
	sb_free(&out);
	b->damaged = true;
	b->lost = 3;
	top_title(a, b, &out);
	assert_string_equal(out.s, "nestbed: dump 2, 4.00 s after boot, rates over 2.00 s, "
			    "DAMAGED: 3 lines lost");
	assert_int_equal(top_sort_from("value"), TOP_VALUE);
	assert_int_equal(top_sort_from("valu"), TOP_SORT_NR);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_show), T(test_show_options), T(test_empty), T(test_json), T(test_prom),
		T(test_prom_awkward_names), T(test_csv), T(test_deltas), T(test_rates),
		T(test_diff), T(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
