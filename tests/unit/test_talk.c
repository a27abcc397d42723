// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <string.h>

#include "tools/nestbed/talk.h"
#include "tools/nestbed/typing.h"

static struct talk talk;
static struct strbuf out;

static int fresh(void **state)
{
	talk_free(&talk);
	sb_free(&out);
	return 0;
}

static const char *hear(const char *s)
{
	out.len = 0;
	if (out.s)
		out.s[0] = '\0';
	talk_heard(&talk, s, strlen(s), &out);
	return sb_str(&out);
}

static void add(const char *spec)
{
	assert_int_equal(talk_add(&talk, spec), 0);
}

static void test_in_order(void **state)
{
	add("login:=root\\r");
	add("# $=ls\\r");
	assert_string_equal(talk_waits_for(&talk), "login:");
	assert_string_equal(hear("# \r\nwelcome\r\n"), "");
	assert_string_equal(hear("host lo"), "");
	/* Half a line is enough, in whatever pieces it comes. */
	assert_string_equal(hear("gin: "), "root\r");
	assert_string_equal(talk_waits_for(&talk), "# $");
	assert_string_equal(hear("root\r\nvm0| # \r\n"), "ls\r");
	assert_null(talk_waits_for(&talk));
	assert_string_equal(hear("login: # "), "");
	talk_restart(&talk);
	assert_string_equal(hear("login:"), "root\r");
}

static void test_rest_of_a_line_is_the_next_rule_s(void **state)
{
	add("a=1");
	add("a=2");
	add("^c=3");
	assert_string_equal(hear("ba"), "1");
	assert_string_equal(hear("a"), "2");
	/* Not at the start of a line. */
	assert_string_equal(hear("c"), "");
	assert_string_equal(hear("\nc\n"), "3");
	assert_null(talk_waits_for(&talk));
}

static void test_two_matches_in_one_piece(void **state)
{
	add("one=1");
	add("two=2");
	add("^three=3");
	assert_string_equal(hear("two one\r\nx two\r\nthree"), "123");
}

static void test_a_match_of_nothing(void **state)
{
	add("^=go");
	add("^x=y");
	assert_string_equal(hear(""), "");
	assert_string_equal(hear("x"), "goy");
	assert_null(talk_waits_for(&talk));
}

static void test_no_answer(void **state)
{
	add("ready=");
	add("x=\\\\");
	assert_string_equal(hear("ready"), "");
	assert_string_equal(hear("x"), "\\");
}

static void test_escapes(void **state)
{
	add("a\\=b|\\.c=1\\n2\\r3\\t4\\\\5\\x1d\\x00=6");
	assert_string_equal(hear("a.b xc"), "");
	out.len = 0;
	talk_heard(&talk, "a=b", 3, &out);
	assert_int_equal(out.len, 13);
	assert_memory_equal(out.s, "1\n2\r3\t4\\5\x1d\0=6", 13);
	add("x\\.c=dot");
	assert_string_equal(hear("xxc\n"), "");
	assert_string_equal(hear("x.c\n"), "dot");
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", "=x", "abc", "a\\=b", "(=x", "a=\\q", "a=\\x1",
					   "a=\\xg0", "a=\\", "[z-a]=x" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(talk_add(&talk, bad[i]), -EINVAL);
	assert_int_equal(talk.n, 0);
	assert_null(talk_waits_for(&talk));
}

static void test_any_bytes(void **state)
{
	static char junk[3 * TALK_LINE_MAX];

	add("end=1");
	memset(junk, 'x', sizeof(junk));
	memcpy(junk + sizeof(junk) - 3, "end", 3);
	out.len = 0;
	talk_heard(&talk, junk, sizeof(junk), &out);
	assert_int_equal(out.len, 1);
	assert_true(talk.line.len <= TALK_LINE_MAX);
	/* A NUL does not end the line. */
	talk_restart(&talk);
	out.len = 0;
	talk_heard(&talk, "\0\xff" "e\0nd", 6, &out);
	assert_int_equal(out.len, 1);
}

static void test_keys_of_a_person(void **state)
{
	struct typing t = { .source = -1 };

	typing_keys(&t, "ab\x01\x01" "c\x01", 6);
	assert_string_equal(t.out.s, "ab\x01" "c");
	assert_false(t.quit);
	/* The second half may come later. */
	typing_keys(&t, "d", 1);
	assert_string_equal(t.out.s, "ab\x01" "c\x01" "d");
	typing_keys(&t, "\x1d\x03\x01" "xy", 5);
	assert_string_equal(t.out.s, "ab\x01" "c\x01" "d\x1d\x03");
	assert_true(t.quit);
	sb_free(&t.out);
}

static void test_the_file_comes_after_the_conversation(void **state)
{
	struct typing_options o = { .input = "/dev/null" };
	struct typing t;

	assert_int_equal(talk_add(&o.talk, "go=now"), 0);
	assert_true(typing_wanted(&o));
	assert_int_equal(typing_start(&t, &o), 0);
	assert_int_equal(typing_source(&t, true), -1);
	typing_heard(&t, "go", 2);
	assert_true(typing_pending(&t));
	assert_int_equal(typing_source(&t, false), -1);
	assert_true(typing_source(&t, true) >= 0);
	/* Nothing in it. */
	typing_read(&t);
	assert_int_equal(typing_source(&t, true), -1);
	typing_end(&t);
	talk_free(&o.talk);
	assert_int_equal(typing_start(&t, &(struct typing_options){ .input = "/none" }), -ENOENT);
	typing_end(&t);
	assert_false(typing_wanted(&(struct typing_options){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_in_order, fresh),
		cmocka_unit_test_setup(test_rest_of_a_line_is_the_next_rule_s, fresh),
		cmocka_unit_test_setup(test_two_matches_in_one_piece, fresh),
		cmocka_unit_test_setup(test_a_match_of_nothing, fresh),
		cmocka_unit_test_setup(test_no_answer, fresh),
		cmocka_unit_test_setup(test_escapes, fresh),
		cmocka_unit_test_setup(test_refused, fresh),
		cmocka_unit_test_setup(test_any_bytes, fresh),
		cmocka_unit_test(test_keys_of_a_person),
		cmocka_unit_test_setup_teardown(test_the_file_comes_after_the_conversation, fresh,
						fresh),
	};

	return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
