/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees in CPUID: the CPU's own answer, less what is not given,
 * plus the hypervisor's leaves.
 */
#ifndef CORE_VM_CPUID_POLICY_H
#define CORE_VM_CPUID_POLICY_H

#include "core/vm/vcpu.h"
#include "core/x86/caps.h"

#define HYPERVISOR_LEAF		0x40000000
/* Frequencies, as VMware defined it: EAX TSC, EBX local APIC timer, in kHz. */
#define HYPERVISOR_FREQ_LEAF	0x40000010
#define HYPERVISOR_SIGNATURE	"nestbed\0\0\0\0\0"

/* Bits of each register that a guest may see; fix: cpuid_fix has more to say. */
struct cpuid_mask {
	u32 eax, ebx, ecx, edx;
	bool fix;
};

#define CPUID_BASIC_LEAVES	0x20
#define CPUID_EXT_LEAVES	0x22

/* Indexed by leaf: 0.. and 8000_0000h.. */
extern const struct cpuid_mask *const cpuid_basic_mask[CPUID_BASIC_LEAVES];
extern const struct cpuid_mask *const cpuid_ext_mask[CPUID_EXT_LEAVES];
extern const struct cpuid_mask cpuid_hidden;

static inline const struct cpuid_mask *cpuid_mask_of(u32 leaf)
{
	if (leaf < CPUID_BASIC_LEAVES)
		return cpuid_basic_mask[leaf];
	if (leaf - 0x80000000 < CPUID_EXT_LEAVES)
		return cpuid_ext_mask[leaf - 0x80000000];
	return &cpuid_hidden;
}

/* What of a vCPU its CPUID depends on. */
struct cpuid_view {
	u64 cr4;
	u32 id;			/* vCPU number: its APIC id */
	u32 cpus;		/* of its machine: one socket, a thread a core */
	bool apic;		/* it has a local APIC of ours */
	bool apic_on;		/* IA32_APIC_BASE.EN */
	const struct cpuid_regs *svm;	/* leaf 8000_000Ah; NULL: no SVM for this guest */
	u32 tsc_khz;		/* of the guest's TSC */
	u64 xcr0;		/* states that it may enable */
	u32 xsave_size;		/* bytes of the area for all of them */
	u32 xsave_compact;	/* those of a compacted one for what its XCR0 enables now */
};

/*
 * For a leaf whose mask says fix, after masking: what follows the guest's CR4
 * (OSXSAVE, OSPKE), its local APIC, its machine's topology, and the
 * hypervisor's own leaves.
 */
void cpuid_fix(u32 leaf, u32 subleaf, const struct cpuid_view *v, struct cpuid_regs *r);

#endif
