/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/load/guest_tables.h"

static u8 rom[GUEST_ROM_SIZE];

static const struct guest_config config = {
	.cpus = 3, .lapic = 0xfee00000, .ioapic = 0xfec00000, .ioapic_id = 7, .sci = 9,
	.pm1_evt = 0xb000, .pm1_cnt = 0xb004, .pm_timer = 0xb008, .smi_cmd = 0xb2,
	.acpi_enable = 0xf1, .acpi_disable = 0xf0,
};

static const u8 *at(u64 gpa)
{
	assert_in_range(gpa, GUEST_ROM, GUEST_ROM + GUEST_ROM_SIZE - 1);
	return rom + (gpa - GUEST_ROM);
}

static u32 get32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static u8 sum(const u8 *p, u32 len)
{
	u8 s = 0;

	while (len--)
		s = (u8)(s + *p++);
	return s;
}

/* A table by signature, through the XSDT; its checksum is right. */
static const u8 *table(const u8 *xsdt, const char *signature)
{
	for (u32 i = 36; i < get32(xsdt + 4); i += 8) {
		const u8 *t = at(get32(xsdt + i));

		assert_int_equal(get32(xsdt + i + 4), 0);
		assert_int_equal(sum(t, get32(t + 4)), 0);
		if (!memcmp(t, signature, 4))
			return t;
	}
	fail_msg("no %s", signature);
	return NULL;
}

static const u8 *build(u32 cpus)
{
	struct guest_config c = config;
	const u8 *rsdp, *xsdt, *rsdt;
	u64 gpa;

	c.cpus = cpus;
	memset(rom, 0, sizeof(rom));
	gpa = guest_tables_build(rom, &c);
	assert_int_equal(gpa % 16, 0);
	rsdp = at(gpa);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	xsdt = at(get32(rsdp + 24));
	rsdt = at(get32(rsdp + 16));
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_memory_equal(rsdt, "RSDT", 4);
	assert_int_equal(sum(xsdt, get32(xsdt + 4)), 0);
	assert_int_equal(sum(rsdt, get32(rsdt + 4)), 0);
	assert_int_equal((get32(xsdt + 4) - 36) / 8, (get32(rsdt + 4) - 36) / 4);
	return xsdt;
}

/* ACPI 6, 5.2.9: by offset. */
static void test_fadt(void **state)
{
	const u8 *f = table(build(1), "FACP"), *dsdt, *facs;

	assert_int_equal(get32(f + 4), 268);
	assert_int_equal(f[46], 9);
	assert_int_equal(get32(f + 48), 0xb2);
	assert_int_equal(f[52], 0xf1);
	assert_int_equal(f[53], 0xf0);
	assert_int_equal(get32(f + 56), 0xb000);
	assert_int_equal(get32(f + 64), 0xb004);
	assert_int_equal(get32(f + 76), 0xb008);
	assert_int_equal(f[88], 4);
	assert_int_equal(f[89], 2);
	assert_int_equal(f[91], 4);
	/* 32-bit timer, reset register; not reduced hardware. */
	assert_int_equal(get32(f + 112) & (1 << 8 | 1 << 10 | 1 << 20), 1 << 8 | 1 << 10);
	/* In I/O space, 8 bits, port 0xcf9, value 6. */
	assert_memory_equal(f + 116, "\x01\x08\x00\x01\xf9\x0c\0\0\0\0\0\0\x06", 13);
	dsdt = at(get32(f + 40));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(sum(dsdt, get32(dsdt + 4)), 0);
	assert_int_equal(get32(f + 140), get32(f + 40));
	facs = at(get32(f + 36));
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(get32(f + 36) % 64, 0);
}

/* ACPI 6, 5.2.12: each CPU, the I/O APIC, the two lines that are moved or level. */
static void test_madt(void **state)
{
	static const u32 cpus[] = { 1, 2, 32, 255 };

	for (unsigned int i = 0; i < ARRAY_SIZE(cpus); i++) {
		const u8 *m = table(build(cpus[i]), "APIC"), *e = m + 44;
		u32 id = 0;

		assert_int_equal(get32(m + 36), 0xfee00000);
		for (; e[0] == 0; e += e[1], id++) {
			assert_int_equal(e[1], 8);
			assert_int_equal(e[3], id);
			assert_int_equal(get32(e + 4), 1);
		}
		assert_int_equal(id, cpus[i]);
		assert_memory_equal(e, "\x01\x0c\x07\0\0\0\xc0\xfe\0\0\0\0", 12);
		e += 12;
		assert_memory_equal(e, "\x02\x0a\0\0\x02\0\0\0\0\0", 10);
		e += 10;
		assert_memory_equal(e, "\x02\x0a\0\x09\x09\0\0\0\x0d\0", 10);
		e += 10;
		assert_memory_equal(e, "\x04\x06\xff\0\0\x01", 6);
		assert_ptr_equal(e + 6, m + get32(m + 4));
	}
}

/* What a CPU finds at f000:fff0: a jump to code in the same ROM. */
static void test_reset_code(void **state)
{
	build(1);
	assert_memory_equal(rom + 0x1fff0, "\xea\x00\xff\x00\xf0", 5);
	assert_int_equal(rom[0x1ff00], 0xb0);
	/* Both ways out: port 0xcf9, and the far jump through 0x467. */
	assert_memory_equal(rom + 0x1ff00 + 16, "\xba\xf9\x0c\xee", 4);
	assert_memory_equal(rom + 0x1ff00 + 35, "\xff\x2e\x67\x04", 4);
}

static const u8 *handler(u32 vector)
{
	assert_int_equal(vector >> 16, 0xf000);
	return rom + 0x10000 + (vector & 0xffff);
}

/* Each handler ends with IRET; EOIs go to the chips that took part. */
static void test_vectors(void **state)
{
	u32 v[GUEST_VECTORS];

	build(1);
	guest_vectors_build(v);
	for (u32 i = 0; i < GUEST_VECTORS; i++)
		if (i < 8 || (i > 15 && i < 0x70) || i > 0x77)
			assert_int_equal(*handler(v[i]), 0xcf);
	assert_memory_equal(handler(v[8]), "\x1e\x50\x31\xc0\x8e\xd8\x66\xff\x06\x6c\x04"
			    "\xb0\x20\xe6\x20\x58\x1f\xcf", 18);
	for (u32 i = 9; i < 16; i++)
		assert_memory_equal(handler(v[i]), "\x50\xb0\x20\xe6\x20\x58\xcf", 7);
	for (u32 i = 0x70; i < 0x78; i++)
		assert_memory_equal(handler(v[i]), "\x50\xb0\x20\xe6\xa0\xe6\x20\x58\xcf", 9);
	/* The code lies between that of a reset and its jump. */
	assert_int_equal(rom[0x1ff4f], 0);
	assert_int_equal(rom[0x1ffef], 0);
}

static void test_map(void **state)
{
	static const u64 sizes[] = { 2ULL << 20, 64ULL << 20, GUEST_HOLE, 6ULL << 30 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct mem_range map[GUEST_MAP_MAX];
		u32 n = guest_map_build(map, sizes[i]);
		u64 ram = 0;

		assert_in_range(n, 5, GUEST_MAP_MAX);
		for (u32 k = 0; k < n; k++) {
			assert_true(map[k].size > 0);
			if (k)
				assert_true(map[k].base >= map[k - 1].base + map[k - 1].size);
			ram += map[k].type == MEM_RAM ? map[k].size : 0;
		}
		/* All of it, but what lies under the hole of the first MiB. */
		assert_int_equal(ram, sizes[i] - GUEST_HIGH + 0x9fc00);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_reset_code),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
