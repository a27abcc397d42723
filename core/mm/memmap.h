/* SPDX-License-Identifier: MIT */
/*
 * The physical memory map: what firmware said (E820, multiboot, any order,
 * overlapping, hostile) turned into sorted disjoint ranges.  Where ranges
 * overlap, the more restrictive type wins, so the result does not depend on
 * the order in which ranges are added.  Nothing is allocated.
 */
#ifndef CORE_MM_MEMMAP_H
#define CORE_MM_MEMMAP_H

#include "core/lib/base.h"
#include "core/lib/diag.h"

/* E820 and multiboot numbers 1..5; every other number means MEM_RESERVED. */
enum mem_type {
	MEM_RAM = 1,
	MEM_RESERVED = 2,
	MEM_ACPI = 3,		/* tables; reclaimable, never reclaimed here */
	MEM_NVS = 4,
	MEM_BAD = 5,
	MEM_TAKEN = 0x100,	/* RAM that memmap_reserve() took */
};

struct mem_range {
	u64 base;
	u64 size;
	u32 type;
};

#define MEMMAP_MAX	256
/* Addresses from here on do not exist (APM2 1.1.3: at most 52 bits). */
#define MEMMAP_LIMIT	(1ULL << 52)

struct memmap {
	/* Sorted by base, disjoint, neighbours of one type merged. */
	struct mem_range range[MEMMAP_MAX + 2];
	unsigned int n;
	unsigned int dropped;	/* ranges given up because the map was full */
	const struct diag *diag;
};

/* Empty map; warnings go to diag, which may be NULL and must stay alive. */
void memmap_init(struct memmap *m, const struct diag *diag);

/*
 * Adds [base, base + size) bytes, no alignment needed.  What passes
 * MEMMAP_LIMIT or wraps around is cut off.  When the map is full it loses its
 * smallest RAM range (or joins two others into one): never becomes more
 * permissive, says so through diag once.
 */
void memmap_add(struct memmap *m, u64 base, u64 size, u32 type);

/* Turns the RAM inside [base, base + size) into MEM_TAKEN. */
void memmap_reserve(struct memmap *m, u64 base, u64 size);

/* The range that holds pa, or NULL. */
const struct mem_range *memmap_find(const struct memmap *m, u64 pa);

/* True when all of [base, base + size) is of one type; size > 0. */
bool memmap_is(const struct memmap *m, u64 base, u64 size, u32 type);

/* True when any byte of [base, base + size) is RAM, taken or not. */
bool memmap_has_ram(const struct memmap *m, u64 base, u64 size);

/*
 * Iterates over MEM_RAM in ascending order as whole 4K pages: start with
 * *it = 0; false at the end.  Page 0 is handed out like any other.
 */
bool memmap_next_ram(const struct memmap *m, unsigned int *it, u64 *base,
		     u64 *size);

/* First address above all RAM (taken or not), 0 without RAM. */
u64 memmap_top(const struct memmap *m);

/* Bytes of the given type. */
u64 memmap_bytes(const struct memmap *m, u32 type);

/*
 * Lowest free RAM of size bytes, align (a power of two) aligned, wholly inside
 * [min, max).  Returns its address or MEMMAP_LIMIT when there is none.
 */
u64 memmap_place(const struct memmap *m, u64 size, u64 align, u64 min,
		 u64 max);

/* "ram", "reserved", ... */
const char *mem_type_name(u32 type);

#endif
