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
	LOAD_MB2,		/* multiboot 2, either way */
	LOAD_BZIMAGE,		/* Linux, boot protocol 2.10 or later */
};

/*
 * What the first instruction finds.  In both modes:
 *
 *   CS		selector e->cs, base 0, limit 0xffffffff, ring 0, present,
 *		execute/read, accessed; D and L as below
 *   DS ES SS FS GS
 *		selector e->ds, base 0, limit 0xffffffff, ring 0, present,
 *		read/write, accessed, D/B = 1, G = 1
 *   GDTR	base e->gdt_base, limit e->gdt_limit (0, 0: none in memory)
 *   IDTR	base 0, limit 0
 *   LDTR	unusable; TR: selector 0, a busy TSS of the mode with limit 0xffff
 *   RIP	e->rip; RFLAGS 2: IF = 0
 *   RAX RBX RSI
 *		e->eax, e->ebx, e->rsi; all other general registers 0
 *   CR2, CR8 0, DR6, DR7 as after reset; A20 on
 *
 * Multiboot 0.6.96, 3.2; multiboot 2, 3.3; Linux boot.rst, "32-bit Boot
 * Protocol" and "64-bit Boot Protocol".
 */
enum load_mode {
	/* CR0 = PE | ET | NE, CR3 = CR4 = EFER = 0; CS: D = 1, L = 0. */
	LOAD_MODE_PROT32,
	/*
	 * CR0 = PE | ET | NE | PG, CR3 = e->cr3, CR4 = PAE, EFER = LME | LMA;
	 * CS: D = 0, L = 1, G = 1.  4-level tables, 4 GiB one to one.
	 */
	LOAD_MODE_LONG64,
};

struct load_module {
	const void *data;
	u64 size;
	const char *cmdline;
};

struct load_image {
	const char *name;	/* for messages; multiboot 1: first word of the command line */
	const void *data;
	u64 size;
	const char *cmdline;	/* the rest of it, may be "" */
	/*
	 * Linux's initial RAM disk, or NULL.  For a multiboot kernel it is the
	 * first module.
	 */
	const struct load_module *initrd;
	/* Multiboot only: refused for Linux. */
	const struct load_module *modules;
	u32 n_modules;
	/*
	 * The guest's memory map, sorted, disjoint.  Only MEM_RAM is written;
	 * the guest is told all of it.
	 */
	const struct mem_range *map;
	u32 n_map;
	/* Where an RSDP of ACPI 2.0 or later (36 bytes) lies in the guest; 0: nowhere. */
	u64 rsdp;
};

struct load_entry {
	enum load_format format;
	enum load_mode mode;
	u64 rip;
	u32 eax, ebx;
	u64 rsi;
	u16 cs, ds;		/* selectors */
	u64 cr3;		/* LOAD_MODE_LONG64, else 0 */
	u64 gdt_base;
	u16 gdt_limit;
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
 * -EOPNOTSUPP (wants what cannot be given), -E2BIG (command line), -ENOSPC
 * (does not fit).  All checks come before the first byte is written; only
 * when map and mem disagree may the guest's memory be half written.
 */
int __must_check load_guest(const struct load_image *img, struct gmem *mem,
			    struct load_entry *e, const struct diag *d);

#endif
