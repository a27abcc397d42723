/* SPDX-License-Identifier: MIT */
/* The part of <string.h> that the image needs; same contracts as C11 7.24. */
#ifndef CORE_LIB_STRING_H
#define CORE_LIB_STRING_H

#include "core/lib/base.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
/* Are n bytes zero?  p: 8-byte aligned; n: a multiple of 64. */
bool block_is_zero(const void *p, size_t n);
/*
 * Zeroes a large block past the caches; pieces of 4 KiB that are zero already are
 * not written.  p: 64-byte aligned; n: a multiple of 64.  Ordered before all
 * that follows.
 */
void clear_block(void *p, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);

/*
 * Copies at most size - 1 bytes and always terminates (size > 0).
 * Returns strlen(src): a result >= size means truncation.
 */
size_t str_copy(char *dst, const char *src, size_t size);

/* Shell-like match of the whole of s: '*' any run, '?' one character. */
bool glob_match(const char *pattern, const char *s);

/*
 * Parses a whole string as an unsigned number: decimal, 0x hex; parse_size
 * also takes one of the suffixes K M G T (powers of 1024).
 * Returns 0, -EINVAL (empty or stray characters) or -ERANGE (over 64 bits).
 */
int __must_check parse_u64(const char *s, u64 *out);
int __must_check parse_size(const char *s, u64 *out);

#endif
