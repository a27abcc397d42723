/* SPDX-License-Identifier: MIT */
/*
 * Page allocator: buddy system, orders 0 (4K) to 18 (1G), over the RAM of a
 * memmap.  All bookkeeping is in an array of struct page that it takes from
 * the memory itself; free pages are never touched, so memory that is not
 * mapped yet can already be owned by it.
 *
 * Every allocation carries an owner number.  A test that had to be abandoned
 * is one owner, and page_free_owner() takes back all it left behind.
 * The state in the array is valid after every single store, so that
 * page_alloc_recover() can go on after a CPU was stopped inside the allocator.
 */
#ifndef CORE_MM_PAGE_ALLOC_H
#define CORE_MM_PAGE_ALLOC_H

#include "core/lib/base.h"
#include "core/lib/spinlock.h"
#include "core/mm/memmap.h"

#define PA_MAX_ORDER	18

/* Flags of an allocation; bits 31:16 are its owner. */
#define PA_ZERO		0x1u	/* fill with zeros */
#define PA_BELOW_4G	0x2u
#define PA_BELOW_1M	0x4u
#define PA_OWNER(id)	((u32)(u16)(id) << 16)

/* Owner 0: the hypervisor itself; page_free_owner(0) is refused. */
#define PA_OWNER_CORE	0

/*
 * States of a struct page.  Blocks tile a zone: starting at its first page
 * and stepping by 1 << order one meets only heads.  Every change below keeps
 * that true after each store (page_alloc_recover relies on it): a split
 * writes the upper head before it shortens the lower block, a merge
 * lengthens the lower block before it clears the upper head.
 */
enum page_state {
	PG_TAIL,		/* inside a block */
	PG_FREE,		/* head of a free block */
	PG_USED,		/* head of a page_alloc() block */
	PG_RUN,			/* first block of a contiguous run, next = pages */
	PG_RUN_PART,		/* further block of it */
};

#define PG_NONE	0u		/* no page: index 0 is never used */

/* One 4K page; private to the allocator.  next and prev are indexes. */
struct page {
	u32 next;
	u32 prev;
	u16 owner;
	u8 order;
	u8 state;
};
HW_SIZE(struct page, 12);

/* A run of pages with consecutive addresses and consecutive struct pages. */
struct page_zone {
	u64 base;		/* physical address, 4K aligned */
	u32 first;		/* index of its first struct page */
	u32 pages;
	u32 cls;		/* PA_CLASS_* */
};

/* Memory below 1M, below 4G, above: a zone never crosses these lines. */
enum { PA_CLASS_1M, PA_CLASS_4G, PA_CLASS_HIGH, PA_CLASSES };

#define PA_MAX_ZONES	(MEMMAP_MAX + 2)

struct page_alloc_config {
	/* Where the CPU reaches physical memory; must not fail. */
	void *(*to_virt)(void *ctx, u64 pa);
	/* Our own bug (double free, wild free); may panic; may be NULL. */
	void (*bug)(void *ctx, const char *what, u64 pa);
	void *ctx;
	/*
	 * The array of struct page must lie below this address (what is mapped
	 * during init); 0 means anywhere.
	 */
	u64 meta_limit;
};

struct page_alloc_stats {
	u64 total_pages;	/* under management, without the array itself */
	u64 free_pages;
	u64 meta_pages;
	u64 unused_pages;	/* left out: no room for their struct page */
	u64 allocs;
	u64 frees;
	u64 failures;		/* requests that found no memory */
	u64 bugs;		/* refused frees */
};

struct page_alloc {
	struct spinlock lock;
	struct page_alloc_config cfg;
	struct page *page;
	u32 pages;		/* entries of page[]; index 0 is unused */
	u32 n_zones;
	struct page_zone zone[PA_MAX_ZONES];
	u32 free[PA_CLASSES][PA_MAX_ORDER + 1];	/* list heads, 0 = empty */
	struct page_alloc_stats stats;
};

/*
 * Takes over all MEM_RAM of map except page 0 (address 0 means failure).  The
 * map is only read, and not needed afterwards.  Where the array would not fit,
 * the highest memory is left out (stats.unused_pages).  Returns 0, or -ENOMEM
 * when nothing at all is usable.
 */
int __must_check page_alloc_init(struct page_alloc *a, const struct memmap *map,
				 const struct page_alloc_config *cfg);

/*
 * Returns the physical address of 4K << order bytes, aligned to that size, or
 * 0.  Without PA_BELOW_* high memory is used up first.
 */
u64 __must_check page_alloc(struct page_alloc *a, unsigned int order, u32 flags);

/* As page_alloc, any number of pages, aligned to 4K << align_order. */
u64 __must_check page_alloc_contig(struct page_alloc *a, u64 pages,
				   unsigned int align_order, u32 flags);

/*
 * Gives back what page_alloc (or _contig) returned, with the same size.
 * Anything else - freed twice, never allocated, other size - calls cfg.bug and
 * returns -EINVAL, changing nothing.
 */
int page_free(struct page_alloc *a, u64 pa, unsigned int order);
int page_free_contig(struct page_alloc *a, u64 pa, u64 pages);

/* Frees everything of one owner; returns the number of pages. */
u64 page_free_owner(struct page_alloc *a, u16 owner);

/* Pages that an owner holds. */
u64 page_owner_pages(struct page_alloc *a, u16 owner);

/*
 * After a CPU was stopped for good, perhaps inside the allocator: opens the
 * lock and rebuilds lists and counters.  No other CPU may allocate meanwhile.
 */
void page_alloc_recover(struct page_alloc *a);

/* Lists and counts the free blocks that the array describes; for init. */
void page_alloc_build_lists(struct page_alloc *a);

/* A consistent copy of the counters. */
void page_alloc_get_stats(struct page_alloc *a, struct page_alloc_stats *out);

/*
 * Walks all bookkeeping.  Returns 0, or -EINVAL with what is wrong in *why:
 * for tests and for a monitor command.
 */
int __must_check page_alloc_check(struct page_alloc *a, const char **why);

#endif
