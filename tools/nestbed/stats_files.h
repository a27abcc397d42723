/* SPDX-License-Identifier: MIT */
/*
 * A dump as the files of statsfs: sources are directories, values are files.
 * Pure: the mount (stats_mount.c) asks here.
 *
 * In the tree a value and a directory may share a name (/kvm/exits, and its
 * parts below /kvm/exits/).  No file system has that: the directory is called
 * exits.d then.
 */
#ifndef TOOLS_NESTBED_STATS_FILES_H
#define TOOLS_NESTBED_STATS_FILES_H

#include "tools/nestbed/stats_model.h"

#define STATS_FILE_NAME_MAX	255

struct stats_file {
	const struct stats_node *node;
	bool dir;
};

/* The file of that path ("/" is the root); 0 or -ENOENT, -ENOTDIR. */
__must_check int stats_file_find(const struct stats_dump *d, const char *path,
				 struct stats_file *f);

/* Type and permission bits as of stat(2): the root 0700, directories 0755, values 0644, 0444. */
unsigned int stats_file_mode(const struct stats_file *f);

/* What a value's file contains: decimal and newline.  The length. */
size_t stats_file_text(const struct stats_file *f, char *buf, size_t size);

/* May these bytes be written?  0: yes, they clear it; -EINVAL, -EPERM, -EISDIR. */
__must_check int stats_file_write(const struct stats_file *f, const char *data, size_t n);

/* Calls back for each entry of a directory; a name that is both has two. */
void stats_file_list(const struct stats_dump *d, const struct stats_file *dir,
		     void (*entry)(void *ctx, const char *name, const struct stats_file *f),
		     void *ctx);

#endif
