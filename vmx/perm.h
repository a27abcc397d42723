/* SPDX-License-Identifier: MIT */
/*
 * MSR bitmap (SDM3 25.6.9) and I/O bitmaps (25.6.4): a set bit makes the
 * access exit.  Pure.
 */
#ifndef VMX_PERM_H
#define VMX_PERM_H

#include "core/lib/base.h"

struct vmx_msr_bitmap {
	u8 read_low[1024];	/* 0 .. 1fff */
	u8 read_high[1024];	/* c0000000 .. c0001fff */
	u8 write_low[1024];
	u8 write_high[1024];
};
HW_FIELD(struct vmx_msr_bitmap, read_high, 0x400);
HW_FIELD(struct vmx_msr_bitmap, write_low, 0x800);
HW_FIELD(struct vmx_msr_bitmap, write_high, 0xc00);
HW_SIZE(struct vmx_msr_bitmap, 4096);

struct vmx_io_bitmap {
	u8 a[4096];		/* ports 0 .. 7fff */
	u8 b[4096];		/* 8000 .. ffff */
};
HW_SIZE(struct vmx_io_bitmap, 8192);

/* All accesses exit, or none. */
void vmx_msr_bitmap_fill(struct vmx_msr_bitmap *m, bool exit);
void vmx_io_bitmap_fill(struct vmx_io_bitmap *m, bool exit);

/* Returns 0, or -ERANGE: MSRs outside both ranges always exit. */
int __must_check vmx_msr_bitmap_set(struct vmx_msr_bitmap *m, u32 msr, bool write, bool exit);
void vmx_io_bitmap_set(struct vmx_io_bitmap *m, u16 port, bool exit);

/* What the processor will do. */
bool vmx_msr_exits(const struct vmx_msr_bitmap *m, u32 msr, bool write);
bool vmx_io_exits(const struct vmx_io_bitmap *m, u16 port, u8 size);

#endif
