// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/acpi.h"
#include "tests/unit/acpi_build.h"
#include "tests/unit/capture.h"

static struct acpi_build a;
static struct acpi_info info;
static struct capture cap;

static int setup(void **state)
{
	acpi_build_init(&a);
	return 0;
}

static int teardown(void **state)
{
	physmem_free(&a.mem);
	return 0;
}

static int parse_len(size_t len)
{
	memset(&info, 0xaa, sizeof(info));
	return acpi_parse(a.mem.mem, len, &a.mem.view, &info, capture_start(&cap));
}

static int parse(void)
{
	return parse_len(36);
}

static void test_rsdp_valid(void **state)
{
	u8 *p = a.mem.mem;

	acpi_finish(&a, 2);
	assert_true(acpi_rsdp_valid(p, 36));
	assert_true(acpi_rsdp_valid(p, 20));	/* multiboot's old copy */
	assert_false(acpi_rsdp_valid(p, 19));
	for (int i = 0; i < 36; i++) {
		p[i] ^= 0x40;
		assert_false(acpi_rsdp_valid(p, 36));
		p[i] ^= 0x40;
	}
	/* Length beyond what can be read, and below the minimum. */
	physmem_put_le(&a.mem, ACPI_RSDP + 20, 4, 37);
	acpi_checksum(&a, ACPI_RSDP, 32, 37);
	assert_false(acpi_rsdp_valid(p, 36));
	assert_true(acpi_rsdp_valid(p, 37));
	physmem_put_le(&a.mem, ACPI_RSDP + 20, 4, 35);
	acpi_checksum(&a, ACPI_RSDP, 32, 35);
	assert_false(acpi_rsdp_valid(p, 36));
	/* ACPI 1.0 has no second checksum. */
	acpi_finish(&a, 0);
	p[35] ^= 1;
	assert_true(acpi_rsdp_valid(p, 36));
}

static void test_find_rsdp(void **state)
{
	struct physmem low;
	u8 rsdp[36];

	acpi_finish(&a, 2);
	memcpy(rsdp, a.mem.mem, 36);
	physmem_init(&low, 0, 0x100000);
	assert_int_equal(acpi_find_rsdp(&low.view), 0);
	/* Not on a 16-byte boundary: no RSDP. */
	physmem_put(&low, 0xe0008, rsdp, 36);
	assert_int_equal(acpi_find_rsdp(&low.view), 0);
	physmem_put(&low, 0x100000 - 48, rsdp, 36);
	assert_int_equal(acpi_find_rsdp(&low.view), 0x100000 - 48);
	/* Version 2 must not reach over the end of the area. */
	physmem_put(&low, 0x100000 - 48, "x", 1);
	physmem_put(&low, 0x100000 - 32, rsdp, 32);
	assert_int_equal(acpi_find_rsdp(&low.view), 0x100000 - 32);
	/* The EBDA comes first, but only its first KiB. */
	physmem_put_le(&low, 0x40e, 2, 0x9fc0);
	physmem_put(&low, 0x9fc00 + 1024 - 16, "RSD PTR ", 8);
	assert_int_equal(acpi_find_rsdp(&low.view), 0x100000 - 32);
	physmem_put(&low, 0x9fc00 + 512, rsdp, 36);
	assert_int_equal(acpi_find_rsdp(&low.view), 0x9fc00 + 512);
	/* A senseless EBDA segment is no place to look. */
	physmem_put_le(&low, 0x40e, 2, 0xffff);
	assert_int_equal(acpi_find_rsdp(&low.view), 0x100000 - 32);
	physmem_free(&low);
	assert_int_equal(acpi_find_rsdp(&a.mem.view), 0);
}

static void test_table_list(void **state)
{
	acpi_add(&a, "AAAA", 1, "x", 1);
	acpi_add(&a, "SSDT", 2, "yy", 2);
	acpi_add(&a, "SSDT", 3, "zzz", 3);
	acpi_finish(&a, 2);
	assert_int_equal(parse(), 0);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(info.revision, 2);
	assert_string_equal(info.oem_id, "NESTBD");
	assert_int_equal(info.n_tables, 3);
	assert_string_equal(info.tables[2].signature, "SSDT");
	assert_int_equal(info.tables[2].revision, 3);
	assert_int_equal(info.tables[2].length, 39);
	assert_int_equal(info.tables[2].pa, a.pa[2]);
	assert_ptr_equal(acpi_find_table(&info, "SSDT"), &info.tables[1]);
	assert_null(acpi_find_table(&info, "BBBB"));
	assert_false(info.madt.present || info.fadt.present || info.has_spcr || info.hpet.present);
}

static void test_version_1_uses_the_rsdt(void **state)
{
	acpi_add(&a, "AAAA", 1, "x", 1);
	acpi_finish(&a, 0);
	physmem_put_le(&a.mem, ACPI_RSDP + 24, 8, 0xdeadbeef);
	assert_int_equal(parse(), 0);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(info.n_tables, 1);

	acpi_finish(&a, 2);
	physmem_put(&a.mem, ACPI_XSDT, "FAIL", 4);
	assert_int_equal(parse_len(20), 0);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(info.n_tables, 1);
}

static void test_bad_xsdt_falls_back_to_the_rsdt(void **state)
{
	acpi_add(&a, "AAAA", 1, "x", 1);
	acpi_finish(&a, 2);
	physmem_put(&a.mem, ACPI_XSDT + 36, "\1", 1);
	assert_int_equal(parse(), 0);
	assert_one_message(&cap, "table XSDT at 0x1100 has a bad checksum");
	assert_int_equal(info.n_tables, 1);

	acpi_finish(&a, 2);
	physmem_put(&a.mem, ACPI_XSDT, "XDST", 4);
	assert_int_equal(parse(), 0);
	assert_one_message(&cap, "XDST where the XSDT should be");
	assert_int_equal(info.n_tables, 1);

	physmem_put(&a.mem, ACPI_RSDT, "x", 1);
	assert_int_equal(parse(), -EINVAL);
	assert_int_equal(cap.lines, 3);
	assert_int_equal(info.n_tables, 0);
}

static void test_bad_rsdp(void **state)
{
	acpi_finish(&a, 2);
	a.mem.mem[0] = 'x';
	assert_int_equal(parse(), -EINVAL);
	assert_one_message(&cap, "bad RSDP");
	assert_int_equal(info.n_tables, 0);
}

static void test_bad_tables_are_left_out(void **state)
{
	static const u8 body[64];
	u64 sum, small, big, last;

	sum = acpi_add(&a, "AAAA", 1, body, 64);
	small = acpi_add(&a, "BBBB", 1, body, 64);
	big = acpi_add(&a, "CCCC", 1, body, 64);
	last = acpi_add(&a, "DDDD", 1, body, 64);
	a.pa[a.n++] = 0;			/* null: skipped silently */
	a.pa[a.n++] = last;			/* listed twice: once */
	a.pa[a.n++] = 0x80000000;		/* cannot be read */
	a.pa[a.n++] = ACPI_BASE + ACPI_SIZE - 35;
	physmem_put(&a.mem, sum + 40, "x", 1);
	physmem_put_le(&a.mem, small + 4, 4, 35);
	physmem_put_le(&a.mem, big + 4, 4, ACPI_SIZE);
	acpi_finish(&a, 2);
	assert_int_equal(parse(), 0);
	assert_int_equal(cap.lines, 5);
	assert_non_null(strstr(cap.text, "AAAA at 0x2000 has a bad checksum"));
	assert_non_null(strstr(cap.text, "an impossible length of 35 bytes"));
	assert_non_null(strstr(cap.text, "an impossible length of 65536 bytes"));
	assert_non_null(strstr(cap.text, "table at 0x80000000 cannot be read"));
	assert_int_equal(info.n_tables, 1);
	assert_string_equal(info.tables[0].signature, "DDDD");
}

static void test_known_table_twice_or_short(void **state)
{
	u8 hpet[20] = { [4] = 0, [8] = 0x00, 0x00, 0xd0, 0xfe };

	acpi_add(&a, "HPET", 1, hpet, 19);
	acpi_add(&a, "HPET", 1, hpet, 20);
	hpet[16] = 7;
	acpi_add(&a, "HPET", 1, hpet, 20);
	acpi_finish(&a, 2);
	assert_int_equal(parse(), 0);
	assert_int_equal(cap.lines, 2);
	assert_non_null(strstr(cap.text, "table HPET has only 55 bytes of 56"));
	assert_non_null(strstr(cap.text, "second table HPET"));
	assert_int_equal(info.n_tables, 1);
	assert_true(info.hpet.present);
	assert_int_equal(info.hpet.number, 0);
}

static void test_too_many_tables(void **state)
{
	u8 roots[4 * (ACPI_MAX_TABLES + 1)];

	for (u32 i = 0; i <= ACPI_MAX_TABLES; i++) {
		u32 pa = (u32)acpi_put_table(&a, 0x3000 + 64 * i, "SSDT", 1, NULL, 0);

		memcpy(roots + 4 * i, &pa, 4);
	}
	acpi_finish(&a, 0);
	acpi_put_table(&a, ACPI_RSDT, "RSDT", 1, roots, sizeof(roots));
	assert_int_equal(parse(), 0);
	assert_one_message(&cap, "more than 64 tables");
	assert_int_equal(info.n_tables, ACPI_MAX_TABLES);
}

static void test_hpet(void **state)
{
	/* Vendor 8086, 64-bit, three comparators; memory at 0xfed00000. */
	u8 hpet[20] = { 0x01, 0xa2, 0x86, 0x80, 0, 64, 0, 0, 0x00, 0x00, 0xd0, 0xfe,
			[16] = 1, 0x80, 0x00 };

	acpi_add(&a, "HPET", 1, hpet, 20);
	acpi_finish(&a, 2);
	assert_int_equal(parse(), 0);
	assert_true(info.hpet.present);
	assert_int_equal(info.hpet.address, 0xfed00000);
	assert_int_equal(info.hpet.comparators, 2);
	assert_int_equal(info.hpet.min_tick, 0x80);
	assert_int_equal(info.hpet.number, 1);

	physmem_put_le(&a.mem, a.pa[0] + 40, 1, ACPI_SPACE_IO);
	acpi_checksum(&a, a.pa[0], 9, 56);
	assert_int_equal(parse(), 0);
	assert_one_message(&cap, "HPET not in memory");
	assert_false(info.hpet.present);
}

static void put_mcfg(u8 *e, u64 base, u16 segment, u8 first, u8 last)
{
	memcpy(e, &base, 8);
	memcpy(e + 8, &segment, 2);
	e[10] = first;
	e[11] = last;
}

static void test_mcfg(void **state)
{
	u8 body[8 + 16 * 5 + 15] = { 0 };

	put_mcfg(body + 8, 0xb0000000, 0, 0, 255);
	put_mcfg(body + 24, 0, 1, 0, 255);
	put_mcfg(body + 40, 0x4000000000, 2, 9, 8);
	put_mcfg(body + 56, 0xfffffffffff00000, 3, 0, 255);
	put_mcfg(body + 72, 0x4000000000, 4, 16, 31);
	acpi_add(&a, "MCFG", 1, body, sizeof(body));
	acpi_finish(&a, 2);
	assert_int_equal(parse(), 0);
	assert_int_equal(cap.lines, 3);
	assert_int_equal(info.n_mcfg, 2);
	assert_int_equal(info.mcfg[0].base, 0xb0000000);
	assert_int_equal(info.mcfg[0].last_bus, 255);
	assert_int_equal(info.mcfg[1].segment, 4);
	assert_int_equal(info.mcfg[1].first_bus, 16);
}

static void test_gas_usable(void **state)
{
	/* clang-format off */
	static const struct { struct acpi_gas gas; bool usable; } rows[] = {
		/*  space width off access address */
		{ { 0,	  32,	0,  3,	0xfed00000 },	true },
		{ { 0,	  32,	0,  4,	1ULL << 40 },	true },
		{ { 0,	  32,	0,  5,	0xfed00000 },	false },
		{ { 0,	  32,	0,  0,	0 },		false },
		{ { 1,	  8,	0,  1,	0xffff },	true },
		{ { 1,	  8,	0,  1,	0x10000 },	false },
		{ { 2,	  8,	0,  1,	0x1f00000040 },	true },
		{ { 3,	  8,	0,  1,	0x60 },		false },
		{ { 0x7f, 8,	0,  1,	0x60 },		false },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(acpi_gas_usable(&rows[i].gas), rows[i].usable);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rsdp_valid),
		T(test_find_rsdp),
		T(test_table_list),
		T(test_version_1_uses_the_rsdt),
		T(test_bad_xsdt_falls_back_to_the_rsdt),
		T(test_bad_rsdp),
		T(test_bad_tables_are_left_out),
		T(test_known_table_twice_or_short),
		T(test_too_many_tables),
		T(test_hpet),
		T(test_mcfg),
		T(test_gas_usable),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
