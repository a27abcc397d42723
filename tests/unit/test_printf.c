// SPDX-License-Identifier: MIT
/* The C library's snprintf is the reference for everything defined by C11. */
#include "tests/unit/unit.h"

#include "core/lib/printf.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define SAME(fmt, ...)							\
	do {								\
		char want_[600], got_[600];				\
		int w_ = snprintf(want_, sizeof(want_), fmt, __VA_ARGS__); \
		int g_ = nb_snprintf(got_, sizeof(got_), fmt, __VA_ARGS__); \
		if (strcmp(want_, got_))				\
			print_error("format \"%s\"\n", fmt);		\
		assert_string_equal(got_, want_);			\
		assert_int_equal(g_, w_);				\
	} while (0)

static u64 random_value(void)
{
	static const u64 edges[] = {
		0, 1, 9, 10, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ULL,
	};
	u64 v = (u64)rand() << 62 ^ (u64)rand() << 31 ^ (u64)rand();

	if (rand() % 2)
		return edges[rand() % ARRAY_SIZE(edges)];
	return v >> rand() % 64;
}

/* Random flags, width and precision; with star, both come as arguments. */
static void random_format(char *fmt, size_t size, const char *len, char conv, bool star)
{
	size_t n = 0;

	str_append(fmt, size, &n, "<%%");
	for (int i = rand() % 4; i > 0; i--)
		str_append(fmt, size, &n, "%c", "-0+ #"[rand() % 5]);
	if (star)
		str_append(fmt, size, &n, "*.*");
	if (!star && rand() % 2)
		str_append(fmt, size, &n, "%d", 1 + rand() % 30);
	if (!star && rand() % 2)
		str_append(fmt, size, &n, ".%d", rand() % 30);
	if (!star && rand() % 16 == 0 && !strchr(fmt, '.'))
		str_append(fmt, size, &n, ".");
	str_append(fmt, size, &n, "%s%c>", len, conv);
}

static void test_integers_random(void **state)
{
	static const char *const lengths[] = { "", "h", "hh", "l", "ll", "z", "j", "t" };
	char fmt[64];

	for (int i = 0; i < 400000; i++) {
		const char *len = lengths[rand() % ARRAY_SIZE(lengths)];
		bool wide = strchr("lzjt", len[0]) && len[0];
		bool star = rand() % 4 == 0;
		int width = rand() % 60 - 30, prec = rand() % 40 - 10;
		u64 v = random_value();

		random_format(fmt, sizeof(fmt), len, "diuxXo"[rand() % 6], star);
		if (star && wide)
			SAME(fmt, width, prec, v);
		else if (star)
			SAME(fmt, width, prec, (u32)v);
		else if (wide)
			SAME(fmt, v);
		else
			SAME(fmt, (u32)v);
	}
}

static void test_text_random(void **state)
{
	static const char *const texts[] = { "", "a", "hello", "a line of some length" };
	char fmt[64];

	for (int i = 0; i < 50000; i++) {
		/* Only '-' is defined for %s and %c. */
		int width = rand() % 60 - 30, prec = rand() % 30 - 5;
		const char *s = texts[rand() % ARRAY_SIZE(texts)];
		char c = (char)('a' + rand() % 26);

		SAME("<%*.*s>", width, prec, s);
		SAME("<%*c>", width, c);
		snprintf(fmt, sizeof(fmt), "%%-%dsx%%.%ds", 1 + rand() % 20, rand() % 9);
		SAME(fmt, s, s);
	}
}

static void test_precision_bounds_the_read(void **state)
{
	/* Not terminated: the sanitizer sees a read behind it. */
	char raw[3] = { 'a', 'b', 'c' };
	char out[8];

	assert_int_equal(nb_snprintf(out, sizeof(out), "%.3s", raw), 3);
	assert_string_equal(out, "abc");
}

static void test_mixed_arguments(void **state)
{
	SAME("%s %d%% of 0x%016llx at %p, %c%5s|%-5s|", "used", 42, 0x123456789abcdef0ULL,
	     (void *)0xdeadbeef000, 'x', "ab", "cd");
	SAME("%d %d %d %d %d %d %d %lld %d", 1, 2, 3, 4, 5, 6, 7, -8LL, -9);
	SAME("%hhd %hhu %hd %hu", 0x1ff, 0x1ff, 0x1ffff, 0x1ffff);
	SAME("%20p|%-20p|", (void *)0x1000, (void *)~0UL);
}

static void test_extensions(void **state)
{
	char out[32];

	nb_snprintf(out, sizeof(out), "%p", (void *)0);
	assert_string_equal(out, "0x0");
	nb_snprintf(out, sizeof(out), "%s", (char *)NULL);
	assert_string_equal(out, "(null)");
	nb_snprintf(out, sizeof(out), "a%-5qb%d", 7);
	assert_string_equal(out, "a%-5qb7");
	nb_snprintf(out, sizeof(out), "end%");
	assert_string_equal(out, "end%");
	nb_snprintf(out, sizeof(out), "end%5l");
	assert_string_equal(out, "end%5l");
}

static void test_truncation(void **state)
{
	for (size_t size = 0; size < 20; size++) {
		char want[24], got[24];

		memset(want, '?', sizeof(want));
		memset(got, '?', sizeof(got));
		assert_int_equal(snprintf(want, size, "%s-%05d", "hello", 42), 11);
		assert_int_equal(nb_snprintf(got, size, "%s-%05d", "hello", 42), 11);
		assert_memory_equal(want, got, sizeof(want));
	}
	assert_int_equal(nb_snprintf(NULL, 0, "%d", 12345), 5);
}

static void test_str_append(void **state)
{
	char buf[8] = "";
	size_t len = 0;

	str_append(buf, sizeof(buf), &len, "%d", 123);
	assert_int_equal(len, 3);
	str_append(buf, sizeof(buf), &len, "-%s", "abcdef");
	assert_int_equal(len, 7);
	assert_string_equal(buf, "123-abc");
	str_append(buf, sizeof(buf), &len, "more");
	assert_int_equal(len, 7);
	assert_string_equal(buf, "123-abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers_random),
		cmocka_unit_test(test_text_random),
		cmocka_unit_test(test_precision_bounds_the_read),
		cmocka_unit_test(test_mixed_arguments),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_str_append),
	};

	return cmocka_run_group_tests_name("printf", tests, NULL, NULL);
}
