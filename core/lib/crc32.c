// SPDX-License-Identifier: MIT
#include "core/lib/crc32.h"

#include "core/lib/physview.h"

/*
 * Table k has what becomes of a byte when it and k more bytes are shifted out
 * through the reflected polynomial 0xedb88320, so that four bytes go in one step.
 * That is linear: eight numbers, those of the byte's bits, make a table.
 */
#define ENTRY(i, b0, b1, b2, b3, b4, b5, b6, b7)				\
	(((i) & 0x01 ? b0 : 0) ^ ((i) & 0x02 ? b1 : 0) ^			\
	 ((i) & 0x04 ? b2 : 0) ^ ((i) & 0x08 ? b3 : 0) ^			\
	 ((i) & 0x10 ? b4 : 0) ^ ((i) & 0x20 ? b5 : 0) ^			\
	 ((i) & 0x40 ? b6 : 0) ^ ((i) & 0x80 ? b7 : 0))
#define FOUR(i, ...)								\
	ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__),			\
	ENTRY((i) + 2, __VA_ARGS__), ENTRY((i) + 3, __VA_ARGS__)
#define SIXTEEN(i, ...)								\
	FOUR(i, __VA_ARGS__), FOUR((i) + 4, __VA_ARGS__),			\
	FOUR((i) + 8, __VA_ARGS__), FOUR((i) + 12, __VA_ARGS__)
#define SIXTY_FOUR(i, ...)							\
	SIXTEEN(i, __VA_ARGS__), SIXTEEN((i) + 16, __VA_ARGS__),		\
	SIXTEEN((i) + 32, __VA_ARGS__), SIXTEEN((i) + 48, __VA_ARGS__)
#define TABLE(...)								\
	SIXTY_FOUR(0, __VA_ARGS__), SIXTY_FOUR(64, __VA_ARGS__),		\
	SIXTY_FOUR(128, __VA_ARGS__), SIXTY_FOUR(192, __VA_ARGS__)

static const u32 table[4][256] = {
	{ TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832,
		0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320) },
	{ TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08,
		0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b) },
	{ TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8,
		0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80) },
	{ TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef,
		0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b) },
};

u32 crc32_update(u32 crc, const void *data, size_t n)
{
	const u8 *p = data;

	crc = ~crc;
	for (; n >= 4; n -= 4, p += 4) {
		crc ^= get_le32(p);
		crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^
		      table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
	}
	for (; n; n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}
