/* SPDX-License-Identifier: MIT */
/* A large dump: the same text for the same numbers, and nobody waits for it. */
#include "core/lib/crc32.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/virt_ops.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/time.h"
#include "stats/stat_fmt.h"
#include "tests/machine.h"

#define SOURCES		100
#define VALUES		100
#define LINES		(SOURCES * VALUES)
#define TEXT_MAX	(1ULL << 20)
#define ARENA_PAGES	64
#define AT_MOST_US	10000000	/* if CPU 0 is stopped, the others end as well */

/* The text of a dump; the second one is compared instead of kept. */
struct text {
	char *buf;
	size_t len;
	bool compare;
	u32 lines, differ;
	size_t stat_from, stat_to;	/* the stat lines in buf */
	u64 before[MAX_CPUS];		/* progress at the first line */
	u32 stuck;			/* CPUs that did nothing until the last one */
};

/* A tree of its own: no test, guest or interrupt counts in it. */
struct arena {
	u8 *next, *end;
};

static struct {
	struct stats_fs fs;
	struct arena arena;
	char name[VALUES][4];
	struct stats_fs_value value[VALUES + 1];
	u64 *data;
	struct text text;
	u64 progress[MAX_CPUS];
	u32 ready, stop;
	u64 end;
} big;

static void *arena_alloc(void *ctx, size_t size)
{
	struct arena *a = ctx;
	u8 *p = a->next;

	if ((u64)(a->end - p) < ALIGN_UP((u64)size, 16))
		return NULL;
	a->next += ALIGN_UP((u64)size, 16);
	return p;
}

/* All goes with the test's memory. */
static void arena_free(void *ctx, void *p, size_t size)
{
}

static void make_tree(struct test_ctx *t)
{
	const struct stats_fs_mem mem = { arena_alloc, arena_free, &big.arena };
	struct stats_fs_source *s;

	memset(&big, 0, sizeof(big));
	big.arena.next = host_alloc(ARENA_PAGES, t->owner);
	big.text.buf = host_alloc(TEXT_MAX / PAGE_SIZE, t->owner);
	big.data = host_alloc(ALIGN_UP(LINES * 8ULL, PAGE_SIZE) / PAGE_SIZE, t->owner);
	REQUIRE(t, big.arena.next && big.text.buf && big.data);
	big.arena.end = big.arena.next + ARENA_PAGES * PAGE_SIZE;
	for (u32 i = 0; i < VALUES; i++) {
		nb_snprintf(big.name[i], sizeof(big.name[i]), "v%u", i);
		big.value[i] = (struct stats_fs_value){
			.name = big.name[i], .offset = i * 8, .type = &stats_fs_type_u64,
			.aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER,
		};
	}
	REQUIRE_EQ(t, stats_fs_init(&big.fs, &mem), 0);
	for (u32 i = 0; i < LINES; i++)
		big.data[i] = test_random(t);
	for (u32 i = 0; i < SOURCES; i++) {
		REQUIRE_EQ(t, stats_fs_source_create(&big.fs, &s, 0, "s%u", i), 0);
		REQUIRE_EQ(t, stats_fs_source_add_values(s, big.value, big.data + i * VALUES, 0),
			   0);
		REQUIRE_EQ(t, stats_fs_source_register(s), 0);
	}
}

static u64 progress_of(u32 cpu)
{
	return __atomic_load_n(&big.progress[cpu], __ATOMIC_RELAXED);
}

static void mark_progress(struct text *x, bool last)
{
	for (u32 cpu = 1; cpu < cpu_count; cpu++) {
		if (!last)
			x->before[cpu] = progress_of(cpu);
		else if (progress_of(cpu) == x->before[cpu])
			x->stuck++;
	}
}

/* Drops its line, but for what the test looks at. */
static void take_line(void *ctx, const char *line)
{
	struct text *x = ctx;
	char text[STAT_LINE_MAX];
	size_t n;

	/* An emulator that runs one CPU at a time gives the others a turn here. */
	if (x->lines % 256 == 0)
		cpu_relax();
	if (!strncmp(line, "stats begin", 11)) {
		mark_progress(x, false);
		x->len = x->stat_from = x->stat_to = 0;
		x->lines = 0;
		return;
	}
	n = (size_t)nb_snprintf(text, sizeof(text), "@nestbed %s\n", line);
	if (!strncmp(line, "stats end", 9)) {
		mark_progress(x, true);
	} else {
		x->lines++;
		x->stat_to = x->len + n;
	}
	if (x->len + n > TEXT_MAX)
		x->differ++;
	else if (x->compare)
		x->differ += memcmp(x->buf + x->len, text, n) != 0;
	else
		memcpy(x->buf + x->len, text, n);
	x->len += n;
}

static void dump_twice(struct test_ctx *t)
{
	const struct stat_out out = { .line = take_line, .ctx = &big.text };
	struct stat_dump_totals totals[2];
	struct text *x = &big.text;
	size_t len[2];
	u64 start = time_us();

	for (u32 i = 0; i < 2; i++) {
		x->compare = i;
		stat_dump(&big.fs, i + 1, time_us(), &out, &totals[i]);
		len[i] = x->len;
		EXPECT_EQ(t, totals[i].lines, LINES);
		EXPECT_EQ(t, totals[i].skipped, 0);
		EXPECT_EQ(t, x->lines, LINES);
	}
	test_note(t, "%u lines, %u bytes, twice in %llu us; CPU 1 worked %llu times", LINES,
		  (u32)len[0], (unsigned long long)(time_us() - start),
		  (unsigned long long)progress_of(1));
	EXPECT_EQ(t, x->stuck, 0);
	EXPECT_EQ(t, x->differ, 0);
	EXPECT_EQ(t, len[0], len[1]);
	EXPECT_EQ(t, totals[0].crc, totals[1].crc);
	EXPECT_EQ(t, totals[0].crc, crc32_update(0, x->buf, x->stat_to));
}

GUEST64(one_cpuid, "xor %eax, %eax; cpuid; hlt");

/* What a dump that holds a lock would keep waiting: a source that comes and goes. */
static void work_once(struct test_ctx *t, struct stats_fs_source *s, struct machine *m)
{
	REQUIRE_EQ(t, stats_fs_source_register(s), 0);
	if (m) {
		m->v->rip = G_CODE;
		REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_CPUID)), EXIT_HLT);
	}
	REQUIRE_EQ(t, stats_fs_source_remove_subordinate(big.fs.root, s), 0);
	__atomic_fetch_add(&big.progress[t->cpu], 1, __ATOMIC_RELAXED);
}

static void work(struct test_ctx *t)
{
	struct machine *m = virt ? machine_new(t, MODE_LONG64, &one_cpuid) : NULL;
	struct stats_fs_source *s;

	REQUIRE_EQ(t, stats_fs_source_create(&big.fs, &s, STATS_FS_HIDDEN, "cpu%u", t->cpu), 0);
	work_once(t, s, m);
	__atomic_fetch_add(&big.ready, 1, __ATOMIC_RELEASE);
	while (!READ_ONCE(big.stop) && rdtsc() < big.end) {
		work_once(t, s, m);
		cpu_relax();
	}
}

/* Nothing here may leave before the others were told to stop. */
static void dump_or_work(struct test_ctx *t)
{
	if (t->cpu) {
		work(t);
		return;
	}
	while (__atomic_load_n(&big.ready, __ATOMIC_ACQUIRE) + 1 < cpu_count &&
	       rdtsc() < big.end)
		cpu_relax();
	EXPECT(t, rdtsc() < big.end);
	dump_twice(t);
	WRITE_ONCE(big.stop, 1);
}

TEST(stats, dump_10000, .needs = NEED_SMP, .timeout = 60)
{
	make_tree(t);
	big.end = rdtsc() + us_to_tsc(AT_MOST_US);
	test_on_all_cpus(t, dump_or_work);
}
