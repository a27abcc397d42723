/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/vm/msr_policy.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"

static const struct msr_row *row(u32 msr, u8 kind)
{
	const struct msr_row *r = msr_policy_find(msr);

	assert_non_null(r);
	assert_in_range(msr, r->first, r->last);
	assert_int_equal(r->kind, kind);
	return r;
}

static void test_rows(void **state)
{
	static const struct { u32 msr; u8 kind; u64 arg; } want[] = {
		{ MSR_STAR, MSR_KIND_VREG, VREG_STAR },
		{ MSR_LSTAR, MSR_KIND_ADDR, VREG_LSTAR },
		{ MSR_CSTAR, MSR_KIND_ADDR, VREG_CSTAR },
		{ MSR_SFMASK, MSR_KIND_VREG, VREG_SFMASK },
		{ MSR_FS_BASE, MSR_KIND_SEG_BASE, VSEG_FS },
		{ MSR_GS_BASE, MSR_KIND_SEG_BASE, VSEG_GS },
		{ MSR_KERNEL_GS_BASE, MSR_KIND_ADDR, VREG_KERNEL_GS_BASE },
		{ MSR_IA32_SYSENTER_CS, MSR_KIND_VREG, VREG_SYSENTER_CS },
		{ MSR_IA32_SYSENTER_ESP, MSR_KIND_ADDR, VREG_SYSENTER_ESP },
		{ MSR_IA32_SYSENTER_EIP, MSR_KIND_ADDR, VREG_SYSENTER_EIP },
		{ MSR_TSC_AUX, MSR_KIND_VREG, VREG_TSC_AUX },
		/* SDM3 11.4.4: the local APIC's page, enabled, boot processor. */
		{ MSR_IA32_APIC_BASE, MSR_KIND_APIC_BASE, 0xfee00900 },
		/* SDM3 12.11.1: eight variable ranges, fixed ones, write-combining. */
		{ MSR_IA32_MTRRCAP, MSR_KIND_RO, 0x508 },
		{ MSR_IA32_TSC_ADJUST, MSR_KIND_TSC_ADJUST, 0 },
		{ MSR_IA32_TSC_DEADLINE, MSR_KIND_APIC, 0 },
		{ MSR_IA32_PKRS, MSR_KIND_PKRS, 0 },
		{ MSR_IA32_X2APIC_FIRST, MSR_KIND_APIC, 0 },
		{ MSR_IA32_X2APIC_LAST, MSR_KIND_APIC, 0 },
		{ 0x20f, MSR_KIND_MTRR_VAR, offsetof(struct vcpu_msrs, mtrr_var) },
		{ 0x250, MSR_KIND_MTRR_FIXED, offsetof(struct vcpu_msrs, mtrr_fixed[0]) },
		{ 0x259, MSR_KIND_MTRR_FIXED, offsetof(struct vcpu_msrs, mtrr_fixed[1]) },
		{ 0x26f, MSR_KIND_MTRR_FIXED, offsetof(struct vcpu_msrs, mtrr_fixed[3]) },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(row(want[i].msr, want[i].kind)->arg, want[i].arg);
	row(MSR_EFER, MSR_KIND_EFER);
	row(MSR_INT_PENDING, MSR_KIND_AMD);
	row(0x1d9, MSR_KIND_LBR);
	row(0x1de, MSR_KIND_LBR);
	row(MSR_VM_CR, MSR_KIND_NESTED);
	row(MSR_VM_HSAVE_PA, MSR_KIND_NESTED);
	row(MSR_TSC_RATIO, MSR_KIND_NESTED);
	row(MSR_IA32_PAT, MSR_KIND_PAT);
	row(MSR_IA32_TSC, MSR_KIND_TSC);
}

/*
 * Every MSR number of the three ranges in use: a search that loses a row, or
 * finds one for a number that has none, is seen here.
 */
static void test_all_numbers(void **state)
{
	static const u32 base[] = { 0, 0x40000000, 0xc0000000, 0xc0010000, 0xffff0000 };
	unsigned int found = 0;

	for (unsigned int b = 0; b < ARRAY_SIZE(base); b++) {
		for (u32 i = 0; i < 0x10000; i++) {
			const struct msr_row *r = msr_policy_find(base[b] + i);

			if (!r)
				continue;
			found++;
			assert_in_range(base[b] + i, r->first, r->last);
		}
	}
	/* 35 of their own, 28 MTRRs, 256 of the x2APIC, 8 of counters, 4 of branches. */
	assert_int_equal(found, 35 + 28 + 256 + 8 + 4);
}

static void test_refused(void **state)
{
	static const u32 msr[] = {
		MSR_IA32_FEATURE_CONTROL, MSR_IA32_SPEC_CTRL, MSR_IA32_ARCH_CAPABILITIES,
		MSR_IA32_VMX_BASIC, MSR_IA32_VMX_VMFUNC, MSR_IA32_XSS, 0x210, 0x251, 0x25a, 0x270,
		MSR_IA32_X2APIC_FIRST - 1, MSR_IA32_X2APIC_LAST + 1,
		MSR_TSC_RATIO + 1, MSR_VM_CR - 1, MSR_VM_HSAVE_PA + 1, MSR_SVM_KEY, MSR_SMM_CTL,
		0x1da, 0x1df, MSR_IA32_TSC - 1, MSR_IA32_TSC + 1, MSR_EFER - 1, MSR_SFMASK + 1,
		MSR_SYSCFG - 1,
		MSR_PERF_EVT_SEL0 + 8,
		MSR_SYSCFG + 1, MSR_HWCR + 1, ~0u,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(msr); i++)
		assert_null(msr_policy_find(msr[i]));
}

static void test_pat(void **state)
{
	assert_true(msr_pat_valid(PT_PAT_RESET));
	assert_true(msr_pat_valid(0));
	assert_true(msr_pat_valid(0x0101040405060707ULL));
	/* SDM3 table 12-10: 2, 3 and 8 up are reserved, in any byte. */
	for (unsigned int i = 0; i < 64; i += 8) {
		for (u64 type = 0; type < 256; type++) {
			u64 pat = (PT_PAT_RESET & ~(0xffULL << i)) | type << i;
			bool ok = type < 8 && type != 2 && type != 3;

			assert_int_equal(msr_pat_valid(pat), ok);
		}
	}
}

/* SDM3 12.11.2: types 2, 3 and from 7 on are reserved; so are bits without a name. */
static void test_mtrr(void **state)
{
	for (u64 type = 0; type < 256; type++) {
		bool ok = type < 7 && type != 2 && type != 3;

		assert_int_equal(msr_mtrr_fixed_valid(0x0606060606060600ULL | type), ok);
		assert_int_equal(msr_mtrr_fixed_valid(type << 56), ok);
		assert_int_equal(msr_mtrr_var_valid(0xfee00000 | type, true, 40), ok);
		assert_int_equal(msr_mtrr_def_valid(0xc00 | type), ok);
	}
	assert_false(msr_mtrr_var_valid(0x100, true, 40));
	assert_false(msr_mtrr_var_valid(1ULL << 40, true, 40));
	assert_true(msr_mtrr_var_valid(1ULL << 39, true, 40));
	assert_true(msr_mtrr_var_valid(0xfffffff800ULL, false, 40));
	assert_false(msr_mtrr_var_valid(0xfffffffc00ULL, false, 40));
	assert_false(msr_mtrr_var_valid(0xff, false, 40));
	assert_false(msr_mtrr_def_valid(0x1006));
	assert_false(msr_mtrr_def_valid(0x206));
}

static void test_efer(void **state)
{
	const u64 allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	assert_true(msr_efer_valid(EFER_NXE, 0, CR0_PE | CR0_PG, allowed));
	assert_false(msr_efer_valid(EFER_SVME, 0, 0, allowed));
	assert_false(msr_efer_valid(BIT(1), 0, 0, allowed));
	assert_false(msr_efer_valid(BIT(63), 0, 0, allowed));
	/* LME: free while paging is off, fixed while it is on, either way. */
	assert_true(msr_efer_valid(EFER_LME, 0, CR0_PE, allowed));
	assert_true(msr_efer_valid(0, EFER_LME, CR0_PE, allowed));
	assert_false(msr_efer_valid(EFER_LME, 0, CR0_PE | CR0_PG, allowed));
	assert_false(msr_efer_valid(EFER_SCE, EFER_LME | EFER_LMA, CR0_PE | CR0_PG, allowed));
	assert_true(msr_efer_valid(EFER_LME | EFER_SCE, EFER_LME | EFER_LMA, CR0_PE | CR0_PG,
				   allowed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_all_numbers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pat),
		cmocka_unit_test(test_mtrr),
		cmocka_unit_test(test_efer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
