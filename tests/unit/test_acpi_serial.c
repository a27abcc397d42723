// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/acpi_build.h"
#include "tests/unit/capture.h"

static struct acpi_build a;
static struct acpi_info info;
static struct capture cap;
static u8 t[400];		/* offsets count from the table's start */

static void put(u32 at, u32 n, u64 v)
{
	for (; n--; v >>= 8)
		t[at++] = (u8)v;
}

static void put_gas(u32 at, u8 space, u8 access, u64 address)
{
	put(at, 4, space | 8 << 8 | access << 24);
	put(at + 4, 8, address);
}

static void parse(const char *signature, u32 len)
{
	acpi_build_init(&a);
	acpi_add(&a, signature, t[8], t + 36, len - 36);
	acpi_finish(&a, 2);
	assert_int_equal(acpi_parse(a.mem.mem, 36, &a.mem.view, &info, capture_start(&cap)), 0);
	physmem_free(&a.mem);
}

static void good_spcr(void)
{
	memset(t, 0, sizeof(t));
	t[8] = 2;
	put(36, 1, 0);
	put_gas(40, 1, 1, 0x2f8);
	put(52, 1, 3);
	put(53, 1, 3);
	put(54, 4, 19);
	put(58, 1, 7);
	put(64, 4, 0xffffffff);
	put(76, 4, 0x11111111);
}

static void test_spcr(void **state)
{
	good_spcr();
	parse("SPCR", 80);
	assert_int_equal(cap.lines, 0);
	assert_true(info.has_spcr);
	assert_int_equal(info.spcr.interface_type, 0);
	assert_int_equal(info.spcr.reg.space, ACPI_SPACE_IO);
	assert_int_equal(info.spcr.reg.access_size, 1);
	assert_int_equal(info.spcr.reg.address, 0x2f8);
	assert_int_equal(info.spcr.baud_code, 7);
	assert_int_equal(info.spcr.baud, 0);
	assert_int_equal(info.spcr.irq_type, 3);
	assert_int_equal(info.spcr.irq, 3);
	assert_int_equal(info.spcr.gsi, 19);
	assert_int_equal(info.spcr.pci_device, 0xffff);
	assert_int_equal(info.spcr.pci_vendor, 0xffff);
}

static void test_spcr_revision_4_pci(void **state)
{
	good_spcr();
	t[8] = 4;
	put(36, 1, 0x12);
	put_gas(40, 0, 3, 0xfe000000);
	put(58, 1, 0);			/* as firmware set it */
	put(64, 2, 0x1234);
	put(66, 2, 0x8086);
	put(68, 1, 3);
	put(69, 1, 31);
	put(70, 1, 7);
	put(75, 1, 2);
	put(80, 4, 921600);
	parse("SPCR", 90);
	assert_true(info.has_spcr);
	assert_int_equal(info.spcr.interface_type, 0x12);
	assert_int_equal(info.spcr.reg.access_size, 3);
	assert_int_equal(info.spcr.baud_code, 0);
	assert_int_equal(info.spcr.baud, 921600);
	assert_int_equal(info.spcr.pci_device, 0x1234);
	assert_int_equal(info.spcr.pci_vendor, 0x8086);
	assert_int_equal(info.spcr.pci_bus, 3);
	assert_int_equal(info.spcr.pci_dev, 31);
	assert_int_equal(info.spcr.pci_fn, 7);
	assert_int_equal(info.spcr.pci_segment, 2);
	/* Too short for the rate. */
	parse("SPCR", 83);
	assert_true(info.has_spcr);
	assert_int_equal(info.spcr.baud, 0);
}

static void test_spcr_refused(void **state)
{
	good_spcr();
	parse("SPCR", 79);
	assert_one_message(&cap, "table SPCR has only 79 bytes of 80");
	assert_false(info.has_spcr);
	put_gas(40, 1, 1, 0);		/* redirection is off */
	parse("SPCR", 80);
	assert_int_equal(cap.lines, 0);
	assert_false(info.has_spcr);
	put_gas(40, 1, 1, 0x10000);
	parse("SPCR", 80);
	assert_one_message(&cap, "space 1 at 0x10000 ignored");
	assert_false(info.has_spcr);
	put_gas(40, 2, 1, 0x100);
	parse("SPCR", 80);
	assert_one_message(&cap, "space 2");
	assert_false(info.has_spcr);
}

/* A port at offset at, 22 bytes, its register and a name behind it. */
static u32 dbg2_port(u32 at, u16 type, u16 subtype, u64 address)
{
	put(at + 1, 2, 22 + 12 + 2);
	put(at + 3, 1, 1);
	put(at + 4, 2, 2);
	put(at + 6, 2, 34);
	put(at + 12, 2, type);
	put(at + 14, 2, subtype);
	put(at + 18, 2, 22);
	put_gas(at + 22, 1, 1, address);
	t[at + 34] = '.';
	return at + 36;
}

static u32 good_dbg2(void)
{
	u32 at = 44;

	memset(t, 0, sizeof(t));
	put(36, 4, 44);
	put(40, 4, 3);
	at = dbg2_port(at, 0x8000, 0, 0x3f8);
	at = dbg2_port(at, 0x8002, 0, 0x1234);	/* USB */
	return dbg2_port(at, 0x8000, 0x12, 0x2f8);
}

static void test_dbg2(void **state)
{
	u32 len = good_dbg2();

	parse("DBG2", len);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(info.n_dbg2, 2);
	assert_int_equal(info.dbg2[0].reg.address, 0x3f8);
	assert_int_equal(info.dbg2[0].pci_vendor, 0xffff);
	assert_int_equal(info.dbg2[1].interface_type, 0x12);
	assert_int_equal(info.dbg2[1].reg.address, 0x2f8);
}

static void test_dbg2_refused(void **state)
{
	u32 len = good_dbg2();

	put(40, 4, 4);			/* one more than there are */
	parse("DBG2", len);
	assert_one_message(&cap, "ends before its last 1 ports");
	assert_int_equal(info.n_dbg2, 2);

	good_dbg2();
	put(36, 4, 0xfffffff0);
	parse("DBG2", len);
	assert_one_message(&cap, "ends before its last 3 ports");
	assert_int_equal(info.n_dbg2, 0);

	good_dbg2();
	put(45, 2, 21);			/* first port too short */
	parse("DBG2", len);
	assert_one_message(&cap, "ends before its last 3 ports");

	good_dbg2();
	put(44 + 18, 2, 25);		/* register reaches past the port */
	parse("DBG2", len);
	assert_one_message(&cap, "port without a register");
	assert_int_equal(info.n_dbg2, 1);

	good_dbg2();
	put(44 + 3, 1, 0);		/* says it has none */
	parse("DBG2", len);
	assert_one_message(&cap, "port without a register");

	good_dbg2();
	put_gas(44 + 22, 1, 1, 0x10000);
	parse("DBG2", len);
	assert_one_message(&cap, "space 1 at 0x10000 ignored");
	assert_int_equal(info.n_dbg2, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spcr),
		cmocka_unit_test(test_spcr_revision_4_pci),
		cmocka_unit_test(test_spcr_refused),
		cmocka_unit_test(test_dbg2),
		cmocka_unit_test(test_dbg2_refused),
	};

	return cmocka_run_group_tests_name("acpi_serial", tests, NULL, NULL);
}
