/* SPDX-License-Identifier: MIT */
/*
 * Statistics in the image: the kunit cases, what vCPUs count, and sources that
 * come and go on all CPUs while they are read.
 */
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "stats/stat.h"
#include "stats/statsfs_path.h"
#include "tests/machine.h"
#include "tests/stats/kunit.h"

static void kunit_eq(void *ctx, u64 got, u64 want, const char *what, int line)
{
	test_check_eq(ctx, got, want, what, line);
}

/* In the tree of the machine, but not registered: nothing is left behind. */
static void run_kunit(struct test_ctx *t)
{
	const struct kunit_case *c = t->test->arg;
	struct kunit k = { .fs = stat_fs, .eq = kunit_eq, .ctx = t };

	if (!stat_fs)
		SKIP(t, "stats=off");
	c->fn(&k);
}

#define KUNIT(name_, index_)							\
	static const struct test kunit_##name_					\
	__used __section(".nb.tests.stats") __aligned(8) = {			\
		.id = "stats.kunit." #name_, .fn = run_kunit,			\
		.arg = &kunit_cases[index_] }

enum kunit_index {
#define X(name) INDEX_##name,
#include "tests/stats/kunit.def"
#undef X
};
#define X(name) KUNIT(name, INDEX_##name);
#include "tests/stats/kunit.def"
#undef X

static u64 read_path(struct test_ctx *t, const char *path)
{
	struct stats_fs_node node;
	struct stats_fs_reading r;
	int err = stats_fs_lookup(stat_fs, path, &node);

	if (!err) {
		err = stats_fs_node_read(&node, &r);
		stats_fs_node_put(&node);
	}
	if (err)
		TEST_ERROR(t, "%s: error %d", path, err);
	return r.value;
}

/* A value at or below the source of a machine. */
static u64 read_vm(struct test_ctx *t, struct machine *m, const char *name)
{
	struct stats_fs_reading r = { 0 };
	struct stats_fs_entry e;
	struct stats_fs_node node;
	char path[128];
	u64 v = 0;

	/* The first VM that carries this test's label. */
	REQUIRE_EQ(t, stats_fs_lookup(stat_fs, "/kvm", &node), 0);
	for (u32 i = 0; !stats_fs_node_entry(&node, i, &e); i++) {
		struct stats_fs_node vm;
		const char *label;

		if (strncmp(e.name, "vm", 2) || e.mode != 0755)
			continue;
		nb_snprintf(path, sizeof(path), "/kvm/%s/", e.name);
		if (stats_fs_lookup(stat_fs, path, &vm))
			continue;
		label = stats_fs_source_get_label(vm.src, "test");
		if (vm.src == m->vm.stats && label && !strcmp(label, t->test->id)) {
			nb_snprintf(path, sizeof(path), "/kvm/%s/%s", e.name, name);
			v = read_path(t, path);
			r.members = 1;
		}
		stats_fs_node_put(&vm);
	}
	stats_fs_node_put(&node);
	EXPECT_EQ(t, r.members, 1);
	return v;
}

static u64 read_vcpu(struct test_ctx *t, struct machine *m, const char *name)
{
	char path[64];

	nb_snprintf(path, sizeof(path), "vcpu0/%s", name);
	return read_vm(t, m, path);
}

GUEST64(five_cpuids, "mov $5, %esi\n1: xor %eax, %eax; cpuid; dec %esi; jnz 1b; hlt");

/* What a guest does is counted at its vCPU, its VM, and in all, also afterwards. */
TEST(stats, vcpu_exits, .needs = NEED_VIRT)
{
	static const char *const total[] = { "/kvm/exits", "/kvm/exits/cpuid", "/kvm/exits/hlt",
					     "/kvm/halt_exits" };
	static const u64 want[] = { 6, 5, 1, 1 };
	u64 before[4], ended;
	struct machine *m;

	if (!stat_fs)
		SKIP(t, "stats=off");
	for (u32 i = 0; i < 4; i++)
		before[i] = read_path(t, total[i]);
	ended = read_path(t, "/kvm/ended/exits/cpuid");
	m = machine_new(t, MODE_LONG64, &five_cpuids);
	EXPECT_EQ(t, machine_run_handling(m, BIT(EXIT_CPUID)), EXIT_HLT);
	EXPECT_EQ(t, read_vcpu(t, m, "exits/cpuid"), 5);
	EXPECT_EQ(t, read_vcpu(t, m, "exits/hlt"), 1);
	/* The host's own interrupts may end the guest as well. */
	EXPECT_EQ(t, read_vcpu(t, m, "exits"), 6 + read_vcpu(t, m, "irq_exits") +
					       read_vcpu(t, m, "exits/preempt_timer") +
					       read_vcpu(t, m, "exits/nmi"));
	EXPECT(t, read_vcpu(t, m, "exit_cycles/count") >= 5);
	EXPECT(t, read_vcpu(t, m, "guest_cycles") > 0);
	EXPECT(t, read_vcpu(t, m, "host_cycles") > 0);
	for (u32 i = 0; i < 4; i++)
		EXPECT(t, read_path(t, total[i]) >= before[i] + want[i]);
	EXPECT_EQ(t, read_path(t, "/kvm/ended/exits/cpuid"), ended);
	machine_free(m);
	EXPECT_EQ(t, read_path(t, "/kvm/ended/exits/cpuid"), ended + 5);
	for (u32 i = 0; i < 4; i++)
		EXPECT(t, read_path(t, total[i]) >= before[i] + want[i]);
}

GUEST64(one_rdmsr, "rdmsr; hlt");
GUEST64(one_wrmsr, "wrmsr; hlt");

/* No CPU has these: SDM4 2.1 keeps 40000000h to 400000FFh free. */
#define NO_MSR		0x40000080

static void unknown_msr(struct machine *m, u32 msr)
{
	m->v->rip = G_CODE;
	m->v->gpr[VREG_RSP] = G_STACK_TOP;
	m->v->gpr[VREG_RCX] = msr;
	machine_run_handling(m, BIT(EXIT_MSR));
	EXPECT_EQ(m->t, machine_exception(m)->vector, VEC_GP);
}

/* By number, in the machine and after it; a guest that tries many gets no more rows. */
TEST(stats, unknown_msrs, .ref = "APM2 15.11, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *rd, *wr;
	u64 reads, writes, other;

	if (!stat_fs)
		SKIP(t, "stats=off");
	reads = read_path(t, "/kvm/rdmsr_unknown");
	writes = read_path(t, "/kvm/wrmsr_unknown");
	other = read_path(t, "/kvm/ended/msr/other/rdmsr_unknown");
	rd = machine_new(t, MODE_LONG64, &one_rdmsr);
	wr = machine_new(t, MODE_LONG64, &one_wrmsr);
	machine_idt(rd);
	machine_idt(wr);
	for (u32 i = 0; i < MSR_STATS_ROWS + 8; i++)
		unknown_msr(rd, NO_MSR + i);
	unknown_msr(rd, NO_MSR + 1);
	unknown_msr(wr, NO_MSR);
	EXPECT_EQ(t, read_vm(t, rd, "msr/0x40000080/rdmsr_unknown"), 1);
	EXPECT_EQ(t, read_vm(t, rd, "msr/0x40000081/rdmsr_unknown"), 2);
	EXPECT_EQ(t, read_vm(t, rd, "msr/other/rdmsr_unknown"), 8);
	EXPECT_EQ(t, read_vm(t, rd, "rdmsr_unknown"), MSR_STATS_ROWS + 9);
	EXPECT_EQ(t, read_vm(t, rd, "wrmsr_unknown"), 0);
	EXPECT_EQ(t, read_vm(t, wr, "msr/0x40000080/wrmsr_unknown"), 1);
	machine_free(rd);
	machine_free(wr);
	EXPECT(t, read_path(t, "/kvm/ended/msr/0x40000081/rdmsr_unknown") >= 2);
	EXPECT(t, read_path(t, "/kvm/ended/msr/other/rdmsr_unknown") >= other + 8);
	EXPECT(t, read_path(t, "/kvm/rdmsr_unknown") >= reads + MSR_STATS_ROWS + 9);
	EXPECT(t, read_path(t, "/kvm/wrmsr_unknown") >= writes + 1);
}

/* The total is what its reasons add up to. */
TEST(stats, reasons_add_up, .needs = NEED_VIRT)
{
	struct stats_fs_node dir;
	struct stats_fs_entry e;
	u64 sum = 0, total;
	struct machine *m;

	if (!stat_fs)
		SKIP(t, "stats=off");
	m = machine_new(t, MODE_LONG64, &five_cpuids);
	EXPECT_EQ(t, machine_run_handling(m, BIT(EXIT_CPUID)), EXIT_HLT);
	total = read_path(t, "/kvm/exits");
	REQUIRE_EQ(t, stats_fs_lookup(stat_fs, "/kvm/exits/", &dir), 0);
	for (u32 i = 0; !stats_fs_node_entry(&dir, i, &e); i++) {
		char path[128];

		nb_snprintf(path, sizeof(path), "/kvm/exits/%s", e.name);
		sum += read_path(t, path);
	}
	stats_fs_node_put(&dir);
	EXPECT(t, total >= 6);
	EXPECT_EQ(t, sum, total);
}

/* Sum of the values `name` of the machines that live now. */
static u64 sum_machines(struct test_ctx *t, const char *name, u32 *n)
{
	struct stats_fs_node kvm;
	struct stats_fs_entry e;
	char path[128];
	u64 sum = 0;

	*n = 0;
	REQUIRE_EQ(t, stats_fs_lookup(stat_fs, "/kvm", &kvm), 0);
	for (u32 i = 0; !stats_fs_node_entry(&kvm, i, &e); i++) {
		if (e.mode != 0755 || strncmp(e.name, "vm", 2))
			continue;
		nb_snprintf(path, sizeof(path), "/kvm/%s/%s", e.name, name);
		sum += read_path(t, path);
		++*n;
	}
	stats_fs_node_put(&kvm);
	return sum;
}

/* All there was is in the machines that live and in those that ended. */
TEST(stats, machines_add_up, .needs = NEED_VIRT)
{
	static const char *const name[] = { "exits", "exits/cpuid", "halt_exits" };
	struct machine *m[2];
	char path[64];
	u32 n;

	if (!stat_fs)
		SKIP(t, "stats=off");
	for (u32 i = 0; i < ARRAY_SIZE(m); i++) {
		m[i] = machine_new(t, MODE_LONG64, &five_cpuids);
		EXPECT_EQ(t, machine_run_handling(m[i], BIT(EXIT_CPUID)), EXIT_HLT);
	}
	for (u32 alive = ARRAY_SIZE(m) + 1; alive--;) {
		for (u32 i = 0; i < ARRAY_SIZE(name); i++) {
			u64 live = sum_machines(t, name[i], &n);

			EXPECT(t, live >= alive && n >= alive);
			nb_snprintf(path, sizeof(path), "/kvm/ended/%s", name[i]);
			live += read_path(t, path);
			nb_snprintf(path, sizeof(path), "/kvm/%s", name[i]);
			EXPECT_EQ(t, read_path(t, path), live);
		}
		if (alive)
			machine_free(m[alive - 1]);
	}
}

/* What may be cleared; the counters of the run themselves are left alone. */
TEST(stats, modes)
{
	static const struct { const char *path; u32 mode; int err; } row[] = {
		{ "/kvm/exits", 0644, -EINVAL }, { "/kvm/exits/", 0755, -EINVAL },
		{ "/kvm/vcpus", 0444, -EPERM }, { "/kvm/exit_cycles/p50", 0444, -EPERM },
		{ "/mm/free", 0444, -EPERM }, { "/tests/longest", 0644, -EINVAL },
		{ "/cpu0/irqs", 0644, -EINVAL },
	};

	if (!stat_fs)
		SKIP(t, "stats=off");
	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		struct stats_fs_node node;

		REQUIRE_EQ(t, stats_fs_lookup(stat_fs, row[i].path, &node), 0);
		EXPECT_EQ(t, stats_fs_node_mode(&node), row[i].mode);
		EXPECT_EQ(t, stats_fs_node_write(&node, 1), row[i].err);
		stats_fs_node_put(&node);
	}
	EXPECT_EQ(t, stats_fs_write_path(stat_fs, "/kvm/no_such", 0), -ENOENT);
}

/*
 * Each CPU makes sources with a counter below one parent, counts, reads the
 * aggregate, clears a counter of its own, and retires or revokes.  What it
 * counted for the total must be in the total ever after.
 */
struct shared {
	struct stats_fs_source *top, *gone;
	u64 gone_n;
	u64 counted;		/* by all CPUs, after the counter itself */
	u64 end;
};

static const struct stats_fs_value counter[] = {
	{ .name = "n", .offset = 0, .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,
	  .value_flag = STATS_FS_COUNTER },
	{ 0 },
};
/* Another array: not part of the aggregate, so clear and revoke do not disturb it. */
static const struct stats_fs_value scratch[] = {
	{ .name = "s", .offset = 8, .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,
	  .value_flag = STATS_FS_COUNTER },
	{ 0 },
};

static struct shared *shared;

static u64 total_now(struct test_ctx *t)
{
	u64 n;

	REQUIRE_EQ(t, stats_fs_source_get_value(shared->top, &counter[0], &n), 0);
	return n;
}

static void one_round(struct test_ctx *t, u64 round, u64 *data, u64 *last)
{
	struct stats_fs_source *s;
	u64 n;

	data[0] = data[1] = 0;
	REQUIRE_EQ(t, stats_fs_source_create(stat_fs, &s, 0, "c%u_%u", t->cpu, (u32)round), 0);
	REQUIRE_EQ(t, stats_fs_source_add_values(s, counter, &data[0], 0), 0);
	REQUIRE_EQ(t, stats_fs_source_add_values(s, scratch, &data[0], 0), 0);
	REQUIRE_EQ(t, stats_fs_source_add_subordinate(shared->top, s), 0);
	for (u32 i = 0; i < 20; i++) {
		WRITE_ONCE(data[0], data[0] + 1);
		WRITE_ONCE(data[1], data[1] + 1);
		__atomic_fetch_add(&shared->counted, 1, __ATOMIC_SEQ_CST);
	}
	REQUIRE_EQ(t, stats_fs_source_clear(s, &scratch[0]), 0);
	WRITE_ONCE(data[1], data[1] + 3);
	REQUIRE_EQ(t, stats_fs_source_get_value(s, &scratch[0], &n), 0);
	REQUIRE_EQ(t, n, 3);
	n = total_now(t);
	/* Never less than before, never more than was counted. */
	CHECK(t, n >= *last, "the total fell from %llu to %llu", (unsigned long long)*last,
	      (unsigned long long)n);
	CHECK(t, n <= __atomic_load_n(&shared->counted, __ATOMIC_SEQ_CST) + MAX_CPUS,
	      "the total is too large");
	*last = n;
	stats_fs_source_retire(s, shared->gone);
	data[0] = data[1] = 0x5555555555555555ULL;
	REQUIRE_EQ(t, stats_fs_source_get_value(s, &counter[0], &n), 0);
	REQUIRE_EQ(t, n, 0);
	stats_fs_source_put(s);
}

static void one_cpu(struct test_ctx *t)
{
	u64 data[2], last = 0, round = 0;

	while (rdtsc() < shared->end)
		one_round(t, round++, data, &last);
	EXPECT(t, round > 0);
}

static void run_concurrent(struct test_ctx *t, u64 seconds)
{
	struct stats_fs_node left;
	struct stats_fs_entry e;

	if (!stat_fs)
		SKIP(t, "stats=off");
	shared = host_alloc(1, t->owner);
	REQUIRE(t, shared);
	REQUIRE_EQ(t, stats_fs_source_create(stat_fs, &shared->top, 0, "concurrent"), 0);
	REQUIRE_EQ(t, stats_fs_source_register(shared->top), 0);
	REQUIRE_EQ(t, stats_fs_source_create(stat_fs, &shared->gone, 0, "gone"), 0);
	REQUIRE_EQ(t, stats_fs_source_add_subordinate(shared->top, shared->gone), 0);
	REQUIRE_EQ(t, stats_fs_source_add_values(shared->top, counter, NULL, 0), 0);
	REQUIRE_EQ(t, stats_fs_source_add_values(shared->gone, counter, &shared->gone_n, 0), 0);
	shared->end = rdtsc() + us_to_tsc(seconds * 1000000);
	test_on_all_cpus(t, one_cpu);
	EXPECT_EQ(t, total_now(t), shared->counted);
	EXPECT_EQ(t, shared->gone_n, shared->counted);
	test_note(t, "%llu increments on %u CPUs", (unsigned long long)shared->counted, cpu_count);
	/* Only the aggregate and "gone" are left. */
	REQUIRE_EQ(t, stats_fs_lookup(stat_fs, "/concurrent", &left), 0);
	EXPECT_EQ(t, stats_fs_node_entry(&left, 1, &e), 0);
	EXPECT_EQ(t, stats_fs_node_entry(&left, 2, &e), -ENOENT);
	stats_fs_node_put(&left);
	EXPECT_EQ(t, stats_fs_source_remove_subordinate(stat_fs->root, shared->top), 0);
	stats_fs_source_put(shared->gone);
	stats_fs_source_put(shared->top);
}

TEST(stats, concurrent, .needs = NEED_SMP, .timeout = 60)
{
	run_concurrent(t, 2);
}

TEST(stats, concurrent_10s, .needs = NEED_SMP, .flags = TEST_OFF, .timeout = 60)
{
	run_concurrent(t, 10);
}
