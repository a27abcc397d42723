/* SPDX-License-Identifier: MIT */
#include "core/mm/memmap.h"

#include "core/lib/string.h"

/* How restrictive a type is: the higher one wins an overlap. */
static unsigned int rank(u32 type)
{
	switch (type) {
	case MEM_RAM:
		return 0;
	case MEM_TAKEN:
		return 1;
	case MEM_ACPI:
		return 2;
	case MEM_NVS:
		return 3;
	case MEM_BAD:
		return 5;
	default:
		return 4;
	}
}

static u64 range_end(const struct mem_range *r)
{
	return r->base + r->size;
}

/* Index of the first range that ends above pa; n when there is none. */
static unsigned int first_above(const struct memmap *m, u64 pa)
{
	unsigned int lo = 0, hi = m->n;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (range_end(&m->range[mid]) > pa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static void insert(struct memmap *m, unsigned int i, u64 base, u64 end, u32 type)
{
	memmove(&m->range[i + 1], &m->range[i],
		(m->n - i) * sizeof(m->range[0]));
	m->range[i] = (struct mem_range){ base, end - base, type };
	m->n++;
}

static void drop(struct memmap *m, unsigned int i)
{
	m->n--;
	memmove(&m->range[i], &m->range[i + 1],
		(m->n - i) * sizeof(m->range[0]));
}

/* Gives [base, end), which lies inside range i, another type. */
static void retype(struct memmap *m, unsigned int i, u64 base, u64 end, u32 type)
{
	struct mem_range *r = &m->range[i];
	u64 old_end = range_end(r);
	u32 old_type = r->type;

	if (end < old_end) {
		r->size = end - r->base;
		insert(m, i + 1, end, old_end, old_type);
	}
	if (r->base < base) {
		r->size = base - r->base;
		insert(m, i + 1, base, end, type);
	} else {
		r->type = type;
	}
}

static void merge_neighbours(struct memmap *m)
{
	for (unsigned int i = 1; i < m->n;) {
		struct mem_range *a = &m->range[i - 1];
		struct mem_range *b = &m->range[i];

		if (a->type == b->type && range_end(a) == b->base) {
			a->size += b->size;
			drop(m, i);
		} else {
			i++;
		}
	}
}

/* Index of the smallest RAM range; n without one. */
static unsigned int smallest_ram(const struct memmap *m)
{
	unsigned int best = m->n;

	for (unsigned int i = 0; i < m->n; i++) {
		if (m->range[i].type != MEM_RAM)
			continue;
		if (best == m->n || m->range[i].size < m->range[best].size)
			best = i;
	}
	return best;
}

/* Makes one range of the two with the smallest gap between them. */
static void join_closest(struct memmap *m)
{
	unsigned int best = 1;
	u64 best_gap = ~0ULL;
	struct mem_range *a, *b;

	for (unsigned int i = 1; i < m->n; i++) {
		u64 gap = m->range[i].base - range_end(&m->range[i - 1]);

		if (gap < best_gap) {
			best_gap = gap;
			best = i;
		}
	}
	a = &m->range[best - 1];
	b = &m->range[best];
	a->size = range_end(b) - a->base;
	if (rank(b->type) > rank(a->type))
		a->type = b->type;
	drop(m, best);
}

/*
 * Back to the fixed size.  A lost RAM range is memory not used.  A lost
 * reserved one could come back as RAM when a later range covers it, so these
 * are joined instead.
 */
static void shrink(struct memmap *m)
{
	merge_neighbours(m);
	while (m->n > MEMMAP_MAX) {
		unsigned int i = smallest_ram(m);

		if (!m->dropped++)
			diag_printf(m->diag,
				    "memmap: more than %d ranges, some memory is not used",
				    MEMMAP_MAX);
		if (i < m->n)
			drop(m, i);
		else
			join_closest(m);
		merge_neighbours(m);
	}
}

void memmap_init(struct memmap *m, const struct diag *diag)
{
	m->n = 0;
	m->dropped = 0;
	m->diag = diag;
}

/* False when nothing of the range lies below the limit. */
static bool clamp(u64 base, u64 size, u64 *end)
{
	if (base >= MEMMAP_LIMIT || !size)
		return false;
	*end = size > MEMMAP_LIMIT - base ? MEMMAP_LIMIT : base + size;
	return true;
}

void memmap_add(struct memmap *m, u64 base, u64 size, u32 type)
{
	u64 pos = base, end, stop;

	if (type < MEM_RAM || type > MEM_BAD)
		type = MEM_RESERVED;
	if (!clamp(base, size, &end))
		return;
	for (; pos < end; pos = stop) {
		unsigned int i = first_above(m, pos);
		struct mem_range *r = &m->range[i];

		stop = end;
		if (i < m->n && r->base <= pos) {
			stop = MIN(end, range_end(r));
			if (rank(type) > rank(r->type))
				retype(m, i, pos, stop, type);
		} else {
			if (i < m->n)
				stop = MIN(end, r->base);
			insert(m, i, pos, stop, type);
		}
		shrink(m);
	}
}

void memmap_reserve(struct memmap *m, u64 base, u64 size)
{
	u64 pos = base, end, stop;

	if (!clamp(base, size, &end))
		return;
	for (; pos < end; pos = stop) {
		unsigned int i = first_above(m, pos);
		struct mem_range *r = &m->range[i];

		if (i == m->n || r->base >= end)
			return;
		pos = MAX(pos, r->base);
		stop = MIN(end, range_end(r));
		if (r->type == MEM_RAM) {
			retype(m, i, pos, stop, MEM_TAKEN);
			shrink(m);
		}
	}
}

const struct mem_range *memmap_find(const struct memmap *m, u64 pa)
{
	unsigned int i = first_above(m, pa);

	return i < m->n && m->range[i].base <= pa ? &m->range[i] : NULL;
}

bool memmap_is(const struct memmap *m, u64 base, u64 size, u32 type)
{
	/* Neighbours of one type are merged: one range must hold it all. */
	const struct mem_range *r = memmap_find(m, base);

	return r && r->type == type && size &&
	       size <= range_end(r) - base;
}

bool memmap_has_ram(const struct memmap *m, u64 base, u64 size)
{
	u64 end;

	if (!clamp(base, size, &end))
		return false;
	for (unsigned int i = first_above(m, base); i < m->n; i++) {
		const struct mem_range *r = &m->range[i];

		if (r->base >= end)
			break;
		if (r->type == MEM_RAM || r->type == MEM_TAKEN)
			return true;
	}
	return false;
}

bool memmap_next_ram(const struct memmap *m, unsigned int *it, u64 *base,
		     u64 *size)
{
	while (*it < m->n) {
		const struct mem_range *r = &m->range[(*it)++];
		u64 lo = ALIGN_UP(r->base, PAGE_SIZE);
		u64 hi = ALIGN_DOWN(range_end(r), PAGE_SIZE);

		if (r->type == MEM_RAM && lo < hi) {
			*base = lo;
			*size = hi - lo;
			return true;
		}
	}
	return false;
}

u64 memmap_top(const struct memmap *m)
{
	for (unsigned int i = m->n; i > 0; i--) {
		const struct mem_range *r = &m->range[i - 1];

		if (r->type == MEM_RAM || r->type == MEM_TAKEN)
			return range_end(r);
	}
	return 0;
}

u64 memmap_bytes(const struct memmap *m, u32 type)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < m->n; i++)
		if (m->range[i].type == type)
			sum += m->range[i].size;
	return sum;
}

u64 memmap_place(const struct memmap *m, u64 size, u64 align, u64 min, u64 max)
{
	for (unsigned int i = 0; i < m->n; i++) {
		const struct mem_range *r = &m->range[i];
		u64 lo = MAX(r->base, min);
		u64 hi = MIN(range_end(r), max);

		if (r->type != MEM_RAM || lo >= hi)
			continue;
		/* lo is below 2^52, so only a huge align can wrap to 0. */
		if (ALIGN_UP(lo, align) < lo)
			continue;
		lo = ALIGN_UP(lo, align);
		if (lo < hi && size <= hi - lo)
			return lo;
	}
	return MEMMAP_LIMIT;
}

const char *mem_type_name(u32 type)
{
	static const char *const names[] = {
		[MEM_RAM] = "ram",
		[MEM_RESERVED] = "reserved",
		[MEM_ACPI] = "acpi",
		[MEM_NVS] = "nvs",
		[MEM_BAD] = "bad",
	};

	if (type == MEM_TAKEN)
		return "taken";
	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "unknown";
}
