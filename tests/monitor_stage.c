/* SPDX-License-Identifier: MIT */
/*
 * The monitor (core/mon/monitor.h) on this machine: what its commands reach,
 * and when it opens.
 */
#include "tests/monitor_stage.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mon/guest_input.h"
#include "core/mon/monitor.h"
#include "core/vm/run.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/percpu.h"
#include "core/x86/power.h"
#include "core/x86/time.h"
#include "stats/stat.h"
#include "stats/statsfs_path.h"
#include "tests/modules.h"
#include "tests/monitor_show.h"
#include "tests/report.h"
#include "tests/runner.h"
#include "tests/statistics.h"

/*
 * Between two looks at the UART: its 16 bytes take 1.4 ms at 115200 baud, and
 * its interrupt is not used.
 */
#define POLL_US		1000
/* A key opened the monitor in a run, but nobody types: an unattended run goes on. */
#define GIVE_UP_US	60000000

static const struct run_env *run;
/*
 * The monitor between tests, and the one inside a guest's run: the latter may
 * open while a command of the former runs that guest.
 */
static struct monitor mon, mon_inside;
static struct monitor_env mon_env, mon_inside_env;
static const struct monitor_env *opened;	/* the innermost one that is open */
static u64 opened_us;
static u64 next_poll_us;	/* of the input while guests run */

static int tree_stat(void *ctx, const char *path, u32 *mode)
{
	struct stats_fs_node n;
	int err = stats_fs_lookup(stat_fs, path, &n);

	if (err)
		return -ENOENT;
	*mode = stats_fs_node_mode(&n);
	stats_fs_node_put(&n);
	return 0;
}

static int tree_entry(void *ctx, const char *path, u32 index, struct mon_entry *e)
{
	struct stats_fs_entry entry;
	struct stats_fs_node n;
	int err = stats_fs_lookup(stat_fs, path, &n);

	if (err)
		return -ENOENT;
	err = stats_fs_node_entry(&n, index, &entry);
	stats_fs_node_put(&n);
	if (err)
		return -ENOENT;
	str_copy(e->name, entry.name, sizeof(e->name));
	e->mode = entry.mode;
	/* As in a dump: buckets without samples are only in the way. */
	if (n.kind == STATS_FS_HIST_DIR && !strncmp(entry.name, "ge_", 3))
		e->mode |= MON_QUIET;
	return 0;
}

static int tree_read(void *ctx, const char *path, char *buf, size_t size)
{
	int n = stats_fs_read_path(stat_fs, path, buf, size);

	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return MIN(n, 0);
}

static int tree_clear(void *ctx, const char *path)
{
	return stats_fs_write_path(stat_fs, path, 0);
}

static const struct mon_tree tree = { .stat = tree_stat, .entry = tree_entry,
				      .read = tree_read, .clear = tree_clear };

/* Lines of commands: text as it is, nothing that a program would take for a result. */
static void print(void *ctx, const char *text)
{
	ktap_line("%s", text);
}

static void answer(void *ctx, const char *text)
{
	machine_line("monitor %s", text);
}

static bool test_item(void *ctx, size_t i, struct mon_item *item)
{
	const struct test *t = runner_test(i);

	if (!t)
		return false;
	item->name = t->id;
	item->note = t->ref;
	return true;
}

static bool guest_item(void *ctx, size_t i, struct mon_item *item)
{
	item->name = modules_guest(i, &item->note);
	return item->name;
}

/* How many items of that kind a report on the pattern will have. */
static u32 matches(bool (*item)(void *ctx, size_t i, struct mon_item *it), const char *glob)
{
	struct mon_item it;
	u32 n = 0;

	for (size_t i = 0; item(NULL, i, &it); i++)
		n += glob_match(glob, it.name);
	return n;
}

static int run_tests(void *ctx, const char *glob)
{
	struct report_totals totals;
	const struct test *t;

	report_side_begin(&totals, matches(test_item, glob));
	for (size_t i = 0; (t = runner_test(i)); i++)
		if (glob_match(glob, t->id))
			runner_test_run(t);
	report_side_end();
	return 0;
}

static int run_guests(void *ctx, const char *glob)
{
	struct report_totals totals;

	report_side_begin(&totals, matches(guest_item, glob));
	modules_run(glob);
	report_side_end();
	return 0;
}

static bool running(void *ctx, size_t i, struct mon_running *r)
{
	struct guest_input_info info;

	if (!guest_input_running(i, &info))
		return false;
	*r = (struct mon_running){ .name = info.name, .vm_id = info.vm_id,
				   .waiting = info.waiting, .lost = info.lost };
	return true;
}

static int find_running(void *ctx, const char *who)
{
	return guest_input_find(who);
}

static int attach(void *ctx, u32 vm_id)
{
	return guest_input_attach(vm_id);
}

static int type(void *ctx, u32 vm_id, const char *text)
{
	return guest_input_type(vm_id, text);
}

static int save(void *ctx, u32 vm_id, char *what, size_t size)
{
	return modules_save(vm_id, what, size);
}

#define CTRL_C	0x03

/* What was typed while a command ran that looks for Ctrl-C: it is read later. */
static struct console_in ahead;

static int next_byte(void)
{
	int c = console_in_get(&ahead);

	return c >= 0 ? c : uart_getc((struct uart *)&run->uart);
}

/* Ctrl-C: what was typed before it is void, as at the prompt. */
static bool interrupted(void *ctx)
{
	int c;

	while ((c = uart_getc((struct uart *)&run->uart)) >= 0) {
		if (c == CTRL_C) {
			ahead.tail = ahead.head;
			return true;
		}
		(void)console_in_put(&ahead, (u8)c);
	}
	return false;
}

static int send(void *ctx, char *what, size_t size)
{
	return modules_send(interrupted, NULL, what, size);
}

static bool can_restore(void *ctx)
{
	return modules_kept();
}

static void restore(void *ctx)
{
	struct report_totals totals;

	report_side_begin(&totals, 1);
	modules_restore();
	report_side_end();
}

static int dump(void *ctx)
{
	stats_dump();
	return 0;
}

static void show(void *ctx, enum mon_show what)
{
	monitor_show(run, what);
}

/* The run ends here: what has not run is missing in it. */
static void power(void *ctx, enum mon_power what)
{
	struct guest_input_info info;

	/* Half a line is the last that a guest said. */
	for (size_t i = 0; guest_input_running(i, &info); i++)
		guest_console_end(info.vm_id);
	if (!report_ended()) {
		stats_dump();
		report_end();
	}
	uart_drain((struct uart *)&run->uart);
	if (what == MON_REBOOT)
		power_reboot();
	power_off();
}

static int wait_byte(void *ctx)
{
	int c = next_byte();

	if (c >= 0)
		return c;
	stats_poll();
	/* Of guests on other CPUs. */
	guest_console_poll(time_us());
	if (!lapic_timer_khz()) {
		udelay(POLL_US);
		return -EAGAIN;
	}
	/* STI holds interrupts off for one more instruction: none is lost before HLT. */
	cli();
	lapic_timer_oneshot(POLL_US);
	sti();
	hlt();
	return -EAGAIN;
}

static bool nobody_there(void *ctx)
{
	return opened->go_on && !report_ended() && run->opts.mode != RUN_MONITOR &&
	       time_us() - opened_us > GIVE_UP_US;
}

static const struct monitor_input input = { .getc = wait_byte, .give_up = nobody_there };

/* go_on: what "continue" goes on with, or NULL. */
static void enter(struct monitor *m, struct monitor_env *menv, const char *go_on)
{
	const struct monitor_env *outer = opened;

	if (!run->uart.present) {
		log_printf(LOG_WARN, "no serial port: no monitor");
		return;
	}
	menv->tree = stat_fs ? &tree : NULL;
	menv->go_on = go_on;
	opened = menv;
	opened_us = time_us();
	log_printf(LOG_INFO, "monitor: \"help\" lists the commands");
	monitor_run(m);
	lapic_timer_stop();
	opened = outer;
}

void monitor_poll(void)
{
	if (next_byte() >= 0)
		enter(&mon, &mon_env, "the next test");
}

static int line_getc(void *ctx)
{
	return next_byte();
}

/* The guest of this CPU stands still meanwhile, and its deadline with it. */
static void enter_inside(void)
{
	struct runner_pause pause;
	u64 flags = irq_save();

	runner_pause(&pause);
	enter(&mon_inside, &mon_inside_env, "the guests");
	runner_resume(&pause);
	irq_restore(flags);
}

void guest_console_begin(u32 vm_id, const struct guest_options *o)
{
	guest_console_limit(vm_id, o->output);
	guest_input_open(vm_id, o->name);
	/* From here on the timer is for this, too. */
	lapic_timer_oneshot(POLL_US);
}

void guest_console_over(u32 vm_id)
{
	/* In this order: its last words belong to the line that is open. */
	guest_console_end(vm_id);
	guest_input_close(vm_id);
}

void guest_console_input_poll(void)
{
	u64 now = time_us();

	/* The line's input is the boot CPU's; what is inside the monitor is the monitor's. */
	if (this_cpu()->id || opened == &mon_inside_env || now < next_poll_us)
		return;
	if (guest_input_due_us(now) == ~0ULL)
		return;
	if (guest_input_feed(line_getc, NULL, now) != GUEST_KEY_NONE) {
		enter_inside();
		now = time_us();
	}
	next_poll_us = now + guest_input_due_us(now);
}

u64 guest_console_due_us(void)
{
	return guest_input_due_us(time_us());
}

static void safe_point(void)
{
	stats_poll();
	guest_console_poll(time_us());
	guest_console_input_poll();
}

static void plan_monitor(const struct run_env *e)
{
	run = e;
	mon_env = (struct monitor_env){
		.print = print, .answer = answer, .test = test_item, .guest = guest_item,
		.run_tests = run_tests, .run_guests = run_guests, .running = running,
		.find_running = find_running, .attach = attach, .type = type,
		.save = save, .send = send, .can_restore = can_restore, .restore = restore,
		.dump_stats = dump, .show = show, .power = power,
	};
	mon_inside_env = mon_env;
	mon_inside_env.inside = true;
	monitor_init(&mon, &mon_env, &input);
	monitor_init(&mon_inside, &mon_inside_env, &input);
	guest_input_want(e->opts.console_in);
	vcpu_safe_point = safe_point;
	modules_scan(e);
}

static void run_monitor(const struct run_env *e)
{
	if (e->opts.mode == RUN_MONITOR)
		enter(&mon, &mon_env, "the end of the run");
}

static void run_monitor_end(const struct run_env *e)
{
	if (e->opts.on_end == ON_END_MONITOR)
		enter(&mon, &mon_env, NULL);
}

STAGE(monitor, .name = "monitor", .order = STAGE_MONITOR, .modes = ~0u, .plan = plan_monitor,
      .run = run_monitor);
STAGE(monitor_end, .name = "monitor at the end", .order = STAGE_MONITOR_END, .modes = ~0u,
      .run = run_monitor_end);
