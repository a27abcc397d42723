/* SPDX-License-Identifier: MIT */
/* A small guest memory and kernels made by hand for the loader's tests. */
#ifndef TESTS_UNIT_LOAD_BUILD_H
#define TESTS_UNIT_LOAD_BUILD_H

#include <stdlib.h>
#include <string.h>

#include "core/lib/physview.h"
#include "core/load/load.h"
#include "core/load/load_plan.h"

#define GUEST_LOW	0xa0000u
#define GUEST_HIGH	0x100000u
#define GUEST_TOP	0x200000u

/* 640 KiB, a hole, and 1 MiB at 1 MiB. */
struct load_guest {
	struct gmem mem;
	u8 *ram;		/* GUEST_TOP bytes */
	struct mem_range map[3];
	struct load_image img;
};

static inline void guest_init(struct load_guest *g)
{
	memset(g, 0, sizeof(*g));
	g->ram = aligned_alloc(PAGE_SIZE, GUEST_TOP);
	memset(g->ram, 0xcc, GUEST_TOP);
	gmem_init(&g->mem);
	if (gmem_add(&g->mem, 0, GUEST_LOW, g->ram, 0x10000000, 0) ||
	    gmem_add(&g->mem, GUEST_HIGH, GUEST_TOP - GUEST_HIGH, g->ram + GUEST_HIGH,
		     0x20000000, 0))
		abort();
	g->map[0] = (struct mem_range){ 0, GUEST_LOW, MEM_RAM };
	g->map[1] = (struct mem_range){ 0xf0000, 0x10000, MEM_RESERVED };
	g->map[2] = (struct mem_range){ GUEST_HIGH, GUEST_TOP - GUEST_HIGH, MEM_RAM };
	g->img.name = "kut";
	g->img.cmdline = "a b";
	g->img.map = g->map;
	g->img.n_map = 3;
}

static inline void guest_free(struct load_guest *g)
{
	free(g->ram);
}

static inline void put_le(u8 *p, u32 n, u64 v)
{
	for (; n--; v >>= 8)
		*p++ = (u8)v;
}

static inline void put_mb1_header(u8 *p, u32 flags)
{
	put_le(p, 4, 0x1badb002);
	put_le(p + 4, 4, flags);
	put_le(p + 8, 4, 0u - 0x1badb002 - flags);
}

struct elf_seg {
	u32 type;
	u64 offset, vaddr, paddr, filesz, memsz;
};

/* An ELF header with program headers behind it; returns where they end. */
static inline u64 put_elf(u8 *f, bool is64, u64 entry, const struct elf_seg *seg, u32 n)
{
	u64 at = is64 ? 64 : 52;
	u32 w = is64 ? 8 : 4, size = is64 ? 56 : 32;

	memcpy(f, "\x7f" "ELF", 4);
	f[4] = is64 ? 2 : 1;
	f[5] = 1;
	f[6] = 1;
	put_le(f + 16, 2, 2);
	put_le(f + 18, 2, is64 ? 62 : 3);
	put_le(f + 20, 4, 1);
	put_le(f + 24, w, entry);
	put_le(f + (is64 ? 32 : 28), w, at);
	put_le(f + (is64 ? 54 : 42), 2, size);
	put_le(f + (is64 ? 56 : 44), 2, n);
	for (; n--; seg++, at += size) {
		u8 *p = f + at;

		put_le(p, 4, seg->type);
		put_le(p + (is64 ? 8 : 4), w, seg->offset);
		put_le(p + (is64 ? 16 : 8), w, seg->vaddr);
		put_le(p + (is64 ? 24 : 12), w, seg->paddr);
		put_le(p + (is64 ? 32 : 16), w, seg->filesz);
		put_le(p + (is64 ? 40 : 20), w, seg->memsz);
	}
	return at;
}

/*
 * The header of a relocatable 64-bit kernel of boot protocol 2.15 that wants
 * 0x30000 bytes at 0x120000.  sects: of setup code, without the boot sector.
 */
static inline void put_bzimage(u8 *f, u8 sects, u32 code_size)
{
	f[0x1f1] = sects;
	put_le(f + 0x1f4, 4, code_size / 16);
	put_le(f + 0x1fe, 2, 0xaa55);
	put_le(f + 0x200, 2, 0x6aeb);		/* jmp: the header ends at 0x26c */
	memcpy(f + 0x202, "HdrS", 4);
	put_le(f + 0x206, 2, 0x20f);
	f[0x211] = 0x81;			/* LOADED_HIGH, CAN_USE_HEAP */
	put_le(f + 0x214, 4, 0x100000);
	put_le(f + 0x22c, 4, 0x7fffffff);
	put_le(f + 0x230, 4, 0x10000);
	f[0x234] = 1;
	put_le(f + 0x236, 2, 1);
	put_le(f + 0x238, 4, 0x7ff);
	put_le(f + 0x258, 8, 0x120000);
	put_le(f + 0x260, 4, 0x30000);
}

#endif
