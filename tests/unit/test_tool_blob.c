// SPDX-License-Identifier: MIT
/* What the image sends of a saved guest, and what becomes of it on the way. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mon/blob.h"
#include "core/mon/line.h"
#include "core/mon/log.h"
#include "tools/nestbed/blob.h"

#define SIZE	(5 * BLOB_LINE_BYTES + 17)

static struct strbuf sent;
static struct run_model m;
static struct blob_reader reader;
static struct serial_parser parser;
static u8 data[SIZE];
static char files[400];		/* names and sizes of what came whole */

static void take(void *ctx, const char *s, size_t len)
{
	sb_add(&sent, s, len);
	sb_puts(&sent, "\r\n");
}

static struct log_sink sink = { .line = take };

static int start(void **state)
{
	log_add_sink(&sink);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (u8)(i * i >> 5);
	return 0;
}

static void whole(void *ctx, const char *file, const char *bytes, size_t len)
{
	size_t n = strlen(files);

	assert_int_equal(len, SIZE);
	assert_memory_equal(bytes, data, SIZE);
	snprintf(files + n, sizeof(files) - n, "%s,", file);
}

static void event(void *ctx, const struct serial_event *ev)
{
	model_event(&m, ev);
	blob_event(&reader, ev);
}

static int setup(void **state)
{
	sb_free(&sent);
	files[0] = '\0';
	model_init(&m);
	blob_init(&reader, &m, whole, NULL);
	serial_init(&parser, event, NULL);
	return 0;
}

static int teardown(void **state)
{
	model_free(&m);
	sb_free(&sent);
	return 0;
}

static void feed(const char *s)
{
	serial_feed(&parser, s, strlen(s));
}

static void finish(void)
{
	serial_finish(&parser);
	blob_finish(&reader);
}

/* Line number i of what was sent, from 0; *len with its end. */
static char *line_at(u32 i, size_t *len)
{
	char *p = sent.s;

	while (i--)
		p = strchr(p, '\n') + 1;
	*len = (size_t)(strchr(p, '\n') + 1 - p);
	return p;
}

static void remove_line(u32 i)
{
	size_t len;
	char *p = line_at(i, &len);

	memmove(p, p + len, strlen(p + len) + 1);
	sent.len -= len;
}

/* Overwrites what follows key in line i. */
static void change(u32 i, const char *key, const char *with)
{
	size_t len;
	char *p = strstr(line_at(i, &len), key) + strlen(key);

	memcpy(p, with, strlen(with));
}

static u32 patience;		/* lines until it is stopped */

static bool stop(void *ctx)
{
	return !patience--;
}

static void send_one(const char *guest)
{
	u64 lines;

	sb_free(&sent);
	patience = ~0u;
	assert_int_equal(blob_send(data, SIZE, 1, guest, stop, NULL, &lines), 0);
	assert_int_equal(lines, 6);
}

static void test_whole(void **state)
{
	send_one("linux");
	feed("@nestbed begin v=1\r\nvm0| x\r\n");
	feed(sent.s);
	finish();
	assert_string_equal(files, "linux.save,");
	assert_int_equal(m.notes.n, 1);
	assert_string_equal(m.notes.text[0], "saved guest linux: 2717 bytes, in linux.save");
	assert_int_equal(m.problems.n, 0);
}

/* What others write meanwhile does not count; each block has a file of its own. */
static void test_between(void **state)
{
	size_t len;

	send_one("a");
	feed("@nestbed begin v=1\r\n");
	for (u32 i = 0; i < 8; i++) {
		char *p = line_at(i, &len);

		serial_feed(&parser, p, len);
		feed("vm1| @nestbed blob 3 00000000 AAAA\r\n@nestbed stats begin seq=1 us=1\r\n");
	}
	feed(sent.s);
	send_one("a-2");
	feed(sent.s);
	send_one("a");
	feed(sent.s);
	finish();
	assert_string_equal(files, "a.save,a-2.save,a-2-2.save,a-3.save,");
	assert_int_equal(m.problems.n, 0);
}

/* One block with a change: what is told of it, and that nothing of it is kept. */
static void refused(const char *why)
{
	char want[200];

	feed(sent.s);
	finish();
	assert_string_equal(files, "");
	assert_int_equal(m.problems.n, 1);
	snprintf(want, sizeof(want), "saved guest linux, block 1: %s", why);
	assert_string_equal(m.problems.text[0], want);
	teardown(NULL);
	setup(NULL);
	send_one("linux");
}

static void test_damage(void **state)
{
	size_t len;
	char *p;

	send_one("linux");
	remove_line(3);
	refused("line 3 is missing");
	remove_line(1);
	remove_line(4);
	refused("line 1 is missing (2 lines in all)");
	remove_line(6);
	refused("line 6 is missing");
	remove_line(7);
	refused("it has no end");
	p = line_at(2, &len);
	p[100] ^= 1;
	refused("line 2 is damaged");
	p = line_at(2, &len);
	p[16] = p[16] == 'f' ? 'e' : 'f';
	refused("line 2 is damaged");
	/* Half of it is gone, and the end of the line with it. */
	p = line_at(4, &len);
	memmove(p + 300, p + len, strlen(p + len) + 1);
	refused("line 4 is damaged (2 lines in all)");
	p = line_at(4, &len);
	p[14] = 'x';
	refused("behind line 3 is a damaged one");
	p = line_at(5, &len);
	p[14] = '3';
	refused("line 3 comes twice");
	change(7, "crc32=", "00000000");
	refused("the crc32 differs");
	change(7, "lines=", "5");
	refused("its end line does not fit");
	change(7, "crc32=", "0000 000");
	refused("its end line does not fit");
	change(0, "bytes=", "2716");
	refused("it has more than its 2716 bytes");
	change(0, "bytes=", "2718");
	refused("it has 2717 bytes instead of 2718");
	change(0, "bytes=", "none");
	refused("its begin line is damaged");
}

static void test_without_begin(void **state)
{
	send_one("linux");
	remove_line(0);
	feed(sent.s);
	finish();
	assert_string_equal(files, "");
	assert_int_equal(m.problems.n, 1);
	assert_string_equal(m.problems.text[0],
			    "saved guest guest, block 1: its begin line is missing");
}

/* Sent again it is no problem any more. */
static void test_again(void **state)
{
	send_one("linux");
	remove_line(3);
	feed(sent.s);
	send_one("linux");
	remove_line(7);
	feed(sent.s);
	send_one("linux");
	feed(sent.s);
	finish();
	assert_string_equal(files, "linux.save,");
	assert_int_equal(m.problems.n, 0);
	assert_int_equal(m.notes.n, 3);
	assert_string_equal(m.notes.text[0], "saved guest linux, block 1: line 3 is missing; type "
					     "send to have it sent again");
}

/* Nobody wants it any more: that is no problem of the run, nor is what was wrong with it. */
static void test_stopped(void **state)
{
	u64 lines;

	for (u32 i = 0; i < 2; i++) {
		sb_free(&sent);
		patience = 4;
		assert_int_equal(blob_send(data, SIZE, 1, "linux", stop, NULL, &lines),
				 -ECANCELED);
		assert_int_equal(lines, 4);
		if (i)
			remove_line(2);
		feed(sent.s);
	}
	feed("@nestbed blob abort seq=1 lines=4\r\n");
	assert_int_equal(m.notes.n, 2);
	assert_string_equal(m.notes.text[0], "saved guest linux, block 1: stopped behind line 4");
	send_one("linux");
	feed(sent.s);
	finish();
	assert_string_equal(files, "linux.save,");
	assert_int_equal(m.notes.n, 3);
	assert_int_equal(m.problems.n, 0);
}

/* It does not make good what came before. */
static void test_stopped_after_damage(void **state)
{
	u64 lines;

	send_one("linux");
	remove_line(3);
	feed(sent.s);
	sb_free(&sent);
	patience = 1;
	assert_int_equal(blob_send(data, SIZE, 2, "linux", stop, NULL, &lines), -ECANCELED);
	feed(sent.s);
	finish();
	assert_int_equal(m.problems.n, 1);
	assert_string_equal(m.problems.text[0], "saved guest linux, block 1: line 3 is missing");
}

/* The last line of a log may be a part of one. */
static void test_cut_off(void **state)
{
	send_one("linux");
	sent.s[sent.len - 1] = '\0';
	feed(sent.s);
	finish();
	assert_string_equal(files, "");
	assert_string_equal(m.problems.text[0], "saved guest linux, block 1: it has no end");
}

static void test_names(void **state)
{
	static const struct { const char *guest, *file; } rows[] = {
		{ "../../x", "_._.._x.save," }, { ".x", "_x.save," }, { "", "guest.save," },
		{ "a/b c", "a_b_c.save," }, { "A-z_0.9+", "A-z_0.9+.save," },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		send_one(rows[i].guest);
		feed(sent.s);
		finish();
		assert_string_equal(files, rows[i].file);
		teardown(NULL);
		setup(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_between, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_after_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
	};

	return cmocka_run_group_tests_name("tool_blob", tests, start, NULL);
}
