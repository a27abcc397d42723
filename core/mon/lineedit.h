/* SPDX-License-Identifier: MIT */
/*
 * A line editor over a byte stream, for a terminal at the other end of a
 * serial line: emacs keys, arrow keys, history.  Pure.  The terminal needs
 * nothing but CR, BS and "erase to end of line" (ECMA-48 EL); the line scrolls
 * sideways so that it never wraps.
 */
#ifndef CORE_MON_LINEEDIT_H
#define CORE_MON_LINEEDIT_H

#include "core/lib/base.h"

#define LINE_EDIT_MAX		512	/* with the terminator */
#define LINE_EDIT_HISTORY	16
#define LINE_EDIT_COLUMNS	79	/* the 80th would wrap on some terminals */

struct line_edit_ops {
	/* Bytes to the terminal. */
	void (*put)(void *ctx, const char *s, size_t len);
	/* The tabulator key: may call line_edit_insert; may be NULL. */
	void (*complete)(void *ctx);
	void *ctx;
};

enum line_edit_state { LINE_PLAIN, LINE_ESC, LINE_CSI, LINE_SS3 };

struct line_edit {
	const struct line_edit_ops *ops;
	const char *prompt;
	char buf[LINE_EDIT_MAX];	/* always terminated */
	u32 len, pos;			/* pos: of the cursor */
	u32 first;			/* leftmost byte that is shown */
	u8 state;			/* enum line_edit_state */
	u16 param;			/* of a control sequence: the first one */
	bool param_done;
	bool cr;			/* a LF that follows belongs to the CR */
	/* Lines entered, a ring; line n is history[n % LINE_EDIT_HISTORY]. */
	u32 lines;			/* ever entered */
	u32 back;			/* this many lines back; 0: the new line */
	char saved[LINE_EDIT_MAX];	/* the new line meanwhile */
	char history[LINE_EDIT_HISTORY][LINE_EDIT_MAX];
};

/* prompt: printable, shorter than LINE_EDIT_COLUMNS / 2; both must stay valid. */
void line_edit_init(struct line_edit *e, const char *prompt, const struct line_edit_ops *ops);

/* An empty line: shows the prompt. */
void line_edit_start(struct line_edit *e);

/*
 * Takes one byte.  True: the line is complete, in e->buf, and kept in the
 * history unless it is empty or the same as the last; no line end has been
 * put.  Call line_edit_start before the next byte.
 */
bool line_edit_byte(struct line_edit *e, u8 c);

/* As if typed at the cursor; only printable bytes are taken, as far as they fit. */
void line_edit_insert(struct line_edit *e, const char *s, size_t len);

/* Shows prompt and line again, on the line where the cursor is. */
void line_edit_redraw(struct line_edit *e);

#endif
