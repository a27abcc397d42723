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

/* A slot in registers. */
struct pt_fast_slot {
	u64 gpa, size;
	const u8 *host;
};

/*
 * The entry at a byte offset of the table that e points to.  A table is one
 * page and slots are whole pages, so the start of the table decides; nearly
 * always it is in the slot of the last hit.  Not memory: 0, not present.
 */
static inline u64 pt_fast_load(const struct gmem *g, struct pt_fast_slot s,
			       u64 e, u64 offset)
{
	u64 table = e & PTE_ADDR;
	const u64 *p;

	if (likely(table - s.gpa < s.size))
		return READ_ONCE(*(const u64 *)(s.host + (table - s.gpa) +
						offset));
	p = gmem_ptr_slow(g, table + offset, 8);
	return p ? READ_ONCE(*p) : 0;
}

/* The end of a walk at an entry that failed the quick check: a large page? */
static inline u64 pt_fast_large(u64 e, u64 va, u64 need, u64 deny, u64 size)
{
	/* APM2 5.3.4: address bits below the page's size are reserved. */
	u64 reserved = (size - 1) & BITS(29, 13);

	if (unlikely((e & (need | deny | reserved)) != need))
		return PT_FAST_MISS;
	return (e & PTE_ADDR & ~(size - 1)) | (va & (size - 1));
}

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
	const struct gmem_slot *last = &g->slot[READ_ONCE(g->last)];
	const struct pt_fast_slot s = { last->gpa, last->mem_size, last->host };
	const u64 check = need | deny | PTE_PS;
	u64 e;

	if (unlikely((u64)((s64)(va << 16) >> 16) != va))
		return PT_FAST_MISS;
	e = pt_fast_load(g, s, cr3, va >> 36 & 0xff8);
	if (unlikely((e & check) != need))
		return PT_FAST_MISS;
	e = pt_fast_load(g, s, e, va >> 27 & 0xff8);
	if (unlikely((e & check) != need))
		return pt_fast_large(e, va, need, deny, SIZE_1G);
	e = pt_fast_load(g, s, e, va >> 18 & 0xff8);
	if ((e & check) != need)
		return pt_fast_large(e, va, need, deny, SIZE_2M);
	e = pt_fast_load(g, s, e, va >> 9 & 0xff8);
	if (unlikely((e & (need | deny)) != need))
		return PT_FAST_MISS;
	return (e & PTE_ADDR) | (va & ~PAGE_MASK);
}

#endif
