/* SPDX-License-Identifier: MIT */
/* Base64, RFC 4648 section 4: the usual alphabet, padded with '='.  Pure. */
#ifndef CORE_LIB_BASE64_H
#define CORE_LIB_BASE64_H

#include "core/lib/base.h"

/* Characters that n bytes make, without the terminator. */
#define BASE64_LEN(n)	(((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(n) characters and a terminator to out. */
void base64_encode(const u8 *src, size_t n, char *out);

/*
 * Takes n characters, which must be exactly what base64_encode makes of some
 * bytes, and writes those to out: at most n / 4 * 3.  Returns how many, or
 * -EINVAL.
 */
s64 __must_check base64_decode(const char *src, size_t n, u8 *out);

#endif
