// SPDX-License-Identifier: MIT
#include "core/lib/lz.h"

#include "core/lib/physview.h"
#include "core/lib/string.h"

#define COPY		0x80
#define LITERALS_MAX	128u
#define COPY_MIN	4u
#define COPY_MORE	127u		/* of the length, in the first byte */

struct out {
	u8 *p, *end;
	bool full;
};

static void put(struct out *o, u32 byte)
{
	if (o->p == o->end)
		o->full = true;
	else
		*o->p++ = (u8)byte;
}

static void put_literals(struct out *o, const u8 *p, u32 n)
{
	while (n && !o->full) {
		u32 part = MIN(n, LITERALS_MAX);

		put(o, part - 1);
		if (part > (size_t)(o->end - o->p)) {
			o->full = true;
			return;
		}
		memcpy(o->p, p, part);
		o->p += part;
		p += part;
		n -= part;
	}
}

static void put_copy(struct out *o, u32 len, u32 distance)
{
	u32 more = len - COPY_MIN;

	put(o, COPY | MIN(more, COPY_MORE));
	if (more >= COPY_MORE) {
		for (more -= COPY_MORE; more >= 255; more -= 255)
			put(o, 255);
		put(o, more);
	}
	put(o, (distance - 1) & 0xff);
	put(o, (distance - 1) >> 8);
}

/* Fibonacci hashing: the upper 12 bits of the product. */
static u32 hash(u32 val)
{
	return val * 2654435761u >> 20;
}

static u32 match_len(const u8 *a, const u8 *b, const u8 *end)
{
	const u8 *start = b;

	while (b < end && *a == *b) {
		a++;
		b++;
	}
	return (u32)(b - start);
}

u32 lz_pack(const u8 *src, u32 n, u8 *dst, u32 cap, struct lz_table *t)
{
	struct out o = { dst, dst + cap, false };
	u32 literal = 0, i = 0;

	memset(t, 0, sizeof(*t));
	while (i + COPY_MIN <= n && !o.full) {
		u16 *slot = &t->at[hash(get_le32(src + i))];
		u32 from = *slot, len;

		*slot = (u16)i;
		/* An empty slot says 0, as one that saw the start does. */
		len = from < i ? match_len(src + from, src + i, src + n) : 0;
		if (len < COPY_MIN) {
			i++;
			continue;
		}
		put_literals(&o, src + literal, i - literal);
		put_copy(&o, len, i - from);
		i += len;
		literal = i;
	}
	put_literals(&o, src + literal, n - literal);
	return o.full ? 0 : (u32)(o.p - dst);
}

/* The length of a copy whose first byte is *p[-1]; false: it is cut off. */
static bool copy_len(const u8 **p, const u8 *end, u32 *len)
{
	u32 n = (*p)[-1] & COPY_MORE, more = 255;

	if (n == COPY_MORE) {
		/* Longer than anything: no sum can wrap. */
		while (more == 255 && *p < end && n <= LZ_MAX) {
			more = *(*p)++;
			n += more;
		}
		if (more == 255)
			return false;
	}
	*len = n + COPY_MIN;
	return true;
}

int lz_unpack(const u8 *src, u32 n, u8 *dst, u32 len)
{
	const u8 *p = src, *end = src + n;
	u32 at = 0, part, distance;

	while (p < end) {
		if (!(*p++ & COPY)) {
			part = p[-1] + 1u;
			if (part > (size_t)(end - p) || part > len - at)
				return -EINVAL;
			memcpy(dst + at, p, part);
			p += part;
			at += part;
			continue;
		}
		if (!copy_len(&p, end, &part) || end - p < 2)
			return -EINVAL;
		distance = get_le16(p) + 1u;
		p += 2;
		if (distance > at || part > len - at)
			return -EINVAL;
		/* Byte by byte: it may read what it has just written. */
		for (; part; part--, at++)
			dst[at] = dst[at - distance];
	}
	return at == len ? 0 : -EINVAL;
}
