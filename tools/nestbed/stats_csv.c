// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 4180 2.6, 2.7: quotes around what has a comma or a quote, quotes doubled. */
static void field(struct strbuf *out, const char *s)
{
	if (!strpbrk(s, ",\"")) {
		sb_puts(out, s);
		return;
	}
	sb_puts(out, "\"");
	for (; *s; s++)
		sb_puts(out, *s == '"' ? "\"\"" : (char[]){ *s, '\0' });
	sb_puts(out, "\"");
}

void stats_csv_head(struct strbuf *out)
{
	sb_puts(out, "seq,us,path,value,unit,aggregate,flags\n");
}

void stats_csv(const struct stats_dump *d, const struct stats_view *v, struct strbuf *out)
{
	bool *keep = stats_select(d, v);
	char text[64], *flags;

	for (size_t i = 1; i < d->n; i++) {
		const struct stats_node *n = &d->node[i];

		if (!n->has_value || !keep[i])
			continue;
		sb_printf(out, "%llu,%llu,", (unsigned long long)d->seq,
			  (unsigned long long)d->us);
		field(out, n->path);
		stats_value_text(&n->value, text, sizeof(text));
		sb_printf(out, ",%s,%s,", text, n->value.unit);
		stats_kind_text(&n->value, text, sizeof(text));
		/* Several flags in one field, without the need of quotes. */
		flags = text + strcspn(text, ",");
		if (*flags)
			*flags++ = '\0';
		for (char *p = flags; *p; p++)
			*p = *p == ',' ? ' ' : *p;
		sb_printf(out, "%s,%s\n", text, flags);
	}
	free(keep);
}

void stats_delta_text(const struct stats_value *a, const struct stats_value *b, char *buf,
		      size_t size)
{
	/* Each magnitude is below 2^64: the difference may need a bit more. */
	__int128 x = a->negative ? -(__int128)a->magnitude : (__int128)a->magnitude;
	__int128 y = b->negative ? -(__int128)b->magnitude : (__int128)b->magnitude;
	__int128 by = y > x ? y - x : x - y;
	const __int128 cut = 1000000000000000000LL;
	const char *sign = y > x ? "+" : y < x ? "-" : "";

	if (by >= cut)
		snprintf(buf, size, "%s%llu%018llu", sign, (unsigned long long)(by / cut),
			 (unsigned long long)(by % cut));
	else
		snprintf(buf, size, "%s%llu", sign, (unsigned long long)by);
}

double stats_rate(const struct stats_dump *da, const struct stats_value *a,
		  const struct stats_dump *db, const struct stats_value *b)
{
	double rose;

	if (db->us <= da->us || !stats_value_counts(b) || b->negative || a->negative)
		return NAN;
	rose = (double)(b->magnitude >= a->magnitude ? b->magnitude - a->magnitude :
							b->magnitude);
	return rose * 1e6 / (double)(db->us - da->us);
}

void stats_rate_text(double rate, char *buf, size_t size)
{
	if (!isfinite(rate))
		snprintf(buf, size, "%s", "");
	else
		snprintf(buf, size, rate >= 100 ? "%.0f" : "%.2f", rate);
}

struct column {
	size_t path, before, after, delta, rate;
};

/* One line of the comparison; a NULL value was not there. */
struct diff_row {
	const char *path;
	char before[24], after[24], delta[32], rate[400];
	const char *unit;
};

static void fill_row(struct diff_row *r, const struct stats_dump *a, const struct stats_node *na,
		     const struct stats_dump *b, const struct stats_node *nb)
{
	*r = (struct diff_row){ .path = (nb ? nb : na)->path };
	r->unit = (nb ? nb : na)->value.unit;
	snprintf(r->before, sizeof(r->before), "-");
	snprintf(r->after, sizeof(r->after), "-");
	if (na)
		stats_value_text(&na->value, r->before, sizeof(r->before));
	if (nb)
		stats_value_text(&nb->value, r->after, sizeof(r->after));
	if (!na || !nb) {
		snprintf(r->delta, sizeof(r->delta), na ? "gone" : "new");
		return;
	}
	stats_delta_text(&na->value, &nb->value, r->delta, sizeof(r->delta));
	stats_rate_text(stats_rate(a, &na->value, b, &nb->value), r->rate, sizeof(r->rate));
}

struct diff {
	const struct stats_dump *a, *b;
	const struct stats_view *v;
	bool all;
	struct diff_row *row;
	size_t n;
};

static void compare(struct diff *f, const struct stats_node *na, const struct stats_node *nb)
{
	const struct stats_node *n = nb ? nb : na;

	if (!stats_filter_match(f->v->filter, n->path))
		return;
	if (!f->all && na && nb && !stats_value_cmp(&na->value, &nb->value))
		return;
	if (!(f->n & (f->n - 1)))
		f->row = xrealloc(f->row, f->n ? f->n * 2 : 1, sizeof(*f->row));
	fill_row(&f->row[f->n++], f->a, na, f->b, nb);
}

/* All of b in its order, then what only a has. */
static void compare_all(struct diff *f)
{
	const struct stats_node *n, *other;

	for (size_t i = 1; i < f->b->n; i++) {
		n = &f->b->node[i];
		other = n->has_value ? stats_find(f->a, n->path) : NULL;
		if (n->has_value)
			compare(f, other && other->has_value ? other : NULL, n);
	}
	for (size_t i = 1; i < f->a->n; i++) {
		n = &f->a->node[i];
		other = n->has_value ? stats_find(f->b, n->path) : NULL;
		if (n->has_value && !(other && other->has_value))
			compare(f, n, NULL);
	}
}

static void print_diff(const struct diff *f, struct strbuf *out)
{
	struct column w = { 4, 6, 5, 5, 8 };

	for (size_t i = 0; i < f->n; i++) {
		const struct diff_row *r = &f->row[i];

		w.path = MAX(w.path, strlen(r->path));
		w.before = MAX(w.before, strlen(r->before));
		w.after = MAX(w.after, strlen(r->after));
		w.delta = MAX(w.delta, strlen(r->delta));
		w.rate = MAX(w.rate, strlen(r->rate));
	}
	sb_printf(out, "%-*s  %*s  %*s  %*s  %*s  unit\n", (int)w.path, "path", (int)w.before,
		  "before", (int)w.after, "after", (int)w.delta, "delta", (int)w.rate, "1/second");
	for (size_t i = 0; i < f->n; i++) {
		const struct diff_row *r = &f->row[i];

		sb_printf(out, "%-*s  %*s  %*s  %*s  %*s  %s\n", (int)w.path, r->path,
			  (int)w.before, r->before, (int)w.after, r->after, (int)w.delta,
			  r->delta, (int)w.rate, r->rate, r->unit);
	}
}

void stats_diff(const struct stats_dump *a, const struct stats_dump *b,
		const struct stats_view *v, bool all, struct strbuf *out)
{
	struct diff f = { .a = a, .b = b, .v = v, .all = all };

	compare_all(&f);
	sb_printf(out, "dump %llu to dump %llu, ", (unsigned long long)a->seq,
		  (unsigned long long)b->seq);
	if (b->us >= a->us)
		sb_us(out, b->us - a->us);
	else
		sb_puts(out, "not of one run");
	sb_printf(out, " apart, %zu %s\n", f.n, all ? "values" : "differ");
	if (f.n)
		print_diff(&f, out);
	free(f.row);
}
