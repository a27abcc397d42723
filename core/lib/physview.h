/* SPDX-License-Identifier: MIT */
/*
 * How pure code reads physical memory that firmware or a boot loader filled:
 * through a callback that knows what can be read, so that a wrong address in
 * a table is an error and not a fault.
 */
#ifndef CORE_LIB_PHYSVIEW_H
#define CORE_LIB_PHYSVIEW_H

#include "core/lib/base.h"

struct phys_view {
	/*
	 * A pointer to len bytes at pa, valid while the view is, or NULL when
	 * not all of them can be read (also when pa + len wraps).  The pointer
	 * need not be aligned.  len 0 is never asked for.
	 */
	const void *(*map)(void *ctx, u64 pa, u64 len);
	void *ctx;
};

static inline const void *phys_map(const struct phys_view *view, u64 pa, u64 len)
{
	return view->map(view->ctx, pa, len);
}

/* Little-endian fields at any alignment. */
static inline u16 get_le16(const void *p)
{
	const u8 *b = p;

	return (u16)(b[0] | b[1] << 8);
}

static inline u32 get_le32(const void *p)
{
	return get_le16(p) | (u32)get_le16((const u8 *)p + 2) << 16;
}

static inline u64 get_le64(const void *p)
{
	return get_le32(p) | (u64)get_le32((const u8 *)p + 4) << 32;
}

#endif
