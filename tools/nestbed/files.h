/* SPDX-License-Identifier: MIT */
/* Files, paths and time of the host.  Paths returned are the caller's to free. */
#ifndef TOOLS_NESTBED_FILES_H
#define TOOLS_NESTBED_FILES_H

#include "tools/nestbed/text.h"

/* A whole file in memory; data is never NULL after map_file() returned 0. */
struct mapped {
	const char *data;
	size_t len;
	bool mmapped;
};

/* 0 or -errno. */
__must_check int map_file(const char *path, struct mapped *m);
void unmap_file(struct mapped *m);

/* Writes path as a whole or not at all; 0 or -errno. */
__must_check int write_file(const char *path, const char *data, size_t n);

/* Makes a directory and its parents; 0 or -errno. */
__must_check int make_dirs(const char *path);

bool file_exists(const char *path);
bool is_dir(const char *path);

/* The absolute form of an existing path, or NULL. */
char *absolute_path(const char *path);

/* The directory that holds this program. */
char *program_dir(void);

/* The full path of a program in $PATH (or a path itself), or NULL. */
char *find_program(const char *name);

/* Seconds on a clock that never jumps; the time of day as ISO 8601 UTC. */
double now_seconds(void);
char *utc_now(void);

#endif
