/* SPDX-License-Identifier: MIT */
/*
 * Guests that the boot loader brought as modules: each is loaded by its
 * content, run to its end and reported as guest.<name>.  A module that another
 * one names in initrd= or modules= is no guest itself.
 */
#include "tests/modules.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/virt_ops.h"
#include "core/x86/time.h"
#include "tests/guest_vm.h"
#include "tests/monitor_stage.h"
#include "tests/report.h"
#include "tests/runner.h"

#define DEFAULT_MEM	(64ULL << 20)
#define DEFAULT_TIMEOUT	60		/* seconds */
#define GUEST_CONSOLES	16

struct module_guest {
	const struct boot_module *module;
	struct guest_options opts;
	const char *refused;		/* why it cannot run, or NULL */
	u32 index;
	char id[GUEST_NAME_MAX + 16];
	struct test test;
};

SECTION_BOUNDS(struct test, tests);

static struct module_guest guest[BOOT_MODULES_MAX];
static u32 n_guests;
static const struct run_env *env;

static bool id_taken(const char *id)
{
	for (u32 i = 0; i < n_guests; i++)
		if (!strcmp(guest[i].id, id))
			return true;
	for (const struct test *t = __start_nb_tests; t < __stop_nb_tests; t++)
		if (!strcmp(t->id, id))
			return true;
	return false;
}

/* Ids are [a-z0-9_.]; a name that a test or an earlier module has gets a number. */
static void make_id(struct module_guest *g)
{
	size_t n = (size_t)nb_snprintf(g->id, sizeof(g->id), "guest.%s", g->opts.name);

	for (size_t i = 0; i < n; i++) {
		char c = g->id[i];

		if (c >= 'A' && c <= 'Z')
			g->id[i] = (char)(c - 'A' + 'a');
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.'))
			g->id[i] = '_';
	}
	if (id_taken(g->id))
		str_append(g->id, sizeof(g->id), &n, "_%u", g->index);
}

/* Does another guest want that module handed to it? */
static bool handed_on(const char *name)
{
	for (u32 i = 0; i < n_guests; i++)
		if (guest_options_use(&guest[i].opts, name))
			return true;
	return false;
}

/* What of the options cannot be had yet, with the reason. */
static const char *unsupported(const struct guest_options *o)
{
	if (o->cpus > 1)
		return "cpus= above 1 is not supported";
	if (o->nested == GUEST_NESTED_SVM || o->nested == GUEST_NESTED_VMX)
		return "nested virtualization is not supported";
	if (o->mem && o->mem < GUEST_MEM_MIN)
		return "mem= is below 2 MiB";
	return NULL;
}

static void run_guest(struct test_ctx *t);

static void add_module(const struct boot_module *m, u32 index)
{
	struct module_guest *g = &guest[n_guests];

	g->module = m;
	g->index = index;
	if (guest_options_parse(m->cmdline, index, &g->opts, &log_diag))
		g->refused = "its options are wrong (see the message before the plan)";
	else if (m->refused)
		g->refused = m->refused;
	else
		g->refused = unsupported(&g->opts);
	make_id(g);
	g->test = (struct test){ .id = g->id, .fn = run_guest, .arg = g };
	n_guests++;
}

static bool chosen(const struct module_guest *g)
{
	if (handed_on(g->opts.name))
		return false;
	return !env->opts.guests.count || name_list_match(&env->opts.guests, g->opts.name);
}

void modules_scan(const struct run_env *e)
{
	if (env)
		return;
	env = e;
	for (u32 i = 0; i < e->info.n_modules; i++)
		add_module(&e->info.modules[i], i);
}

static void plan_guests(const struct run_env *e)
{
	modules_scan(e);
	for (u32 i = 0; i < n_guests; i++)
		if (chosen(&guest[i]))
			report_declare(guest[i].id);
	if (n_guests && !virt)
		report_incomplete("no usable virtualization: %s", virt_why);
}

/* Collects the loader's message so that the report can show it. */
static void keep_message(void *ctx, const char *line)
{
	struct test_ctx *t = ctx;

	log_printf(LOG_WARN, "%s", line);
	test_report(t, OUTCOME_FAIL, "refused: %s", line);
}

static void judge(struct test_ctx *t, const struct module_guest *g, struct vcpu *v)
{
	u64 want = g->opts.has_expect ? g->opts.expect : 0;

	switch (v->stop) {
	case STOP_DONE:
		test_check(t, v->result == want, "ended with %u, expected %llu", v->result,
			   (unsigned long long)want);
		return;
	case STOP_TIMEOUT:
		t->timed_out = true;
		test_report(t, OUTCOME_FAIL, "timed out: still running at rip 0x%llx",
			    (unsigned long long)v->rip);
		return;
	default:
		vcpu_dump(v);
		test_report(t, OUTCOME_FAIL, "ended with %s at rip 0x%llx%s%s",
			    stop_reason_name(v->stop), (unsigned long long)v->rip,
			    v->why[0] ? ": " : "", v->why);
	}
}

static void run_guest(struct test_ctx *t)
{
	const struct module_guest *g = t->test->arg;
	const struct diag diag = { keep_message, t };
	struct load_image img = { .name = g->opts.name, .data = (void *)g->module->start,
				  .size = g->module->size, .cmdline = g->module->cmdline };
	const char *why = "";
	struct guest_vm *vm;

	vm = guest_vm_new(t, g->index % GUEST_CONSOLES, g->opts.mem ? g->opts.mem : DEFAULT_MEM,
			  &why);
	if (!vm) {
		test_report(t, OUTCOME_FAIL, "refused: mem=: %s", why);
		return;
	}
	vm_stats_label(&vm->m.vm, "guest", g->opts.name);
	if (guest_vm_load(vm, &img, &diag)) {
		if (t->outcome == OUTCOME_PASS)
			test_report(t, OUTCOME_FAIL, "refused without a reason");
		return;
	}
	vm->m.v->deadline = t->deadline;
	guest_console_begin(vm->m.vm.id, &g->opts);
	vcpu_run(vm->m.v);
	guest_console_over(vm->m.vm.id);
	judge(t, g, vm->m.v);
}

static void run_module(const struct module_guest *g)
{
	static struct test_ctx ctx;
	u64 seconds = g->opts.timeout ? g->opts.timeout : DEFAULT_TIMEOUT;
	u64 start = time_us();
	char text[160];

	report_start(g->id);
	if (!virt || g->refused) {
		nb_snprintf(text, sizeof(text), "%s%s", virt ? "refused: " : "",
			    virt ? g->refused : "needs SVM or VMX");
		report_result(g->id, NULL, virt ? OUTCOME_FAIL : OUTCOME_SKIP, text, false, 0,
			      NULL, 0);
		return;
	}
	runner_run(&ctx, &g->test, seconds);
	/* Also of a guest whose run was abandoned. */
	guest_console_over(g->index % GUEST_CONSOLES);
	runner_report(&ctx, time_us() - start);
}

const char *modules_guest(size_t i, const char **refused)
{
	for (u32 k = 0; k < n_guests; k++) {
		if (handed_on(guest[k].opts.name) || i--)
			continue;
		*refused = guest[k].refused;
		return guest[k].opts.name;
	}
	return NULL;
}

void modules_run(const char *glob)
{
	for (u32 i = 0; i < n_guests; i++)
		if (!handed_on(guest[i].opts.name) && glob_match(glob, guest[i].opts.name))
			run_module(&guest[i]);
}

static void run_guests(const struct run_env *e)
{
	for (u32 i = 0; i < n_guests; i++) {
		if (!chosen(&guest[i]))
			continue;
		monitor_poll();
		run_module(&guest[i]);
	}
}

STAGE(guests, .name = "guests", .order = STAGE_GUESTS, .modes = BIT(RUN_ALL) | BIT(RUN_GUESTS),
      .plan = plan_guests, .run = run_guests);
