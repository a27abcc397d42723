/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: virtual equals physical.  RAM is
 * writable and not executable, the image has its parts' protection (W^X),
 * device memory is mapped on demand and uncached, guard pages are holes.
 * Builds tables only; loading CR3 and INVLPG are the caller's.
 */
#ifndef CORE_MM_HOSTMAP_H
#define CORE_MM_HOSTMAP_H

#include "core/lib/base.h"
#include "core/mm/memmap.h"
#include "core/mm/pt.h"

/* A part of the address space with its own protection, 4K aligned. */
struct hostmap_region {
	const char *name;
	u64 base;
	u64 size;
	u32 prot;		/* PT_R|W|X and a memory type; 0 = guard */
};

struct hostmap_caps {
	bool nx;		/* EFER.NXE will be on */
	bool page1g;		/* CPUID 8000_0001h EDX.Page1GB */
	u8 maxphyaddr;
};

/*
 * Fills pt (initialised, 4- or 5-level): all memory of the map that has
 * contents (RAM taken or not, ACPI, NVS; whole pages, up to maxphyaddr) as RW,
 * then the regions in their order, later ones over earlier ones; those of
 * size 0 are skipped.  Page 0 stays unmapped unless a region names it: NULL
 * must fault.  Returns 0, -EINVAL (alignment, a region both W and X with NX in
 * force, pt.cfg.nx unlike caps->nx), -ERANGE (region beyond maxphyaddr),
 * -ENOMEM.
 */
int __must_check hostmap_build(struct pt *pt, const struct memmap *map,
			       const struct hostmap_region *regions,
			       unsigned int n, const struct hostmap_caps *caps);

/*
 * Maps the pages that hold [pa, pa + size) as RW, not executable, with a
 * memory type (MT_UC, MT_WC ... or MT_WB for tables that firmware put into
 * reserved memory).  The address may come from hostile tables: pages mapped
 * with that type already are left as they are, so the image keeps its
 * protection, and RAM is never given another type nor a guard page filled.
 * Returns 0, -EINVAL (size 0 or wraps), -EBUSY (RAM), -ERANGE (beyond
 * maxphyaddr), -ENOMEM.  To be flushed only when the type of a page changed,
 * from MT_UC to MT_WC for example.
 */
int __must_check hostmap_map_mmio(struct pt *pt, const struct memmap *map,
				  u64 pa, u64 size, u32 type,
				  const struct hostmap_caps *caps);

/* Takes the 4K page at addr away / gives it back as RW.  Flush it. */
int __must_check hostmap_guard(struct pt *pt, u64 addr);
int __must_check hostmap_unguard(struct pt *pt, u64 addr);

/* True when no page of the lower half is both writable and executable. */
bool hostmap_is_wx_clean(const struct pt *pt);

#endif
