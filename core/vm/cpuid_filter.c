/* SPDX-License-Identifier: MIT */
#include "core/lib/string.h"
#include "core/vm/cpuid_policy.h"
#include "core/x86/regs.h"

#define ALL	0xffffffffu

/* What is hidden has MSRs, exits or tables that no guest of ours gets. */
#define ECX1_MONITOR	BIT(3)
#define ECX1_VMX	BIT(5)
#define ECX1_SMX	BIT(6)
#define ECX1_DEBUG	(BIT(2) | BIT(4) | BIT(11))	/* DTES64, DS_CPL, SDBG */
#define ECX1_POWER	(BIT(7) | BIT(8) | BIT(14))	/* EIST, TM2, xTPR */
#define ECX1_PDCM	BIT(15)
#define ECX1_DCA	BIT(18)
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
#define EBX7_PQ		(BIT(12) | BIT(15))		/* PQM, PQE */
#define EBX7_MPX	BIT(14)
#define EBX7_PT		BIT(25)
#define ECX7_OSPKE	BIT(4)
#define ECX7_WAITPKG	BIT(5)
#define ECX7_CET_SS	BIT(7)
#define ECX7_TME	BIT(13)
#define ECX7_KL		BIT(23)
#define ECX7_BUS_LOCK	BIT(24)
#define ECX7_ENQCMD	BIT(29)
#define ECX7_SGX_LC	BIT(30)
#define ECX7_PKS	BIT(31)
#define EDX7_UINTR	BIT(5)
#define EDX7_TSX	(BIT(11) | BIT(13))		/* RTM_ALWAYS_ABORT and its MSR */
#define EDX7_HYBRID	BIT(15)
#define EDX7_PCONFIG	BIT(18)
#define EDX7_ARCH_LBR	BIT(19)
#define EDX7_CET_IBT	BIT(20)
#define EDX7_SPEC	(BITS(31, 26))			/* SPEC_CTRL ... SSBD: MSRs */
/* Subleaf 1: only instructions (SHA512, SM3, SM4, AVX-VNNI, AVX512_BF16, fast REP). */
#define EAX71_GIVEN	(BITS(2, 0) | BITS(5, 4) | BITS(12, 10) | BIT(23))
#define EAX_D1_XSAVES	BIT(3)
#define ECX81_SVM	BIT(2)
#define ECX81_OSVW	BIT(9)
#define ECX81_IBS	BIT(10)
#define ECX81_SKINIT	BIT(12)
#define ECX81_WDT	BIT(13)
#define ECX81_LWP	BIT(15)
#define ECX81_TOPOEXT	BIT(22)
#define ECX81_PERFCTR	(BIT(23) | BIT(24) | BIT(28))
#define ECX81_BPEXT	(BIT(26) | BIT(30))		/* and its address mask MSRs */
#define ECX81_MWAITX	BIT(29)
#define EDX81_APIC	BIT(9)
#define EDX87_INVARIANT_TSC BIT(8)
/* CLZERO, FP error pointers saved, XSAVEERPTR, WBNOINVD. */
#define EBX88_GIVEN	(BIT(0) | BIT(2) | BIT(9))

static const struct cpuid_mask pass = { ALL, ALL, ALL, ALL, false };
static const struct cpuid_mask none;
static const struct cpuid_mask leaf_1 = {
	ALL, ALL,
	(u32)~(ECX1_MONITOR | ECX1_VMX | ECX1_SMX | ECX1_DEBUG | ECX1_POWER | ECX1_PDCM |
	       ECX1_DCA | ECX1_X2APIC | ECX1_TSC_DEADLINE | ECX1_OSXSAVE),
	(u32)~(EDX1_APIC | EDX1_DS | EDX1_ACPI | EDX1_HTT | EDX1_TM), true,
};
static const struct cpuid_mask leaf_7 = {
	ALL,
	(u32)~(EBX7_SGX | EBX7_HLE | EBX7_RTM | EBX7_PQ | EBX7_MPX | EBX7_PT | EBX7_INVPCID),
	(u32)~(ECX7_WAITPKG | ECX7_CET_SS | ECX7_OSPKE | ECX7_TME | ECX7_KL | ECX7_BUS_LOCK |
	       ECX7_ENQCMD | ECX7_SGX_LC | ECX7_PKS),
	(u32)~(EDX7_UINTR | EDX7_TSX | EDX7_HYBRID | EDX7_PCONFIG | EDX7_ARCH_LBR |
	       EDX7_CET_IBT | EDX7_SPEC), true,
};
static const struct cpuid_mask leaf_d = { ALL, ALL, ALL, ALL, true };
static const struct cpuid_mask leaf_81 = {
	ALL, ALL,
	(u32)~(ECX81_SVM | ECX81_OSVW | ECX81_IBS | ECX81_SKINIT | ECX81_WDT | ECX81_LWP |
	       ECX81_TOPOEXT | ECX81_PERFCTR | ECX81_BPEXT | ECX81_MWAITX),
	(u32)~EDX81_APIC, false,
};
static const struct cpuid_mask leaf_87 = { 0, 0, 0, EDX87_INVARIANT_TSC, false };
static const struct cpuid_mask leaf_88 = { ALL, EBX88_GIVEN, 0, 0, false };

/* Everything else: nothing is given, except the hypervisor's leaves. */
const struct cpuid_mask cpuid_hidden = { .fix = true };

/* Leaves of power, performance and security features stay hidden. */
const struct cpuid_mask *const cpuid_basic_mask[CPUID_BASIC_LEAVES] = {
	[0x0] = &pass, [0x1] = &leaf_1, [0x2] = &pass, [0x3] = &pass, [0x4] = &pass,
	[0x5] = &none, [0x6] = &none, [0x7] = &leaf_7, [0x8] = &none, [0x9] = &none,
	[0xa] = &none, [0xb] = &none, [0xc] = &none, [0xd] = &leaf_d, [0xe] = &none,
	[0xf] = &none, [0x10] = &none, [0x11] = &none, [0x12] = &none, [0x13] = &none,
	[0x14] = &none, [0x15] = &pass, [0x16] = &pass, [0x17] = &none, [0x18] = &pass,
	[0x19] = &none, [0x1a] = &none, [0x1b] = &none, [0x1c] = &none, [0x1d] = &pass,
	[0x1e] = &pass, [0x1f] = &none,
};
const struct cpuid_mask *const cpuid_ext_mask[CPUID_EXT_LEAVES] = {
	[0x00] = &pass, [0x01] = &leaf_81, [0x02] = &pass, [0x03] = &pass, [0x04] = &pass,
	[0x05] = &pass, [0x06] = &pass, [0x07] = &leaf_87, [0x08] = &leaf_88, [0x09] = &none,
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

/* Subleaves of leaf 7: the mask of the table is that of subleaf 0. */
static void extended_features(u32 subleaf, u64 cr4, struct cpuid_regs *r)
{
	if (subleaf == 0) {
		r->ecx |= cr4 & CR4_PKE ? ECX7_OSPKE : 0;
		/* SDM2 CPUID: EAX is the highest subleaf. */
		r->eax = MIN(r->eax, 1u);
		return;
	}
	*r = (struct cpuid_regs){ .eax = subleaf == 1 ? r->eax & EAX71_GIVEN : 0 };
}

/* No supervisor states: no XSAVES, and nothing in IA32_XSS (SDM1 13.2). */
static void xsave_features(u32 subleaf, struct cpuid_regs *r)
{
	if (subleaf == 1) {
		r->eax &= ~(u32)EAX_D1_XSAVES;
		r->ecx = r->edx = 0;
	} else if (subleaf > 1 && r->ecx & 1) {
		*r = (struct cpuid_regs){ 0 };
	}
}

void cpuid_fix(u32 leaf, u32 subleaf, u64 cr4, u32 id, struct cpuid_regs *r)
{
	if ((leaf & 0xffffff00) == HYPERVISOR_LEAF) {
		hypervisor_leaf(leaf, r);
	} else if (leaf == 1) {
		r->ecx |= ECX1_HYPERVISOR | (cr4 & CR4_OSXSAVE ? ECX1_OSXSAVE : 0);
		r->ebx = (r->ebx & 0xff00) | id << 24 | 1 << 16;
	} else if (leaf == 7) {
		extended_features(subleaf, cr4, r);
	} else if (leaf == 0xd) {
		xsave_features(subleaf, r);
	}
}
