/* SPDX-License-Identifier: MIT */
/*
 * The test runner: selection, watchdog, clean-up after each test.
 *
 * Three lines of defence against a hang.  A guest is left by the timer
 * interrupt (or VMX's preemption timer) when its deadline has passed.
 * Hypervisor code with interrupts on is abandoned by the same timer's handler.
 * With interrupts off, an NMI does it GRACE_US later.  Abandoned code never
 * goes on: the stack returns to the runner, memory goes back by owner tag.
 */
#include "tests/runner.h"

#include "core/lib/crc32.h"
#include "core/lib/log.h"
#include "core/lib/nearest.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mon/log.h"
#include "core/vm/virt_ops.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/nmi_watchdog.h"
#include "core/x86/panic.h"
#include "core/x86/percpu.h"
#include "core/x86/smp.h"
#include "core/x86/time.h"
#include "tests/defects.h"
#include "tests/machine.h"
#include "tests/monitor_stage.h"
#include "tests/report.h"
#include "tests/statistics.h"

#define GRACE_US	1500000
#define RESUME_US	1000

SECTION_BOUNDS(struct test, tests);

static const struct run_env *env;
static struct test_row *rows;		/* TEST_ROWS, reused by each test */
static u16 next_owner = 1;
static bool have_nmi;			/* the watchdog has an NMI source */

/* Says where the code hung, and leaves it. */
static void abandon(struct trap_frame *f, struct test_ctx *t, const char *how)
{
	char sym[80];

	symbol_format(sym, sizeof(sym), f->rip);
	t->timed_out = true;
	test_report(t, OUTCOME_FAIL, "timed out: hypervisor hung in %s (%s)", sym, how);
	trap_abandon(f, &t->abort, RUNNER_ABANDONED);
}

/* What else the timer is for: statistics, and what is typed for guests. */
static u64 poll_due_us(void)
{
	return MIN(stats_due_us(), guest_console_due_us());
}

static void timer_tick(struct trap_frame *f)
{
	struct percpu *cpu = this_cpu();
	struct test_ctx *t = cpu->abandon;

	if (!t || !t->deadline)
		return;
	if (rdtsc() < t->deadline) {
		lapic_timer_oneshot(MIN(tsc_to_us(t->deadline - rdtsc()) + 1, poll_due_us()));
		return;
	}
	/*
	 * In a guest's run loop the loop itself sees the deadline; just behind
	 * it the test is about to say what it saw.
	 */
	if (!t->late)
		t->late = rdtsc() + us_to_tsc(GRACE_US / 3);
	if (cpu->current || rdtsc() < t->late) {
		lapic_timer_oneshot(GRACE_US / 3);
		return;
	}
	abandon(f, t, "timer");
}

static bool watchdog_nmi(struct trap_frame *f)
{
	struct test_ctx *t = this_cpu()->abandon;

	if (this_cpu()->id == 0 && !nmi_watchdog_expired())
		return false;
	if (!t || !t->deadline || rdtsc() < t->deadline)
		return false;
	/* It may be a guest that the NMI has just ended: the run loop will see. */
	if (this_cpu()->current && !t->nmi_seen) {
		t->nmi_seen = true;
		this_cpu()->current->kicked = true;
		this_cpu()->current->poke = 1;
		if (this_cpu()->id == 0)
			nmi_watchdog_arm(this_cpu()->apic_id, GRACE_US / 3);
		return true;
	}
	abandon(f, t, "NMI");
	return true;
}

static void arm(struct test_ctx *t, u64 seconds)
{
	u64 us = seconds * 1000000;

	t->start_tsc = rdtsc();
	t->deadline = seconds ? t->start_tsc + us_to_tsc(us) : 0;
	this_cpu()->abandon = t;
	if (!seconds)
		return;
	lapic_timer_oneshot(MIN(us, poll_due_us()));
	if (this_cpu()->id == 0 && have_nmi)
		nmi_watchdog_arm(this_cpu()->apic_id, us + GRACE_US);
}

static void disarm(struct test_ctx *t)
{
	this_cpu()->abandon = NULL;
	t->deadline = 0;
	lapic_timer_stop();
	if (this_cpu()->id == 0 && have_nmi)
		nmi_watchdog_disarm();
}

void runner_pause(struct runner_pause *p)
{
	p->t = this_cpu()->abandon;
	p->since = rdtsc();
	this_cpu()->abandon = NULL;
	lapic_timer_stop();
	if (this_cpu()->id == 0 && have_nmi)
		nmi_watchdog_disarm();
}

/* t has another deadline now. */
static void arm_again(const struct test_ctx *t, u64 now)
{
	u64 left = t->deadline > now ? tsc_to_us(t->deadline - now) : 0;

	if (this_cpu()->id == 0 && have_nmi)
		nmi_watchdog_arm(this_cpu()->apic_id, left + GRACE_US);
}

void runner_resume(const struct runner_pause *p)
{
	struct test_ctx *t = p->t;
	u64 now = rdtsc();

	this_cpu()->abandon = t;
	/* Whatever the timer was for: its handler finds out. */
	lapic_timer_oneshot(RESUME_US);
	if (!t || !t->deadline)
		return;
	t->deadline += now - p->since;
	for (struct machine *m = t->machine; m; m = m->next)
		if (m->v && m->v->deadline)
			m->v->deadline += now - p->since;
	arm_again(t, now);
}

void runner_extend(u64 us)
{
	struct test_ctx *t = this_cpu()->abandon;
	u64 now = rdtsc();

	if (!t || !t->deadline)
		return;
	t->deadline = MAX(t->deadline, now) + us_to_tsc(us);
	t->late = 0;
	arm_again(t, now);
}

/* After an abandonment no structure of the test can be trusted. */
static void clean_up(struct test_ctx *t, bool abandoned)
{
	/* The test may have left while others still worked for it. */
	test_jobs_abandon();
	/* Some CPU may have been stopped in the middle of anything. */
	if (abandoned || t->outcome >= OUTCOME_ERROR)
		vm_stats_recover();
	if (abandoned) {
		log_abandon();
		page_alloc_recover(&host_pages);
		exit_trace_dump();
	}
	machines_release(t, abandoned);
	vm_stats_end_owner(t->owner);
	page_free_owner(&host_pages, t->owner);
}

static u16 take_owner(void)
{
	u16 owner = next_owner++;

	if (!next_owner)
		next_owner = 1;
	return owner;
}

void runner_run(struct test_ctx *t, const struct test *test, u64 seconds)
{
	int left;

	memset(t, 0, sizeof(*t));
	t->test = test;
	t->owner = take_owner();
	t->cpu = this_cpu()->id;
	t->row = this_cpu()->id == 0 ? rows : NULL;
	t->rng = env->opts.seed ^ crc32_update(0, test->id, strlen(test->id));
	left = context_save(&t->abort);
	if (!left) {
		arm(t, seconds);
		test->fn(t);
	}
	disarm(t);
	sti();
	clean_up(t, left == RUNNER_ABANDONED);
	if (!t->checks && t->outcome == OUTCOME_PASS)
		test_report(t, OUTCOME_ERROR, "the test checked nothing");
}

void runner_report(struct test_ctx *t, u64 us)
{
	report_result(t->test->id, t->test->ref, t->outcome, t->reason, t->timed_out, us,
		      t->row, t->rows);
}

static bool virt_is(enum virt_vendor vendor)
{
	return virt && virt->vendor == vendor;
}

const char *runner_lacks(const struct test *test)
{
	if ((test->needs & NEED_SVM) && !virt_is(VIRT_SVM))
		return "needs SVM";
	if ((test->needs & NEED_VMX) && !virt_is(VIRT_VMX))
		return "needs VMX";
	if ((test->needs & NEED_VIRT) && !virt)
		return "needs SVM or VMX";
	if ((test->needs & NEED_SMP) && cpu_count < 2)
		return "needs two CPUs";
	return NULL;
}

/*
 * Tests of the other vendor are not part of this machine's plan, unless they
 * are asked for by name or there is no virtualization at all.
 */
static bool selected(const struct test *test)
{
	const struct nb_options *o = &env->opts;

	if (name_list_match(&o->skip, test->id))
		return false;
	if (o->tests.count)
		return name_list_match(&o->tests, test->id);
	if (test->flags & TEST_OFF)
		return false;
	if ((test->needs & NEED_SVM) && virt_is(VIRT_VMX))
		return false;
	return !((test->needs & NEED_VMX) && virt_is(VIRT_SVM));
}

static const char *test_name(void *ctx, size_t i)
{
	return __start_nb_tests + i < __stop_nb_tests ? __start_nb_tests[i].id : NULL;
}

/* A pattern that matches no test is a mistake of the user: say what is near. */
static void check_patterns(const struct name_list *list)
{
	for (u32 i = 0; i < list->count; i++) {
		const char *near;
		bool found = false;

		for (const struct test *t = __start_nb_tests; t < __stop_nb_tests; t++)
			found |= glob_match(list->item[i], t->id);
		if (found)
			continue;
		near = str_nearest(list->item[i], test_name, NULL);
		report_incomplete("no test is named %s%s%s", list->item[i],
				  near ? "; did you mean " : "", near ? near : "");
	}
}

u32 runner_migrate(void)
{
	return env->opts.migrate == MIGRATE_OFF ? 0 : (u32)MIN(env->opts.migrate, 0xffffffffULL);
}

bool runner_migrate_memory(void)
{
	return env->opts.migrate_memory;
}

static void plan_runner(const struct run_env *e)
{
	env = e;
}

static void plan_tests(const struct run_env *e)
{
	bool needs_virt = false;

	check_patterns(&e->opts.tests);
	check_patterns(&e->opts.skip);
	for (const struct test *t = __start_nb_tests; t < __stop_nb_tests; t++) {
		if (!selected(t))
			continue;
		report_declare(t->id);
		needs_virt |= t->needs & (NEED_SVM | NEED_VMX | NEED_VIRT);
	}
	if (needs_virt && !virt)
		report_incomplete("no usable virtualization: %s", virt_why);
}

const struct test *runner_test(size_t i)
{
	return __start_nb_tests + i < __stop_nb_tests ? &__start_nb_tests[i] : NULL;
}

void runner_test_run(const struct test *test)
{
	static struct test_ctx ctx;
	const struct defect *d = defect_find(env->platform, test->id, NULL);
	const char *missing = runner_lacks(test);
	u64 seconds = test->timeout ? test->timeout : env->opts.timeout;
	u64 start;

	report_start(test->id);
	if (missing) {
		report_result(test->id, test->ref, OUTCOME_SKIP, missing, false, 0, NULL, 0);
		return;
	}
	if (d && d->kills) {
		report_result(test->id, test->ref, OUTCOME_KNOWN, d->reason, false, 0, NULL, 0);
		return;
	}
	start = time_us();
	runner_run(&ctx, test, env->opts.watchdog ? seconds : 0);
	runner_report(&ctx, time_us() - start);
	stats_poll();
}

/* Before the first stage that runs under the watchdog. */
static void setup_runner(const struct run_env *e)
{
	const char *reason;

	rows = host_alloc(ALIGN_UP(sizeof(*rows) * TEST_ROWS, PAGE_SIZE) / PAGE_SIZE,
			  PA_OWNER_CORE);
	if (!rows)
		panic("no memory for the test runner");
	have_nmi = nmi_watchdog_available(&reason);
	irq_register(VEC_TIMER, timer_tick);
	nmi_register(watchdog_nmi);
}

static void run_tests(const struct run_env *e)
{
	for (const struct test *t = __start_nb_tests; t < __stop_nb_tests; t++) {
		if (!selected(t))
			continue;
		monitor_poll();
		runner_test_run(t);
	}
}

STAGE(runner, .name = "runner", .order = STAGE_RUNNER, .modes = ~0u, .plan = plan_runner,
      .run = setup_runner);
STAGE(tests, .name = "tests", .order = STAGE_TESTS, .modes = BIT(RUN_ALL) | BIT(RUN_TESTS),
      .plan = plan_tests, .run = run_tests);
