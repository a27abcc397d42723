/* SPDX-License-Identifier: MIT */
/*
 * What the tool writes to a serial line while it follows it: answers of a
 * conversation, then a file, and what a person types on this terminal.
 */
#ifndef TOOLS_NESTBED_TYPING_H
#define TOOLS_NESTBED_TYPING_H

#include <poll.h>
#include "tools/nestbed/talk.h"

/* As the user wants it. */
struct typing_options {
	struct talk talk;
	const char *input;	/* file, "-" standard input, or NULL */
	bool interactive;
};

/* Ctrl-A is what the terminal's owner says to the tool. */
#define TYPING_PREFIX	0x01

struct typing {
	struct typing_options *o;
	int source;		/* file or terminal, -1: none (any more) */
	bool prefix;		/* the last byte typed was TYPING_PREFIX */
	bool quit;		/* the person at the terminal has had enough */
	struct strbuf out;	/* for the line */
	size_t sent;		/* bytes of it that are gone */
};

/* Is there anything to be written at all? */
bool typing_wanted(const struct typing_options *o);
/* What of it is impossible; a message and -EINVAL. */
__must_check int typing_check(const struct typing_options *o, size_t machines);

/* Opens the file or makes the terminal raw.  0 or -errno, after a message. */
__must_check int typing_start(struct typing *t, struct typing_options *o);

/*
 * For poll(): whether the line should be waited for to take bytes, and the
 * source (-1: not now).  begun: the image has said its begin line, before
 * which nobody reads.
 */
bool typing_pending(const struct typing *t);
int typing_source(const struct typing *t, bool begun);

/* The source has bytes; the line takes bytes; bytes came. */
void typing_read(struct typing *t);
void typing_write(struct typing *t, int fd);
void typing_heard(struct typing *t, const char *s, size_t n);

/* What a person typed, taken apart: for typing_read and its test.  Pure. */
void typing_keys(struct typing *t, const char *s, size_t n);

/* The terminal is as before. */
void typing_end(struct typing *t);

#endif
