/* SPDX-License-Identifier: MIT */
/* The dumps of a log that somebody may want.  Pure. */
#ifndef TOOLS_NESTBED_STATS_SET_H
#define TOOLS_NESTBED_STATS_SET_H

#include "tools/nestbed/stats_reader.h"

#define STATS_SET_ALL_MAX	4096	/* dumps that `all` keeps */

struct stats_set {
	/* To be set by the caller: dumps by number, and whether to keep all good ones. */
	u64 want[2];
	size_t nwant;
	bool all;
	/* Good ones; NULL: there is none. */
	struct stats_dump *first, *before, *last;
	struct stats_dump *damaged;	/* the last of those */
	struct stats_dump *found[2];	/* good or not, for want */
	struct stats_dump **list;
	size_t nlist;
	u64 ngood, ndamaged;
	u64 lost;			/* lines and dumps */
	struct messages messages;	/* of everything that is wrong */
};

/* Takes over the reference: the callback for stats_reader_init(), ctx is the set. */
void stats_set_add(void *ctx, struct stats_dump *d);
/* A whole log, or stats.txt. */
void stats_set_load(struct stats_set *s, const char *text, size_t n);
void stats_set_free(struct stats_set *s);

/* What a reader shows without being asked for another: the last good dump, or the last. */
struct stats_dump *stats_set_best(const struct stats_set *s);
bool stats_set_whole(const struct stats_set *s);

#endif
