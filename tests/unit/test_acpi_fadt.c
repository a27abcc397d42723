// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/acpi_build.h"
#include "tests/unit/capture.h"

static struct acpi_build a;
static struct acpi_info info;
static struct capture cap;
static u8 fadt[276];

static void put(u32 at, u32 n, u64 v)
{
	for (; n--; v >>= 8)
		fadt[at++] = (u8)v;
}

static void put_gas(u32 at, u8 space, u8 width, u64 address)
{
	fadt[at] = space;
	fadt[at + 1] = width;
	fadt[at + 2] = 0;
	fadt[at + 3] = 0;
	put(at + 4, 8, address);
}

/* A table as QEMU's q35 has it; offsets count from the table's start. */
static void good_fadt(void)
{
	memset(fadt, 0, sizeof(fadt));
	fadt[8] = 5;
	put(46, 2, 9);			/* SCI_INT */
	put(48, 4, 0xb2);		/* SMI_CMD */
	put(52, 1, 2);			/* ACPI_ENABLE */
	put(64, 4, 0x604);		/* PM1a_CNT_BLK */
	put(76, 4, 0x608);		/* PM_TMR_BLK */
	put(89, 1, 2);
	put(91, 1, 4);
	put(109, 2, 0x2);		/* 8042 */
	put(112, 4, 1 << 8 | 1 << 10);	/* TMR_VAL_EXT, RESET_REG_SUP */
	put_gas(116, 1, 8, 0xcf9);
	put(128, 1, 0x0f);
	put_gas(172, 1, 16, 0x1604);
	put_gas(208, 1, 32, 0x1608);
}

static void parse(u32 len)
{
	acpi_build_init(&a);
	acpi_add(&a, "FACP", fadt[8], fadt + 36, len - 36);
	acpi_finish(&a, 2);
	assert_int_equal(acpi_parse(a.mem.mem, 36, &a.mem.view, &info, capture_start(&cap)), 0);
	physmem_free(&a.mem);
}

static void test_extended_fields(void **state)
{
	good_fadt();
	parse(276);
	assert_int_equal(cap.lines, 0);
	assert_true(info.fadt.present);
	assert_int_equal(info.fadt.sci_irq, 9);
	assert_int_equal(info.fadt.smi_cmd, 0xb2);
	assert_int_equal(info.fadt.acpi_enable, 2);
	assert_int_equal(info.fadt.pm1a_cnt.address, 0x1604);
	assert_int_equal(info.fadt.pm1a_cnt.bit_width, 16);
	assert_int_equal(info.fadt.pm1b_cnt.address, 0);
	assert_int_equal(info.fadt.pm_timer.address, 0x1608);
	assert_true(info.fadt.pm_timer_32bit);
	assert_true(info.fadt.reset_valid);
	assert_int_equal(info.fadt.reset_reg.address, 0xcf9);
	assert_int_equal(info.fadt.reset_value, 0x0f);
	assert_false(info.fadt.no_8042 || info.fadt.no_vga || info.fadt.hw_reduced);
	assert_false(info.fadt.s5_valid);
}

static void test_acpi_1_table(void **state)
{
	good_fadt();
	fadt[8] = 1;
	put(109, 2, 0);
	put(112, 4, 1 << 10);
	parse(116);
	assert_int_equal(info.fadt.pm1a_cnt.space, ACPI_SPACE_IO);
	assert_int_equal(info.fadt.pm1a_cnt.address, 0x604);
	assert_int_equal(info.fadt.pm1a_cnt.bit_width, 16);
	assert_int_equal(info.fadt.pm_timer.address, 0x608);
	assert_int_equal(info.fadt.pm_timer.bit_width, 32);
	assert_false(info.fadt.pm_timer_32bit);
	/* The flag is set, but the table ends before the register. */
	assert_false(info.fadt.reset_valid);
	/* Reserved bits say nothing. */
	assert_false(info.fadt.no_8042);
	parse(128);
	assert_false(info.fadt.reset_valid);
	parse(129);
	assert_true(info.fadt.reset_valid);
}

static void test_too_short(void **state)
{
	good_fadt();
	parse(115);
	assert_one_message(&cap, "table FACP has only 115 bytes of 116");
	assert_false(info.fadt.present);
}

static void test_senseless_registers_read_as_absent(void **state)
{
	good_fadt();
	put_gas(172, 1, 16, 0x10000);	/* no such port: the old field */
	put_gas(208, 3, 32, 0x1608);	/* embedded controller: the old field */
	put(76, 4, 0x12345);		/* ... which is wrong too */
	put_gas(116, 0x7f, 8, 0xcf9);
	parse(276);
	assert_int_equal(info.fadt.pm1a_cnt.address, 0x604);
	assert_int_equal(info.fadt.pm_timer.address, 0);
	assert_false(info.fadt.reset_valid);
	assert_int_equal(info.fadt.reset_reg.address, 0);

	/* Lengths of 0: the old fields do not exist. */
	good_fadt();
	put(89, 1, 0);
	put(91, 1, 0);
	parse(116);
	assert_int_equal(info.fadt.pm1a_cnt.address, 0);
	assert_int_equal(info.fadt.pm_timer.address, 0);
}

static void test_reset_needs_the_flag(void **state)
{
	good_fadt();
	put(112, 4, 0);
	parse(276);
	assert_false(info.fadt.reset_valid);
	assert_false(info.fadt.pm_timer_32bit);
}

static void test_hardware_reduced(void **state)
{
	good_fadt();
	put(112, 4, 1 << 20 | 1 << 10);
	put(109, 2, 0x4);
	put_gas(244, 0, 8, 0x10000000);
	put_gas(256, 0, 8, 0x10000001);
	parse(276);
	assert_true(info.fadt.hw_reduced);
	assert_true(info.fadt.no_8042);
	assert_true(info.fadt.no_vga);
	assert_int_equal(info.fadt.pm1a_cnt.address, 0);
	assert_int_equal(info.fadt.pm_timer.address, 0);
	assert_int_equal(info.fadt.sleep_control.address, 0x10000000);
	assert_int_equal(info.fadt.sleep_status.address, 0x10000001);
	assert_true(info.fadt.reset_valid);
}

/* Made by iasl from Scope (\) { Name (FOO, "_S5_"), _S3, _S4, Name (_S5, Package (4) {7, 5...}). */
static const u8 iasl_scope[] = {
	0x10, 0x36, 0x5c, 0x00, 0x08, 0x46, 0x4f, 0x4f, 0x5f, 0x0d, 0x5f, 0x53, 0x35, 0x5f,
	0x00, 0x08, 0x5f, 0x53, 0x33, 0x5f, 0x12, 0x06, 0x04, 0x01, 0x01, 0x00, 0x00, 0x08,
	0x5f, 0x53, 0x34, 0x5f, 0x12, 0x08, 0x04, 0x0a, 0x06, 0x0a, 0x06, 0x00, 0x00, 0x08,
	0x5f, 0x53, 0x35, 0x5f, 0x12, 0x08, 0x04, 0x0a, 0x07, 0x0a, 0x05, 0x00, 0x00,
};
/* Name (\_S5, Package (4) { Zero, One, Zero, Zero }) */
static const u8 iasl_zero_one[] = {
	0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0x00, 0x01, 0x00, 0x00,
};

static void expect_s5(const char *aml, u32 len, int err, u8 want_a, u8 want_b)
{
	/* On the heap in its exact size: the sanitizer sees each byte. */
	u8 *copy = malloc(len + 1), typ_a = 99, typ_b = 99;

	memcpy(copy + 1, aml, len);
	assert_int_equal(acpi_aml_find_s5(copy + 1, len, &typ_a, &typ_b), err);
	assert_int_equal(typ_a, err ? 99 : want_a);
	assert_int_equal(typ_b, err ? 99 : want_b);
	free(copy);
}

#define S5(text)	(text), (u32)sizeof(text) - 1

static void test_s5_forms(void **state)
{
	expect_s5((const char *)iasl_scope, sizeof(iasl_scope), 0, 7, 5);
	expect_s5((const char *)iasl_zero_one, sizeof(iasl_zero_one), 0, 0, 1);
	/* Root prefix; a package with a two-byte length; word and dword. */
	expect_s5(S5("\x08\\_S5_\x12\x06\x04\x0a\x05\x0a\x04"), 0, 5, 4);
	expect_s5(S5("\x08_S5_\x12\x49\x00\x02\x0b\x03\x00\x0a\x04\x00"), 0, 3, 4);
	expect_s5(S5("\x08_S5_\x12\x0a\x02\x0c\x06\x00\x00\x00\x0a\x01\x00"), 0, 6, 1);
	/* Both values in one integer. */
	expect_s5(S5("\x08_S5_\x12\x05\x01\x0b\x05\x04"), 0, 5, 4);
	/* A name in a string first, the real one behind. */
	expect_s5(S5("\x0d\x08_S5_\x00\x08_S5_\x12\x05\x02\x0a\x05\x00"), 0, 5, 0);
}

static void test_s5_refused(void **state)
{
	expect_s5("", 0, -ENOENT, 0, 0);
	expect_s5(S5("_S5_\x12\x06\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\x14_S5_\x12\x06\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\\_S5_\x12\x06\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\x08_S5_\x11\x06\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\x08_S5_\x12\x06\x00\x00\x00\x00\x00"), -ENOENT, 0, 0);
	/* More than three bits; not a constant; length past the end; length 0. */
	expect_s5(S5("\x08_S5_\x12\x06\x02\x0a\x08\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\x08_S5_\x12\x06\x02" "ABCD"), -ENOENT, 0, 0);
	expect_s5(S5("\x08_S5_\x12\x07\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\x08_S5_\x12\x00\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
	expect_s5(S5("\x08_S5_\x12\xcf\xff\xff\xff\x04\x00\x00"), -ENOENT, 0, 0);
	/* The package ends before its second value. */
	expect_s5(S5("\x08_S5_\x12\x03\x04\x00\x00\x00\x00"), -ENOENT, 0, 0);
}

static void test_s5_cut_anywhere(void **state)
{
	/* Complete with the second value; before it, nothing. */
	for (u32 len = 0; len < sizeof(iasl_scope) - 2; len++)
		expect_s5((const char *)iasl_scope, len, -ENOENT, 0, 0);
}

static void find_s5_in(const char *where)
{
	acpi_build_init(&a);
	good_fadt();
	put(40, 4, 0x8000);
	put(140, 8, strcmp(where, "X_DSDT") ? 0 : 0x9000);
	acpi_put_table(&a, 0x8000, "DSDT", 1, iasl_scope, sizeof(iasl_scope));
	acpi_put_table(&a, 0x9000, "DSDT", 2, iasl_zero_one, sizeof(iasl_zero_one));
	if (!strcmp(where, "SSDT")) {
		physmem_put(&a.mem, 0x8030, "x", 1);	/* breaks the checksum */
		acpi_add(&a, "SSDT", 1, "x", 1);
		acpi_add(&a, "SSDT", 1, iasl_zero_one, sizeof(iasl_zero_one));
	}
	acpi_add(&a, "FACP", 5, fadt + 36, 240);
	acpi_finish(&a, 2);
	assert_int_equal(acpi_parse(a.mem.mem, 36, &a.mem.view, &info, capture_start(&cap)), 0);
	physmem_free(&a.mem);
}

static void test_s5_table(void **state)
{
	find_s5_in("DSDT");
	assert_int_equal(cap.lines, 0);
	assert_true(info.fadt.s5_valid);
	assert_int_equal(info.fadt.dsdt, 0x8000);
	assert_int_equal(info.fadt.s5_typ_a, 7);
	find_s5_in("X_DSDT");
	assert_int_equal(info.fadt.dsdt, 0x9000);
	assert_int_equal(info.fadt.s5_typ_b, 1);
	find_s5_in("SSDT");
	assert_one_message(&cap, "table DSDT at 0x8000 has a bad checksum");
	assert_true(info.fadt.s5_valid);
	assert_int_equal(info.fadt.s5_typ_a, 0);
	assert_int_equal(info.fadt.s5_typ_b, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extended_fields),
		cmocka_unit_test(test_acpi_1_table),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_senseless_registers_read_as_absent),
		cmocka_unit_test(test_reset_needs_the_flag),
		cmocka_unit_test(test_hardware_reduced),
		cmocka_unit_test(test_s5_forms),
		cmocka_unit_test(test_s5_refused),
		cmocka_unit_test(test_s5_cut_anywhere),
		cmocka_unit_test(test_s5_table),
	};

	return cmocka_run_group_tests_name("acpi_fadt", tests, NULL, NULL);
}
