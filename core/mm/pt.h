/* SPDX-License-Identifier: MIT */
/*
 * Page tables of every format, built and changed by one table-driven engine:
 * 32-bit, PAE, 4-level, 5-level (APM2 5.2-5.3, SDM3 4.3-4.5), NPT
 * (APM2 15.25) and EPT (SDM3 29.3.2).  What a processor makes of tables that
 * somebody else wrote is in pt_walk.h.
 *
 * Nothing here flushes a TLB.  The caller does, and before that table pages
 * given to free_page may still be in use by a processor: free_page can
 * collect them until the flush.  One writer at a time.
 */
#ifndef CORE_MM_PT_H
#define CORE_MM_PT_H

#include "core/lib/base.h"

#define PT_MAX_LEVELS	5

/* Bits of an entry in all formats but EPT (APM2 5.4.1, SDM3 4.5.4). */
#define PTE_P		BIT(0)
#define PTE_W		BIT(1)
#define PTE_U		BIT(2)
#define PTE_PWT		BIT(3)
#define PTE_PCD		BIT(4)
#define PTE_A		BIT(5)
#define PTE_D		BIT(6)
#define PTE_PS		BIT(7)		/* in a directory: large page */
#define PTE_PAT		BIT(7)		/* in a 4K entry */
#define PTE_G		BIT(8)
#define PTE_PAT_LARGE	BIT(12)
#define PTE_NX		BIT(63)
#define PTE_ADDR	BITS(51, 12)

/* SDM3 29.3.2, tables 29-1 to 29-7. */
#define EPT_R		BIT(0)
#define EPT_W		BIT(1)
#define EPT_X		BIT(2)
#define EPT_MT_SHIFT	3
#define EPT_MT		BITS(5, 3)
#define EPT_IPAT	BIT(6)
#define EPT_PS		BIT(7)
#define EPT_A		BIT(8)
#define EPT_D		BIT(9)
#define EPT_XU		BIT(10)		/* user execute, mode-based control */

/*
 * Neutral protection of a mapping.  Formats ignore what they cannot say: no
 * PT_G in NPT and EPT, no PT_U in EPT, always executable in 32-bit tables and
 * where pt_config.nx is false.
 */
#define PT_R		0x01u
#define PT_W		0x02u
#define PT_X		0x04u
#define PT_U		0x08u
#define PT_G		0x10u
#define PT_IPAT		0x20u	/* EPT: the guest's PAT has no say */
#define PT_RW		(PT_R | PT_W)
#define PT_RX		(PT_R | PT_X)
#define PT_RWX		(PT_R | PT_W | PT_X)

/*
 * Memory types by the numbers of PAT, MTRR and EPT (SDM3 12.12.2).  No type
 * named means write-back.
 */
enum { MT_UC = 0, MT_WC = 1, MT_WT = 4, MT_WP = 5, MT_WB = 6, MT_UCM = 7 };
#define PT_MT_GIVEN	0x800u
#define PT_MT(t)	(PT_MT_GIVEN | (u32)(t) << 8)
#define PT_MT_MASK	0xf00u
#define PT_UC		PT_MT(MT_UC)
/* The type that a prot names. */
#define PT_PROT_MT(prot) \
	((prot) & PT_MT_GIVEN ? ((prot) >> 8 & 7) : (u32)MT_WB)

/* One level of a format; level 1 holds 4K pages. */
struct pt_level {
	u8 shift;		/* lowest address bit that it decodes */
	u8 bits;		/* number of address bits */
	bool leaf;		/* an entry may map a page */
	u64 table;		/* bits of an entry that points to a table */
};

struct pt_format {
	const char *name;
	u8 levels;
	u8 entry_size;		/* 4 or 8 bytes */
	u8 va_bits;
	bool canonical;		/* addresses are sign-extended to 64 bits */
	/* Any of these bits makes an entry present. */
	u64 present;
	/* Masks of one bit each, 0 where the format has no such bit. */
	u64 read;		/* EPT only: elsewhere present is readable */
	u64 write;
	u64 user;
	u64 exec;		/* EPT: set to allow */
	u64 nx;			/* others: set to forbid */
	u64 accessed;
	u64 dirty;
	u64 large;
	u64 global;
	u64 addr;		/* address bits of an entry */
	u8 pa_bits;		/* physical addresses that the mapper accepts */
	bool always_user;	/* NPT: every access is a user access */
	bool ept;
	struct pt_level level[PT_MAX_LEVELS];	/* [0] is level 1 */
};

extern const struct pt_format pt_format_32bit;
extern const struct pt_format pt_format_pae;
extern const struct pt_format pt_format_4level;
extern const struct pt_format pt_format_5level;
extern const struct pt_format pt_format_npt;
extern const struct pt_format pt_format_ept;

/* Bytes that one entry of the given level (1..) covers. */
static inline u64 pt_level_size(const struct pt_format *f, unsigned int level)
{
	return 1ULL << f->level[level - 1].shift;
}

/* The value of IA32_PAT after reset (SDM3 12.12.4, APM2 7.8.2). */
#define PT_PAT_RESET	0x0007040600070406ULL

struct pt_config {
	const struct pt_format *format;
	/* A page for a table: any content, 4K aligned; 0 = none left. */
	u64 (*alloc_page)(void *ctx);
	void (*free_page)(void *ctx, u64 pa);
	/* Where the CPU reaches a table page. */
	void *(*to_virt)(void *ctx, u64 pa);
	void *ctx;
	u64 pat;		/* IA32_PAT in force; unused for EPT */
	bool nx;		/* EFER.NXE in force; unused for EPT */
	/* EPT: A/D flags enabled are the EPTP's business, not an entry's. */
};

struct pt {
	struct pt_config cfg;
	u64 root;		/* physical address of the top table */
	u64 tables;		/* table pages in use, root included */
};

/* What one address maps to. */
struct pt_mapping {
	u64 pa;			/* of the address asked for */
	u64 size;		/* of its page */
	u64 entry;		/* raw */
	u32 prot;		/* PT_*, upper levels included, with PT_MT */
	u8 level;		/* level of the entry */
	bool accessed;
	bool dirty;
};

/* Makes an empty top table.  Returns 0, -ENOMEM, -EINVAL without a format. */
int __must_check pt_init(struct pt *pt, const struct pt_config *cfg);

/*
 * Gives back all table pages; pt can be initialised again.  Entries that were
 * broken through pt_entry must be restored first.
 */
void pt_free(struct pt *pt);

/*
 * Maps [va, va + size) to [pa, pa + size), replacing what was there, with the
 * largest pages of at most page_max bytes that the format, both addresses and
 * the size allow; large pages that are only partly covered are split.  All
 * multiples of 4K, size > 0.  Accessed and dirty start clear.
 * Returns 0, -EINVAL (alignment, protection that the format cannot say such
 * as writable but not readable in EPT), -ERANGE (not an address of the
 * format, or pa too large for it), -ENOMEM (a part may be mapped).
 */
int __must_check pt_map(struct pt *pt, u64 va, u64 pa, u64 size, u32 prot,
			u64 page_max);

/*
 * pt_map of one page, whose size is one of the format's, on one way down: for
 * page faults.  *replaced tells whether something was mapped there.
 */
int __must_check pt_map_page(struct pt *pt, u64 va, u64 pa, u64 size, u32 prot,
			     bool *replaced);

/*
 * Takes mappings away; what is not mapped is skipped.  -ENOMEM can come from
 * splitting a large page, other errors as pt_map.
 */
int __must_check pt_unmap(struct pt *pt, u64 va, u64 size);

/* Takes all mappings away; of the tables only the top one is left. */
void pt_clear(struct pt *pt);

/* Changes the protection of what is mapped, keeps accessed and dirty. */
int __must_check pt_protect(struct pt *pt, u64 va, u64 size, u32 prot);

/* Clears accessed and dirty of every page that overlaps the range. */
int __must_check pt_clear_ad(struct pt *pt, u64 va, u64 size);

/*
 * Looks one address up.  Returns 0, -ENOENT or -ERANGE.  With -ENOENT size and
 * level are those of the missing entry: nothing in its block is mapped, and
 * that is how to step over a hole.
 */
int __must_check pt_query(const struct pt *pt, u64 va, struct pt_mapping *out);

/*
 * The entry for va at a level, as the hardware finds it: for tests that break
 * an entry by hand.  4 or 8 bytes; NULL when the tables do not reach there.
 */
void *pt_entry(const struct pt *pt, u64 va, unsigned int level);

/*
 * Makes the tables for va down to level, splitting large pages on the way, and
 * returns the entry there as pt_entry.  NULL without memory.
 */
void *pt_make_entry(struct pt *pt, u64 va, unsigned int level);

#endif
