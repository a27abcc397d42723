// SPDX-License-Identifier: MIT
/* What the capability MSRs promise about each other: SDM3 appendix A. */
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "tests/vmx/vmx_test.h"

TEST(vmx, caps_basic, .ref = "SDM3 A.1", .needs = NEED_VMX)
{
	u64 b = rdmsr(MSR_IA32_VMX_BASIC);
	u32 size = (u32)FIELD_GET(b, 44, 32), memtype = (u32)FIELD_GET(b, 53, 50);

	EXPECT_EQ(t, b & BIT(31), 0);
	EXPECT(t, size > 0 && size <= 4096);
	EXPECT(t, memtype == 0 || memtype == 6);
	/* 64-bit CPUs take 64-bit addresses. */
	EXPECT_EQ(t, b & VMX_BASIC_PA32, 0);
	EXPECT_EQ(t, b & (BITS(47, 45) | BITS(63, 59)), 0);
}

struct pair {
	const char *name;
	u32 plain, true_msr;
	u32 default1;		/* SDM3 A.2: bits of the default1 class */
};

static const struct pair pairs[] = {
	{ "pin", MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS, 0x16 },
	{ "proc", MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS, 0x0401e172 },
	{ "exit", MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS, 0x36dff },
	{ "entry", MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS, 0x11ff },
};

TEST(vmx, caps_controls, .ref = "SDM3 A.2-A.5", .needs = NEED_VMX)
{
	bool have_true = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CTLS;

	for (unsigned int i = 0; i < ARRAY_SIZE(pairs); i++) {
		u64 plain = rdmsr(pairs[i].plain), tr;

		test_row(t, pairs[i].name);
		/* What must be 1 may be 1. */
		EXPECT_EQ(t, (u32)plain & ~(u32)(plain >> 32), 0);
		EXPECT_EQ(t, (u32)plain & pairs[i].default1, pairs[i].default1);
		if (!have_true)
			continue;
		tr = rdmsr(pairs[i].true_msr);
		EXPECT_EQ(t, tr >> 32, plain >> 32);
		/* The TRUE MSR frees bits of the default1 class, and only those. */
		EXPECT_EQ(t, (u32)tr & ~(u32)plain, 0);
		EXPECT_EQ(t, ((u32)plain & ~(u32)tr) & ~pairs[i].default1, 0);
	}
	test_row(t, "proc2");
	EXPECT_EQ(t, (u32)rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2), 0);
}

TEST(vmx, caps_misc, .ref = "SDM3 A.6", .needs = NEED_VMX)
{
	u64 misc = rdmsr(MSR_IA32_VMX_MISC);

	EXPECT(t, VMX_MISC_CR3_TARGETS(misc) <= 256);
	EXPECT(t, VMX_MISC_MSR_MAX(misc) >= 512);
	/* SDM3 A.6: set on every CPU with unrestricted guest. */
	EXPECT(t, misc & VMX_MISC_STORE_LMA);
	EXPECT_EQ(t, misc & (BITS(13, 9) | BIT(31)), 0);
}

TEST(vmx, caps_fixed_bits, .ref = "SDM3 A.7, A.8", .needs = NEED_VMX)
{
	u64 f0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0), f1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);

	/* A bit set in FIXED0 is set in FIXED1. */
	EXPECT_EQ(t, f0 & ~f1, 0);
	EXPECT_EQ(t, f0, CR0_PE | CR0_NE | CR0_PG);
	EXPECT_EQ(t, read_cr0() & ~f1, 0);
	EXPECT_EQ(t, read_cr0() & f0, f0);
	f0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	f1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	EXPECT_EQ(t, f0 & ~f1, 0);
	EXPECT_EQ(t, f0, CR4_VMXE);
	EXPECT_EQ(t, read_cr4() & ~f1, 0);
	/* What the CPU has, a guest may use. */
	EXPECT_EQ(t, run_policy.cr4_allowed & ~f1, 0);
}

TEST(vmx, caps_ept_vpid, .ref = "SDM3 A.10", .needs = NEED_VMX)
{
	u64 c = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);

	EXPECT(t, c & EPT_CAP_WALK_4);
	EXPECT(t, c & (EPT_CAP_UC | EPT_CAP_WB));
	EXPECT(t, c & EPT_CAP_INVEPT);
	/* A type of INVEPT or INVVPID without the instruction makes no sense. */
	if (c & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL))
		EXPECT(t, c & EPT_CAP_INVEPT);
	if (c & BITS(43, 40))
		EXPECT(t, c & VPID_CAP_INVVPID);
	EXPECT_EQ(t, c & (BITS(5, 1) | BITS(13, 9) | BIT(15) | BITS(31, 27) | BITS(39, 33)), 0);
}

/* SDM3 A: no instruction may write them. */
TEST(vmx, caps_read_only, .ref = "SDM3 A", .needs = NEED_VMX)
{
	for (u32 msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_TRUE_ENTRY_CTLS; msr++) {
		u64 val;

		if (rdmsr_safe(msr, &val))
			continue;
		CHECK(t, wrmsr_safe(msr, val) == VEC_GP + 1, "WRMSR %#x did not raise #GP", msr);
	}
}

TEST(vmx, caps_feature_control, .ref = "SDM3 24.7", .needs = NEED_VMX)
{
	u64 fc = rdmsr(MSR_IA32_FEATURE_CONTROL);

	EXPECT(t, fc & FEATURE_CONTROL_LOCKED);
	EXPECT(t, fc & FEATURE_CONTROL_VMX);
	/* Locked: writing raises #GP. */
	EXPECT_EQ(t, wrmsr_safe(MSR_IA32_FEATURE_CONTROL, fc), VEC_GP + 1);
	EXPECT_EQ(t, rdmsr(MSR_IA32_FEATURE_CONTROL), fc);
	/* SDM3 24.8: in VMX operation VMXE and the fixed bits of CR0 stay. */
	EXPECT(t, read_cr4() & CR4_VMXE);
}
