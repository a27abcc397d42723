/* SPDX-License-Identifier: MIT */
/*
 * What a format's reader finds out before anything is written: all checks
 * are done on the plan, so a refused file leaves the guest's memory alone.
 * Shared by the files of core/load only.
 */
#ifndef CORE_LOAD_LOAD_PLAN_H
#define CORE_LOAD_LOAD_PLAN_H

#include "core/load/load.h"

#define PLAN_SEGMENTS_MAX	16
#define PLAN_MODULES_MAX	16

struct load_segment {
	u64 gpa;
	u64 size;		/* bytes in memory, not 0 */
	const void *data;	/* of them, the first file_size come from here */
	u64 file_size;
};

struct load_plan {
	const struct load_image *img;
	const struct diag *d;
	/* Sorted by nothing, disjoint: the file's, the modules, the info. */
	struct load_segment seg[PLAN_SEGMENTS_MAX + PLAN_MODULES_MAX + 1];
	u32 n_segs;
	u32 first_module;	/* index in seg of the image's first module */
	u64 info;		/* where the boot information goes */
	u64 entry;
	u64 end;		/* behind the highest segment */
};

/* "guest NAME: refused: ..." to the diag; returns err. */
int plan_refuse(const struct load_plan *p, int err, const char *fmt, ...) __printf(3, 4);

/*
 * Adds what must lie at gpa: file_size bytes of the image from file_offset
 * on, then zeros up to mem_size.  Refuses bytes outside the file, addresses
 * outside RAM or from 4 GiB on, and overlap.  mem_size 0 adds nothing.
 */
int __must_check plan_add_segment(struct load_plan *p, u64 gpa, u64 mem_size, u64 file_offset,
				  u64 file_size);

/*
 * Finds free RAM in [min, max) for size bytes that come from data (NULL:
 * zeros) and adds it.  align: a power of two.  Returns the address, or 0 when
 * there is no room.
 */
u64 plan_place(struct load_plan *p, u64 size, u64 align, u64 min, u64 max, const void *data);

/* Is gpa inside bytes that come from the file? */
bool plan_has_code(const struct load_plan *p, u64 gpa);

/* Fills in the segments of an ELF32 or ELF64 file and p->entry. */
int __must_check plan_elf(struct load_plan *p);

/*
 * The multiboot 1 header in the first 8 KiB (0.6.96, 3.1.1): its offset, or
 * -ENOENT.
 */
s64 mb1_find_header(const u8 *data, u64 size);

/* Do the header's address fields count (flags bit 16)?  at: its offset. */
bool mb1_has_addresses(const u8 *data, u64 at);

/* Checks the header's flags and fills in segments and entry. */
int __must_check plan_mb1(struct load_plan *p);

/* Plans modules and the boot information; after the file's segments. */
int __must_check mb1_plan_info(struct load_plan *p);

/* Writes the boot information to p->info; after the segments are written. */
int __must_check mb1_write_info(const struct load_plan *p, struct gmem *mem);

#endif
