/* SPDX-License-Identifier: MIT */
/*
 * The tree as text: the framed dump of docs/serial.md.  Lines come without
 * "@nestbed " and line end; equal trees give equal lines.
 */
#ifndef STATS_STAT_FMT_H
#define STATS_STAT_FMT_H

#include "stats/statsfs.h"

/* "@nestbed ", text and the terminator: what a line of the image may have. */
#define STAT_LINE_MAX	640

struct stat_out {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

struct stat_dump_totals {
	u32 lines;		/* stat lines */
	u32 skipped;		/* values whose path does not fit into a line */
	u32 crc;
};

/*
 * "stats begin", the lines of all that is visible, "stats end".  Sources may
 * come and go meanwhile; each number is right at the moment it is read, and no
 * lock is held while a line is given out.
 */
void stat_dump(struct stats_fs *fs, u64 seq, u64 us, const struct stat_out *out,
	       struct stat_dump_totals *totals);

#endif
