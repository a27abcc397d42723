/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU counts.  Written by the CPU that runs it, without locks or
 * locked instructions; read by any.
 */
#ifndef CORE_VM_VCPU_STATS_H
#define CORE_VM_VCPU_STATS_H

#include "core/vm/exit.h"
#include "stats/statsfs.h"

struct vm;
struct vcpu;

struct vcpu_stats {
	u64 exits[EXIT_REASON_COUNT];
	u64 injected[EVENT_PRIV_EXC + 1];
	u64 exit_cycles[64];		/* histogram: from an exit to the next entry */
	u64 guest_cycles;		/* less the TSC of the entry while in the guest */
#define VCPU_STAT(name, unit, help)	u64 name;
#define VCPU_NPF(name, help)		u64 npf_##name;
#include "core/vm/vcpu_stats.def"
};

/* Whether vCPUs measure cycles; looked at when vcpu_run begins.  true at start. */
extern bool vcpu_stats_timed;

/* From an exit to the next entry. */
static __always_inline void vcpu_stats_latency(struct vcpu_stats *s, u64 cycles)
{
	s->host_cycles += cycles;
	s->exit_cycles[stats_fs_log2(cycles)]++;
}

/* /kvm, and what else of the machine is counted: /mm, /cpuN.  0 or -ENOMEM. */
int __must_check host_stats_init(void);
int __must_check kvm_stats_init(struct stats_fs *fs);

/*
 * /kvm/vm<N> and its vCPUs.  N is vm->id, or the next one that is free.  None
 * of these fails: a machine without statistics runs as well.
 */
void vm_stats_begin(struct vm *vm);
void vm_stats_add_vcpu(struct vcpu *v);
/* What the VM is for: "test=svm.cpuid". */
void vm_stats_label(struct vm *vm, const char *key, const char *value);
/* What the VM counted goes to /kvm/ended. */
void vm_stats_end(struct vm *vm);

/* After CPUs were stopped for good, while no other counts: opens what they held. */
void vm_stats_recover(void);
/* Ends the VMs whose memory has that owner, before it is given back. */
void vm_stats_end_owner(u16 owner);

#endif
