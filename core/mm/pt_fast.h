/* SPDX-License-Identifier: MIT */
/*
 * The walk for the exit path: 4-level long mode over a guest whose memory is
 * directly addressable.  No calls on a hit, no fault details: whatever is not
 * plain is a miss, and pt_walk() then says why.
 */
#ifndef CORE_MM_PT_FAST_H
#define CORE_MM_PT_FAST_H

#include "core/mm/gmem.h"
#include "core/mm/pt.h"

#define PT_FAST_MISS	(~0ULL)

/* Bits that no entry may have for a fetch: NX and the address bits 51:46. */
#define PT_FAST_DENY_FETCH	(PTE_NX | BITS(51, 46))
#define PT_FAST_DENY_DATA	BITS(51, 46)

/*
 * Guest physical address of va, or PT_FAST_MISS.  Every entry must have all
 * bits of need (PTE_P, and PTE_W or PTE_U as the access wants) and none of
 * deny.  SMEP, SMAP, protection keys are not looked at, accessed and dirty not
 * set: right for an access that the CPU itself has just made, such as fetching
 * the instruction that exited.
 */
static inline u64 pt_walk_fast(const struct gmem *g, u64 cr3, u64 va, u64 need,
			       u64 deny)
{
	u64 table = cr3 & PTE_ADDR;
	int shift = 39;

	if (unlikely((u64)((s64)(va << 16) >> 16) != va))
		return PT_FAST_MISS;
	for (;;) {
		const u64 *p = gmem_ptr(g, table + (va >> shift & 511) * 8, 8);
		u64 e, mask;

		if (unlikely(!p))
			return PT_FAST_MISS;
		e = READ_ONCE(*p);
		if (unlikely((e & need) != need || (e & deny)))
			return PT_FAST_MISS;
		mask = (1ULL << shift) - 1;
		if (shift == 12)
			return (e & PTE_ADDR) | (va & mask);
		if (e & PTE_PS) {
			/* PML4E.PS and low address bits are reserved. */
			if (unlikely(shift == 39 || (e & mask & BITS(29, 13))))
				return PT_FAST_MISS;
			return (e & PTE_ADDR & ~mask) | (va & mask);
		}
		table = e & PTE_ADDR;
		shift -= 9;
	}
}

#endif
