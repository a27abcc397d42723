/* SPDX-License-Identifier: MIT */
/*
 * What core asks of a vendor about a guest that is a hypervisor itself (L1)
 * and runs guests of its own (L2).  While L2 runs, v->in_l2 is set and all
 * registers of the vCPU, virt->get and virt->set are L2's; L1's wait in the
 * vendor's structures.
 */
#ifndef CORE_VM_NESTED_H
#define CORE_VM_NESTED_H

#include "core/vm/vcpu.h"

/* What became of the events that wait. */
enum nested_events {
	NESTED_NONE,		/* inject as usual, into whoever runs */
	NESTED_BUSY,		/* one of them is L1's, and L2's entry has to end first */
	NESTED_EXITED,		/* one of them made L2 exit: L1 runs now */
};

struct cpuid_regs;

#define NESTED_MSRS	8

/* The rest of a vCPU whose nested state is asked about. */
struct nested_regs {
	u64 cr0, efer;			/* L2's, in guest mode */
	u64 msr[NESTED_MSRS];		/* in the order of saved_msr */
};

struct nested_ops {
	/*
	 * v becomes able to virtualize.  -ENOMEM; -EOPNOTSUPP when this CPU
	 * cannot carry it.
	 */
	int (*init)(struct vcpu *v);
	void (*fini)(struct vcpu *v);
	/*
	 * L2 has left with v->exit.  True: it was L1's to handle, and L1 runs
	 * now.  False: it is L0's, as any exit.
	 */
	bool (*reflect)(struct vcpu *v);
	/*
	 * An exception of L2 that L0 raises while v->events.reinject was being
	 * delivered.  True: it is L1's exit.
	 */
	bool (*exception)(struct vcpu *v, const struct event *e);
	/* Before injection: what waits in v->events, and L1's wishes. */
	enum nested_events (*events)(struct vcpu *v);
	/*
	 * Takes from *gate what the global interrupt flag holds back, and
	 * decides for L2 by whose flags interrupts and NMIs are masked.
	 */
	void (*gate)(struct vcpu *v, struct event_gate *gate);
	/* An instruction of the extension, which exited (v->exit.virt). */
	enum verdict (*insn)(struct vcpu *v);
	/* MSRs of the extension; false: #GP. */
	bool (*rdmsr)(struct vcpu *v, u32 msr, u64 *val);
	bool (*wrmsr)(struct vcpu *v, u32 msr, u64 val);
	/* Bits of EFER that a guest may set for it. */
	u64 (*efer)(struct vcpu *v);
	/* Before the guest, L1 or L2, sets EFER to val: the extension may go off. */
	void (*efer_write)(struct vcpu *v, u64 val);
	/* For CPUID; NULL: not offered. */
	const struct cpuid_regs *(*cpuid)(struct vcpu *v);
	/* L2 halts: has it a virtual interrupt of its own to take? */
	bool (*wakes)(struct vcpu *v);
	/* L2 shuts down (triple fault) by what L0 did.  True: that is L1's exit. */
	bool (*shutdown)(struct vcpu *v);
	/* INIT.  True: it is L1's exit, or waits; false: reset the vCPU. */
	bool (*init_signal)(struct vcpu *v);
	/* SMI.  True: it is L1's exit, or waits; false: take it. */
	bool (*smi_signal)(struct vcpu *v);
	/* Back to L1 as if L2 had never been: reset, or L1 turned it off. */
	void (*leave)(struct vcpu *v);
	/*
	 * Guest-physical to L1-physical while L2 runs; PTA_ bits.  0, or -EFAULT
	 * with an EVENT_NPF for vcpu_inject in *fault.
	 */
	int (*translate)(struct vcpu *v, u64 gpa, u32 access, u64 *l1, struct event *fault);
	/* Such a fault, when L0 works for L2: L1 gets its exit. */
	void (*page_fault)(struct vcpu *v, const struct event *fault);
	/* MSRs of the extension that are state, for rdmsr and wrmsr; 0: no more. */
	u32 saved_msr[NESTED_MSRS];
	/*
	 * KVM_GET_NESTED_STATE (core/vm/nested_blob.h): possible between any two
	 * exits, also before the first entry of L2 and while an exit to L1 waits.
	 * 0, -EFAULT, -E2BIG.
	 */
	int (*state_get)(struct vcpu *v, void *buf, u64 len);
	/*
	 * KVM_SET_NESTED_STATE, with its rules.  The registers are already there:
	 * L2's, in guest mode.  What is in guest memory is not looked at before
	 * the next entry.  own: it is one of ours, and what only KVM refuses may be
	 * in it.  0; -EFAULT, -EINVAL with the name of the rule in *row, and nothing
	 * has changed.
	 */
	int (*state_set)(struct vcpu *v, const void *buf, u64 len, bool own, const char **row);
	/* Would state_set load one of ours, on a vCPU with these registers? */
	int (*state_check)(const struct vcpu *v, const struct nested_regs *r, const void *buf,
			   u64 len, const char **row);
};

/* Is a guest-physical address of what runs now one of L1's nested tables? */
static inline bool vcpu_is_nested_paged(const struct vcpu *v)
{
	return unlikely(v->in_l2) && v->l2_paging;
}

#endif
