// SPDX-License-Identifier: MIT
/* What core/mon/blob.c writes; that the tool reads it is tested in test_tool_blob.c. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "core/lib/base64.h"
#include "core/lib/crc32.h"
#include "core/mon/blob.h"
#include "core/mon/line.h"
#include "core/mon/log.h"

static char text[100][LINE_MAX + 1];
static u32 lines;

static void take(void *ctx, const char *s, size_t len)
{
	assert_true(len <= LINE_MAX && lines < ARRAY_SIZE(text));
	memcpy(text[lines], s, len);
	text[lines++][len] = '\0';
}

static struct log_sink sink = { .line = take };

static int start(void **state)
{
	log_add_sink(&sink);
	return 0;
}

/* How often it may be asked before somebody types Ctrl-C. */
static u32 patience;

static bool stop(void *ctx)
{
	assert_ptr_equal(ctx, &patience);
	return !patience--;
}

static int send(const void *data, u64 size, u32 seq, const char *guest, u64 *count)
{
	patience = ~0u;
	return blob_send(data, size, seq, guest, stop, &patience, count);
}

static void test_small(void **state)
{
	u64 count;

	lines = 0;
	assert_int_equal(send("foobar", 6, 3, "linux", &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(lines, 3);
	assert_string_equal(text[0], "@nestbed blob begin seq=3 guest=\"linux\" bytes=6");
	assert_string_equal(text[1], "@nestbed blob 1 9ef61f95 Zm9vYmFy");
	assert_string_equal(text[2], "@nestbed blob end seq=3 lines=1 crc32=9ef61f95");
}

/* Full lines and the rest of it, each of which can be checked alone. */
static void test_pieces(void **state)
{
	u8 data[7 * BLOB_LINE_BYTES + 1], back[BLOB_LINE_BYTES + 3];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7 >> 3);
	for (size_t n = sizeof(data) - 2; n <= sizeof(data); n++) {
		size_t at = 0;
		u64 count;

		lines = 0;
		assert_int_equal(send(data, n, 1, "x", &count), 0);
		assert_int_equal(count, n > 7 * BLOB_LINE_BYTES ? 8 : 7);
		assert_int_equal(lines, count + 2);
		for (u32 i = 1; i <= count; i++) {
			unsigned int number, crc;
			int where = 0;
			s64 len;

			assert_int_equal(sscanf(text[i], "@nestbed blob %u %8x %n", &number, &crc,
						&where), 2);
			assert_int_equal(number, i);
			len = base64_decode(text[i] + where, strlen(text[i] + where), back);
			assert_int_equal(len, MIN(n - at, (size_t)BLOB_LINE_BYTES));
			assert_memory_equal(back, data + at, (size_t)len);
			assert_int_equal(crc32_update(0, back, (size_t)len), crc);
			at += (size_t)len;
		}
		assert_int_equal(at, n);
	}
}

/* Before any line of data, and behind each but the last. */
static void test_stopped(void **state)
{
	static const u8 data[3 * BLOB_LINE_BYTES];
	char want[60];
	u64 count;

	for (u32 i = 0; i < 3; i++) {
		lines = 0;
		patience = i;
		assert_int_equal(blob_send(data, sizeof(data), 7, "x", stop, &patience, &count),
				 -ECANCELED);
		assert_int_equal(count, i);
		assert_int_equal(lines, i + 2);
		snprintf(want, sizeof(want), "@nestbed blob abort seq=7 lines=%u", i);
		assert_string_equal(text[i + 1], want);
	}
	patience = 3;
	assert_int_equal(blob_send(data, sizeof(data), 7, "x", stop, &patience, &count), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests_name("blob", tests, start, NULL);
}
