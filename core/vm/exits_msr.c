/* SPDX-License-Identifier: MIT */
/* RDMSR and WRMSR that exit: the table of msr_policy.c, applied. */
#include "core/vm/run.h"

#include "core/mm/pt_walk.h"
#include "core/vm/msr_policy.h"
#include "core/vm/nested.h"
#include "core/x86/caps.h"
#include "core/x86/regs.h"

static bool canonical(struct vcpu *v, u64 val)
{
	return pt_canonical(val, virt->get(v, VREG_CR4) & CR4_LA57 ? 57 : 48);
}

/* Of a row of several MSRs, the one that was asked for. */
static u64 *stored(struct vcpu *v, const struct msr_row *row)
{
	return (u64 *)((u8 *)&v->msrs + row->arg) + (v->exit.msr.index - row->first);
}

/* Returns false for #GP. */
static bool read_row(struct vcpu *v, const struct msr_row *row, u64 *val)
{
	struct vsegment seg;

	switch (row->kind) {
	case MSR_KIND_VREG:
	case MSR_KIND_ADDR:
		*val = virt->get(v, (enum vreg)row->arg);
		return true;
	case MSR_KIND_EFER:
		*val = virt->get(v, VREG_EFER);
		return true;
	case MSR_KIND_PAT:
		*val = virt->get(v, VREG_PAT);
		return true;
	case MSR_KIND_PKRS:
		*val = virt->get(v, VREG_PKRS);
		return run_policy.caps->pks;
	case MSR_KIND_TSC:
		*val = vcpu_tsc_seen(v);
		return true;
	case MSR_KIND_TSC_ADJUST:
		*val = v->msrs.tsc_adjust;
		return true;
	case MSR_KIND_APIC:
		return vcpu_apic_rdmsr(v, v->exit.msr.index, val);
	case MSR_KIND_APIC_BASE:
		if (!vcpu_apic_rdmsr(v, v->exit.msr.index, val))
			*val = row->arg;
		return true;
	case MSR_KIND_LBR:
		*val = 0;
		return !v->nested || virt->nested->rdmsr(v, v->exit.msr.index, val);
	case MSR_KIND_NESTED:
		return virt->nested->rdmsr(v, v->exit.msr.index, val);
	case MSR_KIND_STORED:
	case MSR_KIND_MTRR_FIXED:
	case MSR_KIND_MTRR_VAR:
	case MSR_KIND_MTRR_DEF:
		*val = *stored(v, row);
		return true;
	case MSR_KIND_SEG_BASE:
		virt->get_seg(v, (enum vseg)row->arg, &seg);
		*val = seg.base;
		return true;
	default:
		*val = row->arg;
		return true;
	}
}

static bool write_efer(struct vcpu *v, u64 val)
{
	u64 old = virt->get(v, VREG_EFER);
	u64 allowed = run_policy.efer_allowed | (v->nested ? virt->nested->efer(v) : 0);

	if (!msr_efer_valid(val, old, virt->get(v, VREG_CR0), allowed))
		return false;
	if (v->nested)
		virt->nested->efer_write(v, val);
	/* LMA is the processor's: a write does not change it. */
	virt->set(v, VREG_EFER, (val & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

static bool write_seg_base(struct vcpu *v, enum vseg s, u64 val)
{
	struct vsegment seg;

	if (!canonical(v, val))
		return false;
	virt->get_seg(v, s, &seg);
	seg.base = val;
	virt->set_seg(v, s, &seg);
	return true;
}

static bool write_stored(struct vcpu *v, const struct msr_row *row, u64 val)
{
	u32 index = v->exit.msr.index - row->first;

	if (row->kind == MSR_KIND_MTRR_FIXED && !msr_mtrr_fixed_valid(val))
		return false;
	if (row->kind == MSR_KIND_MTRR_VAR &&
	    !msr_mtrr_var_valid(val, !(index & 1), run_policy.maxphyaddr))
		return false;
	if (row->kind == MSR_KIND_MTRR_DEF && !msr_mtrr_def_valid(val))
		return false;
	*stored(v, row) = val;
	return true;
}

/* SDM3 4.6.2: bits 63:32 are reserved. */
static bool write_pkrs(struct vcpu *v, u64 val)
{
	if (!run_policy.caps->pks || val >> 32)
		return false;
	virt->set(v, VREG_PKRS, val);
	return true;
}

static bool write_row(struct vcpu *v, const struct msr_row *row, u64 val)
{
	switch (row->kind) {
	case MSR_KIND_ADDR:
		if (!canonical(v, val))
			return false;
		/* fall through */
	case MSR_KIND_VREG:
		virt->set(v, (enum vreg)row->arg, val);
		return true;
	case MSR_KIND_EFER:
		return write_efer(v, val);
	case MSR_KIND_PAT:
		if (!msr_pat_valid(val))
			return false;
		virt->set(v, VREG_PAT, val);
		return true;
	case MSR_KIND_PKRS:
		return write_pkrs(v, val);
	case MSR_KIND_TSC:
		/* APM2 15.30.5 and SDM3 27.3: offsets are for what is read. */
		vcpu_adjust_tsc(v, val - vcpu_tsc(v));
		return true;
	case MSR_KIND_TSC_ADJUST:
		vcpu_adjust_tsc(v, val - v->msrs.tsc_adjust);
		return true;
	case MSR_KIND_APIC:
		return vcpu_apic_wrmsr(v, v->exit.msr.index, val);
	case MSR_KIND_SEG_BASE:
		return write_seg_base(v, (enum vseg)row->arg, val);
	case MSR_KIND_APIC_BASE:
		return v->apic ? vcpu_apic_wrmsr(v, v->exit.msr.index, val) : val == row->arg;
	case MSR_KIND_STORED:
	case MSR_KIND_MTRR_FIXED:
	case MSR_KIND_MTRR_VAR:
	case MSR_KIND_MTRR_DEF:
		return write_stored(v, row, val);
	case MSR_KIND_LBR:
		return !v->nested || virt->nested->wrmsr(v, v->exit.msr.index, val);
	case MSR_KIND_NESTED:
		return virt->nested->wrmsr(v, v->exit.msr.index, val);
	case MSR_KIND_CONST:
	case MSR_KIND_AMD:
		return true;
	default:
		return false;
	}
}

/* Some are only there on one vendor's CPUs, or for a guest with the extension. */
static bool is_there(const struct vcpu *v, const struct msr_row *row)
{
	if (row->kind == MSR_KIND_AMD || (row->kind == MSR_KIND_LBR && row->arg))
		return virt->vendor == VIRT_SVM;
	return row->kind != MSR_KIND_NESTED || v->nested;
}

enum verdict exit_msr(struct vcpu *v)
{
	const struct msr_row *row = msr_policy_find(v->exit.msr.index);
	bool write = v->exit.msr.write;
	u64 val;

	if (!row || !is_there(v, row)) {
		msr_stats_count(&v->vm->msrs, v->exit.msr.index, write);
		return vcpu_inject_gp(v);
	}
	if (write) {
		val = (u32)v->gpr[VREG_RAX] | v->gpr[VREG_RDX] << 32;
		return write_row(v, row, val) ? VERDICT_ADVANCE : vcpu_inject_gp(v);
	}
	if (!read_row(v, row, &val))
		return vcpu_inject_gp(v);
	v->gpr[VREG_RAX] = (u32)val;
	v->gpr[VREG_RDX] = val >> 32;
	return VERDICT_ADVANCE;
}
