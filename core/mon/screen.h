/* SPDX-License-Identifier: MIT */
/*
 * Text on VGA text memory or a linear framebuffer.  Pure: it only writes
 * through the pointer it is given and never reads video memory (a shadow
 * buffer holds the text).
 */
#ifndef CORE_MON_SCREEN_H
#define CORE_MON_SCREEN_H

#include "core/lib/base.h"
#include "core/mon/log.h"

enum screen_kind { SCREEN_NONE, SCREEN_VGA_TEXT, SCREEN_FRAMEBUFFER };

#define SCREEN_MAX_COLS	160
#define SCREEN_MAX_ROWS	64

/* As the multiboot 2 framebuffer tag has it. */
struct screen_mode {
	enum screen_kind kind;
	void *mem;			/* mapped; uncached or write-combining */
	u32 pitch;			/* bytes per line */
	u32 width, height;		/* pixels; cells for VGA text */
	u8 bpp;				/* 15 16 24 32 */
	u8 red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
};

enum screen_color { COLOR_NORMAL, COLOR_DIM, COLOR_GREEN, COLOR_RED, COLOR_YELLOW, COLOR_COUNT };

struct screen_counts {
	u32 passed, failed, skipped, errors, known;
};

struct screen {
	struct screen_mode mode;
	u32 cols, rows, scale;		/* scale: 1 or 2 */
	u32 row;			/* next line to write */
	u32 pixel[COLOR_COUNT];		/* in the framebuffer's format */
	u32 background;
	u16 cell[SCREEN_MAX_ROWS][SCREEN_MAX_COLS];	/* colour << 8 | character */
	struct log_sink sink;
};

/* 0, or -EINVAL (mode that cannot be used; the screen then ignores output). */
int __must_check screen_init(struct screen *s, const struct screen_mode *mode);

/* One line; longer ones wrap; scrolls. */
void screen_line(struct screen *s, enum screen_color color, const char *text, size_t len);

/*
 * The final page: verdict ("pass", "fail", "incomplete", large and coloured),
 * counts, and as many of the n failed names as fit ("and N more").
 */
void screen_summary(struct screen *s, const char *verdict, const struct screen_counts *counts,
		    const char *const *failed, u32 n);

#endif
