// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/rename_string.h"
#include "core/lib/string.h"

/* __builtin_ names reach the C library's functions: the reference. */

static void fill_random(u8 *p, size_t n)
{
	while (n--)
		*p++ = (u8)rand();
}

static void test_memcpy_every_length_and_offset(void **state)
{
	u8 src[96], dst[96], want[96];

	for (size_t n = 0; n <= 64; n++) {
		for (size_t off = 0; off < 16; off++) {
			fill_random(src, sizeof(src));
			fill_random(dst, sizeof(dst));
			__builtin_memcpy(want, dst, sizeof(want));
			for (size_t i = 0; i < n; i++)
				want[off + i] = src[15 - off + i];
			assert_ptr_equal(memcpy(dst + off, src + 15 - off, n), dst + off);
			assert_memory_equal(dst, want, sizeof(want));
		}
	}
}

static void test_memmove_overlap(void **state)
{
	u8 a[64], b[64];

	for (int i = 0; i < 20000; i++) {
		size_t n = rand() % 33, from = rand() % 32, to = rand() % 32;

		fill_random(a, sizeof(a));
		__builtin_memcpy(b, a, sizeof(a));
		assert_ptr_equal(memmove(a + to, a + from, n), a + to);
		__builtin_memmove(b + to, b + from, n);
		assert_memory_equal(a, b, sizeof(a));
	}
}

static void test_clear_block(void **state)
{
	static u8 a[3 * 4096] __attribute__((aligned(64)));

	(void)state;
	for (size_t n = 0; n <= 9000; n += 64) {
		__builtin_memset(a, n & 64 ? 0x11 : 0, sizeof(a));
		a[63] = a[64 + n] = a[64 + n / 2] = 0x22;
		assert_int_equal(block_is_zero(a + 64, n), n == 0);
		clear_block(a + 64, n);
		assert_true(block_is_zero(a + 64, n));
		assert_int_equal(a[63], 0x22);
		assert_int_equal(a[64 + n], 0x22);
		for (size_t i = 64; i < 64 + n; i++)
			assert_int_equal(a[i], 0);
	}
}

static void test_memset_touches_only_its_range(void **state)
{
	u8 a[80];

	for (size_t n = 0; n <= 64; n++) {
		__builtin_memset(a, 0x11, sizeof(a));
		assert_ptr_equal(memset(a + 7, 0x1fe, n), a + 7);
		for (size_t i = 0; i < sizeof(a); i++)
			assert_int_equal(a[i], i >= 7 && i < 7 + n ? 0xfe : 0x11);
	}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void test_compare(void **state)
{
	char a[8], b[8];

	for (int i = 0; i < 50000; i++) {
		size_t n = rand() % 9;

		for (int j = 0; j < 7; j++) {
			a[j] = "\0a\x80"[rand() % 3];
			b[j] = rand() % 4 ? a[j] : "\0a\xff"[rand() % 3];
		}
		a[7] = b[7] = 0;
		assert_int_equal(sign(memcmp(a, b, MIN(n, 8))),
				 sign(__builtin_memcmp(a, b, MIN(n, 8))));
		assert_int_equal(sign(strcmp(a, b)), sign(__builtin_strcmp(a, b)));
		assert_int_equal(sign(strncmp(a, b, n)), sign(__builtin_strncmp(a, b, n)));
	}
}

static void test_lengths_and_searches(void **state)
{
	const char *s = "abcabcab";

	assert_int_equal(strlen(""), 0);
	assert_int_equal(strlen(s), 8);
	assert_int_equal(strnlen(s, 3), 3);
	assert_int_equal(strnlen(s, 30), 8);
	assert_int_equal(strnlen(s, 0), 0);
	assert_ptr_equal(strchr(s, 'b'), s + 1);
	assert_ptr_equal(strrchr(s, 'b'), s + 7);
	assert_ptr_equal(strchr(s, 0), s + 8);
	assert_ptr_equal(strrchr(s, 0), s + 8);
	assert_null(strchr(s, 'x'));
	assert_null(strrchr(s, 'x'));
	assert_ptr_equal(strstr(s, "cab"), s + 2);
	assert_ptr_equal(strstr(s, ""), s);
	assert_ptr_equal(strstr(s + 8, ""), s + 8);
	assert_null(strstr(s, "cabx"));
	assert_null(strstr("", "a"));
}

static void test_str_copy(void **state)
{
	char buf[5] = "????";

	assert_int_equal(str_copy(buf, "abc", sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, "abcdef", sizeof(buf)), 6);
	assert_string_equal(buf, "abcd");
	assert_int_equal(str_copy(buf, "x", 1), 1);
	assert_string_equal(buf, "");
}

static void test_glob(void **state)
{
	/* clang-format off */
	static const struct { const char *pattern, *s; bool match; } rows[] = {
		/* pattern	string		match */
		{ "",		"",		true },
		{ "",		"a",		false },
		{ "*",		"",		true },
		{ "*",		"svm.vmrun",	true },
		{ "svm.*",	"svm.",		true },
		{ "svm.*",	"svm",		false },
		{ "*.vmrun",	"svm.vmrun",	true },
		{ "?vm.*",	"svm.x",	true },
		{ "?",		"",		false },
		{ "a*b*c",	"aXbXbXc",	true },
		{ "a*b*c",	"aXcXb",	false },
		{ "*aab",	"aaaaaab",	true },
		{ "*a*a*a*a*b",	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
		{ "a**b",	"ab",		true },
		{ "abc",	"abcd",		false },
		{ "abcd",	"abc",		false },
		{ "*?",		"",		false },
		{ "*?",		"x",		true },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(glob_match(rows[i].pattern, rows[i].s), rows[i].match);
}

/* Plain recursive definition, for comparison on random inputs. */
static bool glob_ref(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (*p == '*')
		return glob_ref(p + 1, s) || (*s && glob_ref(p, s + 1));
	return *s && (*p == '?' || *p == *s) && glob_ref(p + 1, s + 1);
}

static void test_glob_random(void **state)
{
	int matches = 0;

	for (int i = 0; i < 100000; i++) {
		char p[7] = "", s[9] = "";

		for (int j = rand() % 7; j-- > 0;)
			p[j] = "ab*?"[rand() % 4];
		for (int j = rand() % 9; j-- > 0;)
			s[j] = "ab"[rand() % 2];
		assert_int_equal(glob_match(p, s), glob_ref(p, s));
		matches += glob_ref(p, s);
	}
	assert_true(matches > 1000);
}

static void test_parse_numbers(void **state)
{
	/* clang-format off */
	static const struct { const char *s; int err_u64, err_size; u64 v; } rows[] = {
		/* text			parse_u64  parse_size  value */
		{ "0",			0,	   0,	       0 },
		{ "42",			0,	   0,	       42 },
		{ "0x1aF",		0,	   0,	       0x1af },
		{ "0X10",		0,	   0,	       16 },
		{ "010",		0,	   0,	       10 },
		{ "18446744073709551615", 0,	   0,	       ~0ULL },
		{ "18446744073709551616", -ERANGE, -ERANGE,    0 },
		{ "99999999999999999999999", -ERANGE, -ERANGE, 0 },
		{ "0xffffffffffffffff",	0,	   0,	       ~0ULL },
		{ "0x10000000000000000", -ERANGE,  -ERANGE,    0 },
		{ "99999999999999999999999x", -EINVAL, -EINVAL, 0 },
		{ "",			-EINVAL,   -EINVAL,    0 },
		{ "0x",			-EINVAL,   -EINVAL,    0 },
		{ "x1",			-EINVAL,   -EINVAL,    0 },
		{ "-1",			-EINVAL,   -EINVAL,    0 },
		{ "+1",			-EINVAL,   -EINVAL,    0 },
		{ " 1",			-EINVAL,   -EINVAL,    0 },
		{ "1 ",			-EINVAL,   -EINVAL,    0 },
		{ "K",			-EINVAL,   -EINVAL,    0 },
		{ "4K",			-EINVAL,   0,	       4096 },
		{ "4k",			-EINVAL,   0,	       4096 },
		{ "3M",			-EINVAL,   0,	       3ULL << 20 },
		{ "2G",			-EINVAL,   0,	       2ULL << 30 },
		{ "0x1T",		-EINVAL,   0,	       1ULL << 40 },
		{ "16777215T",		-EINVAL,   0,	       16777215ULL << 40 },
		{ "16777216T",		-EINVAL,   -ERANGE,    0 },
		{ "4KB",		-EINVAL,   -EINVAL,    0 },
		{ "4\x0b",		-EINVAL,   -EINVAL,    0 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 v = 7;

		assert_int_equal(parse_u64(rows[i].s, &v), rows[i].err_u64);
		assert_int_equal(v, rows[i].err_u64 ? 7 : rows[i].v);
		v = 7;
		assert_int_equal(parse_size(rows[i].s, &v), rows[i].err_size);
		assert_int_equal(v, rows[i].err_size ? 7 : rows[i].v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy_every_length_and_offset),
		cmocka_unit_test(test_memmove_overlap),
		cmocka_unit_test(test_clear_block),
		cmocka_unit_test(test_memset_touches_only_its_range),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_lengths_and_searches),
		cmocka_unit_test(test_str_copy),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_glob_random),
		cmocka_unit_test(test_parse_numbers),
	};

	return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
