// SPDX-License-Identifier: MIT
/*
 * Bytes and strings.  The block functions use string instructions: one
 * instruction per 8 bytes when an emulator counts, microcode on real CPUs.
 */
#include "core/lib/string.h"

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;
	size_t words = n / 8, tail = n % 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(tail) : : "memory");
	return dst;
}

/* From the last byte down; only for overlap, so simplicity wins. */
static void copy_backward(u8 *dst, const u8 *src, size_t n)
{
	while (n--)
		dst[n] = src[n];
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* One unsigned compare: dst below src, or at least n above it. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	copy_backward(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;
	size_t words = n / 8, tail = n % 8;
	u64 fill = (u8)c * 0x0101010101010101ULL;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(fill) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(tail) : "a"(fill) : "memory");
	return dst;
}

#define CLEAR_PIECE	4096

/* Eight words to a look: most blocks are zero, and all of them is read. */
bool block_is_zero(const void *block, size_t n)
{
	const u64 *p = block, *end = p + n / 8;

	for (; p < end; p += 8)
		if (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7])
			return false;
	return true;
}

/* MOVNTI needs no register of SSE; an emulator runs a loop of stores faster than REP. */
static void clear_lines(char *p, const char *end)
{
	for (; p < end; p += 64)
		__asm__ volatile("movnti %1, (%0)\n\t"
				 "movnti %1, 8(%0)\n\t"
				 "movnti %1, 16(%0)\n\t"
				 "movnti %1, 24(%0)\n\t"
				 "movnti %1, 32(%0)\n\t"
				 "movnti %1, 40(%0)\n\t"
				 "movnti %1, 48(%0)\n\t"
				 "movnti %1, 56(%0)"
				 : : "r"(p), "r"(0UL) : "memory");
}

/* Memory of a virtual machine that nobody has written yet costs its host nothing. */
void clear_block(void *block, size_t n)
{
	char *p = block, *end = p + n;

	while (p < end) {
		char *next = end - p > CLEAR_PIECE ? p + CLEAR_PIECE : end;

		if (!block_is_zero(p, (size_t)(next - p)))
			clear_lines(p, next);
		p = next;
	}
	__asm__ volatile("sfence" : : : "memory");
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;
	size_t i;

	for (i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] - y[i];
	}
	return 0;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		u8 x = a[i], y = b[i];

		if (x != y || !x)
			return x - y;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}

char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (;; hay++) {
		if (!strncmp(hay, needle, n))
			return (char *)hay;
		if (!*hay)
			return NULL;
	}
}

size_t str_copy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src), n = MIN(len, size - 1);

	memcpy(dst, src, n);
	dst[n] = '\0';
	return len;
}

/*
 * After a mismatch only the last '*' needs another try: an earlier one
 * could not reach further.  Linear space, at worst |pattern| * |s| steps.
 */
bool glob_match(const char *pattern, const char *s)
{
	const char *star = NULL, *retry = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = s;
		} else if (*pattern && (*pattern == '?' || *pattern == *s)) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* The value of a digit in any base up to 16, or 255. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 255;
}

/* Digits at *s; leaves *s behind the last one. */
static int parse_digits(const char **s, u64 *out)
{
	unsigned int base = 10;
	bool over = false;
	const char *p = *s, *first;
	u64 v = 0;

	if (p[0] == '0' && (p[1] | 0x20) == 'x') {
		base = 16;
		p += 2;
	}
	for (first = p; digit_value(*p) < base; p++) {
		over |= __builtin_mul_overflow(v, base, &v);
		over |= __builtin_add_overflow(v, digit_value(*p), &v);
	}
	if (p == first)
		return -EINVAL;
	*s = p;
	*out = v;
	return over ? -ERANGE : 0;
}

int parse_u64(const char *s, u64 *out)
{
	u64 v;
	int err = parse_digits(&s, &v);

	if (err == -EINVAL || *s)
		return -EINVAL;
	if (!err)
		*out = v;
	return err;
}

int parse_size(const char *s, u64 *out)
{
	static const char suffixes[] = "kmgt";
	const char *suffix;
	unsigned int shift = 0;
	u64 v;
	int err = parse_digits(&s, &v);

	if (err == -EINVAL)
		return err;
	if (*s) {
		suffix = strchr(suffixes, *s | 0x20);
		if (!suffix || s[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (err || (v << shift) >> shift != v)
		return -ERANGE;
	*out = v << shift;
	return 0;
}
