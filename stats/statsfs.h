/* SPDX-License-Identifier: MIT */
/*
 * statsfs: a tree of statistics.  A *source* is a directory: it has a name,
 * groups of values, and subordinate sources.  A group is an array of value
 * descriptors with a base address (*simple values*: read at base + offset) or
 * without (*aggregates*: sum, minimum ... over the source and all below it that
 * have a group with the same array and a base).  docs/stats.md has the rules.
 *
 * Concurrency.  Counters are written by their owners without any lock.
 * Readers take no lock either: they announce themselves in an epoch, and what
 * takes memory away (remove, revoke, retire) waits until the readers that may
 * still see it are gone.  Everything that changes the tree, and clear, is
 * serialized by one spin lock.  Changes must not be made from a value's
 * callbacks, nor from an interrupt handler; reading from one is allowed.
 *
 * Pure: memory comes from callbacks.  Functions that take a struct stats_fs or
 * a source accept NULL, which means "no statistics": they answer -ENODEV.
 */
#ifndef STATS_STATSFS_H
#define STATS_STATSFS_H

#include "core/lib/base.h"
#include "core/lib/spinlock.h"

#define STATS_FS_NAME_MAX	100	/* bytes of a source's or value's name */
#define STATS_FS_DEPTH_MAX	32	/* levels below the root */
#define STATS_FS_BUCKETS_MAX	64	/* of a histogram */

enum stats_fs_aggr {
	STATS_FS_NONE,			/* as an aggregate: 0 */
	STATS_FS_SUM,			/* wraps at 64 bits */
	STATS_FS_MIN,
	STATS_FS_MAX,
	STATS_FS_COUNT_ZERO,		/* members that are 0 */
	STATS_FS_AVG,			/* sum / members, toward zero */
};

/* Of a source or a group: not shown, but feeds the aggregates above. */
#define STATS_FS_HIDDEN		1u

enum stats_fs_value_flag {
	STATS_FS_FLOATING_VALUE = 1,	/* goes up and down: mode 0444, no clear */
	/*
	 * Only grows, and its writers take no lock.  Clear does not store into
	 * it (an increment under way would undo that) but remembers what it was.
	 * 64 bits.
	 */
	STATS_FS_COUNTER = 2,
	/*
	 * A view of others (same address, or a get that is not what is stored):
	 * retire adds them, not it.
	 */
	STATS_FS_DERIVED = 4,
};

struct stats_fs_value;

/* get NULL: an integer of size bytes.  clear NULL with get: cannot be cleared. */
struct stats_fs_type {
	const char *name;
	u8 size;
	bool sign;
	u64 (*get)(const struct stats_fs_value *val, const void *addr);
	void (*clear)(const struct stats_fs_value *val, void *addr);
};

extern const struct stats_fs_type stats_fs_type_u8, stats_fs_type_u16, stats_fs_type_u32,
	stats_fs_type_u64, stats_fs_type_s8, stats_fs_type_s16, stats_fs_type_s32,
	stats_fs_type_s64, stats_fs_type_bool;

/*
 * A histogram is an array of u64 at base + offset, one per bucket.  log2:
 * bucket 0 counts 0 and 1, bucket i counts [2^i, 2^(i+1)).  linear (width not
 * 0): bucket i counts [i * width, (i + 1) * width).  The last one is open.
 */
struct stats_fs_hist {
	u32 buckets;
	u64 width;		/* 0: log2 */
};

struct stats_fs_value {
	const char *name;
	u32 offset;
	const struct stats_fs_type *type;
	enum stats_fs_aggr aggr_kind;
	u32 value_flag;		/* enum stats_fs_value_flag */
	const char *(*show)(u64 val);		/* enum as text; may be NULL */
	const char *unit;			/* "cycles", "bytes"; NULL: "count" */
	const struct stats_fs_hist *hist;	/* NULL: one number */
	const char *help;			/* one line for the documentation */
};

struct stats_fs_mem {
	/* size bytes, aligned to 16, or NULL.  Called with fs->lock held. */
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *p, size_t size);
	void *ctx;
};

struct stats_fs_source;

struct stats_fs {
	struct spinlock lock;		/* of all changes */
	u32 seq;			/* odd: numbers are moving between sources */
	u32 epoch;			/* readers[epoch & 1] takes new readers */
	u32 readers[2];
	struct stats_fs_mem mem;
	struct stats_fs_source *root;	/* "/" */
};

/* 0 or -ENOMEM. */
int __must_check stats_fs_init(struct stats_fs *fs, const struct stats_fs_mem *mem);
/* Puts the root; sources that somebody still holds live on without it. */
void stats_fs_fini(struct stats_fs *fs);

/*
 * After CPUs were stopped in the middle of anything here and will not go on:
 * opens the lock, forgets readers.  The tree is valid after every store.
 */
void stats_fs_recover(struct stats_fs *fs);

/*
 * A source with one reference, the caller's.  Name: 1 to 100 printable ASCII
 * bytes, no '/', not "." or "..".  flags: STATS_FS_HIDDEN.
 * -EINVAL, -ENOMEM, -ENODEV; *out is NULL then.
 */
int __must_check stats_fs_source_create(struct stats_fs *fs, struct stats_fs_source **out,
					u32 flags, const char *fmt, ...) __printf(4, 5);

/* Makes it visible: a subordinate of the root.  Errors as add_subordinate. */
int __must_check stats_fs_source_register(struct stats_fs_source *src);

void stats_fs_source_get(struct stats_fs_source *src);
/* The last put frees it, and puts what is below. */
void stats_fs_source_put(struct stats_fs_source *src);

/* "key=value" shown with the source; replaces one of the same key.  -EINVAL, -ENOMEM. */
int __must_check stats_fs_source_label(struct stats_fs_source *src, const char *key,
				       const char *value);

/*
 * The parent takes a reference.  -EEXIST: is there already, or a sibling has
 * the name; -EBUSY: has another parent; -ELOOP: would be below itself;
 * -E2BIG: deeper than STATS_FS_DEPTH_MAX.
 */
int __must_check stats_fs_source_add_subordinate(struct stats_fs_source *parent,
						 struct stats_fs_source *sub);
/* Waits for readers.  -ENOENT: is none of parent's. */
int stats_fs_source_remove_subordinate(struct stats_fs_source *parent,
				       struct stats_fs_source *sub);

/* A group of values; array ends with a NULL name and must stay valid. */
struct stats_fs_group_desc {
	const struct stats_fs_value *array;
	void *base;		/* NULL: aggregates */
	u32 flags;		/* STATS_FS_HIDDEN */
	/* Shown in a directory of that name below the source; NULL: in it. */
	const char *dir;
	/*
	 * One copy of the data per CPU, stride bytes apart, folded when read:
	 * added, or for MIN and MAX the smallest or largest.  0: one.
	 */
	u32 slots, stride;
};

/* -EEXIST: same array and base are there; -EINVAL: a bad name or histogram; -ENOMEM. */
int __must_check stats_fs_source_add_group(struct stats_fs_source *src,
					   const struct stats_fs_group_desc *desc);
int __must_check stats_fs_source_add_values(struct stats_fs_source *src,
					    const struct stats_fs_value *array, void *base,
					    u32 flags);

/*
 * The data of src and below is about to go away: all its groups lose their
 * base.  On return no reader looks at the data.
 */
void stats_fs_source_revoke(struct stats_fs_source *src);

/*
 * As revoke, but what was counted lives on: the SUM counters, histograms and
 * MIN/MAX peaks of src and below are folded into the groups of `into` that
 * have the same array, in one step for any reader; then src is removed from
 * its parent.  Values without such a group, floating and AVG ones are dropped.
 */
void stats_fs_source_retire(struct stats_fs_source *src, struct stats_fs_source *into);

struct stats_fs_reading {
	u64 value;		/* of an empty set: MIN and MAX as their neutral element */
	u64 members;		/* simple values that went into it */
	bool sign;		/* value is an s64 */
	bool revoked;		/* had a base once */
};

/*
 * Value by descriptor (the first group that has it) or by name (the first
 * value of that name, hidden groups included).  0, -ENOENT, -ENODEV; *ret is 0
 * on error.  A histogram reads as the number of its samples.
 */
int __must_check stats_fs_source_get_value(struct stats_fs_source *src,
					   const struct stats_fs_value *val, u64 *ret);
int __must_check stats_fs_source_get_value_by_name(struct stats_fs_source *src,
						   const char *name, u64 *ret);
int __must_check stats_fs_source_read(struct stats_fs_source *src,
				      const struct stats_fs_value *val,
				      struct stats_fs_reading *r);
/* All buckets (val->hist->buckets of them); -EINVAL: not a histogram. */
int __must_check stats_fs_source_get_hist(struct stats_fs_source *src,
					  const struct stats_fs_value *val, u64 *bucket);

/*
 * Sets to 0; an aggregate sets all its members.  -EPERM: floating, or a type
 * without clear; -ENOENT; -ENOMEM (then some may be cleared already).
 */
int __must_check stats_fs_source_clear(struct stats_fs_source *src,
				       const struct stats_fs_value *val);

/* 0644 where clear is allowed, else 0444. */
u32 stats_fs_value_mode(const struct stats_fs_value *val);
const char *stats_fs_aggr_name(enum stats_fs_aggr kind);

/* Bucket of a sample, for writers. */
static inline u64 stats_fs_log2(u64 v)
{
	u64 bit;

	/* As __builtin_clzll, without the instructions that widen its int. */
	__asm__("bsr %1, %0" : "=r"(bit) : "rm"(v | 1) : "cc");
	return bit;
}

/* Smallest sample of a bucket. */
u64 stats_fs_hist_low(const struct stats_fs_hist *h, u32 bucket);
/*
 * Estimated value below which percent of the samples are: linear inside its
 * bucket; in the open last bucket its lower end.  0 without samples.
 */
u64 stats_fs_hist_percentile(const struct stats_fs_hist *h, const u64 *bucket, u32 percent);

#endif
