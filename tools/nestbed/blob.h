/* SPDX-License-Identifier: MIT */
/*
 * Saved guests that come over a serial line: put together from the lines of
 * their blocks, checked, and handed on.  What is wrong with one is said in the
 * run's notes; when the last one was wrong that is a problem of the run, since
 * somebody wanted it.  Pure.
 */
#ifndef TOOLS_NESTBED_BLOB_H
#define TOOLS_NESTBED_BLOB_H

#include "tools/nestbed/model.h"

#define BLOB_NAME_MAX	64
#define BLOB_NAMES_MAX	256	/* blocks of one run that are kept */

struct blob_reader {
	struct run_model *m;
	/* One that is whole.  file: a name for it, that no other of this run has. */
	void (*whole)(void *ctx, const char *file, const char *data, size_t len);
	void *ctx;
	/* The block that is coming. */
	bool open;
	char guest[BLOB_NAME_MAX + 1];
	u64 seq, bytes;
	u64 next;		/* the line that should come, from 1 */
	u64 wrong;		/* lines that did not come as they left */
	struct strbuf data;
	char why[160];		/* what is wrong with it first, or "" */
	/* The last block that ended is not of use, and why. */
	char failed[400];
	char *name[BLOB_NAMES_MAX];
	size_t names;
};

void blob_init(struct blob_reader *b, struct run_model *m,
	       void (*whole)(void *ctx, const char *file, const char *data, size_t len), void *ctx);

/* As the emit callback of serial_init; lines of other kinds are passed over. */
void blob_event(struct blob_reader *b, const struct serial_event *ev);

/* The line is over.  Frees what b has. */
void blob_finish(struct blob_reader *b);

#endif
