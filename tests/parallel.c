/* SPDX-License-Identifier: MIT */
/* One test on every CPU at once. */
#include "tests/test.h"

#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/virt_ops.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/smp.h"
#include "core/x86/time.h"
#include "tests/machine.h"
#include "tests/runner.h"

struct job {
	struct test_ctx ctx;
	void (*fn)(struct test_ctx *t);
	u32 done;
};

/* Those of the running test, for its abandonment; [0] is the boot CPU's. */
static struct {
	struct job *job;
	u32 n;
} active;

/* An AP has no watchdog timer of its own: the boot CPU's NMI ends a hang. */
static void run_job(void *arg)
{
	struct job *j = arg;
	int left;

	this_cpu()->abandon = &j->ctx;
	left = context_save(&j->ctx.abort);
	if (!left)
		j->fn(&j->ctx);
	this_cpu()->abandon = NULL;
	machines_release(&j->ctx, left == RUNNER_ABANDONED);
	sti();
	WRITE_ONCE(j->done, 1);
}

/* The first NMI ends a guest, the second one hypervisor code (runner.c). */
static void stop_job(struct job *j, u32 cpu)
{
	j->ctx.deadline = 1;
	for (int i = 0; i < 2 && !READ_ONCE(j->done); i++) {
		smp_send_nmi(cpu);
		udelay(50000);
	}
}

static void wait_job(struct test_ctx *t, struct job *j, u32 cpu)
{
	u64 end = t->deadline ? t->deadline - us_to_tsc(200000) : ~0ULL;

	while (!READ_ONCE(j->done)) {
		if (rdtsc() > end) {
			stop_job(j, cpu);
			test_report(t, OUTCOME_FAIL, "CPU %u hung", cpu);
			return;
		}
		cpu_relax();
	}
}

void test_jobs_abandon(void)
{
	for (u32 i = 1; i < active.n; i++)
		if (!READ_ONCE(active.job[i].done))
			stop_job(&active.job[i], i);
	active.n = 0;
}

static void fold(struct test_ctx *t, const struct job *j, u32 cpu, bool must_check)
{
	t->checks += j->ctx.checks;
	if (j->ctx.outcome != OUTCOME_PASS)
		test_report(t, j->ctx.outcome, "CPU %u: %s", cpu, j->ctx.reason);
	else if (must_check && !j->ctx.checks)
		test_report(t, OUTCOME_ERROR, "CPU %u checked nothing", cpu);
}

/* apart: the boot CPU does its part before the others begin. */
struct job_rules { bool must_check, apart; };

static void run_jobs(struct test_ctx *t, u32 n, void (*fn)(struct test_ctx *t), void *arg,
		     struct job_rules rules)
{
	u64 pages = ALIGN_UP(sizeof(struct job) * n, PAGE_SIZE) / PAGE_SIZE;
	struct job *jobs = host_alloc(pages, t->owner);

	if (!jobs)
		TEST_ERROR(t, "no memory for %u jobs", n);
	for (u32 i = 0; i < n; i++) {
		jobs[i].ctx = (struct test_ctx){ .test = t->test, .owner = t->owner, .cpu = i,
						 .rng = t->rng + i, .deadline = t->deadline,
						 .job = arg };
		jobs[i].fn = fn;
	}
	t->job = arg;
	active.job = jobs;
	active.n = n;
	if (rules.apart)
		fn(t);
	for (u32 i = 1; i < n; i++) {
		if (smp_call(i, run_job, &jobs[i])) {
			jobs[i].done = 1;
			test_report(t, OUTCOME_ERROR, "CPU %u takes no work", i);
		}
	}
	if (!rules.apart)
		fn(t);
	for (u32 i = 1; i < n; i++) {
		wait_job(t, &jobs[i], i);
		fold(t, &jobs[i], i, rules.must_check);
	}
	active.n = 0;
}

void test_on_all_cpus(struct test_ctx *t, void (*fn)(struct test_ctx *t))
{
	run_jobs(t, cpu_count, fn, NULL, (struct job_rules){ .must_check = true });
}

void test_guests_on_all_cpus(struct test_ctx *t, void (*fn)(struct test_ctx *t))
{
	run_jobs(t, cpu_count, fn, NULL, (struct job_rules){
			.must_check = true, .apart = virt_boot_cpu_alone() });
}

void test_on_cpus(struct test_ctx *t, u32 n, void (*fn)(struct test_ctx *t), void *arg)
{
	run_jobs(t, n, fn, arg, (struct job_rules){ 0 });
}
