/* SPDX-License-Identifier: MIT */
/*
 * An L1 for tests of shadow tables: memory of each kind, nested tables of each
 * paging mode in it, and a shadow of them.
 */
#ifndef TESTS_UNIT_SHADOW_BOX_H
#define TESTS_UNIT_SHADOW_BOX_H

#include "tests/unit/unit.h"

#include "core/mm/shadow.h"
#include "core/x86/regs.h"
#include "tests/unit/pt_arena.h"

/* L1's memory; the last digits of the host addresses decide the page sizes. */
#define LOW_SIZE	(4ULL << 20)		/* at 0, tables of L1 in it */
#define LOW_PA		0x100000000ULL
#define TABLES		0x10000ULL
#define HUGE		SIZE_1G			/* 1G of address space, untouched */
#define HUGE_PA		0x200000000ULL
#define ODD		0x80000000ULL		/* RAM in 4K pages only */
#define ODD_SIZE	(4ULL << 20)
#define ODD_PA		0x300001000ULL
#define ROM		0xfff00000ULL
#define ROM_SIZE	0x10000ULL
#define ROM_PA		0x400000000ULL
#define DEVICE		0xfee00000ULL
#define NOTHING		0xd0000000ULL

struct l1_mode {
	const char *name;
	const struct pt_format *format;
	u64 cr4, efer;
};

static const struct l1_mode l1_modes[] = {
	{ "4-level", &pt_format_4level, CR4_PAE, EFER_LMA | EFER_NXE },
	{ "5-level", &pt_format_5level, CR4_PAE | CR4_LA57, EFER_LMA | EFER_NXE },
	{ "PAE", &pt_format_pae, CR4_PAE, EFER_NXE },
	{ "32-bit", &pt_format_32bit, CR4_PSE, 0 },
};

#define MODE_4LEVEL	(&l1_modes[0])
#define MODE_PAE	(&l1_modes[2])
#define MODE_32BIT	(&l1_modes[3])

struct shadow_box {
	struct pt_arena arena;		/* L0's pages */
	struct gmem mem;
	u8 *low, *odd, *rom;
	const struct l1_mode *mode;
	u64 next_table;			/* of L1 */
	struct pt l1;
	struct shadow_config cfg;
	struct shadow s;
	struct shadow_fault f;
};

/* L1's own allocator of table pages. */
static inline u64 l1_alloc(void *ctx)
{
	struct shadow_box *b = ctx;

	assert_true(b->next_table < LOW_SIZE / 2);
	b->next_table += PAGE_SIZE;
	return b->next_table - PAGE_SIZE;
}

static inline void l1_free(void *ctx, u64 pa)
{
}

static inline void *l1_virt(void *ctx, u64 pa)
{
	struct shadow_box *b = ctx;

	assert_true(pa < LOW_SIZE);
	return b->low + pa;
}

static inline struct shadow_key box_key(const struct shadow_box *b, u64 root, u32 asid)
{
	return shadow_key(root, b->mode->cr4, b->mode->efer, asid);
}

static inline void box_memory(struct shadow_box *b)
{
	b->low = aligned_alloc(PAGE_SIZE, LOW_SIZE);
	b->odd = aligned_alloc(PAGE_SIZE, ODD_SIZE);
	b->rom = aligned_alloc(PAGE_SIZE, ROM_SIZE);
	assert_true(b->low && b->odd && b->rom);
	memset(b->low, 0, LOW_SIZE);
	memset(b->odd, 0, ODD_SIZE);
	memset(b->rom, 0, ROM_SIZE);
	gmem_init(&b->mem);
	assert_int_equal(gmem_add(&b->mem, 0, LOW_SIZE, b->low, LOW_PA, 0), 0);
	/* Only mapped, never read: any address will do. */
	assert_int_equal(gmem_add(&b->mem, HUGE, SIZE_1G, b->low, HUGE_PA, 0), 0);
	assert_int_equal(gmem_add(&b->mem, ODD, ODD_SIZE, b->odd, ODD_PA, 0), 0);
	assert_int_equal(gmem_add(&b->mem, DEVICE, PAGE_SIZE, NULL, 0, GMEM_MMIO), 0);
	assert_int_equal(gmem_add(&b->mem, ROM, ROM_SIZE, b->rom, ROM_PA, GMEM_RO), 0);
}

/* Without a shadow yet. */
static inline void box_open_l1(struct shadow_box *b, const struct l1_mode *mode)
{
	struct pt_config l1 = {
		.format = mode->format, .alloc_page = l1_alloc, .free_page = l1_free,
		.to_virt = l1_virt, .ctx = b, .pat = PT_PAT_RESET, .nx = true,
	};

	memset(b, 0, sizeof(*b));
	arena_open(&b->arena);
	box_memory(b);
	b->mode = mode;
	b->next_table = TABLES;
	assert_int_equal(pt_init(&b->l1, &l1), 0);
	b->cfg = (struct shadow_config){
		.pt = arena_config(&b->arena, &pt_format_npt), .mem = &b->mem,
		.page_max = SIZE_1G, .max_records = 8192, .max_tables = 512,
		.maxphyaddr = 40, .page1g = true, .amd = true,
	};
}

static inline void box_open(struct shadow_box *b, const struct l1_mode *mode)
{
	struct shadow_key key;

	box_open_l1(b, mode);
	assert_int_equal(shadow_init(&b->s, &b->cfg), 0);
	key = box_key(b, b->l1.root, 1);
	shadow_bind(&b->s, &key);
}

static inline void box_close_l1(struct shadow_box *b)
{
	assert_int_equal(b->arena.n_free, ARENA_PAGES);
	arena_close(&b->arena);
	free(b->low);
	free(b->odd);
	free(b->rom);
}

static inline void box_close(struct shadow_box *b)
{
	shadow_fini(&b->s);
	box_close_l1(b);
}

static inline void l1_map(struct shadow_box *b, u64 l2, u64 l1, u64 size, u32 prot)
{
	assert_int_equal(pt_map(&b->l1, l2, l1, size, prot, size), 0);
}

/* Entries of L1's tables. */
static inline u64 l1_get(struct shadow_box *b, u64 l2, unsigned int level)
{
	void *p = pt_entry(&b->l1, l2, level);

	assert_non_null(p);
	return b->mode->format->entry_size == 4 ? *(u32 *)p : *(u64 *)p;
}

static inline void l1_set(struct shadow_box *b, u64 l2, unsigned int level, u64 e)
{
	void *p = pt_entry(&b->l1, l2, level);

	assert_non_null(p);
	memcpy(p, &e, b->mode->format->entry_size);
}

static inline enum shadow_result fill(struct shadow_box *b, u64 l2, u32 access)
{
	return shadow_fill(&b->s, l2, access, &b->f);
}

static inline bool mapped(struct shadow_box *b, u64 l2)
{
	struct pt_mapping m;

	return !pt_query(&b->s.pt, l2, &m);
}

#define PROT_MASK	(PT_RWX | PT_U)

static inline void expect_mapping(struct shadow_box *b, u64 l2, u64 pa, u64 size, u32 prot)
{
	struct pt_mapping m;

	assert_int_equal(pt_query(&b->s.pt, l2, &m), 0);
	assert_int_equal(m.pa, pa);
	assert_int_equal(m.size, size);
	assert_int_equal(m.prot & PROT_MASK, prot | PT_U);
	assert_int_equal(PT_PROT_MT(m.prot), MT_WB);
}

#endif
