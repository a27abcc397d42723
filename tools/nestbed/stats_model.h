/* SPDX-License-Identifier: MIT */
/*
 * One dump of statistics as a tree: what the stat and label lines of
 * docs/serial.md say, after checking.  Pure.  All text kept here is printable
 * ASCII; a name is neither empty nor "." nor ".." and holds no slash, so it
 * may become a file's name.
 */
#ifndef TOOLS_NESTBED_STATS_MODEL_H
#define TOOLS_NESTBED_STATS_MODEL_H

#include "tools/nestbed/model.h"

#define STATS_VALUES_MAX	65536	/* of a dump; more are refused */
#define STATS_NODES_MAX		(2 * STATS_VALUES_MAX)
#define STATS_DEPTH_MAX		40
#define STATS_PATH_MAX		1024	/* with escapes */
#define STATS_NAME_MAX		100
#define STATS_UNIT_MAX		32
#define STATS_LABELS_MAX	16	/* of a source */

enum stats_kind {
	STATS_NONE, STATS_SUM, STATS_MIN, STATS_MAX, STATS_COUNT_ZERO, STATS_AVG,
	STATS_HIST,				/* samples of a histogram */
	STATS_P50, STATS_P90, STATS_P99,	/* estimates */
	STATS_BUCKET,				/* samples in one bucket */
	STATS_KIND_NR,
};

enum stats_flag {
	STATS_INSTANT = 1,	/* floating: goes up and down, no clear */
	STATS_REVOKED = 2,	/* what it counted is gone */
	STATS_EMPTY = 4,	/* an aggregate without members */
};

struct stats_value {
	u64 magnitude;
	bool negative;
	enum stats_kind kind;
	unsigned int flags;	/* enum stats_flag */
	char unit[STATS_UNIT_MAX + 1];
};

struct stats_label {
	char *key;
	char *value;
};

/* A directory, a value, or both under one name.  Links are indices, 0 is none. */
struct stats_node {
	char *name;		/* "" for the root, which is node 0 */
	char *path;		/* as on the line, escapes and all; "/" for the root */
	u32 parent, child, last, next;
	u32 depth;		/* 0 for the root */
	bool has_value;
	struct stats_value value;
	struct stats_label *label;
	size_t nlabels;
};

struct stats_dump {
	unsigned int refs;
	u64 seq;
	u64 us;			/* since boot */
	struct stats_node *node;
	size_t n;		/* nodes */
	size_t values;
	u32 *hash;		/* of (parent, name); node index or 0 */
	size_t hash_size;
	bool damaged;
	u64 lost;		/* stat lines that are known to be missing or were unusable */
	struct messages messages;	/* what is wrong with it */
};

/* Empty, with one reference. */
struct stats_dump *stats_dump_new(u64 seq, u64 us);
/* References may be taken and given back by any thread. */
struct stats_dump *stats_dump_get(struct stats_dump *d);
void stats_dump_put(struct stats_dump *d);

/*
 * A stat line's words.  NULL, or in a few words why the line cannot be used;
 * the dump is as before then.
 */
const char *stats_dump_add(struct stats_dump *d, const char *path, const char *number,
			   const char *unit, const char *kind);
/* A label line: path names a source, made if need be.  As above. */
const char *stats_dump_label(struct stats_dump *d, const char *path, const char *key,
			     const char *value);
/* A line of stats.txt: the words of a stat line. */
const char *stats_dump_add_line(struct stats_dump *d, const char *line, size_t n);

/* A node by its path as on the line; NULL: none.  "/" is the root. */
const struct stats_node *stats_find(const struct stats_dump *d, const char *path);
/* The child of that name, or NULL. */
const struct stats_node *stats_child(const struct stats_dump *d, const struct stats_node *dir,
				     const char *name);
static inline const struct stats_node *stats_first(const struct stats_dump *d,
						   const struct stats_node *dir)
{
	return dir->child ? &d->node[dir->child] : NULL;
}

static inline const struct stats_node *stats_next(const struct stats_dump *d,
						  const struct stats_node *n)
{
	return n->next ? &d->node[n->next] : NULL;
}

/* "-12"; and the nearest double. */
void stats_value_text(const struct stats_value *v, char *buf, size_t size);
double stats_value_double(const struct stats_value *v);
bool stats_value_zero(const struct stats_value *v);
/* -1, 0, 1 as a is below, equal to or above b. */
int stats_value_cmp(const struct stats_value *a, const struct stats_value *b);
/* "sum,instant"; the kind alone. */
void stats_kind_text(const struct stats_value *v, char *buf, size_t size);
const char *stats_kind_name(enum stats_kind kind);

/* Counts up from 0 until it is cleared: has a rate. */
bool stats_value_counts(const struct stats_value *v);
/* Permission bits of its file: 0644 or 0444 (clear is refused). */
unsigned int stats_value_mode(const struct stats_value *v);

struct stats_bucket {
	u64 low;		/* its smallest sample */
	u64 count;
};

/* Percentiles that did not arrive are 0. */
struct stats_hist {
	u64 count, p50, p90, p99;
	const char *unit;	/* of the samples; "" if no percentile came */
	struct stats_bucket *bucket;	/* by low, rising */
	size_t n;
};

/* Is the directory a histogram: has it a count of kind hist? */
bool stats_is_hist(const struct stats_dump *d, const struct stats_node *dir);
void stats_hist_read(const struct stats_dump *d, const struct stats_node *dir,
		     struct stats_hist *h);
void stats_hist_free(struct stats_hist *h);

#endif
