// SPDX-License-Identifier: MIT
#include "core/lib/gunzip.h"

#include "core/lib/crc32.h"
#include "core/lib/string.h"

/* RFC 1952, 2.3.1: header of ten bytes, then what the flags name. */
#define GZIP_HEADER	10
#define GZIP_TRAILER	8	/* CRC-32 and length */
#define FHCRC		0x02
#define FEXTRA		0x04
#define FNAME		0x08
#define FCOMMENT	0x10
#define FRESERVED	0xe0

#define MAX_BITS	15	/* of a code */
#define LITERALS	288
#define DISTANCES	30
#define LENGTHS		19	/* codes for code lengths */
#define END_OF_BLOCK	256
#define FIRST_LENGTH	257

/* A canonical Huffman code: symbols in the order of their codes. */
struct code {
	u16 count[MAX_BITS + 1];	/* codes of each length */
	u16 symbol[LITERALS];
};

struct inflate {
	const u8 *src, *end;
	u8 *dst;
	size_t len, cap;
	u32 bits, n_bits;
	struct code literal, distance;
};

/* n bits (at most 16), first the lowest; -EINVAL when there are no more. */
static int get_bits(struct inflate *z, u32 n)
{
	u32 v;

	while (z->n_bits < n) {
		if (z->src == z->end)
			return -EINVAL;
		z->bits |= (u32)*z->src++ << z->n_bits;
		z->n_bits += 8;
	}
	v = z->bits & ((1U << n) - 1);
	z->bits >>= n;
	z->n_bits -= n;
	return (int)v;
}

/*
 * 3.2.2, from the lengths of n symbols; 0: the symbol has no code.  A code
 * with holes is refused, but for that of one symbol or none (3.2.7: one
 * distance code "is encoded using one bit").
 */
static int build_code(struct code *c, const u8 *length, u32 n)
{
	u16 next[MAX_BITS + 1];
	s32 left = 1;

	memset(c->count, 0, sizeof(c->count));
	for (u32 i = 0; i < n; i++)
		c->count[length[i]]++;
	next[1] = 0;
	for (u32 bits = 1; bits <= MAX_BITS; bits++) {
		left = 2 * left - c->count[bits];
		if (left < 0)
			return -EINVAL;
		if (bits < MAX_BITS)
			next[bits + 1] = next[bits] + c->count[bits];
	}
	if (left && n - c->count[0] > 1)
		return -EINVAL;
	for (u32 i = 0; i < n; i++)
		if (length[i])
			c->symbol[next[length[i]]++] = (u16)i;
	c->count[0] = 0;
	return 0;
}

/* The next symbol, or -EINVAL.  Codes come with their highest bit first. */
static int get_symbol(struct inflate *z, const struct code *c)
{
	s32 code = 0, first = 0, index = 0;

	for (u32 bits = 1; bits <= MAX_BITS; bits++) {
		int bit = get_bits(z, 1);

		if (bit < 0)
			return bit;
		code |= bit;
		if (code - first < c->count[bits])
			return c->symbol[index + code - first];
		index += c->count[bits];
		first = (first + c->count[bits]) << 1;
		code <<= 1;
	}
	return -EINVAL;
}

static int put(struct inflate *z, const u8 *from, size_t n)
{
	if (n > z->cap - z->len)
		return -ENOSPC;
	/* Forwards, byte by byte: a match may reach into what it makes. */
	while (n--)
		z->dst[z->len++] = *from++;
	return 0;
}

/* 3.2.4: no compression. */
static int stored_block(struct inflate *z)
{
	u32 n;
	int err;

	z->bits = z->n_bits = 0;
	if (z->end - z->src < 4)
		return -EINVAL;
	n = z->src[0] | (u32)z->src[1] << 8;
	if ((n ^ 0xffff) != (z->src[2] | (u32)z->src[3] << 8))
		return -EINVAL;
	z->src += 4;
	if ((size_t)(z->end - z->src) < n)
		return -EINVAL;
	err = put(z, z->src, n);
	z->src += n;
	return err;
}

/* A base of the tables in 3.2.5 and so many further bits; -EINVAL. */
static int get_number(struct inflate *z, u32 base, u32 extra)
{
	int v = get_bits(z, extra);

	return v < 0 ? v : (int)base + v;
}

/* Length codes 257 to 285. */
static int get_length(struct inflate *z, u32 symbol)
{
	static const u8 base[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96,
		112, 128, 160, 192, 224, 255,
	};
	u32 i = symbol - FIRST_LENGTH;

	if (i >= ARRAY_SIZE(base))
		return -EINVAL;
	return get_number(z, base[i] + 3U, i < 8 || i == 28 ? 0 : i / 4 - 1);
}

/* Distance codes: two for each power of two. */
static int get_distance(struct inflate *z)
{
	int symbol = get_symbol(z, &z->distance);
	u32 extra;

	if (symbol < 0 || symbol >= DISTANCES)
		return -EINVAL;
	if (symbol < 4)
		return symbol + 1;
	extra = (u32)symbol / 2 - 1;
	return get_number(z, ((2U + (symbol & 1)) << extra) + 1, extra);
}

static int copy_match(struct inflate *z, u32 symbol)
{
	int length = get_length(z, symbol), distance;

	if (length < 0)
		return length;
	distance = get_distance(z);
	if (distance < 0)
		return distance;
	if ((size_t)distance > z->len)
		return -EINVAL;
	return put(z, z->dst + z->len - distance, (size_t)length);
}

static int coded_block(struct inflate *z)
{
	for (;;) {
		int symbol = get_symbol(z, &z->literal), err;
		u8 byte = (u8)symbol;

		if (symbol < 0)
			return symbol;
		if (symbol == END_OF_BLOCK)
			return 0;
		err = symbol < END_OF_BLOCK ? put(z, &byte, 1) : copy_match(z, (u32)symbol);
		if (err)
			return err;
	}
}

/* 3.2.6 */
static int fixed_block(struct inflate *z)
{
	u8 length[LITERALS];
	int err;

	memset(length, 8, sizeof(length));
	memset(length + 144, 9, 256 - 144);
	memset(length + 256, 7, 280 - 256);
	err = build_code(&z->literal, length, LITERALS);
	memset(length, 5, 32);
	if (!err)
		err = build_code(&z->distance, length, 32);
	return err ? err : coded_block(z);
}

/* 3.2.7: codes 16 to 18 repeat; *value is the length, the result how often. */
static int get_repeat(struct inflate *z, u32 symbol, u8 last, u8 *value)
{
	*value = symbol < 16 ? (u8)symbol : symbol == 16 ? last : 0;
	if (symbol < 16)
		return 1;
	return symbol == 16 ? get_number(z, 3, 2) :
	       symbol == 17 ? get_number(z, 3, 3) : get_number(z, 11, 7);
}

/* The code lengths of both alphabets, n of them. */
static int get_lengths(struct inflate *z, const struct code *c, u8 *length, u32 n)
{
	u32 at = 0;

	while (at < n) {
		int symbol = get_symbol(z, c), times;
		u8 value;

		if (symbol < 0 || (symbol == 16 && !at))
			return -EINVAL;
		times = get_repeat(z, (u32)symbol, at ? length[at - 1] : 0, &value);
		if (times < 0 || (u32)times > n - at)
			return -EINVAL;
		memset(length + at, value, (size_t)times);
		at += (u32)times;
	}
	return 0;
}

static int dynamic_block(struct inflate *z)
{
	static const u8 order[LENGTHS] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
	};
	int literals = get_number(z, 257, 5), distances = get_number(z, 1, 5);
	int lengths = get_number(z, 4, 4), err = 0;
	u8 length[LITERALS + DISTANCES] = { 0 };

	if (literals < 0 || distances < 0 || lengths < 0 || literals > 286 ||
	    distances > DISTANCES)
		return -EINVAL;
	for (int i = 0; i < lengths; i++) {
		int bits = get_bits(z, 3);

		if (bits < 0)
			return bits;
		length[order[i]] = (u8)bits;
	}
	/* The code of code lengths is needed only until the literals' is built. */
	err = build_code(&z->distance, length, LENGTHS);
	if (!err)
		err = get_lengths(z, &z->distance, length, (u32)(literals + distances));
	if (!err && !length[END_OF_BLOCK])
		err = -EINVAL;
	if (!err)
		err = build_code(&z->literal, length, (u32)literals);
	if (!err)
		err = build_code(&z->distance, length + literals, (u32)distances);
	return err ? err : coded_block(z);
}

static int inflate(struct inflate *z)
{
	static int (*const blocks[])(struct inflate *z) = {
		stored_block, fixed_block, dynamic_block,
	};
	int last, type, err;

	do {
		last = get_bits(z, 1);
		type = get_bits(z, 2);
		if (last < 0 || type < 0 || (size_t)type >= ARRAY_SIZE(blocks))
			return -EINVAL;
		err = blocks[type](z);
		if (err)
			return err;
	} while (!last);
	return 0;
}

/* Steps over a string that ends with 0. */
static const u8 *skip_string(const u8 *p, const u8 *end)
{
	while (p != end && *p)
		p++;
	return p == end ? NULL : p + 1;
}

/* Where the compressed data begin; NULL: that is no member. */
static const u8 *skip_header(const u8 *p, const u8 *end)
{
	u8 flags;
	u32 extra;

	if (end - p < GZIP_HEADER || p[0] != 0x1f || p[1] != 0x8b || p[2] != 8)
		return NULL;
	flags = p[3];
	p += GZIP_HEADER;
	if (flags & FRESERVED)
		return NULL;
	if (flags & FEXTRA) {
		if (end - p < 2)
			return NULL;
		extra = p[0] | (u32)p[1] << 8;
		p += 2;
		if ((size_t)(end - p) < extra)
			return NULL;
		p += extra;
	}
	if (flags & FNAME)
		p = skip_string(p, end);
	if (p && flags & FCOMMENT)
		p = skip_string(p, end);
	if (p && flags & FHCRC)
		p = end - p < 2 ? NULL : p + 2;
	return p;
}

static u32 get_le32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

int gunzip(const void *src, size_t n, void *dst, size_t cap, size_t *len)
{
	struct inflate z = { .end = (const u8 *)src + n, .dst = dst, .cap = cap };
	int err;

	z.src = skip_header(src, z.end);
	if (!z.src)
		return -EINVAL;
	err = inflate(&z);
	if (err)
		return err;
	if (z.end - z.src < GZIP_TRAILER || get_le32(z.src) != crc32_update(0, dst, z.len) ||
	    get_le32(z.src + 4) != (u32)z.len)
		return -EINVAL;
	*len = z.len;
	return 0;
}
