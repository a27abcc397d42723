// SPDX-License-Identifier: MIT
#include "core/mon/line.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"

/* The prefix and the line end of a guest's line, for its output budget. */
#define GUEST_LINE_COST	8

/* The text of one byte in out (at most 4 characters); returns its length. */
static size_t escape_byte(char out[4], u8 c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '\t')
		c = ' ';
	if (c > 0x7e)
		c = '?';
	if (c >= ' ') {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

size_t line_escape(char *dst, size_t size, const char *src, size_t len)
{
	size_t n = 0;
	char e[4];

	for (size_t i = 0; i < len; i++) {
		size_t k = escape_byte(e, (u8)src[i]);

		if (n + k >= size)
			break;
		memcpy(dst + n, e, k);
		n += k;
	}
	dst[n] = '\0';
	return n;
}

void line_split(const char *text, void (*emit)(void *ctx, const char *s, size_t len), void *ctx)
{
	while (*text) {
		const char *end = strchr(text, '\n');
		size_t len = end ? (size_t)(end - text) : strlen(text);
		size_t keep = len;

		if (end && keep && text[keep - 1] == '\r')
			keep--;
		emit(ctx, text, keep);
		text += len + (end ? 1 : 0);
	}
}

static void guest_flush(struct guest_line *g, line_emit_fn emit, void *ctx)
{
	g->buf[g->len] = '\0';
	g->sent += g->len + GUEST_LINE_COST;
	g->len = 0;
	emit(ctx, g->buf);
}

static void guest_append(struct guest_line *g, u8 c, line_emit_fn emit, void *ctx)
{
	char e[4];
	size_t k = escape_byte(e, c);

	if (g->len + k > GUEST_LINE_MAX)
		guest_flush(g, emit, ctx);
	memcpy(g->buf + g->len, e, k);
	g->len += (u16)k;
	g->broken = false;
}

/* Said when it happens: whoever watches would wait for a guest that is not silent. */
static void say_limit(struct guest_line *g, u32 limit, line_emit_fn emit, void *ctx)
{
	char note[64];

	if (g->len)
		guest_flush(g, emit, ctx);
	nb_snprintf(note, sizeof(note), "(more than %u bytes, the rest is dropped)", limit);
	emit(ctx, note);
}

void guest_line_putc(struct guest_line *g, u8 c, line_emit_fn emit, void *ctx)
{
	u32 limit = g->limit ? g->limit : GUEST_OUTPUT_LIMIT;
	bool cr = g->cr;

	g->idle = false;
	if (g->sent + g->len >= limit) {
		if (!g->dropped++)
			say_limit(g, limit, emit, ctx);
		return;
	}
	g->cr = c == '\r';
	if (c == '\n') {
		if (g->len || !g->broken)
			guest_flush(g, emit, ctx);
		g->broken = false;
		return;
	}
	if (c == '\r')
		return;
	/* A bare CR would overwrite the line on a terminal: starts a new one. */
	if (cr && g->len)
		guest_flush(g, emit, ctx);
	guest_append(g, c, emit, ctx);
}

bool guest_line_idle(struct guest_line *g, u64 now_us)
{
	if (!g->len)
		return false;
	if (!g->idle) {
		g->idle = true;
		g->since_us = now_us;
	}
	return now_us - g->since_us >= GUEST_IDLE_US;
}

void guest_line_break(struct guest_line *g, line_emit_fn emit, void *ctx)
{
	if (!g->len)
		return;
	guest_flush(g, emit, ctx);
	g->broken = true;
}

void guest_line_end(struct guest_line *g, line_emit_fn emit, void *ctx)
{
	u32 limit = g->limit;
	char note[64];

	if (g->len)
		guest_flush(g, emit, ctx);
	if (g->dropped) {
		nb_snprintf(note, sizeof(note), "(%llu more bytes dropped)",
			    (unsigned long long)g->dropped);
		emit(ctx, note);
	}
	memset(g, 0, sizeof(*g));
	g->limit = limit;
}
