/* SPDX-License-Identifier: MIT */
/*
 * The tree as a file system: what a path names, what a file contains, what a
 * directory lists.  Hidden sources and groups do not exist here.
 *
 *	/kvm			a source
 *	/kvm/exits		a value		0644, or 0444
 *	/kvm/exits/		the directory of a group (stats_fs_group_desc.dir)
 *	/kvm/exits/cpuid	a value in it
 *	/kvm/exit_cycles/	a histogram: count p50 p90 p99, and ge_N, the
 *				number of samples in the bucket that begins at N
 *
 * Where a value and a directory share a name, the plain path is the value.
 */
#ifndef STATS_STATSFS_PATH_H
#define STATS_STATSFS_PATH_H

#include "stats/statsfs.h"

enum stats_fs_node_kind {
	STATS_FS_DIR,			/* source, or group directory */
	STATS_FS_HIST_DIR,
	STATS_FS_VALUE,
	STATS_FS_HIST_COUNT,
	STATS_FS_HIST_P50, STATS_FS_HIST_P90, STATS_FS_HIST_P99,
	STATS_FS_HIST_BUCKET,
};

/* Holds a reference to src. */
struct stats_fs_node {
	u8 kind;			/* enum stats_fs_node_kind */
	struct stats_fs_source *src;
	struct stats_fs_group *group;	/* of val */
	const char *dir;		/* group directory, or NULL */
	const struct stats_fs_value *val;
	u32 bucket;
};

/*
 * path begins with '/'; empty components count as one slash.  0, -ENOENT,
 * -EINVAL (no slash in front, a name over STATS_FS_NAME_MAX), -ENODEV.
 */
int __must_check stats_fs_lookup(struct stats_fs *fs, const char *path,
				 struct stats_fs_node *node);
void stats_fs_node_put(struct stats_fs_node *node);

/* Permission bits as of stat(2): 0755, 0644, 0444. */
u32 stats_fs_node_mode(const struct stats_fs_node *node);

/* A number; -EINVAL: a directory. */
int __must_check stats_fs_node_read(const struct stats_fs_node *node,
				    struct stats_fs_reading *r);

/*
 * What the file contains: decimal (or show's text) and a newline.  An empty
 * set reads 0.  Returns the length, or an error; cut to size - 1 bytes.
 */
int stats_fs_node_text(const struct stats_fs_node *node, char *buf, size_t size);

/* Writing 0 clears.  -EINVAL: not 0, or a directory; -EPERM: mode 0444. */
int __must_check stats_fs_node_write(const struct stats_fs_node *node, u64 v);

/* Lookup and one of the above. */
int stats_fs_read_path(struct stats_fs *fs, const char *path, char *buf, size_t size);
int __must_check stats_fs_write_path(struct stats_fs *fs, const char *path, u64 v);

struct stats_fs_entry {
	char name[STATS_FS_NAME_MAX + 1];
	u32 mode;
};

/*
 * Entry number index of a directory: 0 and *e, or -ENOENT behind the last;
 * -EINVAL: no directory.  Values, group directories, then sources by name.
 */
int __must_check stats_fs_node_entry(const struct stats_fs_node *node, u32 index,
				     struct stats_fs_entry *e);

/*
 * The next visible subordinate of parent behind prev (NULL: the first), with a
 * reference; NULL: no more.  prev may have been removed meanwhile.
 */
struct stats_fs_source *stats_fs_next_child(struct stats_fs_source *parent,
					    struct stats_fs_source *prev);

/* The label's value, or NULL.  Valid while src is held. */
const char *stats_fs_source_get_label(struct stats_fs_source *src, const char *key);

#endif
