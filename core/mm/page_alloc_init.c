/* SPDX-License-Identifier: MIT */
/* Setting the page allocator up, and auditing its bookkeeping. */
#include "core/mm/page_alloc.h"

#include "core/lib/string.h"

static u64 zone_end(const struct page_zone *z)
{
	return z->base + ((u64)z->pages << PAGE_SHIFT);
}

/* Zones stay below 2^32 pages, so that indexes fit. */
#define ZONE_MAX_BYTES	(1ULL << (31 + PAGE_SHIFT))

static void add_zone(struct page_alloc *a, u64 base, u64 end, u32 cls)
{
	struct page_zone *z = &a->zone[a->n_zones];
	u64 size = MIN(end - base, ZONE_MAX_BYTES);

	a->stats.unused_pages += (end - base - size) >> PAGE_SHIFT;
	if (a->n_zones == PA_MAX_ZONES) {
		a->stats.unused_pages += size >> PAGE_SHIFT;
		return;
	}
	*z = (struct page_zone){ .base = base, .cls = cls };
	z->pages = size >> PAGE_SHIFT;
	a->n_zones++;
}

static void build_zones(struct page_alloc *a, const struct memmap *map)
{
	static const u64 class_end[PA_CLASSES] = {
		[PA_CLASS_1M] = 1ULL << 20,
		[PA_CLASS_4G] = 1ULL << 32,
		[PA_CLASS_HIGH] = MEMMAP_LIMIT,
	};
	unsigned int it = 0;
	u64 base, size;

	while (memmap_next_ram(map, &it, &base, &size)) {
		u64 end = base + size;

		if (!base)
			base = PAGE_SIZE;
		for (u32 cls = 0; cls < PA_CLASSES; cls++) {
			u64 stop = MIN(end, class_end[cls]);

			if (base >= stop)
				continue;
			add_zone(a, base, stop, cls);
			base = stop;
		}
	}
}

/* Pages of a zone, from its start, that may hold the array. */
static u64 meta_room(const struct page_alloc *a, const struct page_zone *z)
{
	u64 limit = a->cfg.meta_limit ? a->cfg.meta_limit : MEMMAP_LIMIT;
	u64 end = MIN(zone_end(z), limit);

	return end > z->base ? (end - z->base) >> PAGE_SHIFT : 0;
}

/* The zone with most room; memory below 1M is too rare unless alone. */
static struct page_zone *choose_meta_zone(struct page_alloc *a)
{
	struct page_zone *best = NULL;
	u64 best_room = 0;

	for (u32 i = 0; i < a->n_zones; i++) {
		struct page_zone *z = &a->zone[i];
		u64 room = meta_room(a, z);
		bool first_high = best && best->cls == PA_CLASS_1M &&
				  z->cls != PA_CLASS_1M && room >= 2;

		if (room > best_room || first_high) {
			best = z;
			best_room = room;
		}
	}
	return best;
}

/* Gives up the highest memory (never the array's zone) down to max pages. */
static u64 cut_pages(struct page_alloc *a, const struct page_zone *keep, u64 max)
{
	u64 total = 0;

	for (u32 i = 0; i < a->n_zones; i++)
		total += a->zone[i].pages;
	for (u32 i = a->n_zones; i > 0 && total > max; i--) {
		struct page_zone *z = &a->zone[i - 1];
		u64 cut = MIN(total - max, (u64)z->pages);

		if (z == keep)
			continue;
		z->pages -= cut;
		total -= cut;
		a->stats.unused_pages += cut;
	}
	return total;
}

/* Cuts free blocks, as large as alignment allows, into the zeroed array. */
static void tile_zone(struct page_alloc *a, const struct page_zone *z)
{
	u64 first = z->base >> PAGE_SHIFT;
	u64 pos = first, end = first + z->pages;

	while (pos < end) {
		unsigned int order = MIN(__builtin_ctzll(pos), PA_MAX_ORDER);
		struct page *p = &a->page[z->first + (pos - first)];

		while (pos + (1ULL << order) > end)
			order--;
		p->order = order;
		p->state = PG_FREE;
		pos += 1ULL << order;
	}
}

int page_alloc_init(struct page_alloc *a, const struct memmap *map,
		    const struct page_alloc_config *cfg)
{
	struct page_zone *z;
	u64 room, total, meta;

	memset(a, 0, sizeof(*a));
	a->cfg = *cfg;
	build_zones(a, map);
	z = choose_meta_zone(a);
	if (!z)
		return -ENOMEM;
	/* At most half of the zone, or more memory would be lost than won. */
	room = meta_room(a, z) / 2 * PAGE_SIZE / sizeof(struct page);
	if (room < 2)
		return -ENOMEM;
	total = cut_pages(a, z, MIN(room - 1, (1ULL << 32) - 2));
	meta = ALIGN_UP((total + 1) * sizeof(struct page), PAGE_SIZE);
	if (meta >> PAGE_SHIFT >= z->pages)
		return -ENOMEM;
	a->page = cfg->to_virt(cfg->ctx, z->base);
	memset(a->page, 0, meta);
	z->base += meta;
	z->pages -= meta >> PAGE_SHIFT;
	a->stats.meta_pages = meta >> PAGE_SHIFT;
	a->stats.total_pages = total - a->stats.meta_pages;
	a->pages = 1;
	for (u32 i = 0; i < a->n_zones; i++) {
		a->zone[i].first = a->pages;
		a->pages += a->zone[i].pages;
		tile_zone(a, &a->zone[i]);
	}
	page_alloc_build_lists(a);
	return 0;
}

struct audit {
	u64 free_blocks;
	u64 free_pages;
	u64 listed;
	const char *why;
};

static bool audit_block(struct page_alloc *a, const struct page_zone *z, u32 idx,
			struct audit *au)
{
	const struct page *p = &a->page[idx];
	u64 pfn = (z->base >> PAGE_SHIFT) + (idx - z->first);
	u32 size;

	if (p->order > PA_MAX_ORDER || p->state == PG_TAIL ||
	    p->state > PG_RUN_PART) {
		au->why = "not the head of a block";
		return false;
	}
	size = 1u << p->order;
	if (!IS_ALIGNED(pfn, (u64)size) || size > z->first + z->pages - idx) {
		au->why = "block misaligned or across the end of its zone";
		return false;
	}
	for (u32 i = 1; i < size; i++) {
		if (a->page[idx + i].state != PG_TAIL) {
			au->why = "head inside a block";
			return false;
		}
	}
	if (p->state == PG_FREE) {
		au->free_blocks++;
		au->free_pages += size;
	}
	return true;
}

static bool audit_list(struct page_alloc *a, u32 cls, unsigned int order,
		       struct audit *au)
{
	u32 prev = PG_NONE;

	for (u32 idx = a->free[cls][order]; idx != PG_NONE;
	     prev = idx, idx = a->page[idx].next) {
		const struct page *p = &a->page[idx];

		if (idx >= a->pages || p->state != PG_FREE ||
		    p->order != order || p->prev != prev ||
		    ++au->listed > au->free_blocks) {
			au->why = "free list broken";
			return false;
		}
	}
	return true;
}

static bool audit(struct page_alloc *a, struct audit *au)
{
	for (u32 i = 0; i < a->n_zones; i++) {
		const struct page_zone *z = &a->zone[i];
		u32 idx = z->first;

		while (idx < z->first + z->pages) {
			if (!audit_block(a, z, idx, au))
				return false;
			idx += 1u << a->page[idx].order;
		}
	}
	for (u32 cls = 0; cls < PA_CLASSES; cls++)
		for (unsigned int o = 0; o <= PA_MAX_ORDER; o++)
			if (!audit_list(a, cls, o, au))
				return false;
	if (au->listed != au->free_blocks)
		au->why = "free block not listed";
	else if (au->free_pages != a->stats.free_pages)
		au->why = "count of free pages wrong";
	return !au->why;
}

int page_alloc_check(struct page_alloc *a, const char **why)
{
	struct audit au = { .why = NULL };
	bool ok;

	spin_lock(&a->lock);
	ok = audit(a, &au);
	spin_unlock(&a->lock);
	*why = au.why;
	return ok ? 0 : -EINVAL;
}
