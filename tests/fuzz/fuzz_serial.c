// SPDX-License-Identifier: MIT
/*
 * Any bytes on the serial line: the reader, the model, the verdict and every
 * report.  The size chooses that of the pieces they arrive in.
 * What must hold: cutting differently changes nothing, the sums agree with
 * the tests, the reports are printable, well-formed and hold no element that
 * a line brought along.
 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <libxml/parser.h>

#include "tools/nestbed/report.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void load(struct run_model *m, const char *text, size_t n, size_t piece)
{
	struct serial_parser *p = xcalloc(1, sizeof(*p));

	model_init(m);
	serial_init(p, model_event, m);
	for (size_t at = 0; at < n; at += piece)
		serial_feed(p, text + at, MIN(piece, n - at));
	serial_finish(p);
	check(p->offset == n && m->log_end <= n);
	free(p);
	model_judge(m, NULL);
}

static void check_model(const struct run_model *m)
{
	size_t count[RESULT_NR] = { 0 };

	for (size_t i = 0; i < m->ntests; i++) {
		const struct test_case *t = &m->test[i];

		check(serial_is_id(t->id));
		check(t->log_from <= t->log_to && t->log_to <= m->log_end);
		count[t->result]++;
	}
	check(!count[RESULT_NONE]);
	check(!memcmp(count, m->count, sizeof(count)));
	check(m->verdict != VERDICT_PASS || (m->begun && m->ended && !m->reset));
	check((m->verdict == VERDICT_INCOMPLETE) == (m->problems.n > 0));
}

static void check_printable(const struct strbuf *b)
{
	for (size_t i = 0; i < b->len; i++)
		check(b->s[i] == '\n' || b->s[i] == '\t' || (b->s[i] >= ' ' && b->s[i] <= '~'));
}

static void no_script(const xmlNode *n)
{
	for (; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE)
			continue;
		check(strcmp((const char *)n->name, "script") != 0);
		no_script(n->children);
	}
}

static void check_xml(const struct strbuf *b)
{
	xmlDoc *doc;

	check_printable(b);
	doc = xmlReadMemory(b->s, (int)b->len, "report", NULL,
			    XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOERROR);
	check(doc != NULL);
	no_script(xmlDocGetRootElement(doc));
	xmlFreeDoc(doc);
}

static void check_reports(const struct report *r, const char *same_json)
{
	struct strbuf b = { 0 };
	struct run_facts facts;

	report_json(r, &b);
	check_printable(&b);
	check(!same_json || !strcmp(same_json, b.s));
	check(!facts_from_json(&facts, b.s));
	facts_free(&facts);
	sb_free(&b);
	report_junit(r, &b);
	check_xml(&b);
	sb_free(&b);
	report_html(r, &b);
	check_xml(&b);
	sb_free(&b);
	report_ktap(r, &b);
	report_stats(r, &b);
	report_summary(r, "dir", &b);
	check_printable(&b);
	sb_free(&b);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct run_facts facts = { .machine = NULL };
	struct run_model whole, cut;
	struct report r = { .m = &whole, .f = &facts };
	struct strbuf json = { 0 };
	size_t piece = 1 + size % 61;

	r.log = (const char *)data;
	r.log_len = size;
	load(&whole, r.log, r.log_len, MAX(r.log_len, (size_t)1));
	check_model(&whole);
	report_json(&r, &json);
	check_reports(&r, NULL);
	load(&cut, r.log, r.log_len, piece);
	r.m = &cut;
	check_reports(&r, json.s);
	model_free(&whole);
	model_free(&cut);
	sb_free(&json);
	return 0;
}
