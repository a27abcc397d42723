// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/crc32.h"

static u32 bitwise_reference(const u8 *p, size_t n)
{
	u32 crc = ~0U;

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void test_check_values(void **state)
{
	assert_int_equal(crc32_update(0, "", 0), 0);
	assert_int_equal(crc32_update(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_update(0, "\0\0\0\0", 4), 0x2144df1c);
	assert_int_equal(crc32_update(0, "\xff\xff\xff\xff", 4), 0xffffffff);
}

static void test_every_split_agrees_with_the_bitwise_definition(void **state)
{
	u8 data[67];

	for (int round = 0; round < 200; round++) {
		size_t n = rand() % (sizeof(data) + 1);
		u32 want;

		for (size_t i = 0; i < n; i++)
			data[i] = (u8)rand();
		want = bitwise_reference(data, n);
		for (size_t cut = 0; cut <= n; cut++) {
			u32 crc = crc32_update(0, data, cut);

			assert_int_equal(crc32_update(crc, data + cut, n - cut), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_values),
		cmocka_unit_test(test_every_split_agrees_with_the_bitwise_definition),
	};

	return cmocka_run_group_tests_name("crc32", tests, NULL, NULL);
}
