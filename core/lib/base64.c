// SPDX-License-Identifier: MIT
#include "core/lib/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const u8 *src, size_t n, char *out)
{
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		u32 v = (u32)src[i] << 16;

		if (left > 1)
			v |= (u32)src[i + 1] << 8;
		if (left > 2)
			v |= src[i + 2];
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		*out++ = left > 2 ? alphabet[v & 63] : '=';
	}
	*out = '\0';
}

/* 0 to 63, or a larger number. */
static u32 value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (u32)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (u32)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (u32)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

s64 base64_decode(const char *src, size_t n, u8 *out)
{
	u8 *to = out;

	if (n % 4)
		return -EINVAL;
	for (size_t i = 0; i < n; i += 4) {
		/* Only the last four may have padding. */
		u32 pad = i + 4 < n || src[i + 3] != '=' ? 0 : src[i + 2] != '=' ? 1 : 2;
		u32 v = 0;

		for (u32 k = 0; k < 4; k++) {
			u32 d = k >= 4 - pad ? 0 : value_of(src[i + k]);

			if (d > 63)
				return -EINVAL;
			v = v << 6 | d;
		}
		/* What the padding cuts off is zero in what base64_encode writes. */
		if (v & (BIT(8 * pad) - 1))
			return -EINVAL;
		for (u32 k = 0; k < 3 - pad; k++)
			*to++ = (u8)(v >> (16 - 8 * k));
	}
	return to - out;
}
