/* SPDX-License-Identifier: MIT */
/* Segment descriptors in memory (APM2 4.7, 4.8; SDM3 3.4.5). */
#ifndef CORE_VM_DESC_H
#define CORE_VM_DESC_H

#include "core/lib/string.h"
#include "core/vm/virt_ops.h"

/* Bits of a selector. */
#define SEL_RPL(sel)	((sel) & 3)
#define SEL_TI		4
#define SEL_NULL(sel)	(!((sel) & ~3))

/* Bits of vsegment.attr, by the kind of descriptor. */
#define TYPE(attr)	((attr) & 0xf)
#define TYPE_LDT	2
#define TYPE_BUSY	2		/* bit of a TSS type: 1, 3, 9, 11 */
#define TYPE_TSS32	8		/* bit of a TSS type: 32 bits, in long mode 64 */
#define TYPE_CODE	8		/* of code and data descriptors */
#define TYPE_CONFORMING	4
#define TYPE_EXPAND_DOWN 4
#define TYPE_RW		2		/* readable code, writable data */
#define TYPE_ACCESSED	1
#define ATTR_DPL(attr)	((attr) >> 5 & 3)

/* The first 8 bytes of a descriptor; the selector is the caller's. */
static inline void desc_parse(const u8 *raw, struct vsegment *seg)
{
	u32 lo, hi;

	memcpy(&lo, raw, 4);
	memcpy(&hi, raw + 4, 4);
	seg->attr = (u16)((hi >> 8 & 0xff) | (hi >> 12 & 0xf00));
	seg->base = lo >> 16 | (hi & 0xff) << 16 | (hi & 0xff000000);
	seg->limit = (lo & 0xffff) | (hi & 0xf0000);
	if (seg->attr & SEG_G)
		seg->limit = seg->limit << 12 | 0xfff;
	seg->unusable = false;
}

#endif
