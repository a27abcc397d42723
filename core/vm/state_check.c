// SPDX-License-Identifier: MIT
/* What a saved vCPU may say.  Pure: see core/vm/state.h. */
#include "core/vm/state.h"

#include "core/lib/string.h"
#include "core/mm/pt_walk.h"
#include "core/vm/msr_policy.h"
#include "core/vm/xcr0.h"
#include "core/x86/regs.h"

enum rule_kind {
	R_LOW32,		/* bits 63:32 are zero */
	R_CANONICAL,
	R_MAX,			/* at most arg */
	R_MASK,			/* no bit outside arg */
};

/*
 * Registers that the host loads with instructions that fault, or whose value is
 * an index of ours.  vmload: with SVM it is VMLOAD that loads them, which takes any
 * value, and guests have any: SYSENTER's on AMD's CPUs, the others where an
 * emulator's WRMSR does not look.
 */
static const struct {
	u8 reg, kind;
	u64 arg;
	const char *name;
	bool vmload;
} rules[] = {
	{ VREG_CR0, R_LOW32, 0, "CR0", false },
	{ VREG_CR8, R_MAX, 15, "CR8", false },
	{ VREG_DR6, R_LOW32, 0, "DR6", false },
	{ VREG_DR7, R_LOW32, 0, "DR7", false },
	{ VREG_LSTAR, R_CANONICAL, 0, "LSTAR", true },
	{ VREG_CSTAR, R_CANONICAL, 0, "CSTAR", true },
	{ VREG_SFMASK, R_LOW32, 0, "SFMASK", true },
	{ VREG_KERNEL_GS_BASE, R_CANONICAL, 0, "KERNEL_GS_BASE", true },
	{ VREG_SYSENTER_ESP, R_CANONICAL, 0, "SYSENTER_ESP", true },
	{ VREG_SYSENTER_EIP, R_CANONICAL, 0, "SYSENTER_EIP", true },
	{ VREG_TSC_AUX, R_LOW32, 0, "TSC_AUX", false },
	{ VREG_PKRS, R_LOW32, 0, "PKRS", false },
	{ VREG_DEBUGCTL, R_MASK, BITS(1, 0), "DEBUGCTL", false },
	{ VREG_INT_SHADOW, R_MAX, 1, "interrupt shadow", false },
	{ VREG_NMI_BLOCKED, R_MAX, 1, "NMI blocking", false },
};

static bool rule_holds(u8 kind, u64 arg, u64 val, const struct save_limits *lim)
{
	switch (kind) {
	case R_LOW32:
		return !(val >> 32);
	case R_CANONICAL:
		return pt_canonical(val, lim->la57 ? 57 : 48);
	case R_MAX:
		return val <= arg;
	default:
		return !(val & ~arg);
	}
}

static bool events_valid(const struct event_save *e)
{
	if (e->type > EVENT_PRIV_EXC || e->has_error > 1 || e->insn_len > 15)
		return false;
	if (e->type == EVENT_NMI && e->vector != VEC_NMI)
		return false;
	return e->type != EVENT_EXCEPTION || e->vector < 32;
}

/* APM2 3.1.1, SDM3 2.5: what no MOV to CR0 could have left. */
static bool cr0_valid(u64 cr0, const struct save_limits *lim)
{
	return (!(cr0 & CR0_PG) || cr0 & CR0_PE || lim->paged_real) &&
	       !((cr0 & CR0_NW) && !(cr0 & CR0_CD));
}

int vcpu_save_check(const struct vcpu_save *s, const struct save_limits *lim, const char **what)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		*what = rules[i].name;
		if (rules[i].vmload && lim->vmload)
			continue;
		if (!rule_holds(rules[i].kind, rules[i].arg, s->reg[rules[i].reg], lim))
			return -EINVAL;
	}
	*what = "CR0";
	if (!cr0_valid(s->reg[VREG_CR0], lim))
		return -EINVAL;
	*what = "CR4";
	if (s->reg[VREG_CR4] & ~lim->cr4_allowed)
		return -EINVAL;
	*what = "EFER";
	if (s->reg[VREG_EFER] & ~(lim->efer_allowed | EFER_LMA))
		return -EINVAL;
	*what = "PAT";
	if (!msr_pat_valid(s->reg[VREG_PAT]))
		return -EINVAL;
	*what = "XCR0";
	if (!xcr0_valid(s->reg[VREG_XCR0], lim->xcr0_allowed | XCR0_X87))
		return -EINVAL;
	*what = "events";
	if (!events_valid(&s->reinject) || !events_valid(&s->exception) || s->nmi > 2)
		return -EINVAL;
	*what = "activity";
	return s->mp_state <= MP_WAIT_SIPI ? 0 : -EINVAL;
}

/* SDM1 13.4, 13.8: what makes FXRSTOR and XRSTOR (standard form) fault. */
int xsave_check(const u8 *area, u32 size, const struct save_limits *lim, const char **what)
{
	u32 mxcsr;
	u64 bv;

	*what = "size of the XSAVE area";
	if (size != lim->xsave_size || size < 512)
		return -EINVAL;
	*what = "MXCSR";
	memcpy(&mxcsr, area + 24, 4);
	if (mxcsr & ~lim->mxcsr_mask)
		return -EINVAL;
	if (size == 512)
		return 0;
	*what = "XSAVE header";
	if (size < 576)
		return -EINVAL;
	memcpy(&bv, area + 512, 8);
	if (bv & ~lim->xcr0_allowed)
		return -EINVAL;
	for (u32 i = 520; i < 576; i++)
		if (area[i])
			return -EINVAL;
	return 0;
}
