/* SPDX-License-Identifier: MIT */
#include "core/vm/cpuid_policy.h"

#include "core/x86/insn.h"

void cpuid_policy(struct vcpu *v, u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	struct cpuid_result r;
	u64 cr4 = 0;

	/* SDM2 CPUID: 0Dh.1 and .0 EBX follow XCR0, which is the guest's now. */
	r = cpuid_count(leaf, subleaf);
	*out = (struct cpuid_regs){ r.eax, r.ebx, r.ecx, r.edx };
	if (leaf == 1 || leaf == 7)
		cr4 = virt->get(v, VREG_CR4);
	cpuid_filter(leaf, subleaf, cr4, v->id, out);
}
