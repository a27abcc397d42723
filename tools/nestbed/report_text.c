// SPDX-License-Identifier: MIT
/* What all report formats share, and the plain-text ones. */
#include "tools/nestbed/report.h"

#include <stdlib.h>
#include <string.h>

const char *facts_machine(const struct run_facts *f)
{
	return f->machine ? f->machine : "unknown machine";
}

void facts_free(struct run_facts *f)
{
	free(f->machine);
	free(f->about);
	free(f->source);
	free(f->command);
	free(f->started);
	free(f->stopped);
	*f = (struct run_facts){ 0 };
}

size_t lost_tests(const struct run_model *m)
{
	return m->count[RESULT_CRASHED] + m->count[RESULT_MISSING];
}

size_t bad_tests(const struct run_model *m)
{
	return m->count[RESULT_FAIL] + m->count[RESULT_ERROR] + lost_tests(m);
}

bool same_group(const struct test_case *a, const struct test_case *b)
{
	size_t n = group_len(a->id);

	return n == group_len(b->id) && !strncmp(a->id, b->id, n);
}

/* For qsort_r: by group name, then in order of appearance. */
static int by_group(const void *a, const void *b, void *ctx)
{
	const struct run_model *m = ctx;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	size_t ni = group_len(m->test[i].id), nj = group_len(m->test[j].id);
	int diff = strncmp(m->test[i].id, m->test[j].id, MIN(ni, nj));

	if (diff)
		return diff;
	if (ni != nj)
		return ni < nj ? -1 : 1;
	return i < j ? -1 : 1;
}

size_t *tests_by_group(const struct run_model *m)
{
	size_t *order = xcalloc(m->ntests, sizeof(*order));

	for (size_t i = 0; i < m->ntests; i++)
		order[i] = i;
	qsort_r(order, m->ntests, sizeof(*order), by_group, (void *)m);
	return order;
}

/* The position behind `lines` line ends from p on. */
static const char *skip_lines(const char *p, const char *end, size_t lines)
{
	while (lines-- && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		p = nl ? nl + 1 : end;
	}
	return p;
}

/* The position `lines` line starts before the end, not before p. */
static const char *last_lines(const char *p, const char *end, size_t lines)
{
	const char *q = end;

	while (q > p && lines) {
		q--;
		if (q == p || q[-1] == '\n')
			lines--;
	}
	return q;
}

/* Lines of the log as XML text, each cut at a readable width. */
static void add_log_lines(struct strbuf *b, const char *p, const char *end)
{
	const size_t width = 400;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		size_t n = (size_t)(stop - p);

		while (n && p[n - 1] == '\r')
			n--;
		sb_xmln(b, p, MIN(n, width));
		sb_puts(b, n > width ? " ...\n" : "\n");
		p = nl ? nl + 1 : end;
	}
}

void sb_excerpt(struct strbuf *b, const struct report *r, struct excerpt e)
{
	const char *from = r->log + MIN(e.from, (u64)r->log_len);
	const char *to = r->log + MIN(e.to, (u64)r->log_len);
	const char *head, *tail;

	if (from >= to)
		return;
	head = skip_lines(from, to, e.head);
	tail = last_lines(head, to, e.tail);
	add_log_lines(b, from, head);
	if (tail > head)
		sb_printf(b, "[... %zu bytes left out ...]\n", (size_t)(tail - head));
	add_log_lines(b, tail, to);
}

/* Where the KTAP lines of the first run go. */
struct ktap_ctx {
	struct strbuf *out;
	bool begun;
	bool ended;
};

static void ktap_event(void *arg, const struct serial_event *ev)
{
	struct ktap_ctx *k = arg;

	if (ev->type == SERIAL_BEGIN) {
		k->ended |= k->begun;
		k->begun = true;
	} else if (ev->type == SERIAL_END) {
		k->ended |= k->begun;
	} else if (ev->type == SERIAL_KTAP && k->begun && !k->ended) {
		sb_clean(k->out, ev->text, ev->len);
		sb_puts(k->out, "\n");
	}
}

void report_ktap(const struct report *r, struct strbuf *out)
{
	struct serial_parser *p = xcalloc(1, sizeof(*p));
	struct ktap_ctx k = { .out = out };

	serial_init(p, ktap_event, &k);
	serial_feed(p, r->log, r->log_len);
	serial_finish(p);
	free(p);
}

void report_stats(const struct report *r, struct strbuf *out)
{
	const struct run_model *m = r->m;

	if (m->stats_good)
		sb_printf(out, "# seq=%llu us=%llu lines=%llu\n",
			  (unsigned long long)m->stats.seq, (unsigned long long)m->stats.us,
			  (unsigned long long)m->stats.lines);
	else
		sb_puts(out, "# no complete block of statistics came\n");
	sb_puts(out, sb_str(&m->stats.text));
}

static void add_messages(struct strbuf *out, const char *head, const struct messages *list)
{
	for (size_t i = 0; i < list->n; i++)
		sb_printf(out, "  %s: %s\n", head, list->text[i]);
	if (list->dropped)
		sb_printf(out, "  %s: and %zu more\n", head, list->dropped);
}

/* The sums in one line. */
static void add_counts(struct strbuf *out, const size_t *count)
{
	size_t lost = count[RESULT_CRASHED] + count[RESULT_MISSING];

	sb_printf(out, "%zu passed, %zu failed, %zu errors, %zu skipped, %zu known",
		  count[RESULT_PASS], count[RESULT_FAIL], count[RESULT_ERROR],
		  count[RESULT_SKIP], count[RESULT_KNOWN]);
	if (lost)
		sb_printf(out, ", %zu lost", lost);
}

/* Those that ran and went wrong, a line each. */
static void add_bad_tests(struct strbuf *out, const struct run_model *m)
{
	size_t all = bad_tests(m) - m->count[RESULT_MISSING];
	const size_t most = 40;
	size_t shown = 0;

	for (size_t i = 0; i < m->ntests && shown < most; i++) {
		const struct test_case *t = &m->test[i];

		if (!result_is_bad(t->result) || t->result == RESULT_MISSING)
			continue;
		sb_printf(out, "  %-7s %s%s%s%s%s%s\n", result_words(t->result), t->id,
			  t->reason ? ": " : "", t->reason ? t->reason : "",
			  t->ref ? " (" : "", t->ref ? t->ref : "", t->ref ? ")" : "");
		shown++;
	}
	if (shown < all)
		sb_printf(out, "  ... and %zu more, see the report\n", all - shown);
}

/* After a crash all the rest is missing: the first names will do. */
static void add_missing_tests(struct strbuf *out, const struct run_model *m)
{
	const size_t most = 5;
	size_t shown = 0;

	if (!m->count[RESULT_MISSING])
		return;
	sb_puts(out, "  missing");
	for (size_t i = 0; i < m->ntests && shown < most; i++) {
		if (m->test[i].result == RESULT_MISSING)
			sb_printf(out, "%s %s", shown++ ? "," : "", m->test[i].id);
	}
	if (shown < m->count[RESULT_MISSING])
		sb_printf(out, " and %zu more, see the report",
			  m->count[RESULT_MISSING] - shown);
	sb_puts(out, "\n");
}

void report_summary(const struct report *r, const char *dir, struct strbuf *out)
{
	const struct run_model *m = r->m;

	add_bad_tests(out, m);
	add_missing_tests(out, m);
	add_messages(out, "incomplete", &m->problems);
	add_messages(out, "note", &m->notes);
	sb_printf(out, "%s: %s: ", facts_machine(r->f), verdict_name(m->verdict));
	add_counts(out, m->count);
	if (r->f->seconds > 0)
		sb_printf(out, " in %.1f s", r->f->seconds);
	sb_printf(out, "\n  report: %s/index.html\n", dir);
}

void report_bench_table(const struct bench_row *row, size_t n, struct strbuf *out)
{
	sb_printf(out, "%-12s %-18s %12s %12s %12s  %s\n", "machine", "measurement", "min",
		  "median", "max", "unit");
	for (size_t i = 0; i < n; i++) {
		const struct bench *b = &row[i].bench;

		sb_printf(out, "%-12s %-18s %12llu %12llu %12llu  %s\n", row[i].machine, b->name,
			  (unsigned long long)b->min, (unsigned long long)b->median,
			  (unsigned long long)b->max, b->unit);
	}
}

void report_table(const struct run_row *row, size_t n, struct strbuf *out)
{
	size_t width = 7;

	for (size_t i = 0; i < n; i++)
		width = MAX(width, strlen(row[i].machine));
	sb_printf(out, "%-*s  %-10s  %6s %6s %6s %7s %6s %6s %8s\n", (int)width, "machine",
		  "verdict", "passed", "failed", "errors", "skipped", "known", "lost", "seconds");
	for (size_t i = 0; i < n; i++) {
		const size_t *c = row[i].count;

		sb_printf(out, "%-*s  %-10s  %6zu %6zu %6zu %7zu %6zu %6zu %8.1f\n", (int)width,
			  row[i].machine, verdict_name(row[i].verdict), c[RESULT_PASS],
			  c[RESULT_FAIL], c[RESULT_ERROR], c[RESULT_SKIP], c[RESULT_KNOWN],
			  c[RESULT_CRASHED] + c[RESULT_MISSING], row[i].seconds);
	}
}
