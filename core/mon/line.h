/* SPDX-License-Identifier: MIT */
/*
 * Output lines as pure text work: 7-bit escaping, and the splitter that turns
 * a guest's byte stream into prefixed whole lines, so that nothing a guest
 * sends can look like a line of nestbed itself.
 */
#ifndef CORE_MON_LINE_H
#define CORE_MON_LINE_H

#include "core/lib/base.h"

/* Longest line on the wire, without CR LF. */
#define LINE_MAX		768
/* Bytes of a guest's text in one output line; longer lines are split. */
#define GUEST_LINE_MAX		200
/* Bytes on the wire that one run of a guest may cause (some per line end). */
#define GUEST_OUTPUT_LIMIT	(1024 * 1024)
/* Half a line that has stood for so long is a prompt: somebody waits for it. */
#define GUEST_IDLE_US		100000

/*
 * Copies len bytes of src into dst as printable 7-bit text: control bytes
 * become \xNN, tab becomes one space, bytes over 0x7e become '?'.  Writes at
 * most size bytes including the terminator (size > 0); what does not fit is
 * cut at a whole character.  Returns the length written.
 */
size_t line_escape(char *dst, size_t size, const char *src, size_t len);

/*
 * Splits text at '\n' (a final one is dropped) and hands out each piece,
 * which is not terminated.  "\r" before "\n" is stripped.
 */
void line_split(const char *text, void (*emit)(void *ctx, const char *s, size_t len), void *ctx);

/* The console of one guest; zero-initialised is empty. */
struct guest_line {
	u64 dropped;			/* bytes that came after the limit */
	u64 since_us;			/* with idle: when nothing more was first seen */
	u32 sent;			/* bytes on the wire in this run */
	u32 limit;			/* 0: GUEST_OUTPUT_LIMIT */
	u16 len;
	bool cr;			/* last byte was CR */
	bool broken;			/* the line before was emitted without its end */
	bool idle;			/* no byte since guest_line_idle looked */
	char buf[GUEST_LINE_MAX + 1];	/* escaped, terminated when emitted */
};

typedef void (*line_emit_fn)(void *ctx, const char *line);

/*
 * Takes one byte; may emit complete escaped lines (without a prefix).  The
 * first byte beyond the limit emits one that says so.
 */
void guest_line_putc(struct guest_line *g, u8 c, line_emit_fn emit, void *ctx);

/* Half a line, and nothing came for GUEST_IDLE_US?  To be asked now and then. */
bool guest_line_idle(struct guest_line *g, u64 now_us);

/*
 * Emits the half line.  What the guest goes on with is a new line; if that is
 * a line end alone, it is none.
 */
void guest_line_break(struct guest_line *g, line_emit_fn emit, void *ctx);

/*
 * End of a run: emits what is buffered and, when bytes were dropped, one line
 * that says how many.  Leaves *g empty with the same limit.
 */
void guest_line_end(struct guest_line *g, line_emit_fn emit, void *ctx);

#endif
