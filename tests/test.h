/* SPDX-License-Identifier: MIT */
/*
 * Tests in the image.  A test is a function registered where it stands:
 *
 *	TEST(svm, cpuid_exit, .ref = "APM2 15.9", .needs = NEED_SVM)
 *	{
 *		struct machine *m = machine_new(t, MODE_LONG64, &cpuid_guest);
 *
 *		EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
 *	}
 *
 * Its id is "svm.cpuid_exit".  Outcomes only get worse; a test that checked
 * nothing is an error.  docs/testing.md has complete examples.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "core/lib/base.h"
#include "core/x86/trap.h"

/* In order of severity; the worst one sticks. */
enum outcome {
	OUTCOME_PASS,
	OUTCOME_KNOWN,		/* failed as tests/defects.def foretells */
	OUTCOME_SKIP,		/* the machine lacks what the test needs */
	OUTCOME_ERROR,		/* the test itself is broken */
	OUTCOME_FAIL,		/* what it tests is broken */
};

enum test_needs {
	NEED_NONE = 0,
	NEED_SVM = 1,
	NEED_VMX = 2,
	NEED_VIRT = 4,		/* either */
	NEED_SMP = 8,		/* two CPUs or more */
};

enum test_flags {
	TEST_OFF = 1,		/* runs only when tests= names it */
	TEST_ANY_END = 2,	/* a hang is a possible end, judged by the test */
};

struct test_ctx;

struct test {
	const char *id;
	const char *ref;	/* manual section that is tested */
	void (*fn)(struct test_ctx *t);
	const void *arg;	/* for tests made from a table */
	u32 needs;		/* enum test_needs */
	u32 flags;		/* enum test_flags */
	u32 timeout;		/* seconds; 0: the run's timeout= */
	u32 pad;
};

#define TEST(group, name, ...)							\
	static void test_##group##_##name(struct test_ctx *t);			\
	static const struct test test_rec_##group##_##name			\
	__used __section(".nb.tests." #group) __aligned(8) = {			\
		.id = #group "." #name, .fn = test_##group##_##name, __VA_ARGS__ };	\
	static void test_##group##_##name(struct test_ctx *t)

#define TEST_ROWS	320

struct test_row {
	const char *name;
	u8 outcome;
	char reason[88];
};

struct test_ctx {
	const struct test *test;
	u8 outcome;		/* enum outcome */
	u16 owner;		/* page_alloc tag of all the test allocates */
	u32 checks;
	u32 cpu;
	u64 start_tsc, deadline;
	u64 rng;
	void *job;		/* argument of test_on_cpus */
	bool timed_out;
	u64 late;		/* TSC until which a test that is over its deadline may say so */
	bool nmi_seen;		/* the watchdog's NMI came once while a guest ran */
	char reason[160];	/* first one of the worst severity */
	struct context abort;	/* SKIP, REQUIRE and the watchdog leave here */
	u32 rows;
	struct test_row *row;	/* TEST_ROWS of them */
	struct machine *machine;	/* newest one */
};

/*
 * Starts a row (a KTAP subtest): checks until the next call count for it.
 * name must stay valid.  More than TEST_ROWS is a test error.
 */
void test_row(struct test_ctx *t, const char *name);

/* Raises the outcome; keeps the first reason of the worst severity. */
void test_report(struct test_ctx *t, enum outcome o, const char *fmt, ...) __printf(3, 4);
void test_leave(struct test_ctx *t) __noreturn;

/* A diagnostic line of this test. */
void test_note(struct test_ctx *t, const char *fmt, ...) __printf(2, 3);

/* Next pseudo-random number: a function of seed= and the test's id. */
u64 test_random(struct test_ctx *t);

/* cond must hold; goes on when it does not.  Returns cond. */
bool test_check(struct test_ctx *t, bool cond, const char *fmt, ...) __printf(3, 4);
bool test_check_eq(struct test_ctx *t, u64 got, u64 want, const char *what, int line);

#define CHECK(t, cond, ...)	test_check(t, cond, __VA_ARGS__)
#define EXPECT(t, cond)		test_check(t, cond, "line %d: %s", __LINE__, #cond)
#define EXPECT_EQ(t, got, want)	\
	test_check_eq(t, (u64)(got), (u64)(want), #got " != " #want, __LINE__)
/* As EXPECT, but the test cannot go on. */
#define REQUIRE(t, cond) do {						\
	if (!test_check(t, cond, "line %d: %s", __LINE__, #cond))	\
		test_leave(t);						\
} while (0)
#define REQUIRE_EQ(t, got, want) do {					\
	if (!EXPECT_EQ(t, got, want))					\
		test_leave(t);						\
} while (0)
#define SKIP(t, ...) do {						\
	test_report(t, OUTCOME_SKIP, __VA_ARGS__);			\
	test_leave(t);							\
} while (0)
/* The test itself is broken. */
#define TEST_ERROR(t, ...) do {						\
	test_report(t, OUTCOME_ERROR, __VA_ARGS__);			\
	test_leave(t);							\
} while (0)

/*
 * Runs fn on every CPU at once, each with a context of its own, and folds the
 * outcomes into t; a CPU that hangs is stopped and reported by number.
 */
void test_on_all_cpus(struct test_ctx *t, void (*fn)(struct test_ctx *t));

/* The same with guests: where virt_boot_cpu_alone, the boot CPU is done when the others begin. */
void test_guests_on_all_cpus(struct test_ctx *t, void (*fn)(struct test_ctx *t));

/*
 * The same on CPUs 0 to n - 1, with arg in t->job; a CPU may end without a
 * check of its own.
 */
void test_on_cpus(struct test_ctx *t, u32 n, void (*fn)(struct test_ctx *t), void *arg);

/* The test was abandoned: whatever its other CPUs do ends now. */
void test_jobs_abandon(void);

const char *outcome_name(unsigned int o);

#endif
