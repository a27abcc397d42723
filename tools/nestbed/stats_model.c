// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/crc32.h"

/* clang-format off */
static const struct {
	const char *name;
	bool counts;
	unsigned int mode;
} kinds[STATS_KIND_NR] = {
	[STATS_NONE]       = { "none",       false, 0644 },
	[STATS_SUM]        = { "sum",        true,  0644 },
	[STATS_MIN]        = { "min",        false, 0644 },
	[STATS_MAX]        = { "max",        false, 0644 },
	[STATS_COUNT_ZERO] = { "count_zero", false, 0644 },
	[STATS_AVG]        = { "avg",        false, 0644 },
	[STATS_HIST]       = { "hist",       true,  0644 },
	[STATS_P50]        = { "p50",        false, 0444 },
	[STATS_P90]        = { "p90",        false, 0444 },
	[STATS_P99]        = { "p99",        false, 0444 },
	[STATS_BUCKET]     = { "bucket",     true,  0444 },
};
/* clang-format on */

static const struct {
	const char *name;
	unsigned int flag;
} flags[] = {
	{ "instant", STATS_INSTANT },
	{ "revoked", STATS_REVOKED },
	{ "empty", STATS_EMPTY },
};

struct stats_dump *stats_dump_new(u64 seq, u64 us)
{
	struct stats_dump *d = xcalloc(1, sizeof(*d));

	d->refs = 1;
	d->seq = seq;
	d->us = us;
	d->hash_size = 64;
	d->hash = xcalloc(d->hash_size, sizeof(*d->hash));
	d->node = xcalloc(1, sizeof(*d->node));
	d->n = 1;
	d->node[0].name = xstrdup("");
	d->node[0].path = xstrdup("/");
	return d;
}

struct stats_dump *stats_dump_get(struct stats_dump *d)
{
	__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
	return d;
}

void stats_dump_put(struct stats_dump *d)
{
	if (!d || __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; i < d->n; i++) {
		struct stats_node *n = &d->node[i];

		for (size_t k = 0; k < n->nlabels; k++) {
			free(n->label[k].key);
			free(n->label[k].value);
		}
		free(n->label);
		free(n->name);
		free(n->path);
	}
	free(d->node);
	free(d->hash);
	messages_free(&d->messages);
	free(d);
}

/* The slot of a child: holds its index, or 0 where it would go. */
static u32 *hash_slot(const struct stats_dump *d, u32 parent, const char *name)
{
	u32 h = crc32_update(parent, name, strlen(name));

	for (size_t i = h & (d->hash_size - 1);; i = (i + 1) & (d->hash_size - 1)) {
		const struct stats_node *n = &d->node[d->hash[i]];

		if (!d->hash[i] || (n->parent == parent && !strcmp(n->name, name)))
			return &d->hash[i];
	}
}

/* Keeps the table at most half full, so that probing stays short. */
static void hash_grow(struct stats_dump *d)
{
	if (d->n * 2 <= d->hash_size)
		return;
	free(d->hash);
	d->hash_size *= 2;
	d->hash = xcalloc(d->hash_size, sizeof(*d->hash));
	for (size_t i = 1; i < d->n; i++)
		*hash_slot(d, d->node[i].parent, d->node[i].name) = (u32)i;
}

/* The child, appended behind its siblings when it is new. */
static u32 get_child(struct stats_dump *d, u32 parent, const char *name)
{
	u32 at = *hash_slot(d, parent, name);
	struct stats_node *n, *p;

	if (at)
		return at;
	if (!(d->n & (d->n - 1)))
		d->node = xrealloc(d->node, d->n * 2, sizeof(*d->node));
	at = (u32)d->n++;
	p = &d->node[parent];
	n = &d->node[at];
	*n = (struct stats_node){ .name = xstrdup(name), .parent = parent, .depth = p->depth + 1 };
	if (p->last)
		d->node[p->last].next = at;
	else
		p->child = at;
	p->last = at;
	hash_grow(d);
	*hash_slot(d, parent, name) = at;
	return at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One name of a path, unescaped into name; the text behind it, or NULL. */
static const char *take_name(const char *p, char *name)
{
	size_t n = 0;

	while (*p && *p != '/') {
		int c = (unsigned char)*p++;

		if (c == '\\') {
			int high = *p == 'x' ? hex_digit(p[1]) : -1;
			int low = high < 0 ? -1 : hex_digit(p[2]);

			if (low < 0)
				return NULL;
			c = high << 4 | low;
			p += 3;
		}
		if (c < ' ' || c > '~' || c == '/' || n == STATS_NAME_MAX)
			return NULL;
		name[n++] = (char)c;
	}
	name[n] = '\0';
	return !n || !strcmp(name, ".") || !strcmp(name, "..") ? NULL : p;
}

/*
 * Walks the names of a path.  With a callback each is given to it; it returns
 * false to stop.  Returns false for a path that is none.
 */
static bool walk_path(const char *path, bool (*step)(void *ctx, const char *name), void *ctx)
{
	char name[STATS_NAME_MAX + 1];
	unsigned int depth = 0;

	if (*path != '/' || strlen(path) > STATS_PATH_MAX)
		return false;
	while (*path) {
		path = take_name(path + 1, name);
		if (!path || ++depth > STATS_DEPTH_MAX)
			return false;
		if (step && !step(ctx, name))
			return false;
	}
	return true;
}

struct place {
	struct stats_dump *d;
	u32 at;
};

static bool step_make(void *ctx, const char *name)
{
	struct place *p = ctx;

	p->at = get_child(p->d, p->at, name);
	return true;
}

/* Paths are filled in afterwards: an inner node has the beginning of its child's. */
static void set_paths(struct stats_dump *d, u32 at, const char *path)
{
	size_t len = strlen(path);

	while (at && !d->node[at].path) {
		d->node[at].path = xstrndup(path, len);
		while (len && path[--len] != '/')
			;
		at = d->node[at].parent;
	}
}

static u32 make_node(struct stats_dump *d, const char *path)
{
	struct place p = { d, 0 };

	if (!walk_path(path, step_make, &p))
		return 0;
	set_paths(d, p.at, path);
	return p.at;
}

struct look {
	const struct stats_dump *d;
	const struct stats_node *at;
};

static bool step_look(void *ctx, const char *name)
{
	struct look *l = ctx;

	l->at = stats_child(l->d, l->at, name);
	return l->at;
}

const struct stats_node *stats_child(const struct stats_dump *d, const struct stats_node *dir,
				     const char *name)
{
	u32 at = *hash_slot(d, (u32)(dir - d->node), name);

	return at ? &d->node[at] : NULL;
}

const struct stats_node *stats_find(const struct stats_dump *d, const char *path)
{
	struct look l = { d, d->node };

	if (!strcmp(path, "/"))
		return d->node;
	return walk_path(path, step_look, &l) ? l.at : NULL;
}

/* "sum,instant"; false if it is none. */
static bool parse_kind(struct stats_value *v, const char *text)
{
	size_t n = strcspn(text, ",");
	unsigned int kind = 0;

	while (kind < STATS_KIND_NR &&
	       (strlen(kinds[kind].name) != n || strncmp(kinds[kind].name, text, n)))
		kind++;
	if (kind == STATS_KIND_NR)
		return false;
	v->kind = (enum stats_kind)kind;
	while (text[n]) {
		const char *word = text + n + 1;
		size_t len = strcspn(word, ",");

		/* A flag of a later version changes nothing that is known here. */
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
			if (strlen(flags[i].name) == len && !strncmp(flags[i].name, word, len))
				v->flags |= flags[i].flag;
		}
		n += 1 + len;
	}
	return true;
}

/* Narrow, so that a unit is harmless in a table, a URL and a spreadsheet. */
static bool parse_unit(struct stats_value *v, const char *text)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789%/_.-";
	size_t n = strspn(text, chars);

	if (!n || n > STATS_UNIT_MAX || text[n] || *text == '-' || *text == '/' || *text == '.')
		return false;
	memcpy(v->unit, text, n + 1);
	return true;
}

static bool parse_number(struct stats_value *v, const char *text)
{
	v->negative = *text == '-';
	if (decimal_u64(text + v->negative, &v->magnitude))
		return false;
	if (!v->magnitude)
		v->negative = false;
	return !v->negative || v->magnitude <= 1ULL << 63;
}

/* A path of that depth might not fit. */
static bool no_room(const struct stats_dump *d)
{
	return d->n + STATS_DEPTH_MAX > STATS_NODES_MAX;
}

const char *stats_dump_add(struct stats_dump *d, const char *path, const char *number,
			   const char *unit, const char *kind)
{
	struct stats_value v = { 0 };
	const struct stats_node *old;
	struct stats_node *n;
	u32 at;

	if (!walk_path(path, NULL, NULL))
		return "not a path";
	if (!parse_number(&v, number))
		return "not a number of 64 bits";
	if (!parse_unit(&v, unit))
		return "not a unit";
	if (!parse_kind(&v, kind))
		return "not an aggregate";
	old = stats_find(d, path);
	if (old && old->has_value)
		return "a second value for the same path";
	if (d->values == STATS_VALUES_MAX || no_room(d))
		return "too many values";
	at = make_node(d, path);
	n = &d->node[at];
	n->has_value = true;
	n->value = v;
	d->values++;
	return NULL;
}

const char *stats_dump_label(struct stats_dump *d, const char *path, const char *key,
			     const char *value)
{
	struct stats_node *n;
	u32 at;

	if (!walk_path(path, NULL, NULL))
		return "not a path";
	if (no_room(d))
		return "too many sources";
	at = make_node(d, path);
	n = &d->node[at];
	if (n->nlabels == STATS_LABELS_MAX)
		return "too many labels";
	n->label = xrealloc(n->label, n->nlabels + 1, sizeof(*n->label));
	n->label[n->nlabels].key = clean_dup(key, strlen(key));
	n->label[n->nlabels].value = clean_dup(value, strlen(value));
	n->nlabels++;
	return NULL;
}

const char *stats_dump_add_line(struct stats_dump *d, const char *line, size_t n)
{
	char *copy = xstrndup(line, n), *save = NULL;
	const char *word[4] = { NULL };
	const char *why = "words are missing";
	char *w = strtok_r(copy, " \r\n", &save);

	for (size_t i = 0; w && i < ARRAY_SIZE(word); i++) {
		word[i] = w;
		w = strtok_r(NULL, " \r\n", &save);
	}
	if (word[3])
		why = stats_dump_add(d, word[0], word[1], word[2], word[3]);
	free(copy);
	return why;
}

void stats_value_text(const struct stats_value *v, char *buf, size_t size)
{
	snprintf(buf, size, "%s%llu", v->negative ? "-" : "", (unsigned long long)v->magnitude);
}

double stats_value_double(const struct stats_value *v)
{
	return v->negative ? -(double)v->magnitude : (double)v->magnitude;
}

bool stats_value_zero(const struct stats_value *v)
{
	return !v->magnitude;
}

int stats_value_cmp(const struct stats_value *a, const struct stats_value *b)
{
	int order;

	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	order = (a->magnitude > b->magnitude) - (a->magnitude < b->magnitude);
	return a->negative ? -order : order;
}

const char *stats_kind_name(enum stats_kind kind)
{
	return kinds[kind].name;
}

void stats_kind_text(const struct stats_value *v, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "%s", kinds[v->kind].name);

	for (size_t i = 0; i < ARRAY_SIZE(flags) && n < size; i++) {
		if (v->flags & flags[i].flag)
			n += (size_t)snprintf(buf + n, size - n, ",%s", flags[i].name);
	}
}

bool stats_value_counts(const struct stats_value *v)
{
	return kinds[v->kind].counts && !(v->flags & STATS_INSTANT);
}

unsigned int stats_value_mode(const struct stats_value *v)
{
	return v->flags & STATS_INSTANT ? 0444 : kinds[v->kind].mode;
}

bool stats_is_hist(const struct stats_dump *d, const struct stats_node *dir)
{
	const struct stats_node *n = dir->child ? stats_child(d, dir, "count") : NULL;

	return n && n->has_value && n->value.kind == STATS_HIST;
}

static int by_low(const void *a, const void *b)
{
	const struct stats_bucket *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

static void hist_take(struct stats_hist *h, const struct stats_node *n)
{
	u64 *const number[STATS_KIND_NR] = {
		[STATS_HIST] = &h->count, [STATS_P50] = &h->p50,
		[STATS_P90] = &h->p90, [STATS_P99] = &h->p99,
	};
	u64 low;

	if (!n->has_value || n->value.negative)
		return;
	if (n->value.kind == STATS_BUCKET) {
		if (strncmp(n->name, "ge_", 3) || decimal_u64(n->name + 3, &low))
			return;
		h->bucket[h->n++] = (struct stats_bucket){ low, n->value.magnitude };
		return;
	}
	if (!number[n->value.kind] || strcmp(n->name, n->value.kind == STATS_HIST ?
					     "count" : kinds[n->value.kind].name))
		return;
	*number[n->value.kind] = n->value.magnitude;
	if (n->value.kind != STATS_HIST)
		h->unit = n->value.unit;
}

void stats_hist_read(const struct stats_dump *d, const struct stats_node *dir,
		     struct stats_hist *h)
{
	const struct stats_node *n;
	size_t children = 0;

	for (n = stats_first(d, dir); n; n = stats_next(d, n))
		children++;
	*h = (struct stats_hist){ .unit = "" };
	h->bucket = xcalloc(children, sizeof(*h->bucket));
	for (n = stats_first(d, dir); n; n = stats_next(d, n))
		hist_take(h, n);
	qsort(h->bucket, h->n, sizeof(*h->bucket), by_low);
}

void stats_hist_free(struct stats_hist *h)
{
	free(h->bucket);
	*h = (struct stats_hist){ 0 };
}
