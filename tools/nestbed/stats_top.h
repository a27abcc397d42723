/* SPDX-License-Identifier: MIT */
/* What `stats top` shows: values and how fast they rise.  Pure. */
#ifndef TOOLS_NESTBED_STATS_TOP_H
#define TOOLS_NESTBED_STATS_TOP_H

#include "tools/nestbed/stats_write.h"

enum top_sort { TOP_RATE, TOP_VALUE, TOP_PATH, TOP_SORT_NR };

struct top_row {
	const struct stats_node *node;	/* of the newer dump */
	double rate;			/* per second; NAN: none */
	char delta[32];			/* of what has no rate, "" if it did not change */
};

struct top_table {
	struct top_row *row;
	size_t n;
	size_t path_width;
};

/*
 * The rows for dump b, compared with a (NULL: nothing to compare with).
 * Histograms are one row: their samples.
 */
void top_fill(struct top_table *t, const struct stats_dump *a, const struct stats_dump *b,
	      const struct stats_view *v, enum top_sort sort);
void top_free(struct top_table *t);

/* Heading and row; cut to width characters (0: as long as they are). */
void top_head(const struct top_table *t, size_t width, struct strbuf *out);
void top_line(const struct top_table *t, size_t i, size_t width, struct strbuf *out);
/* One line about the dumps. */
void top_title(const struct stats_dump *a, const struct stats_dump *b, struct strbuf *out);

const char *top_sort_name(enum top_sort sort);
/* The order of that name, or TOP_SORT_NR. */
enum top_sort top_sort_from(const char *name);

#endif
