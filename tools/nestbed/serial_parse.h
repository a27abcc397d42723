/* SPDX-License-Identifier: MIT */
/*
 * The reader of the serial line: bytes go in, one event per line comes out.
 * The grammar is in docs/serial.md.  No input or output of its own, no limit
 * on what it is fed: any bytes, in pieces of any size.
 */
#ifndef TOOLS_NESTBED_SERIAL_PARSE_H
#define TOOLS_NESTBED_SERIAL_PARSE_H

#include "core/lib/base.h"

/* What is kept of a line; the rest of a longer one is dropped and flagged. */
#define SERIAL_LINE_MAX		4096
#define SERIAL_WORDS_MAX	8
#define SERIAL_PAIRS_MAX	32

enum serial_event_type {
	SERIAL_TEXT,		/* anything that is none of the others */
	SERIAL_KTAP,		/* a line of the KTAP report */
	SERIAL_GUEST,		/* a guest's console: "vm0| ..." */
	SERIAL_BEGIN,
	SERIAL_INFO,
	SERIAL_PLAN,
	SERIAL_DECL,
	SERIAL_START,
	SERIAL_TEST,
	SERIAL_BENCH,
	SERIAL_STATS_BEGIN,
	SERIAL_STAT,
	SERIAL_LABEL,
	SERIAL_STATS_END,
	SERIAL_BLOB_BEGIN,
	SERIAL_BLOB,		/* a piece of a saved guest */
	SERIAL_BLOB_END,
	SERIAL_BLOB_ABORT,	/* the block ends here: it was stopped */
	SERIAL_MONITOR,		/* the answer to a command */
	SERIAL_END,
	SERIAL_UNKNOWN,		/* @nestbed and a verb of a later version */
	SERIAL_BAD,		/* @nestbed and something that breaks the grammar */
	SERIAL_NR,
};

/* key=value, the value without its quotes and escapes. */
struct serial_pair {
	const char *key;
	const char *value;
};

/* Valid only during the call that delivers it. */
struct serial_event {
	enum serial_event_type type;
	u64 offset;		/* of the line's first byte in the stream */
	u64 next;		/* of the first byte behind its line end */
	u64 line;		/* 1 for the first */
	const char *text;	/* the line without CR LF; may hold NULs */
	size_t len;
	bool cut;		/* longer than SERIAL_LINE_MAX */
	bool partial;		/* the stream ended before the line end */
	unsigned int nwords;	/* after "@nestbed" and the verb */
	const char *word[SERIAL_WORDS_MAX];
	unsigned int npairs;
	struct serial_pair pair[SERIAL_PAIRS_MAX];
	const char *error;	/* SERIAL_BAD: what is wrong */
};

/* The value of a key, or NULL. */
const char *serial_value(const struct serial_event *ev, const char *key);

struct serial_parser {
	void (*emit)(void *ctx, const struct serial_event *ev);
	void *ctx;
	u64 offset;		/* bytes taken so far */
	u64 line_offset;
	u64 line;
	size_t len;		/* bytes kept of the current line */
	bool cut;
	char buf[SERIAL_LINE_MAX + 1];
	char scratch[SERIAL_LINE_MAX + 1];	/* the line as it is taken apart */
};

void serial_init(struct serial_parser *p,
		 void (*emit)(void *ctx, const struct serial_event *ev), void *ctx);

/* Takes n more bytes and emits an event for each line they complete. */
void serial_feed(struct serial_parser *p, const void *data, size_t n);

/* The stream is over: emits what is left of an unfinished line. */
void serial_finish(struct serial_parser *p);

/* An id of a test: [a-z0-9_.]+, at most 128 characters. */
bool serial_is_id(const char *s);

#endif
