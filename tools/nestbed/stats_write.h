/* SPDX-License-Identifier: MIT */
/*
 * A dump of statistics as text for people and programs.  Pure; the output is
 * printable ASCII but for the lines of the tree, which are UTF-8 on demand.
 */
#ifndef TOOLS_NESTBED_STATS_WRITE_H
#define TOOLS_NESTBED_STATS_WRITE_H

#include "tools/nestbed/stats_model.h"

/* POSIX extended regular expression for paths. */
struct stats_filter;

/* NULL: it is none, *why says why (to be freed). */
struct stats_filter *stats_filter_new(const char *pattern, char **why);
bool stats_filter_match(const struct stats_filter *f, const char *path);
void stats_filter_free(struct stats_filter *f);

/* What of a dump is wanted. */
struct stats_view {
	const struct stats_filter *filter;	/* NULL: all */
	bool zero;		/* values that are 0 too */
	unsigned int depth;	/* levels of the tree; 0: all */
	bool utf8;		/* may be used to draw */
	bool buckets;		/* of histograms, one by one */
};

/*
 * For each node whether it is shown; the caller frees it.  A directory is
 * shown when something below it is, a histogram as a whole or not at all.
 */
bool *stats_select(const struct stats_dump *d, const struct stats_view *v);

/* A tree with aligned columns. */
void stats_show(const struct stats_dump *d, const struct stats_view *v, struct strbuf *out);

/* Nested objects; numbers keep all their digits. */
void stats_json(const struct stats_dump *d, const struct stats_view *v, struct strbuf *out);

/* A row for each value; the heading once, for several dumps. */
void stats_csv_head(struct strbuf *out);
void stats_csv(const struct stats_dump *d, const struct stats_view *v, struct strbuf *out);

enum stats_prom {
	PROM_PROMTOOL,	/* for both readers of promtool: families are named as their samples */
	PROM_STRICT,	/* OpenMetrics 1.0 to the letter */
};

void stats_prom(const struct stats_dump *d, const struct stats_view *v, enum stats_prom form,
		struct strbuf *out);

/* Values that differ; all says also the others. */
void stats_diff(const struct stats_dump *a, const struct stats_dump *b,
		const struct stats_view *v, bool all, struct strbuf *out);

/* b - a in text with its sign, and per second of the time between; "" if there is none. */
void stats_delta_text(const struct stats_value *a, const struct stats_value *b, char *buf,
		      size_t size);
/*
 * How fast v rose from a to b, per second.  A counter that is lower than
 * before was cleared: what it counted since then.  NAN: it has no rate.
 */
double stats_rate(const struct stats_dump *da, const struct stats_value *a,
		  const struct stats_dump *db, const struct stats_value *b);
void stats_rate_text(double rate, char *buf, size_t size);

/* One row of characters, a histogram's buckets from the lowest to the highest. */
void stats_spark(const struct stats_hist *h, bool utf8, struct strbuf *out);

#endif
