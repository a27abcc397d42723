// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "vmx/perm.h"

static struct vmx_msr_bitmap msrs;
static struct vmx_io_bitmap io;

static void test_msr_positions(void **state)
{
	vmx_msr_bitmap_fill(&msrs, false);
	assert_int_equal(vmx_msr_bitmap_set(&msrs, 0x10, false, true), 0);
	assert_int_equal(msrs.read_low[2], 1);
	assert_int_equal(vmx_msr_bitmap_set(&msrs, 0x1fff, true, true), 0);
	assert_int_equal(msrs.write_low[1023], 0x80);
	assert_int_equal(vmx_msr_bitmap_set(&msrs, 0xc0000080, false, true), 0);
	assert_int_equal(msrs.read_high[16], 1);
	assert_int_equal(vmx_msr_bitmap_set(&msrs, 0xc0001fff, true, true), 0);
	assert_int_equal(msrs.write_high[1023], 0x80);
}

static void test_msr_one_at_a_time(void **state)
{
	static const u32 list[] = { 0, 1, 0x10, 0x174, 0x1fff, 0xc0000000, 0xc0000100, 0xc0001fff };

	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
		for (int w = 0; w < 2; w++) {
			vmx_msr_bitmap_fill(&msrs, true);
			assert_int_equal(vmx_msr_bitmap_set(&msrs, list[i], w, false), 0);
			for (unsigned int j = 0; j < ARRAY_SIZE(list); j++) {
				assert_int_equal(vmx_msr_exits(&msrs, list[j], w), i != j);
				assert_true(vmx_msr_exits(&msrs, list[j], !w));
			}
		}
}

static void test_msr_outside_always_exits(void **state)
{
	static const u32 list[] = { 0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xc0010117,
				    0xffffffff };

	vmx_msr_bitmap_fill(&msrs, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++) {
		assert_int_equal(vmx_msr_bitmap_set(&msrs, list[i], false, false), -ERANGE);
		assert_true(vmx_msr_exits(&msrs, list[i], false));
		assert_true(vmx_msr_exits(&msrs, list[i], true));
	}
	assert_false(vmx_msr_exits(&msrs, 0x10, false));
}

static void test_io(void **state)
{
	vmx_io_bitmap_fill(&io, false);
	vmx_io_bitmap_set(&io, 0x8000, true);
	assert_int_equal(io.b[0], 1);
	assert_true(vmx_io_exits(&io, 0x8000, 1));
	/* An access that reaches into the other bitmap. */
	assert_true(vmx_io_exits(&io, 0x7fff, 2));
	assert_true(vmx_io_exits(&io, 0x7ffd, 4));
	assert_false(vmx_io_exits(&io, 0x7ffe, 2));
	assert_false(vmx_io_exits(&io, 0x8001, 4));
	vmx_io_bitmap_set(&io, 0x8000, false);
	assert_false(vmx_io_exits(&io, 0x8000, 4));
	/* SDM3 26.1.3: wrapping around. */
	assert_true(vmx_io_exits(&io, 0xffff, 2));
	assert_true(vmx_io_exits(&io, 0xfffd, 4));
	assert_false(vmx_io_exits(&io, 0xfffc, 4));
	vmx_io_bitmap_fill(&io, true);
	assert_true(vmx_io_exits(&io, 0x80, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msr_positions),
		cmocka_unit_test(test_msr_one_at_a_time),
		cmocka_unit_test(test_msr_outside_always_exits),
		cmocka_unit_test(test_io),
	};

	return cmocka_run_group_tests_name("vmx_perm", tests, NULL, NULL);
}
