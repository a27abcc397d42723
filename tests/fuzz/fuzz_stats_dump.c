// SPDX-License-Identifier: MIT
/*
 * Any bytes as a log with statistics.  The size chooses the pieces they come in.
 * What must hold: every text that comes out is printable, JSON and OpenMetrics
 * are read back by readers that are not the writers', every listed file is
 * found again, and pieces change nothing.
 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tests/unit/om_check.h"
#include "tools/nestbed/stats_files.h"
#include "tools/nestbed/stats_set.h"
#include "tools/nestbed/stats_top.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_printable(const struct strbuf *b)
{
	for (size_t i = 0; i < b->len; i++)
		check(b->s[i] == '\n' || b->s[i] == '\t' || (b->s[i] >= ' ' && b->s[i] <= '~'));
}

static void check_prom(const struct stats_dump *d, const struct stats_view *v,
		       enum stats_prom form)
{
	struct strbuf out = { 0 };
	char *why;

	stats_prom(d, v, form, &out);
	check_printable(&out);
	why = om_check(out.s, form == PROM_STRICT);
	if (why) {
		fputs(out.s, stderr);
		fprintf(stderr, "%s\n", why);
	}
	check(!why);
	sb_free(&out);
}

static void check_json(const struct stats_dump *d, const struct stats_view *v)
{
	struct strbuf out = { 0 };
	cJSON *top;

	stats_json(d, v, &out);
	check_printable(&out);
	top = cJSON_Parse(out.s);
	check(top);
	cJSON_Delete(top);
	sb_free(&out);
}

struct walk {
	const struct stats_dump *d;
	char path[STATS_PATH_MAX * 4];
	size_t len, files;
};

static void visit(void *ctx, const char *name, const struct stats_file *f)
{
	struct walk *w = ctx;
	struct stats_file again;
	size_t len = w->len;
	char text[32];

	check(*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, ".."));
	w->len += (size_t)snprintf(w->path + len, sizeof(w->path) - len, "/%s", name);
	check(w->len < sizeof(w->path));
	check(!stats_file_find(w->d, w->path, &again));
	check(again.node == f->node && again.dir == f->dir);
	if (f->dir) {
		stats_file_list(w->d, f, visit, w);
	} else {
		size_t n = stats_file_text(f, text, sizeof(text));

		check(n > 1 && text[n - 1] == '\n');
		w->files++;
	}
	w->len = len;
	w->path[len] = '\0';
}

static void check_files(const struct stats_dump *d)
{
	struct walk *w = xcalloc(1, sizeof(*w));
	struct stats_file root;

	w->d = d;
	check(!stats_file_find(d, "/", &root));
	stats_file_list(d, &root, visit, w);
	check(w->files == d->values);
	free(w);
}

static void check_dump(const struct stats_dump *d, const struct stats_dump *before)
{
	struct stats_view v = { .zero = true, .buckets = true };
	struct strbuf out = { 0 };
	struct top_table t;

	check(d->values < d->n && d->n <= STATS_NODES_MAX);
	for (size_t i = 0; i < d->n; i++)
		check(stats_find(d, d->node[i].path) == &d->node[i]);
	stats_show(d, &v, &out);
	stats_csv(d, &v, &out);
	stats_diff(before ? before : d, d, &v, true, &out);
	top_fill(&t, before, d, &v, TOP_RATE);
	check(t.n == d->values);
	for (size_t i = 0; i < t.n; i++)
		top_line(&t, i, i % 200, &out);
	top_free(&t);
	top_title(before, d, &out);
	check_printable(&out);
	sb_free(&out);
	check_json(d, &v);
	check_prom(d, &v, PROM_PROMTOOL);
	check_prom(d, &v, PROM_STRICT);
	check_files(d);
}

static void check_set(const struct stats_set *s)
{
	if (s->last)
		check_dump(s->last, s->first);
	if (s->damaged)
		check_dump(s->damaged, s->last);
	for (size_t i = 0; i < s->messages.n; i++) {
		const char *text = s->messages.text[i];

		check_printable(&(struct strbuf){ (char *)text, strlen(text), 0 });
	}
	check(stats_set_whole(s) || s->messages.n);
}

static void load_pieces(struct stats_set *s, const char *text, size_t n, size_t piece)
{
	struct stats_reader *r = xcalloc(1, sizeof(*r));

	stats_reader_init(r, stats_set_add, s);
	for (size_t at = 0; at < n; at += piece)
		stats_reader_feed(r, text + at, MIN(piece, n - at));
	stats_reader_finish(r);
	s->lost += r->lost;
	stats_reader_free(r);
	free(r);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *text = (const char *)data;
	struct stats_set whole = { .all = true }, cut = { .all = true };

	stats_set_load(&whole, text, size);
	check_set(&whole);
	if (!stats_text_is(text, size)) {
		load_pieces(&cut, text, size, 1 + size % 61);
		check(cut.ngood == whole.ngood && cut.ndamaged == whole.ndamaged);
		check(cut.lost == whole.lost && cut.nlist == whole.nlist);
	}
	stats_set_free(&whole);
	stats_set_free(&cut);
	return 0;
}
