// SPDX-License-Identifier: MIT
/* Whose DEBUGCTL and branch records L2 runs on, and where they go. */
#include "tests/unit/unit.h"

#include "core/lib/string.h"
#include "core/x86/msr.h"
#include "svm/nested.h"

static struct vmcb vmcb01, vmcb02, vmcb12, page;
static struct svm_nested n = { .vmcb01 = &vmcb01, .vmcb02 = &vmcb02, .vmcb12 = &vmcb12 };

#define BTF	BIT(1)

static void fill(struct vmcb *c, u64 dbgctl, u64 base)
{
	memset(c, 0, sizeof(*c));
	vmcb_set_dbgctl(c, dbgctl);
	vmcb_set_br_from(c, base);
	vmcb_set_br_to(c, base + 1);
	vmcb_set_last_excp_from(c, base + 2);
	vmcb_set_last_excp_to(c, base + 3);
	c->clean = ~0u;
}

static bool has(const struct vmcb *c, u64 dbgctl, u64 base)
{
	return vmcb_get_dbgctl(c) == dbgctl && vmcb_get_br_from(c) == base &&
	       vmcb_get_br_to(c) == base + 1 && vmcb_get_last_excp_from(c) == base + 2 &&
	       vmcb_get_last_excp_to(c) == base + 3;
}

static bool switched(const struct vmcb *c)
{
	return vmcb_get_virt_ext(c) & VIRT_EXT_LBR;
}

static int setup(void **state)
{
	svm.lbr = true;
	fill(&vmcb01, DEBUGCTL_LBR, 0x100);
	fill(&vmcb02, 0, 0x200);
	memset(&vmcb12, 0, sizeof(vmcb12));
	fill(&page, ~0ULL, 0x300);
	return 0;
}

/* What the CPU does at VMRUN, and behind it at #VMEXIT. */
static void enter_and_run(void)
{
	svm_nested_lbr_read(&n, &page);
	svm_nested_lbr_enter(&n);
	/* Another vCPU writes to the page: nobody looks there again. */
	fill(&page, ~0ULL, 0x400);
	page.clean = 0x555;
}

static void test_shared(void **state)
{
	enter_and_run();
	assert_true(has(&vmcb02, DEBUGCTL_LBR, 0x100));
	assert_true(switched(&vmcb02));
	assert_false(vmcb02.clean & VMCB_CLEAN_LBR);
	fill(&vmcb02, 0, 0x500);
	svm_nested_lbr_store(&n, &page);
	svm_nested_lbr_leave(&n);
	assert_true(has(&page, ~0ULL, 0x400));
	assert_true(has(&vmcb01, 0, 0x500));
	assert_false(switched(&vmcb01));
	assert_false(vmcb01.clean & VMCB_CLEAN_LBR);
	/* Nothing new: nothing is to be read again. */
	vmcb01.clean = vmcb02.clean = ~0u;
	svm_nested_lbr_enter(&n);
	svm_nested_lbr_leave(&n);
	assert_int_equal(vmcb01.clean, ~0u);
	assert_int_equal(vmcb02.clean, ~0u);
}

static void test_own(void **state)
{
	vmcb_set_virt_ext(&vmcb12, VIRT_EXT_LBR);
	enter_and_run();
	assert_true(has(&vmcb02, DEBUGCTL_LBR, 0x300));
	assert_true(switched(&vmcb02));
	fill(&vmcb02, 0, 0x600);
	svm_nested_lbr_store(&n, &page);
	svm_nested_lbr_leave(&n);
	assert_true(has(&page, 0, 0x600));
	assert_int_equal(page.clean, 0x555);
	assert_true(has(&vmcb01, DEBUGCTL_LBR, 0x100));
	assert_int_equal(vmcb01.clean, ~0u);
	/* Off in L2, whatever L1 does. */
	fill(&page, BTF, 0x700);
	enter_and_run();
	assert_true(has(&vmcb02, 0, 0x700));
	assert_false(switched(&vmcb02));
}

static void test_msr(void **state)
{
	vmcb_set_virt_ext(&vmcb01, VIRT_EXT_VMLOAD);
	for (u32 i = 0; i < 4; i++) {
		const u32 msr = MSR_LAST_BRANCH_FROM + i;

		assert_int_equal(svm_nested_lbr_rdmsr(&vmcb01, msr), 0x100 + i);
		assert_true(svm_nested_lbr_wrmsr(&vmcb01, msr, 0x900 + i));
	}
	assert_true(has(&vmcb01, DEBUGCTL_LBR, 0x900));
	for (u32 bit = 6; bit < 64; bit++)
		assert_false(svm_nested_lbr_wrmsr(&vmcb01, MSR_IA32_DEBUGCTL, BIT(bit)));
	assert_true(has(&vmcb01, DEBUGCTL_LBR, 0x900));
	assert_true(svm_nested_lbr_wrmsr(&vmcb01, MSR_IA32_DEBUGCTL, BITS(5, 0)));
	assert_int_equal(svm_nested_lbr_rdmsr(&vmcb01, MSR_IA32_DEBUGCTL), DEBUGCTL_LBR);
	assert_int_equal(vmcb_get_virt_ext(&vmcb01), VIRT_EXT_LBR | VIRT_EXT_VMLOAD);
	assert_true(svm_nested_lbr_wrmsr(&vmcb01, MSR_IA32_DEBUGCTL, BITS(5, 1)));
	assert_int_equal(svm_nested_lbr_rdmsr(&vmcb01, MSR_IA32_DEBUGCTL), 0);
	assert_int_equal(vmcb_get_virt_ext(&vmcb01), VIRT_EXT_VMLOAD);
}

/* As it always was: nothing is recorded, and nobody minds what is written. */
static void test_without(void **state)
{
	svm.lbr = false;
	for (u32 msr = MSR_IA32_DEBUGCTL; msr < MSR_LAST_BRANCH_FROM + 4; msr++) {
		if (msr == MSR_IA32_DEBUGCTL + 1)
			continue;
		assert_true(svm_nested_lbr_wrmsr(&vmcb01, msr, ~0ULL));
		assert_int_equal(svm_nested_lbr_rdmsr(&vmcb01, msr), 0);
	}
	assert_true(has(&vmcb01, DEBUGCTL_LBR, 0x100));
	assert_false(switched(&vmcb01));
}

/* L1's, from a state that came from anywhere. */
static void test_restore(void **state)
{
	svm_nested_lbr_restore(&vmcb01, &page);
	assert_true(has(&vmcb01, DEBUGCTL_LBR, 0x300));
	assert_true(switched(&vmcb01));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_shared, setup),
		cmocka_unit_test_setup(test_own, setup),
		cmocka_unit_test_setup(test_msr, setup),
		cmocka_unit_test_setup(test_without, setup),
		cmocka_unit_test_setup(test_restore, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
