// SPDX-License-Identifier: MIT
#include "tools/nestbed/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tool keeps little in memory: without it there is no report to save. */
static __noreturn void no_memory(void)
{
	fputs("nestbed: out of memory\n", stderr);
	exit(2);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		no_memory();
	return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		no_memory();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		no_memory();
	return p;
}

char *xstrndup(const char *s, size_t n)
{
	char *p = xcalloc(n + 1, 1);

	memcpy(p, s, n);
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xasprintf(const char *fmt, ...)
{
	struct strbuf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&b, fmt, ap);
	va_end(ap);
	return b.s ? b.s : xstrdup("");
}

/* Room for `more` bytes and the terminator; doubling keeps appending linear. */
static void sb_reserve(struct strbuf *b, size_t more)
{
	size_t want = b->len + more + 1;

	if (want <= b->cap)
		return;
	b->cap = MAX(want, b->cap * 2);
	b->s = xrealloc(b->s, b->cap, 1);
}

void sb_add(struct strbuf *b, const char *s, size_t n)
{
	sb_reserve(b, n);
	if (n)
		memcpy(b->s + b->len, s, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void sb_puts(struct strbuf *b, const char *s)
{
	sb_add(b, s, strlen(s));
}

void sb_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		sb_reserve(b, (size_t)n);
		vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void sb_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(b, fmt, ap);
	va_end(ap);
}

void sb_free(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}

const char *sb_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}

/* What may go to a terminal, a browser and an XML reader alike. */
static bool printable(unsigned char c)
{
	return c >= ' ' && c < 0x7f;
}

/* One byte, escaped if need be; the escape is itself printable. */
static void add_clean(struct strbuf *b, unsigned char c)
{
	char one = c == '\t' ? ' ' : (char)c;

	if (printable((unsigned char)one))
		sb_add(b, &one, 1);
	else
		sb_printf(b, "\\x%02x", c);
}

void sb_clean(struct strbuf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_clean(b, (unsigned char)s[i]);
}

void sb_xmln(struct strbuf *b, const char *s, size_t n)
{
	static const char *const entity[256] = {
		['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;",
		['"'] = "&quot;", ['\''] = "&#39;",
	};

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (entity[c])
			sb_puts(b, entity[c]);
		else
			add_clean(b, c);
	}
}

void sb_xml(struct strbuf *b, const char *s)
{
	sb_xmln(b, s, strlen(s));
}

void sb_us(struct strbuf *b, u64 us)
{
	if (us < 1000)
		sb_printf(b, "%llu us", (unsigned long long)us);
	else if (us < 1000000)
		sb_printf(b, "%.1f ms", (double)us / 1e3);
	else
		sb_printf(b, "%.2f s", (double)us / 1e6);
}

char *clean_dup(const char *s, size_t n)
{
	struct strbuf b = { 0 };

	sb_clean(&b, s, n);
	return b.s ? b.s : xstrdup("");
}

int decimal_u64(const char *s, u64 *out)
{
	char *end;
	u64 v;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*out = v;
	return 0;
}
