/* SPDX-License-Identifier: MIT */
/*
 * The test report on the console: KTAP for people, machine lines for tools,
 * the verdict.  docs/serial.md has the grammar.
 */
#ifndef TESTS_REPORT_H
#define TESTS_REPORT_H

#include "tests/test.h"

#define REPORT_MAX	1024		/* declared ids */
#define REPORT_FAILED	64		/* names kept for the screen */

struct report_totals {
	u32 declared, reported;
	u32 passed, failed, skipped, errors, known;
	bool incomplete;
};

/* While planning: id (must stay valid) will be reported. */
void report_declare(const char *id);

/* The run cannot be complete; the reason goes to the log. */
void report_incomplete(const char *fmt, ...) __printf(1, 2);

void report_start(const char *id);

/*
 * The result of one id.  rows may be NULL.  Failures that tests/defects.def
 * foretells on this platform become OUTCOME_KNOWN; an entry that passes is an
 * error.
 */
void report_result(const char *id, const char *ref, u8 outcome, const char *reason,
		   bool timed_out, u64 us, struct test_row *row, u32 rows);

/* run_env.platform: "tcg", "bochs", "bare"... */
const char *report_platform(void);

const struct report_totals *report_totals(void);
/* "pass", "fail" or "incomplete" */
const char *report_verdict(void);

/*
 * Between these two, results belong to a report of the monitor: same lines,
 * marked as its own, counted in *t.  The run's plan and verdict do not change.
 */
void report_side_begin(struct report_totals *t, u32 declared);
void report_side_end(void);

/* The end line, once; what has not been reported by now is missing. */
void report_end(void);
bool report_ended(void);

#endif
