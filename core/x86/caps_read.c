// SPDX-License-Identifier: MIT
#include "core/x86/caps.h"

#include "core/x86/insn.h"

static void read_cpuid(void *ctx, u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	struct cpuid_result r = cpuid_count(leaf, subleaf);

	*out = (struct cpuid_regs){ r.eax, r.ebx, r.ecx, r.edx };
}

const struct cpuid_source cpuid_here = { read_cpuid, NULL };

void caps_read(struct cpu_caps *c)
{
	caps_decode(c, &cpuid_here);
}
