// SPDX-License-Identifier: MIT
/*
 * The report formats.  XML and JSON are read back by libraries that are not
 * ours, from a run whose every text tries to break out of its place.
 */
#include "tests/unit/unit.h"

#include <cjson/cJSON.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "tools/nestbed/report.h"

#define BEGIN	"@nestbed begin v=1 boot=1 cpu=\"<C> & \\\"q\\\" \\x1b[31m\"\r\n"
#define EVIL	"</td><script>alert(1)</script> ]]> <!-- &nbsp; \\x1b[2J \\\"'"

static const char hostile[] =
	BEGIN "KTAP version 1\r\n1..6\r\n"
	"@nestbed info <img> " EVIL "\x01\xff\r\n"
	"@nestbed plan 6\r\n@nestbed decl g.pass\r\n@nestbed decl g.fail\r\n"
	"@nestbed decl g.h.error\r\n@nestbed decl g.known\r\n@nestbed decl g.h.skip\r\n"
	"@nestbed decl g.lost\r\n"
	"@nestbed start g.pass\r\n@nestbed test g.pass pass us=1500\r\nok 1 g.pass\r\n"
	"@nestbed start g.fail\r\nvm0| " EVIL "\x1b[31m\r\n  # diagnostic \xfe\r\n"
	"@nestbed test g.fail fail reason=\"" EVIL "\" ref=\"<APM2>\" us=3000000\r\n"
	"not ok 2 g.fail\r\n"
	"@nestbed test g.h.error error\r\n"
	"@nestbed test g.known known reason=\"" EVIL "\"\r\n"
	"@nestbed test g.h.skip skip reason=\"" EVIL "\"\r\n"
	"@nestbed bench <b> min=1 median=2 max=18446744073709551615 unit=\"<u>\"\r\n"
	"@nestbed start g.lost\r\nlast words " EVIL "\r\n";

static struct run_model m;
static struct run_facts f;
static struct report r = { .m = &m, .f = &f };
static struct strbuf out;

static void load(const char *text, const char *stopped)
{
	struct serial_parser *p = xcalloc(1, sizeof(*p));

	model_free(&m);
	model_init(&m);
	facts_free(&f);
	f.machine = xstrdup("a<b>&\"");
	f.command = xstrdup("qemu '<&>'");
	f.started = xstrdup("2030-01-02T03:04:05Z");
	f.seconds = 12.5;
	f.stopped = stopped ? xstrdup(stopped) : NULL;
	serial_init(p, model_event, &m);
	serial_feed(p, text, strlen(text));
	serial_finish(p);
	free(p);
	model_judge(&m, stopped);
	r.log = text;
	r.log_len = strlen(text);
	sb_free(&out);
}

static xmlDoc *parse_xml(void)
{
	xmlDoc *doc = xmlReadMemory(out.s, (int)out.len, "report", NULL,
				    XML_PARSE_NONET | XML_PARSE_NOENT);

	assert_non_null(doc);
	return doc;
}

/* The value of an XPath expression over the output, as a number. */
static int xpath(const char *expr)
{
	xmlDoc *doc = parse_xml();
	xmlXPathContext *ctx = xmlXPathNewContext(doc);
	xmlXPathObject *o;
	int value;

	xmlXPathRegisterNs(ctx, BAD_CAST "h", BAD_CAST "http://www.w3.org/1999/xhtml");
	o = xmlXPathEvalExpression(BAD_CAST expr, ctx);
	assert_non_null(o);
	value = (int)xmlXPathCastToNumber(o);
	xmlXPathFreeObject(o);
	xmlXPathFreeContext(ctx);
	xmlFreeDoc(doc);
	return value;
}

static void assert_plain_text(void)
{
	for (size_t i = 0; i < out.len; i++) {
		if (out.s[i] != '\n')
			assert_in_range(out.s[i], ' ', '~');
	}
}

static void test_junit_counts_and_nesting(void **state)
{
	load(hostile, "it hung");
	report_junit(&r, &out);
	assert_plain_text();
	/* Six tests and "complete". */
	assert_int_equal(xpath("count(//testcase)"), 7);
	assert_int_equal(xpath("sum(/testsuites/@tests)"), 7);
	assert_int_equal(xpath("sum(//testsuite/@tests)"), 7);
	assert_int_equal(xpath("sum(/testsuites/@failures)"), 1);
	assert_int_equal(xpath("count(//failure)"), 1);
	/* error, lost, and the run itself */
	assert_int_equal(xpath("sum(/testsuites/@errors)"), 3);
	assert_int_equal(xpath("count(//error)"), 3);
	assert_int_equal(xpath("sum(/testsuites/@skipped)"), 2);
	assert_int_equal(xpath("count(//skipped)"), 2);
	assert_int_equal(xpath("count(//testsuite)"), 3);
	assert_int_equal(xpath("count(//testsuite[@name='g.h']/testcase)"), 2);
	assert_int_equal(xpath("count(//testcase[@name='complete']/error[starts-with(@message,"
			       "'it hung')])"), 1);
	assert_int_equal(xpath("count(//testcase[@name='fail' and @time='3.000000'])"), 1);
	assert_int_equal(xpath("count(//system-out[contains(., 'diagnostic')])"), 1);
}

static void test_junit_of_a_good_run_has_no_error(void **state)
{
	load(BEGIN "@nestbed plan 1\n@nestbed test one pass\n"
	     "@nestbed end verdict=pass passed=1\n", NULL);
	report_junit(&r, &out);
	assert_int_equal(xpath("count(//error|//failure)"), 0);
	assert_int_equal(xpath("count(//testcase[@name='one'])"), 1);
}

static void test_html_is_well_formed_and_escaped(void **state)
{
	load(hostile, NULL);
	report_html(&r, &out);
	assert_plain_text();
	assert_int_equal(xpath("count(//h:script)"), 0);
	assert_int_equal(xpath("count(//h:img)"), 0);
	assert_int_equal(xpath("count(//h:link|//@src)"), 0);
	assert_int_equal(xpath("count(//h:div[@class='verdict incomplete'])"), 1);
	/* failed, error, lost: each in full */
	assert_int_equal(xpath("count(//h:div[@class='case'])"), 3);
	assert_int_equal(xpath("count(//h:table[@class='tests']//h:td[@class='id'])"), 6);
	assert_int_equal(xpath("count(//h:td[text()='passed'])"), 1);
	assert_int_equal(xpath("count(//h:h2[starts-with(., 'Known defects')])"), 1);
	assert_int_equal(xpath("count(//h:pre[contains(., 'last words')])"), 2);
	assert_non_null(strstr(out.s, "width:100.0%"));
	/* What follows the failures: failures come first. */
	assert_true(strstr(out.s, "<h2>Failed") < strstr(out.s, "<h2>All tests"));
}

static void test_html_of_an_empty_log(void **state)
{
	load("", "cannot be started");
	report_html(&r, &out);
	assert_int_equal(xpath("count(//h:table[@class='tests'])"), 0);
	assert_non_null(strstr(out.s, "cannot be started"));
}

static const char *text_at(const cJSON *o, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static void test_json_reads_back(void **state)
{
	cJSON *root, *tests, *one;

	load(hostile, NULL);
	report_json(&r, &out);
	root = cJSON_Parse(out.s);
	assert_non_null(root);
	assert_string_equal(text_at(root, "verdict"), "incomplete");
	assert_string_equal(text_at(root, "machine"), "a<b>&\"");
	tests = cJSON_GetObjectItem(root, "tests");
	assert_int_equal(cJSON_GetArraySize(tests), 6);
	one = cJSON_GetArrayItem(tests, 1);
	assert_string_equal(text_at(one, "id"), "g.fail");
	assert_string_equal(text_at(one, "result"), "fail");
	assert_string_equal(text_at(one, "ref"), "<APM2>");
	assert_int_equal(cJSON_GetObjectItem(one, "us")->valueint, 3000000);
	assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "counts"), "fail")
			 ->valueint, 1);
	/* Not rounded to a double. */
	assert_non_null(strstr(out.s, "18446744073709551615"));
	cJSON_Delete(root);
}

static void test_facts_survive_the_json(void **state)
{
	struct run_facts back;

	load(hostile, "it hung");
	report_json(&r, &out);
	assert_int_equal(facts_from_json(&back, out.s), 0);
	assert_string_equal(back.machine, f.machine);
	assert_string_equal(back.command, f.command);
	assert_string_equal(back.started, f.started);
	assert_string_equal(back.stopped, "it hung");
	assert_true(back.seconds > 12.4 && back.seconds < 12.6);
	facts_free(&back);
	assert_int_equal(facts_from_json(&back, "{"), -EINVAL);
	assert_int_equal(facts_from_json(&back, "[]"), -EINVAL);
	assert_int_equal(facts_from_json(&back, "{\"run\":{\"stopped\":5,\"seconds\":\"x\"}}"), 0);
	assert_null(back.stopped);
	facts_free(&back);
}

static void test_ktap_keeps_only_its_lines(void **state)
{
	load("ok 9 before\n" BEGIN "KTAP version 1\r\nvm0| ok 1 forged\r\n1..1\r\nnoise\r\n"
	     "  # why\r\nok 1 a\r\n@nestbed end verdict=pass\nok 2 after\n", NULL);
	report_ktap(&r, &out);
	assert_string_equal(out.s, "KTAP version 1\n1..1\n  # why\nok 1 a\n");
}

static void test_excerpts_leave_out_the_middle(void **state)
{
	load("1\r\n2\n3\n4\n5\n6", NULL);
	sb_excerpt(&out, &r, (struct excerpt){ 0, 100, 2, 2 });
	assert_string_equal(out.s, "1\n2\n[... 4 bytes left out ...]\n5\n6\n");
	sb_free(&out);
	sb_excerpt(&out, &r, (struct excerpt){ 0, 100, 4, 4 });
	assert_string_equal(out.s, "1\n2\n3\n4\n5\n6\n");
	sb_free(&out);
	sb_excerpt(&out, &r, (struct excerpt){ 0, 100, 0, 1 });
	assert_string_equal(out.s, "[... 11 bytes left out ...]\n6\n");
	sb_free(&out);
	sb_excerpt(&out, &r, (struct excerpt){ 50, 100, 5, 5 });
	assert_string_equal(sb_str(&out), "");
}

static void test_summary_names_what_failed(void **state)
{
	load(hostile, NULL);
	report_summary(&r, "dir", &out);
	assert_plain_text();
	assert_non_null(strstr(out.s, "failed  g.fail: </td>"));
	assert_non_null(strstr(out.s, "crashed g.lost: "));
	assert_non_null(strstr(out.s, "incomplete: 1 passed, 1 failed, 1 errors, 1 skipped, "
				      "1 known, 1 lost in 12.5 s\n  report: dir/index.html\n"));
	assert_null(strstr(out.s, "g.known"));
}

static void test_table_and_index_over_machines(void **state)
{
	struct run_row rows[2] = {
		{ .dir = (char *)"a", .machine = (char *)"one", .verdict = VERDICT_PASS,
		  .count = { [RESULT_PASS] = 7 } },
		{ .dir = (char *)"b&", .machine = (char *)"<two>", .verdict = VERDICT_FAIL,
		  .problem = (char *)"<p>", .count = { [RESULT_FAIL] = 8 } },
	};

	load("", NULL);
	report_index(rows, 2, &out);
	assert_int_equal(xpath("count(//h:tr[@class='fail']/h:td[text()='8'])"), 1);
	assert_int_equal(xpath("count(//h:a[@href='b&/index.html'])"), 1);
	assert_int_equal(xpath("count(//h:div[@class='verdict fail'])"), 1);
	sb_free(&out);
	report_table(rows, 2, &out);
	assert_non_null(strstr(out.s, "one      pass             7"));
	assert_non_null(strstr(out.s, "<two>    fail             0      8"));
}

static void test_measurements_of_several_machines(void **state)
{
	struct bench_row rows[] = {
		{ (char *)"a", { (char *)"l1_cpuid", 1, 2, 3, (char *)"cycles" } },
		{ (char *)"a", { (char *)"l1_cpuid", 7, 8, 9, (char *)"cycles" } },
		{ (char *)"b", { (char *)"ipi", 4, 5, 18446744073709551615ULL, (char *)"us" } },
	};
	cJSON *root;

	load("", NULL);
	report_bench_json(rows, 3, &out);
	root = cJSON_Parse(out.s);
	assert_int_equal(cJSON_GetArraySize(root), 2);
	assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "a"),
						"l1_cpuid"), "median")->valueint, 2);
	assert_non_null(strstr(out.s, "18446744073709551615"));
	cJSON_Delete(root);
	sb_free(&out);
	report_bench_table(rows, 3, &out);
	assert_non_null(strstr(out.s, "l1_cpuid                      1            2            3  "
				      "cycles\n"));
}

/* CRC checked beforehand with another program (serial.md). */
static void test_histograms_are_plotted(void **state)
{
	static const char log[] =
		"@nestbed begin v=1\r\n@nestbed stats begin seq=1 us=1\r\n"
		"@nestbed stat /<h>/count 15 count hist\r\n"
		"@nestbed stat /<h>/p50 1742 cycles p50\r\n"
		"@nestbed stat /<h>/ge_1024 10 count bucket\r\n"
		"@nestbed stat /<h>/ge_2048 5 count bucket\r\n"
		"@nestbed stat /empty/count 0 count hist\r\n"
		"@nestbed stats end lines=5 crc32=f1dfd6d3\r\n";
	static const char *const bars[] = {
		"<td class=\"id\">/&lt;h&gt;</td><td class=\"n\">15</td><td class=\"n\">1742</td>",
		"<rect x=\"0\" y=\"0.0\" width=\"8\" height=\"60.0\"><title>from 1024: 10</title>",
		"<rect x=\"9\" y=\"30.0\" width=\"8\" height=\"30.0\"><title>from 2048: 5</title>",
	};

	load(log, NULL);
	assert_int_equal(m.stats_good, 1);
	report_html(&r, &out);
	assert_int_equal(xpath("count(//h:rect)"), 2);
	for (size_t i = 0; i < ARRAY_SIZE(bars); i++)
		assert_non_null(strstr(out.s, bars[i]));
	assert_null(strstr(out.s, "id\">/empty"));
}

static int teardown(void **state)
{
	model_free(&m);
	facts_free(&f);
	sb_free(&out);
	xmlCleanupParser();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_junit_counts_and_nesting),
		cmocka_unit_test(test_junit_of_a_good_run_has_no_error),
		cmocka_unit_test(test_html_is_well_formed_and_escaped),
		cmocka_unit_test(test_html_of_an_empty_log),
		cmocka_unit_test(test_json_reads_back),
		cmocka_unit_test(test_facts_survive_the_json),
		cmocka_unit_test(test_ktap_keeps_only_its_lines),
		cmocka_unit_test(test_excerpts_leave_out_the_middle),
		cmocka_unit_test(test_summary_names_what_failed),
		cmocka_unit_test(test_table_and_index_over_machines),
		cmocka_unit_test(test_measurements_of_several_machines),
		cmocka_unit_test(test_histograms_are_plotted),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
