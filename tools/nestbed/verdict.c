// SPDX-License-Identifier: MIT
/* The second half of model.h: what the lines of a run add up to. */
#include "tools/nestbed/model.h"

#include <string.h>

/* A value of the end line, or NULL. */
static const char *end_value(const struct run_model *m, const char *key)
{
	for (size_t i = 0; i < m->nend; i++) {
		if (!strcmp(m->end[i].name, key))
			return m->end[i].text;
	}
	return NULL;
}

/* Gives a name to every test that has no result. */
static void name_the_lost(struct run_model *m)
{
	for (size_t i = 0; i < m->ntests; i++) {
		struct test_case *t = &m->test[i];

		if (t->result)
			continue;
		t->result = t->started ? RESULT_CRASHED : RESULT_MISSING;
		m->count[t->result]++;
		if (t->started) {
			t->reason = xstrdup(m->current == i + 1 ?
				"started, and the run ended before its result" :
				"started, and no result was reported");
			if (m->current == i + 1)
				t->log_to = m->log_end;
		} else {
			t->reason = xstrdup("declared, and never started");
		}
	}
	if (m->count[RESULT_CRASHED])
		model_problem(m, "%zu %s started and gave no result", m->count[RESULT_CRASHED],
			      m->count[RESULT_CRASHED] == 1 ? "test" : "tests");
	if (m->count[RESULT_MISSING])
		model_problem(m, "%zu declared %s never started", m->count[RESULT_MISSING],
			      m->count[RESULT_MISSING] == 1 ? "test was" : "tests were");
}

/* Did it begin, did it end, and once only? */
static void check_frame(struct run_model *m)
{
	const char *last = m->last_started ? m->test[m->last_started - 1].id : "the first test";
	/* A test that has its result is not the one to blame. */
	const char *where = !m->last_started ? "before" : m->current ? "during test" :
								       "after test";

	if (!m->begun) {
		model_problem(m, "no begin line: nestbed did not start, or the capture began "
				 "too late");
		return;
	}
	if (m->reset)
		model_problem(m, "the machine reset %s %s", where, last);
	else if (!m->ended)
		model_problem(m, "no end line: the run stopped %s %s", where, last);
	if (m->cut_off)
		model_note(m, "the log ends inside a line");
	if (m->again)
		model_note(m, "another run begins after the end line: only the first one is "
			      "reported");
}

/* The image's plan against the results that came. */
static void check_plan(struct run_model *m)
{
	size_t done = model_done(m);

	if (!m->has_plan) {
		if (m->ntests)
			model_problem(m, "no plan line: tests could be missing without notice");
		return;
	}
	if (m->declared && m->declared != m->plan)
		model_problem(m, "the plan says %llu tests, %zu were declared",
			      (unsigned long long)m->plan, m->declared);
	if (m->ended && done != m->plan)
		model_problem(m, "the plan says %llu tests, %zu gave a result",
			      (unsigned long long)m->plan, done);
	for (size_t i = 0; m->declared && i < m->ntests; i++) {
		if (!m->test[i].declared)
			model_problem(m, "test %s was not declared", m->test[i].id);
	}
}

/* The sums of the end line against the lines that came. */
static void check_sums(struct run_model *m)
{
	static const struct {
		const char *key;
		enum test_result result;
	} sums[] = {
		{ "passed", RESULT_PASS },   { "failed", RESULT_FAIL },
		{ "skipped", RESULT_SKIP },  { "errors", RESULT_ERROR },
		{ "known", RESULT_KNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		const char *text = end_value(m, sums[i].key);
		u64 n = 0;

		if (text && decimal_u64(text, &n))
			model_problem(m, "the end line says %s=%s", sums[i].key, text);
		else if (n != m->count[sums[i].result])
			model_problem(m, "the end line says %s=%llu, %zu such lines came",
				      sums[i].key, (unsigned long long)n,
				      m->count[sums[i].result]);
	}
}

/* The image ended as incomplete: its inventory says why. */
static void say_incomplete(struct run_model *m)
{
	const char *reason = end_value(m, "reason");
	size_t before = m->problems.n;

	if (reason)
		model_problem(m, "the image says: incomplete: %s", reason);
	for (size_t i = 0; i < m->ninfo; i++) {
		if (!strcmp(m->info[i].name, "incomplete"))
			model_problem(m, "the image says: incomplete: %s", m->info[i].text);
	}
	if (m->problems.n == before)
		model_problem(m, "the image says: incomplete");
}

/* The image's own verdict against ours. */
static void check_verdict(struct run_model *m, bool failed)
{
	const char *said = end_value(m, "verdict");

	if (!said) {
		model_problem(m, "the end line has no verdict");
	} else if (!strcmp(said, "incomplete")) {
		say_incomplete(m);
	} else if (strcmp(said, failed ? "fail" : "pass")) {
		model_problem(m, "the image says verdict=%s, its results say %s", said,
			      failed ? "fail" : "pass");
	} else if (!failed && !m->count[RESULT_PASS] && !m->count[RESULT_KNOWN]) {
		model_problem(m, "nothing was tested");
	}
}

enum verdict model_judge(struct run_model *m, const char *stopped)
{
	bool failed = m->count[RESULT_FAIL] || m->count[RESULT_ERROR];

	if (stopped)
		model_problem(m, "%s", stopped);
	check_frame(m);
	if (m->begun) {
		name_the_lost(m);
		check_plan(m);
	}
	if (m->ended) {
		check_sums(m);
		check_verdict(m, failed);
	}
	if (m->bad_lines > 8)
		model_problem(m, "%llu damaged machine lines in all",
			      (unsigned long long)m->bad_lines);
	if (m->problems.n)
		m->verdict = VERDICT_INCOMPLETE;
	else
		m->verdict = failed ? VERDICT_FAIL : VERDICT_PASS;
	m->judged = true;
	return m->verdict;
}
