/* SPDX-License-Identifier: MIT */
/*
 * Growing text buffers and the escapings that the reports need.  Everything
 * that reaches a report came over a serial line and is not trusted.
 */
#ifndef TOOLS_NESTBED_TEXT_H
#define TOOLS_NESTBED_TEXT_H

#include <stdarg.h>
#include "core/lib/base.h"

/* Always NUL-terminated once something was added; zero-initialise to start. */
struct strbuf {
	char *s;
	size_t len;
	size_t cap;
};

/* All of these end the program when memory runs out. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
__printf(1, 2) char *xasprintf(const char *fmt, ...);

void sb_add(struct strbuf *b, const char *s, size_t n);
void sb_puts(struct strbuf *b, const char *s);
__printf(2, 3) void sb_printf(struct strbuf *b, const char *fmt, ...);
void sb_vprintf(struct strbuf *b, const char *fmt, va_list ap);
void sb_free(struct strbuf *b);
/* The text so far, "" when nothing was added. */
const char *sb_str(const struct strbuf *b);

/*
 * Adds s[0..n) with every byte that is not printable ASCII written as \xNN
 * (a tab becomes a space), so that no terminal, browser or XML reader can be
 * fooled by it.
 */
void sb_clean(struct strbuf *b, const char *s, size_t n);

/* As sb_clean, and the five characters special in XML become entities. */
void sb_xml(struct strbuf *b, const char *s);
void sb_xmln(struct strbuf *b, const char *s, size_t n);

/* Adds microseconds as people read them: "17 us", "3.2 ms", "1.25 s". */
void sb_us(struct strbuf *b, u64 us);

/* A new string: s[0..n) through sb_clean. */
char *clean_dup(const char *s, size_t n);

/* Digits only, no sign, no overflow; 0 or -EINVAL. */
__must_check int decimal_u64(const char *s, u64 *out);

#endif
