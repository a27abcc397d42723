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
#include "core/lib/diag.h"

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Where lines go; must stay valid for ever. */
struct log_sink {
	/* One line without a line end, 7-bit, len <= LINE_MAX. */
	void (*line)(void *ctx, const char *s, size_t len);
	void *ctx;
	struct log_sink *next;		/* log's own */
};

#define LOG_MAX_GUESTS	16

/* Adds a sink and replays the early lines to it. */
void log_add_sink(struct log_sink *sink);

/* Messages above this level are dropped; LOG_INFO at start. */
void log_set_level(enum log_level level);

/*
 * A message for people: "# text", "# warning: text", "# error: text" (a KTAP
 * diagnostic).  Text with '\n' becomes several lines with the same prefix.
 */
void log_printf(enum log_level level, const char *fmt, ...) __printf(2, 3);

/* "@nestbed " and the text at column 0; line ends in it are escaped. */
void machine_line(const char *fmt, ...) __printf(1, 2);

/* A KTAP line as it is (leading blanks kept); line ends in it are escaped. */
void ktap_line(const char *fmt, ...) __printf(1, 2);

/* One byte of the console of guest vm_id; appears as "vm<id>| text". */
void guest_putc(u32 vm_id, u8 c);

/* End of a guest's run: flushes its last line, reports dropped bytes. */
void guest_console_end(u32 vm_id);

/*
 * From now on no lock is taken and guests' bytes are discarded: for panic,
 * when the lock's holder may be dead.
 */
void log_panic_mode(void);

/*
 * Frees the lock if the calling CPU holds it: for code that is abandoned by a
 * watchdog (NMI) while it printed.  cpu is the number log_cpu_id_fn gives.
 */
void log_abandon(void);

/* How the log knows the calling CPU (dense id); without it log_abandon does nothing. */
void log_set_cpu_id(u32 (*fn)(void));

/* A diag whose lines become log_printf(LOG_WARN, "<line>"). */
extern const struct diag log_diag;

#endif
