/* SPDX-License-Identifier: MIT */
#include "core/mm/page_alloc.h"

#include "core/lib/string.h"

static struct page_zone *zone_of_index(struct page_alloc *a, u32 idx)
{
	u32 lo = 0, hi = a->n_zones - 1;

	while (lo < hi) {
		u32 mid = (lo + hi + 1) / 2;

		if (a->zone[mid].first <= idx)
			lo = mid;
		else
			hi = mid - 1;
	}
	return &a->zone[lo];
}

static struct page_zone *zone_of_pa(struct page_alloc *a, u64 pa)
{
	for (u32 i = 0; i < a->n_zones; i++) {
		struct page_zone *z = &a->zone[i];

		if (pa - z->base < (u64)z->pages << PAGE_SHIFT)
			return z;
	}
	return NULL;
}

static u64 index_to_pa(const struct page_zone *z, u32 idx)
{
	return z->base + ((u64)(idx - z->first) << PAGE_SHIFT);
}

static bool is_allocated(const struct page *p)
{
	return p->state == PG_USED || p->state == PG_RUN ||
	       p->state == PG_RUN_PART;
}

static void list_add(struct page_alloc *a, const struct page_zone *z, u32 idx)
{
	struct page *p = &a->page[idx];
	u32 *head = &a->free[z->cls][p->order];

	p->prev = PG_NONE;
	p->next = *head;
	if (*head != PG_NONE)
		a->page[*head].prev = idx;
	*head = idx;
}

static void list_del(struct page_alloc *a, const struct page_zone *z, u32 idx)
{
	struct page *p = &a->page[idx];

	if (p->prev != PG_NONE)
		a->page[p->prev].next = p->next;
	else
		a->free[z->cls][p->order] = p->next;
	if (p->next != PG_NONE)
		a->page[p->next].prev = p->prev;
}

/* The other half of the block of twice the size, or PG_NONE at a zone's edge. */
static u32 buddy_of(const struct page_zone *z, u32 idx, unsigned int order)
{
	u64 first = z->base >> PAGE_SHIFT;
	u64 pfn = first + (idx - z->first);
	u64 buddy = pfn ^ 1ULL << order;

	if (buddy < first || buddy + (1ULL << order) > first + z->pages)
		return PG_NONE;
	return (u32)(buddy - first) + z->first;
}

/*
 * Lists a free block after joining it with free buddies; those at limit and
 * above are not listed yet and left alone.  Returns the head of the result.
 */
static u32 merge_and_list(struct page_alloc *a, const struct page_zone *z,
			  u32 idx, u32 limit)
{
	while (a->page[idx].order < PA_MAX_ORDER) {
		unsigned int order = a->page[idx].order;
		u32 buddy = buddy_of(z, idx, order);
		u32 low, high;

		if (buddy == PG_NONE || buddy >= limit ||
		    a->page[buddy].state != PG_FREE ||
		    a->page[buddy].order != order)
			break;
		list_del(a, z, buddy);
		low = MIN(idx, buddy);
		high = MAX(idx, buddy);
		WRITE_ONCE(a->page[low].order, order + 1);
		barrier();
		WRITE_ONCE(a->page[high].state, PG_TAIL);
		idx = low;
	}
	list_add(a, z, idx);
	return idx;
}

static u32 free_block(struct page_alloc *a, const struct page_zone *z, u32 idx)
{
	a->stats.free_pages += 1ULL << a->page[idx].order;
	WRITE_ONCE(a->page[idx].state, PG_FREE);
	barrier();
	return merge_and_list(a, z, idx, ~0u);
}

/* Halves an unlisted block; returns the upper half, unlisted and free. */
static u32 split(struct page_alloc *a, u32 idx)
{
	unsigned int order = a->page[idx].order - 1;
	u32 upper = idx + (1u << order);

	a->page[upper].order = order;
	a->page[upper].state = PG_FREE;
	barrier();
	WRITE_ONCE(a->page[idx].order, order);
	barrier();
	return upper;
}

static void mark(struct page_alloc *a, u32 idx, u8 state, u16 owner, u32 pages)
{
	struct page *p = &a->page[idx];

	p->owner = owner;
	p->next = pages;
	barrier();
	WRITE_ONCE(p->state, state);
	a->stats.free_pages -= 1ULL << p->order;
}

static unsigned int top_class(u32 flags)
{
	if (flags & PA_BELOW_1M)
		return PA_CLASS_1M;
	return flags & PA_BELOW_4G ? PA_CLASS_4G : PA_CLASS_HIGH;
}

static u32 take_block(struct page_alloc *a, unsigned int order, unsigned int cls,
		      u16 owner)
{
	const struct page_zone *z;
	unsigned int o = order;
	u32 idx;

	while (o <= PA_MAX_ORDER && a->free[cls][o] == PG_NONE)
		o++;
	if (o > PA_MAX_ORDER)
		return PG_NONE;
	idx = a->free[cls][o];
	z = zone_of_index(a, idx);
	list_del(a, z, idx);
	while (a->page[idx].order > order)
		list_add(a, z, split(a, idx));
	mark(a, idx, PG_USED, owner, 1u << order);
	return idx;
}

/* A few pages are wanted in the caches: their user is about to fill them. */
#define CACHED_PAGES	16

static void zero_pages(struct page_alloc *a, u64 pa, u64 pages)
{
	void *p = a->cfg.to_virt(a->cfg.ctx, pa);

	if (pages <= CACHED_PAGES)
		memset(p, 0, pages << PAGE_SHIFT);
	else
		clear_block(p, pages << PAGE_SHIFT);
}

u64 page_alloc(struct page_alloc *a, unsigned int order, u32 flags)
{
	u32 idx = PG_NONE;
	u64 pa = 0;

	spin_lock(&a->lock);
	for (int cls = top_class(flags); cls >= 0 && idx == PG_NONE; cls--)
		idx = take_block(a, order, cls, flags >> 16);
	if (idx != PG_NONE) {
		pa = index_to_pa(zone_of_index(a, idx), idx);
		a->stats.allocs++;
	} else {
		a->stats.failures++;
	}
	spin_unlock(&a->lock);
	if (pa && (flags & PA_ZERO))
		zero_pages(a, pa, 1ULL << order);
	return pa;
}

/* What a contiguous allocation wants; indexes are of struct pages. */
struct run {
	u64 pages;
	u64 align;		/* in pages */
	u16 owner;
	u32 start, end;
};

/* Finds free blocks in a row that hold the run; sets r->start and r->end. */
static bool find_run(struct page_alloc *a, const struct page_zone *z,
		     struct run *r)
{
	u64 first = z->base >> PAGE_SHIFT;
	u64 from = first, pos = first, end = first + z->pages;

	while (pos < end) {
		const struct page *p = &a->page[z->first + (pos - first)];

		pos += 1ULL << p->order;
		if (p->state != PG_FREE) {
			from = pos;
			continue;
		}
		if (ALIGN_UP(from, r->align) + r->pages <= pos) {
			from = ALIGN_UP(from, r->align);
			r->start = z->first + (from - first);
			r->end = r->start + r->pages;
			return true;
		}
	}
	return false;
}

/* Takes what an unlisted free block has of the run, lists the rest. */
static void carve(struct page_alloc *a, const struct page_zone *z, u32 idx,
		  const struct run *r)
{
	for (;;) {
		u32 end = idx + (1u << a->page[idx].order);
		u32 upper;

		if (end <= r->start || idx >= r->end) {
			list_add(a, z, idx);
			return;
		}
		if (idx >= r->start && end <= r->end)
			break;
		upper = split(a, idx);
		carve(a, z, upper, r);
	}
	mark(a, idx, idx == r->start ? PG_RUN : PG_RUN_PART, r->owner,
	     r->pages);
}

/* Head of the block that holds a page: its address with low bits cleared. */
static u32 head_of(struct page_alloc *a, const struct page_zone *z, u32 idx)
{
	u64 first = z->base >> PAGE_SHIFT;
	u64 pfn = first + (idx - z->first);

	for (unsigned int order = 0; order <= PA_MAX_ORDER; order++) {
		u64 head = ALIGN_DOWN(pfn, 1ULL << order);
		const struct page *p;

		if (head < first)
			break;
		p = &a->page[z->first + (head - first)];
		if (p->state != PG_TAIL && p->order >= order)
			return z->first + (head - first);
	}
	return PG_NONE;
}

static u64 take_run(struct page_alloc *a, struct run *r, unsigned int cls)
{
	for (u32 i = a->n_zones; i > 0; i--) {
		const struct page_zone *z = &a->zone[i - 1];
		u32 idx, next;

		if (z->cls > cls || !find_run(a, z, r))
			continue;
		for (idx = head_of(a, z, r->start); idx < r->end; idx = next) {
			next = idx + (1u << a->page[idx].order);
			list_del(a, z, idx);
			carve(a, z, idx, r);
		}
		return index_to_pa(z, r->start);
	}
	return 0;
}

u64 page_alloc_contig(struct page_alloc *a, u64 pages, unsigned int align_order,
		      u32 flags)
{
	struct run r = { .pages = pages, .owner = flags >> 16 };
	u64 pa = 0;

	spin_lock(&a->lock);
	if (pages && pages <= a->stats.free_pages && align_order < 40) {
		r.align = 1ULL << align_order;
		pa = take_run(a, &r, top_class(flags));
	}
	if (pa)
		a->stats.allocs++;
	else
		a->stats.failures++;
	spin_unlock(&a->lock);
	if (pa && (flags & PA_ZERO))
		zero_pages(a, pa, pages);
	return pa;
}

/* The allocated head of the given kind at pa, or PG_NONE. */
static u32 head_at(struct page_alloc *a, u64 pa, u8 state,
		   const struct page_zone **z)
{
	u32 idx;

	*z = zone_of_pa(a, pa);
	if (!*z || !IS_ALIGNED(pa, PAGE_SIZE))
		return PG_NONE;
	idx = (*z)->first + (u32)((pa - (*z)->base) >> PAGE_SHIFT);
	return a->page[idx].state == state ? idx : PG_NONE;
}

static int refuse(struct page_alloc *a, const char *what, u64 pa)
{
	a->stats.bugs++;
	spin_unlock(&a->lock);
	if (a->cfg.bug)
		a->cfg.bug(a->cfg.ctx, what, pa);
	return -EINVAL;
}

int page_free(struct page_alloc *a, u64 pa, unsigned int order)
{
	const struct page_zone *z;
	u32 idx;

	spin_lock(&a->lock);
	idx = head_at(a, pa, PG_USED, &z);
	if (idx == PG_NONE)
		return refuse(a, "page_free: not an allocated block", pa);
	if (a->page[idx].order != order)
		return refuse(a, "page_free: wrong size", pa);
	free_block(a, z, idx);
	a->stats.frees++;
	spin_unlock(&a->lock);
	return 0;
}

int page_free_contig(struct page_alloc *a, u64 pa, u64 pages)
{
	const struct page_zone *z;
	u32 idx, next, end;

	spin_lock(&a->lock);
	idx = head_at(a, pa, PG_RUN, &z);
	if (idx == PG_NONE)
		return refuse(a, "page_free_contig: not a run", pa);
	if (a->page[idx].next != pages)
		return refuse(a, "page_free_contig: wrong size", pa);
	for (end = idx + pages; idx < end; idx = next) {
		/* Read first: the block may be merged into its neighbour. */
		next = idx + (1u << a->page[idx].order);
		free_block(a, z, idx);
	}
	a->stats.frees++;
	spin_unlock(&a->lock);
	return 0;
}

u64 page_free_owner(struct page_alloc *a, u16 owner)
{
	u64 before, freed;

	if (owner == PA_OWNER_CORE)
		return 0;
	spin_lock(&a->lock);
	before = a->stats.free_pages;
	for (u32 i = 0; i < a->n_zones; i++) {
		const struct page_zone *z = &a->zone[i];
		u32 idx = z->first;

		while (idx < z->first + z->pages) {
			struct page *p = &a->page[idx];

			if (is_allocated(p) && p->owner == owner)
				idx = free_block(a, z, idx);
			idx += 1u << a->page[idx].order;
		}
	}
	freed = a->stats.free_pages - before;
	if (freed)
		a->stats.frees++;
	spin_unlock(&a->lock);
	return freed;
}

u64 page_owner_pages(struct page_alloc *a, u16 owner)
{
	u64 pages = 0;

	spin_lock(&a->lock);
	for (u32 i = 0; i < a->n_zones; i++) {
		const struct page_zone *z = &a->zone[i];
		u32 idx = z->first;

		while (idx < z->first + z->pages) {
			const struct page *p = &a->page[idx];

			if (is_allocated(p) && p->owner == owner)
				pages += 1ULL << p->order;
			idx += 1u << p->order;
		}
	}
	spin_unlock(&a->lock);
	return pages;
}

void page_alloc_get_stats(struct page_alloc *a, struct page_alloc_stats *out)
{
	spin_lock(&a->lock);
	*out = a->stats;
	spin_unlock(&a->lock);
}

/* Heads inside a block are left over from a merge that was cut short. */
static void clear_tails(struct page_alloc *a, u32 idx)
{
	u32 end = idx + (1u << a->page[idx].order);

	for (u32 i = idx + 1; i < end; i++)
		if (a->page[i].state != PG_TAIL)
			a->page[i].state = PG_TAIL;
}

void page_alloc_build_lists(struct page_alloc *a)
{
	memset(a->free, 0, sizeof(a->free));
	a->stats.free_pages = 0;
	for (u32 i = 0; i < a->n_zones; i++) {
		const struct page_zone *z = &a->zone[i];
		u32 idx = z->first, next;

		for (; idx < z->first + z->pages; idx = next) {
			next = idx + (1u << a->page[idx].order);
			if (a->page[idx].state != PG_FREE)
				continue;
			a->stats.free_pages += next - idx;
			merge_and_list(a, z, idx, next);
		}
	}
}

void page_alloc_recover(struct page_alloc *a)
{
	for (u32 i = 0; i < a->n_zones; i++) {
		const struct page_zone *z = &a->zone[i];
		u32 idx = z->first;

		while (idx < z->first + z->pages) {
			clear_tails(a, idx);
			idx += 1u << a->page[idx].order;
		}
	}
	page_alloc_build_lists(a);
	spin_reset(&a->lock);
}
