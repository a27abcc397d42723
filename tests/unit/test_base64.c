// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <string.h>

#include "core/lib/base64.h"

/* RFC 4648, section 10, and what has the last two characters. */
static void test_vectors(void **state)
{
	static const struct { const char *plain, *coded; } rows[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "+/+/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i].plain), len = strlen(rows[i].coded);
		char out[16];
		u8 back[16];

		assert_int_equal(BASE64_LEN(n), len);
		base64_encode((const u8 *)rows[i].plain, n, out);
		assert_string_equal(out, rows[i].coded);
		assert_int_equal(base64_decode(out, len, back), n);
		assert_memory_equal(back, rows[i].plain, n);
	}
}

static void test_round_trip(void **state)
{
	u8 in[100], back[100];
	char out[BASE64_LEN(sizeof(in)) + 1];

	for (int round = 0; round < 2000; round++) {
		size_t n = (size_t)rand() % (sizeof(in) + 1);

		for (size_t i = 0; i < n; i++)
			in[i] = (u8)rand();
		base64_encode(in, n, out);
		assert_int_equal(strlen(out), BASE64_LEN(n));
		assert_int_equal(base64_decode(out, strlen(out), back), n);
		assert_memory_equal(back, in, n);
	}
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg==Zg==", "Zm8=Zg==", "Zm=v",
		"Zm9-", "Zm9_", "Zm 9", "Zm9v\n", "Zm9v ", "Z\x80vv",
		/* Bits that no byte has. */
		"Zh==", "Zm9=",
	};
	u8 back[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(base64_decode(rows[i], strlen(rows[i]), back), -EINVAL);
	assert_int_equal(base64_decode("Zg\0=", 4, back), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
