/* SPDX-License-Identifier: MIT */
#include "core/vm/msr_policy.h"

#include "core/x86/msr.h"
#include "core/x86/regs.h"

/* Spurious-free local APIC page, enabled, boot processor (SDM3 11.4.4). */
#define APIC_BASE_VALUE	(0xfee00000ULL | APIC_BASE_EN | APIC_BASE_BSP)

/* SDM3 12.11.1: eight variable ranges, fixed ranges, write-combining. */
#define MTRRCAP_VALUE	(MTRR_VARIABLE | BIT(8) | BIT(10))

#define ONE(msr, kind, arg)	{ msr, msr, MSR_KIND_##kind, arg }
#define SOME(first, n, kind, arg) { first, (first) + (n) - 1, MSR_KIND_##kind, arg }
#define AT(member)		offsetof(struct vcpu_msrs, member)

/* clang-format off */
static const struct msr_row table[] = {
	ONE(MSR_IA32_TSC, TSC, 0),
	ONE(MSR_IA32_PLATFORM_ID, RO, 0),
	ONE(MSR_IA32_APIC_BASE, APIC_BASE, APIC_BASE_VALUE),
	ONE(MSR_IA32_TSC_ADJUST, TSC_ADJUST, 0),
	/* Microcode cannot be loaded: the trigger does nothing (SDM3 10.11). */
	ONE(MSR_IA32_BIOS_UPDT_TRIG, CONST, 0),
	ONE(MSR_IA32_BIOS_SIGN_ID, CONST, 0),
	ONE(MSR_IA32_MTRRCAP, RO, MTRRCAP_VALUE),
	ONE(MSR_IA32_SYSENTER_CS, VREG, VREG_SYSENTER_CS),
	ONE(MSR_IA32_SYSENTER_ESP, ADDR, VREG_SYSENTER_ESP),
	ONE(MSR_IA32_SYSENTER_EIP, ADDR, VREG_SYSENTER_EIP),
	ONE(MSR_IA32_MCG_CAP, RO, 0),
	ONE(MSR_IA32_MCG_STATUS, CONST, 0),
	ONE(MSR_IA32_MISC_ENABLE, STORED, AT(misc_enable)),
	ONE(MSR_IA32_DEBUGCTL, LBR, 0),
	/* Last branch and last exception, from and to: every AMD has them (APM2 13.1.1.6). */
	SOME(MSR_LAST_BRANCH_FROM, 4, LBR, 1),
	SOME(MSR_IA32_MTRR_PHYSBASE0, 2 * MTRR_VARIABLE, MTRR_VAR, AT(mtrr_var)),
	ONE(MSR_IA32_MTRR_FIX64K_00000, MTRR_FIXED, AT(mtrr_fixed[0])),
	SOME(MSR_IA32_MTRR_FIX16K_80000, 2, MTRR_FIXED, AT(mtrr_fixed[1])),
	SOME(MSR_IA32_MTRR_FIX4K_C0000, 8, MTRR_FIXED, AT(mtrr_fixed[3])),
	ONE(MSR_IA32_PAT, PAT, 0),
	ONE(MSR_IA32_MTRR_DEF_TYPE, MTRR_DEF, AT(mtrr_def)),
	ONE(MSR_IA32_TSC_DEADLINE, APIC, 0),
	ONE(MSR_IA32_PKRS, PKRS, 0),
	SOME(MSR_IA32_X2APIC_FIRST, 0x100, APIC, 0),
	ONE(MSR_EFER, EFER, 0),
	ONE(MSR_STAR, VREG, VREG_STAR),
	ONE(MSR_LSTAR, ADDR, VREG_LSTAR),
	ONE(MSR_CSTAR, ADDR, VREG_CSTAR),
	ONE(MSR_SFMASK, VREG, VREG_SFMASK),
	ONE(MSR_FS_BASE, SEG_BASE, VSEG_FS),
	ONE(MSR_GS_BASE, SEG_BASE, VSEG_GS),
	ONE(MSR_KERNEL_GS_BASE, ADDR, VREG_KERNEL_GS_BASE),
	ONE(MSR_TSC_AUX, VREG, VREG_TSC_AUX),
	ONE(MSR_TSC_RATIO, NESTED, 0),
	/* The four counters that every AMD has (APM2 13.2.1): they do not count. */
	SOME(MSR_PERF_EVT_SEL0, 8, AMD, 0),
	ONE(MSR_SYSCFG, CONST, 0),
	ONE(MSR_HWCR, CONST, 0),
	ONE(MSR_NB_CFG, AMD, 0),
	/* Linux reads it unasked in families before 11h: C1E is off. */
	ONE(MSR_INT_PENDING, AMD, 0),
	ONE(MSR_VM_CR, NESTED, 0),
	ONE(MSR_VM_HSAVE_PA, NESTED, 0),
	ONE(MSR_LS_CFG, AMD, 0),
	ONE(MSR_DE_CFG, AMD, 0),
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
	/* All eight at once: nested VMRUNs ask often.  2 and 3 are 01x in bits 2:1. */
	return !(pat & 0xf8f8f8f8f8f8f8f8ULL) &&
	       !(pat >> 1 & ~(pat >> 2) & 0x0101010101010101ULL);
}

bool msr_efer_valid(u64 val, u64 old, u64 cr0, u64 allowed)
{
	if (val & ~allowed)
		return false;
	return !((cr0 & CR0_PG) && ((val ^ old) & EFER_LME));
}

/* SDM3 12.11.2.1: UC, WC, WT, WP, WB. */
static bool mtrr_type_valid(u8 type)
{
	return type <= 6 && type != 2 && type != 3;
}

bool msr_mtrr_fixed_valid(u64 val)
{
	for (unsigned int i = 0; i < 64; i += 8)
		if (!mtrr_type_valid((u8)(val >> i)))
			return false;
	return true;
}

bool msr_mtrr_var_valid(u64 val, bool base_reg, u8 maxphyaddr)
{
	u64 address = BITS(maxphyaddr - 1, 12);

	if (base_reg)
		return !(val & ~(address | 0xff)) && mtrr_type_valid((u8)val);
	return !(val & ~(address | BIT(11)));
}

bool msr_mtrr_def_valid(u64 val)
{
	return !(val & ~(u64)0xcff) && mtrr_type_valid((u8)val);
}
