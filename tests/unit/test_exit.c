/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/vm/vcpu.h"

/* Each number below count has a name of its own; the rest has "?". */
static void check_names(const char *(*name)(unsigned int), unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		assert_non_null(name(i));
		assert_string_not_equal(name(i), "");
		assert_string_not_equal(name(i), "?");
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
	assert_string_equal(name(count), "?");
	assert_string_equal(name(~0u), "?");
}

static void test_reasons(void **state)
{
	check_names(exit_reason_name, EXIT_REASON_COUNT);
	assert_string_equal(exit_reason_name(EXIT_CPUID), "cpuid");
	assert_string_equal(exit_reason_name(EXIT_NPF), "npf");
	assert_string_equal(exit_reason_name(EXIT_UNKNOWN), "unknown");
	/* Names are parts of statistics' paths: [a-z0-9_]. */
	for (unsigned int i = 0; i < EXIT_REASON_COUNT; i++)
		assert_int_equal(strspn(exit_reason_name(i),
					"abcdefghijklmnopqrstuvwxyz_0123456789"),
				 strlen(exit_reason_name(i)));
}

static void test_stops(void **state)
{
	check_names(stop_reason_name, STOP_ERROR + 1);
	assert_string_equal(stop_reason_name(STOP_TIMEOUT), "timeout");
}

static void test_registers(void **state)
{
	check_names(vreg_name, VREG_COUNT);
	/* ModRM order: a wrong order would still have unique names. */
	assert_string_equal(vreg_name(0), "rax");
	assert_string_equal(vreg_name(1), "rcx");
	assert_string_equal(vreg_name(4), "rsp");
	assert_string_equal(vreg_name(7), "rdi");
	assert_string_equal(vreg_name(VREG_RFLAGS), "rflags");
	assert_string_equal(vreg_name(VREG_CR8), "cr8");
	assert_string_equal(vreg_name(VREG_XCR0), "xcr0");
	assert_string_equal(vreg_name(VREG_DR7), "dr7");
	assert_string_equal(vreg_name(VREG_SYSENTER_EIP), "sysenter_eip");
	assert_string_equal(vreg_name(VREG_NMI_BLOCKED), "nmi_blocked");
}

static void test_segments(void **state)
{
	check_names(vseg_name, VSEG_COUNT);
	assert_string_equal(vseg_name(VSEG_CS), "cs");
	assert_string_equal(vseg_name(VSEG_TR), "tr");
	assert_string_equal(vseg_name(VSEG_IDTR), "idtr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
