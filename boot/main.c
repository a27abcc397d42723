/* SPDX-License-Identifier: MIT */
/* The order of start-up, on one screen. */
#include "boot/setup.h"

#include "core/lib/log.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/panic.h"
#include "core/x86/power.h"
#include "core/x86/smp.h"

SECTION_BOUNDS(struct stage, stages);

static struct run_env env;

void main(u32 magic, u64 info);

static void for_each_stage(void (*fn)(const struct stage *s))
{
	u32 next, order = 0;

	/* Few of them: a pass for each order beats sorting a const table. */
	do {
		next = ~0u;
		for (const struct stage *s = __start_nb_stages; s < __stop_nb_stages; s++) {
			if (s->order == order && (s->modes & BIT(env.opts.mode)))
				fn(s);
			if (s->order > order)
				next = MIN(next, s->order);
		}
		order = next;
	} while (next != ~0u);
}

static void plan_stage(const struct stage *s)
{
	if (s->plan)
		s->plan(&env);
}

static void run_stage(const struct stage *s)
{
	s->run(&env);
}

static void __noreturn end_run(void)
{
	uart_drain(&env.uart);
	switch (env.opts.on_end) {
	case ON_END_REBOOT:
		power_reboot();
	case ON_END_HALT:
	case ON_END_MONITOR:
		power_halt();
	default:
		power_off();
	}
}

void main(u32 magic, u64 info)
{
	env.start_tsc = rdtsc();
	setup_boot_cpu();
	setup_bootinfo(&env, magic, info);
	setup_memory(&env);
	setup_acpi(&env);
	setup_console(&env);
	setup_timers(&env);
	setup_smp(&env);
	setup_virt(&env);
	setup_platform(&env);
	setup_announce(&env);
	for_each_stage(plan_stage);
	for_each_stage(run_stage);
	end_run();
}
