// SPDX-License-Identifier: MIT
/* Events for the guest: VM-entry interruption information (SDM3 25.8.3, 27.6). */
#include "vmx/ops.h"

#include "core/x86/insn.h"
#include "core/x86/regs.h"
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
	}
}

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

void vmx_windows(struct vcpu *v, u32 windows)
{
	struct vmx_vcpu *x = vmx_of(v);
	u32 may = vmx_ctl_may_be_1(vmx_caps.ctl[VMX_CTL_PROC]);
	u32 proc = x->proc & ~(VMX_CTL(PROC_INTR_WINDOW_EXITING) |
			       VMX_CTL(PROC_NMI_WINDOW_EXITING));
	bool b;

	if (windows & WINDOW_INTR)
		proc |= VMX_CTL(PROC_INTR_WINDOW_EXITING);
	/* SDM3 27.2.1.1: NMI windows need virtual NMIs. */
	if (windows & WINDOW_NMI && vmx_ctls.word[VMX_CTL_PIN] & VMX_CTL(PIN_VIRTUAL_NMIS))
		proc |= VMX_CTL(PROC_NMI_WINDOW_EXITING) & may;
	if (proc == x->proc)
		return;
	b = vmx_borrow(x);
	vmwrite_fast(VMCS_PROC_CTLS, proc);
	x->proc = proc;
	vmx_return(x, b);
}
