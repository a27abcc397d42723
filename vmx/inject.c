// SPDX-License-Identifier: MIT
/* Events for the guest: VM-entry interruption information (SDM3 25.8.3, 27.6). */
#include "vmx/ops.h"

#include "core/x86/insn.h"
#include "vmx/insn.h"

/*
 * SDM3 27.6.1: injection changes neither DR6, DR7 nor CR2, so the parts of
 * the state that the exception would have changed are written here.
 */
static void set_payload(struct vcpu *v, const struct event *e)
{
	if (e->vector == VEC_PF) {
		vmx_of(v)->cr2 = e->payload;
	} else if (e->vector == VEC_DB && e->payload) {
		u64 dr6 = vmx_get(v, VREG_DR6) & ~0xfULL;

		vmx_set(v, VREG_DR6, dr6 | e->payload | DR6_FIXED1);
		vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
		/* SDM3 18.4.4: #DB clears LBR and BTF. */
		vmwrite(VMCS_GUEST_DEBUGCTL, vmread(VMCS_GUEST_DEBUGCTL) & ~BITS(1, 0));
	}
}

/*
 * The event goes into the fields of the next entry.  Nothing can have been
 * left there: each exit makes the field invalid (SDM3 28.3), and core injects
 * once between two entries.
 */
void vmx_inject(struct vcpu *v, const struct event *e)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	bool pe = vmread(VMCS_GUEST_CR0) & CR0_PE;
	u32 info = vmx_event_encode(e, pe);
	u8 len = vmx_event_insn_len(e);

	if (e->type == EVENT_EXCEPTION)
		set_payload(v, e);
	if (info & INTR_ERROR_VALID)
		vmwrite_fast(VMCS_ENTRY_EXCEPTION_ERROR_CODE, e->error);
	if (len)
		vmwrite_fast(VMCS_ENTRY_INSN_LEN, len);
	if (e->type == EVENT_NMI) {
		/*
		 * SDM3 27.3.1.5: no injection of an NMI while NMIs are blocked.
		 * They are when the delivery of this one was interrupted.
		 */
		u64 s = vmread(VMCS_GUEST_INTERRUPTIBILITY);

		if (s & INTERRUPTIBILITY_NMI)
			vmwrite_fast(VMCS_GUEST_INTERRUPTIBILITY, s & ~INTERRUPTIBILITY_NMI);
	}
	/* SDM3 27.3.1.5: most events cannot be injected into HLT: it ends. */
	vmwrite_fast(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite_fast(VMCS_ENTRY_INTR_INFO, info);
	vmx_return(x, b);
}

/*
 * SDM3 28.3.3: the exit saves RFLAGS as the exception would have pushed it,
 * so with RF for faults.  One emulator forgets that, and a code breakpoint
 * would hit again after IRET.
 */
static bool pushes_rf(struct vcpu *v, const struct event *e)
{
	u64 dr7;

	if (e->vector != VEC_DB)
		return true;
	if (e->payload & DR6_BD)
		return true;
	/* SDM3 18.2.4: R/W 00 is an instruction breakpoint, a fault. */
	dr7 = vmread(VMCS_GUEST_DR7);
	for (unsigned int i = 0; i < 4; i++)
		if (e->payload & BIT(i) && !(dr7 >> (16 + 4 * i) & 3))
			return true;
	return false;
}

bool vmx_guarded(struct vcpu *v)
{
	const struct event *e = &v->exit.exc;

	/* During another delivery it is core's to combine the two. */
	if (v->exit.reason != EXIT_EXCEPTION || v->exit.idt.type != EVENT_NONE ||
	    !(VMX_EXC_GUARD & ~vmx_of(v)->exc_want & BIT(e->vector)))
		return false;
	if (e->vector == VEC_MC) {
		__asm__ volatile("int $18" ::: "memory");
		return true;
	}
	if (e->type == EVENT_EXCEPTION && pushes_rf(v, e))
		v->rflags |= RFLAGS_RF;
	vmx_inject(v, e);
	return true;
}

/* SDM3 27.7.5, 27.7.6: the entry exits at once if the window is open. */
void vmx_windows(struct vcpu *v, u32 windows)
{
	struct vmx_vcpu *x = vmx_of(v);
	u32 may = vmx_ctl_may_be_1(vmx_caps.ctl[VMX_CTL_PROC]), tpr;
	u32 proc = x->proc & ~(VMX_CTL(PROC_INTR_WINDOW_EXITING) |
			       VMX_CTL(PROC_NMI_WINDOW_EXITING));
	u32 cr8 = VMX_CTL(PROC_CR8_LOAD_EXITING);
	bool b;

	if (windows & WINDOW_INTR)
		proc |= VMX_CTL(PROC_INTR_WINDOW_EXITING);
	/* SDM3 27.2.1.1: NMI windows need virtual NMIs. */
	if (windows & WINDOW_NMI && vmx_ctls.word[VMX_CTL_PIN] & VMX_CTL(PIN_VIRTUAL_NMIS))
		proc |= VMX_CTL(PROC_NMI_WINDOW_EXITING) & may;
	/* Without the TPR shadow it always exits. */
	if (proc & VMX_CTL(PROC_USE_TPR_SHADOW))
		proc = windows & WINDOW_CR8 ? proc | cr8 : proc & ~cr8;
	/* SDM3 26.1.3, 30.1.2: an exit behind the MOV to CR8 that goes below it. */
	tpr = proc & VMX_CTL(PROC_USE_TPR_SHADOW) && windows & WINDOW_TPR ?
	      WINDOW_TPR_CLASS_OF(windows) : 0;
	if (proc == x->proc && tpr == x->tpr_threshold)
		return;
	b = vmx_borrow(x);
	vmwrite_fast(VMCS_PROC_CTLS, proc);
	if (tpr != x->tpr_threshold)
		vmwrite(VMCS_TPR_THRESHOLD, tpr);
	x->proc = proc;
	x->tpr_threshold = tpr;
	vmx_return(x, b);
}
