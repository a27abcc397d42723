/* SPDX-License-Identifier: MIT */
/* `stats top` on a terminal (ncurses), or as text. */
#ifndef TOOLS_NESTBED_STATS_SCREEN_H
#define TOOLS_NESTBED_STATS_SCREEN_H

#include "tools/nestbed/stats_live.h"
#include "tools/nestbed/stats_top.h"

/* Where the dumps come from: a live line, or the last two of a log. */
struct top_feed {
	struct stats_live *live;
	struct stats_dump *a, *b;
};

struct top_options {
	struct stats_view view;
	enum top_sort sort;
	double interval;	/* seconds */
	double timeout;		/* for the first dump */
	u64 count;		/* tables to print; 0: for ever */
};

/* Until q is pressed or the line is closed.  The exit code. */
int top_screen(struct top_feed *f, struct top_options *o);
/* Tables one after the other. */
int top_batch(struct top_feed *f, const struct top_options *o);

#endif
