// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_top.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sort_names[TOP_SORT_NR] = { "rate", "value", "path" };

const char *top_sort_name(enum top_sort sort)
{
	return sort_names[sort];
}

enum top_sort top_sort_from(const char *name)
{
	unsigned int i = 0;

	while (i < TOP_SORT_NR && strcmp(sort_names[i], name))
		i++;
	return (enum top_sort)i;
}

/* Numbers of the dump's tree keep equal rows in its order. */
static int by_place(const struct top_row *x, const struct top_row *y)
{
	return x->node < y->node ? -1 : x->node > y->node;
}

static int by_value(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int order = stats_value_cmp(&y->node->value, &x->node->value);

	return order ? order : by_place(x, y);
}

/* What has no rate comes last. */
static int by_rate(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	double rx = isnan(x->rate) ? -1 : x->rate, ry = isnan(y->rate) ? -1 : y->rate;

	if (rx != ry)
		return rx < ry ? 1 : -1;
	return by_value(a, b);
}

static int by_path(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return strcmp(x->node->path, y->node->path);
}

static void fill_row(struct top_row *r, const struct stats_dump *a, const struct stats_dump *b,
		     const struct stats_node *n)
{
	const struct stats_node *old = a ? stats_find(a, n->path) : NULL;

	*r = (struct top_row){ .node = n, .rate = NAN };
	if (!old || !old->has_value)
		return;
	r->rate = stats_rate(a, &old->value, b, &n->value);
	if (isnan(r->rate) && stats_value_cmp(&old->value, &n->value))
		stats_delta_text(&old->value, &n->value, r->delta, sizeof(r->delta));
}

void top_fill(struct top_table *t, const struct stats_dump *a, const struct stats_dump *b,
	      const struct stats_view *v, enum top_sort sort)
{
	static int (*const orders[])(const void *, const void *) = {
		[TOP_RATE] = by_rate, [TOP_VALUE] = by_value, [TOP_PATH] = by_path,
	};
	bool *keep = stats_select(b, v);

	*t = (struct top_table){ .row = xcalloc(b->values, sizeof(*t->row)), .path_width = 8 };
	for (size_t i = 1; i < b->n; i++) {
		const struct stats_node *n = &b->node[i];

		if (!keep[i] || !n->has_value)
			continue;
		if (!v->buckets && n->value.kind >= STATS_P50)
			continue;
		fill_row(&t->row[t->n++], a, b, n);
		t->path_width = MAX(t->path_width, strlen(n->path));
	}
	qsort(t->row, t->n, sizeof(*t->row), orders[sort]);
	free(keep);
}

void top_free(struct top_table *t)
{
	free(t->row);
	*t = (struct top_table){ 0 };
}

/* A screen that is too narrow for the path gets its end. */
static void put_line(struct strbuf *out, size_t width, size_t path_width, const char *path,
		     const char *rest)
{
	size_t len = strlen(path), room = path_width;

	if (width)
		room = MIN(room, width > strlen(rest) ? width - strlen(rest) : 0);
	if (len > room && room > 3)
		sb_printf(out, "...%s", path + len - (room - 3));
	else
		sb_printf(out, "%-*.*s", (int)room, (int)room, path);
	if (width)
		sb_printf(out, "%.*s", (int)(width - MIN(width, room)), rest);
	else
		sb_puts(out, rest);
}

/* The columns behind the path have the same width in every line. */
static void rest_of(char *buf, size_t size, const char *const col[4])
{
	snprintf(buf, size, " %20s %-8.8s %14.30s  %-.20s", col[0], col[1], col[2], col[3]);
}

void top_head(const struct top_table *t, size_t width, struct strbuf *out)
{
	char rest[128];

	rest_of(rest, sizeof(rest), (const char *const[]){ "value", "unit", "1/second",
							   "aggregate" });
	put_line(out, width, t->path_width, "path", rest);
}

void top_line(const struct top_table *t, size_t i, size_t width, struct strbuf *out)
{
	const struct top_row *r = &t->row[i];
	char value[24], rate[400], kind[64], rest[160];

	stats_value_text(&r->node->value, value, sizeof(value));
	stats_rate_text(r->rate, rate, sizeof(rate));
	stats_kind_text(&r->node->value, kind, sizeof(kind));
	rest_of(rest, sizeof(rest), (const char *const[]){
		value, r->node->value.unit, *r->delta ? r->delta : rate, kind });
	put_line(out, width, t->path_width, r->node->path, rest);
}

void top_title(const struct stats_dump *a, const struct stats_dump *b, struct strbuf *out)
{
	sb_printf(out, "nestbed: dump %llu, ", (unsigned long long)b->seq);
	sb_us(out, b->us);
	sb_puts(out, " after boot");
	if (a && b->us > a->us) {
		sb_printf(out, ", rates over ");
		sb_us(out, b->us - a->us);
	}
	if (b->damaged)
		sb_printf(out, ", DAMAGED: %llu lines lost", (unsigned long long)b->lost);
}
