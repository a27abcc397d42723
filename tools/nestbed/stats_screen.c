// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_screen.h"

#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nestbed/capture.h"
#include "tools/nestbed/files.h"

/* The newest two dumps, with references. */
static void feed_take(const struct top_feed *f, struct stats_dump **a, struct stats_dump **b,
		      u64 *count)
{
	*count = 1;
	if (f->live) {
		*b = stats_live_dump(f->live, count, a);
		return;
	}
	*a = f->a ? stats_dump_get(f->a) : NULL;
	*b = stats_dump_get(f->b);
}

static void print_table(const struct top_options *o, const struct stats_dump *a,
			const struct stats_dump *b)
{
	struct strbuf text = { 0 };
	struct top_table t;

	top_fill(&t, a, b, &o->view, o->sort);
	top_title(a, b, &text);
	sb_puts(&text, "\n");
	top_head(&t, 0, &text);
	sb_puts(&text, "\n");
	for (size_t i = 0; i < t.n; i++) {
		top_line(&t, i, 0, &text);
		sb_puts(&text, "\n");
	}
	sb_puts(&text, "\n");
	fputs(sb_str(&text), stdout);
	fflush(stdout);
	sb_free(&text);
	top_free(&t);
}

/* Two dumps make a rate: of a live line the first one is only read. */
int top_batch(struct top_feed *f, const struct top_options *o)
{
	struct stats_dump *a, *b;
	u64 seen = 0, count = 0, printed = 0;
	bool damaged = false;

	do {
		if (f->live && !stats_live_wait(f->live, MAX(seen, 1ULL),
						o->timeout + 2 * o->interval)) {
			fprintf(stderr, "nestbed: %s\n", stats_live_closed(f->live) ?
				"the line is closed" : "no statistics came in time");
			return 2;
		}
		feed_take(f, &a, &b, &count);
		seen = count;
		damaged |= b->damaged;
		print_table(o, a, b);
		stats_dump_put(a);
		stats_dump_put(b);
	} while (f->live && (!o->count || ++printed < o->count) && !capture_interrupted());
	return damaged ? 2 : 0;
}

struct screen {
	struct top_feed *feed;
	struct top_options *o;
	struct stats_dump *a, *b;
	u64 count;
	size_t first;		/* row at the top */
	struct stats_filter *filter;
	bool paused;
	bool quit;
	char *note;		/* at the bottom, until the next key */
};

static void put(int y, const char *text)
{
	mvaddnstr(y, 0, text, COLS);
	clrtoeol();
}

static const char keys[] =
	"q quit  f filter  s sort  z zeros  space pause  arrows, page up/down scroll";

static void draw(struct screen *s)
{
	struct strbuf line = { 0 };
	size_t rows = LINES > 4 ? (size_t)LINES - 3 : 1;
	struct top_table t = { 0 };

	if (s->b) {
		top_fill(&t, s->a, s->b, &s->o->view, s->o->sort);
		top_title(s->a, s->b, &line);
	} else {
		sb_puts(&line, "nestbed: waiting for statistics");
	}
	sb_printf(&line, "%s, by %s", s->paused ? ", paused" : "", top_sort_name(s->o->sort));
	s->first = MIN(s->first, t.n > rows ? t.n - rows : 0);
	put(0, sb_str(&line));
	sb_free(&line);
	top_head(&t, (size_t)COLS, &line);
	attron(A_REVERSE);
	put(1, sb_str(&line));
	attroff(A_REVERSE);
	for (size_t i = 0; i < rows; i++) {
		sb_free(&line);
		if (s->first + i < t.n)
			top_line(&t, s->first + i, (size_t)COLS, &line);
		put((int)i + 2, sb_str(&line));
	}
	put(LINES - 1, s->note ? s->note : keys);
	sb_free(&line);
	top_free(&t);
	refresh();
}

/* Asks for a regular expression in the last line; an empty one shows all. */
static void ask_filter(struct screen *s)
{
	struct stats_filter *filter = NULL;
	char text[128] = "", *why = NULL;

	put(LINES - 1, "filter (regular expression for paths): ");
	echo();
	curs_set(1);
	timeout(-1);
	if (getnstr(text, sizeof(text) - 1) == ERR)
		text[0] = '\0';
	timeout(100);
	curs_set(0);
	noecho();
	if (*text)
		filter = stats_filter_new(text, &why);
	if (why) {
		s->note = xasprintf("%s: %s", text, why);
		free(why);
		return;
	}
	stats_filter_free(s->filter);
	s->filter = filter;
	s->o->view.filter = filter;
	s->first = 0;
}

static void scroll_by(struct screen *s, long by)
{
	if (by < 0 && (size_t)-by > s->first)
		s->first = 0;
	else
		s->first += (size_t)by;
}

static void on_key(struct screen *s, int key)
{
	long page = LINES > 4 ? LINES - 3 : 1;

	free(s->note);
	s->note = NULL;
	switch (key) {
	case 'q':
		s->quit = true;
		break;
	case 'f':
	case '/':
		ask_filter(s);
		break;
	case 's':
		s->o->sort = (enum top_sort)((s->o->sort + 1) % TOP_SORT_NR);
		break;
	case 'z':
		s->o->view.zero = !s->o->view.zero;
		break;
	case ' ':
		s->paused = !s->paused;
		break;
	case KEY_UP:
	case KEY_DOWN:
		scroll_by(s, key == KEY_UP ? -1 : 1);
		break;
	case KEY_PPAGE:
	case KEY_NPAGE:
		scroll_by(s, key == KEY_PPAGE ? -page : page);
		break;
	case KEY_HOME:
		s->first = 0;
		break;
	}
}

/* Takes what came since the last time. */
static void update(struct screen *s)
{
	struct stats_dump *a, *b;
	u64 count;

	if (s->paused)
		return;
	feed_take(s->feed, &a, &b, &count);
	stats_dump_put(s->a);
	stats_dump_put(s->b);
	s->a = a;
	s->b = b;
	s->count = count;
	if (s->feed->live && stats_live_closed(s->feed->live) && !s->note)
		s->note = xstrdup("the line is closed; q quits");
}

int top_screen(struct top_feed *f, struct top_options *o)
{
	struct screen s = { .feed = f, .o = o };
	SCREEN *term = newterm(NULL, stdout, stdin);
	bool damaged;

	if (!term) {
		fprintf(stderr, "nestbed: this terminal cannot show a screen; use -b\n");
		return 2;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(100);
	while (!s.quit && !capture_interrupted()) {
		int key;

		update(&s);
		draw(&s);
		key = getch();
		if (key != ERR)
			on_key(&s, key);
	}
	endwin();
	delscreen(term);
	damaged = s.b && s.b->damaged;
	stats_dump_put(s.a);
	stats_dump_put(s.b);
	stats_filter_free(s.filter);
	free(s.note);
	return damaged ? 2 : 0;
}
