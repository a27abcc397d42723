/* SPDX-License-Identifier: MIT */
/* Running one piece of work under the watchdog; for tests and guests. */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include "boot/stage.h"
#include "tests/test.h"

/*
 * Runs fn(t) on this CPU with a fresh context: seconds is the time limit (0:
 * none).  When it passes, a guest is stopped by a timer exit, the hypervisor
 * by a timer interrupt or an NMI, and t->timed_out is set.  All machines of t
 * and all memory of its owner tag are taken back.
 */
void runner_run(struct test_ctx *t, const struct test *test, u64 seconds);

/*
 * Between these two the watchdog of what runs on this CPU (if anything does)
 * stands still, and so do the deadlines of it and of its machines: for the
 * monitor, inside a guest's run.
 */
struct runner_pause {
	struct test_ctx *t;
	u64 since;
};
void runner_pause(struct runner_pause *p);
void runner_resume(const struct runner_pause *p);
/* What runs on this CPU has us more, from now on or its deadline: for what it has to say. */
void runner_extend(u64 us);

/* What context_save returns when the watchdog took the code away. */
#define RUNNER_ABANDONED	2

/* Why this machine cannot run the test, or NULL. */
const char *runner_lacks(const struct test *test);

/* Test number i of the image, whether selected or not; NULL behind the last. */
const struct test *runner_test(size_t i);
/* Runs and reports it. */
void runner_test_run(const struct test *test);

/* Reports what runner_run left in t. */
void runner_report(struct test_ctx *t, u64 us);

/* migrate= of the command line; 0: off. */
u32 runner_migrate(void);
bool runner_migrate_memory(void);

#endif
