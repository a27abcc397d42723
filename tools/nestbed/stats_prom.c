// SPDX-License-Identifier: MIT
/*
 * OpenMetrics.  /kvm/vm0/vcpu1/exits becomes
 *
 *	nestbed_kvm_vm_vcpu_exits_total{vm="0",vcpu="1"}
 *
 * so that the values of one level are one family and its sum counts nothing
 * twice.  The rules for names that are not in the standard are those that
 * promtool checks: base units, no abbreviations, no type in a name.
 */
#include "tools/nestbed/stats_write.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/crc32.h"

enum family_type { COUNTER, GAUGE, HISTOGRAM };

struct sample {
	u32 family;
	u32 node;
	char *labels;		/* a="b",c="d" */
};

struct family {
	char *name;		/* without _total */
	char *help;
	const char *unit;	/* as OpenMetrics names it, or NULL */
	unsigned int decimals;	/* the numbers are 10^-decimals of the unit */
	enum family_type type;
	bool negative;		/* a counter that is below 0 is none */
};

struct prom {
	const struct stats_dump *d;
	struct family *family;
	size_t nfamilies;
	struct sample *sample;
	size_t nsamples;
	/* Families by name, and samples by name and labels; index + 1. */
	u32 *hash;
	size_t hash_size;
};

static const struct unit {
	const char *ours;
	const char *base;	/* NULL: a plain number */
	unsigned int decimals;
} units[] = {
	{ "ns", "seconds", 9 }, { "us", "seconds", 6 },	 { "ms", "seconds", 3 },
	{ "s", "seconds", 0 },	{ "count", NULL, 0 },	 { "none", NULL, 0 },
	{ "bool", NULL, 0 },	{ "boolean", NULL, 0 },
};

/* Words that promtool refuses as parts of a name. */
static bool refused(const char *word)
{
	static const char *const words[] = {
		"s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d",
		"counter", "gauge", "histogram", "summary", "untyped",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i], word))
			return true;
	}
	return false;
}

/* Adds "_" and the first n characters of s as words that a name may have. */
static void add_words(struct strbuf *b, const char *s, size_t n)
{
	while (n) {
		char word[STATS_NAME_MAX + 1];
		size_t len = 0;

		while (len < n && isalnum((unsigned char)s[len])) {
			word[len] = (char)tolower((unsigned char)s[len]);
			len++;
		}
		word[len] = '\0';
		if (len)
			sb_printf(b, "_%s%s", refused(word) ? "x" : "", word);
		s += len + (len < n);
		n -= len + (len < n);
	}
}

/* "vcpu12" is the word "vcpu" and the number 12. */
static size_t word_of(const char *name)
{
	size_t n = strlen(name);

	while (n && isdigit((unsigned char)name[n - 1]))
		n--;
	return n && name[n] && isalpha((unsigned char)name[n - 1]) ? n : strlen(name);
}

/* A label name: letters, digits, "_"; "le" and "quantile" belong to the format. */
static void add_label(struct strbuf *b, const char *key, size_t n, const char *value)
{
	struct strbuf name = { 0 };
	char *find;

	for (size_t i = 0; i < n; i++)
		sb_puts(&name, isalnum((unsigned char)key[i]) ? (char[]){ key[i], '\0' } : "_");
	if (!name.len || isdigit((unsigned char)name.s[0]) || !strncmp(name.s, "__", 2) ||
	    !strcmp(name.s, "le") || !strcmp(name.s, "quantile")) {
		char *old = name.s;

		name = (struct strbuf){ 0 };
		sb_printf(&name, "x_%s", old ? old : "");
		free(old);
	}
	/* The first of a name counts. */
	find = xasprintf(",%s=\"", name.s);
	if (!strstr(sb_str(b), find)) {
		sb_puts(b, find);
		for (; *value; value++) {
			if (*value == '"' || *value == '\\')
				sb_puts(b, "\\");
			sb_add(b, value, 1);
		}
		sb_puts(b, "\"");
	}
	free(find);
	sb_free(&name);
}

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(units[i].ours, name))
			return &units[i];
	}
	return NULL;
}

static bool ends_with(const struct strbuf *b, const char *tail)
{
	size_t n = strlen(tail);

	return b->len > n && !strcmp(b->s + b->len - n, tail);
}

static void cut_tail(struct strbuf *b, const char *tail)
{
	if (!ends_with(b, tail))
		return;
	b->len -= strlen(tail);
	b->s[b->len] = '\0';
}

/* The unit at the end of the name, as the standard wants it. */
static void add_unit(struct family *f, struct strbuf *name, const char *ours)
{
	const struct unit *u = find_unit(ours);
	struct strbuf tail = { 0 };

	if (!u) {
		add_words(&tail, ours, strlen(ours));
	} else if (u->base) {
		sb_printf(&tail, "_x%s", ours);
		cut_tail(name, sb_str(&tail));
		sb_free(&tail);
		sb_printf(&tail, "_%s", u->base);
		f->decimals = u->decimals;
	}
	if (tail.len && !ends_with(name, tail.s))
		sb_puts(name, tail.s);
	/* Only a unit of one word: the line for it must match the name's end. */
	if (tail.len && !strchr(tail.s + 1, '_'))
		f->unit = u ? u->base : ours;
	sb_free(&tail);
}

/* Endings that the format gives to samples. */
static void avoid_endings(struct strbuf *name)
{
	static const char *const endings[] = {
		"_count", "_sum", "_bucket", "_created", "_info", "_gcount", "_gsum",
	};

	cut_tail(name, "_total");
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		if (ends_with(name, endings[i]))
			sb_puts(name, "_value");
	}
}

/* The names from the root down to n: words to the name, numbers to labels. */
static void walk_names(const struct stats_dump *d, const struct stats_node *n, bool last,
		       struct strbuf *name, struct strbuf *labels, struct strbuf *help)
{
	size_t len = strlen(n->name);

	if (n == d->node)
		return;
	walk_names(d, &d->node[n->parent], false, name, labels, help);
	if (!last)
		len = word_of(n->name);
	add_words(name, n->name, len);
	sb_printf(help, "/%.*s%s", (int)len, n->name, n->name[len] ? "N" : "");
	if (n->name[len])
		add_label(labels, n->name, len, n->name + len);
	for (size_t i = 0; !last && i < n->nlabels; i++)
		add_label(labels, n->label[i].key, strlen(n->label[i].key), n->label[i].value);
}

/*
 * The slot for a text: holds index + 1 of what same() takes for it, or 0 where
 * it would go.  Families and samples share the table: their texts differ.
 */
static u32 *slot(const struct prom *p, const char *a, const char *b,
		 bool (*same)(const struct prom *p, u32 at, const char *a, const char *b))
{
	u32 h = crc32_update(crc32_update(0, a, strlen(a)), b, strlen(b));

	for (size_t i = h & (p->hash_size - 1);; i = (i + 1) & (p->hash_size - 1)) {
		if (!p->hash[i] || same(p, p->hash[i] - 1, a, b))
			return &p->hash[i];
	}
}

#define SAMPLE_BIT	0x80000000u

static bool same_family(const struct prom *p, u32 at, const char *a, const char *b)
{
	return !(at & SAMPLE_BIT) && !strcmp(p->family[at].name, a);
}

static bool same_sample(const struct prom *p, u32 at, const char *a, const char *b)
{
	const struct sample *s;

	if (!(at & SAMPLE_BIT))
		return false;
	s = &p->sample[at & ~SAMPLE_BIT];
	return !strcmp(s->labels, a) && !strcmp(p->family[s->family].name, b);
}

static enum family_type type_of(const struct stats_dump *d, const struct stats_node *n)
{
	if (stats_is_hist(d, n))
		return HISTOGRAM;
	return stats_value_counts(&n->value) ? COUNTER : GAUGE;
}

/* Finds the family or makes it; a name that another type has gets a number. */
static u32 get_family(struct prom *p, struct family *f, struct strbuf *name, const char *help)
{
	size_t len = name->len;
	u32 *at;

	for (unsigned int i = 2;; i++) {
		at = slot(p, name->s, "", same_family);
		if (!*at || (p->family[*at - 1].type == f->type &&
			     p->family[*at - 1].decimals == f->decimals))
			break;
		name->len = len;
		sb_printf(name, "_%u", i);
		/* The name ends otherwise now. */
		f->unit = NULL;
	}
	if (*at)
		return *at - 1;
	if (!(p->nfamilies & (p->nfamilies - 1)))
		p->family = xrealloc(p->family, p->nfamilies ? p->nfamilies * 2 : 1,
				     sizeof(*p->family));
	f->name = xstrdup(name->s);
	f->help = xstrdup(help);
	p->family[p->nfamilies] = *f;
	*at = (u32)++p->nfamilies;
	return *at - 1;
}

/* For paths that differ only in what a name may not have: a label that does. */
static char *with_path(struct strbuf *labels, const char *path)
{
	struct strbuf key = { 0 };
	size_t len = labels->len;

	sb_puts(&key, "path");
	while (labels->len == len) {
		add_label(labels, key.s, key.len, path);
		sb_puts(&key, "_");
	}
	sb_free(&key);
	return xstrdup(labels->s + 1);
}

static enum family_type shown_type(const struct family *f)
{
	return f->type == COUNTER && f->negative ? GAUGE : f->type;
}

static void add_sample(struct prom *p, const struct stats_node *n)
{
	struct strbuf name = { 0 }, labels = { 0 }, help = { 0 };
	bool hist = stats_is_hist(p->d, n);
	struct stats_hist h = { .unit = n->value.unit };
	struct family f = { .type = type_of(p->d, n) };
	struct sample s = { .node = (u32)(n - p->d->node) };
	u32 *at;

	sb_puts(&name, "nestbed");
	sb_puts(&help, "");
	walk_names(p->d, n, true, &name, &labels, &help);
	if (hist)
		stats_hist_read(p->d, n, &h);
	cut_tail(&name, "_total");
	add_unit(&f, &name, h.unit);
	avoid_endings(&name);
	if (f.unit && !ends_with(&name, f.unit))
		f.unit = NULL;
	sb_printf(&help, ", %s of %s", hist ? "histogram (its sum is an estimate)" :
		  stats_kind_name(n->value.kind), *h.unit ? h.unit : "count");
	s.family = get_family(p, &f, &name, sb_str(&help));
	s.labels = xstrdup(labels.len ? labels.s + 1 : "");
	at = slot(p, s.labels, p->family[s.family].name, same_sample);
	if (*at) {
		free(s.labels);
		s.labels = with_path(&labels, n->path);
		at = slot(p, s.labels, p->family[s.family].name, same_sample);
	}
	p->sample[p->nsamples] = s;
	*at = ((u32)p->nsamples++ | SAMPLE_BIT) + 1;
	p->family[s.family].negative |= n->value.negative;
	if (hist)
		stats_hist_free(&h);
	sb_free(&name);
	sb_free(&labels);
	sb_free(&help);
}

/* 10^-decimals of v, all digits that count. */
static void add_scaled(struct strbuf *out, u64 v, unsigned int decimals)
{
	u64 scale = 1;
	char text[24];
	size_t n;

	for (unsigned int i = 0; i < decimals; i++)
		scale *= 10;
	sb_printf(out, "%llu", (unsigned long long)(v / scale));
	if (!(v % scale))
		return;
	n = (size_t)snprintf(text, sizeof(text), "%0*llu", (int)decimals,
			     (unsigned long long)(v % scale));
	while (text[n - 1] == '0')
		n--;
	sb_puts(out, ".");
	sb_add(out, text, n);
}

/* The middle of each bucket; what its width is follows from where the others begin. */
static double estimate_sum(const struct stats_hist *h)
{
	bool log2 = true;
	double sum = 0;
	u64 width = 0;

	for (size_t i = 0; i < h->n; i++) {
		u64 a = h->bucket[i].low, b = width;

		log2 = log2 && !(a & (a - 1));
		for (; b; width = a, a = b, b = width % b)
			;
		width = a;
	}
	for (size_t i = 0; i < h->n; i++) {
		double low = (double)h->bucket[i].low;

		sum += (log2 ? 1.5 * low : low + (double)width / 2) * (double)h->bucket[i].count;
	}
	return sum;
}

static void bucket_line(struct strbuf *out, const struct family *f, const struct sample *s)
{
	sb_printf(out, "%s_bucket{%s%sle=\"", f->name, s->labels, *s->labels ? "," : "");
}

/*
 * Samples are whole numbers, so those below a bucket's lowest one are those up
 * to that minus 1: exact whatever the kind of the histogram.
 */
static void print_hist(const struct prom *p, const struct sample *s, struct strbuf *out)
{
	const struct family *f = &p->family[s->family];
	const char *open = *s->labels ? "{" : "", *close = *s->labels ? "}" : "";
	struct stats_hist h;
	u64 below = 0, low = 0;

	stats_hist_read(p->d, &p->d->node[s->node], &h);
	for (size_t i = 0; i < h.n; i++) {
		if (h.bucket[i].low > low) {
			low = h.bucket[i].low;
			bucket_line(out, f, s);
			add_scaled(out, low - 1, f->decimals);
			sb_printf(out, "\"} %llu\n", (unsigned long long)below);
		}
		if (__builtin_add_overflow(below, h.bucket[i].count, &below))
			below = ~0ULL;
	}
	/* In a damaged dump lines may be missing; what is there must still add up. */
	h.count = MAX(h.count, below);
	bucket_line(out, f, s);
	sb_printf(out, "+Inf\"} %llu\n", (unsigned long long)h.count);
	sb_printf(out, "%s_sum%s%s%s %.17g\n", f->name, open, s->labels, close,
		  estimate_sum(&h) / pow(10, f->decimals));
	sb_printf(out, "%s_count%s%s%s %llu\n", f->name, open, s->labels, close,
		  (unsigned long long)h.count);
	stats_hist_free(&h);
}

static void print_value(const struct prom *p, const struct sample *s, struct strbuf *out)
{
	const struct family *f = &p->family[s->family];
	const struct stats_value *v = &p->d->node[s->node].value;

	sb_printf(out, "%s%s", f->name, shown_type(f) == COUNTER ? "_total" : "");
	if (*s->labels)
		sb_printf(out, "{%s}", s->labels);
	sb_puts(out, v->negative ? " -" : " ");
	add_scaled(out, v->magnitude, f->decimals);
	sb_puts(out, "\n");
}

static void print_head(const struct family *f, enum stats_prom form, struct strbuf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	/* OpenMetrics names the family, Prometheus' own format the samples. */
	const char *tail = form == PROM_PROMTOOL && shown_type(f) == COUNTER ? "_total" : "";

	sb_printf(out, "# TYPE %s%s %s\n", f->name, tail, types[shown_type(f)]);
	if (form == PROM_STRICT && f->unit)
		sb_printf(out, "# UNIT %s %s\n", f->name, f->unit);
	sb_printf(out, "# HELP %s%s ", f->name, tail);
	for (const char *c = f->help; *c; c++) {
		if (*c == '\\' || (*c == '"' && form == PROM_STRICT))
			sb_puts(out, "\\");
		sb_add(out, c, 1);
	}
	sb_puts(out, "\n");
}

/* By family, otherwise as they came: a family's samples must stand together. */
static int by_family(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static void print_all(struct prom *p, enum stats_prom form, struct strbuf *out)
{
	u32 last = ~0u;

	qsort(p->sample, p->nsamples, sizeof(*p->sample), by_family);
	for (size_t i = 0; i < p->nsamples; i++) {
		const struct sample *s = &p->sample[i];

		if (s->family != last)
			print_head(&p->family[s->family], form, out);
		last = s->family;
		if (p->family[last].type == HISTOGRAM)
			print_hist(p, s, out);
		else
			print_value(p, s, out);
	}
	sb_puts(out, "# EOF\n");
}

/* An aggregate of nothing has no value; a sum of nothing is 0. */
static bool has_sample(const struct stats_dump *d, const struct stats_node *n)
{
	if (stats_is_hist(d, n))
		return true;
	if (!n->has_value || stats_is_hist(d, &d->node[n->parent]))
		return false;
	return n->value.kind == STATS_SUM || !(n->value.flags & (STATS_EMPTY | STATS_REVOKED));
}

void stats_prom(const struct stats_dump *d, const struct stats_view *v, enum stats_prom form,
		struct strbuf *out)
{
	struct prom p = { .d = d, .hash_size = 64 };
	bool *keep = stats_select(d, v);

	while (p.hash_size < 4 * d->n)
		p.hash_size *= 2;
	p.hash = xcalloc(p.hash_size, sizeof(*p.hash));
	p.sample = xcalloc(d->n, sizeof(*p.sample));
	for (size_t i = 1; i < d->n; i++) {
		if (keep[i] && has_sample(d, &d->node[i]))
			add_sample(&p, &d->node[i]);
	}
	print_all(&p, form, out);
	for (size_t i = 0; i < p.nfamilies; i++) {
		free(p.family[i].name);
		free(p.family[i].help);
	}
	for (size_t i = 0; i < p.nsamples; i++)
		free(p.sample[i].labels);
	free(p.family);
	free(p.sample);
	free(p.hash);
	free(keep);
}
