/* SPDX-License-Identifier: MIT */
/*
 * Takes the dumps of statistics out of the lines of a serial log.  Pure.  A
 * damaged dump is given out as well: what was good in it, what was lost counted
 * and, as far as can be known, named.
 */
#ifndef TOOLS_NESTBED_STATS_READER_H
#define TOOLS_NESTBED_STATS_READER_H

#include "tools/nestbed/stats_model.h"

struct stats_reader {
	/* A dump is over; the callee takes over the reference. */
	void (*dump)(void *ctx, struct stats_dump *d);
	/* The monitor answered; NULL if nobody asks it. */
	void (*answer)(void *ctx, const char *status, const char *text);
	void *ctx;
	struct serial_parser parser;
	struct stats_dump *current;	/* NULL: outside of a block */
	struct stats_dump *previous;	/* the last good one, to name what is missing */
	u32 crc;			/* over the stat lines of the block */
	u64 lines;			/* stat lines of the block, bad ones too */
	bool bad;			/* a line of it says what cannot be */
	u64 last_seq;			/* 0: none yet */
	u64 dumps;			/* given out */
	u64 lost;			/* lines outside of a block, dumps that are missing */
	struct messages messages;	/* about those */
};

void stats_reader_init(struct stats_reader *r, void (*dump)(void *ctx, struct stats_dump *d),
		       void *ctx);
/* Any bytes in pieces of any size. */
void stats_reader_feed(struct stats_reader *r, const void *data, size_t n);
/* The stream is over: an open block is given out as truncated. */
void stats_reader_finish(struct stats_reader *r);
void stats_reader_free(struct stats_reader *r);

/* Is this the text of stats.txt (a report's list of the last dump)? */
bool stats_text_is(const char *text, size_t n);
/* The dump that it holds; damaged if lines are missing. */
struct stats_dump *stats_text_read(const char *text, size_t n);

#endif
