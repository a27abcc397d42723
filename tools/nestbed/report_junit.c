// SPDX-License-Identifier: MIT
/*
 * JUnit has no standard; this is what its readers agree on: suites with
 * sums, cases with class name and time, and failure, error or skipped
 * children.
 */
#include "tools/nestbed/report.h"

#include <stdlib.h>

struct sums {
	size_t tests;
	size_t failures;
	size_t errors;
	size_t skipped;
	u64 us;
};

/* Every test is in exactly one of the four classes that JUnit knows. */
static void count_test(struct sums *s, const struct test_case *t)
{
	s->tests++;
	s->us += t->us;
	s->failures += t->result == RESULT_FAIL;
	s->errors += result_is_bad(t->result) && t->result != RESULT_FAIL;
	/* A known defect of the machine is not this run's failure. */
	s->skipped += t->result == RESULT_SKIP || t->result == RESULT_KNOWN;
}

static void add_sums(struct strbuf *out, const struct sums *s)
{
	sb_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\""
		       " time=\"%.6f\"", s->tests, s->failures, s->errors, s->skipped,
		  (double)s->us / 1e6);
}

/* What makes a case other than passed, with the log of those that went wrong. */
static void add_child(struct strbuf *out, const struct report *r, const struct test_case *t)
{
	const char *tag = "error";

	if (t->result == RESULT_FAIL)
		tag = "failure";
	if (!result_is_bad(t->result))
		tag = "skipped";
	sb_printf(out, "      <%s message=\"", tag);
	if (t->result == RESULT_KNOWN)
		sb_puts(out, "known defect of this machine: ");
	if (t->result == RESULT_CRASHED || t->result == RESULT_MISSING)
		sb_printf(out, "%s: ", result_words(t->result));
	sb_xml(out, t->reason ? t->reason : "no reason given");
	if (t->ref) {
		sb_puts(out, " (");
		sb_xml(out, t->ref);
		sb_puts(out, ")");
	}
	sb_puts(out, "\"/>\n");
	if (result_is_bad(t->result) && t->has_log) {
		sb_puts(out, "      <system-out>");
		sb_excerpt(out, r, (struct excerpt){ t->log_from, t->log_to, 40, 40 });
		sb_puts(out, "</system-out>\n");
	}
}

/* The group becomes the class, the rest of the id the name. */
static void add_case(struct strbuf *out, const struct report *r, const struct test_case *t)
{
	size_t n = group_len(t->id);

	sb_puts(out, "    <testcase classname=\"");
	sb_xml(out, facts_machine(r->f));
	sb_puts(out, ".");
	sb_xmln(out, t->id, n);
	sb_puts(out, "\" name=\"");
	sb_xml(out, t->id[n] ? t->id + n + 1 : t->id);
	sb_printf(out, "\" time=\"%.6f\"", (double)t->us / 1e6);
	if (t->result == RESULT_PASS) {
		sb_puts(out, "/>\n");
		return;
	}
	sb_puts(out, ">\n");
	add_child(out, r, t);
	sb_puts(out, "    </testcase>\n");
}

static void add_suite(struct strbuf *out, const struct report *r, const size_t *order, size_t n)
{
	const struct test_case *first = &r->m->test[order[0]];
	struct sums s = { 0 };

	for (size_t i = 0; i < n; i++)
		count_test(&s, &r->m->test[order[i]]);
	sb_puts(out, "  <testsuite name=\"");
	sb_xmln(out, first->id, group_len(first->id));
	sb_puts(out, "\"");
	add_sums(out, &s);
	if (r->f->started) {
		sb_puts(out, " timestamp=\"");
		sb_xml(out, r->f->started);
		sb_puts(out, "\"");
	}
	sb_puts(out, ">\n");
	for (size_t i = 0; i < n; i++)
		add_case(out, r, &r->m->test[order[i]]);
	sb_puts(out, "  </testsuite>\n");
}

/*
 * One case more than nestbed ran: whether the run is complete.  Without it a
 * crash before the first test would be an empty, green report.
 */
static void add_completeness(struct strbuf *out, const struct report *r)
{
	const struct messages *list = &r->m->problems;

	sb_printf(out, "  <testsuite name=\"run\" tests=\"1\" failures=\"0\" errors=\"%d\""
		       " skipped=\"0\" time=\"%.3f\">\n", list->n ? 1 : 0, r->f->seconds);
	sb_puts(out, "    <properties>\n");
	for (size_t i = 0; i < r->m->nbegin; i++) {
		sb_puts(out, "      <property name=\"");
		sb_xml(out, r->m->begin[i].name);
		sb_puts(out, "\" value=\"");
		sb_xml(out, r->m->begin[i].text);
		sb_puts(out, "\"/>\n");
	}
	sb_puts(out, "    </properties>\n    <testcase classname=\"");
	sb_xml(out, facts_machine(r->f));
	sb_printf(out, ".run\" name=\"complete\" time=\"%.3f\">\n", r->f->seconds);
	if (list->n) {
		sb_puts(out, "      <error message=\"");
		sb_xml(out, list->text[0]);
		sb_puts(out, "\">");
		for (size_t i = 0; i < list->n; i++) {
			sb_xml(out, list->text[i]);
			sb_puts(out, "\n");
		}
		sb_puts(out, "</error>\n");
	}
	sb_puts(out, "    </testcase>\n  </testsuite>\n");
}

void report_junit(const struct report *r, struct strbuf *out)
{
	const struct run_model *m = r->m;
	size_t *order = tests_by_group(m);
	struct sums all = { .tests = 1, .errors = m->problems.n ? 1 : 0 };
	size_t from = 0;

	for (size_t i = 0; i < m->ntests; i++)
		count_test(&all, &m->test[i]);
	sb_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"nestbed on ");
	sb_xml(out, facts_machine(r->f));
	sb_puts(out, "\"");
	add_sums(out, &all);
	sb_puts(out, ">\n");
	add_completeness(out, r);
	for (size_t i = 1; i <= m->ntests; i++) {
		if (i < m->ntests && same_group(&m->test[order[from]], &m->test[order[i]]))
			continue;
		add_suite(out, r, order + from, i - from);
		from = i;
	}
	sb_puts(out, "</testsuites>\n");
	free(order);
}
