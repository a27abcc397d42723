// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_write.h"

#include <stdlib.h>
#include <string.h>

static bool matches(const struct stats_view *v, const struct stats_node *n)
{
	return stats_filter_match(v->filter, n->path);
}

/* n and all above it. */
static void mark_up(const struct stats_dump *d, bool *keep, u32 at)
{
	while (!keep[at]) {
		keep[at] = true;
		at = d->node[at].parent;
	}
}

/* A histogram is shown for its own path or for that of any line of it. */
static void mark_hist(const struct stats_dump *d, const struct stats_view *v, bool *keep, u32 at)
{
	const struct stats_node *dir = &d->node[at], *n;
	bool wanted = matches(v, dir);

	n = stats_child(d, dir, "count");
	if (!v->zero && stats_value_zero(&n->value))
		return;
	for (n = stats_first(d, dir); n && !wanted; n = stats_next(d, n))
		wanted = matches(v, n);
	if (!wanted)
		return;
	for (n = stats_first(d, dir); n; n = stats_next(d, n))
		mark_up(d, keep, (u32)(n - d->node));
}

bool *stats_select(const struct stats_dump *d, const struct stats_view *v)
{
	bool *keep = xcalloc(d->n, sizeof(*keep));

	keep[0] = true;
	for (size_t i = 1; i < d->n; i++) {
		const struct stats_node *n = &d->node[i];

		if (stats_is_hist(d, n))
			mark_hist(d, v, keep, (u32)i);
		if (!n->has_value || stats_is_hist(d, &d->node[n->parent]))
			continue;
		if ((v->zero || !stats_value_zero(&n->value)) && matches(v, n))
			mark_up(d, keep, (u32)i);
	}
	return keep;
}

void stats_spark(const struct stats_hist *h, bool utf8, struct strbuf *out)
{
	static const char *const blocks[] = {
		"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588",
	};
	static const char *const ascii[] = { ".", ":", "-", "=", "+", "*", "#", "@" };
	const size_t most = 24, step = (h->n + most - 1) / most;
	u64 highest = 0;

	for (size_t i = 0; i < h->n; i++)
		highest = MAX(highest, h->bucket[i].count);
	/* Of more buckets than fit, the fullest of each few. */
	for (size_t i = 0; i < h->n; i += step) {
		u64 here = 0;
		size_t level;

		for (size_t k = i; k < MIN(i + step, h->n); k++)
			here = MAX(here, h->bucket[k].count);
		level = highest ? (size_t)(7.0 * (double)here / (double)highest) : 0;
		sb_puts(out, utf8 ? blocks[MIN(level, (size_t)7)] : ascii[MIN(level, (size_t)7)]);
	}
}

/* A line of the tree before it is aligned. */
struct row {
	char *name;		/* with the branches in front */
	size_t width;		/* of name on the screen */
	char *value, *unit, *note;
};

struct tree {
	const struct stats_dump *d;
	const struct stats_view *v;
	const bool *keep;
	struct row *row;
	size_t n;
	struct strbuf branch;	/* what stands in front of the children's names */
};

static struct row *add_row(struct tree *t, const struct stats_node *n, const char *tail, bool last)
{
	static const char *const utf8[] = { "\u251c\u2500\u2500 ", "\u2514\u2500\u2500 " };
	static const char *const ascii[] = { "|-- ", "`-- " };
	struct row *r;

	if (!(t->n & (t->n - 1)))
		t->row = xrealloc(t->row, t->n ? t->n * 2 : 1, sizeof(*t->row));
	r = &t->row[t->n++];
	*r = (struct row){
		.name = xasprintf("%s%s%s%s", sb_str(&t->branch), (t->v->utf8 ? utf8 : ascii)[last],
				  n->name, tail),
		.width = 4 * n->depth + strlen(n->name) + strlen(tail),
	};
	return r;
}

static void value_row(struct tree *t, const struct stats_node *n, bool last)
{
	struct row *r = add_row(t, n, "", last);
	char text[64];

	stats_value_text(&n->value, text, sizeof(text));
	r->value = xstrdup(text);
	r->unit = xstrdup(n->value.unit);
	stats_kind_text(&n->value, text, sizeof(text));
	r->note = xstrdup(text);
}

/* A histogram in one line. */
static void hist_row(struct tree *t, const struct stats_node *n, bool last)
{
	struct row *r = add_row(t, n, "", last);
	struct strbuf note = { 0 };
	struct stats_hist h;

	stats_hist_read(t->d, n, &h);
	r->value = xasprintf("%llu", (unsigned long long)h.count);
	r->unit = xstrdup("samples");
	sb_printf(&note, "p50 %llu  p90 %llu  p99 %llu %s", (unsigned long long)h.p50,
		  (unsigned long long)h.p90, (unsigned long long)h.p99, h.unit);
	if (h.n > 1) {
		sb_puts(&note, "  ");
		stats_spark(&h, t->v->utf8, &note);
	}
	r->note = note.s;
	stats_hist_free(&h);
}

/* A directory: its labels stand where a value has its aggregate. */
static void dir_row(struct tree *t, const struct stats_node *n, bool last)
{
	struct row *r = add_row(t, n, n->has_value ? "/" : "", last);
	struct strbuf note = { 0 };

	for (size_t i = 0; i < n->nlabels; i++)
		sb_printf(&note, "%s%s=\"%s\"", i ? " " : "", n->label[i].key, n->label[i].value);
	r->note = note.s;
}

static const struct stats_node *next_kept(const struct tree *t, const struct stats_node *n)
{
	while (n && !t->keep[n - t->d->node])
		n = stats_next(t->d, n);
	return n;
}

static void children(struct tree *t, const struct stats_node *dir);

/* A name that is a value and a directory has a row for each. */
static void node_rows(struct tree *t, const struct stats_node *n, bool last)
{
	bool hist = stats_is_hist(t->d, n);
	const struct stats_node *inside = next_kept(t, stats_first(t->d, n));
	bool open = inside && (!hist || t->v->buckets) &&
		    (!t->v->depth || n->depth < t->v->depth);
	size_t len = t->branch.len;

	if (n->has_value)
		value_row(t, n, last && !inside);
	if (hist)
		hist_row(t, n, last);
	else if (inside || n->nlabels)
		dir_row(t, n, last);
	if (!open)
		return;
	sb_puts(&t->branch, last ? "    " : t->v->utf8 ? "\u2502   " : "|   ");
	children(t, n);
	t->branch.len = len;
	t->branch.s[len] = '\0';
}

static void children(struct tree *t, const struct stats_node *dir)
{
	const struct stats_node *n = next_kept(t, stats_first(t->d, dir)), *next;

	for (; n; n = next) {
		next = next_kept(t, stats_next(t->d, n));
		node_rows(t, n, !next);
	}
}

static void print_row(const struct row *r, size_t name, size_t value, size_t unit,
		      struct strbuf *out)
{
	sb_puts(out, r->name);
	if (r->value || r->note)
		sb_printf(out, "%*s", (int)(name > r->width ? name - r->width : 0), "");
	if (r->value)
		sb_printf(out, "  %*s %-*s", (int)value, r->value, (int)unit, r->unit);
	if (r->note)
		sb_printf(out, "  %s", r->note);
	sb_puts(out, "\n");
}

static void print_rows(const struct tree *t, struct strbuf *out)
{
	/* A few very long names must not push all numbers off the screen. */
	const size_t widest = 56;
	size_t name = 0, value = 0, unit = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct row *r = &t->row[i];

		if (!r->value)
			continue;
		name = MAX(name, MIN(r->width, widest));
		value = MAX(value, strlen(r->value));
		unit = MAX(unit, strlen(r->unit));
	}
	for (size_t i = 0; i < t->n; i++)
		print_row(&t->row[i], name, value, unit, out);
}

void stats_show(const struct stats_dump *d, const struct stats_view *v, struct strbuf *out)
{
	bool *keep = stats_select(d, v);
	struct tree t = { .d = d, .v = v, .keep = keep };
	size_t shown = 0;

	for (size_t i = 0; i < d->n; i++)
		shown += keep[i] && d->node[i].has_value;
	sb_printf(out, "dump %llu, ", (unsigned long long)d->seq);
	sb_us(out, d->us);
	sb_printf(out, " after boot, %zu values, %zu shown\n/\n", d->values, shown);
	children(&t, &d->node[0]);
	print_rows(&t, out);
	for (size_t i = 0; i < t.n; i++) {
		free(t.row[i].name);
		free(t.row[i].value);
		free(t.row[i].unit);
		free(t.row[i].note);
	}
	free(t.row);
	sb_free(&t.branch);
	free(keep);
}
