// SPDX-License-Identifier: MIT
/*
 * What L1's CPU has and the one below may lack (APM3 E.4.9): done here by intercepts.
 * Only on SVM: guests have no VMX yet.
 */
#include "svm/nested.h"

#include "core/lib/string.h"
#include "core/vm/insn.h"
#include "core/vm/run.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "svm/inject.h"

/* CPUID 8000_000A EDX: what software carries, whatever the CPU has. */
#define CARRIED	(BIT(0) | BIT(3) | BIT(5) | BIT(6) |	/* NP, NRIPS, clean, flush */ \
		 BIT(4) | BIT(7) | BIT(10) |	/* TSC ratio, decode assists, PAUSE filter */ \
		 BIT(15) | BIT(16) | BIT(25))	/* virtual VMLOAD, GIF, NMI */

void svm_nested_offer(struct cpuid_regs *leaf)
{
	*leaf = (struct cpuid_regs){ .eax = 1, .ebx = NESTED_ASIDS, .edx = CARRIED };
	/* An intercept costs more than any threshold that tells a loop from two PAUSEs. */
	if (svm.caps.pause_filter && svm.caps.pause_filter_threshold)
		leaf->edx |= BIT(12);
	if (svm.lbr)
		leaf->edx |= BIT(1);
}

bool svm_nested_set_vgif(struct vcpu *v, bool gif)
{
	struct vmcb *c = svm_nested_of(v)->vmcb12;
	u32 ctl = vmcb_get_int_ctl(c);

	if (!v->in_l2 || !(ctl & INT_CTL_V_GIF_ENABLE))
		return false;
	vmcb_set_int_ctl(c, gif ? ctl | INT_CTL_V_GIF : ctl & ~INT_CTL_V_GIF);
	((struct svm_vcpu *)v->arch)->attention = true;
	return true;
}

/*
 * APM2 15.21.10.  V_NMI_MASK is the NMI blocking of what runs, while L1's own waits:
 * what ends it with an IRET is the same for both.
 */
void svm_nested_vnmi_enter(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct svm_vcpu *a = v->arch;

	n->l1.nmi_blocked = a->nmi_blocked;
	a->nmi_blocked = vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_NMI_MASK;
	a->iret_wait = false;
}

void svm_nested_vnmi_leave(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	a->nmi_blocked = svm_nested_of(v)->l1.nmi_blocked;
	a->iret_wait = false;
}

bool svm_nested_take_vnmi(struct vcpu *v)
{
	const struct event e = event_nmi();
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = svm_nested_of(v)->vmcb12;

	if (a->nmi_blocked || a->vmcb->int_state & INT_STATE_SHADOW ||
	    a->vmcb->eventinj & EVENTINJ_VALID)
		return false;
	vmcb_set_int_ctl(c, vmcb_get_int_ctl(c) & ~INT_CTL_V_NMI);
	svm_inject(v, &e);
	return true;
}

/* APM2 15.21.4, 15.21.10 */
bool svm_nested_ends_hlt(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;

	return svm_nested_wakes(v) ||
	       (svm_nested_vnmi_waits(v) && !a->nmi_blocked);
}

bool svm_nested_set_tsc_ratio(struct vcpu *v, u64 ratio)
{
	struct svm_nested *n = svm_nested_of(v);

	if (ratio & ~TSC_RATIO_VALID)
		return false;
	n->tsc_ratio = ratio;
	v->l2_tsc = (struct tsc_ratio){ ratio, ratio == TSC_RATIO_ONE ? 0 : TSC_RATIO_FRAC };
	/* L2 itself wrote it, which L1 does not intercept. */
	if (v->in_l2)
		svm_nested_set_tsc(v);
	return true;
}

/* APM2 15.14.4: the counter goes below zero with the PAUSE behind the last one. */
bool svm_nested_pause_filtered(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	if (svm.caps.pause_filter || !n->pause_left)
		return false;
	n->pause_left--;
	return true;
}

/* APM2 15.8.1: only MOV has its register there; of a debug register nothing else is. */
static u64 cr_info(const struct vm_exit *x)
{
	if (x->reason == EXIT_DR)
		return x->cr.gpr & 15;
	return x->cr.kind == CR_MOV ? BIT(63) | (x->cr.gpr & 15) : 0;
}

u64 svm_nested_operands(const struct vm_exit *x)
{
	/* Another vCPU has changed the instruction: L1 will decode what it finds. */
	if (svm.caps.decode_assists || !x->insn_len)
		return x->info1;
	switch (x->reason) {
	case EXIT_CR: case EXIT_DR:
		return cr_info(x);
	case EXIT_SWINT:
		return x->exc.vector;
	default:
		return x->invlpg.linear;
	}
}

/* APM2 15.8.4: not of a fault of the fetch itself. */
void svm_nested_insn_bytes(struct vcpu *v, struct vmcb *page, u64 info1)
{
	u8 bytes[INSN_MAX_LEN] = { 0 };

	page->insn_bytes_count = info1 & PFERR_I ? 0 : (u8)vcpu_code_bytes(v, bytes);
	memcpy(page->insn_bytes, bytes, sizeof(page->insn_bytes));
}
