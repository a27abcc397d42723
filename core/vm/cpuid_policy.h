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
#define HYPERVISOR_SIGNATURE	"nestbed\0\0\0\0\0"

void cpuid_policy(struct vcpu *v, u32 leaf, u32 subleaf, struct cpuid_regs *out);

/*
 * The pure part: turns the CPU's answer for leaf/subleaf into the guest's.
 * cr4 is the guest's (OSXSAVE, OSPKE mirror it); id its vCPU number.
 */
void cpuid_filter(u32 leaf, u32 subleaf, u64 cr4, u32 id, struct cpuid_regs *r);

#endif
