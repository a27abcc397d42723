/* SPDX-License-Identifier: MIT */
/* The instructions that exit, seen through the neutral record. */
#include "core/vm/cpuid_policy.h"
#include "core/x86/insn.h"
#include "core/x86/regs.h"
#include "tests/machine.h"

GUEST64(g_cpuid, "mov $0, %eax; mov $0, %ecx; cpuid; hlt");

TEST(common, cpuid_exit, .ref = "APM2 15.9, SDM3 28.1.2", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_cpuid);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, m->v->rip, G_CODE + 10);
	REQUIRE_EQ(t, machine_next(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 12);
}

TEST(common, cpuid_emulated, .ref = "APM3 CPUID, SDM2 CPUID", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_cpuid);
	struct cpuid_result r = cpuid(0);

	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_CPUID)), EXIT_HLT);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), r.eax);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), r.ebx);
	EXPECT_EQ(t, machine_get(m, VREG_RCX), r.ecx);
	EXPECT_EQ(t, machine_get(m, VREG_RDX), r.edx);
}
