/* SPDX-License-Identifier: MIT */
/*
 * All output: whole lines, 7-bit, one writer at a time, to every sink.  Lines
 * that were printed before the first sink came are kept and replayed to it.
 * May be called on any CPU, with interrupts on or off; in an NMI, #MC or #DF
 * handler only after log_panic_mode.
 */
#ifndef CORE_MON_LOG_H
#define CORE_MON_LOG_H

#include "core/lib/base.h"
#include "core/lib/log.h"

/* Where lines go; must stay valid for ever. */
struct log_sink {
	/* One line without a line end, 7-bit, len <= LINE_MAX. */
	void (*line)(void *ctx, const char *s, size_t len);
	/* Text without a line end, as it is; NULL: the sink cannot. */
	void (*raw)(void *ctx, const char *s, size_t len);
	void *ctx;
	struct log_sink *next;		/* log's own */
};

#define LOG_MAX_GUESTS	16
#define LOG_NO_GUEST	~0u

/* Adds a sink and replays the early lines to it. */
void log_add_sink(struct log_sink *sink);

/* Messages above this level are dropped; LOG_INFO at start. */
void log_set_level(enum log_level level);

/*
 * Frees the lock if the calling CPU holds it: for code that is abandoned by a
 * watchdog (NMI) while it printed.
 */
void log_abandon(void);

/* How the log knows the calling CPU (dense id); without it log_abandon does nothing. */
void log_set_cpu_id(u32 (*fn)(void));

/*
 * An open line: prompt and echo of the monitor, to the sinks that have raw.
 * Whoever prints a line meanwhile gets a new one: then log_raw_open is false,
 * and what was written stands above.
 */
void log_raw(const char *s, size_t len);
bool log_raw_open(void);
/* Ends it; the sinks without raw get text as a line, as it is. */
void log_raw_end(const char *text);

/*
 * The guest that somebody types at: its half lines are open lines, which grow
 * with what it echoes.  LOG_NO_GUEST: none.
 */
void log_attach_guest(u32 vm_id);

#endif
