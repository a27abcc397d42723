// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/lineedit.h"

#define UP "\x1b[A"
#define DOWN "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT "\x1b[D"
#define HOME "\x1b[H"
#define END "\x1b[F"
#define DEL "\x1b[3~"
#define PROMPT "> "

/* A terminal that knows CR, EL and CUB, of one line; wrapping is an error. */
static struct {
	char cell[LINE_EDIT_COLUMNS + 1];
	unsigned int col;
	size_t bytes;
} term;

static unsigned int put_escape(const char *s, size_t len)
{
	unsigned int n = 0, i;

	assert_int_equal(s[1], '[');
	for (i = 2; s[i] >= '0' && s[i] <= '9'; i++)
		n = n * 10 + (unsigned int)(s[i] - '0');
	assert_true(i < len);
	if (s[i] == 'K') {
		for (unsigned int c = term.col; c < LINE_EDIT_COLUMNS; c++)
			term.cell[c] = ' ';
	} else {
		assert_int_equal(s[i], 'D');
		assert_in_range(n, 1, term.col);
		term.col -= n;
	}
	return i;
}

static void term_put(void *ctx, const char *s, size_t len)
{
	term.bytes += len;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\r') {
			term.col = 0;
		} else if (s[i] == '\x1b') {
			i += put_escape(s + i, len - i);
		} else {
			assert_in_range((unsigned char)s[i], ' ', '~');
			assert_in_range(term.col, 0, LINE_EDIT_COLUMNS - 1);
			term.cell[term.col++] = s[i];
		}
	}
}

static struct line_edit e;
static void complete(void *ctx)
{
	line_edit_insert(&e, "[tab]", 5);
}
static const struct line_edit_ops ops = { .put = term_put, .complete = complete };

static void start(void)
{
	memset(&term, 0, sizeof(term));
	memset(term.cell, ' ', LINE_EDIT_COLUMNS);
	line_edit_init(&e, PROMPT, &ops);
	line_edit_start(&e);
}

/* The number of lines that were completed. */
static int keys(const char *s)
{
	int lines = 0;

	for (; *s; s++) {
		if (!line_edit_byte(&e, (u8)*s))
			continue;
		lines++;
		if (s[1] && !(s[0] == '\r' && s[1] == '\n'))
			line_edit_start(&e);
	}
	return lines;
}

/* The terminal shows the line (when it fits) and the cursor. */
static void check_shown(void)
{
	char want[LINE_EDIT_COLUMNS + 1];

	if (e.len > 70)
		return;
	memset(want, ' ', LINE_EDIT_COLUMNS);
	want[LINE_EDIT_COLUMNS] = '\0';
	memcpy(want, PROMPT, strlen(PROMPT));
	memcpy(want + strlen(PROMPT), e.buf, e.len);
	assert_string_equal(term.cell, want);
	assert_int_equal(term.col, strlen(PROMPT) + e.pos);
}

static void test_typing(void **state)
{
	start();
	check_shown();
	assert_int_equal(keys("ls /kvm"), 0);
	check_shown();
	assert_int_equal(keys("\r"), 1);
	assert_string_equal(e.buf, "ls /kvm");
}

static void test_echo_is_one_byte_a_key(void **state)
{
	start();
	term.bytes = 0;
	keys("abcdef");
	assert_int_equal(term.bytes, 6);
}

static void test_line_ends(void **state)
{
	start();
	assert_int_equal(keys("a\r\nb\nc\r\r\n"), 4);
	start();
	assert_int_equal(keys("\n\n"), 2);
}

static void test_editing(void **state)
{
	static const struct { const char *keys, *want; } row[] = {
		{ "bc" HOME "a", "abc" },
		{ "ac" LEFT "b", "abc" },
		{ "abx\x7f" "c", "abc" },
		{ "abx\b" "c", "abc" },
		{ "xabc" HOME DEL, "abc" },
		{ "xabc\x01\x04", "abc" },
		{ "abcx" LEFT DEL, "abc" },
		{ "ab" LEFT LEFT LEFT LEFT RIGHT "x" END "c", "axbc" },
		{ "ab\x02\x02" "x\x06y\x05z", "xaybz" },
		{ "abc def\x17" "x", "abc x" },
		{ "abc def  \x17\x17" "x", "x" },
		{ "abc def\x02\x02\x02\x0b", "abc " },
		{ "abc def\x02\x02\x02\x15", "def" },
		{ "abc\x03xyz", "xyz" },
		{ "\x7f\x08" DEL LEFT "abc" RIGHT DEL, "abc" },
		{ "a\tb", "a[tab]b" },
		{ "bc\x1b[1~a\x1b[4~d", "abcd" },
		{ "bc\x1b[7~a\x1b[8~d", "abcd" },
		{ "bc\x1bOHa\x1bOFd", "abcd" },
		/* Unknown sequences leave nothing behind; modifiers are ignored. */
		{ "a\x1b[99;5~b\x1b[?25hc\x1b[1;5Dx\x1bOQ", "abxc" },
		{ "a\x1b[200000000000000000000~b", "ab" },
		{ "a\x1b\x1b[Db", "ba" },
		{ "a\x80\xff\x0e\x1f" "b", "ab" },
		{ "ab\x0c" "c", "abc" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		start();
		assert_int_equal(keys(row[i].keys), 0);
		assert_string_equal(e.buf, row[i].want);
		assert_int_equal(e.len, strlen(row[i].want));
		check_shown();
	}
}

static void test_history(void **state)
{
	start();
	assert_int_equal(keys("one\rtwo\rtwo\r\rthree\r"), 5);
	line_edit_start(&e);
	keys("new" UP);
	assert_string_equal(e.buf, "three");
	check_shown();
	keys(UP);
	assert_string_equal(e.buf, "two");
	keys(UP UP UP "\x10");
	assert_string_equal(e.buf, "one");
	keys(DOWN "\x0e");
	assert_string_equal(e.buf, "three");
	keys(DOWN);
	assert_string_equal(e.buf, "new");
	keys(DOWN DOWN "er");
	assert_string_equal(e.buf, "newer");
	check_shown();
	/* A recalled line is a copy. */
	keys(UP "!\r");
	assert_string_equal(e.buf, "three!");
	line_edit_start(&e);
	keys(UP UP);
	assert_string_equal(e.buf, "three");
}

static void test_history_is_a_ring(void **state)
{
	char line[32];

	start();
	for (int i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "line%d\r", i);
		assert_int_equal(keys(line), 1);
		line_edit_start(&e);
	}
	for (int i = 0; i < 30; i++)
		keys(UP);
	assert_string_equal(e.buf, "line24");
	assert_int_equal(LINE_EDIT_HISTORY, 16);
}

static void test_long_line(void **state)
{
	start();
	for (int i = 0; i < 700; i++)
		line_edit_byte(&e, (u8)('a' + i % 26));
	assert_int_equal(e.len, LINE_EDIT_MAX - 1);
	/* The end is in sight, and the cursor behind it. */
	assert_int_equal(term.cell[term.col - 1], e.buf[e.len - 1]);
	keys(HOME);
	assert_int_equal(term.col, strlen(PROMPT));
	assert_memory_equal(term.cell, PROMPT "abcdef", 8);
	keys("X" END LEFT LEFT);
	assert_int_equal(term.cell[term.col], e.buf[e.pos]);
	/* Scrolling by half a screen: not a redraw for each byte. */
	start();
	term.bytes = 0;
	for (int i = 0; i < 400; i++)
		line_edit_byte(&e, 'x');
	assert_in_range(term.bytes, 400, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typing),
		cmocka_unit_test(test_echo_is_one_byte_a_key),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_editing),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_is_a_ring),
		cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
