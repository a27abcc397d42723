/* SPDX-License-Identifier: MIT */
/*
 * Puts a guest's kernel into its memory.  The format is recognised by
 * content; whatever cannot be loaded is refused with the reason.  Pure: reads
 * the file's bytes, writes through core/mm/gmem.h.
 */
#ifndef CORE_LOAD_LOAD_H
#define CORE_LOAD_LOAD_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/mm/gmem.h"
#include "core/mm/memmap.h"

enum load_format {
	LOAD_UNKNOWN,
	LOAD_MB1_ELF32,		/* multiboot 1, segments from the ELF header */
	LOAD_MB1_ELF64,
	LOAD_MB1_AOUT,		/* multiboot 1, addresses in its header */
	LOAD_MB2,		/* recognised only */
	LOAD_BZIMAGE,		/* recognised only */
};

/* What the first instruction finds. */
enum load_mode {
	/* Multiboot 0.6.96, 3.2: flat 4 GiB segments, paging off, IF = 0. */
	LOAD_MODE_PROT32,
};

struct load_module {
	const void *data;
	u64 size;
	const char *cmdline;
};

struct load_image {
	const char *name;	/* for messages; first word of the command line */
	const void *data;
	u64 size;
	const char *cmdline;	/* the rest of it, may be "" */
	const struct load_module *modules;
	u32 n_modules;
	/* The guest's memory map, sorted, disjoint; MEM_RAM is used. */
	const struct mem_range *map;
	u32 n_map;
};

struct load_entry {
	enum load_format format;
	enum load_mode mode;
	u64 rip;
	u32 eax, ebx;
	u64 end;		/* behind all that was loaded or built */
};

/* What the bytes are; says why not through d when LOAD_UNKNOWN. */
enum load_format load_recognise(const char *name, const void *data, u64 size,
				const struct diag *d);

/* "multiboot 1 ELF32", ... */
const char *load_format_name(enum load_format format);

/*
 * Loads img into mem, which is zeroed RAM, and fills e.  Returns 0, or after
 * a message to d that names img and the reason: -EINVAL (damaged file),
 * -EOPNOTSUPP (a format that cannot be loaded), -ENOSPC (does not fit).  The
 * guest's memory may then be half written.
 */
int __must_check load_guest(const struct load_image *img, struct gmem *mem,
			    struct load_entry *e, const struct diag *d);

#endif
