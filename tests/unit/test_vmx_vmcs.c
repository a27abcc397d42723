// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "vmx/vmcs.h"

static void test_fields_ascend_and_are_unique(void **state)
{
	for (unsigned int i = 1; i < vmcs_field_count; i++) {
		assert_true(vmcs_fields[i - 1].encoding < vmcs_fields[i].encoding);
		assert_string_not_equal(vmcs_fields[i - 1].name, vmcs_fields[i].name);
	}
}

static void test_encoding_parts(void **state)
{
	assert_int_equal(vmcs_field_group(VMCS_VPID), VMCS_GROUP_CTRL);
	assert_int_equal(vmcs_field_group(VMCS_EXIT_REASON), VMCS_GROUP_RO);
	assert_int_equal(vmcs_field_group(VMCS_GUEST_RIP), VMCS_GROUP_GUEST);
	assert_int_equal(vmcs_field_group(VMCS_HOST_RIP), VMCS_GROUP_HOST);
	assert_int_equal(vmcs_field_width(VMCS_GUEST_CS_SELECTOR), VMCS_WIDTH_16);
	assert_int_equal(vmcs_field_width(VMCS_EPT_POINTER), VMCS_WIDTH_64);
	assert_int_equal(vmcs_field_width(VMCS_PIN_CTLS), VMCS_WIDTH_32);
	assert_int_equal(vmcs_field_width(VMCS_GUEST_CR3), VMCS_WIDTH_N);
}

static void test_names(void **state)
{
	assert_string_equal(vmcs_field_name(0x681e), "GUEST_RIP");
	assert_string_equal(vmcs_field_name(0x6820 + 1), "?");
	assert_string_equal(vmx_ctl_name(VMX_CTL_PROC, 7), "HLT_EXITING");
	assert_null(vmx_ctl_name(VMX_CTL_PROC, 0));
	assert_null(vmx_ctl_name(VMX_CTL_PROC, 32));
	assert_string_equal(vmx_ctl_word_name(VMX_CTL_PROC2), "proc2");
	assert_string_equal(vmx_exit_reason_name(10), "CPUID");
	assert_string_equal(vmx_exit_reason_name(76), "?");
	assert_string_equal(vmx_exit_reason_name(~0u), "?");
}

/* SDM3 31.4 defines 1-28 without 14, 21 and 27. */
static void test_every_insn_error_has_a_name(void **state)
{
	for (u32 e = 0; e < 40; e++) {
		bool defined = e >= 1 && e <= 28 && e != 14 && e != 21 && e != 27;

		if (defined)
			assert_string_not_equal(vmx_insn_error_name(e), "?");
		else
			assert_string_equal(vmx_insn_error_name(e), "?");
	}
	assert_string_equal(vmx_insn_error_name(7), "VM entry with invalid control field(s)");
}

static void test_entry_failures(void **state)
{
	assert_non_null(strstr(vmx_entry_failure_name(33, 0), "invalid guest state"));
	assert_non_null(strstr(vmx_entry_failure_name(33, 2), "PDPTE"));
	assert_non_null(strstr(vmx_entry_failure_name(33, 3), "NMI"));
	assert_non_null(strstr(vmx_entry_failure_name(33, 4), "link pointer"));
	assert_non_null(strstr(vmx_entry_failure_name(33, ~0ULL), "unknown"));
	assert_non_null(strstr(vmx_entry_failure_name(34, 7), "MSR"));
	assert_non_null(strstr(vmx_entry_failure_name(41, 0), "machine-check"));
	assert_non_null(strstr(vmx_entry_failure_name(10, 0), "not a"));
}

static void test_access_rights(void **state)
{
	/* 64-bit code: L is bit 9 of attr and bit 13 of the field. */
	assert_int_equal(vmx_ar_from_attr(0xa9b, false), 0xa09b);
	assert_int_equal(vmx_attr_from_ar(0xa09b), 0xa9b);
	assert_int_equal(vmx_ar_from_attr(0, true), 0x10000);
	for (u32 attr = 0; attr < 0x1000; attr++) {
		assert_int_equal(vmx_attr_from_ar(vmx_ar_from_attr((u16)attr, false)), attr);
		assert_int_equal(vmx_ar_from_attr((u16)attr, false) & 0xf00, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_ascend_and_are_unique),
		cmocka_unit_test(test_encoding_parts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_every_insn_error_has_a_name),
		cmocka_unit_test(test_entry_failures),
		cmocka_unit_test(test_access_rights),
	};

	return cmocka_run_group_tests_name("vmx_vmcs", tests, NULL, NULL);
}
