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
#define PLAN_MMAP_MAX		256
#define PLAN_RSDP_SIZE		36
#define PLAN_LIMIT_4G		(1ULL << 32)

struct load_segment {
	u64 gpa;
	u64 size;		/* bytes in memory, not 0 */
	const void *data;	/* of them, the first file_size come from here */
	u64 file_size;
	bool rest_kept;		/* what follows them is taken, but not zeroed */
};

struct load_plan {
	const struct load_image *img;
	const struct gmem *mem;	/* for what already lies there: the RSDP */
	const struct diag *d;
	/* Sorted by nothing, disjoint: the file's, the modules, the info. */
	struct load_segment seg[PLAN_SEGMENTS_MAX + PLAN_MODULES_MAX + 1];
	u32 n_segs;
	u32 first_module;	/* index in seg of the image's first module */
	/* Segments get their place later (plan_settle): they need not be RAM yet. */
	bool floating;
	u64 info;		/* where the boot information goes */
	u64 entry;
	u64 end;		/* behind the highest segment */
	/* Of one format. */
	bool relocatable;	/* multiboot 2: the header has the tag */
	u64 load_base;		/* multiboot 2: lowest address of a relocatable image */
	u8 rsdp[PLAN_RSDP_SIZE];	/* multiboot 2: copy of the guest's */
	bool enter_long;	/* Linux: the 64-bit entry */
	u64 initrd;		/* Linux: its address, 0 without one */
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

/* Where something may go; as in the relocatable tag (multiboot 2, 3.1.13). */
struct plan_window {
	u64 min, max;		/* max: behind the last byte */
	u64 align;		/* a power of two */
	enum { PLAN_ANYWHERE, PLAN_LOWEST, PLAN_HIGHEST } preference;
};

/*
 * Finds free RAM for size bytes in the window: the highest place, or else the
 * lowest.  Returns its address, or 0 when there is no room; address 0 itself
 * is never used.  plan_place also adds it, with bytes that come from data
 * (NULL: zeros).
 */
u64 plan_find(const struct load_plan *p, const struct plan_window *w, u64 size);
u64 plan_place(struct load_plan *p, const struct plan_window *w, u64 size, const void *data);

/*
 * Moves all segments of a floating plan, and the entry if it lies in them, by
 * the same distance so that they are RAM inside the window; PLAN_ANYWHERE
 * leaves them alone where that holds already.  Returns their lowest address,
 * or 0: no room.
 */
u64 plan_settle(struct load_plan *p, const struct plan_window *w);

/* Is gpa inside bytes that come from the file? */
bool plan_has_code(const struct load_plan *p, u64 gpa);

/* "nothing to load", or an entry that is not loaded. */
int __must_check plan_check_entry(const struct load_plan *p);

/* Is [gpa, gpa + size) all RAM, below 4 GiB? */
bool plan_in_ram(const struct load_image *img, u64 gpa, u64 size);

/* Writes all segments. */
int __must_check plan_write(const struct load_plan *p, struct gmem *mem);

/* Fills in the segments of an ELF32 or ELF64 file and p->entry. */
int __must_check plan_elf(struct load_plan *p);

/* The address fields of a multiboot header, version 1 or 2. */
struct mb_addresses {
	u32 header, load, load_end, bss_end;
};

/* The one segment that they describe; at: offset of the header in the file. */
int __must_check plan_addresses(struct load_plan *p, u64 at, const struct mb_addresses *a);

/* What both versions of multiboot tell a kernel: load_info.c. */

/* The initrd and the modules, in this order. */
u32 mb_modules(const struct load_image *img);
const struct load_module *mb_module(const struct load_image *img, u32 i);

/* Places the modules, each on a page, and size bytes of information. */
int __must_check mb_plan_modules(struct load_plan *p);
int __must_check mb_plan_info(struct load_plan *p, u64 size);

/* KiB of RAM from 0 and from 1 MiB on, without a gap (0.6.96, 3.3). */
u32 mb_mem_lower(const struct load_image *img);
u32 mb_mem_upper(const struct load_image *img);
/* A range's type as E820 numbers it. */
u32 mb_mem_type(u32 type);

extern const char mb_loader_name[];

/* Any will do: the kernel must load a GDT of its own before it uses one. */
#define MB_CODE_SELECTOR	8
#define MB_DATA_SELECTOR	16

/*
 * Writes the parts of the information one behind the other.  With mem NULL it
 * only counts: the same code tells how large they are.
 */
struct info_writer {
	struct gmem *mem;
	u64 at;
	int err;
};

/* Both return where the first byte went. */
u32 info_put(struct info_writer *w, const void *data, u64 size);
u32 info_put_string(struct info_writer *w, const char *s);

/*
 * The multiboot 1 header in the first 8 KiB (0.6.96, 3.1.1): its offset, or
 * -ENOENT.
 */
s64 mb1_find_header(const u8 *data, u64 size);
/* Do the header's address fields count (flags bit 16)?  at: its offset. */
bool mb1_has_addresses(const u8 *data, u64 at);
/* Multiboot 2, 3.1.1: in the first 32 KiB, 8-byte aligned. */
s64 mb2_find_header(const u8 *data, u64 size);

/*
 * Of each format: checks the file and plans everything; after plan_write,
 * writes what is no copy; tells the vCPU's state.
 */
int __must_check mb1_plan(struct load_plan *p);
int __must_check mb1_write(const struct load_plan *p, struct gmem *mem);
void mb1_enter(const struct load_plan *p, struct load_entry *e);

int __must_check mb2_plan(struct load_plan *p);
int __must_check mb2_write(const struct load_plan *p, struct gmem *mem);
void mb2_enter(const struct load_plan *p, struct load_entry *e);

int __must_check linux_plan(struct load_plan *p);
int __must_check linux_write(const struct load_plan *p, struct gmem *mem);
void linux_enter(const struct load_plan *p, struct load_entry *e);

#endif
