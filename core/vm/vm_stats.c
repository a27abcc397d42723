/* SPDX-License-Identifier: MIT */
/*
 * /kvm/vm<N>/vcpu<M>: the values are members of struct vcpu and struct vm, and
 * every level above adds the same arrays without a base: totals.  What a VM
 * counted outlives it in /kvm/ended, whose values live here.
 */
#include "core/vm/vcpu_stats.h"

#include "core/lib/log.h"
#include "core/vm/vcpu.h"
#include "core/x86/insn.h"
#include "stats/stat.h"

#define LIVE_MAX	64
/* Numbers of MSRs that /kvm/ended tells apart. */
#define ENDED_MSRS	256

STAT_COUNTER(vms_created, "/kvm", "vms_created", "count", "virtual machines made");
STAT_COUNTER(vcpus_created, "/kvm", "vcpus_created", "count", "virtual CPUs made");
STAT_COUNTER(vms_uncounted, "/kvm", "vms_uncounted", "count", "machines without statistics");

bool vcpu_stats_timed = true;

static u64 sum_exits(const struct stats_fs_value *val, const void *addr)
{
	const u64 *exits = addr;
	u64 n = 0;

	for (u32 i = 0; i < EXIT_REASON_COUNT; i++)
		n += __atomic_load_n(&exits[i], __ATOMIC_RELAXED);
	return n;
}

/* While in the guest, the TSC of the entry is taken off: a negative number. */
static u64 get_guest_cycles(const struct stats_fs_value *val, const void *addr)
{
	u64 v = __atomic_load_n((const u64 *)addr, __ATOMIC_RELAXED);

	return (s64)v < 0 ? v + rdtsc() : v;
}

static const struct stats_fs_type type_guest_cycles = { "u64", 8, false, get_guest_cycles, NULL };
static const struct stats_fs_type type_exits = { "u64", 8, false, sum_exits, NULL };
static const struct stats_fs_hist exit_hist = { .buckets = 64 };

/* Listed in docs/stats.md by tools/gen_stats_doc.sh, like the .def files. */
#define FIELD(name_, member, unit_, help_)					\
	{ .name = name_, .offset = offsetof(struct vcpu_stats, member),		\
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,			\
	  .value_flag = STATS_FS_COUNTER, .unit = unit_, .help = help_ }
#define VIEW(name_, member, help_)						\
	{ .name = name_, .offset = offsetof(struct vcpu_stats, member),		\
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,			\
	  .value_flag = STATS_FS_COUNTER | STATS_FS_DERIVED, .help = help_ }

#define OWN_VALUE(name_, member, type_, flag, unit_, hist_, help_)		\
	{ .name = name_, .offset = offsetof(struct vcpu_stats, member), .type = type_,	\
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER | (flag), .unit = unit_,	\
	  .hist = hist_, .help = help_ }

/* clang-format off */
static const struct stats_fs_value vcpu_values[] = {
	OWN_VALUE("exits", exits, &type_exits, STATS_FS_DERIVED, "count", NULL, "all exits"),
#define VCPU_EXIT(name, reason, help)		VIEW(#name, exits[EXIT_##reason], help),
#define VCPU_STAT(name, unit, help)		FIELD(#name, name, unit, help),
#define VCPU_INJECTED(name, event, help)	FIELD(#name, injected[EVENT_##event], NULL, help),
#include "core/vm/vcpu_stats.def"
	OWN_VALUE("guest_cycles", guest_cycles, &type_guest_cycles, 0, "cycles", NULL,
		  "TSC cycles in the guest, world switch included"),
	OWN_VALUE("exit_cycles", exit_cycles, &stats_fs_type_u64, 0, "cycles", &exit_hist,
		  "TSC cycles from an exit to the next entry"),
	{ 0 },
};
/* clang-format on */

static const struct stats_fs_value exit_values[] = {
#define X(id, name) FIELD(#name, exits[EXIT_##id], NULL, NULL),
#include "core/vm/exit_reasons.def"
#undef X
	{ 0 },
};

static const struct stats_fs_value npf_values[] = {
#define VCPU_NPF(name, help)	FIELD(#name, npf_##name, NULL, help),
#include "core/vm/vcpu_stats.def"
	{ 0 },
};

#define VM_VALUE(name_, member, type_, flag, unit_, help_)			\
	{ .name = name_, .offset = offsetof(struct vm, member), .type = &stats_fs_type_##type_, \
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_##flag, .unit = unit_, .help = help_ }

/* clang-format off */
static const struct stats_fs_value vm_values[] = {
	VM_VALUE("migrations", migrations, u64, COUNTER, "count",
		 "times it was saved, destroyed and restored"),
	VM_VALUE("npt_fills", npt_fills, u64, COUNTER, "count", "pages mapped at first use"),
	VM_VALUE("unclaimed", bus.unclaimed, u64, COUNTER, "bytes",
		 "of accesses that no device took"),
	VM_VALUE("vcpus", vcpu_count, u32, FLOATING_VALUE, "count", "virtual CPUs now"),
	{ 0 },
};
/* clang-format on */

static const struct {
	const struct stats_fs_value *array;
	const char *dir;
} vcpu_groups[] = {
	{ vcpu_values, NULL }, { exit_values, "exits" }, { npf_values, "npf" },
};

/* VMs that have sources, so that those of an abandoned test can be found. */
static struct {
	struct spinlock lock;
	struct { struct stats_fs_source *src; struct msr_stats *msrs; u16 owner; } at[LIVE_MAX];
	struct stats_fs_source *kvm, *ended;
	struct vcpu_stats ended_vcpus;
	struct vm ended_vms;
	struct msr_stats ended_msrs;
	struct msr_stats_row ended_row[ENDED_MSRS + 1];
} live;

static int add_vcpu_groups(struct stats_fs_source *src, struct vcpu_stats *base)
{
	int err = 0;

	for (u32 i = 0; i < ARRAY_SIZE(vcpu_groups) && !err; i++) {
		const struct stats_fs_group_desc d = { .array = vcpu_groups[i].array, .base = base,
						       .dir = vcpu_groups[i].dir };

		err = stats_fs_source_add_group(src, &d);
	}
	return err;
}

int kvm_stats_init(struct stats_fs *fs)
{
	int err = stat_source(fs, "/kvm", &live.kvm);

	if (!err)
		err = stat_source(fs, "/kvm/ended", &live.ended);
	if (!err)
		err = add_vcpu_groups(live.kvm, NULL);
	if (!err)
		err = stats_fs_source_add_values(live.kvm, vm_values, NULL, 0);
	if (!err)
		err = msr_stats_add_totals(live.kvm);
	if (!err)
		err = add_vcpu_groups(live.ended, &live.ended_vcpus);
	if (!err)
		err = stats_fs_source_add_values(live.ended, vm_values, &live.ended_vms, 0);
	if (!err)
		err = msr_stats_add_totals(live.ended);
	msr_stats_init(&live.ended_msrs, live.ended_row, ENDED_MSRS);
	msr_stats_show(&live.ended_msrs, fs, live.ended);
	return err ? err : msr_stats_show_other(&live.ended_msrs);
}

static int take_slot(struct stats_fs_source *src, struct vm *vm)
{
	int err = -ENOSPC;

	spin_lock(&live.lock);
	for (u32 i = 0; i < LIVE_MAX && err; i++) {
		if (live.at[i].src)
			continue;
		live.at[i].owner = vm->owner;
		live.at[i].msrs = &vm->msrs;
		live.at[i].src = src;
		err = 0;
	}
	spin_unlock(&live.lock);
	return err;
}

static void retire(struct stats_fs_source *src, struct msr_stats *msrs)
{
	msr_stats_end(msrs, &live.ended_msrs);
	stats_fs_source_retire(src, live.ended);
	stats_fs_source_put(src);
}

/* The source if it was in the table; whoever gets it ends it. */
static bool give_slot(struct stats_fs_source *src)
{
	bool found = false;

	spin_lock(&live.lock);
	for (u32 i = 0; i < LIVE_MAX && !found; i++) {
		if (live.at[i].src == src) {
			live.at[i].src = NULL;
			found = true;
		}
	}
	spin_unlock(&live.lock);
	return found;
}

static int make_source(struct vm *vm, struct stats_fs_source **src)
{
	int err = -EEXIST;

	for (u32 n = vm->id; err == -EEXIST && n < vm->id + LIVE_MAX; n++) {
		err = stats_fs_source_create(stat_fs, src, 0, "vm%u", n);
		if (err)
			return err;
		err = add_vcpu_groups(*src, NULL);
		if (!err)
			err = stats_fs_source_add_values(*src, vm_values, vm, 0);
		if (!err)
			err = msr_stats_add_totals(*src);
		if (!err)
			err = stats_fs_source_add_subordinate(live.kvm, *src);
		if (err)
			stats_fs_source_put(*src);
	}
	return err;
}

void vm_stats_begin(struct vm *vm)
{
	struct stats_fs_source *src;

	stat_inc(&vms_created);
	msr_stats_init(&vm->msrs, vm->msr_row, MSR_STATS_ROWS);
	if (!stat_fs || make_source(vm, &src)) {
		stat_inc(&vms_uncounted);
		return;
	}
	if (take_slot(src, vm)) {
		retire(src, &vm->msrs);
		stat_inc(&vms_uncounted);
		return;
	}
	vm->stats = src;
	msr_stats_show(&vm->msrs, stat_fs, src);
}

void vm_stats_add_vcpu(struct vcpu *v)
{
	struct stats_fs_source *src;

	stat_inc(&vcpus_created);
	if (!v->vm->stats || stats_fs_source_create(stat_fs, &src, 0, "vcpu%u", v->id))
		return;
	if (add_vcpu_groups(src, &v->stat) ||
	    stats_fs_source_add_subordinate(v->vm->stats, src))
		log_printf(LOG_WARN, "no statistics of vm%u vcpu%u", v->vm->id, v->id);
	stats_fs_source_put(src);
}

void vm_stats_label(struct vm *vm, const char *key, const char *value)
{
	if (vm->stats && stats_fs_source_label(vm->stats, key, value))
		log_printf(LOG_DEBUG, "vm%u: no label %s", vm->id, key);
}

void vm_stats_end(struct vm *vm)
{
	if (vm->stats && give_slot(vm->stats))
		retire(vm->stats, &vm->msrs);
	vm->stats = NULL;
}

void vm_stats_recover(void)
{
	spin_reset(&live.lock);
	spin_reset(&live.ended_msrs.lock);
	stats_fs_recover(stat_fs);
}

void vm_stats_end_owner(u16 owner)
{
	for (u32 i = 0; i < LIVE_MAX; i++) {
		struct stats_fs_source *src = live.at[i].src;

		if (src && live.at[i].owner == owner && give_slot(src))
			retire(src, live.at[i].msrs);
	}
}
