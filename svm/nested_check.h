/* SPDX-License-Identifier: MIT */
/*
 * What VMRUN refuses with VMEXIT_INVALID (APM2 15.5.1, 15.20, 15.25.3-4), and
 * what KVM_SET_NESTED_STATE refuses: one row per rule, in svm/nested_rules.def.
 * Pure; the VMCB is a copy that nobody else writes.  Only on SVM so far: guests
 * have no VMX yet.
 *
 * For VMRUN hardware has the last word, for a state blob KVM has.  They differ:
 *
 *	V_NMI_ENABLE without the NMI intercept: a CPU without virtual NMIs ignores
 *	the bit, KVM never does.
 *	#OF and #BR for 64-bit code are "impossible" (APM2 15.20); KVM lets the CPU
 *	decide.  A blob does not have L2's mode.
 *	gPAT, CET, and NP_ENABLE while L1 does not page: KVM leaves them to the CPU.
 *	NP_ENABLE without nested paging: a CPU would ignore a reserved bit; KVM
 *	refuses it, and so do we: L2 would run on memory that L1 did not mean.
 *	EVENTINJ in a blob: refused as newer KVM does; older KVM lets VMRUN fail.
 *
 * Bits 11:0 of the addresses of both maps are ignored, also in a blob: KVM masks
 * them before it checks.  No rules, since the manual has none: an ASID above
 * the number of them, encodings of TLB_CONTROL, CR4.PCIDE outside of long mode,
 * EFER.LMA, RFLAGS, CPL, bits above 31 of CR3 outside of long mode; what the
 * real CPU says of these is passed on.  Not here: U_CET, which is an MSR, and
 * PDPTEs, which are in guest memory (APM2 15.5.1 has VMRUN read and check those
 * of a PAE guest without nested paging).
 */
#ifndef SVM_NESTED_CHECK_H
#define SVM_NESTED_CHECK_H

#include "svm/vmcb.h"

/* The CPU that L1 sees, and its state that VMRUN looks at. */
struct nested_check_env {
	u64 efer_allowed;	/* bits that are not MBZ, with SVME and LMA */
	u64 cr4_allowed;
	u8 maxphyaddr;
	u8 linear_bits;		/* 48; 57 with LA57 */
	bool npt;
	bool vnmi;
	bool l1_paging;		/* L1's CR0.PG */
	bool own;		/* the blob is ours: what only KVM refuses may be in it */
};

enum nested_rule_group {
	NESTED_GROUP_VMRUN = 1,		/* vmcb12 */
	NESTED_GROUP_SET = 2,		/* the control area of a blob */
	NESTED_GROUP_L1_SAVE = 4,	/* the save area of a blob */
	NESTED_GROUP_KVM = 8,		/* no CPU refuses that: not in a blob of ours */
};

enum nested_rule_id {
#define X(id, groups, ref)	NESTED_RULE_##id,
#include "svm/nested_rules.def"
	NESTED_RULE_COUNT
};

struct nested_rule {
	const char *id;
	const char *ref;
	/* c: the control area is looked at, s: the save area */
	bool (*ok)(const struct vmcb *c, const struct vmcb *s,
		   const struct nested_check_env *env);
	u8 groups;
};

/* By enum nested_rule_id. */
extern const struct nested_rule svm_nested_rules[NESTED_RULE_COUNT];

static inline enum nested_rule_id svm_nested_rule_index(const struct nested_rule *r)
{
	return (enum nested_rule_id)(r - svm_nested_rules);
}

/*
 * VMRUN of vmcb12, whose control area is in c and whose save area in s: the first
 * row that fails, or NULL.
 */
const struct nested_rule *svm_nested_check(const struct vmcb *c, const struct vmcb *s,
					   const struct nested_check_env *env);
/* A blob's control area (semantics of KVM_SET_NESTED_STATE); the save area is not read. */
const struct nested_rule *svm_nested_check_controls(const struct vmcb *c,
						    const struct nested_check_env *env);
/* A blob's save area, which is L1's; the control area is not read. */
const struct nested_rule *svm_nested_check_l1_save(const struct vmcb *s,
						   const struct nested_check_env *env);

/*
 * What VMRUN makes of values that it does not refuse (APM2 15.5.1): the addresses
 * that it loads are sign-extended, both maps begin at a page, EFER.LMA follows
 * LME and PG (APM2 3.1.7).  VMLOAD's (FS, GS, TR, LDTR, ...) are left alone.
 * c and s as above.
 */
void svm_nested_canon(struct vmcb *c, struct vmcb *s, const struct nested_check_env *env);
/* The same for VMLOAD and its members: what a register cannot hold is not saved. */
void svm_nested_canon_vmload(struct vmcb *c, const struct nested_check_env *env);

#endif
