/* SPDX-License-Identifier: MIT */
#include "core/mm/hostmap.h"

static u64 page_max(const struct hostmap_caps *caps)
{
	return caps->page1g ? SIZE_1G : SIZE_2M;
}

static bool has_contents(u32 type)
{
	return type == MEM_RAM || type == MEM_TAKEN || type == MEM_ACPI ||
	       type == MEM_NVS;
}

/*
 * Whole pages, outward: a table that ends inside a page is readable to its
 * end.  Neighbours that share a page get the same mapping.
 */
static int map_memory(struct pt *pt, const struct mem_range *r,
		      const struct hostmap_caps *caps)
{
	u64 limit = 1ULL << caps->maxphyaddr;
	u64 base = ALIGN_DOWN(r->base, PAGE_SIZE);
	u64 end = ALIGN_UP(r->base + r->size, PAGE_SIZE);

	if (!base)
		base = PAGE_SIZE;
	end = MIN(end, limit);
	if (base >= end)
		return 0;
	return pt_map(pt, base, base, end - base, PT_RW, page_max(caps));
}

static int map_region(struct pt *pt, const struct hostmap_region *r,
		      const struct hostmap_caps *caps)
{
	u64 limit = 1ULL << caps->maxphyaddr;

	if (!r->size)
		return 0;
	if (caps->nx && (r->prot & PT_W) && (r->prot & PT_X))
		return -EINVAL;
	if (r->base >= limit || r->size > limit - r->base)
		return -ERANGE;
	if (!r->prot)
		return pt_unmap(pt, r->base, r->size);
	return pt_map(pt, r->base, r->base, r->size, r->prot, page_max(caps));
}

int hostmap_build(struct pt *pt, const struct memmap *map,
		  const struct hostmap_region *regions, unsigned int n,
		  const struct hostmap_caps *caps)
{
	int ret = 0;

	if (pt->cfg.nx != caps->nx)
		return -EINVAL;
	for (unsigned int i = 0; i < map->n && !ret; i++)
		if (has_contents(map->range[i].type))
			ret = map_memory(pt, &map->range[i], caps);
	for (unsigned int i = 0; i < n && !ret; i++)
		ret = map_region(pt, &regions[i], caps);
	return ret;
}

/* End of the unmapped pages that start at va, at most end. */
static u64 hole_end(const struct pt *pt, u64 va, u64 end)
{
	struct pt_mapping k;

	while (va < end && pt_query(pt, va, &k) == -ENOENT)
		va = ALIGN_DOWN(va, k.size) + k.size;
	return MIN(va, end);
}

int hostmap_map_mmio(struct pt *pt, const struct memmap *map, u64 pa, u64 size,
		     u32 type, const struct hostmap_caps *caps)
{
	u64 base = ALIGN_DOWN(pa, PAGE_SIZE), end, stop;

	if (!size || pa + size - 1 < pa)
		return -EINVAL;
	if ((pa + size - 1) >> caps->maxphyaddr)
		return -ERANGE;
	end = ALIGN_UP(pa + size, PAGE_SIZE);
	/* APM2 7.8.7: one page with two memory types loses its coherency. */
	if (type != MT_WB && memmap_has_ram(map, base, end - base))
		return -EBUSY;
	for (; base < end; base = stop) {
		struct pt_mapping k;
		int ret = pt_query(pt, base, &k);

		if (!ret) {
			stop = MIN(ALIGN_DOWN(base, k.size) + k.size, end);
			if (PT_PROT_MT(k.prot) == type)
				continue;
		} else {
			stop = hole_end(pt, base, end);
		}
		/* RAM that is not mapped is a guard page, or page 0. */
		if (memmap_has_ram(map, base, stop - base))
			return -EBUSY;
		ret = pt_map(pt, base, base, stop - base, PT_RW | PT_MT(type),
			     page_max(caps));
		if (ret)
			return ret;
	}
	return 0;
}

int hostmap_guard(struct pt *pt, u64 addr)
{
	return pt_unmap(pt, addr, PAGE_SIZE);
}

int hostmap_unguard(struct pt *pt, u64 addr)
{
	return pt_map(pt, addr, addr, PAGE_SIZE, PT_RW, PAGE_SIZE);
}

bool hostmap_is_wx_clean(const struct pt *pt)
{
	u64 end = 1ULL << (pt->cfg.format->va_bits - 1);
	struct pt_mapping k;

	for (u64 va = 0; va < end; va = ALIGN_DOWN(va, k.size) + k.size)
		if (!pt_query(pt, va, &k) && (k.prot & PT_W) && (k.prot & PT_X))
			return false;
	return true;
}
