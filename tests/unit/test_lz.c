/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/lib/lz.h"
#include "tests/unit/rng.h"

static u8 src[LZ_MAX], packed[LZ_MAX + LZ_MAX / 128], back[LZ_MAX + 1];
static struct lz_table table;

static u32 round_trip(u32 n)
{
	u32 len = lz_pack(src, n, packed, sizeof(packed), &table);

	assert_true(len > 0);
	memset(back, 0x5a, sizeof(back));
	assert_int_equal(lz_unpack(packed, len, back, n), 0);
	assert_memory_equal(back, src, n);
	assert_int_equal(back[n], 0x5a);
	return len;
}

/* By hand: three bytes, then nine more of the same period. */
static void test_format(void **state)
{
	memcpy(src, "abcabcabcabc", 12);
	assert_int_equal(round_trip(12), 7);
	assert_memory_equal(packed, "\x02" "abc" "\x85\x02\x00", 7);
}

static void test_equal_bytes(void **state)
{
	static const u32 sizes[] = { 1, 2, 4, 5, 130, 131, 132, 386, 387, 388, 4096, LZ_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(src, 0xcc, sizeof(src));
		assert_in_range(round_trip(sizes[i]), 1, sizes[i] / 255 + 6);
	}
}

static void test_random(void **state)
{
	struct rng r = { 1 };

	for (u32 i = 0; i < sizeof(src); i++)
		src[i] = (u8)rng_next(&r);
	/* A byte for each 128 is what it costs at most. */
	for (u32 n = 1; n < 600; n++)
		assert_true(round_trip(n) <= n + (n + 127) / 128);
	assert_true(round_trip(LZ_MAX) <= sizeof(packed));
	assert_int_equal(lz_pack(src, LZ_MAX, packed, LZ_MAX - 1, &table), 0);
}

/* Few symbols, long and short repeats: all forms of the coding come up. */
static void test_mixed(void **state)
{
	struct rng r = { 2 };

	for (u32 round = 0; round < 300; round++) {
		u32 n = (u32)rng_next(&r) % 5000 + 1, i = 0;

		while (i < n) {
			u32 from = i ? (u32)rng_next(&r) % i : 0;
			u32 len = (u32)rng_next(&r) % 700 + 1;

			for (; len && i < n; len--, i++)
				src[i] = from < i && round & 1 ? src[from++] :
								 (u8)(rng_next(&r) & 3);
		}
		round_trip(n);
	}
	/* The whole distance. */
	memset(src, 0, sizeof(src));
	memcpy(src, "01234567", 8);
	memcpy(src + LZ_MAX - 8, "01234567", 8);
	round_trip(LZ_MAX);
}

static void test_no_room(void **state)
{
	u32 len, n = 1000;

	for (u32 i = 0; i < n; i++)
		src[i] = (u8)(i * i >> 5);
	len = round_trip(n);
	for (u32 cap = 0; cap < len; cap++) {
		packed[cap] = 0xa5;
		assert_int_equal(lz_pack(src, n, packed, cap, &table), 0);
		assert_int_equal(packed[cap], 0xa5);
	}
	assert_int_equal(lz_pack(src, n, packed, len, &table), len);
}

/* Whatever is cut off, or too much, is found. */
static void test_damaged(void **state)
{
	static const struct {
		u32 n, len;
		const char *bytes;
	} rows[] = {
		{ 0, 1, "" },
		{ 1, 1, "\x00" },			/* no literal */
		{ 2, 1, "\x01" "a" },			/* one of two */
		{ 3, 1, "\x01" "ab" },			/* one too many */
		{ 5, 6, "\x00" "a" "\x80\x01\x00" },	/* from before the start */
		{ 5, 4, "\x00" "a" "\x80\x00\x00" },	/* too long */
		{ 5, 6, "\x00" "a" "\x80\x00\x00" },	/* too short */
		{ 4, 5, "\x00" "a" "\x80\x00" },	/* half a distance */
		{ 3, 200, "\x00" "a" "\xff" },		/* length without its end */
		{ 4, 387, "\x00" "a" "\xff\xff" },
	};
	u32 len;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if (lz_unpack((const u8 *)rows[i].bytes, rows[i].n, back, rows[i].len) != -EINVAL)
			fail_msg("row %u", i);
	assert_int_equal(lz_unpack((const u8 *)"\x00" "a" "\x80\x00\x00", 5, back, 5), 0);
	memset(packed, 0xff, sizeof(packed));
	packed[0] = 0;
	assert_int_equal(lz_unpack(packed, sizeof(packed), back, LZ_MAX), -EINVAL);
	for (u32 i = 0; i < 3000; i++)
		src[i] = (u8)(i % 7 ? i >> 6 : i);
	len = round_trip(3000);
	for (u32 cut = 0; cut < len; cut++)
		assert_int_equal(lz_unpack(packed, cut, back, 3000), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_equal_bytes),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
