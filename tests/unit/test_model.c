// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tools/nestbed/model.h"
#include "core/lib/crc32.h"

#define BEGIN "@nestbed begin v=1 boot=1 cpu=\"C\" cpus=2\r\n"

static struct run_model m;

static void feed(const char *text)
{
	struct serial_parser *p = xcalloc(1, sizeof(*p));

	model_free(&m);
	model_init(&m);
	serial_init(p, model_event, &m);
	serial_feed(p, text, strlen(text));
	serial_finish(p);
	free(p);
}

static void test_inventory_and_tests(void **state)
{
	feed(BEGIN "@nestbed info svm npt,vgif\r\n@nestbed plan 2\r\n@nestbed decl a.b\r\n"
	     "@nestbed decl a.c\r\n@nestbed start a.b\r\n"
	     "@nestbed test a.b fail reason=\"r\" ref=\"APM2 1\" us=5\r\n@nestbed start a.c\r\n");
	assert_string_equal(model_begin(&m, "cpu"), "C");
	assert_null(model_begin(&m, "nothing"));
	assert_int_equal(m.ninfo, 1);
	assert_string_equal(m.info[0].name, "svm");
	assert_string_equal(m.info[0].text, "npt,vgif");
	assert_int_equal(m.plan, 2);
	assert_int_equal(m.declared, 2);
	assert_int_equal(m.ntests, 2);
	assert_int_equal(m.test[0].result, RESULT_FAIL);
	assert_string_equal(m.test[0].reason, "r");
	assert_string_equal(m.test[0].ref, "APM2 1");
	assert_true(m.test[0].has_us);
	assert_int_equal(m.test[0].us, 5);
	assert_int_equal(m.current, 2);
	assert_int_equal(model_done(&m), 1);
	assert_int_equal(m.problems.n, 0);
}

static void test_every_result(void **state)
{
	feed(BEGIN "@nestbed test a pass\n@nestbed test b fail\n@nestbed test c skip\n"
	     "@nestbed test d error\n@nestbed test e known\n@nestbed test f crashed\n"
	     "@nestbed test g PASS\n");
	for (int r = RESULT_PASS; r <= RESULT_KNOWN; r++)
		assert_int_equal(m.count[r], 1);
	/* What only a reader can find out cannot be claimed by a line. */
	assert_int_equal(m.count[RESULT_CRASHED], 0);
	assert_int_equal(m.ntests, 5);
	assert_int_equal(m.problems.n, 2);
}

static void test_the_first_result_stays(void **state)
{
	feed(BEGIN "@nestbed test a fail\n@nestbed test a pass\n");
	assert_int_equal(m.test[0].result, RESULT_FAIL);
	assert_int_equal(m.count[RESULT_PASS], 0);
	assert_int_equal(m.problems.n, 1);
}

static void test_lines_outside_of_the_run_do_not_count(void **state)
{
	feed("@nestbed test early pass\n" BEGIN "@nestbed test a pass\n"
	     "@nestbed end verdict=pass\n@nestbed test late pass\n");
	assert_int_equal(m.ntests, 1);
	assert_int_equal(m.stray, 1);
	assert_true(m.ended);
}

static void test_second_begin_is_a_reset(void **state)
{
	feed(BEGIN "@nestbed start a\n" BEGIN "@nestbed test a pass\n");
	assert_true(m.reset);
	assert_int_equal(m.test[0].result, RESULT_NONE);
	feed(BEGIN "@nestbed end verdict=pass\n" BEGIN "@nestbed test a pass\n");
	assert_false(m.reset);
	assert_true(m.again);
	assert_int_equal(m.ntests, 0);
}

static void test_an_unfinished_line_does_not_count(void **state)
{
	feed(BEGIN "@nestbed test a pass us=1");
	assert_int_equal(m.ntests, 0);
	assert_true(m.cut_off);
}

static void test_log_ranges(void **state)
{
	feed(BEGIN "@nestbed start a\nxx\n@nestbed test a fail\nyy\n@nestbed start b\nzz\n");
	assert_int_equal(m.test[0].log_from, strlen(BEGIN));
	assert_int_equal(m.test[0].log_to, strlen(BEGIN "@nestbed start a\nxx\n"
						  "@nestbed test a fail\n"));
	assert_int_equal(m.log_end - m.test[1].log_from, strlen("@nestbed start b\nzz\n"));
}

/* A block of statistics of two lines with its sums off by what is given. */
static void feed_stats(const char *l1, const char *l2, u64 lines, u32 crc_xor)
{
	u32 crc = crc32_update(crc32_update(0, l1, strlen(l1)), "\n", 1);
	char *text;

	crc = crc32_update(crc32_update(crc, l2, strlen(l2)), "\n", 1);
	text = xasprintf(BEGIN "@nestbed stats begin seq=3 us=9\r\n%s\r\n%s\n"
			 "@nestbed stats end lines=%llu crc32=%08x\r\n", l1, l2,
			 (unsigned long long)lines, crc ^ crc_xor);
	feed(text);
	free(text);
}

static void test_statistics_are_verified(void **state)
{
	static const char l1[] = "@nestbed stat /kvm/exits 12 count sum";
	static const char l2[] = "@nestbed stat /kvm/off -7 cycles last";

	feed_stats(l1, l2, 2, 0);
	assert_int_equal(m.stats_good, 1);
	assert_int_equal(m.stats.seq, 3);
	assert_string_equal(sb_str(&m.stats.text), "/kvm/exits 12 count sum\n"
						   "/kvm/off -7 cycles last\n");
	feed_stats(l1, l2, 2, 1);
	assert_int_equal(m.stats_good, 0);
	assert_int_equal(m.stats_damaged, 1);
	feed_stats(l1, l2, 3, 0);
	assert_int_equal(m.stats_damaged, 1);
	feed_stats(l1, "@nestbed stat /x 1.5 count sum", 2, 0);
	assert_int_equal(m.stats_damaged, 1);
	feed_stats(l1, "@nestbed stat x 1 count sum", 2, 0);
	assert_int_equal(m.stats_damaged, 1);
	assert_int_equal(m.problems.n, 0);
}

static void test_unfinished_and_stray_statistics(void **state)
{
	feed(BEGIN "@nestbed stat /a 1 count sum\n@nestbed stats end lines=0 crc32=0\n"
	     "@nestbed stats begin seq=1 us=1\n@nestbed stats begin seq=2 us=2\n"
	     "@nestbed stats end lines=0 crc32=00000000\n@nestbed stats begin seq=3 us=3\n"
	     "@nestbed end verdict=pass\n");
	assert_int_equal(m.stats_damaged, 4);
	assert_int_equal(m.stats_good, 1);
	assert_int_equal(m.stats.seq, 2);
}

static void test_bench_lines(void **state)
{
	feed(BEGIN "@nestbed bench l1_cpuid min=1 median=2 max=3 unit=cycles\n"
	     "@nestbed bench bad min=1 median=2 unit=us\n");
	assert_int_equal(m.nbench, 1);
	assert_string_equal(m.bench[0].name, "l1_cpuid");
	assert_int_equal(m.bench[0].max, 3);
	assert_int_equal(m.problems.n, 1);
}

static void test_thousands_of_tests_are_found_again(void **state)
{
	struct strbuf b = { 0 };

	sb_puts(&b, BEGIN);
	for (int i = 0; i < 5000; i++)
		sb_printf(&b, "@nestbed decl t.x%d\n", i);
	for (int i = 4999; i >= 0; i--)
		sb_printf(&b, "@nestbed test t.x%d pass us=%d\n", i, i);
	feed(sb_str(&b));
	assert_int_equal(m.ntests, 5000);
	assert_int_equal(m.count[RESULT_PASS], 5000);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(m.test[i].us, i);
	sb_free(&b);
}

static void test_messages_are_bounded_and_counted(void **state)
{
	model_free(&m);
	model_init(&m);
	for (int i = 0; i < MODEL_MESSAGES_MAX + 3; i++)
		model_note(&m, "%d \x1b", i);
	assert_int_equal(m.notes.n, MODEL_MESSAGES_MAX);
	assert_int_equal(m.notes.dropped, 3);
	assert_string_equal(m.notes.text[0], "0 \\x1b");
}

static void test_groups(void **state)
{
	assert_int_equal(group_len("one"), 3);
	assert_int_equal(group_len("svm.cpuid"), 3);
	assert_int_equal(group_len("svm.vmrun.asid_zero"), 9);
	assert_int_equal(group_len("svm.vmrun.asid.zero"), 9);
}

static int teardown(void **state)
{
	model_free(&m);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inventory_and_tests),
		cmocka_unit_test(test_every_result),
		cmocka_unit_test(test_the_first_result_stays),
		cmocka_unit_test(test_lines_outside_of_the_run_do_not_count),
		cmocka_unit_test(test_second_begin_is_a_reset),
		cmocka_unit_test(test_an_unfinished_line_does_not_count),
		cmocka_unit_test(test_log_ranges),
		cmocka_unit_test(test_statistics_are_verified),
		cmocka_unit_test(test_unfinished_and_stray_statistics),
		cmocka_unit_test(test_bench_lines),
		cmocka_unit_test(test_thousands_of_tests_are_found_again),
		cmocka_unit_test(test_messages_are_bounded_and_counted),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
