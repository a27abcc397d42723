/* SPDX-License-Identifier: MIT */
#include "core/vm/msr_policy.h"

#include "core/x86/msr.h"
#include "core/x86/regs.h"

/* Spurious-free local APIC page, enabled, boot processor (SDM3 11.4.4). */
#define APIC_BASE_VALUE	(0xfee00000ULL | APIC_BASE_EN | APIC_BASE_BSP)

/* clang-format off */
static const struct msr_row table[] = {
	/* first				last			kind */
	{ MSR_IA32_TSC,			MSR_IA32_TSC,		MSR_KIND_TSC, 0 },
	{ MSR_IA32_APIC_BASE,		MSR_IA32_APIC_BASE,	MSR_KIND_APIC_BASE, APIC_BASE_VALUE },
	{ MSR_IA32_BIOS_SIGN_ID,	MSR_IA32_BIOS_SIGN_ID,	MSR_KIND_CONST, 0 },
	{ MSR_IA32_MTRRCAP,		MSR_IA32_MTRRCAP,	MSR_KIND_RO, 0 },
	{ MSR_IA32_SYSENTER_CS,		MSR_IA32_SYSENTER_CS,	MSR_KIND_VREG, VREG_SYSENTER_CS },
	{ MSR_IA32_SYSENTER_ESP,	MSR_IA32_SYSENTER_ESP,	MSR_KIND_ADDR, VREG_SYSENTER_ESP },
	{ MSR_IA32_SYSENTER_EIP,	MSR_IA32_SYSENTER_EIP,	MSR_KIND_ADDR, VREG_SYSENTER_EIP },
	{ MSR_IA32_MCG_CAP,		MSR_IA32_MCG_CAP,	MSR_KIND_RO, 0 },
	{ MSR_IA32_MCG_STATUS,		MSR_IA32_MCG_STATUS,	MSR_KIND_CONST, 0 },
	{ MSR_IA32_MISC_ENABLE,		MSR_IA32_MISC_ENABLE,	MSR_KIND_CONST, 1 },
	{ MSR_IA32_DEBUGCTL,		MSR_IA32_DEBUGCTL,	MSR_KIND_CONST, 0 },
	{ MSR_IA32_PAT,			MSR_IA32_PAT,		MSR_KIND_PAT, 0 },
	{ MSR_EFER,			MSR_EFER,		MSR_KIND_EFER, 0 },
	{ MSR_STAR,			MSR_STAR,		MSR_KIND_VREG, VREG_STAR },
	{ MSR_LSTAR,			MSR_LSTAR,		MSR_KIND_ADDR, VREG_LSTAR },
	{ MSR_CSTAR,			MSR_CSTAR,		MSR_KIND_ADDR, VREG_CSTAR },
	{ MSR_SFMASK,			MSR_SFMASK,		MSR_KIND_VREG, VREG_SFMASK },
	{ MSR_FS_BASE,			MSR_FS_BASE,		MSR_KIND_SEG_BASE, VSEG_FS },
	{ MSR_GS_BASE,			MSR_GS_BASE,		MSR_KIND_SEG_BASE, VSEG_GS },
	{ MSR_KERNEL_GS_BASE,		MSR_KERNEL_GS_BASE,	MSR_KIND_ADDR, VREG_KERNEL_GS_BASE },
	{ MSR_TSC_AUX,			MSR_TSC_AUX,		MSR_KIND_VREG, VREG_TSC_AUX },
	{ MSR_SYSCFG,			MSR_HWCR,		MSR_KIND_CONST, 0 },
};
/* clang-format on */

const struct msr_row *msr_policy_find(u32 msr)
{
	u32 lo = 0, hi = ARRAY_SIZE(table);

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (msr > table[mid].last)
			lo = mid + 1;
		else if (msr < table[mid].first)
			hi = mid;
		else
			return &table[mid];
	}
	return NULL;
}

bool msr_pat_valid(u64 pat)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		u8 type = (u8)(pat >> i);

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

bool msr_efer_valid(u64 val, u64 old, u64 cr0, u64 allowed)
{
	if (val & ~allowed)
		return false;
	return !((cr0 & CR0_PG) && ((val ^ old) & EFER_LME));
}
