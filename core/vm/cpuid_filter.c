/* SPDX-License-Identifier: MIT */
#include "core/dev/vlapic.h"
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
#define EBX7_TSC_ADJUST	BIT(1)
#define EBX7_SGX	BIT(2)
#define EBX7_HLE	BIT(4)
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
#define EDX7_UINTR	BIT(5)
#define EDX7_SRBDS	BIT(9)				/* IA32_MCU_OPT_CTRL */
/* RTM_ALWAYS_ABORT and its MSR, TSXLDTRK */
#define EDX7_TSX	(BIT(11) | BIT(13) | BIT(16))
#define EDX7_HYBRID	BIT(15)
#define EDX7_PCONFIG	BIT(18)
#define EDX7_ARCH_LBR	BIT(19)
#define EDX7_CET_IBT	BIT(20)
#define EDX7_AMX	(BIT(22) | BIT(24) | BIT(25))	/* BF16, TILE, INT8 */
#define EDX7_SPEC	(BITS(31, 26))			/* SPEC_CTRL ... SSBD: MSRs */
/* Subleaf 1: only instructions (SHA512, SM3, SM4, AVX-VNNI, AVX512_BF16, fast REP). */
#define EAX71_GIVEN	(BITS(2, 0) | BITS(5, 4) | BITS(12, 10) | BIT(23))
/* XSAVEOPT, XSAVEC, XGETBV with ECX = 1; not XSAVES and XFD, which have MSRs. */
#define EAX_D1_GIVEN	BITS(2, 0)
#define ECX81_SVM	BIT(2)
#define ECX81_EXTAPIC	BIT(3)				/* its registers from 400h on */
#define ECX81_OSVW	BIT(9)
#define ECX81_IBS	BIT(10)
#define ECX81_SKINIT	BIT(12)
#define ECX81_WDT	BIT(13)
#define ECX81_LWP	BIT(15)
#define ECX81_TCE	BIT(17)				/* EFER.TCE */
#define ECX81_TOPOEXT	BIT(22)
#define ECX81_PERFCTR	(BIT(23) | BIT(24) | BIT(28))
#define ECX81_BPEXT	(BIT(26) | BIT(30))		/* and its address mask MSRs */
#define ECX81_PTSC	BIT(27)
#define ECX81_MWAITX	BIT(29)
#define EDX81_APIC	BIT(9)
#define EDX81_FFXSR	BIT(25)				/* EFER.FFXSR */
#define EDX87_INVARIANT_TSC BIT(8)
/* CLZERO, FP error pointers saved, XSAVEERPTR, WBNOINVD. */
#define EBX88_GIVEN	(BIT(0) | BIT(2) | BIT(9))
/* No nested data breakpoints, LFENCE serializes, a null selector clears the base. */
#define EAX821_GIVEN	(BIT(0) | BIT(2) | BIT(6))

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
	(u32)~(EBX7_SGX | EBX7_HLE | EBX7_RTM | EBX7_PQ | EBX7_MPX | EBX7_PT),
	(u32)~(ECX7_WAITPKG | ECX7_CET_SS | ECX7_OSPKE | ECX7_TME | ECX7_KL | ECX7_BUS_LOCK |
	       ECX7_ENQCMD | ECX7_SGX_LC),
	(u32)~(EDX7_UINTR | EDX7_SRBDS | EDX7_TSX | EDX7_HYBRID | EDX7_PCONFIG |
	       EDX7_ARCH_LBR | EDX7_CET_IBT | EDX7_AMX | EDX7_SPEC), true,
};
static const struct cpuid_mask leaf_d = { ALL, ALL, ALL, ALL, true };
static const struct cpuid_mask leaf_fix = { ALL, ALL, ALL, ALL, true };
/* The host's topology is not the guest's. */
static const struct cpuid_mask leaf_topology = { .fix = true };
static const struct cpuid_mask leaf_81 = {
	ALL, ALL,
	(u32)~(ECX81_SVM | ECX81_EXTAPIC | ECX81_OSVW | ECX81_IBS | ECX81_SKINIT | ECX81_WDT |
	       ECX81_LWP | ECX81_TCE | ECX81_TOPOEXT | ECX81_PERFCTR | ECX81_BPEXT | ECX81_PTSC |
	       ECX81_MWAITX),
	(u32)~(EDX81_APIC | EDX81_FFXSR), true,
};
static const struct cpuid_mask leaf_87 = { 0, 0, 0, EDX87_INVARIANT_TSC, false };
static const struct cpuid_mask leaf_821 = { EAX821_GIVEN, 0, 0, 0, false };
static const struct cpuid_mask leaf_88 = { ALL, EBX88_GIVEN, 0, 0, true };

/* Everything else: nothing is given, except the hypervisor's leaves. */
const struct cpuid_mask cpuid_hidden = { .fix = true };

static const struct cpuid_mask leaf_own = { .fix = true };

/* Leaves of power, performance and security features stay hidden. */
const struct cpuid_mask *const cpuid_basic_mask[CPUID_BASIC_LEAVES] = {
	[0x0] = &pass, [0x1] = &leaf_1, [0x2] = &pass, [0x3] = &pass, [0x4] = &leaf_fix,
	[0x5] = &none, [0x6] = &none, [0x7] = &leaf_7, [0x8] = &none, [0x9] = &none,
	[0xa] = &none, [0xb] = &leaf_topology, [0xc] = &none, [0xd] = &leaf_d, [0xe] = &none,
	[0xf] = &none, [0x10] = &none, [0x11] = &none, [0x12] = &none, [0x13] = &none,
	[0x14] = &none, [0x15] = &leaf_fix, [0x16] = &leaf_fix, [0x17] = &none, [0x18] = &pass,
	[0x19] = &none, [0x1a] = &none, [0x1b] = &none, [0x1c] = &none, [0x1d] = &none,
	[0x1e] = &none, [0x1f] = &leaf_topology,
};
const struct cpuid_mask *const cpuid_ext_mask[CPUID_EXT_LEAVES] = {
	[0x00] = &pass, [0x01] = &leaf_81, [0x02] = &pass, [0x03] = &pass, [0x04] = &pass,
	[0x05] = &pass, [0x06] = &pass, [0x07] = &leaf_87, [0x08] = &leaf_88, [0x09] = &none,
	[0x0a] = &leaf_own, [0x0b] = &none, [0x0c] = &none, [0x0d] = &none, [0x0e] = &none,
	[0x0f] = &none, [0x10] = &none, [0x11] = &none, [0x12] = &none, [0x13] = &none,
	[0x14] = &none, [0x15] = &none, [0x16] = &none, [0x17] = &none, [0x18] = &none,
	[0x19] = &pass, [0x1a] = &pass, [0x1b] = &none, [0x1c] = &none, [0x1d] = &pass,
	[0x1e] = &none, [0x1f] = &none, [0x20] = &none, [0x21] = &leaf_821,
};

static void hypervisor_leaf(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			    struct cpuid_regs *r)
{
	if (leaf == HYPERVISOR_FREQ_LEAF && v->apic) {
		r->eax = v->tsc_khz;
		r->ebx = VLAPIC_TIMER_HZ / 1000;
	}
	if (leaf != HYPERVISOR_LEAF)
		return;
	r->eax = v->apic ? HYPERVISOR_FREQ_LEAF : HYPERVISOR_LEAF;
	memcpy(&r->ebx, HYPERVISOR_SIGNATURE, 4);
	memcpy(&r->ecx, &HYPERVISOR_SIGNATURE[4], 4);
	memcpy(&r->edx, &HYPERVISOR_SIGNATURE[8], 4);
}

/* Bits of an APIC id that tell the machine's CPUs apart. */
static u32 id_bits(const struct cpuid_view *v)
{
	return v->cpus > 1 ? 32 - (u32)__builtin_clz(v->cpus - 1) : 0;
}

static void basic_features(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			   struct cpuid_regs *r)
{
	r->ecx |= ECX1_HYPERVISOR | (v->cr4 & CR4_OSXSAVE ? ECX1_OSXSAVE : 0);
	/* SDM2 CPUID: how many ids the package has, a power of two. */
	r->ebx = (r->ebx & 0xff00) | v->id << 24 | 1u << (16 + id_bits(v));
	if (!v->apic)
		return;
	r->ecx |= ECX1_X2APIC | ECX1_TSC_DEADLINE;
	r->edx |= (v->apic_on ? EDX1_APIC : 0) | (v->cpus > 1 ? EDX1_HTT : 0);
}

/* Each core has caches of its own, but for the third level. */
static void cache_leaf(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r)
{
	u32 sharing = (r->eax >> 5 & 7) == 3 ? v->cpus - 1 : 0;

	if (v->apic && r->eax & 0x1f)
		r->eax = (r->eax & 0x3fff) | sharing << 14 | (BIT(id_bits(v)) - 1) << 26;
}

/* Subleaves of leaf 7: the mask of the table is that of subleaf 0. */
static void extended_features(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			      struct cpuid_regs *r)
{
	if (subleaf == 0) {
		r->ecx |= v->cr4 & CR4_PKE ? ECX7_OSPKE : 0;
		r->ebx |= v->apic ? EBX7_TSC_ADJUST : 0;
		/* SDM2 CPUID: EAX is the highest subleaf. */
		r->eax = MIN(r->eax, 1u);
		return;
	}
	*r = (struct cpuid_regs){ .eax = subleaf == 1 ? r->eax & EAX71_GIVEN : 0 };
}

/* SDM2 CPUID 0Bh, APM3 Fn0000_000B: a level of threads, a level of cores. */
static void topology_leaf(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			  struct cpuid_regs *r)
{
	if (!v->apic)
		return;
	r->ecx = subleaf & 0xff;
	r->edx = v->id;
	if (subleaf == 0) {
		r->ebx = 1;
		r->ecx |= 1 << 8;
	} else if (subleaf == 1) {
		r->eax = id_bits(v);
		r->ebx = v->cpus;
		r->ecx |= 2 << 8;
	}
}

/*
 * Only states that are given, no supervisor states (SDM1 13.2).  EBX of the
 * first is the CPU's: it follows XCR0, which is the guest's now.  That of the
 * second is of XCR0 alone, and Bochs 2.7 has the standard format's there
 * (cpu/crregs.cc, get_xsave_leaf).
 */
static void xsave_features(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			   struct cpuid_regs *r)
{
	if (subleaf == 0) {
		r->eax &= (u32)v->xcr0;
		r->edx &= (u32)(v->xcr0 >> 32);
		r->ecx = r->ecx ? v->xsave_size : 0;
	} else if (subleaf == 1) {
		r->eax &= (u32)EAX_D1_GIVEN;
		r->ebx = r->eax & BIT(1) ? v->xsave_compact : 0;	/* XSAVEC */
		r->ecx = r->edx = 0;
	} else if (subleaf > 63 || !(v->xcr0 >> subleaf & 1)) {
		*r = (struct cpuid_regs){ 0 };
	}
}

#define CRYSTAL_KHZ	((u32)(VLAPIC_TIMER_HZ / 1000))
/* Guests multiply it by the crystal's kHz in 32 bits, Linux among them. */
#define NUMERATOR_MAX	(~0U / CRYSTAL_KHZ)

/* *num / *den, which are not 0, as the best fraction with a numerator of at most max. */
static void best_ratio(u64 *num, u64 *den, u64 max)
{
	u64 a = *num, b = *den, old_n = 0, n = 1, old_d = 1, d = 0;
	bool last = false;

	/* Convergents of the continued fraction, the last one cut short to fit. */
	while (b && !last) {
		u64 q = a / b, rest = a - q * b, take = n ? MIN(q, (max - old_n) / n) : q;
		u64 next_n = old_n + take * n, next_d = old_d + take * d;

		/* No more than half of a term is farther off than none of it. */
		last = take < q;
		if (last && 2 * take <= q)
			break;
		old_n = n;
		old_d = d;
		n = next_n;
		d = next_d;
		a = b;
		b = rest;
	}
	*num = n;
	*den = d;
}

/*
 * The crystal is also the clock of the APIC timer (SDM3 11.5.4): ours counts
 * nanoseconds.  The ratio makes the TSC's kHz of it, mostly to a millionth, to
 * 120 of them at worst; the hypervisor's leaf has it in full.
 */
static void tsc_leaf(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r)
{
	u64 num = v->tsc_khz, den = CRYSTAL_KHZ;

	if (!v->apic || !v->tsc_khz)
		return;
	best_ratio(&num, &den, NUMERATOR_MAX);
	*r = (struct cpuid_regs){ .eax = (u32)den, .ebx = (u32)num, .ecx = VLAPIC_TIMER_HZ };
}

/* The base frequency, in MHz, is the TSC's; no turbo below it. */
static void frequency_leaf(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			   struct cpuid_regs *r)
{
	if (!v->apic || !r->eax)
		return;
	r->eax = (v->tsc_khz + 500) / 1000;
	r->ebx = MAX(r->ebx, r->eax);
}

static void amd_features(u32 leaf, u32 subleaf, const struct cpuid_view *v,
			 struct cpuid_regs *r)
{
	r->edx |= v->apic && v->apic_on && r->edx ? EDX81_APIC : 0;
	r->ecx |= v->svm ? ECX81_SVM : 0;
}

/* Not the CPU's own: the vendor says what it carries. */
static void svm_leaf(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r)
{
	if (v->svm)
		*r = *v->svm;
}

/* APM3 Fn8000_0008 ECX: cores less one, bits of the APIC id. */
static void amd_sizes(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r)
{
	if (v->apic)
		r->ecx = (v->cpus - 1) | id_bits(v) << 12;
}

static const struct {
	u32 leaf;
	void (*fix)(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r);
} fixes[] = {
	{ 0x1, basic_features }, { 0x4, cache_leaf }, { 0x7, extended_features },
	{ 0xb, topology_leaf }, { 0xd, xsave_features }, { 0x15, tsc_leaf },
	{ 0x16, frequency_leaf }, { 0x1f, topology_leaf }, { 0x80000001, amd_features },
	{ 0x80000008, amd_sizes }, { 0x8000000a, svm_leaf },
};

void cpuid_fix(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r)
{
	if ((leaf & 0xffffff00) == HYPERVISOR_LEAF) {
		hypervisor_leaf(leaf, subleaf, v, r);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fixes); i++)
		if (fixes[i].leaf == leaf)
			fixes[i].fix(leaf, subleaf, v, r);
}
