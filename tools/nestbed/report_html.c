// SPDX-License-Identifier: MIT
/*
 * The page of one run: self-contained, no script, readable on a phone and
 * on paper, well-formed as XML so that a parser can check the escaping.
 */
#include "tools/nestbed/report.h"

#include <stdlib.h>
#include <string.h>

/* XHTML syntax that an HTML parser reads the same way. */
static void open_page(struct strbuf *out, const char *title)
{
	sb_puts(out, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n"
		     "<head>\n<meta charset=\"utf-8\"/>\n"
		     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
		     "<title>");
	sb_xml(out, title);
	sb_puts(out, "</title>\n<style>\n");
	sb_puts(out, report_css);
	sb_puts(out, "</style>\n</head>\n<body>\n");
}

static void close_page(struct strbuf *out)
{
	sb_puts(out, "</body>\n</html>\n");
}

/* Nothing known, no row. */
static void fact_row(struct strbuf *out, const char *key, const char *text)
{
	if (!*key || !text || !*text)
		return;
	sb_puts(out, "<tr><th>");
	sb_xml(out, key);
	sb_puts(out, "</th><td>");
	sb_xml(out, text);
	sb_puts(out, "</td></tr>\n");
}

/* What the keys of the begin line are called on paper; "" hides one. */
static const char *begin_label(const char *key)
{
	static const struct {
		const char *key;
		const char *label;
	} rows[] = {
		{ "v", "" },
		{ "boot", "boot id" },
		{ "build", "nestbed build" },
		{ "cpu", "processor" },
		{ "virt", "virtualization" },
		{ "fw", "firmware" },
		{ "cpus", "processors" },
		{ "mem", "memory, MiB" },
		{ "hv", "hypervisor" },
		{ "tsc_khz", "TSC, kHz" },
		{ "tsc_source", "TSC calibrated by" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!strcmp(rows[i].key, key))
			return rows[i].label;
	}
	return key;
}

static const char *verdict_sentence(const struct run_model *m)
{
	static const char *const sentence[] = {
		[VERDICT_PASS] = "Passed",
		[VERDICT_FAIL] = "Failed",
		[VERDICT_INCOMPLETE] = "Incomplete: this run proves nothing",
	};

	return sentence[m->verdict];
}

/* The first thing to see: the verdict, and what spoils it. */
static void add_verdict(struct strbuf *out, const struct report *r)
{
	const struct run_model *m = r->m;

	sb_printf(out, "<div class=\"verdict %s\">\n<p><b>%s</b></p>\n",
		  verdict_name(m->verdict), verdict_sentence(m));
	if (m->problems.n) {
		sb_puts(out, "<ul>\n");
		for (size_t i = 0; i < m->problems.n; i++) {
			sb_puts(out, "<li>");
			sb_xml(out, m->problems.text[i]);
			sb_puts(out, "</li>\n");
		}
		if (m->problems.dropped)
			sb_printf(out, "<li>and %zu more</li>\n", m->problems.dropped);
		sb_puts(out, "</ul>\n");
	}
	sb_puts(out, "</div>\n");
}

static void add_sums(struct strbuf *out, const struct run_model *m)
{
	sb_puts(out, "<ul class=\"sums\">\n");
	for (int r = RESULT_PASS; r < RESULT_NR; r++) {
		if (m->count[r] || r <= RESULT_KNOWN)
			sb_printf(out, "<li><strong>%zu</strong> %s</li>\n", m->count[r],
				  result_words((enum test_result)r));
	}
	if (m->has_plan)
		sb_printf(out, "<li><strong>%llu</strong> planned</li>\n",
			  (unsigned long long)m->plan);
	sb_puts(out, "</ul>\n");
}

/* What ran where: the facts of the run, then what the image said of the machine. */
static void add_facts(struct strbuf *out, const struct report *r)
{
	const struct run_model *m = r->m;
	const struct run_facts *f = r->f;
	struct strbuf time = { 0 };

	if (f->seconds > 0)
		sb_printf(&time, "%.1f s", f->seconds);
	sb_puts(out, "<h2>Machine</h2>\n<table class=\"facts\">\n");
	fact_row(out, "machine", facts_machine(f));
	fact_row(out, "what it is", f->about);
	fact_row(out, "booted", f->source);
	fact_row(out, "command", f->command);
	fact_row(out, "started", f->started);
	fact_row(out, "took", sb_str(&time));
	for (size_t i = 0; i < m->nbegin; i++)
		fact_row(out, begin_label(m->begin[i].name), m->begin[i].text);
	for (size_t i = 0; i < m->ninfo; i++)
		fact_row(out, m->info[i].name, m->info[i].text);
	sb_puts(out, "</table>\n");
	sb_free(&time);
}

/* In full, with what the machine printed meanwhile. */
static void add_case(struct strbuf *out, const struct report *r, const struct test_case *t)
{
	sb_puts(out, "<div class=\"case\">\n<h3>");
	sb_xml(out, t->id);
	sb_printf(out, "</h3>\n<p><b>%s</b>", result_words(t->result));
	if (t->reason) {
		sb_puts(out, ": ");
		sb_xml(out, t->reason);
	}
	if (t->ref) {
		sb_puts(out, " <span class=\"dim\">");
		sb_xml(out, t->ref);
		sb_puts(out, "</span>");
	}
	sb_puts(out, "</p>\n");
	if (t->has_log) {
		sb_puts(out, "<pre>");
		sb_excerpt(out, r, (struct excerpt){ t->log_from, t->log_to, 40, 60 });
		sb_puts(out, "</pre>\n");
	}
	sb_puts(out, "</div>\n");
}

/* Failures first, so that nobody has to look for them. */
static void add_bad(struct strbuf *out, const struct report *r)
{
	const size_t most = 500;
	size_t shown = 0;

	if (!bad_tests(r->m))
		return;
	sb_puts(out, "<h2>Failed, with errors or lost</h2>\n<div class=\"fail\">\n");
	for (size_t i = 0; i < r->m->ntests && shown < most; i++) {
		if (result_is_bad(r->m->test[i].result)) {
			add_case(out, r, &r->m->test[i]);
			shown++;
		}
	}
	if (shown < bad_tests(r->m))
		sb_printf(out, "<p>... and %zu more, in the tables below</p>\n",
			  bad_tests(r->m) - shown);
	sb_puts(out, "</div>\n");
}

static void add_known(struct strbuf *out, const struct run_model *m)
{
	if (!m->count[RESULT_KNOWN])
		return;
	sb_puts(out, "<h2>Known defects of this machine</h2>\n"
		     "<p class=\"dim\">These tests fail here, and the table of known defects says "
		     "why. They count neither as passed nor as failed.</p>\n<table>\n"
		     "<tr><th>test</th><th>defect</th></tr>\n");
	for (size_t i = 0; i < m->ntests; i++) {
		const struct test_case *t = &m->test[i];

		if (t->result != RESULT_KNOWN)
			continue;
		sb_puts(out, "<tr><td class=\"id\">");
		sb_xml(out, t->id);
		sb_puts(out, "</td><td>");
		sb_xml(out, t->reason ? t->reason : "");
		sb_puts(out, "</td></tr>\n");
	}
	sb_puts(out, "</table>\n");
}

static void add_test_row(struct strbuf *out, const struct test_case *t, u64 longest)
{
	sb_puts(out, "<tr><td class=\"id\">");
	sb_xml(out, t->id);
	sb_printf(out, "</td><td class=\"v %s\">%s</td><td class=\"time\">",
		  result_name(t->result), result_words(t->result));
	if (t->has_us) {
		sb_us(out, t->us);
		sb_printf(out, "<span class=\"bar\" style=\"width:%.1f%%\"></span>",
			  longest ? 100.0 * (double)t->us / (double)longest : 0.0);
	}
	sb_puts(out, "</td><td>");
	sb_xml(out, t->reason ? t->reason : "");
	sb_puts(out, "</td><td class=\"ref\">");
	sb_xml(out, t->ref ? t->ref : "");
	sb_puts(out, "</td></tr>\n");
}

/* One group with its own sums; open, so that it prints. */
static void add_group(struct strbuf *out, const struct run_model *m, const size_t *order,
		      size_t n, u64 longest)
{
	const struct test_case *first = &m->test[order[0]];
	size_t count[RESULT_NR] = { 0 };
	u64 us = 0;

	for (size_t i = 0; i < n; i++) {
		count[m->test[order[i]].result]++;
		us += m->test[order[i]].us;
	}
	sb_puts(out, "<details open=\"open\">\n<summary>");
	sb_xmln(out, first->id, group_len(first->id));
	sb_puts(out, " <span class=\"dim\">");
	for (int r = RESULT_PASS; r < RESULT_NR; r++) {
		if (count[r])
			sb_printf(out, "%zu %s, ", count[r], result_words((enum test_result)r));
	}
	sb_us(out, us);
	sb_puts(out, "</span></summary>\n<table class=\"tests\">\n<tr><th>test</th><th>result</th>"
		     "<th>time</th><th>reason</th><th class=\"ref\">manual</th></tr>\n");
	for (size_t i = 0; i < n; i++)
		add_test_row(out, &m->test[order[i]], longest);
	sb_puts(out, "</table>\n</details>\n");
}

static void add_groups(struct strbuf *out, const struct run_model *m)
{
	size_t *order = tests_by_group(m);
	size_t from = 0;
	u64 longest = 0;

	for (size_t i = 0; i < m->ntests; i++)
		longest = MAX(longest, m->test[i].us);
	if (m->ntests)
		sb_puts(out, "<h2>All tests by group</h2>\n<p class=\"dim\">A full bar is the "
			     "longest test of the run.</p>\n");
	for (size_t i = 1; i <= m->ntests; i++) {
		if (i < m->ntests && same_group(&m->test[order[from]], &m->test[order[i]]))
			continue;
		add_group(out, m, order + from, i - from, longest);
		from = i;
	}
	free(order);
}

static void add_bench(struct strbuf *out, const struct run_model *m)
{
	if (!m->nbench)
		return;
	sb_puts(out, "<h2>Measurements</h2>\n<table>\n<tr><th>name</th><th class=\"n\">min</th>"
		     "<th class=\"n\">median</th><th class=\"n\">max</th><th>unit</th></tr>\n");
	for (size_t i = 0; i < m->nbench; i++) {
		const struct bench *b = &m->bench[i];

		sb_puts(out, "<tr><td class=\"id\">");
		sb_xml(out, b->name);
		sb_printf(out, "</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
			       "<td class=\"n\">%llu</td><td>", (unsigned long long)b->min,
			  (unsigned long long)b->median, (unsigned long long)b->max);
		sb_xml(out, b->unit);
		sb_puts(out, "</td></tr>\n");
	}
	sb_puts(out, "</table>\n");
}

/* Notes, the end of an incomplete log, and the other files. */
static void add_rest(struct strbuf *out, const struct report *r)
{
	const struct run_model *m = r->m;

	if (m->notes.n) {
		sb_puts(out, "<h2>Notes</h2>\n<ul>\n");
		for (size_t i = 0; i < m->notes.n; i++) {
			sb_puts(out, "<li>");
			sb_xml(out, m->notes.text[i]);
			sb_puts(out, "</li>\n");
		}
		sb_puts(out, "</ul>\n");
	}
	if (m->verdict == VERDICT_INCOMPLETE && r->log_len) {
		sb_puts(out, "<h2>Where the serial log ends</h2>\n<pre>");
		sb_excerpt(out, r, (struct excerpt){ 0, r->log_len, 0, 60 });
		sb_puts(out, "</pre>\n");
	}
	sb_puts(out, "<p class=\"dim\">Beside this page: <a href=\"serial.log\">serial.log</a>, "
		     "<a href=\"ktap.log\">ktap.log</a>, <a href=\"stats.txt\">stats.txt</a>, "
		     "<a href=\"report.json\">report.json</a>, <a href=\"junit.xml\">junit.xml</a>"
		     "</p>\n");
}

void report_html(const struct report *r, struct strbuf *out)
{
	struct strbuf title = { 0 };

	sb_printf(&title, "nestbed on %s: %s", facts_machine(r->f), verdict_name(r->m->verdict));
	open_page(out, sb_str(&title));
	sb_puts(out, "<h1>nestbed on ");
	sb_xml(out, facts_machine(r->f));
	sb_puts(out, "</h1>\n<p class=\"dim\">");
	sb_xml(out, model_begin(r->m, "cpu") ? model_begin(r->m, "cpu") : "");
	sb_puts(out, "</p>\n");
	add_verdict(out, r);
	add_sums(out, r->m);
	add_bad(out, r);
	add_known(out, r->m);
	add_facts(out, r);
	add_bench(out, r->m);
	report_hist(r->m, out);
	add_groups(out, r->m);
	add_rest(out, r);
	close_page(out);
	sb_free(&title);
}

static void add_index_row(struct strbuf *out, const struct run_row *row)
{
	static const enum test_result shown[] = {
		RESULT_PASS, RESULT_FAIL, RESULT_ERROR, RESULT_SKIP, RESULT_KNOWN,
	};

	sb_printf(out, "<tr class=\"%s\"><td class=\"name\"><a href=\"",
		  verdict_name(row->verdict));
	sb_xml(out, row->dir);
	sb_puts(out, "/index.html\">");
	sb_xml(out, row->machine);
	sb_printf(out, "</a></td><td class=\"v\">%s</td>", verdict_name(row->verdict));
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		sb_printf(out, "<td class=\"n\">%zu</td>", row->count[shown[i]]);
	sb_printf(out, "<td class=\"n\">%zu</td><td class=\"n\">%.1f s</td><td>",
		  row->count[RESULT_CRASHED] + row->count[RESULT_MISSING], row->seconds);
	sb_xml(out, row->problem ? row->problem : "");
	sb_puts(out, "</td></tr>\n");
}

void report_index(const struct run_row *row, size_t n, struct strbuf *out)
{
	enum verdict worst = VERDICT_PASS;

	for (size_t i = 0; i < n; i++)
		worst = MAX(worst, row[i].verdict);
	open_page(out, "nestbed: several machines");
	sb_printf(out, "<h1>nestbed</h1>\n<div class=\"verdict %s\"><p><b>%s</b> on %zu "
		       "machines</p></div>\n<div class=\"wide\">\n<table>\n", verdict_name(worst),
		  verdict_name(worst), n);
	sb_puts(out, "<tr><th>machine</th><th>verdict</th><th class=\"n\">passed</th>"
		     "<th class=\"n\">failed</th><th class=\"n\">errors</th>"
		     "<th class=\"n\">skipped</th><th class=\"n\">known</th>"
		     "<th class=\"n\">lost</th><th class=\"n\">time</th><th>why</th></tr>\n");
	for (size_t i = 0; i < n; i++)
		add_index_row(out, &row[i]);
	sb_puts(out, "</table>\n</div>\n");
	close_page(out);
}
