/* SPDX-License-Identifier: MIT */
/*
 * A small LZ77 coding of at most 64 KiB at a time, for guest memory that leaves
 * the machine.  Pure.  What is packed is a row of
 *
 *	0xxxxxxx	x + 1 bytes as they are, which follow
 *	1xxxxxxx	x + 4 bytes that stand some distance before; with x = 127
 *			bytes that are added to it follow, up to the first that is
 *			not 255; then the distance - 1, in two bytes, low one first
 *
 * A distance shorter than the length repeats: n equal bytes take n / 255 bytes.
 */
#ifndef CORE_LIB_LZ_H
#define CORE_LIB_LZ_H

#include "core/lib/base.h"

#define LZ_MAX		0x10000u

/* Where four bytes of some hash were seen last. */
struct lz_table {
	u16 at[4096];
};

/*
 * Packs n bytes (1 to LZ_MAX) into at most cap.  Returns how many it took; 0:
 * they do not fit.
 */
u32 lz_pack(const u8 *src, u32 n, u8 *dst, u32 cap, struct lz_table *t);

/*
 * Unpacks the n bytes of src, which must be exactly len.  0, or -EINVAL when
 * they are anything else: then dst has any content, and nothing outside of it
 * was written.
 */
int __must_check lz_unpack(const u8 *src, u32 n, u8 *dst, u32 len);

#endif
