/* SPDX-License-Identifier: MIT */
/*
 * Guests that the boot loader brought as modules: each is loaded by its
 * content, run to its end and reported as guest.<name>.  One that is a saved
 * machine goes on from where it was.  A module that another one names in
 * initrd= or modules= is no guest itself.
 */
#include "tests/modules.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mon/blob.h"
#include "core/vm/virt_ops.h"
#include "core/x86/time.h"
#include "tests/guest_vm.h"
#include "tests/monitor_stage.h"
#include "tests/report.h"
#include "tests/runner.h"

#define DEFAULT_MEM	(64ULL << 20)
#define DEFAULT_TIMEOUT	60		/* seconds */
#define GRACE		3		/* seconds: the watchdog comes behind the guests */
#define GUEST_CONSOLES	16

/* A container in memory. */
struct container {
	u8 *p;
	u64 size, at;
};

struct module_guest {
	const struct boot_module *module;
	struct container saved;		/* what the module is; p NULL: no container */
	struct guest_options opts;
	const char *refused;		/* why it cannot run, or NULL */
	u32 index;
	char id[GUEST_NAME_MAX + 16];
	struct test test;		/* only its id and reference are used */
	struct load_module handed[GUEST_MODULES_MAX], initrd;
	/* Of a run. */
	struct module_guest *next;	/* that runs beside it */
	struct guest_vm *vm;		/* NULL: it does not run */
	bool from_kept;			/* it goes on from the copy that was kept */
	struct test_ctx ctx;
	u32 console;
	u64 us;
};

SECTION_BOUNDS(struct test, tests);

static struct module_guest guest[BOOT_MODULES_MAX];
static struct {
	struct container c;
	struct module_guest *guest;	/* NULL: nothing is kept */
	u32 sent;			/* times that any was */
} kept;
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
	if (o->nested == GUEST_NESTED_VMX ||
	    (o->nested == GUEST_NESTED_SVM && virt->vendor != VIRT_SVM))
		return "nested= is only there for SVM on AMD's CPUs";
	if (o->mem && o->mem < GUEST_MEM_MIN)
		return "mem= is below 2 MiB";
	return virt ? vm_tsc_refused(o->tsc_khz) : NULL;
}

static bool is_container(const struct boot_module *m)
{
	return !m->refused && m->size >= sizeof(struct save_header) &&
	       !memcmp((void *)m->start, SAVE_MAGIC, strlen(SAVE_MAGIC));
}

/* What a saved machine has of its own cannot be given. */
static const char *saved_refused(const struct guest_options *o)
{
	if (!o->mem && o->cpus == 1 && !o->tsc_khz && !o->nested && !o->initrd[0] &&
	    !o->modules.count && !o->args[0])
		return NULL;
	return "a saved machine takes timeout=, expect= and output= alone";
}

static void add_module(const struct boot_module *m, u32 index)
{
	struct module_guest *g = &guest[n_guests];

	g->module = m;
	g->index = index;
	if (guest_options_parse(m->cmdline, index, &g->opts, &log_diag))
		g->refused = "its options are wrong (see the message before the plan)";
	else if (m->refused)
		g->refused = m->refused;
	else if (is_container(m))
		g->refused = saved_refused(&g->opts);
	else
		g->refused = unsupported(&g->opts);
	if (is_container(m))
		g->saved = (struct container){ .p = (u8 *)m->start, .size = m->size };
	make_id(g);
	g->test = (struct test){ .id = g->id };
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

static void judge_result(struct test_ctx *t, const struct module_guest *g, u64 result)
{
	u64 want = g->opts.has_expect ? g->opts.expect : 0;

	test_check(t, result == want, "ended with %llu, expected %llu",
		   (unsigned long long)result, (unsigned long long)want);
}

static void judge(struct test_ctx *t, const struct module_guest *g, struct vcpu *v)
{
	switch (v->stop) {
	case STOP_DONE:
		judge_result(t, g, v->result);
		return;
	case STOP_POWEROFF:
		/* A system that shuts down in good order says no more. */
		judge_result(t, g, 0);
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

static const struct boot_module *find_module(const char *name)
{
	for (u32 i = 0; i < n_guests; i++)
		if (!strcmp(guest[i].opts.name, name))
			return guest[i].module;
	return NULL;
}

static bool hand_on(struct test_ctx *t, const char *name, struct load_module *out)
{
	const struct boot_module *m = find_module(name);

	if (!m) {
		test_report(t, OUTCOME_FAIL, "refused: no module is named %s", name);
		return false;
	}
	*out = (struct load_module){ (void *)m->start, m->size, m->cmdline };
	return true;
}

/* What other modules g is given; false: one of them is not there. */
static bool collect(struct test_ctx *t, struct module_guest *g, struct load_image *img)
{
	const struct guest_options *o = &g->opts;

	for (u32 i = 0; i < o->modules.count; i++)
		if (!hand_on(t, o->modules.name[i], &g->handed[i]))
			return false;
	img->modules = g->handed;
	img->n_modules = o->modules.count;
	if (!o->initrd[0])
		return true;
	if (!hand_on(t, o->initrd, &g->initrd))
		return false;
	img->initrd = &g->initrd;
	return true;
}

static int container_write(void *ctx, const void *buf, u64 len)
{
	struct container *c = ctx;

	if (len > c->size - c->at)
		return -E2BIG;
	memcpy(c->p + c->at, buf, len);
	c->at += len;
	return 0;
}

static int container_read(void *ctx, void *buf, u64 len)
{
	struct container *c = ctx;

	if (len > c->size - c->at)
		return -EIO;
	memcpy(buf, c->p + c->at, len);
	c->at += len;
	return 0;
}

static void container_seek(void *ctx, u64 at)
{
	((struct container *)ctx)->at = at;
}

static void container_free(struct container *c)
{
	host_free(c->p, ALIGN_UP(c->size, PAGE_SIZE) / PAGE_SIZE);
}

/* Of a guest that is held. */
static int keep(struct module_guest *g, char *what, size_t size)
{
	struct container c = { 0 };
	const struct save_sink sink = { container_write, &c };
	s64 len = guest_vm_saved_size(g->vm);
	int err;

	if (len < 0)
		return (int)len;
	c.size = (u64)len;
	c.p = host_alloc(ALIGN_UP(c.size, PAGE_SIZE) / PAGE_SIZE, PA_OWNER_CORE);
	if (!c.p)
		return -ENOMEM;
	err = guest_vm_save(g->vm, &sink);
	if (err) {
		container_free(&c);
		return err;
	}
	container_free(&kept.c);
	kept.c = c;
	kept.guest = g;
	nb_snprintf(what, size, "%llu bytes", (unsigned long long)c.size);
	return 0;
}

static const char *keep_error(int err)
{
	static const struct {
		int err;
		const char *text;
	} texts[] = {
		{ -ENOENT, "it has just ended" }, { -ENOMEM, "out of memory" },
		{ -EBUSY, "it does not stop" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].err == err)
			return texts[i].text;
	return "it cannot be saved";
}

static struct module_guest *running_with(u32 console)
{
	for (u32 i = 0; i < n_guests; i++)
		if (guest[i].vm && guest[i].console == console)
			return &guest[i];
	return NULL;
}

int modules_save(u32 console, char *what, size_t size)
{
	struct module_guest *g = running_with(console);
	int err = g && !READ_ONCE(g->vm->m.vm.end) ? sched_hold(&g->vm->m.vm) : -ENOENT;

	if (!err) {
		err = keep(g, what, size);
		sched_release(&g->vm->m.vm);
	}
	if (err)
		nb_snprintf(what, size, "%s", keep_error(err));
	return err;
}

int modules_send(bool (*stop)(void *ctx), void *ctx, char *what, size_t size)
{
	const char *name = kept.guest->opts.name;
	u64 lines;
	int err = blob_send(kept.c.p, kept.c.size, ++kept.sent, name, stop, ctx, &lines);

	if (err)
		nb_snprintf(what, size, "stopped behind line %llu", (unsigned long long)lines);
	else
		nb_snprintf(what, size, "%s, %llu bytes in %llu lines", name,
			    (unsigned long long)kept.c.size, (unsigned long long)lines);
	return err;
}

/* g goes on from c. */
static struct guest_vm *prepare_saved(struct test_ctx *run, struct module_guest *g,
				      struct container *c)
{
	const struct save_source src = { container_read, c, container_seek };
	char why[128] = "";
	struct guest_vm *vm;

	c->at = 0;
	vm = guest_vm_restore(run, g->console, &src, why, sizeof(why));
	if (!vm)
		test_report(&g->ctx, OUTCOME_FAIL, "not restored: %s", why);
	else
		vm_stats_label(&vm->m.vm, "guest", g->opts.name);
	return vm;
}

/* A new machine with what the boot loader brought for it. */
static struct guest_vm *prepare_new(struct test_ctx *run, struct module_guest *g)
{
	struct test_ctx *t = &g->ctx;
	const struct diag diag = { keep_message, t };
	const struct guest_vm_config cfg = {
		.id = g->console, .mem = g->opts.mem ? g->opts.mem : DEFAULT_MEM,
		.cpus = (u32)g->opts.cpus, .tsc_khz = g->opts.tsc_khz,
		.nested = g->opts.nested == GUEST_NESTED_SVM,
	};
	struct load_image img = { .name = g->opts.name, .data = (void *)g->module->start,
				  .size = g->module->size, .cmdline = g->opts.args };
	const char *why = "";
	struct guest_vm *vm;

	if (!collect(t, g, &img))
		return NULL;
	vm = guest_vm_new(run, &cfg, &why);
	if (!vm) {
		test_report(t, OUTCOME_FAIL, "refused: %s", why);
		return NULL;
	}
	vm_stats_label(&vm->m.vm, "guest", g->opts.name);
	if (guest_vm_load(vm, &img, &diag)) {
		if (t->outcome == OUTCOME_PASS)
			test_report(t, OUTCOME_FAIL, "refused without a reason");
		return NULL;
	}
	return vm;
}

/*
 * Makes and loads g's machine with memory of run's; what is wrong with g is
 * reported to its own context.
 */
static struct guest_vm *prepare(struct test_ctx *run, struct module_guest *g)
{
	if (g->from_kept)
		return prepare_saved(run, g, &kept.c);
	return g->saved.p ? prepare_saved(run, g, &g->saved) : prepare_new(run, g);
}

static u64 seconds_of(const struct module_guest *g)
{
	return g->opts.timeout ? g->opts.timeout : DEFAULT_TIMEOUT;
}

/* The guests of one run: t->test->arg is the first of the list. */
static void run_guests_of(struct test_ctx *t)
{
	struct guest_vm *vm[BOOT_MODULES_MAX];
	u64 deadline[BOOT_MODULES_MAX];
	struct module_guest *of[BOOT_MODULES_MAX];
	u32 n = 0;

	for (struct module_guest *g = (void *)t->test->arg; g; g = g->next) {
		vm[n] = prepare(t, g);
		g->vm = vm[n];
		of[n] = g;
		deadline[n] = t->start_tsc + us_to_tsc(seconds_of(g) * 1000000);
		n += vm[n] != NULL;
	}
	for (u32 i = 0; i < n; i++)
		guest_console_begin(of[i]->console, &of[i]->opts);
	if (n)
		guest_vms_run(t, vm, n, deadline);
	for (u32 i = 0; i < n; i++) {
		of[i]->us = tsc_to_us(vm[i]->m.vm.end_tsc - t->start_tsc);
		judge(&of[i]->ctx, of[i], vm[i]->m.vm.end);
	}
	t->checks++;
}

static bool refuse(struct module_guest *g)
{
	char text[160];

	if (virt && !g->refused)
		return false;
	nb_snprintf(text, sizeof(text), "%s%s", virt ? "refused: " : "",
		    virt ? g->refused : "needs SVM or VMX");
	report_result(g->id, NULL, virt ? OUTCOME_FAIL : OUTCOME_SKIP, text, false, 0, NULL, 0);
	return true;
}

/* Runs the list that begins with first, and reports each of it. */
static void run_list(struct module_guest *first)
{
	static struct test_ctx ctx;
	const struct test test = { .id = first->id, .fn = run_guests_of, .arg = first };
	u64 longest = 0;
	u32 console = 0;

	for (struct module_guest *g = first; g; g = g->next) {
		memset(&g->ctx, 0, sizeof(g->ctx));
		g->ctx.test = &g->test;
		g->us = 0;
		g->console = first->next ? console++ % GUEST_CONSOLES : g->index % GUEST_CONSOLES;
		longest = MAX(longest, seconds_of(g));
	}
	runner_run(&ctx, &test, longest + GRACE);
	for (struct module_guest *g = first; g; g = g->next) {
		/* Also of a guest whose run was abandoned. */
		guest_console_over(g->console);
		g->vm = NULL;
		/* Our own trouble is the outcome of all of them. */
		if (ctx.outcome != OUTCOME_PASS)
			test_report(&g->ctx, ctx.outcome, "%s", ctx.reason);
		else if (!g->ctx.checks && g->ctx.outcome == OUTCOME_PASS)
			test_report(&g->ctx, OUTCOME_ERROR, "the guest has no end");
		runner_report(&g->ctx, g->us);
	}
}

bool modules_kept(void)
{
	return kept.guest;
}

void modules_restore(void)
{
	struct module_guest *g = kept.guest;

	report_start(g->id);
	g->next = NULL;
	g->from_kept = true;
	run_list(g);
	g->from_kept = false;
}

static void run_module(struct module_guest *g)
{
	report_start(g->id);
	g->next = NULL;
	if (!refuse(g))
		run_list(g);
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

static void run_parallel(void)
{
	struct module_guest *first = NULL, **end = &first;

	for (u32 i = 0; i < n_guests; i++) {
		struct module_guest *g = &guest[i];

		if (!chosen(g))
			continue;
		report_start(g->id);
		if (refuse(g))
			continue;
		g->next = NULL;
		*end = g;
		end = &g->next;
	}
	if (first)
		run_list(first);
}

static void run_guests(const struct run_env *e)
{
	if (e->opts.guests_run == GUESTS_PARALLEL) {
		run_parallel();
		return;
	}
	for (u32 i = 0; i < n_guests; i++) {
		if (!chosen(&guest[i]))
			continue;
		monitor_poll();
		run_module(&guest[i]);
	}
}

STAGE(guests, .name = "guests", .order = STAGE_GUESTS, .modes = BIT(RUN_ALL) | BIT(RUN_GUESTS),
      .plan = plan_guests, .run = run_guests);
