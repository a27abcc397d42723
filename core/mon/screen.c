// SPDX-License-Identifier: MIT
#include "core/mon/screen.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mon/font8x16.h"

/* From this width on, glyphs are drawn twice as large. */
#define SCALE2_WIDTH	1800
/* The verdict's letters are this many times larger than the text. */
#define BIG_SCALE	3
/* A cell whose dots are something else than text: redrawn in any case. */
#define CELL_STALE	0

/* VGA text attributes and 8:8:8 colours, by enum screen_color. */
static const struct {
	u8 attr;
	u8 rgb[3];
} palette[COLOR_COUNT] = {
	[COLOR_NORMAL] = { 0x07, { 0xd0, 0xd0, 0xd0 } },
	[COLOR_DIM]    = { 0x08, { 0x80, 0x80, 0x80 } },
	[COLOR_GREEN]  = { 0x0a, { 0x40, 0xe0, 0x60 } },
	[COLOR_RED]    = { 0x0c, { 0xff, 0x50, 0x50 } },
	[COLOR_YELLOW] = { 0x0e, { 0xff, 0xd8, 0x40 } },
};

static u32 color_bits(u8 level, u8 size, u8 pos)
{
	return (u32)(size >= 8 ? (u32)level << (size - 8) : (u32)level >> (8 - size)) << pos;
}

static bool starts_with(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && !strncmp(s, prefix, n);
}

static void sink_line(void *ctx, const char *s, size_t len)
{
	static const struct {
		const char *prefix;
		enum screen_color color;
	} colors[] = {
		{ "not ok", COLOR_RED },
		{ "# error", COLOR_RED },
		{ "# warning", COLOR_YELLOW },
		{ "# ", COLOR_DIM },
		{ "", COLOR_NORMAL },
	};
	u32 i = 0;

	/* Machine lines repeat for programs what KTAP says to people. */
	if (starts_with(s, len, "@nestbed "))
		return;
	while (!starts_with(s, len, colors[i].prefix))
		i++;
	screen_line(ctx, colors[i].color, s, len);
}

static bool channel_ok(u8 pos, u8 size, u8 bpp)
{
	return size <= 16 && pos + size <= bpp;
}

static bool framebuffer_ok(const struct screen_mode *m)
{
	u32 bytes = (m->bpp + 7u) / 8;

	if (m->width < FONT_WIDTH || m->height < FONT_HEIGHT)
		return false;
	/* Keeps sums of these numbers inside 32 bits. */
	if (m->width > 16384 || m->height > 16384 || m->pitch < m->width * bytes)
		return false;
	if (m->bpp != 15 && m->bpp != 16 && m->bpp != 24 && m->bpp != 32)
		return false;
	return channel_ok(m->red_pos, m->red_size, m->bpp) &&
	       channel_ok(m->green_pos, m->green_size, m->bpp) &&
	       channel_ok(m->blue_pos, m->blue_size, m->bpp);
}

static bool mode_ok(const struct screen_mode *m)
{
	if (!m->mem || !m->width || !m->height)
		return false;
	if (m->kind == SCREEN_VGA_TEXT)
		return m->pitch >= m->width * 2;
	return m->kind == SCREEN_FRAMEBUFFER && framebuffer_ok(m);
}

static void put_pixel(u8 *p, u32 bytes, u32 v)
{
	/* Whole stores: video memory is slow, and bytes may tear. */
	if (bytes == 4) {
		*(volatile u32 *)p = v;
	} else if (bytes == 2) {
		*(volatile u16 *)p = (u16)v;
	} else {
		p[0] = (u8)v;
		p[1] = (u8)(v >> 8);
		p[2] = (u8)(v >> 16);
	}
}

/* One glyph with its upper left corner at dot (x, y), which must be inside. */
static void draw_glyph(const struct screen *s, u32 x, u32 y, u32 scale, u8 c,
		       enum screen_color color)
{
	const u8 *glyph = font_glyph(c);
	u32 bytes = (s->mode.bpp + 7u) / 8;

	for (u32 row = 0; row < FONT_HEIGHT * scale; row++) {
		u8 *p = (u8 *)s->mode.mem + (u64)(y + row) * s->mode.pitch + (u64)x * bytes;
		u8 bits = glyph[row / scale];

		for (u32 col = 0; col < FONT_WIDTH * scale; col++, p += bytes) {
			bool on = bits & (0x80 >> (col / scale));

			put_pixel(p, bytes, on ? s->pixel[color] : s->background);
		}
	}
}

static void draw_cell(const struct screen *s, u32 row, u32 col)
{
	u16 cell = s->cell[row][col];
	u8 c = (u8)cell;
	enum screen_color color = cell >> 8;

	if (s->mode.kind == SCREEN_VGA_TEXT) {
		volatile u16 *p = (u16 *)((u8 *)s->mode.mem + row * s->mode.pitch);

		p[col] = (u16)(palette[color].attr << 8 | c);
		return;
	}
	draw_glyph(s, col * FONT_WIDTH * s->scale, row * FONT_HEIGHT * s->scale, s->scale, c,
		   color);
}

static void set_cell(struct screen *s, u32 row, u32 col, enum screen_color color, char c)
{
	u16 cell = (u16)(color << 8 | (u8)c);

	/* A blank looks the same in each colour. */
	if (c == ' ')
		cell = COLOR_NORMAL << 8 | ' ';
	if (s->cell[row][col] == cell)
		return;
	s->cell[row][col] = cell;
	draw_cell(s, row, col);
}

static void clear(struct screen *s)
{
	for (u32 row = 0; row < s->rows; row++)
		for (u32 col = 0; col < s->cols; col++)
			set_cell(s, row, col, COLOR_NORMAL, ' ');
	s->row = 0;
}

int screen_init(struct screen *s, const struct screen_mode *mode)
{
	u32 cell_w = 1, cell_h = 1;

	memset(s, 0, sizeof(*s));
	if (!mode_ok(mode))
		return -EINVAL;
	s->mode = *mode;
	s->scale = 1;
	s->sink = (struct log_sink){ .line = sink_line, .ctx = s };
	if (mode->kind == SCREEN_FRAMEBUFFER) {
		s->scale = mode->width >= SCALE2_WIDTH ? 2 : 1;
		cell_w = FONT_WIDTH * s->scale;
		cell_h = FONT_HEIGHT * s->scale;
		for (u32 i = 0; i < COLOR_COUNT; i++)
			s->pixel[i] = color_bits(palette[i].rgb[0], mode->red_size, mode->red_pos) |
				color_bits(palette[i].rgb[1], mode->green_size, mode->green_pos) |
				color_bits(palette[i].rgb[2], mode->blue_size, mode->blue_pos);
	}
	s->cols = MIN(mode->width / cell_w, (u32)SCREEN_MAX_COLS);
	s->rows = MIN(mode->height / cell_h, (u32)SCREEN_MAX_ROWS);
	/* All cells are CELL_STALE now: clear draws each of them. */
	clear(s);
	return 0;
}

/*
 * Half a page at once: on slow video memory one redraw then serves many
 * lines, and only cells that differ are drawn.
 */
static void scroll(struct screen *s)
{
	u32 up = MAX(s->rows / 2, 1u);

	for (u32 row = 0; row < s->rows; row++) {
		for (u32 col = 0; col < s->cols; col++) {
			u16 cell = row + up < s->rows ? s->cell[row + up][col] : CELL_STALE;

			set_cell(s, row, col, cell >> 8, cell == CELL_STALE ? ' ' : (char)cell);
		}
	}
	s->row -= up;
}

void screen_line(struct screen *s, enum screen_color color, const char *text, size_t len)
{
	if (!s->cols)
		return;
	do {
		size_t n = MIN(len, (size_t)s->cols);

		if (s->row == s->rows)
			scroll(s);
		for (u32 col = 0; col < s->cols; col++)
			set_cell(s, s->row, col, color, col < n ? text[col] : ' ');
		s->row++;
		text += n;
		len -= n;
	} while (len);
}

/* Code page 437, which VGA text shows: blocks that fill half or all of a cell. */
static u8 half_block(bool top, bool bottom)
{
	static const u8 block[] = { ' ', 0xdc, 0xdf, 0xdb };

	return block[top << 1 | bottom];
}

/* One letter on VGA text: each dot is half a cell; rows 2 to 13 of the glyph. */
static void draw_block_letter(struct screen *s, u32 col, u8 c, enum screen_color color)
{
	const u8 *glyph = font_glyph(c);

	for (u32 row = 0; row < 6; row++) {
		u8 top = glyph[2 * row + 2], bottom = glyph[2 * row + 3];

		for (u32 x = 0; x < FONT_WIDTH; x++)
			set_cell(s, row + 1, col + x, color,
				 (char)half_block(top & (0x80 >> x), bottom & (0x80 >> x)));
	}
}

/* The verdict in capitals, as large as fits: returns the rows that it takes. */
static u32 draw_verdict(struct screen *s, const char *verdict, enum screen_color color)
{
	bool vga = s->mode.kind == SCREEN_VGA_TEXT;
	u32 width = vga ? FONT_WIDTH : BIG_SCALE;
	u32 height = vga ? 6 : BIG_SCALE;

	if (strlen(verdict) * width > s->cols || height + 4 > s->rows) {
		screen_line(s, color, verdict, strlen(verdict));
		return s->row;
	}
	for (u32 col = 0; *verdict; verdict++, col += width) {
		char c = *verdict >= 'a' && *verdict <= 'z' ? *verdict - 0x20 : *verdict;

		if (vga)
			draw_block_letter(s, col, (u8)c, color);
		else
			draw_glyph(s, col * FONT_WIDTH * s->scale, FONT_HEIGHT * s->scale,
				   BIG_SCALE * s->scale, (u8)c, color);
	}
	/* Large dots are no text: whatever comes there later is drawn anew. */
	for (u32 row = 0; row < height + 1; row++)
		memset(s->cell[row], CELL_STALE, sizeof(s->cell[row]));
	return height + 2;
}

static void print_failed(struct screen *s, const char *const *failed, u32 n)
{
	char line[SCREEN_MAX_COLS + 1];
	u32 room = s->rows > s->row + 2 ? s->rows - s->row - 2 : 0;
	u32 shown = n <= room ? n : (room ? room - 1 : 0);

	for (u32 i = 0; i < shown; i++) {
		nb_snprintf(line, sizeof(line), "  %s", failed[i]);
		screen_line(s, COLOR_RED, line, MIN(strlen(line), (size_t)s->cols));
	}
	if (shown < n) {
		nb_snprintf(line, sizeof(line), "  and %u more", n - shown);
		screen_line(s, COLOR_RED, line, strlen(line));
	}
}

void screen_summary(struct screen *s, const char *verdict, const struct screen_counts *counts,
		    const char *const *failed, u32 n)
{
	enum screen_color color = COLOR_YELLOW;
	char line[SCREEN_MAX_COLS + 1];

	if (!s->cols)
		return;
	if (!strcmp(verdict, "pass"))
		color = COLOR_GREEN;
	else if (!strcmp(verdict, "fail"))
		color = COLOR_RED;
	clear(s);
	s->row = draw_verdict(s, verdict, color);
	nb_snprintf(line, sizeof(line), "  passed %u  failed %u  errors %u  skipped %u  known %u",
		    counts->passed, counts->failed, counts->errors, counts->skipped,
		    counts->known);
	screen_line(s, COLOR_NORMAL, line, strlen(line));
	screen_line(s, COLOR_NORMAL, "", 0);
	if (n)
		print_failed(s, failed, n);
}
