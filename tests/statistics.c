/* SPDX-License-Identifier: MIT */
#include "tests/statistics.h"

#include "boot/stage.h"
#include "core/lib/log.h"
#include "core/vm/vcpu.h"
#include "core/x86/time.h"
#include "stats/stat.h"
#include "stats/stat_fmt.h"

STAT_COUNTER(dumps, "/stats", "dumps", "count", "blocks written");
STAT_COUNTER(dump_lines, "/stats", "lines", "count", "lines of these blocks");
STAT_PEAK(dump_us, "/stats", "dump_us", "us", "time of the longest block");

static struct {
	u64 period_us;		/* 0: not periodic */
	u64 next_us;
	u64 seq;
	u32 busy;
} dump;

static void put_line(void *ctx, const char *text)
{
	machine_line("%s", text);
}

void stats_dump(void)
{
	const struct stat_out out = { .line = put_line };
	struct stat_dump_totals totals;
	u64 start = time_us();

	if (!stat_fs || __atomic_exchange_n(&dump.busy, 1, __ATOMIC_ACQUIRE))
		return;
	stat_dump(stat_fs, ++dump.seq, start, &out, &totals);
	stat_inc(&dumps);
	stat_add(&dump_lines, totals.lines);
	stat_peak(&dump_us, time_us() - start);
	__atomic_store_n(&dump.busy, 0, __ATOMIC_RELEASE);
}

u64 stats_due_us(void)
{
	u64 now = time_us(), next = READ_ONCE(dump.next_us);

	if (!dump.period_us)
		return ~0ULL;
	/* Due but not done yet: soon again, not at once. */
	return next > now ? next - now : 10000;
}

void stats_poll(void)
{
	if (!dump.period_us || time_us() < READ_ONCE(dump.next_us))
		return;
	/* From the end of this one: a slow line must not fill the whole run. */
	stats_dump();
	WRITE_ONCE(dump.next_us, time_us() + dump.period_us);
}

static void start_stats(const struct run_env *env)
{
	u64 seconds = env->opts.stats;
	int err;

	if (seconds == STATS_OFF) {
		vcpu_stats_timed = false;
		return;
	}
	err = host_stats_init();
	if (err)
		log_printf(LOG_WARN, "no statistics (error %d)", err);
	if (seconds != STATS_AT_END) {
		dump.period_us = seconds * 1000000;
		dump.next_us = time_us() + dump.period_us;
	}
}

static void end_stats(const struct run_env *env)
{
	stats_dump();
}

STAGE(stats_start, .name = "stats", .order = STAGE_STATS, .modes = ~0u, .run = start_stats);
STAGE(stats_end, .name = "stats dump", .order = STAGE_STATS_DUMP, .modes = ~0u, .run = end_stats);
