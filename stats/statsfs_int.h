/* SPDX-License-Identifier: MIT */
/* What the files of statsfs share; for them and their tests. */
#ifndef STATS_STATSFS_INT_H
#define STATS_STATSFS_INT_H

#include "stats/statsfs.h"

struct stats_fs_group {
	struct stats_fs_group *next;
	const struct stats_fs_value *array;
	void *base;		/* NULL: aggregates, or revoked */
	const char *dir;
	/*
	 * What was counted when it was last cleared, one per number; NULL:
	 * never cleared.  Monotonic like the counters themselves.
	 */
	u64 *baseline;
	u32 cells;		/* numbers: a histogram has one per bucket */
	u32 count;		/* of array */
	u32 flags;
	u32 slots, stride;
	bool revoked;
};

struct stats_fs_label {
	struct stats_fs_label *next;
	u32 size;		/* of this allocation */
	char text[];		/* key, NUL, value, NUL */
};

/*
 * Links are followed by readers: a removed source keeps its next and parent
 * until no reader can stand on it.
 */
struct stats_fs_source {
	struct stats_fs *fs;
	struct stats_fs_source *parent, *child, *next;
	struct stats_fs_group *groups, *last_group;
	struct stats_fs_label *labels;
	u32 refs;
	u32 flags;
	char name[];
};

/* Links and bases, written under fs->lock, read without. */
#define SFS_LOAD(x)	__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define SFS_STORE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

/* A read section; returns what leave needs.  Sections nest. */
u32 stats_fs_enter(struct stats_fs *fs);
void stats_fs_leave(struct stats_fs *fs, u32 section);

/* A reference to a source that a read section found; false: it is dying. */
bool stats_fs_tryget(struct stats_fs_source *src);

/* Pre-order successor of s below top; in a read section or under the lock. */
static inline struct stats_fs_source *stats_fs_next(const struct stats_fs_source *top,
						    struct stats_fs_source *s)
{
	struct stats_fs_source *n = SFS_LOAD(s->child);

	while (!n && s && s != top) {
		n = SFS_LOAD(s->next);
		s = SFS_LOAD(s->parent);
	}
	return n;
}

/* vm2 before vm10. */
int stats_fs_name_cmp(const char *a, const char *b);
bool stats_fs_name_valid(const char *name);

/* The first group of src that contains val; in a section. */
struct stats_fs_group *stats_fs_find_group(struct stats_fs_source *src,
					   const struct stats_fs_value *val);

/* Reads val of group g of src: the group decides whether it is an aggregate. */
void stats_fs_read_group(struct stats_fs_source *src, struct stats_fs_group *g,
			 const struct stats_fs_value *val, struct stats_fs_reading *r,
			 u64 *bucket);
int stats_fs_clear_group(struct stats_fs_source *src, struct stats_fs_group *g,
			 const struct stats_fs_value *val);

/* Adds what group g counted to group t of the same array; under the lock. */
void stats_fs_fold_group(struct stats_fs *fs, struct stats_fs_group *t,
			 struct stats_fs_group *g);

#endif
