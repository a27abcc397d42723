/* SPDX-License-Identifier: MIT */
/*
 * Paths as the monitor's user writes them: escapes, patterns, completion,
 * over any tree of files.  Pure.
 */
#ifndef CORE_MON_MONTREE_H
#define CORE_MON_MONTREE_H

#include "core/lib/base.h"

#define MON_PATH_MAX	640	/* longest path, unescaped, with the terminator */
#define MON_NAME_MAX	100
#define MON_DEPTH_MAX	40

/* In a mode: when all below a directory is shown, left out while it reads "0". */
#define MON_QUIET	0x10000u

struct mon_entry {
	char name[MON_NAME_MAX + 1];
	u32 mode;		/* 0755, 0644, 0444; MON_QUIET */
};

static inline bool mon_is_dir(u32 mode)
{
	return mode & 0111;
}

/*
 * Paths are absolute and unescaped.  A file and a directory may have the same
 * name: the path of a directory then ends in a slash, and any may.  All return
 * 0 or -E..., and -ENOENT for what is not there.
 */
struct mon_tree {
	int (*stat)(void *ctx, const char *path, u32 *mode);
	/* Entry number index; -ENOENT behind the last. */
	int (*entry)(void *ctx, const char *path, u32 index, struct mon_entry *e);
	/* Content of a file as one line, cut to size - 1 bytes. */
	int (*read)(void *ctx, const char *path, char *buf, size_t size);
	int (*clear)(void *ctx, const char *path);
	void *ctx;
};

/*
 * One character of a pattern or path: *s moves behind it.  "\xNN" is the
 * character with that code and never part of a pattern (*literal).  0 at the end.
 */
u8 mon_char(const char **s, bool *literal);

/* Does the pattern [pat, end) match name?  '*', '?', escapes. */
bool mon_match(const char *pat, const char *end, const char *name);

/* Appends to a buffer of size bytes; blank, '\', '*' and '?' as "\xNN". */
void mon_escape(char *buf, size_t size, size_t *len, const char *s);

struct mon_walk {
	const struct mon_tree *tree;
	/* A file or directory; a directory's path ends in a slash.  Not 0: stop. */
	int (*visit)(struct mon_walk *w, u32 mode);
	void *ctx;
	size_t len;
	char path[MON_PATH_MAX];	/* of what is visited */
};

/*
 * Visits what arg names: itself where such a file exists, else all that it
 * matches as a pattern; a slash at the end means directories alone.  A
 * missing slash in front is added.  0, -ENOENT, -E2BIG (longer than
 * MON_PATH_MAX or too deep), or what visit returned.
 */
int mon_expand(struct mon_walk *w, const char *arg);

/* Visits every file below the directory w->path, in order of the tree. */
int mon_subtree(struct mon_walk *w);

/*
 * What can stand for the last component of word: calls found for each entry
 * with its name as it is typed.  The directory must be spelt out.
 */
int mon_candidates(struct mon_walk *w, const char *word,
		   void (*found)(void *ctx, const char *name, bool dir), void *ctx);

#endif
