// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/log.h"
#include "core/mon/guest_input.h"
#include "core/mon/log.h"

/* What is on the serial line, and how much of it was taken. */
static struct {
	const u8 *bytes;
	size_t n, taken;
} line;

static int line_getc(void *ctx)
{
	return line.taken < line.n ? line.bytes[line.taken++] : -EAGAIN;
}

static enum guest_input_key feed(const void *bytes, size_t n, u64 now)
{
	line.bytes = bytes;
	line.n = n;
	line.taken = 0;
	return guest_input_feed(line_getc, NULL, now);
}

static int fresh(void **state)
{
	for (u32 i = 0; i < LOG_MAX_GUESTS; i++)
		guest_input_close(i);
	guest_input_want("");
	return 0;
}

static void test_queue(void **state)
{
	static struct console_in q;

	/* More than once around, and around the counters' own end. */
	q.head = q.tail = ~0u - 700;
	for (u32 round = 0; round < 3; round++) {
		assert_int_equal(console_in_get(&q), -EAGAIN);
		for (u32 i = 0; i < CONSOLE_IN_SIZE; i++)
			assert_true(console_in_put(&q, (u8)(i * 7)));
		assert_int_equal(console_in_waiting(&q), CONSOLE_IN_SIZE);
		assert_false(console_in_put(&q, 1));
		for (u32 i = 0; i < CONSOLE_IN_SIZE; i++)
			assert_int_equal(console_in_get(&q), (u8)(i * 7));
		assert_int_equal(console_in_waiting(&q), 0);
	}
	assert_true(console_in_put(&q, 0xff));
	assert_int_equal(console_in_get(&q), 0xff);
}

static void test_nobody_attached_is_the_monitor(void **state)
{
	assert_true(guest_input_due_us(5) == ~0ULL);
	guest_input_open(2, "linux");
	assert_int_equal(feed("", 0, 1), GUEST_KEY_NONE);
	assert_int_equal(feed("abc", 3, 1), GUEST_KEY_MONITOR);
	/* One byte is the key, the rest is typed at the monitor. */
	assert_int_equal(line.taken, 1);
	assert_int_equal(guest_console_getc(2), -EAGAIN);
	/* Without a guest to attach to, Ctrl-] is a byte like others. */
	assert_int_equal(feed("\x1d", 1, 1), GUEST_KEY_MONITOR);
}

static void test_attached(void **state)
{
	guest_input_open(0, "a");
	guest_input_open(5, "b");
	assert_int_equal(guest_input_attach(5), 0);
	assert_int_equal(feed("x\0\xff\n", 4, 1), GUEST_KEY_NONE);
	assert_int_equal(line.taken, 4);
	assert_int_equal(guest_console_getc(0), -EAGAIN);
	assert_true(guest_console_waits(5));
	assert_false(guest_console_waits(0) || guest_console_waits(2) || guest_console_waits(~0U));
	assert_int_equal(guest_console_getc(5), 'x');
	assert_int_equal(guest_console_getc(5), 0);
	assert_int_equal(guest_console_getc(5), 0xff);
	assert_int_equal(guest_console_getc(5), '\n');
	assert_int_equal(guest_console_getc(5), -EAGAIN);
	assert_false(guest_console_waits(5));
	/* What stands behind Ctrl-] is not the guest's. */
	assert_int_equal(feed("1\x1d" "2", 3, 1), GUEST_KEY_ESCAPE);
	assert_int_equal(line.taken, 2);
	assert_int_equal(guest_console_getc(5), '1');
	assert_int_equal(guest_console_getc(5), -EAGAIN);
	assert_int_equal(feed("3", 1, 1), GUEST_KEY_MONITOR);
}

static void test_end_of_a_guest(void **state)
{
	guest_input_open(1, "a");
	assert_int_equal(guest_input_attach(1), 0);
	feed("old", 3, 1);
	guest_input_close(1);
	assert_int_equal(guest_console_getc(1), -EAGAIN);
	assert_int_equal(guest_input_attach(1), -ENOENT);
	assert_int_equal(guest_input_type(1, "x"), -ENOENT);
	assert_int_equal(feed("k", 1, 1), GUEST_KEY_MONITOR);
	/* The next one with this number does not get what was typed for it. */
	guest_input_open(1, "a");
	assert_int_equal(guest_console_getc(1), -EAGAIN);
	assert_int_equal(guest_input_attach(LOG_MAX_GUESTS), -ENOENT);
	assert_int_equal(guest_console_getc(LOG_MAX_GUESTS), -EAGAIN);
	guest_input_open(LOG_MAX_GUESTS, "none");
	guest_input_close(LOG_MAX_GUESTS);
}

static void test_attached_from_the_start(void **state)
{
	guest_input_want("vmlinuz-*");
	guest_input_open(0, "other");
	assert_int_equal(feed("k", 1, 1), GUEST_KEY_MONITOR);
	guest_input_open(1, "vmlinuz-6.1");
	assert_int_equal(feed("k", 1, 1), GUEST_KEY_NONE);
	assert_int_equal(guest_console_getc(1), 'k');
	/* The first one keeps it; after Ctrl-] nobody has it. */
	guest_input_open(2, "vmlinuz-6.2");
	assert_int_equal(feed("k", 1, 1), GUEST_KEY_NONE);
	assert_int_equal(guest_console_getc(1), 'k');
	assert_int_equal(feed("\x1d", 1, 1), GUEST_KEY_ESCAPE);
	assert_int_equal(feed("k", 1, 1), GUEST_KEY_MONITOR);
}

static void test_full_queue_waits_then_drops(void **state)
{
	static u8 bytes[64];
	struct guest_input_info info;
	u64 now = 1000;

	guest_input_open(3, "deaf");
	assert_int_equal(guest_input_attach(3), 0);
	for (u32 i = 0; i < CONSOLE_IN_SIZE / 64; i++) {
		assert_int_equal(feed(bytes, 64, now), GUEST_KEY_NONE);
		assert_int_equal(line.taken, 64);
	}
	/* Left in the UART. */
	feed(bytes, 64, now);
	assert_int_equal(line.taken, 0);
	feed(bytes, 64, now + CONSOLE_IN_PATIENCE_US - 1);
	assert_int_equal(line.taken, 0);
	/* It read one: patience starts anew. */
	assert_int_equal(guest_console_getc(3), 0);
	now += CONSOLE_IN_PATIENCE_US;
	feed(bytes, 64, now);
	assert_int_equal(line.taken, 1);
	feed(bytes, 64, now + CONSOLE_IN_PATIENCE_US - 1);
	assert_int_equal(line.taken, 0);
	feed(bytes, 10, now + CONSOLE_IN_PATIENCE_US);
	assert_int_equal(line.taken, 10);
	assert_true(guest_input_running(0, &info));
	assert_int_equal(info.waiting, CONSOLE_IN_SIZE);
	assert_int_equal(info.lost, 10);
	assert_true(info.attached);
	assert_int_equal(feed("\x1d", 1, now + CONSOLE_IN_PATIENCE_US), GUEST_KEY_ESCAPE);
}

static void test_one_look_is_bounded(void **state)
{
	static u8 bytes[500];

	guest_input_open(0, "a");
	assert_int_equal(guest_input_attach(0), 0);
	assert_int_equal(feed(bytes, sizeof(bytes), 1), GUEST_KEY_NONE);
	assert_int_equal(line.taken, 64);
}

static void test_type(void **state)
{
	char text[CONSOLE_IN_SIZE];

	guest_input_open(0, "a");
	assert_int_equal(guest_input_type(0, "ls"), 0);
	assert_int_equal(guest_console_getc(0), 'l');
	assert_int_equal(guest_console_getc(0), 's');
	assert_int_equal(guest_console_getc(0), '\r');
	assert_int_equal(guest_console_getc(0), -EAGAIN);
	/* As a whole or not at all. */
	memset(text, 'x', sizeof(text));
	text[CONSOLE_IN_SIZE - 1] = '\0';
	assert_int_equal(guest_input_type(0, text), 0);
	assert_int_equal(guest_input_type(0, ""), -ENOSPC);
	assert_int_equal(guest_console_getc(0), 'x');
	assert_int_equal(guest_input_type(0, "y"), -ENOSPC);
	assert_int_equal(guest_input_type(0, ""), 0);
}

static void test_find_and_list(void **state)
{
	struct guest_input_info info;

	assert_false(guest_input_running(0, &info));
	guest_input_open(4, "linux");
	guest_input_open(9, "7");
	assert_int_equal(guest_input_find("linux"), 4);
	assert_int_equal(guest_input_find("4"), 4);
	assert_int_equal(guest_input_find("vm4"), 4);
	/* A name goes before a number. */
	assert_int_equal(guest_input_find("7"), 9);
	assert_int_equal(guest_input_find("vm7"), -ENOENT);
	assert_int_equal(guest_input_find("vm"), -ENOENT);
	assert_int_equal(guest_input_find("lin"), -ENOENT);
	assert_int_equal(guest_input_find("16"), -ENOENT);
	assert_int_equal(guest_input_find("4294967300"), -ENOENT);
	assert_true(guest_input_running(0, &info));
	assert_int_equal(info.vm_id, 4);
	assert_string_equal(info.name, "linux");
	assert_false(info.attached);
	assert_true(guest_input_running(1, &info));
	assert_int_equal(info.vm_id, 9);
	assert_false(guest_input_running(2, &info));
}

static void test_how_often_to_look(void **state)
{
	guest_input_open(0, "a");
	feed("k", 1, 5000000);
	assert_int_equal(guest_input_due_us(5000001), 1000);
	assert_int_equal(guest_input_due_us(6999999), 1000);
	assert_int_equal(guest_input_due_us(7000000), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test_setup(test_nobody_attached_is_the_monitor, fresh),
		cmocka_unit_test_setup(test_attached, fresh),
		cmocka_unit_test_setup(test_end_of_a_guest, fresh),
		cmocka_unit_test_setup(test_attached_from_the_start, fresh),
		cmocka_unit_test_setup(test_full_queue_waits_then_drops, fresh),
		cmocka_unit_test_setup(test_one_look_is_bounded, fresh),
		cmocka_unit_test_setup(test_type, fresh),
		cmocka_unit_test_setup(test_find_and_list, fresh),
		cmocka_unit_test_setup(test_how_often_to_look, fresh),
	};

	return cmocka_run_group_tests_name("guest_input", tests, NULL, NULL);
}
