// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "svm/npt.h"
#include "svm/vmcb.h"

/* All 32 combinations of P, RW, US, RSV, ID with both kinds of walk. */
static void test_every_error_code(void **state)
{
	for (u64 pf = 0; pf < 32; pf++) {
		for (unsigned int k = 0; k < 2; k++) {
			struct exit_npf f = svm_npf_decode(pf | (k ? NPF_TABLE : NPF_FINAL),
							   0x123456789abcULL);

			assert_int_equal(f.gpa, 0x123456789abcULL);
			assert_int_equal(f.present, pf & PFERR_P);
			assert_int_equal(f.write, !!(pf & PFERR_W));
			assert_int_equal(f.rsvd, !!(pf & PFERR_RSVD));
			assert_int_equal(f.exec, !!(pf & PFERR_I));
			assert_int_equal(f.read, !(pf & (PFERR_W | PFERR_I)));
			assert_int_equal(f.table_walk, k);
			assert_false(f.gla_valid);
		}
	}
}

static void test_attach(void **state)
{
	static struct vmcb c;

	c.clean = VMCB_CLEAN_ALL;
	svm_npt_attach(&c, 0x7000);
	assert_int_equal(vmcb_get_n_cr3(&c), 0x7000);
	assert_int_equal(vmcb_get_nested_ctl(&c), NESTED_CTL_NP_ENABLE);
	assert_int_equal(c.clean, VMCB_CLEAN_ALL & ~VMCB_CLEAN_NP);
	/* Nothing new: the processor may keep what it has. */
	c.clean = VMCB_CLEAN_ALL;
	svm_npt_attach(&c, 0x7000);
	assert_int_equal(c.clean, VMCB_CLEAN_ALL);
}

static void test_format(void **state)
{
	const struct pt_format *f = svm_npt_format();

	assert_int_equal(f->levels, 4);
	assert_int_equal(f->entry_size, 8);
	assert_true(f->always_user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_error_code),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
