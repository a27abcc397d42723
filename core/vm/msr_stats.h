/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes of MSRs that a guest does not have, counted by number: each
 * number is a source "0x<number>" below the directory "msr" of its machine.
 * A guest may try all 2^32 of them, so a machine has rows for the first
 * MSR_STATS_ROWS numbers; the rest shares the row "other".  Pure.
 */
#ifndef CORE_VM_MSR_STATS_H
#define CORE_VM_MSR_STATS_H

#include "core/lib/spinlock.h"
#include "stats/statsfs.h"

#define MSR_STATS_ROWS	32

struct msr_stats_row {
	u64 reads, writes;
	struct stats_fs_source *src;	/* NULL: counted, but not shown */
	u32 msr;
};

struct msr_stats {
	struct spinlock lock;		/* of new rows */
	u32 used, max;
	struct msr_stats_row *row;	/* max of them, and behind them "other" */
	struct stats_fs *fs;
	struct stats_fs_source *parent, *dir;
};

/* row: max + 1 zeroed rows.  Nothing is shown before msr_stats_show. */
void msr_stats_init(struct msr_stats *s, struct msr_stats_row *row, u32 max);
/* From now on below parent, the machine's source in fs. */
void msr_stats_show(struct msr_stats *s, struct stats_fs *fs, struct stats_fs_source *parent);
/* Shows "other" before anything was counted in it.  0, or what stats_fs_... says. */
int __must_check msr_stats_show_other(struct msr_stats *s);

/* Any CPU. */
void msr_stats_count(struct msr_stats *s, u32 msr, bool write);

/*
 * What s counted goes to the rows of into, which has shown "other"; s is empty
 * then.  Nobody counts in s meanwhile.
 */
void msr_stats_end(struct msr_stats *s, struct msr_stats *into);

/* The totals over all numbers below src.  0, -ENOMEM, -EEXIST. */
int __must_check msr_stats_add_totals(struct stats_fs_source *src);

#endif
