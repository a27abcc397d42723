// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tools/nestbed/model.h"

#define BEGIN	"@nestbed begin v=1\n"
#define SUMS(p, f, s, e, k) \
	" passed=" #p " failed=" #f " skipped=" #s " errors=" #e " known=" #k "\n"

static struct run_model m;

static enum verdict judge(const char *text, const char *stopped)
{
	struct serial_parser *p = xcalloc(1, sizeof(*p));

	model_free(&m);
	model_init(&m);
	serial_init(p, model_event, &m);
	serial_feed(p, text, strlen(text));
	serial_finish(p);
	free(p);
	return model_judge(&m, stopped);
}

static bool said(const char *part)
{
	for (size_t i = 0; i < m.problems.n; i++) {
		if (strstr(m.problems.text[i], part))
			return true;
	}
	for (size_t i = 0; i < m.problems.n; i++)
		print_error("# said: %s\n", m.problems.text[i]);
	return false;
}

static void test_passed(void **state)
{
	assert_int_equal(judge(BEGIN "@nestbed plan 3\n@nestbed start a\n@nestbed test a pass\n"
			       "@nestbed test b skip\n@nestbed test c known\n"
			       "@nestbed end verdict=pass" SUMS(1, 0, 1, 0, 1), NULL),
			 VERDICT_PASS);
	assert_int_equal(m.problems.n, 0);
}

static void test_failed_by_fail_or_error(void **state)
{
	assert_int_equal(judge(BEGIN "@nestbed plan 1\n@nestbed test a fail\n"
			       "@nestbed end verdict=fail" SUMS(0, 1, 0, 0, 0), NULL),
			 VERDICT_FAIL);
	assert_int_equal(judge(BEGIN "@nestbed plan 1\n@nestbed test a error\n"
			       "@nestbed end verdict=fail" SUMS(0, 0, 0, 1, 0), NULL),
			 VERDICT_FAIL);
}

static void test_incomplete_rows(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} rows[] = {
		{ "", "no begin line" },
		{ "@nestbed begin v=2\n@nestbed plan 1\n@nestbed test a pass\n"
		  "@nestbed end verdict=pass" SUMS(1, 0, 0, 0, 0), "version \"2\"" },
		{ BEGIN "@nestbed plan 1\n@nestbed start a\n",
		  "the run stopped during test a" },
		{ BEGIN "@nestbed plan 2\n@nestbed start a\n@nestbed test a pass\n",
		  "the run stopped after test a" },
		{ BEGIN "@nestbed plan 2\n", "the run stopped before the first test" },
		{ BEGIN "@nestbed start a\n" BEGIN, "the machine reset during test a" },
		{ BEGIN "@nestbed plan 2\n@nestbed test a pass\n"
		  "@nestbed end verdict=pass" SUMS(1, 0, 0, 0, 0),
		  "the plan says 2 tests, 1 gave a result" },
		{ BEGIN "@nestbed plan 2\n@nestbed decl a\n@nestbed test a pass\n"
		  "@nestbed test b pass\n@nestbed end verdict=pass" SUMS(2, 0, 0, 0, 0),
		  "test b was not declared" },
		{ BEGIN "@nestbed test a pass\n@nestbed end verdict=pass" SUMS(1, 0, 0, 0, 0),
		  "no plan line" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a pass\n"
		  "@nestbed end verdict=pass" SUMS(1, 0, 1, 0, 0),
		  "skipped=1, 0 such lines came" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a pass\n"
		  "@nestbed end verdict=pass" SUMS(x, 0, 0, 0, 0), "passed=x" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a pass\n"
		  "@nestbed end verdict=fail" SUMS(1, 0, 0, 0, 0),
		  "verdict=fail, its results say pass" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a fail\n"
		  "@nestbed end verdict=pass" SUMS(0, 1, 0, 0, 0),
		  "verdict=pass, its results say fail" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a pass\n@nestbed end" SUMS(1, 0, 0, 0, 0),
		  "no verdict" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a skip\n"
		  "@nestbed end verdict=pass" SUMS(0, 0, 1, 0, 0), "nothing was tested" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a skip\n"
		  "@nestbed end verdict=incomplete reason=\"no SVM\"" SUMS(0, 0, 1, 0, 0),
		  "the image says: incomplete: no SVM" },
		{ BEGIN "@nestbed info incomplete no such test: x\n@nestbed plan 0\n"
		  "@nestbed end verdict=incomplete" SUMS(0, 0, 0, 0, 0),
		  "the image says: incomplete: no such test: x" },
		{ BEGIN "@nestbed plan 1\n@nestbed test a pass r=\"\n@nestbed test a pass\n"
		  "@nestbed end verdict=pass" SUMS(1, 0, 0, 0, 0), "line 3: a quoted value" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(judge(rows[i].text, NULL), VERDICT_INCOMPLETE);
		assert_true(said(rows[i].said));
	}
}

static void test_lost_tests_get_names(void **state)
{
	judge(BEGIN "@nestbed plan 3\n@nestbed decl a\n@nestbed decl b\n@nestbed decl c\n"
	      "@nestbed start a\n@nestbed start b\n", NULL);
	assert_int_equal(m.test[0].result, RESULT_CRASHED);
	assert_int_equal(m.test[1].result, RESULT_CRASHED);
	assert_int_equal(m.test[2].result, RESULT_MISSING);
	assert_string_equal(m.test[1].reason, "started, and the run ended before its result");
	assert_string_equal(m.test[2].reason, "declared, and never started");
	assert_int_equal(m.test[1].log_to, m.log_end);
	assert_true(said("2 tests started and gave no result"));
	assert_true(said("1 declared test was never started"));
}

static void test_stopped_from_outside_is_incomplete(void **state)
{
	assert_int_equal(judge(BEGIN "@nestbed plan 1\n@nestbed test a pass\n"
			       "@nestbed end verdict=pass" SUMS(1, 0, 0, 0, 0),
			       "interrupted by signal 2"), VERDICT_INCOMPLETE);
	assert_string_equal(m.problems.text[0], "interrupted by signal 2");
}

/* Failures do not hide that a run is incomplete. */
static void test_incomplete_is_worse_than_failed(void **state)
{
	assert_int_equal(judge(BEGIN "@nestbed plan 2\n@nestbed test a fail\n", NULL),
			 VERDICT_INCOMPLETE);
}

static int teardown(void **state)
{
	model_free(&m);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_failed_by_fail_or_error),
		cmocka_unit_test(test_incomplete_rows),
		cmocka_unit_test(test_lost_tests_get_names),
		cmocka_unit_test(test_stopped_from_outside_is_incomplete),
		cmocka_unit_test(test_incomplete_is_worse_than_failed),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
