/* SPDX-License-Identifier: MIT */
/*
 * Table pages for tests: an arena whose physical addresses are not its host
 * addresses, which notices wild and double frees and hands out dirty pages.
 */
#ifndef TESTS_UNIT_PT_ARENA_H
#define TESTS_UNIT_PT_ARENA_H

#include "tests/unit/unit.h"

#include "core/mm/pt.h"

#define ARENA_BASE	0x40000000ULL
#define ARENA_PAGES	4096u

struct pt_arena {
	u8 *mem;
	u32 list[ARENA_PAGES];
	unsigned int n_free;
	bool is_free[ARENA_PAGES];
	unsigned int budget;	/* allocations left before all fail */
};

static inline u64 arena_alloc(void *ctx)
{
	struct pt_arena *a = ctx;
	u32 i;

	if (!a->n_free || !a->budget)
		return 0;
	a->budget--;
	i = a->list[--a->n_free];
	a->is_free[i] = false;
	memset(a->mem + i * PAGE_SIZE, 0xff, PAGE_SIZE);
	return ARENA_BASE + i * PAGE_SIZE;
}

static inline void arena_free(void *ctx, u64 pa)
{
	struct pt_arena *a = ctx;
	u64 i = (pa - ARENA_BASE) / PAGE_SIZE;

	assert_true(i < ARENA_PAGES && IS_ALIGNED(pa, PAGE_SIZE));
	assert_false(a->is_free[i]);
	a->is_free[i] = true;
	a->list[a->n_free++] = i;
	memset(a->mem + i * PAGE_SIZE, 0xee, PAGE_SIZE);
}

static inline void *arena_virt(void *ctx, u64 pa)
{
	struct pt_arena *a = ctx;

	assert_true(pa - ARENA_BASE < ARENA_PAGES * PAGE_SIZE);
	return a->mem + (pa - ARENA_BASE);
}

/* For walkers: an entry in one of the tables. */
static inline int arena_read(void *ctx, u64 pa, void *buf, unsigned int len)
{
	memcpy(buf, arena_virt(ctx, pa), len);
	return 0;
}

static inline void arena_open(struct pt_arena *a)
{
	a->mem = aligned_alloc(PAGE_SIZE, ARENA_PAGES * PAGE_SIZE);
	assert_non_null(a->mem);
	a->n_free = ARENA_PAGES;
	a->budget = ~0u;
	for (u32 i = 0; i < ARENA_PAGES; i++) {
		a->list[i] = i;
		a->is_free[i] = true;
	}
}

static inline void arena_close(struct pt_arena *a)
{
	free(a->mem);
}

static inline struct pt_config arena_config(struct pt_arena *a,
					    const struct pt_format *f)
{
	return (struct pt_config){
		.format = f,
		.alloc_page = arena_alloc,
		.free_page = arena_free,
		.to_virt = arena_virt,
		.ctx = a,
		.pat = PT_PAT_RESET,
		.nx = true,
	};
}

#endif
