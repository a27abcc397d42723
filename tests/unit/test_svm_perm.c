// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "svm/perm.h"
#include "tests/unit/rng.h"

static u8 map[IOPM_SIZE], other[IOPM_SIZE], out[IOPM_SIZE];

/* APM2 15.11: first MSR of each range at byte 0, 800h, 1000h; two bits each. */
static void test_msr_positions(void **state)
{
	static const struct { u32 msr; int bit; } row[] = {
		{ 0, 0 }, { 1, 2 }, { 0x10, 0x20 }, { 0x1fff, 0x3ffe },
		{ 0xc0000000, 0x4000 }, { 0xc0000080, 0x4100 }, { 0xc0001fff, 0x7ffe },
		{ 0xc0010000, 0x8000 }, { 0xc0010117, 0x822e }, { 0xc0011fff, 0xbffe },
		{ 0x2000, -1 }, { 0xbfffffff, -1 }, { 0xc0002000, -1 }, { 0xc000ffff, -1 },
		{ 0xc0012000, -1 }, { 0xffffffff, -1 }, { 0x40000000, -1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(msrpm_bit(row[i].msr), row[i].bit);
}

static void test_msr_set_changes_only_its_bits(void **state)
{
	struct rng r = rng_seed(1);
	static const u32 first[] = { 0, 0xc0000000, 0xc0010000 };

	for (unsigned int n = 0; n < 2000; n++) {
		u32 msr = first[rng_below(&r, 3)] + (u32)rng_below(&r, 0x2000);
		u32 rw = 1 + (u32)rng_below(&r, 3);
		bool on = rng_one_in(&r, 2);
		unsigned int changed = 0;

		memset(map, on ? 0 : 0xff, MSRPM_SIZE);
		memcpy(out, map, MSRPM_SIZE);
		assert_int_equal(msrpm_set(map, msr, rw, on), 0);
		assert_int_equal(msrpm_get(map, msr), on ? rw : 3 & ~rw);
		for (unsigned int i = 0; i < MSRPM_SIZE; i++)
			changed += (unsigned int)__builtin_popcount(map[i] ^ out[i]);
		assert_int_equal(changed, __builtin_popcount(rw));
	}
}

static void test_msr_outside_always_exits(void **state)
{
	memset(map, 0, MSRPM_SIZE);
	assert_int_equal(msrpm_get(map, 0x2000), PERM_READ | PERM_WRITE);
	assert_int_equal(msrpm_set(map, 0x2000, PERM_READ, true), 0);
	assert_int_equal(msrpm_set(map, 0x2000, PERM_READ, false), -EINVAL);
	assert_int_equal(msrpm_set(map, 0xc0012000, PERM_WRITE, false), -EINVAL);
	for (unsigned int i = 0; i < MSRPM_SIZE; i++)
		assert_int_equal(map[i], 0);
}

static void test_io_every_byte_counts(void **state)
{
	memset(map, 0, IOPM_SIZE);
	iopm_set(map, 0x3f8, true);
	assert_int_equal(map[0x7f], 1);
	assert_true(iopm_get(map, 0x3f8, 1));
	assert_false(iopm_get(map, 0x3f9, 4));
	assert_true(iopm_get(map, 0x3f7, 2));
	assert_false(iopm_get(map, 0x3f6, 2));
	assert_true(iopm_get(map, 0x3f5, 4));
	assert_false(iopm_get(map, 0x3f4, 4));
	iopm_set(map, 0x3f8, false);
	assert_false(iopm_get(map, 0x3f5, 4));
}

/* APM2 15.10.1: the third page holds the bits of FFFFh + 1 .. + 3. */
static void test_io_beyond_the_last_port(void **state)
{
	memset(map, 0, IOPM_SIZE);
	assert_false(iopm_get(map, 0xffff, 4));
	map[0x2000] = 1;
	assert_true(iopm_get(map, 0xffff, 2));
	assert_false(iopm_get(map, 0xffff, 1));
	map[0x2000] = 4;
	assert_false(iopm_get(map, 0xffff, 2));
	assert_true(iopm_get(map, 0xffff, 4));
}

static void test_merge(void **state)
{
	struct rng r = rng_seed(2);

	for (unsigned int i = 0; i < IOPM_SIZE; i++) {
		map[i] = (u8)rng_next(&r);
		other[i] = (u8)rng_next(&r);
	}
	perm_merge(out, map, other, IOPM_SIZE);
	for (u32 p = 0; p < 65536; p++)
		assert_int_equal(iopm_get(out, (u16)p, 1),
				 iopm_get(map, (u16)p, 1) || iopm_get(other, (u16)p, 1));
	assert_int_equal(out[IOPM_SIZE - 1], map[IOPM_SIZE - 1] | other[IOPM_SIZE - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msr_positions),
		cmocka_unit_test(test_msr_set_changes_only_its_bits),
		cmocka_unit_test(test_msr_outside_always_exits),
		cmocka_unit_test(test_io_every_byte_counts),
		cmocka_unit_test(test_io_beyond_the_last_port),
		cmocka_unit_test(test_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
