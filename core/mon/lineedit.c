// SPDX-License-Identifier: MIT
#include "core/mon/lineedit.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"

#define CTRL(c)		((c) & 0x1f)
#define KEY_ESC		0x1b
#define KEY_DEL		0x7f

static void put(struct line_edit *e, const char *s, size_t len)
{
	if (len)
		e->ops->put(e->ops->ctx, s, len);
}

/* Columns for the text, with one for the cursor behind it. */
static u32 columns(const struct line_edit *e)
{
	return LINE_EDIT_COLUMNS - (u32)strlen(e->prompt) - 1;
}

void line_edit_redraw(struct line_edit *e)
{
	u32 cols = columns(e);
	u32 shown;
	char move[16];

	if (e->pos < e->first || e->pos - e->first > cols)
		e->first = e->pos > cols / 2 ? e->pos - cols / 2 : 0;
	shown = MIN(e->len - e->first, cols);
	put(e, "\r", 1);
	put(e, e->prompt, strlen(e->prompt));
	put(e, e->buf + e->first, shown);
	put(e, "\x1b[K", 3);
	/* CUB 0 would move by one. */
	if (e->first + shown > e->pos)
		put(e, move, (size_t)nb_snprintf(move, sizeof(move), "\x1b[%uD",
						 e->first + shown - e->pos));
}

static void set_line(struct line_edit *e, const char *s)
{
	str_copy(e->buf, s, sizeof(e->buf));
	e->len = (u32)strlen(e->buf);
	e->pos = e->len;
	e->first = 0;
	line_edit_redraw(e);
}

static void erase(struct line_edit *e, u32 from, u32 to)
{
	if (from == to)
		return;
	memmove(e->buf + from, e->buf + to, e->len - to + 1);
	e->len -= to - from;
	e->pos = from;
	line_edit_redraw(e);
}

void line_edit_insert(struct line_edit *e, const char *s, size_t len)
{
	u32 old = e->len;

	for (size_t i = 0; i < len && e->len < LINE_EDIT_MAX - 1; i++) {
		if (s[i] < ' ' || s[i] > '~')
			continue;
		memmove(e->buf + e->pos + 1, e->buf + e->pos, e->len - e->pos + 1);
		e->buf[e->pos++] = s[i];
		e->len++;
	}
	/* Typing at the end, the common case, costs one byte of echo each. */
	if (e->pos == e->len && e->len - e->first <= columns(e))
		put(e, e->buf + old, e->len - old);
	else if (e->len != old)
		line_edit_redraw(e);
}

static void move_to(struct line_edit *e, u32 pos)
{
	if (pos == e->pos)
		return;
	e->pos = pos;
	line_edit_redraw(e);
}

static void key_home(struct line_edit *e)
{
	move_to(e, 0);
}

static void key_end(struct line_edit *e)
{
	move_to(e, e->len);
}

static void key_left(struct line_edit *e)
{
	move_to(e, e->pos ? e->pos - 1 : 0);
}

static void key_right(struct line_edit *e)
{
	move_to(e, MIN(e->pos + 1, e->len));
}

static void key_backspace(struct line_edit *e)
{
	if (e->pos)
		erase(e, e->pos - 1, e->pos);
}

static void key_delete(struct line_edit *e)
{
	if (e->pos < e->len)
		erase(e, e->pos, e->pos + 1);
}

static void key_kill_end(struct line_edit *e)
{
	erase(e, e->pos, e->len);
}

static void key_kill_start(struct line_edit *e)
{
	erase(e, 0, e->pos);
}

static void key_kill_word(struct line_edit *e)
{
	u32 from = e->pos;

	while (from && e->buf[from - 1] == ' ')
		from--;
	while (from && e->buf[from - 1] != ' ')
		from--;
	erase(e, from, e->pos);
}

static void key_cancel(struct line_edit *e)
{
	e->back = 0;
	set_line(e, "");
}

static void key_complete(struct line_edit *e)
{
	if (e->ops->complete)
		e->ops->complete(e->ops->ctx);
}

/* Goes to the line that was entered `back` lines ago. */
static void recall(struct line_edit *e, u32 back)
{
	if (back > MIN(e->lines, (u32)LINE_EDIT_HISTORY))
		return;
	if (!e->back)
		str_copy(e->saved, e->buf, sizeof(e->saved));
	e->back = back;
	set_line(e, back ? e->history[(e->lines - back) % LINE_EDIT_HISTORY] : e->saved);
}

static void key_up(struct line_edit *e)
{
	recall(e, e->back + 1);
}

static void key_down(struct line_edit *e)
{
	if (e->back)
		recall(e, e->back - 1);
}

struct key {
	u8 c;
	void (*fn)(struct line_edit *e);
};

static const struct key control_keys[] = {
	{ CTRL('A'), key_home },	{ CTRL('E'), key_end },
	{ CTRL('B'), key_left },	{ CTRL('F'), key_right },
	{ CTRL('P'), key_up },		{ CTRL('N'), key_down },
	{ CTRL('H'), key_backspace },	{ KEY_DEL, key_backspace },
	{ CTRL('D'), key_delete },	{ CTRL('K'), key_kill_end },
	{ CTRL('U'), key_kill_start },	{ CTRL('W'), key_kill_word },
	{ CTRL('C'), key_cancel },	{ CTRL('L'), line_edit_redraw },
	{ CTRL('I'), key_complete },
};

/* Final bytes of "ESC [" and "ESC O" sequences (ECMA-48, VT220). */
static const struct key arrow_keys[] = {
	{ 'A', key_up },   { 'B', key_down }, { 'C', key_right },
	{ 'D', key_left }, { 'H', key_home }, { 'F', key_end },
};

/* Numbers of "ESC [ number ~". */
static const struct key number_keys[] = {
	{ 1, key_home }, { 7, key_home }, { 4, key_end }, { 8, key_end }, { 3, key_delete },
};

static void press(struct line_edit *e, const struct key *key, size_t n, u32 c)
{
	for (size_t i = 0; i < n; i++) {
		if (key[i].c == c) {
			key[i].fn(e);
			return;
		}
	}
}

/* A byte of an escape sequence; what is unknown is swallowed to its end. */
static void escape_byte(struct line_edit *e, u8 c)
{
	if (e->state == LINE_ESC) {
		e->param = 0;
		e->param_done = false;
		e->state = c == '[' ? LINE_CSI : c == 'O' ? LINE_SS3 : LINE_PLAIN;
		return;
	}
	/* Control sequences: parameters 0x20-0x3f, then one byte from 0x40 on. */
	if (c >= 0x20 && c < 0x40) {
		if (c < '0' || c > '9')
			e->param_done = true;
		else if (!e->param_done && e->param < 1000)
			e->param = (u16)(e->param * 10 + (c - '0'));
		return;
	}
	e->state = LINE_PLAIN;
	if (c == '~')
		press(e, number_keys, ARRAY_SIZE(number_keys), e->param);
	else
		press(e, arrow_keys, ARRAY_SIZE(arrow_keys), c);
}

static void remember(struct line_edit *e)
{
	if (!e->len)
		return;
	if (e->lines && !strcmp(e->history[(e->lines - 1) % LINE_EDIT_HISTORY], e->buf))
		return;
	str_copy(e->history[e->lines % LINE_EDIT_HISTORY], e->buf, LINE_EDIT_MAX);
	e->lines++;
}

bool line_edit_byte(struct line_edit *e, u8 c)
{
	bool after_cr = e->cr;

	e->cr = c == '\r';
	if (c == '\n' && after_cr)
		return false;
	if (c == '\r' || c == '\n') {
		e->state = LINE_PLAIN;
		remember(e);
		return true;
	}
	if (c == KEY_ESC)
		e->state = LINE_ESC;
	else if (e->state != LINE_PLAIN)
		escape_byte(e, c);
	else if (c >= ' ' && c <= '~')
		line_edit_insert(e, (const char *)&c, 1);
	else
		press(e, control_keys, ARRAY_SIZE(control_keys), c);
	return false;
}

void line_edit_init(struct line_edit *e, const char *prompt, const struct line_edit_ops *ops)
{
	memset(e, 0, sizeof(*e));
	e->prompt = prompt;
	e->ops = ops;
}

void line_edit_start(struct line_edit *e)
{
	e->back = 0;
	e->state = LINE_PLAIN;
	set_line(e, "");
}
