/* SPDX-License-Identifier: MIT */
#include "tests/report.h"

#include "boot/stage.h"
#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mon/uart_hw.h"
#include "core/x86/panic.h"
#include "core/x86/power.h"
#include "core/x86/time.h"
#include "stats/stat.h"
#include "tests/defects.h"

STAT_COUNTER(stat_passed, "/tests", "passed", "count", "tests that passed");
STAT_COUNTER(stat_known, "/tests", "known", "count", "failures that tests/defects.def foretells");
STAT_COUNTER(stat_skipped, "/tests", "skipped", "count", "tests that lacked what they need");
STAT_COUNTER(stat_errors, "/tests", "errors", "count", "tests that are broken themselves");
STAT_COUNTER(stat_failed, "/tests", "failed", "count", "tests that failed");
STAT_COUNTER(stat_timed_out, "/tests", "timed_out", "count", "tests that were stopped");
STAT_COUNTER(stat_total_us, "/tests", "run_us", "us", "time in tests");
STAT_LOG2(stat_us, 40, "/tests", "duration", "us", "time of a test");
STAT_PEAK(stat_longest, "/tests", "longest", "us", "time of the longest test");

static struct {
	const struct run_env *env;
	struct report_totals total;
	struct report_totals *side;	/* a report of the monitor is under way */
	const char *id[REPORT_MAX];
	const char *failed[REPORT_FAILED];
	u32 n_failed;
	const char *current;		/* started, not yet reported */
	bool ended;
} report;

const char *outcome_name(unsigned int o)
{
	static const char *const name[] = { "pass", "known", "skip", "error", "fail" };

	return o < ARRAY_SIZE(name) ? name[o] : "?";
}

void report_declare(const char *id)
{
	if (report.total.declared == REPORT_MAX) {
		report_incomplete("more than %d tests: %s is left out", REPORT_MAX, id);
		return;
	}
	report.id[report.total.declared++] = id;
}

void report_incomplete(const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	nb_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report.total.incomplete = true;
	log_printf(LOG_ERR, "%s", text);
	machine_line("info incomplete %s", text);
}

/* In front of KTAP and machine lines: those of the monitor are not the run's. */
static const char *ktap_lead(void)
{
	return report.side ? "# " : "";
}

static const char *machine_lead(void)
{
	return report.side ? "monitor " : "";
}

static struct report_totals *totals(void)
{
	return report.side ? report.side : &report.total;
}

void report_start(const char *id)
{
	report.current = id;
	machine_line("%sstart %s", machine_lead(), id);
}

/* A quoted value: '"' and '\' escaped, control bytes as \xNN. */
static void append_quoted(char *buf, size_t size, size_t *len, const char *key, const char *s)
{
	str_append(buf, size, len, " %s=\"", key);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			str_append(buf, size, len, "\\%c", *s);
		else if ((u8)*s < 32 || (u8)*s > 126)
			str_append(buf, size, len, "\\x%02x", (u8)*s);
		else
			str_append(buf, size, len, "%c", *s);
	}
	str_append(buf, size, len, "\"");
}

static void print_ktap(const char *indent, u32 number, const char *id, u8 outcome,
		       const char *reason, bool timed_out)
{
	static const char *const directive[] = {
		[OUTCOME_PASS] = "", [OUTCOME_KNOWN] = " # XFAIL ", [OUTCOME_SKIP] = " # SKIP ",
		[OUTCOME_ERROR] = " # ERROR ", [OUTCOME_FAIL] = "",
	};
	const char *ok = outcome <= OUTCOME_SKIP ? "ok" : "not ok";
	bool plain = outcome == OUTCOME_PASS || (outcome == OUTCOME_FAIL && !timed_out);

	if (outcome == OUTCOME_FAIL && reason[0] && !timed_out)
		ktap_line("%s%s# %s: %s", ktap_lead(), indent, id, reason);
	ktap_line("%s%s%s %u %s%s%s", ktap_lead(), indent, ok, number, id,
		  timed_out ? " # TIMEOUT " : directive[outcome], plain ? "" : reason);
}

static void print_rows(const struct test_row *row, u32 rows)
{
	ktap_line("%s  KTAP version 1", ktap_lead());
	ktap_line("%s  1..%u", ktap_lead(), rows);
	for (u32 i = 0; i < rows; i++)
		print_ktap("  ", i + 1, row[i].name, row[i].outcome, row[i].reason, false);
}

/*
 * Applies the table of defects to the rows; returns the worst outcome of them
 * and leaves in *reason the text of that row.
 */
static u8 judge_rows(const char *id, struct test_row *row, u32 rows, const char **reason)
{
	u8 worst = OUTCOME_PASS;

	for (u32 i = 0; i < rows; i++) {
		const struct defect *d = defect_find(report.env->platform, id, row[i].name);

		if (d && row[i].outcome == OUTCOME_FAIL) {
			row[i].outcome = OUTCOME_KNOWN;
			str_copy(row[i].reason, d->reason, sizeof(row[i].reason));
		} else if (d && row[i].outcome == OUTCOME_PASS) {
			row[i].outcome = OUTCOME_ERROR;
			str_copy(row[i].reason, "listed as known defect but passed",
				 sizeof(row[i].reason));
		}
		if (row[i].outcome > worst) {
			worst = row[i].outcome;
			*reason = row[i].reason;
		}
	}
	return worst;
}

static void count(const char *id, u8 outcome)
{
	struct report_totals *n = totals();
	u32 *const counter[] = {
		[OUTCOME_PASS] = &n->passed, [OUTCOME_KNOWN] = &n->known,
		[OUTCOME_SKIP] = &n->skipped, [OUTCOME_ERROR] = &n->errors,
		[OUTCOME_FAIL] = &n->failed,
	};

	u64 *const stat[] = {
		[OUTCOME_PASS] = &stat_passed, [OUTCOME_KNOWN] = &stat_known,
		[OUTCOME_SKIP] = &stat_skipped, [OUTCOME_ERROR] = &stat_errors,
		[OUTCOME_FAIL] = &stat_failed,
	};

	(*counter[outcome])++;
	stat_inc(stat[outcome]);
	n->reported++;
	if (!report.side && outcome >= OUTCOME_ERROR && report.n_failed < REPORT_FAILED)
		report.failed[report.n_failed++] = id;
}

static void count_time(bool timed_out, u64 us)
{
	stat_add(&stat_timed_out, timed_out);
	stat_add(&stat_total_us, us);
	stat_log2(stat_us, us);
	stat_peak(&stat_longest, us);
}

void report_result(const char *id, const char *ref, u8 outcome, const char *reason,
		   bool timed_out, u64 us, struct test_row *row, u32 rows)
{
	const struct defect *d = defect_find(report.env->platform, id, NULL);
	char line[400];
	size_t len = 0;

	if (rows) {
		const char *row_reason = reason;
		u8 worst = judge_rows(id, row, rows, &row_reason);

		/* The test's own outcome was raised by its rows: they speak. */
		if (outcome == OUTCOME_PASS || worst != OUTCOME_PASS) {
			outcome = worst;
			reason = row_reason;
		}
	}
	if (d && outcome == OUTCOME_FAIL) {
		outcome = OUTCOME_KNOWN;
		reason = d->reason;
		timed_out = false;
	} else if (d && outcome == OUTCOME_PASS) {
		outcome = OUTCOME_ERROR;
		reason = "listed as known defect but passed";
	}
	count(id, outcome);
	count_time(timed_out, us);
	report.current = NULL;
	if (rows)
		print_rows(row, rows);
	print_ktap("", totals()->reported, id, outcome, reason, timed_out);
	str_append(line, sizeof(line), &len, "%stest %s %s", machine_lead(), id,
		   outcome_name(outcome));
	if (reason[0])
		append_quoted(line, sizeof(line) - 32, &len, "reason", reason);
	if (ref)
		append_quoted(line, sizeof(line) - 16, &len, "ref", ref);
	str_append(line, sizeof(line), &len, " us=%llu", (unsigned long long)us);
	machine_line("%s", line);
}

const char *report_platform(void)
{
	return report.env->platform;
}

const struct report_totals *report_totals(void)
{
	return &report.total;
}

/* Nothing run is not a pass, and a machine where nothing could be tested neither. */
static const char *verdict_of(const struct report_totals *n)
{
	if (n->failed || n->errors)
		return n->reported < n->declared || n->incomplete ? "incomplete" : "fail";
	if (n->incomplete || n->reported != n->declared || !(n->passed + n->known))
		return "incomplete";
	return "pass";
}

const char *report_verdict(void)
{
	return verdict_of(&report.total);
}

static void print_totals(const struct report_totals *n)
{
	ktap_line("# Totals: pass:%u fail:%u xfail:%u skip:%u error:%u", n->passed, n->failed,
		  n->known, n->skipped, n->errors);
	machine_line("%send verdict=%s passed=%u failed=%u skipped=%u errors=%u known=%u",
		     machine_lead(), verdict_of(n), n->passed, n->failed, n->skipped, n->errors,
		     n->known);
}

void report_side_begin(struct report_totals *t, u32 declared)
{
	*t = (struct report_totals){ .declared = declared };
	report.side = t;
	ktap_line("# 1..%u", declared);
	machine_line("monitor plan %u", declared);
}

void report_side_end(void)
{
	print_totals(report.side);
	report.side = NULL;
}

bool report_ended(void)
{
	return report.ended;
}

void report_end(void)
{
	const struct report_totals *n = &report.total;
	struct screen_counts c = { n->passed, n->failed, n->skipped, n->errors, n->known };

	if (report.ended)
		return;
	report.ended = true;
	print_totals(n);
	screen_summary((struct screen *)&report.env->screen, report_verdict(), &c,
		       report.failed, report.n_failed);
}

/* A panic: the test that ran is the one to name; the rest will be missing. */
static void end_in_panic(const char *reason)
{
	char text[200];

	if (report.current) {
		nb_snprintf(text, sizeof(text), "panic: %s", reason);
		report_result(report.current, NULL, OUTCOME_ERROR, text, false, 0, NULL, 0);
	}
	report.side = NULL;
	report.total.incomplete = true;
	report_end();
	uart_drain((struct uart *)&report.env->uart);
	if (report.env->opts.on_end == ON_END_REBOOT)
		power_reboot();
	if (report.env->opts.on_end == ON_END_POWEROFF)
		power_off();
	power_halt();
}

static void start_plan(const struct run_env *env)
{
	report.env = env;
	panic_end = end_in_panic;
}

static void print_plan(const struct run_env *env)
{
	ktap_line("1..%u", report.total.declared);
	machine_line("plan %u", report.total.declared);
	for (u32 i = 0; i < report.total.declared; i++)
		machine_line("decl %s", report.id[i]);
}

static void end_stage(const struct run_env *env)
{
	report_end();
}

#define ALL_MODES (BIT(RUN_ALL) | BIT(RUN_TESTS) | BIT(RUN_GUESTS) | BIT(RUN_BENCH) | \
		   BIT(RUN_MONITOR))
STAGE(plan, .name = "plan", .order = STAGE_PLAN, .modes = ALL_MODES, .plan = start_plan,
      .run = print_plan);
STAGE(end, .name = "end", .order = STAGE_END, .modes = ALL_MODES, .run = end_stage);
