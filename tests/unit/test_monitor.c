// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/log.h"
#include "core/mon/log.h"
#include "core/mon/monitor.h"
#include "tests/unit/mon_box.h"

static struct mon_box box;
static struct monitor mon;

/* The serial line: what is typed, and all that comes out. */
static struct {
	const char *keys;
	int idle;		/* times that nothing came */
	int give_up_after;
	bool interrupt;		/* another line comes when the keys are used up */
	char out[65536];
	size_t n;
	char screen[8192];	/* a sink without raw */
} line;

static void line_raw(void *ctx, const char *s, size_t len)
{
	assert_true(line.n + len < sizeof(line.out));
	memcpy(line.out + line.n, s, len);
	line.n += len;
}

static void line_line(void *ctx, const char *s, size_t len)
{
	line_raw(ctx, s, len);
	line_raw(ctx, "\r\n", 2);
}

static void screen_line(void *ctx, const char *s, size_t len)
{
	size_t n = strlen(line.screen);

	snprintf(line.screen + n, sizeof(line.screen) - n, "%.*s\n", (int)len, s);
}

static struct log_sink sinks[] = { { .line = line_line, .raw = line_raw },
				   { .line = screen_line } };

static int next_key(void *ctx)
{
	if (*line.keys)
		return (u8)*line.keys++;
	if (line.interrupt) {
		line.interrupt = false;
		machine_line("info from elsewhere");
	}
	/* A test that does not leave the monitor by itself must not hang. */
	assert_true(line.idle++ < 1000);
	return -EAGAIN;
}

static bool give_up(void *ctx)
{
	return line.give_up_after && line.idle >= line.give_up_after;
}

static const struct monitor_input input = { .getc = next_key, .give_up = give_up };

/* As the image has them: through the log. */
static void print(void *ctx, const char *text)
{
	ktap_line("%s", text);
}

static void answer(void *ctx, const char *text)
{
	machine_line("monitor %s", text);
}

static void start(const char *keys)
{
	memset(&line, 0, sizeof(line));
	box_init(&box);
	box.env.print = print;
	box.env.answer = answer;
	line.keys = keys;
}

static const char *session(const char *keys)
{
	start(keys);
	monitor_init(&mon, &box.env, &input);
	monitor_run(&mon);
	return line.out;
}

#define P "\rnestbed> "
#define E "\x1b[K"

static void test_session(void **state)
{
	assert_string_equal(session("vm\rcontinue\r"),
			    "@nestbed monitor ready\r\n" P E "vm\r\n@nestbed monitor ok vm\r\n"
			    P E "continue\r\n# going on: the run\r\n"
			    "@nestbed monitor ok continue\r\n");
	assert_string_equal(line.screen,
			    "@nestbed monitor ready\nnestbed> vm\n@nestbed monitor ok vm\n"
			    "nestbed> continue\n# going on: the run\n"
			    "@nestbed monitor ok continue\n");
}

static void test_empty_line(void **state)
{
	assert_string_equal(session("\r\ncontinue\r"),
			    "@nestbed monitor ready\r\n" P E "\r\n" P E "continue\r\n"
			    "# going on: the run\r\n@nestbed monitor ok continue\r\n");
}

static void test_completion(void **state)
{
	assert_non_null(strstr(session("cat /kvm/exits/c\t\rcontinue\r"),
			       "cat /kvm/exits/cpuid \r\n1000\r\n"));
	assert_non_null(strstr(session("cat /k\texits/h\t\rconti\t\r"),
			       "cat /kvm/exits/hlt \r\n234\r\n"));
	/* As far as all agree, then the list. */
	assert_non_null(strstr(session("cat /kvm/v\t0/exits\rcontinue\r"),
			       "cat /kvm/vm0/exits\r\n34\r\n"));
	assert_non_null(strstr(session("cat /kvm/vm\t0/exits\rcontinue\r"),
			       "cat /kvm/vm\r\n  vm0/\r\n  vm1/\r\n" P "cat /kvm/vm" E
			       "0/exits\r\n34\r\n"));
	/* A file and a directory of one name: either may be meant. */
	assert_non_null(strstr(session("cat /kvm/e\t\t\rcontinue\r"),
			       "cat /kvm/exits\r\n  exits\r\n  exits/\r\n"));
	assert_non_null(strstr(session("cat /kvm/a\t\rcontinue\r"),
			       "cat /kvm/a\\x20b \r\n5\r\n"));
	/* In the middle of a line. */
	assert_non_null(strstr(session("he vm\x1b[D\x1b[D\x1b[D\t\rcontinue\r"),
			       "@nestbed monitor ok help  vm\r\n"));
}

static void test_common_part_ends_before_an_escape(void **state)
{
	/* "x*" and "xy": nothing in common behind x. */
	assert_non_null(strstr(session("cat /kvm/x\ty\rcontinue\r"), "cat /kvm/x" E "y\r\n7\r\n"));
	/* Typed in another spelling: no completion, no damage. */
	assert_non_null(strstr(session("cat /kvm/\\x61\t\\x20b\rcontinue\r"),
			       "@nestbed monitor ok cat /kvm/\\x61\\x20b\r\n"));
}

static bool many(void *ctx, size_t i, struct mon_item *item)
{
	static char name[16];

	snprintf(name, sizeof(name), "t.%03u", (unsigned int)i % 1000);
	*item = (struct mon_item){ name, NULL };
	return i < 100;
}

static void test_long_list(void **state)
{
	start("run t.\t00\rcontinue\r");
	box.env.test = many;
	monitor_init(&mon, &box.env, &input);
	monitor_run(&mon);
	/* "t.0" is common to all, then the list of 60. */
	assert_non_null(strstr(line.out, "run t.0"));
	start("run t.0\t\rcontinue\r");
	box.env.test = many;
	monitor_init(&mon, &box.env, &input);
	monitor_run(&mon);
	assert_non_null(strstr(line.out, "  t.059\r\n  ... and 40 more\r\n"));
	assert_null(strstr(line.out, "  t.060\r\n"));
}

static void test_history_lives_on(void **state)
{
	session("vm\rcontinue\r");
	line.keys = "\x1b[A\x1b[A\rcontinue\r";
	line.n = 0;
	memset(line.out, 0, sizeof(line.out));
	monitor_run(&mon);
	assert_non_null(strstr(line.out, "@nestbed monitor ok vm\r\n"));
}

static void test_lines_of_others_start_at_column_0(void **state)
{
	start("");
	line.interrupt = true;
	line.give_up_after = 3;
	monitor_init(&mon, &box.env, &input);
	monitor_run(&mon);
	assert_string_equal(line.out,
			    "@nestbed monitor ready\r\n" P E "\r\n@nestbed info from elsewhere\r\n"
			    P E "\r\n@nestbed monitor ok continue\r\n");
}

static void test_machine_lines_are_at_column_0(void **state)
{
	const char *p = session("@nestbed end verdict=pass\r\x1b[A\x7f\x1b[D\tx\rls\rcontinue\r");
	int n = 0;

	for (; (p = strstr(p, "@nestbed")); p++) {
		bool at_start = p == line.out || p[-1] == '\n';
		bool typed = !strncmp(p, "@nestbed end", 12);

		assert_int_equal(at_start, !typed && !strncmp(p, "@nestbed monitor", 16));
		n++;
	}
	assert_true(n > 5);
}

static void test_give_up(void **state)
{
	start("");
	line.give_up_after = 5;
	monitor_init(&mon, &box.env, &input);
	monitor_run(&mon);
	assert_int_equal(line.idle, 5);
	assert_non_null(strstr(line.out, "@nestbed monitor ok continue\r\n"));
}

static void test_used_is_not_given_up(void **state)
{
	start("vm\rpoweroff\r");
	/* Would give up at once if it asked. */
	line.give_up_after = 1;
	line.idle = 100;
	monitor_init(&mon, &box.env, &input);
	monitor_run(&mon);
	assert_string_equal(box.ran, "show vm\npower off\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_empty_line),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_common_part_ends_before_an_escape),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_history_lives_on),
		cmocka_unit_test(test_lines_of_others_start_at_column_0),
		cmocka_unit_test(test_machine_lines_are_at_column_0),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_used_is_not_given_up),
	};

	log_add_sink(&sinks[0]);
	log_add_sink(&sinks[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
