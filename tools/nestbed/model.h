/* SPDX-License-Identifier: MIT */
/*
 * One run of nestbed as its serial line tells it: inventory, plan, tests,
 * statistics, and the verdict over all of it.  Filled by the events of
 * serial_parse.h; all text kept here is printable ASCII (text.h, sb_clean).
 */
#ifndef TOOLS_NESTBED_MODEL_H
#define TOOLS_NESTBED_MODEL_H

#include "tools/nestbed/serial_parse.h"
#include "tools/nestbed/text.h"

/* The values are the exit codes of the tool; a higher one is worse. */
enum verdict {
	VERDICT_PASS = 0,
	VERDICT_FAIL = 1,
	VERDICT_INCOMPLETE = 2,
};

enum test_result {
	RESULT_NONE,		/* no result yet */
	RESULT_PASS,
	RESULT_FAIL,
	RESULT_SKIP,
	RESULT_ERROR,
	RESULT_KNOWN,		/* failed as the table of known defects foretells */
	RESULT_CRASHED,		/* started, and the run ended before its result */
	RESULT_MISSING,		/* declared, never started */
	RESULT_NR,
};

/* Bounds of what a hostile or broken line can make us keep. */
#define MODEL_TESTS_MAX		65536
#define MODEL_PAIRS_MAX		1024
#define MODEL_STATS_MAX		65536
#define MODEL_MESSAGES_MAX	64

struct test_case {
	char *id;
	enum test_result result;
	char *reason;		/* or NULL */
	char *ref;		/* section of the manual, or NULL */
	u64 us;
	bool has_us;
	bool declared;
	bool started;
	bool has_log;		/* log_from and log_to are valid */
	u64 log_from;		/* offsets in the serial log: from its start line */
	u64 log_to;		/* to behind its result (crashed: end of the log) */
};

struct named {
	char *name;
	char *text;
};

struct bench {
	char *name;
	u64 min;
	u64 median;
	u64 max;
	char *unit;
};

struct messages {
	char *text[MODEL_MESSAGES_MAX];
	size_t n;
	size_t dropped;
};

/* Cleaned (text.h), and counted instead of kept when there are too many. */
__printf(2, 3) void messages_add(struct messages *list, const char *fmt, ...);
void messages_free(struct messages *list);

/* A block of statistics: what is being received, or the last good one. */
struct stats_block {
	struct strbuf text;	/* "<path> <integer> <unit> <aggregate>" lines */
	u64 seq;
	u64 us;
	u64 lines;
	u32 crc;
	bool damaged;
};

struct run_model {
	struct named *begin;	/* the pairs of the begin line */
	size_t nbegin;
	struct named *info;	/* inventory lines */
	size_t ninfo;
	struct test_case *test;	/* in order of first mention */
	size_t ntests;
	size_t *hash;		/* open addressing, test index + 1 */
	size_t hash_size;
	size_t declared;
	struct bench *bench;
	size_t nbench;
	bool has_plan;
	u64 plan;
	bool begun;
	bool ended;
	bool reset;		/* a second begin line before the end line */
	bool again;		/* a second begin line after the end line */
	size_t current;		/* test that runs, index + 1; 0: none */
	size_t last_started;	/* index + 1 */
	u64 stray;		/* machine lines before begin */
	u64 bad_lines;
	u64 lines;
	u64 log_end;		/* bytes of complete and partial lines seen */
	bool cut_off;		/* the log ends inside a machine line */
	struct named *end;	/* the pairs of the end line */
	size_t nend;
	bool in_stats;
	struct stats_block receiving;
	struct stats_block stats;
	u64 stats_good;
	u64 stats_damaged;
	struct messages problems;	/* each makes the run incomplete */
	struct messages notes;		/* worth saying, changes nothing */
	size_t count[RESULT_NR];	/* kept up to date while lines come */
	bool judged;
	enum verdict verdict;
};

void model_init(struct run_model *m);
void model_free(struct run_model *m);

/* The emit callback for serial_init(), ctx is the model. */
void model_event(void *ctx, const struct serial_event *ev);

/*
 * The run is over: names what is missing, checks the image's own sums
 * against what was seen and settles the verdict.  stopped says in a sentence
 * why the run was ended from outside, or is NULL.  Call once.
 */
enum verdict model_judge(struct run_model *m, const char *stopped);

/* A value of the begin line, or NULL. */
const char *model_begin(const struct run_model *m, const char *key);

/* Tests that have a result from the image. */
size_t model_done(const struct run_model *m);

__printf(2, 3) void model_problem(struct run_model *m, const char *fmt, ...);
__printf(2, 3) void model_note(struct run_model *m, const char *fmt, ...);

/* "pass", "fail", ...; and the words people read: "passed", "failed", ... */
const char *result_name(enum test_result r);
const char *result_words(enum test_result r);
const char *verdict_name(enum verdict v);

/* True for fail, error, crashed and missing. */
bool result_is_bad(enum test_result r);

/* The length of the group in an id: "svm.vmrun.asid" is in "svm.vmrun",
 * "svm.cpuid" in "svm", "one" in "one". */
size_t group_len(const char *id);

#endif
