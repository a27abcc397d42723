/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/lib/crc32.h"
#include "core/vm/container.h"

static u8 buf[4096];

/* Three sections, the second one of odd length. */
static u64 build(void)
{
	struct save_out o;

	save_begin(&o, buf, sizeof(buf));
	save_put(&o, SAVE_VM, 0, 1, "machine!", 8);
	save_put(&o, SAVE_VCPU, 0, 3, "abc", 3);
	save_put(&o, SAVE_VCPU, 1, 3, "0123456789", 10);
	assert_int_equal(save_end(&o, 2), 0);
	return o.len;
}

/* The checksum of what stands there now. */
static void reseal(u64 len)
{
	u32 crc = crc32_update(0, buf + 32, len - 32);

	memcpy(buf + 28, &crc, 4);
}

static void test_round_trip(void **state)
{
	u64 len = build();
	struct save_in in;
	char text[16];
	u32 size;

	/* Header, three section heads, data in multiples of 8. */
	assert_int_equal(len, 32 + 3 * 16 + 8 + 8 + 16);
	assert_int_equal(save_open(&in, buf, len), 0);
	assert_int_equal(in.header.vendor, 2);
	assert_int_equal(in.header.sections, 3);
	assert_memory_equal(save_find(&in, SAVE_VCPU, 1, 3, &size), "0123456789", 10);
	assert_int_equal(size, 10);
	assert_null(save_find(&in, SAVE_VCPU, 1, 2, &size));
	assert_null(save_find(&in, SAVE_VCPU, 2, 3, &size));
	assert_int_equal(save_get(&in, SAVE_VCPU, 0, 3, text, 3), 0);
	assert_memory_equal(text, "abc", 3);
	assert_int_equal(save_get(&in, SAVE_VCPU, 0, 3, text, 4), -EINVAL);
	assert_int_equal(save_get(&in, SAVE_PIC, 0, 1, text, 4), -ENOENT);
}

/* Whatever the room, the same length is asked for and nothing written behind it. */
static void test_too_small(void **state)
{
	u64 len = build();

	for (u64 size = 0; size < len; size++) {
		struct save_out o;

		memset(buf, 0x5a, sizeof(buf));
		save_begin(&o, buf, size);
		save_put(&o, SAVE_VM, 0, 1, "machine!", 8);
		save_put(&o, SAVE_VCPU, 0, 3, "abc", 3);
		save_put(&o, SAVE_VCPU, 1, 3, "0123456789", 10);
		assert_int_equal(save_end(&o, 2), -E2BIG);
		assert_int_equal(o.len, len);
		for (u64 i = size; i < len; i++)
			assert_int_equal(buf[i], 0x5a);
	}
}

/* Each changed bit is found, by the checksum or by what it changes. */
static void test_damage(void **state)
{
	u64 len = build();
	struct save_in in;

	for (u64 bit = 0; bit < len * 8; bit++) {
		build();
		buf[bit / 8] ^= (u8)(1 << bit % 8);
		/* The vendor is the caller's to look at. */
		if (bit / 8 >= 12 && bit / 8 < 16)
			continue;
		assert_true(save_open(&in, buf, len) < 0);
	}
	build();
	for (u64 cut = 0; cut < len; cut++)
		assert_int_equal(save_open(&in, buf, cut), -EINVAL);
}

static void set32(u64 at, u32 val)
{
	memcpy(buf + at, &val, 4);
}

/* A checksum is no signature: what a hostile one can say. */
static void test_hostile(void **state)
{
	static const struct { u64 at; u32 val; int err; } rows[] = {
		{ 8, 2, -EPROTO },			/* container version */
		{ 24, 2, -EINVAL },			/* a section too few */
		{ 24, 4, -EINVAL },			/* and one too many */
		{ 24, 0xffffffff, -EINVAL },
		{ 32, 0, -EPROTO },			/* ids */
		{ 32, SAVE_ID_COUNT, -EPROTO },
		{ 32 + 12, 0xffffffff, -EINVAL },	/* length of the first section */
		{ 32 + 16 + 8 + 12, 2, -EINVAL },	/* data where padding must be zero */
		{ 80 + 4, 0, -EINVAL },			/* vCPU 0 twice */
	};
	u64 len = build();
	struct save_in in;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		build();
		set32(rows[i].at, rows[i].val);
		reseal(len);
		assert_int_equal(save_open(&in, buf, len), rows[i].err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
