/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "core/load/guest_tables.h"
#include "core/x86/acpi.h"
#include "tests/unit/capture.h"
#include "tests/unit/vm_box.h"

static u8 rom[GUEST_ROM_SIZE], low[GUEST_LOW_SIZE];

static const struct guest_config config = {
	.cpus = 3, .lapic = 0xfee00000, .ioapic = 0xfec00000, .ioapic_id = 7, .sci = 9,
	.pm1_evt = 0xb000, .pm1_cnt = 0xb004, .pm_timer = 0xb008, .smi_cmd = 0xb2,
	.acpi_enable = 0xf1, .acpi_disable = 0xf0, .com1 = 0x3f8,
};

static const u8 *at(u64 gpa)
{
	if (gpa < GUEST_LOW_SIZE)
		return low + gpa;
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
	memset(low, 0x5a, sizeof(low));
	gpa = guest_tables_build(rom, low, &c);
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

	assert_int_equal(f[8], 6);
	assert_int_equal(get32(f + 4), 276);
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
	/*
	 * WBINVD, C1, a power button of PM1 but none for sleep, no RTC_STS, 32-bit timer,
	 * reset register; not reduced hardware.
	 */
	assert_int_equal(get32(f + 112), 1 << 0 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 10);
	/* Old devices, no 8042 that could be more than reset, no VGA, no MSI; a clock. */
	assert_int_equal(f[109] | f[110] << 8, 1 << 0 | 1 << 2 | 1 << 3);
	/* In I/O space, 8 bits, port 0xcf9, value 6. */
	assert_memory_equal(f + 116, "\x01\x08\x00\x01\xf9\x0c\0\0\0\0\0\0\x06", 13);
	dsdt = at(get32(f + 40));
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_int_equal(sum(dsdt, get32(dsdt + 4)), 0);
	assert_int_equal(get32(f + 140), get32(f + 40));
	facs = at(get32(f + 36));
	/* 5.2.10: where it can be written, and the map says that it must be kept. */
	assert_memory_equal(facs, "FACS\x40\0\0\0", 8);
	assert_int_equal(get32(f + 36) % 64, 0);
	assert_true(get32(f + 36) >= GUEST_EBDA && get32(f + 36) + 64 <= GUEST_LOW_SIZE);
	for (u32 i = 8; i < 64; i++)
		assert_int_equal(facs[i], i == 32);
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
	/* f000:fff5, date; f000:fffe, model: an AT. */
	assert_memory_equal(rom + 0x1fff5, "01/01/20\0\xfc\0", 11);
}

/* IBM PC AT Technical Reference: COM1, EBDA, equipment, memory; its own size in the EBDA. */
static void test_bios_data(void **state)
{
	build(1);
	assert_memory_equal(low + 0x400, "\xf8\x03", 2);
	assert_memory_equal(low + 0x40e, "\xc0\x9f\x02\x02", 4);
	assert_memory_equal(low + 0x413, "\x7f\x02", 2);
	assert_int_equal(low[0x9fc00], 1);
	/* Nothing else below the EBDA. */
	assert_int_equal(low[0x3ff], 0x5a);
	assert_int_equal(low[0x402], 0x5a);
	assert_int_equal(low[0x412], 0x5a);
	assert_int_equal(low[0x415], 0x5a);
	assert_int_equal(low[0x9fbff], 0x5a);
}

static const void *view_map(void *ctx, u64 pa, u64 len)
{
	if (pa < GUEST_LOW_SIZE && len <= GUEST_LOW_SIZE - pa)
		return low + pa;
	if (pa - GUEST_ROM < GUEST_ROM_SIZE && len <= GUEST_ROM_SIZE - (pa - GUEST_ROM))
		return rom + (pa - GUEST_ROM);
	return NULL;
}

/* The parser that reads a real machine's tables finds them, and nothing to say. */
static void test_own_parser(void **state)
{
	static struct acpi_info info;
	const struct phys_view view = { view_map, NULL };
	struct capture cap;
	u64 rsdp;

	capture_start(&cap);
	build(3);
	rsdp = acpi_find_rsdp(&view);
	assert_int_equal(acpi_parse(at(rsdp), 36, &view, &info, &cap.diag), 0);
	assert_string_equal(cap.text, "");
	assert_int_equal(info.n_tables, 2);
	assert_int_equal(info.madt.n_cpus, 3);
	assert_int_equal(info.madt.n_ioapics, 1);
	assert_int_equal(info.madt.ioapics[0].address, 0xfec00000);
	assert_true(info.madt.pcat_compat);
	assert_int_equal(info.madt.n_isos, 2);
	assert_int_equal(info.madt.n_lapic_nmis, 1);
	assert_true(info.fadt.present && !info.fadt.hw_reduced && info.fadt.no_vga);
	assert_int_equal(info.fadt.sci_irq, 9);
	assert_int_equal(info.fadt.pm1a_cnt.address, 0xb004);
	assert_true(info.fadt.pm_timer_32bit);
	assert_int_equal(info.fadt.pm_timer.address, 0xb008);
	assert_true(info.fadt.reset_valid);
	assert_true(info.fadt.s5_valid);
	assert_int_equal(info.fadt.s5_typ_a, VPM_SLP_TYP_S5);
	assert_int_equal(info.fadt.s5_typ_b, VPM_SLP_TYP_S5);
}

/* One resource of the DSDT: ACPI 6, 6.4.2 and 6.4.3. */
struct resource {
	u8 kind;		/* the descriptor's first byte */
	u64 min, len;
};

/* Those of all _CRS, one behind the other: NameOp, name, BufferOp, lengths, descriptors. */
static u32 resources(const u8 *dsdt, struct resource *r, u32 max)
{
	u32 size = get32(dsdt + 4), n = 0;

	for (u32 i = 36; i + 16 < size; i++) {
		const u8 *p, *end;

		if (memcmp(dsdt + i, "\x08_CRS\x11", 6))
			continue;
		/* PkgLength of one byte or two; the size as a byte constant. */
		p = dsdt + i + 6 + 1 + (dsdt[i + 6] >> 6);
		assert_int_equal(p[0], 0x0a);
		end = p + 2 + p[1];
		for (p += 2; p < end && *p != 0x79; n++) {
			assert_true(n < max);
			r[n] = (struct resource){ .kind = *p };
			if (*p == 0x47) {
				r[n].min = p[2] | p[3] << 8;
				r[n].len = p[7];
			} else if (*p == 0x22) {
				r[n].min = (u64)__builtin_ctz(p[1] | p[2] << 8);
			} else if (*p == 0x88) {
				r[n].min = p[8] | p[9] << 8;
				r[n].len = p[14] | p[15] << 8;
			} else if (*p == 0x87) {
				r[n].min = get32(p + 10);
				r[n].len = get32(p + 22);
			} else {
				fail_msg("descriptor %x", *p);
			}
			p += *p & 0x80 ? 3 + (p[1] | p[2] << 8) : 1 + (*p & 7);
		}
	}
	return n;
}

/* Are these ports, all of them, a device's, and is the one behind them not its? */
static bool claimed(const struct bus *b, u64 first, u64 len)
{
	u64 found = 0;

	for (u64 port = first; port < first + len; port++)
		for (u32 i = 0; i < b->n_io; i++)
			found += port >= b->io[i].first && port <= b->io[i].last;
	return found == len;
}

/* The numbers in dsdt.asl are those of core/dev, whose devices say what they claim. */
static void test_dsdt_resources(void **state)
{
	static const struct resource irqs[] = {
		{ 0x22, 2, 0 }, { 0x22, 0, 0 }, { 0x22, VRTC_IRQ, 0 }, { 0x22, VUART_IRQ, 0 },
	};
	const u8 *dsdt = at(get32(table(build(1), "FACP") + 40));
	struct vm_box *b = vm_box_new(64 << 20, 1);
	u32 n, n_irqs = 0, n_ports = 0;
	struct resource r[32];
	u64 com1 = 0;

	n = resources(dsdt, r, ARRAY_SIZE(r));
	for (u32 i = 0; i < n; i++) {
		if (r[i].kind == 0x22) {
			assert_int_equal(r[i].min, irqs[n_irqs++].min);
		} else if (r[i].kind == 0x47) {
			if (!claimed(&b->vm.bus, r[i].min, r[i].len))
				fail_msg("ports %llx+%llx", (unsigned long long)r[i].min,
					 (unsigned long long)r[i].len);
			com1 = r[i].min == VUART_PORT ? r[i].len : com1;
			n_ports++;
		} else if (r[i].kind == 0x87) {
			/* From the end of RAM to the first device that is not PCI's. */
			assert_int_equal(r[i].min, GUEST_HOLE);
			assert_int_equal(r[i].min + r[i].len, VIOAPIC_BASE);
		}
	}
	assert_int_equal(n_irqs, ARRAY_SIZE(irqs));
	/* PCI's mechanism, three of the 8259 pair, the timer, the clock, the UART. */
	assert_int_equal(n_ports, 7);
	assert_int_equal(com1, 8);
	vm_box_free(b);
}

static int run(const char *fmt, const char *a, const char *b)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), fmt, a, b);
	return system(cmd);
}

static void write_file(const char *dir, const char *name, const u8 *p, u32 len)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.dat", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

/* iasl takes it apart, and what it makes of that is the same, but for the maker's name. */
static void reassembles(const char *dir, const char *name, const u8 *p)
{
	u32 len = get32(p + 4);
	u8 again[4096] = { 0 };
	char path[200];
	FILE *f;

	write_file(dir, name, p, len);
	if (run("cd %s && iasl -d %s.dat > log 2>&1", dir, name) ||
	    run("cd %s && iasl -p again %s.dsl > log 2>&1", dir, name))
		fail_msg("iasl does not take %s", name);
	snprintf(path, sizeof(path), "%s/again.aml", dir);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(again, 1, sizeof(again), f), len);
	fclose(f);
	assert_memory_equal(again, p, 9);
	if (!memcmp(name, "FACS", 4))
		assert_memory_equal(again, p, 64);
	else
		assert_memory_equal(again + 36, p + 36, len - 36);
}

static void test_iasl(void **state)
{
	char dir[] = "/tmp/test_guest_tables.XXXXXX";
	const u8 *xsdt = build(2), *fadt = table(xsdt, "FACP");

	if (system("iasl -v > /dev/null 2>&1"))
		skip();
	assert_non_null(mkdtemp(dir));
	reassembles(dir, "XSDT", xsdt);
	reassembles(dir, "FACP", fadt);
	reassembles(dir, "APIC", table(xsdt, "APIC"));
	reassembles(dir, "DSDT", at(get32(fadt + 40)));
	reassembles(dir, "FACS", at(get32(fadt + 36)));
	assert_int_equal(run("rm -r %s%s", dir, ""), 0);
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
			if (map[k].base == GUEST_EBDA)
				assert_int_equal(map[k].type, MEM_NVS);
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
		cmocka_unit_test(test_bios_data),
		cmocka_unit_test(test_own_parser),
		cmocka_unit_test(test_dsdt_resources),
		cmocka_unit_test(test_iasl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
