/* SPDX-License-Identifier: MIT */
/*
 * make bench: what exits cost.  Each measurement is SAMPLES differences of
 * the TSC; the line has their minimum, median and maximum.  On QEMU with
 * -icount shift=0 (profile=icount) and on Bochs a TSC tick is an instruction.
 *
 * Guest measurements include the few instructions between its two RDTSCs.
 */
#include "tests/bench.h"

#include "boot/stage.h"
#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/smp.h"
#include "core/x86/time.h"
#include "stats/stat.h"
#include "stats/stat_fmt.h"
#include "svm/insn.h"
#include "svm/ops.h"
#include "tests/report.h"
#include "tests/runner.h"
#include "vmx/ops.h"

#define MEASURE(setup, insn)	MEASURE_TO("hlt", "", setup, insn)

GUEST64(b_null, MEASURE("", ""));
GUEST64(b_cpuid, MEASURE("", "xor %eax, %eax; xor %ecx, %ecx; cpuid"));
GUEST64(b_vmmcall, MEASURE("", "vmmcall"));
GUEST64(b_vmcall, MEASURE("", "vmcall"));
GUEST64(b_io, MEASURE("mov $0x80, %esi", "mov %esi, %edx; in %dx, %al"));
/* IA32_BIOS_SIGN_ID: a plain row of the policy. */
GUEST64(b_msr, MEASURE("", "mov $0x8b, %ecx; rdmsr"));
/* One page after the other from 2 MiB on. */
GUEST64(b_npt, MEASURE("lea -0x30000(%rdi), %rbx; shl $9, %rbx; add $0x200000, %rbx",
		       "mov (%rbx), %eax"));
GUEST64(b_first, "rdtsc; hlt");

static const struct run_env *env;

const char *bench_unit(void)
{
	bool counted = !strcmp(env->platform, "bochs") || !strcmp(env->opts.profile, "icount");

	return counted ? "instructions" : "cycles";
}

static void sort(u64 *v, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u64 x = v[i];
		u32 j = i;

		for (; j && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

void bench_print(struct test_ctx *t, u64 *v, u32 n, const char *unit)
{
	const char *name = strchr(t->test->id, '.') + 1;

	sort(v, n);
	EXPECT(t, v[0] > 0 || v[n - 1] > 0);
	machine_line("bench %s min=%llu median=%llu max=%llu unit=%s", name,
		     (unsigned long long)v[0], (unsigned long long)v[n / 2],
		     (unsigned long long)v[n - 1], unit);
}

void bench_print_guest(struct test_ctx *t, struct machine *m)
{
	u64 *v = machine_ptr(m, G_DATA, ROUNDS * 8);

	bench_print(t, v + WARM_UP, SAMPLES, bench_unit());
}

static void bench_guest(struct test_ctx *t)
{
	const struct bench *b = bench_of(t);
	const struct guest_code *code = virt->vendor == VIRT_VMX ? b->intel : b->amd;
	struct machine *m = machine_new(t, MODE_LONG64, code);
	bool was = vcpu_stats_timed;
	enum exit_reason reason;

	if (b->lazy) {
		m->vm.lazy = true;
		m->vm.npt_page_max = PAGE_SIZE;
		REQUIRE(t, !pt_unmap(&m->vm.npt, SIZE_2M, G_RAM_SIZE - SIZE_2M));
		virt->flush(m->v);
	}
	vcpu_stats_timed = was && !b->untimed;
	reason = machine_run_handling(m, b->handle);
	vcpu_stats_timed = was;
	REQUIRE_EQ(t, reason, EXIT_HLT);
	bench_print_guest(t, m);
	if (b->lazy)
		EXPECT_EQ(t, m->vm.npt_fills, ROUNDS);
}

/* The assembly alone: the guest stands at a CPUID that is never handled. */
static void bench_world_switch(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &b_cpuid);
	u64 v[SAMPLES];

	m->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	cli();
	for (u32 i = 0; i < SAMPLES; i++) {
		struct svm_vcpu *s = m->v->arch;
		struct vmx_vcpu *x = m->v->arch;
		u64 start = rdtsc();

		if (virt->vendor == VIRT_SVM)
			svm_world_switch(m->v, s->vmcb_pa, this_cpu()->host_vmcb,
					 s->vmcb_pa);
		else
			vmx_world_switch(m->v->gpr, &x->host_rsp, 1);
		v[i] = rdtsc() - start;
	}
	sti();
	bench_print(t, v, SAMPLES, bench_unit());
}

static void nothing(void *arg)
{
}

/* From sending to the sender's seeing that the other CPU did the work. */
static void bench_ipi(struct test_ctx *t)
{
	u64 v[SAMPLES];

	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		REQUIRE(t, !smp_call(1, nothing, NULL));
		REQUIRE(t, !smp_wait(1, 100000));
		v[i] = rdtsc() - start;
	}
	bench_print(t, v, SAMPLES, bench_unit());
}

/* From the first instruction of main() to the first one of a guest. */
static void bench_boot(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &b_first);
	u64 us;

	machine_set(m, VREG_TSC_OFFSET, 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	us = tsc_to_us(((u32)machine_get(m, VREG_RAX) | machine_get(m, VREG_RDX) << 32) -
		       env->start_tsc);
	bench_print(t, &us, 1, "us");
}

/* Counting an exit, as the run loop does; without the two RDTSCs around it. */
static void bench_stat_bump(struct test_ctx *t)
{
	struct vcpu_stats *s = host_alloc(1, t->owner);
	u64 v[SAMPLES], empty, start;
	u16 reason = EXIT_CPUID;

	STATIC_ASSERT(sizeof(*s) <= PAGE_SIZE, "one page is enough");
	REQUIRE(t, s);
	for (u32 i = 0; i < SAMPLES; i++) {
		start = rdtsc();
		empty = rdtsc() - start;
		__asm__ volatile("" : "+r"(reason));
		start = rdtsc();
		s->exits[reason]++;
		v[i] = rdtsc() - start;
		v[i] -= MIN(v[i], empty);
	}
	EXPECT_EQ(t, s->exits[EXIT_CPUID], SAMPLES);
	bench_print(t, v, SAMPLES, bench_unit());
}

#define AGG_SOURCES	1000
#define AGG_VALUES	100

static char agg_name[AGG_VALUES][4];
static struct stats_fs_value agg[AGG_VALUES + 1];

static void make_values(void)
{
	for (u32 i = 0; i < AGG_VALUES; i++) {
		nb_snprintf(agg_name[i], sizeof(agg_name[i]), "v%u", i);
		agg[i] = (struct stats_fs_value){
			.name = agg_name[i], .offset = i * 8, .type = &stats_fs_type_u64,
			.aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER,
		};
	}
}

static struct stats_fs_source *agg_source(struct test_ctx *t, struct stats_fs_source *parent,
					  const char *name, u32 n, void *base)
{
	struct stats_fs_source *s;

	REQUIRE_EQ(t, stats_fs_source_create(stat_fs, &s, 0, "%s%u", name, n), 0);
	REQUIRE_EQ(t, stats_fs_source_add_values(s, agg, base, 0), 0);
	if (parent) {
		REQUIRE_EQ(t, stats_fs_source_add_subordinate(parent, s), 0);
		stats_fs_source_put(s);
	}
	return s;
}

/* top with n sources of AGG_VALUES values; value 50 of source i is i. */
static struct stats_fs_source *make_tree(struct test_ctx *t, u32 n)
{
	u64 bytes = n * AGG_VALUES * 8;
	u64 *data = host_alloc(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE, t->owner);
	struct stats_fs_source *top;

	if (!stat_fs)
		SKIP(t, "stats=off");
	REQUIRE(t, data);
	make_values();
	top = agg_source(t, NULL, "aggregate", 0, NULL);
	for (u32 i = 0; i < n; i++) {
		data[i * AGG_VALUES + 50] = i;
		agg_source(t, top, "s", i, data + i * AGG_VALUES);
	}
	return top;
}

/* One aggregate over AGG_SOURCES sources of AGG_VALUES values. */
static void bench_read_aggregate(struct test_ctx *t)
{
	struct stats_fs_source *top = make_tree(t, AGG_SOURCES);
	u64 sum, v[SAMPLES];

	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		REQUIRE_EQ(t, stats_fs_source_get_value(top, &agg[50], &sum), 0);
		v[i] = rdtsc() - start;
		REQUIRE_EQ(t, sum, AGG_SOURCES * (AGG_SOURCES - 1) / 2);
	}
	stats_fs_source_put(top);
	bench_print(t, v, SAMPLES, bench_unit());
}

#define DUMPS		5
#define DUMP_SOURCES	100

static void drop_line(void *ctx, const char *text)
{
}

/* A line of a dump of DUMP_SOURCES sources of AGG_VALUES values, their totals, and the rest. */
static void bench_dump_line(struct test_ctx *t)
{
	const struct stat_out out = { .line = drop_line };
	struct stats_fs_source *top = make_tree(t, DUMP_SOURCES);
	struct stat_dump_totals totals;
	u64 v[DUMPS];

	REQUIRE_EQ(t, stats_fs_source_register(top), 0);
	for (u32 i = 0; i < DUMPS; i++) {
		u64 start = rdtsc();

		stat_dump(stat_fs, 1, 0, &out, &totals);
		v[i] = (rdtsc() - start) / totals.lines;
		EXPECT(t, totals.lines >= (DUMP_SOURCES + 1) * AGG_VALUES);
	}
	EXPECT_EQ(t, stats_fs_source_remove_subordinate(stat_fs->root, top), 0);
	stats_fs_source_put(top);
	bench_print(t, v, DUMPS, bench_unit());
}

#define HOST_BENCH(id_, fn_, needs_)	{ BENCH_TEST(id_, fn_, needs_) }
#define GUEST_BENCH(id_, amd_, intel_, handle_, ...)				\
	{ BENCH_TEST(id_, bench_guest, NEED_VIRT), .amd = amd_, .intel = intel_,	\
	  .handle = handle_, __VA_ARGS__ }

/* clang-format off */
static const struct bench benches[] SECTION_ENTRY(bench) = {
	HOST_BENCH("boot_to_guest", bench_boot, NEED_VIRT),
	HOST_BENCH("world_switch", bench_world_switch, NEED_VIRT),
	HOST_BENCH("ipi", bench_ipi, NEED_SMP),
	GUEST_BENCH("overhead",  &b_null,    &b_null,   0),
	GUEST_BENCH("l1_cpuid",  &b_cpuid,   &b_cpuid,  BIT(EXIT_CPUID)),
	GUEST_BENCH("l1_vmcall", &b_vmmcall, &b_vmcall, BIT(EXIT_HYPERCALL)),
	GUEST_BENCH("l1_io",     &b_io,      &b_io,     BIT(EXIT_IO)),
	GUEST_BENCH("l1_msr",    &b_msr,     &b_msr,    BIT(EXIT_MSR)),
	GUEST_BENCH("npt_fill",  &b_npt,     &b_npt,    BIT(EXIT_NPF), .lazy = true),
	GUEST_BENCH("l1_cpuid_nostats", &b_cpuid, &b_cpuid, BIT(EXIT_CPUID), .untimed = true),
	HOST_BENCH("stat_bump", bench_stat_bump, NEED_NONE),
	HOST_BENCH("stat_read_aggregate", bench_read_aggregate, NEED_NONE),
	HOST_BENCH("stat_dump_line", bench_dump_line, NEED_NONE),
};
/* clang-format on */

SECTION_BOUNDS(struct bench, bench);

/* tests= chooses measurements, too. */
static bool chosen(const struct test *test)
{
	return !env->opts.tests.count || name_list_match(&env->opts.tests, test->id);
}

static void plan_bench(const struct run_env *e)
{
	env = e;
	for (const struct bench *b = __start_nb_bench; b < __stop_nb_bench; b++)
		if (chosen(&b->test))
			report_declare(b->test.id);
	if (!virt)
		report_incomplete("no usable virtualization: %s", virt_why);
}

static void run_bench(const struct run_env *e)
{
	static struct test_ctx ctx;

	for (const struct bench *b = __start_nb_bench; b < __stop_nb_bench; b++) {
		const struct test *test = &b->test;
		const char *missing = runner_lacks(test);
		u64 start = time_us();

		if (!chosen(test))
			continue;
		report_start(test->id);
		if (missing) {
			report_result(test->id, NULL, OUTCOME_SKIP, missing, false, 0, NULL, 0);
			continue;
		}
		runner_run(&ctx, test, e->opts.timeout);
		runner_report(&ctx, time_us() - start);
	}
}

STAGE(bench_stage, .name = "bench", .order = STAGE_BENCH, .modes = BIT(RUN_BENCH),
      .plan = plan_bench, .run = run_bench);
