// SPDX-License-Identifier: MIT
/* What exits and what does not (SDM3 25.6, 26.1.3). */
#include "vmx/ops.h"

#include "core/x86/msr.h"
#include "vmx/insn.h"

#define DESC_BIT(word, name) { VMX_CTL_##word, true, word##_##name##_BIT }

/* Intercepts that are one bit of a control word. */
static const struct {
	u8 word;
	bool known;
	u8 bit;
} icpt_bit[] = {
	[ICPT_HLT] = DESC_BIT(PROC, HLT_EXITING),
	[ICPT_INVLPG] = DESC_BIT(PROC, INVLPG_EXITING),
	[ICPT_RDTSC] = DESC_BIT(PROC, RDTSC_EXITING),
	[ICPT_RDTSCP] = DESC_BIT(PROC, RDTSC_EXITING),
	[ICPT_RDPMC] = DESC_BIT(PROC, RDPMC_EXITING),
	[ICPT_PAUSE] = DESC_BIT(PROC, PAUSE_EXITING),
	[ICPT_MWAIT] = DESC_BIT(PROC, MWAIT_EXITING),
	[ICPT_MONITOR] = DESC_BIT(PROC, MONITOR_EXITING),
	[ICPT_WBINVD] = DESC_BIT(PROC2, WBINVD_EXITING),
	[ICPT_DESC] = DESC_BIT(PROC2, DESC_TABLE_EXITING),
	[ICPT_DR] = DESC_BIT(PROC, MOV_DR_EXITING),
};

/* Not what the CPU allows: the control stays, and so does the behaviour. */
static int set_control(struct vmx_vcpu *x, enum vmx_ctl_word word, u8 bit, bool on)
{
	u32 field = word == VMX_CTL_PROC ? VMCS_PROC_CTLS : VMCS_PROC2_CTLS;
	u32 val = (u32)vmread(field) & ~(1u << bit);

	if (on)
		val |= 1u << bit;
	if (!vmx_ctl_valid(vmx_caps.ctl[word], val))
		return -EOPNOTSUPP;
	vmwrite(field, val);
	if (word == VMX_CTL_PROC)
		x->proc = val;
	return 0;
}

/* Bits of CR0 and CR4 that the guest can change without us knowing. */
#define CR0_GUEST_OWNED	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP | CR0_AM | CR0_PG)
#define CR4_HOST_OWNED	(CR4_VMXE | CR4_SMXE | CR4_MCE)

/*
 * SDM3 25.6.6: moves the line between the guest's and the host's bits of CR0
 * or CR4.  What the guest reads stays the same.
 */
static void own_cr(u32 field, u32 mask_field, u32 shadow_field, u64 mask)
{
	u64 old = vmread(mask_field);
	u64 seen = (vmread(field) & ~old) | (vmread(shadow_field) & old);
	/* Bits given to the guest take the value that it saw last. */
	u64 real = (vmread(field) & mask) | (seen & ~mask);

	vmwrite(field, real);
	vmwrite(shadow_field, seen);
	vmwrite(mask_field, mask);
}

/* SDM3 26.1.3: reads of CR0 and CR4 never exit; writes that differ from the shadow. */
static int intercept_cr(struct vmx_vcpu *x, u32 cr, bool write, bool on)
{
	switch (cr) {
	case 0:
		if (!write)
			return on ? -EOPNOTSUPP : 0;
		own_cr(VMCS_GUEST_CR0, VMCS_CR0_GUEST_HOST_MASK, VMCS_CR0_READ_SHADOW,
		       on ? ~0ULL : ~CR0_GUEST_OWNED);
		return 0;
	case 3:
		return set_control(x, VMX_CTL_PROC, write ? PROC_CR3_LOAD_EXITING_BIT :
				   PROC_CR3_STORE_EXITING_BIT, on);
	case 4:
		if (!write)
			return on ? -EOPNOTSUPP : 0;
		own_cr(VMCS_GUEST_CR4, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW,
		       on ? ~0ULL : CR4_HOST_OWNED);
		return 0;
	case 8:
		return set_control(x, VMX_CTL_PROC, write ? PROC_CR8_LOAD_EXITING_BIT :
				   PROC_CR8_STORE_EXITING_BIT, on);
	default:
		return -EOPNOTSUPP;
	}
}

/* The guards exit in any case; core sees only what was asked for. */
static int intercept_exception(struct vmx_vcpu *x, u32 vector, bool on)
{
	if (vector > 31)
		return -EOPNOTSUPP;
	x->exc_want &= ~(1u << vector);
	x->exc_want |= (u32)on << vector;
	vmwrite(VMCS_EXCEPTION_BITMAP, x->exc_want | VMX_EXC_GUARD);
	return 0;
}

/* With x's VMCS current. */
static int intercept_current(struct vmx_vcpu *x, enum icpt what, u32 arg, bool on)
{
	if ((size_t)what < ARRAY_SIZE(icpt_bit) && icpt_bit[what].known)
		return set_control(x, icpt_bit[what].word, icpt_bit[what].bit, on);
	switch (what) {
	case ICPT_CR_READ:
	case ICPT_CR_WRITE:
		return intercept_cr(x, arg, what == ICPT_CR_WRITE, on);
	case ICPT_EXCEPTION:
		return intercept_exception(x, arg, on);
	case ICPT_IO:
		if (arg > 0xffff)
			return -EOPNOTSUPP;
		vmx_io_bitmap_set(x->io_bitmap, (u16)arg, on);
		return 0;
	case ICPT_IO_ALL:
		vmx_io_bitmap_fill(x->io_bitmap, on);
		return 0;
	case ICPT_MSR_READ:
	case ICPT_MSR_WRITE:
		/* MSRs outside the bitmap always exit. */
		return vmx_msr_bitmap_set(x->msr_bitmap, arg, what == ICPT_MSR_WRITE, on) && !on ?
		       -EOPNOTSUPP : 0;
	default:
		/* SDM3 26.1.2: these always exit. */
		return on ? 0 : -EOPNOTSUPP;
	}
}

int vmx_intercept(struct vcpu *v, enum icpt what, u32 arg, bool on)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	int err = intercept_current(x, what, arg, on);

	vmx_return(x, b);
	return err;
}

/* What the CPU switches itself, or load and put do. */
static const u32 guest_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR,
	MSR_SFMASK, MSR_EFER, MSR_IA32_PAT, MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP,
	MSR_IA32_SYSENTER_EIP,
};

static void pass_msr(struct vmx_msr_bitmap *m, u32 msr)
{
	/* All numbers here lie inside the bitmap. */
	(void)!vmx_msr_bitmap_set(m, msr, false, false);
	(void)!vmx_msr_bitmap_set(m, msr, true, false);
}

/* A new guest reaches no port, and only MSRs that are its own. */
void vmx_perm_reset(struct vmx_vcpu *x)
{
	vmx_io_bitmap_fill(x->io_bitmap, true);
	vmx_msr_bitmap_fill(x->msr_bitmap, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(guest_msrs); i++)
		pass_msr(x->msr_bitmap, guest_msrs[i]);
	if (vmx_ctls.word[VMX_CTL_PROC2] & VMX_CTL(PROC2_ENABLE_RDTSCP))
		pass_msr(x->msr_bitmap, MSR_TSC_AUX);
}

u64 vmx_cr0_mask(void)
{
	return ~CR0_GUEST_OWNED;
}

u64 vmx_cr4_mask(void)
{
	return CR4_HOST_OWNED;
}
