// SPDX-License-Identifier: MIT
#include "core/x86/caps.h"

#include "core/x86/insn.h"

static void read_cpuid(void *ctx, u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	struct cpuid_result r = cpuid_count(leaf, subleaf);

	*out = (struct cpuid_regs){ r.eax, r.ebx, r.ecx, r.edx };
}

void caps_read(struct cpu_caps *c)
{
	static const struct cpuid_source src = { read_cpuid, NULL };

	caps_decode(c, &src);
}
