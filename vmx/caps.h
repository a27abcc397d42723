/* SPDX-License-Identifier: MIT */
/*
 * What the VMX capability MSRs say (SDM3 appendix A), as a snapshot, and the
 * arithmetic of allowed-0 and allowed-1 settings.  Pure: values in, values
 * out; the MSRs are read in vmx/probe.c.
 */
#ifndef VMX_CAPS_H
#define VMX_CAPS_H

#include "vmx/vmcs.h"

struct vmx_caps {
	u64 basic;
	u64 ctl[VMX_CTL_WORDS];		/* TRUE variants where basic bit 55 says so */
	u64 misc;
	u64 cr0_fixed0, cr0_fixed1;
	u64 cr4_fixed0, cr4_fixed1;
	u64 vmcs_enum;
	u64 ept_vpid;
	u64 vmfunc;
};

/* IA32_VMX_BASIC (A.1). */
#define VMX_BASIC_REVISION	0x7fffffffu
#define VMX_BASIC_SIZE_SHIFT	32		/* 12:0 of this: region size */
#define VMX_BASIC_PA32		BIT(48)		/* addresses limited to 32 bits */
#define VMX_BASIC_MEMTYPE_SHIFT	50
#define VMX_BASIC_INOUTS_INFO	BIT(54)
#define VMX_BASIC_TRUE_CTLS	BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT(56)	/* #CP: error code not checked */

/* IA32_VMX_MISC (A.6). */
#define VMX_MISC_TIMER_SHIFT	0x1fu
#define VMX_MISC_STORE_LMA	BIT(5)
#define VMX_MISC_HLT		BIT(6)		/* activity states */
#define VMX_MISC_SHUTDOWN	BIT(7)
#define VMX_MISC_WAIT_SIPI	BIT(8)
#define VMX_MISC_CR3_TARGETS(m)	((u32)((m) >> 16 & 0x1ff))
#define VMX_MISC_MSR_MAX(m)	(512u * (((u32)((m) >> 25) & 7) + 1))
#define VMX_MISC_VMWRITE_ALL	BIT(29)
#define VMX_MISC_INSN_LEN_0	BIT(30)

/* IA32_VMX_EPT_VPID_CAP (A.10). */
#define EPT_CAP_EXEC_ONLY	BIT(0)
#define EPT_CAP_WALK_4		BIT(6)
#define EPT_CAP_UC		BIT(8)
#define EPT_CAP_WB		BIT(14)
#define EPT_CAP_2M		BIT(16)
#define EPT_CAP_1G		BIT(17)
#define EPT_CAP_INVEPT		BIT(20)
#define EPT_CAP_AD		BIT(21)
#define EPT_CAP_INVEPT_SINGLE	BIT(25)
#define EPT_CAP_INVEPT_ALL	BIT(26)
#define VPID_CAP_INVVPID	BIT(32)
#define VPID_CAP_ADDR		BIT(40)
#define VPID_CAP_SINGLE		BIT(41)
#define VPID_CAP_ALL		BIT(42)
#define VPID_CAP_SINGLE_GLOBALS	BIT(43)

/* A.2: bit n of the low half is 1: control n must be 1; of the high half 0: must be 0. */
static inline u32 vmx_ctl_must_be_1(u64 cap)
{
	return (u32)cap;
}

static inline u32 vmx_ctl_may_be_1(u64 cap)
{
	return (u32)(cap >> 32);
}

/*
 * The control word with all of must, what the CPU allows of opt, and what it
 * demands; in *out.  Returns 0, or -EOPNOTSUPP when a bit of must is not
 * allowed: then *out has the missing bits.
 */
int __must_check vmx_ctl_adjust(u64 cap, u32 must, u32 opt, u32 *out);

/* Whether value is a setting that the CPU takes. */
bool vmx_ctl_valid(u64 cap, u32 value);

/* The names of the bits in mask: "NMI_EXITING VIRTUAL_NMIS". */
void vmx_ctl_names(enum vmx_ctl_word word, u32 mask, char *buf, size_t size);

/* The control words of a vCPU. */
struct vmx_ctls {
	u32 word[VMX_CTL_WORDS];
};

/*
 * What this hypervisor runs its guests with.  Returns 0, or -ENODEV with the
 * reason for people in why: no EPT, no unrestricted guest, ...
 */
int __must_check vmx_ctls_choose(const struct vmx_caps *caps, struct vmx_ctls *out,
				 char *why, size_t size);

/* cr with the bits that VMX operation demands set and those it forbids clear. */
u64 vmx_cr_fix(u64 cr, u64 fixed0, u64 fixed1);

/*
 * IA32_FEATURE_CONTROL: 0 VMXON is allowed, -EAGAIN it is unlocked and must
 * be written (value in *write), -ENODEV locked without VMX (SDM3 24.7).
 */
int __must_check vmx_feature_control(u64 msr, bool in_smx, u64 *write);

/* Feature names for the inventory: "ept vpid unrestricted ept_1g ...". */
void vmx_caps_describe(const struct vmx_caps *caps, char *buf, size_t size);

/* The EPT pointer for tables at root (SDM3 25.6.11). */
u64 vmx_eptp(const struct vmx_caps *caps, u64 root);

/*
 * Value for the preemption timer so that it expires in cycles of the TSC
 * (SDM3 26.5.1); at least 1 for a deadline that is not over, saturating.
 */
u32 vmx_timer_value(const struct vmx_caps *caps, u64 cycles);

#endif
