/* SPDX-License-Identifier: MIT */
/*
 * MSRs of a guest that exit: a table of ranges and what each does.  MSRs that
 * no row has give #GP and are counted.
 */
#ifndef CORE_VM_MSR_POLICY_H
#define CORE_VM_MSR_POLICY_H

#include "core/vm/vcpu.h"

enum msr_kind {
	MSR_KIND_VREG,		/* arg: enum vreg, any value */
	MSR_KIND_ADDR,		/* arg: enum vreg, canonical values only */
	MSR_KIND_EFER,
	MSR_KIND_PAT,
	MSR_KIND_PKRS,		/* 32 bits; #GP without the feature */
	MSR_KIND_TSC,
	MSR_KIND_CONST,		/* reads arg, writes are dropped */
	MSR_KIND_RO,		/* reads arg, writes are #GP */
	MSR_KIND_SEG_BASE,	/* arg: enum vseg */
	MSR_KIND_APIC_BASE,	/* without a local APIC: reads arg, no change */
	MSR_KIND_APIC,		/* of the local APIC; #GP without one */
	MSR_KIND_TSC_ADJUST,
	MSR_KIND_AMD,		/* as CONST, on AMD's only */
	MSR_KIND_STORED,	/* arg: offset in struct vcpu_msrs, any value */
	MSR_KIND_MTRR_FIXED,	/* arg: offset of the first of the row */
	MSR_KIND_MTRR_VAR,
	MSR_KIND_MTRR_DEF,
	MSR_KIND_LBR,		/* as CONST, or AMD with arg 1; with virtualization its own */
	MSR_KIND_NESTED,	/* of the virtualization extension, for a guest that has it */
};

struct msr_row {
	u32 first, last;
	u8 kind;		/* enum msr_kind */
	u64 arg;
};

/* The row of an MSR, or NULL: #GP.  Pure. */
const struct msr_row *msr_policy_find(u32 msr);

/* SDM3 12.11.2: defined types and bits only.  base_reg: PHYSBASE, else PHYSMASK. */
bool msr_mtrr_fixed_valid(u64 val);
bool msr_mtrr_var_valid(u64 val, bool base_reg, u8 maxphyaddr);
bool msr_mtrr_def_valid(u64 val);

/* SDM3 12.12.2, APM2 7.8.1: each byte a defined memory type. Pure. */
bool msr_pat_valid(u64 pat);

/*
 * May the guest set EFER to val?  SDM3 2.2.1, APM2 3.1.7: reserved bits, and
 * LME must not change while paging is on.  Pure.
 */
bool msr_efer_valid(u64 val, u64 old, u64 cr0, u64 allowed);

#endif
