// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/line.h"

struct lines {
	char text[40][512];
	int n;
};

static void add(void *ctx, const char *line)
{
	struct lines *l = ctx;

	if (l->n < 40)
		strcpy(l->text[l->n], line);
	l->n++;
}

static void add_piece(void *ctx, const char *s, size_t len)
{
	char buf[512];

	memcpy(buf, s, len);
	buf[len] = '\0';
	add(ctx, buf);
}

static void feed(struct guest_line *g, struct lines *l, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		guest_line_putc(g, (u8)s[i], add, l);
}

static void test_escape(void **state)
{
	char buf[64];

	assert_int_equal(line_escape(buf, sizeof(buf), "a\tb\x1b[m\xff\x7f", 8), 11);
	assert_string_equal(buf, "a b\\x1b[m??");
	assert_int_equal(line_escape(buf, sizeof(buf), "\n\r\0", 3), 12);
	assert_string_equal(buf, "\\x0a\\x0d\\x00");
}

static void test_escape_cuts_at_a_whole_character(void **state)
{
	char buf[8];

	assert_int_equal(line_escape(buf, 6, "ab\x01" "c", 4), 2);
	assert_string_equal(buf, "ab");
	assert_int_equal(line_escape(buf, 7, "ab\x01" "c", 4), 6);
	assert_string_equal(buf, "ab\\x01");
	assert_int_equal(line_escape(buf, 1, "abc", 3), 0);
	assert_string_equal(buf, "");
}

static void test_split(void **state)
{
	struct lines l = { .n = 0 };

	line_split("one\r\n\ntwo\n", add_piece, &l);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.text[0], "one");
	assert_string_equal(l.text[1], "");
	assert_string_equal(l.text[2], "two");
	l.n = 0;
	line_split("", add_piece, &l);
	assert_int_equal(l.n, 0);
}

static void test_guest_lines(void **state)
{
	struct guest_line g = { .len = 0 };
	struct lines l = { .n = 0 };

	feed(&g, &l, "hello\r\nworld\n\n", 14);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.text[0], "hello");
	assert_string_equal(l.text[1], "world");
	assert_string_equal(l.text[2], "");
}

static void test_guest_bare_cr_starts_a_line(void **state)
{
	struct guest_line g = { .len = 0 };
	struct lines l = { .n = 0 };

	feed(&g, &l, "10%\r20%\r\r\n", 10);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.text[0], "10%");
	assert_string_equal(l.text[1], "20%");
}

static void test_guest_cannot_send_control_bytes(void **state)
{
	struct guest_line g = { .len = 0 };
	struct lines l = { .n = 0 };

	for (int c = 0; c < 256; c++)
		guest_line_putc(&g, (u8)c, add, &l);
	guest_line_end(&g, add, &l);
	assert_true(l.n >= 3);
	for (int i = 0; i < l.n; i++) {
		assert_true(strlen(l.text[i]) <= GUEST_LINE_MAX);
		for (const char *p = l.text[i]; *p; p++)
			assert_true(*p >= ' ' && *p <= '~');
	}
}

static void test_guest_long_line_is_split(void **state)
{
	struct guest_line g = { .len = 0 };
	struct lines l = { .n = 0 };

	for (int i = 0; i < GUEST_LINE_MAX + 10; i++)
		guest_line_putc(&g, 'x', add, &l);
	guest_line_putc(&g, '\n', add, &l);
	assert_int_equal(l.n, 2);
	assert_int_equal(strlen(l.text[0]), GUEST_LINE_MAX);
	assert_int_equal(strlen(l.text[1]), 10);
	/* An escape is never torn. */
	l.n = 0;
	for (int i = 0; i < GUEST_LINE_MAX - 2; i++)
		guest_line_putc(&g, 'x', add, &l);
	guest_line_putc(&g, 1, add, &l);
	guest_line_putc(&g, '\n', add, &l);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.text[1], "\\x01");
}

static void test_guest_flood(void **state)
{
	struct guest_line g = { .limit = 100 };
	struct lines l = { .n = 0 };
	size_t wire = 0;

	for (int i = 0; i < 5000; i++)
		guest_line_putc(&g, i % 10 == 9 ? '\n' : 'y', add, &l);
	guest_line_end(&g, add, &l);
	/* 6 lines of 9 characters and their cost, and the notes. */
	assert_int_equal(l.n, 8);
	for (int i = 0; i < 6; i++)
		wire += strlen(l.text[i]) + 8;
	assert_in_range(wire, 100, 120);
	assert_string_equal(l.text[6], "(more than 100 bytes, the rest is dropped)");
	assert_string_equal(l.text[7], "(4940 more bytes dropped)");
	/* The next run starts with a full budget and the same limit. */
	assert_int_equal(g.limit, 100);
	assert_int_equal(g.sent, 0);
	l.n = 0;
	feed(&g, &l, "z\n", 2);
	assert_int_equal(l.n, 1);
	guest_line_end(&g, add, &l);
	assert_int_equal(l.n, 1);
}

static void test_guest_default_limit_holds_for_line_ends(void **state)
{
	struct guest_line g = { .len = 0 };
	struct lines l = { .n = 0 };

	for (int i = 0; i < 400000; i++)
		guest_line_putc(&g, '\n', add, &l);
	assert_int_equal(l.n, GUEST_OUTPUT_LIMIT / 8 + 1);
	assert_int_equal(g.dropped, 400000 - GUEST_OUTPUT_LIMIT / 8);
}

static void test_guest_limit_keeps_what_came_before(void **state)
{
	struct guest_line g = { .limit = 20 };
	struct lines l = { .n = 0 };

	feed(&g, &l, "0123456789012345678901234", 25);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.text[0], "01234567890123456789");
	assert_string_equal(l.text[1], "(more than 20 bytes, the rest is dropped)");
	guest_line_end(&g, add, &l);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.text[2], "(5 more bytes dropped)");
}

static void test_guest_prompt(void **state)
{
	struct guest_line g = { .len = 0 };
	struct lines l = { .n = 0 };

	assert_false(guest_line_idle(&g, 1000));
	feed(&g, &l, "a\n~ # ", 6);
	assert_int_equal(l.n, 1);
	assert_false(guest_line_idle(&g, 1000));
	assert_false(guest_line_idle(&g, 1000 + GUEST_IDLE_US - 1));
	assert_true(guest_line_idle(&g, 1000 + GUEST_IDLE_US));
	/* A byte makes it busy again. */
	feed(&g, &l, "l", 1);
	assert_false(guest_line_idle(&g, 5 * GUEST_IDLE_US));
	assert_true(guest_line_idle(&g, 6 * GUEST_IDLE_US));
	guest_line_break(&g, add, &l);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.text[1], "~ # l");
	assert_false(guest_line_idle(&g, 9 * GUEST_IDLE_US));
	guest_line_break(&g, add, &l);
	assert_int_equal(l.n, 2);
	/* What continues it is a line of its own... */
	feed(&g, &l, "s\r\n\r\n", 5);
	assert_int_equal(l.n, 4);
	assert_string_equal(l.text[2], "s");
	assert_string_equal(l.text[3], "");
	/* ...its end alone is not. */
	feed(&g, &l, "wait", 4);
	guest_line_break(&g, add, &l);
	feed(&g, &l, "\r\n", 2);
	assert_int_equal(l.n, 5);
	feed(&g, &l, "\n", 1);
	assert_int_equal(l.n, 6);
	assert_string_equal(l.text[5], "");
	/* Time that goes backwards or stands still: nothing is idle for long. */
	feed(&g, &l, "x", 1);
	assert_false(guest_line_idle(&g, 7));
	assert_false(guest_line_idle(&g, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cuts_at_a_whole_character),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_guest_lines),
		cmocka_unit_test(test_guest_bare_cr_starts_a_line),
		cmocka_unit_test(test_guest_cannot_send_control_bytes),
		cmocka_unit_test(test_guest_long_line_is_split),
		cmocka_unit_test(test_guest_flood),
		cmocka_unit_test(test_guest_default_limit_holds_for_line_ends),
		cmocka_unit_test(test_guest_limit_keeps_what_came_before),
		cmocka_unit_test(test_guest_prompt),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
