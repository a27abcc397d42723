// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/line.h"
#include "core/mon/log.h"

/* The log is one for the process: tests look at what came since their start. */
struct capture {
	char text[4000][200];
	int n;
	struct log_sink sink;
};

static struct capture first, late;

static void take(void *ctx, const char *s, size_t len)
{
	struct capture *c = ctx;

	assert_true(len <= LINE_MAX);
	if (c->n < 4000)
		snprintf(c->text[c->n], sizeof(c->text[0]), "%.*s", (int)len, s);
	c->n++;
}

static void test_early_lines_are_replayed(void **state)
{
	log_printf(LOG_INFO, "booting %d", 1);
	machine_line("begin v=%d", 1);
	first.sink.line = take;
	first.sink.ctx = &first;
	log_add_sink(&first.sink);
	assert_int_equal(first.n, 2);
	assert_string_equal(first.text[0], "# booting 1");
	assert_string_equal(first.text[1], "@nestbed begin v=1");
}

static void test_levels_and_prefixes(void **state)
{
	first.n = 0;
	log_printf(LOG_ERR, "e");
	log_printf(LOG_WARN, "w");
	log_printf(LOG_DEBUG, "not shown");
	log_set_level(LOG_DEBUG);
	log_printf(LOG_DEBUG, "d");
	log_set_level(LOG_INFO);
	diag_printf(&log_diag, "from a parser");
	assert_int_equal(first.n, 4);
	assert_string_equal(first.text[0], "# error: e");
	assert_string_equal(first.text[1], "# warning: w");
	assert_string_equal(first.text[2], "# debug: d");
	assert_string_equal(first.text[3], "# warning: from a parser");
}

static void test_no_line_can_be_forged(void **state)
{
	first.n = 0;
	log_printf(LOG_INFO, "a\n@nestbed end verdict=pass");
	machine_line("test x fail reason=\"%s\"", "r\r\n@nestbed test x pass");
	ktap_line("ok 1 %s", "x\nok 2 y");
	for (const char *p = "\r\n@nestbed test y pass\r\n\xff"; *p; p++)
		guest_putc(3, (u8)*p);
	guest_console_end(3);
	assert_int_equal(first.n, 7);
	assert_string_equal(first.text[0], "# a");
	assert_string_equal(first.text[1], "# @nestbed end verdict=pass");
	assert_string_equal(first.text[2],
			    "@nestbed test x fail reason=\"r\\x0d\\x0a@nestbed test x pass\"");
	assert_string_equal(first.text[3], "ok 1 x\\x0aok 2 y");
	assert_string_equal(first.text[4], "vm3| ");
	assert_string_equal(first.text[5], "vm3| @nestbed test y pass");
	assert_string_equal(first.text[6], "vm3| ?");
	guest_putc(LOG_MAX_GUESTS, 'x');
	guest_console_end(LOG_MAX_GUESTS);
	assert_int_equal(first.n, 7);
}

static void test_long_text_is_cut(void **state)
{
	first.n = 0;
	log_printf(LOG_INFO, "%02000d", 7);
	assert_int_equal(first.n, 1);
}

static void test_history_keeps_the_newest_lines(void **state)
{
	for (int i = 0; i < 3000; i++)
		log_printf(LOG_INFO, "line %d", i);
	late.sink.line = take;
	late.sink.ctx = &late;
	log_add_sink(&late.sink);
	assert_string_equal(late.text[0], "# (earlier lines are lost)");
	assert_in_range(late.n, 1000, 2000);
	assert_string_equal(late.text[late.n - 1], "# line 2999");
	/* Whole lines, without a gap. */
	for (int i = 1; i < late.n; i++) {
		char want[32];

		snprintf(want, sizeof(want), "# line %d", 3000 - late.n + i);
		assert_string_equal(late.text[i], want);
	}
}

static u32 cpu;

static u32 get_cpu(void)
{
	return cpu;
}

/* A sink whose output is abandoned in the middle, as by a watchdog. */
static jmp_buf hung;
static bool hang;

static void hang_line(void *ctx, const char *s, size_t len)
{
	if (hang) {
		hang = false;
		longjmp(hung, 1);
	}
}

static void test_lock_survives_an_abandoned_writer(void **state)
{
	static struct log_sink sink = { .line = hang_line };

	log_set_cpu_id(get_cpu);
	log_add_sink(&sink);
	cpu = 2;
	hang = true;
	if (!setjmp(hung)) {
		log_printf(LOG_INFO, "never finished");
		fail();
	}
	log_abandon();
	cpu = 1;
	first.n = 0;
	log_printf(LOG_INFO, "goes on");
	assert_string_equal(first.text[0], "# goes on");
	/* The same CPU on top of its own printing does not wait. */
	cpu = 2;
	hang = true;
	if (!setjmp(hung))
		log_printf(LOG_INFO, "interrupted");
	first.n = 0;
	log_printf(LOG_INFO, "by a handler");
	assert_string_equal(first.text[0], "# by a handler");
}

static void test_panic_mode_needs_no_lock(void **state)
{
	cpu = 2;
	hang = true;
	if (!setjmp(hung))
		log_printf(LOG_INFO, "holder dies");
	cpu = 0;
	log_panic_mode();
	first.n = 0;
	log_printf(LOG_ERR, "panic");
	guest_putc(0, '\n');
	assert_int_equal(first.n, 1);
	assert_string_equal(first.text[0], "# error: panic");
}

static char typed[1024];

static void take_raw(void *ctx, const char *s, size_t len)
{
	strncat(typed, s, MIN(len, sizeof(typed) - strlen(typed) - 1));
}

static void take_line(void *ctx, const char *s, size_t len)
{
	take_raw(ctx, s, len);
	take_raw(ctx, "\r\n", 2);
}

static void test_open_line(void **state)
{
	static struct log_sink sink = { .line = take_line, .raw = take_raw };

	log_add_sink(&sink);
	typed[0] = '\0';
	first.n = 0;
	assert_false(log_raw_open());
	log_raw("> ", 2);
	log_raw("ab", 2);
	assert_true(log_raw_open());
	assert_int_equal(first.n, 0);
	/* A line that comes meanwhile starts at column 0. */
	machine_line("x");
	assert_false(log_raw_open());
	log_raw("> abc", 5);
	log_raw_end("> abc");
	assert_false(log_raw_open());
	machine_line("y");
	assert_string_equal(typed, "> ab\r\n@nestbed x\r\n> abc\r\n@nestbed y\r\n");
	/* Who cannot show half a line gets it when it is whole. */
	assert_int_equal(first.n, 3);
	assert_string_equal(first.text[0], "@nestbed x");
	assert_string_equal(first.text[1], "> abc");
	assert_string_equal(first.text[2], "@nestbed y");
}

static void guest_says(u32 id, const char *text)
{
	while (*text)
		guest_putc(id, (u8)*text++);
}

static void test_prompt_of_a_guest(void **state)
{
	typed[0] = '\0';
	first.n = 0;
	guest_says(1, "x\r\n~ # ");
	guest_says(2, "y");
	guest_console_poll(1000000);
	assert_string_equal(typed, "vm1| x\r\n");
	guest_console_poll(1000000 + GUEST_IDLE_US);
	assert_string_equal(typed, "vm1| x\r\nvm1| ~ # \r\nvm2| y\r\n");
	guest_says(1, "ls\r\n");
	assert_string_equal(typed, "vm1| x\r\nvm1| ~ # \r\nvm2| y\r\nvm1| ls\r\n");
	assert_int_equal(first.n, 4);
	assert_string_equal(first.text[1], "vm1| ~ # ");
	/* Nothing is left to be shown. */
	guest_console_poll(9000000);
	guest_console_end(1);
	guest_console_end(2);
	assert_int_equal(first.n, 4);
}

static void test_guest_that_somebody_types_at(void **state)
{
	typed[0] = '\0';
	first.n = 0;
	log_attach_guest(1);
	guest_says(1, "~ # ");
	assert_string_equal(typed, "");
	guest_console_poll(20000000);
	assert_string_equal(typed, "vm1| ~ # ");
	/* That is no line of the monitor's. */
	assert_false(log_raw_open());
	guest_says(1, "l");
	guest_console_poll(20000100);		/* too soon after the last time */
	assert_string_equal(typed, "vm1| ~ # ");
	guest_console_poll(20002000);
	assert_string_equal(typed, "vm1| ~ # l");
	assert_int_equal(first.n, 0);
	guest_says(1, "s\r\n");
	assert_string_equal(typed, "vm1| ~ # ls\r\n");
	/* Who cannot show half a line gets it when it is whole. */
	assert_int_equal(first.n, 1);
	assert_string_equal(first.text[0], "vm1| ~ # ls");
	guest_says(1, "bin\r\n");
	assert_string_equal(first.text[1], "vm1| bin");
}

static void test_open_line_of_a_guest_gives_way(void **state)
{
	typed[0] = '\0';
	first.n = 0;
	guest_says(1, "# \x1b[J");
	guest_console_poll(30000000);
	machine_line("x");
	assert_string_equal(typed, "vm1| # \\x1b[J\r\n@nestbed x\r\n");
	guest_says(1, "ls\n");
	guest_says(1, "\n");
	/* Shown to its last byte, then the end comes. */
	guest_says(1, "ok");
	guest_console_poll(31000000);
	guest_says(1, "\r\n");
	assert_string_equal(typed, "vm1| # \\x1b[J\r\n@nestbed x\r\nvm1| ls\r\nvm1| \r\n"
			    "vm1| ok\r\n");
	assert_int_equal(first.n, 5);
	/* A bare CR does not write over what is there. */
	typed[0] = '\0';
	guest_says(1, "10%");
	guest_console_poll(32000000);
	guest_says(1, "\r20%");
	guest_console_poll(33000000);
	/* The monitor takes the line. */
	log_raw("> ", 2);
	log_attach_guest(LOG_NO_GUEST);
	assert_string_equal(typed, "vm1| 10%\r\nvm1| 20%\r\n> ");
	assert_true(log_raw_open());
	log_raw_end("> ");
	guest_console_end(1);
}

static void test_open_line_of_a_guest_is_bounded(void **state)
{
	u64 now = 40000000;

	log_attach_guest(1);
	first.n = 0;
	for (u32 i = 0; i < 1000; i++) {
		guest_putc(1, 'x');
		guest_console_poll(now += 2000);
	}
	guest_console_poll(now += 2000);
	log_attach_guest(LOG_NO_GUEST);
	assert_in_range(first.n, 5, 6);
	for (int i = 0; i < first.n; i++)
		assert_in_range(strlen(first.text[i]), 5, 16 + GUEST_LINE_MAX);
	/* A guest that ends in the middle. */
	log_attach_guest(1);
	guest_says(1, "half");
	guest_console_poll(now += 2000);
	typed[0] = '\0';
	guest_console_end(1);
	assert_string_equal(typed, "\r\n");
	log_attach_guest(LOG_NO_GUEST);
}

static void test_output_limit_of_a_guest(void **state)
{
	guest_console_limit(4, 20);
	guest_console_limit(LOG_MAX_GUESTS, 1);
	first.n = 0;
	guest_says(4, "0123456789\n0123456789\n");
	assert_int_equal(first.n, 3);
	assert_string_equal(first.text[2], "vm4| (more than 20 bytes, the rest is dropped)");
	guest_console_end(4);
	guest_console_limit(4, 0);
	first.n = 0;
	guest_says(4, "0123456789\n0123456789\n0123456789\n");
	guest_console_end(4);
	assert_int_equal(first.n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early_lines_are_replayed),
		cmocka_unit_test(test_levels_and_prefixes),
		cmocka_unit_test(test_no_line_can_be_forged),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_history_keeps_the_newest_lines),
		cmocka_unit_test(test_open_line),
		cmocka_unit_test(test_prompt_of_a_guest),
		cmocka_unit_test(test_guest_that_somebody_types_at),
		cmocka_unit_test(test_open_line_of_a_guest_gives_way),
		cmocka_unit_test(test_open_line_of_a_guest_is_bounded),
		cmocka_unit_test(test_output_limit_of_a_guest),
		cmocka_unit_test(test_lock_survives_an_abandoned_writer),
		cmocka_unit_test(test_panic_mode_needs_no_lock),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
