/* SPDX-License-Identifier: MIT */
/*
 * The report of a run.  The writers of the formats are pure: they turn a
 * judged model, the facts around it and the serial log into text.
 */
#ifndef TOOLS_NESTBED_REPORT_H
#define TOOLS_NESTBED_REPORT_H

#include "tools/nestbed/model.h"

/* What the serial line cannot tell; any pointer may be NULL. */
struct run_facts {
	char *machine;		/* "qemu-svm", or what was attached to */
	char *about;		/* one line about that machine */
	char *source;		/* what was booted */
	char *command;		/* how the emulator was started */
	char *started;		/* UTC, ISO 8601 */
	double seconds;		/* wall time */
	char *stopped;		/* why the run was ended from outside */
};

struct report {
	const struct run_model *m;
	const struct run_facts *f;
	const char *log;	/* serial.log */
	size_t log_len;
};

void report_json(const struct report *r, struct strbuf *out);
void report_junit(const struct report *r, struct strbuf *out);
/* A part of the page: plots of the last dump's histograms; nothing if there are none. */
void report_hist(const struct run_model *m, struct strbuf *out);
void report_html(const struct report *r, struct strbuf *out);
void report_ktap(const struct report *r, struct strbuf *out);
void report_stats(const struct report *r, struct strbuf *out);
/* The summary for a terminal: verdict, sums, failed tests, dir. */
void report_summary(const struct report *r, const char *dir, struct strbuf *out);

/* Reads the facts back out of a report.json; 0 or -EINVAL. */
__must_check int facts_from_json(struct run_facts *f, const char *json);
void facts_free(struct run_facts *f);
/* The machine's name, never NULL. */
const char *facts_machine(const struct run_facts *f);

/* Tests lost (crashed and missing), and tests that are bad in any way. */
size_t lost_tests(const struct run_model *m);
size_t bad_tests(const struct run_model *m);

/* Indices of all tests, sorted by group; within one in their own order. */
size_t *tests_by_group(const struct run_model *m);

/* Whether two tests are of one group. */
bool same_group(const struct test_case *a, const struct test_case *b);

/*
 * A piece of the log as XML text: at most `head` lines from its start and
 * `tail` from its end, with a line in between that says what was left out.
 */
struct excerpt {
	u64 from;
	u64 to;
	size_t head;
	size_t tail;
};
void sb_excerpt(struct strbuf *b, const struct report *r, struct excerpt e);

/* Style sheet of the pages, for a <style> element. */
extern const char report_css[];

/* One row of the page and table over several runs. */
struct run_row {
	char *dir;		/* as given, or as to be linked to */
	char *machine;
	char *problem;		/* the first one, or NULL */
	enum verdict verdict;
	size_t count[RESULT_NR];
	double seconds;
};
void report_index(const struct run_row *row, size_t n, struct strbuf *out);
/*
 * The measurements of several runs: a JSON object by machine and name, and a
 * table for people.
 */
struct bench_row {
	char *machine;
	struct bench bench;
};
void report_bench_json(const struct bench_row *row, size_t n, struct strbuf *out);
void report_bench_table(const struct bench_row *row, size_t n, struct strbuf *out);
void report_table(const struct run_row *row, size_t n, struct strbuf *out);

#endif
