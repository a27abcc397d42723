// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <unistd.h>

#include "core/lib/crc32.h"
#include "core/lib/gunzip.h"

#define DATA_MAX	(300 * 1024)

/* What the host's gzip makes of data; the caller frees it. */
static u8 *compress(const u8 *data, size_t n, const char *options, size_t *packed)
{
	char name[] = "/tmp/test_gunzip_XXXXXX", cmd[128];
	u8 *out = malloc(2 * DATA_MAX);
	int fd = mkstemp(name);
	FILE *pipe;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	close(fd);
	snprintf(cmd, sizeof(cmd), "gzip -c %s %s", options, name);
	pipe = popen(cmd, "r");
	assert_non_null(pipe);
	*packed = fread(out, 1, 2 * DATA_MAX, pipe);
	assert_int_equal(pclose(pipe), 0);
	unlink(name);
	return out;
}

/* Data of several kinds: which blocks and matches gzip chooses depends on them. */
static size_t make(u8 *data, unsigned int kind)
{
	size_t n = kind ? 1 + (size_t)rand() % (DATA_MAX - 1) : 0;

	for (size_t i = 0; i < n; i++) {
		switch (kind) {
		case 1:		/* nothing to compress: stored blocks */
			data[i] = (u8)rand();
			break;
		case 2:		/* matches that overlap themselves, of 258 bytes */
			data[i] = 0;
			break;
		case 3:		/* few literals */
			data[i] = "aab"[rand() % 3];
			break;
		default:	/* far matches among noise */
			data[i] = i > 32000 && i & 64 ? data[i - 32000] : (u8)(rand() & 0x3f);
		}
	}
	return n;
}

static void test_what_gzip_packs_comes_out(void **state)
{
	static const char *const options[] = { "-1", "-6", "-9n" };
	u8 *data = malloc(DATA_MAX), *out = malloc(DATA_MAX);
	size_t n, packed, len;

	for (unsigned int round = 0; round < 30; round++) {
		u8 *gz;

		n = make(data, round % 5);
		gz = compress(data, n, options[round % 3], &packed);
		len = ~(size_t)0;
		assert_int_equal(gunzip(gz, packed, out, n, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(out, data, n);
		if (n)
			assert_int_equal(gunzip(gz, packed, out, n - 1, &len), -ENOSPC);
		free(gz);
	}
	free(data);
	free(out);
}

/* Cut off anywhere, or with one bit changed, it is no member. */
static void test_damage_is_seen(void **state)
{
	static const char text[] = "what a guest gets was packed when the image was built, "
				   "was packed when the image was built, and so on and so on";
	u8 out[sizeof(text)];
	size_t packed, len, harmless = 0;
	u8 *gz = compress((const u8 *)text, sizeof(text), "-9n", &packed);

	for (size_t n = 0; n < packed; n++)
		assert_int_equal(gunzip(gz, n, out, sizeof(out), &len), -EINVAL);
	for (size_t bit = 0; bit < packed * 8; bit++) {
		int err;

		/* Time, extra flags and operating system change nothing. */
		if (bit >= 4 * 8 && bit < 10 * 8)
			continue;
		gz[bit / 8] ^= (u8)(1 << bit % 8);
		err = gunzip(gz, packed, out, sizeof(out), &len);
		assert_true(!err || err == -EINVAL || err == -ENOSPC);
		harmless += !err;
		if (!err)
			assert_memory_equal(out, text, sizeof(text));
		gz[bit / 8] ^= (u8)(1 << bit % 8);
	}
	/* "Text" of the flags, and what fills up the last byte before the checksum. */
	assert_in_range(harmless, 1, 8);
	assert_int_equal(gunzip(gz, packed, out, sizeof(out), &len), 0);
	free(gz);
}

/* A member by hand: header, blocks, checksum and length of "want". */
static size_t member(u8 *to, u8 flags, const char *header, size_t header_len, const u8 *blocks,
		     size_t n, const char *want)
{
	u32 crc = crc32_update(0, want, strlen(want)), len = (u32)strlen(want);
	u8 *p = to;

	memcpy(p, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	p[3] = flags;
	p += 10;
	memcpy(p, header, header_len);
	p += header_len;
	memcpy(p, blocks, n);
	p += n;
	memcpy(p, &crc, 4);
	memcpy(p + 4, &len, 4);
	return (size_t)(p + 8 - to);
}

/* Stored, "abc", last. */
static const u8 stored[] = { 0x01, 0x03, 0x00, 0xfc, 0xff, 'a', 'b', 'c' };

static void test_header_fields_are_skipped(void **state)
{
	static const struct {
		u8 flags;
		const char *header;
		size_t len;
		int result;
	} headers[] = {
		{ 0x00, "", 0, 0 },
		{ 0x01, "", 0, 0 },
		{ 0x04, "\x02\x00xy", 4, 0 },
		{ 0x08, "name\0", 5, 0 },
		{ 0x10, "comment\0", 8, 0 },
		{ 0x02, "hc", 2, 0 },
		{ 0x1e, "\x01\x00x" "n\0" "c\0" "hc", 9, 0 },
		{ 0x20, "", 0, -EINVAL },
		{ 0x40, "", 0, -EINVAL },
		{ 0x80, "", 0, -EINVAL },
		{ 0x04, "\xff\xff", 2, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		u8 gz[64], out[8];
		size_t len, n = member(gz, headers[i].flags, headers[i].header, headers[i].len,
				       stored, sizeof(stored), "abc");

		assert_int_equal(gunzip(gz, n, out, sizeof(out), &len), headers[i].result);
		if (!headers[i].result)
			assert_true(len == 3 && !memcmp(out, "abc", 3));
		/* Cut off within the header. */
		for (size_t cut = 0; cut < 10 + headers[i].len; cut++)
			assert_int_equal(gunzip(gz, cut, out, sizeof(out), &len), -EINVAL);
	}
}

/* RFC 1951: bits from the lowest of each byte on. */
static void test_blocks_by_hand(void **state)
{
	static const struct {
		const char *name;
		u8 bytes[16];
		size_t n;
		const char *want;	/* NULL: -EINVAL */
	} blocks[] = {
		{ "stored, then an empty fixed one",
		  { 0x00, 0x01, 0x00, 0xfe, 0xff, 'a', 0x03, 0x00 }, 8, "a" },
		{ "stored, lengths differ", { 0x01, 0x01, 0x00, 0xfd, 0xff, 'a' }, 6, NULL },
		{ "stored, cut off", { 0x01, 0x20, 0x00, 0xdf, 0xff, 'a' }, 6, NULL },
		{ "type 3", { 0x07, 0x00 }, 2, NULL },
		/* 1, 01; 'a' is 91h: 10010001; end 0000000 */
		{ "fixed: a", { 0x4b, 0x04, 0x00 }, 3, "a" },
		/* 'a', length 3 (0000001), distance 1 (00000), end */
		{ "fixed: a, three more", { 0x4b, 0x04, 0x02, 0x00 }, 4, "aaaa" },
		/* 'a', length 3, distance 2 (00001): before the start */
		{ "fixed: too far back", { 0x4b, 0x04, 0x42, 0x00, 0x00 }, 5, NULL },
		/* 'a', length 3, distance code 30 (11110) */
		{ "fixed: distance code 30", { 0x4b, 0x04, 0x3e, 0x00, 0x00 }, 5, NULL },
		/* length code 286: 11000110 */
		{ "fixed: length code 286", { 0x1b, 0x03, 0x00 }, 3, NULL },
		/* HLIT 31: 288 codes */
		{ "dynamic: too many literals", { 0xfd, 0x00, 0x00, 0x00 }, 4, NULL },
		{ "dynamic: too many distances", { 0x05, 0x1f, 0x00, 0x00 }, 4, NULL },
		/* All code lengths 0: no symbol has a code. */
		{ "dynamic: empty code", { 0x05, 0x00, 0x00, 0x00, 0x00 }, 5, NULL },
		/* Four code lengths of 1 bit: more than there is room for. */
		{ "dynamic: too many codes", { 0x05, 0x00, 0x92, 0x04, 0x00, 0x00 }, 6, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		const char *want = blocks[i].want ? blocks[i].want : "";
		u8 gz[64], out[16];
		size_t len, n = member(gz, 0, "", 0, blocks[i].bytes, blocks[i].n, want);
		int err = gunzip(gz, n, out, sizeof(out), &len);

		if (err != (blocks[i].want ? 0 : -EINVAL))
			fail_msg("%s: %d", blocks[i].name, err);
		if (!err)
			assert_true(len == strlen(want) && !memcmp(out, want, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_gzip_packs_comes_out),
		cmocka_unit_test(test_damage_is_seen),
		cmocka_unit_test(test_header_fields_are_skipped),
		cmocka_unit_test(test_blocks_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
