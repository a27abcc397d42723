// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tools/nestbed/text.h"

static void test_buffer_grows_and_stays_terminated(void **state)
{
	struct strbuf b = { 0 };

	assert_string_equal(sb_str(&b), "");
	for (int i = 0; i < 1000; i++) {
		sb_printf(&b, "%d,", i % 10);
		assert_int_equal(b.s[b.len], 0);
	}
	assert_int_equal(b.len, 2000);
	assert_memory_equal(b.s + 1990, "5,6,7,8,9,", 10);
	sb_free(&b);
	assert_null(b.s);
}

static void test_clean_leaves_printable_ascii_only(void **state)
{
	char all[256];
	struct strbuf b = { 0 };

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	sb_clean(&b, all, sizeof(all));
	for (size_t i = 0; i < b.len; i++)
		assert_in_range(b.s[i], ' ', '~');
	/* 95 printable ones, the tab as a space, the others as \xNN */
	assert_int_equal(b.len, 95 + 1 + 160 * 4);
	assert_memory_equal(b.s, "\\x00\\x01", 8);
	sb_free(&b);
}

static void test_xml_escapes_what_is_special(void **state)
{
	struct strbuf b = { 0 };

	sb_xmln(&b, "<a b=\"c\" d='e'>&\x1b]]>\0", 21);
	assert_string_equal(sb_str(&b),
			    "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\\x1b]]&gt;\\x00");
	sb_free(&b);
}

static void test_microseconds_for_people(void **state)
{
	static const struct {
		u64 us;
		const char *text;
	} rows[] = {
		{ 0, "0 us" }, { 999, "999 us" }, { 1000, "1.0 ms" }, { 25400, "25.4 ms" },
		{ 1000000, "1.00 s" }, { 61250000, "61.25 s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct strbuf b = { 0 };

		sb_us(&b, rows[i].us);
		assert_string_equal(sb_str(&b), rows[i].text);
		sb_free(&b);
	}
}

static void test_numbers_are_digits_that_fit(void **state)
{
	static const char *const bad[] = {
		"", " 1", "-1", "+1", "1 ", "0x10", "1.5", "18446744073709551616", "ten",
	};
	u64 v = 7;

	assert_int_equal(decimal_u64("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(decimal_u64("18446744073709551615", &v), 0);
	assert_true(v == ~0ULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		v = 7;
		assert_int_equal(decimal_u64(bad[i], &v), -EINVAL);
		assert_int_equal(v, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer_grows_and_stays_terminated),
		cmocka_unit_test(test_clean_leaves_printable_ascii_only),
		cmocka_unit_test(test_xml_escapes_what_is_special),
		cmocka_unit_test(test_microseconds_for_people),
		cmocka_unit_test(test_numbers_are_digits_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
