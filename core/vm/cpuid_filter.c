/* SPDX-License-Identifier: MIT */
#include "core/lib/string.h"
#include "core/vm/cpuid_policy.h"
#include "core/x86/regs.h"

#define ALL	0xffffffffu
#define ECX1_MONITOR	BIT(3)
#define ECX1_VMX	BIT(5)
#define ECX1_SMX	BIT(6)
#define ECX1_EIST	BIT(7)
#define ECX1_TM2	BIT(8)
#define ECX1_PDCM	BIT(15)
#define ECX1_X2APIC	BIT(21)
#define ECX1_TSC_DEADLINE BIT(24)
#define ECX1_OSXSAVE	BIT(27)
#define ECX1_HYPERVISOR	BIT(31)
#define EDX1_APIC	BIT(9)
#define EDX1_DS		BIT(21)
#define EDX1_ACPI	BIT(22)
#define EDX1_HTT	BIT(28)
#define EDX1_TM		BIT(29)
#define EBX7_SGX	BIT(2)
#define EBX7_HLE	BIT(4)
#define EBX7_INVPCID	BIT(10)
#define EBX7_RTM	BIT(11)
#define EBX7_MPX	BIT(14)
#define EBX7_PT		BIT(25)
#define ECX7_WAITPKG	BIT(5)
#define ECX7_CET_SS	BIT(7)
#define ECX7_OSPKE	BIT(4)
#define ECX7_PKS	BIT(31)
#define EDX7_CET_IBT	BIT(20)
#define ECX81_SVM	BIT(2)
#define ECX81_OSVW	BIT(9)
#define ECX81_IBS	BIT(10)
#define ECX81_SKINIT	BIT(12)
#define ECX81_WDT	BIT(13)
#define ECX81_LWP	BIT(15)
#define ECX81_PERFCTR	(BIT(23) | BIT(24) | BIT(28))
#define ECX81_MWAITX	BIT(29)
#define EDX81_APIC	BIT(9)

static const struct cpuid_mask pass = { ALL, ALL, ALL, ALL, false };
static const struct cpuid_mask none;
static const struct cpuid_mask leaf_1 = {
	ALL, ALL,
	(u32)~(ECX1_MONITOR | ECX1_VMX | ECX1_SMX | ECX1_EIST | ECX1_TM2 | ECX1_PDCM |
	       ECX1_X2APIC | ECX1_TSC_DEADLINE | ECX1_OSXSAVE),
	(u32)~(EDX1_APIC | EDX1_DS | EDX1_ACPI | EDX1_HTT | EDX1_TM), true,
};
static const struct cpuid_mask leaf_7 = {
	ALL, (u32)~(EBX7_SGX | EBX7_HLE | EBX7_RTM | EBX7_MPX | EBX7_PT | EBX7_INVPCID),
	(u32)~(ECX7_WAITPKG | ECX7_CET_SS | ECX7_OSPKE | ECX7_PKS), (u32)~EDX7_CET_IBT, true,
};
static const struct cpuid_mask leaf_81 = {
	ALL, ALL,
	(u32)~(ECX81_SVM | ECX81_OSVW | ECX81_IBS | ECX81_SKINIT | ECX81_WDT | ECX81_LWP |
	       ECX81_PERFCTR | ECX81_MWAITX),
	(u32)~EDX81_APIC, false,
};

/* Everything else: nothing is given, except the hypervisor's leaves. */
const struct cpuid_mask cpuid_hidden = { .fix = true };

/* Leaves of power, performance and security features stay hidden. */
const struct cpuid_mask *const cpuid_basic_mask[CPUID_BASIC_LEAVES] = {
	[0x0] = &pass, [0x1] = &leaf_1, [0x2] = &pass, [0x3] = &pass, [0x4] = &pass,
	[0x5] = &none, [0x6] = &none, [0x7] = &leaf_7, [0x8] = &none, [0x9] = &none,
	[0xa] = &none, [0xb] = &none, [0xc] = &none, [0xd] = &pass, [0xe] = &none,
	[0xf] = &none, [0x10] = &none, [0x11] = &none, [0x12] = &none, [0x13] = &none,
	[0x14] = &none, [0x15] = &pass, [0x16] = &pass, [0x17] = &none, [0x18] = &pass,
	[0x19] = &none, [0x1a] = &none, [0x1b] = &none, [0x1c] = &none, [0x1d] = &pass,
	[0x1e] = &pass, [0x1f] = &none,
};
const struct cpuid_mask *const cpuid_ext_mask[CPUID_EXT_LEAVES] = {
	[0x00] = &pass, [0x01] = &leaf_81, [0x02] = &pass, [0x03] = &pass, [0x04] = &pass,
	[0x05] = &pass, [0x06] = &pass, [0x07] = &pass, [0x08] = &pass, [0x09] = &none,
	[0x0a] = &none, [0x0b] = &none, [0x0c] = &none, [0x0d] = &none, [0x0e] = &none,
	[0x0f] = &none, [0x10] = &none, [0x11] = &none, [0x12] = &none, [0x13] = &none,
	[0x14] = &none, [0x15] = &none, [0x16] = &none, [0x17] = &none, [0x18] = &none,
	[0x19] = &pass, [0x1a] = &pass, [0x1b] = &none, [0x1c] = &none, [0x1d] = &pass,
	[0x1e] = &none, [0x1f] = &none, [0x20] = &none, [0x21] = &pass,
};

static void hypervisor_leaf(u32 leaf, struct cpuid_regs *r)
{
	if (leaf != HYPERVISOR_LEAF)
		return;
	r->eax = HYPERVISOR_LEAF;
	memcpy(&r->ebx, HYPERVISOR_SIGNATURE, 4);
	memcpy(&r->ecx, &HYPERVISOR_SIGNATURE[4], 4);
	memcpy(&r->edx, &HYPERVISOR_SIGNATURE[8], 4);
}

void cpuid_fix(u32 leaf, u32 subleaf, u64 cr4, u32 id, struct cpuid_regs *r)
{
	if ((leaf & 0xffffff00) == HYPERVISOR_LEAF) {
		hypervisor_leaf(leaf, r);
	} else if (leaf == 1) {
		r->ecx |= ECX1_HYPERVISOR | (cr4 & CR4_OSXSAVE ? ECX1_OSXSAVE : 0);
		r->ebx = (r->ebx & 0xff00) | id << 24 | 1 << 16;
	} else if (leaf == 7 && subleaf == 0 && (cr4 & CR4_PKE)) {
		r->ecx |= ECX7_OSPKE;
	}
}
