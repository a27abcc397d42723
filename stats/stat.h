/* SPDX-License-Identifier: MIT */
/*
 * Counters, declared where they are used:
 *
 *	STAT_COUNTER(fills, "/mm", "npt_fills", "count", "nested page-table fills");
 *	...
 *	stat_inc(&fills);
 *
 * Each is a record in the linker table "stats", from which stat_register_table
 * makes sources and values; docs/stats.md lists them (tools/gen_stats_doc.sh reads
 * these lines, so keep the arguments literal).  Counters of objects that come
 * and go (vCPUs) are groups of values over the object instead.
 */
#ifndef STATS_STAT_H
#define STATS_STAT_H

#include "stats/statsfs.h"

struct stat_rec {
	const char *dir;		/* "/mm" */
	void *base;
	struct stats_fs_value value[2];	/* the second ends the array */
};

/* The statistics of this machine; NULL: none (stats=off). */
extern struct stats_fs *stat_fs;

#define STAT_RECORD(sym, dir_, base_, ...)					\
	static const struct stat_rec sym##_stat SECTION_ENTRY(stats) =		\
		{ .dir = dir_, .base = base_, .value = { { __VA_ARGS__ } } }

/* Only grows. */
#define STAT_COUNTER(sym, dir_, name_, unit_, help_)				\
	static u64 sym;								\
	STAT_RECORD(sym, dir_, &sym, .name = name_, .type = &stats_fs_type_u64,	\
		    .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER,	\
		    .unit = unit_, .help = help_)

/* The largest sample. */
#define STAT_PEAK(sym, dir_, name_, unit_, help_)				\
	static u64 sym;								\
	STAT_RECORD(sym, dir_, &sym, .name = name_, .type = &stats_fs_type_u64,	\
		    .aggr_kind = STATS_FS_MAX, .unit = unit_, .help = help_)

/* A histogram of powers of two: n_ buckets. */
#define STAT_LOG2(sym, n_, dir_, name_, unit_, help_)				\
	static u64 sym[n_];							\
	static const struct stats_fs_hist sym##_hist = { .buckets = n_ };	\
	STAT_RECORD(sym, dir_, sym, .name = name_, .type = &stats_fs_type_u64,	\
		    .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER,	\
		    .unit = unit_, .help = help_, .hist = &sym##_hist)

/* One locked instruction: any CPU may count. */
static inline void stat_inc(u64 *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static inline void stat_add(u64 *counter, u64 n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline void stat_peak(u64 *peak, u64 sample)
{
	u64 old = __atomic_load_n(peak, __ATOMIC_RELAXED);

	while (sample > old && !__atomic_compare_exchange_n(peak, &old, sample, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

#define stat_log2(hist, sample)							\
	stat_inc(&(hist)[MIN(stats_fs_log2(sample), (u64)ARRAY_SIZE(hist) - 1)])

/*
 * The source at path ("/kvm/dev"), made with all above it if it is not there;
 * with a reference.  -EINVAL, -ENOMEM, -ENODEV.
 */
int __must_check stat_source(struct stats_fs *fs, const char *path,
			     struct stats_fs_source **out);

/* Sources and values of the records [from, to).  0 or the first error; goes on. */
int __must_check stat_register_table(struct stats_fs *fs, const struct stat_rec *from,
				     const struct stat_rec *to);

#endif
