/* SPDX-License-Identifier: MIT */
/*
 * Shadow tables: what the processor walks while a guest of a guest (L2) runs.
 * They are composed of the nested tables that the guest hypervisor (L1) wrote
 * into its own memory (APM2 15.25) and of what backs that memory (gmem).
 *
 * For L1 a shadow is a TLB (APM2 15.16): L1 may add rights without a
 * flush and must flush when it takes some away.  Many flush at every VMRUN, so
 * each shadow remembers where the entries of L1 are that its mappings came
 * from, and their values.  A flush compares these with memory; only what
 * changed is taken away.  That L1 or another CPU has set accessed or dirty
 * bits in between is no change.
 *
 * A guest cannot make this grow: the records and the table pages are limited,
 * and at a limit all mappings go and filling begins again.
 *
 * Memory types: RAM is mapped write-back like that of the VM itself
 * (core/vm/vm.c); PWT, PCD and PAT of L1's entries are ignored.  That can
 * cost an L1 that asks for UC some speed of a device, but all memory here is
 * RAM, which stays coherent.  Guest PAT still applies in L2's own tables.
 *
 * Pure.  One user at a time: each vCPU has a cache of its own.  Nothing here
 * flushes the processor's TLB, see shadow.gen.
 */
#ifndef CORE_MM_SHADOW_H
#define CORE_MM_SHADOW_H

#include "core/mm/gmem.h"
#include "core/mm/pt.h"
#include "core/mm/pt_walk.h"
#include "core/x86/regs.h"

#define SHADOW_MAX_RECORDS	16384u
/* Records in a page, see struct shadow_chunk. */
#define SHADOW_CHUNK		128u
#define SHADOW_MIN_TABLES	8u
#define SHADOW_CACHE_MAX	8u

struct shadow_config {
	/*
	 * Format of the shadow and the source of all pages: tables and records.
	 * free_page may get pages that a TLB still knows until the next flush.
	 */
	struct pt_config pt;
	const struct gmem *mem;	/* L1's memory */
	u64 page_max;		/* largest page to map: 4K, 2M or 1G */
	u32 max_records;	/* PT_MAX_LEVELS..SHADOW_MAX_RECORDS */
	u32 max_tables;		/* of one shadow; SHADOW_MIN_TABLES or more */
	/* What L1's CPUID says, as in pt_walk_env. */
	u8 maxphyaddr;
	bool page1g;
	bool amd;
};

/* Which nested tables of L1: what VMRUN found in vmcb12 and in L1's registers. */
struct shadow_key {
	u64 root;		/* nested CR3 */
	u64 cr4;		/* PAE, PSE, LA57 */
	u64 efer;		/* LMA, NXE */
	u32 asid;		/* in whose name L1 flushes */
};

/* The key for L1's registers, of which only the paging mode matters. */
static inline struct shadow_key shadow_key(u64 ncr3, u64 cr4, u64 efer, u32 asid)
{
	return (struct shadow_key){
		.root = ncr3, .cr4 = cr4 & (CR4_PSE | CR4_PAE | CR4_LA57 | CR4_SMEP),
		.efer = efer & (EFER_LMA | EFER_NXE), .asid = asid,
	};
}

/* Whether two keys differ at most in their ASIDs. */
static inline bool shadow_same_tables(const struct shadow_key *a, const struct shadow_key *b)
{
	return a->root == b->root && a->cr4 == b->cr4 && a->efer == b->efer;
}

enum shadow_result {
	SHADOW_OK,		/* translated; by shadow_fill also mapped */
	SHADOW_REFLECT,		/* L1 gets a nested page fault: error_code */
	SHADOW_MMIO,		/* no memory at l1_gpa, or no writing there */
	SHADOW_NOMEM,		/* no page even for an empty shadow */
	SHADOW_RETRY,		/* L1's tables kept changing: run L2 again */
};

/* The answer about one address of L2. */
struct shadow_fault {
	u64 l1_gpa;		/* its translation: SHADOW_OK, SHADOW_MMIO */
	u64 page_size;		/* of L1's page there */
	u32 error_code;		/* SHADOW_REFLECT: EXITINFO1[4:0], APM2 15.25.6 */
};

/* A copy of an entry of L1's tables. */
struct shadow_record {
	const void *entry;	/* 4 or 8 bytes of L1's memory */
	u64 value;		/* as it was used */
};

/* What a record is about; indices of records, SHADOW_NONE for none. */
struct shadow_place {
	u64 key;		/* first address of L2 | level */
	u16 parent;		/* the entry that points to its table */
	u16 next;		/* in its hash bucket */
	u16 moved;		/* its new index, while records are removed */
	bool leaf;		/* maps a page: no record has it as parent */
	bool vacant;		/* nothing is mapped through it, see shadow.c */
};

/* The flush reads only record[]. */
struct shadow_chunk {
	struct shadow_record record[SHADOW_CHUNK];
	struct shadow_place place[SHADOW_CHUNK];
};

struct shadow_index;

struct shadow_stats {
	u64 fills;		/* pages mapped */
	u64 syncs;		/* flushes that looked at the records */
	u64 compared;		/* records, in all syncs */
	u64 taken;		/* ranges taken away for a changed entry */
	u64 drops;		/* times that everything was dropped */
};

struct shadow {
	struct pt pt;		/* pt.root is what the processor is given */
	/*
	 * Changes whenever a mapping was taken away or replaced, and is never
	 * equal for two shadows of a cache.  Whoever enters L2 remembers the
	 * value of the last entry, and flushes the processor's TLB when it
	 * differs.  Flushes that L1 asks for must reach the processor anyhow:
	 * they are also about L2's own tables, of which a shadow knows nothing.
	 */
	u64 gen;
	struct shadow_key key;
	struct shadow_stats stats;
	struct shadow_config cfg;
	struct pt_walk_env l1;
	const struct pt_format *l1_format;
	struct shadow_index *index;
	u64 index_pa;
	u32 n;			/* records */
	u32 vacant;		/* of them, for leaves that were taken away */
	u32 chunks;		/* pages of records allocated */
	u16 last[PT_MAX_LEVELS];	/* records used last, by level: a hint */
	struct shadow_record step[PT_MAX_LEVELS];	/* of the walk */
	u32 steps;
	bool stale;		/* of a cache: flushed, but not compared yet */
	u64 used;		/* of a cache: when it was found last */
};

/*
 * Makes an empty shadow that belongs to no tables: shadow_bind comes next.
 * Returns 0, -ENOMEM, or -EINVAL for a limit or page size out of range.
 */
int __must_check shadow_init(struct shadow *s, const struct shadow_config *cfg);

/* Gives all pages back. */
void shadow_fini(struct shadow *s);

/* Binds it to other tables of L1, and drops what it has if they are others. */
void shadow_bind(struct shadow *s, const struct shadow_key *key);

/* Takes all mappings away; pt.root stays. */
void shadow_drop(struct shadow *s);

/*
 * What L1's flush does: takes away what no longer agrees with L1's tables.
 * True when something was taken away (and gen has changed).  Costs about five
 * instructions for each record, some dozens more for each page that L1 has
 * changed, and about a hundred for each record when L1 has changed a table.
 */
bool shadow_sync(struct shadow *s);

/*
 * Answers a nested page fault of L2: walks L1's tables for the access
 * (PTA_READ, PTA_WRITE, PTA_EXEC), as a user access (APM2 15.25.5), sets their
 * accessed and dirty bits as a processor does, and maps the smaller of the
 * pages of L1 and of what backs it, with the rights that both allow; a page
 * is writable only after the dirty bit of L1's entry has been set.  Tables
 * of L1 outside its memory read all ones, in its ROM they get no A and D bits.
 * L2 addresses that the shadow's format does not have are not present.
 */
enum shadow_result shadow_fill(struct shadow *s, u64 l2_gpa, u32 access,
			       struct shadow_fault *f);

/*
 * The same translation without a mapping, for the emulation of L2's
 * instructions and the walking of L2's own tables.  SHADOW_OK says nothing
 * about what is at l1_gpa.
 */
enum shadow_result shadow_translate(struct shadow *s, u64 l2_gpa, u32 access,
				    struct shadow_fault *f);

/* Shadows of the tables that L1 used last. */
struct shadow_cache {
	struct shadow shadow[SHADOW_CACHE_MAX];
	struct shadow_config cfg;
	u32 n;			/* at most so many */
	u32 made;		/* initialised so far */
	u64 clock;
	struct shadow *last;	/* found last; NULL: none yet */
};

/* An empty cache of n (1..SHADOW_CACHE_MAX) shadows.  0 or -EINVAL. */
int __must_check shadow_cache_init(struct shadow_cache *c,
				   const struct shadow_config *cfg, u32 n);
void shadow_cache_fini(struct shadow_cache *c);

/*
 * At VMRUN: the shadow for these tables, in agreement with them if L1 has
 * asked for a flush since or names another ASID than last time (a new ASID
 * has no old translations).  Else an empty one, in place of the one that was
 * not used for longest.  NULL without memory.
 */
struct shadow *shadow_cache_find_slow(struct shadow_cache *c,
				      const struct shadow_key *key);

static inline struct shadow *shadow_cache_find(struct shadow_cache *c,
					       const struct shadow_key *key)
{
	struct shadow *s = c->last;

	/* Nearly always the one of last time, and nothing was flushed. */
	if (likely(s && !s->stale && s->key.asid == key->asid &&
		   shadow_same_tables(&s->key, key)))
		return s;
	return shadow_cache_find_slow(c, key);
}

/*
 * L1 flushes an ASID (TLB_CONTROL 3 and 7, INVLPGA), or all (TLB_CONTROL 1).
 * The work is done when a shadow is found again: before running L2 on one that
 * was found earlier, find it again.
 */
void shadow_cache_flush_asid(struct shadow_cache *c, u32 asid);
void shadow_cache_flush_all(struct shadow_cache *c);

/*
 * Takes all mappings of all shadows away: whenever L1's memory is replaced or
 * any of its slots changes, since records point into it.
 */
void shadow_cache_drop_all(struct shadow_cache *c);

#endif
