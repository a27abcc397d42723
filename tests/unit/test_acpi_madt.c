// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/acpi_build.h"
#include "tests/unit/capture.h"

static struct acpi_build a;
static struct acpi_info info;
static struct capture cap;
static u8 body[12000];		/* behind the header: 8 bytes, then entries */
static u32 len;

static void start(u32 lapic, u32 flags)
{
	memset(body, 0, sizeof(body));
	memcpy(body, &lapic, 4);
	memcpy(body + 4, &flags, 4);
	len = 8;
}

static u8 *entry(u8 type, u8 size)
{
	u8 *e = body + len;

	e[0] = type;
	e[1] = size;
	len += size;
	return e;
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

static void lapic(u8 uid, u8 id, u32 flags)
{
	u8 *e = entry(0, 8);

	e[2] = uid;
	e[3] = id;
	put32(e + 4, flags);
}

static void x2apic(u32 uid, u32 id, u32 flags)
{
	u8 *e = entry(9, 16);

	put32(e + 4, id);
	put32(e + 8, flags);
	put32(e + 12, uid);
}

static void parse(void)
{
	acpi_build_init(&a);
	acpi_add(&a, "APIC", 4, body, len);
	acpi_finish(&a, 2);
	assert_int_equal(acpi_parse(a.mem.mem, 36, &a.mem.view, &info, capture_start(&cap)), 0);
	physmem_free(&a.mem);
}

static void test_header(void **state)
{
	start(0xfee00000, 1);
	parse();
	assert_int_equal(cap.lines, 0);
	assert_true(info.madt.present);
	assert_true(info.madt.pcat_compat);
	assert_int_equal(info.madt.lapic_address, 0xfee00000);
	start(0xfee00000, 0xfffffffe);
	parse();
	assert_false(info.madt.pcat_compat);
}

static void test_cpus(void **state)
{
	start(0xfee00000, 1);
	lapic(1, 0, 1);
	lapic(2, 2, 0);			/* cannot be used */
	lapic(3, 4, 2);			/* may come later */
	lapic(4, 0xff, 1);		/* broadcast */
	x2apic(0x100, 0x1234, 1);
	x2apic(0x101, 0xffffffff, 1);
	x2apic(0x102, 0x20, 0);
	parse();
	assert_int_equal(cap.lines, 0);
	assert_int_equal(info.madt.n_cpus, 3);
	assert_int_equal(info.madt.cpus[0].apic_id, 0);
	assert_int_equal(info.madt.cpus[0].uid, 1);
	assert_true(info.madt.cpus[0].enabled);
	assert_int_equal(info.madt.cpus[1].apic_id, 4);
	assert_false(info.madt.cpus[1].enabled);
	assert_int_equal(info.madt.cpus[2].apic_id, 0x1234);
	assert_int_equal(info.madt.cpus[2].uid, 0x100);
}

static void test_same_cpu_twice(void **state)
{
	start(0xfee00000, 1);
	lapic(1, 5, 1);
	x2apic(2, 5, 1);
	parse();
	assert_one_message(&cap, "APIC id 5 twice");
	assert_int_equal(info.madt.n_cpus, 1);
	assert_int_equal(info.madt.cpus[0].uid, 1);
}

static void test_too_many_cpus(void **state)
{
	start(0xfee00000, 1);
	for (u32 i = 0; i <= ACPI_MAX_CPUS; i++)
		x2apic(i, i, 1);
	parse();
	assert_one_message(&cap, "more than 512 CPUs, APIC id 512 ignored");
	assert_int_equal(info.madt.n_cpus, ACPI_MAX_CPUS);
}

static void test_interrupt_routing(void **state)
{
	u8 *e;

	start(0xfee00000, 1);
	e = entry(1, 12);		/* I/O APIC */
	e[2] = 7;
	put32(e + 4, 0xfec00000);
	put32(e + 8, 24);
	e = entry(2, 10);		/* override: irq 0 is gsi 2 */
	put32(e + 4, 2);
	e = entry(2, 10);		/* irq 9: level, active low */
	e[3] = 9;
	put32(e + 4, 9);
	e[8] = 0xf;
	e = entry(3, 8);		/* NMI source */
	e[2] = 5;
	put32(e + 4, 21);
	e = entry(4, 6);		/* all CPUs, LINT1 */
	e[2] = 0xff;
	e[3] = 5;
	e[5] = 1;
	e = entry(4, 6);
	e[2] = 3;
	e = entry(10, 12);
	put32(e + 4, 0x300);
	e[8] = 1;
	e = entry(5, 12);
	put32(e + 4, 0x12345000);
	put32(e + 8, 1);
	e = entry(0x80, 20);		/* vendor's own */
	parse();
	assert_int_equal(cap.lines, 0);
	assert_int_equal(info.madt.n_ioapics, 1);
	assert_int_equal(info.madt.ioapics[0].id, 7);
	assert_int_equal(info.madt.ioapics[0].address, 0xfec00000);
	assert_int_equal(info.madt.ioapics[0].gsi_base, 24);
	assert_int_equal(info.madt.n_isos, 2);
	assert_int_equal(info.madt.isos[0].irq, 0);
	assert_int_equal(info.madt.isos[0].gsi, 2);
	assert_int_equal(info.madt.isos[1].flags & ACPI_INTI_POLARITY, ACPI_INTI_ACTIVE_LOW);
	assert_int_equal(info.madt.isos[1].flags & ACPI_INTI_TRIGGER, ACPI_INTI_LEVEL);
	assert_int_equal(info.madt.n_nmi_sources, 1);
	assert_int_equal(info.madt.nmi_sources[0].gsi, 21);
	assert_int_equal(info.madt.nmi_sources[0].flags, 5);
	assert_int_equal(info.madt.n_lapic_nmis, 3);
	assert_true(info.madt.lapic_nmis[0].uid == ACPI_UID_ALL);
	assert_int_equal(info.madt.lapic_nmis[0].flags, 5);
	assert_int_equal(info.madt.lapic_nmis[0].lint, 1);
	assert_int_equal(info.madt.lapic_nmis[1].uid, 3);
	assert_int_equal(info.madt.lapic_nmis[1].lint, 0);
	assert_int_equal(info.madt.lapic_nmis[2].uid, 0x300);
	assert_true(info.madt.lapic_address == 0x112345000);
}

static void test_bad_entries(void **state)
{
	u8 *e;

	start(0xfee00000, 1);
	entry(0, 7);			/* too short for its type */
	e = entry(1, 12);		/* I/O APIC at 0 */
	e[2] = 1;
	e = entry(2, 10);		/* not ISA */
	e[2] = 1;
	e = entry(2, 10);		/* no such irq */
	e[3] = 16;
	e = entry(4, 6);		/* no such LINT */
	e[5] = 2;
	lapic(1, 1, 1);
	parse();
	assert_int_equal(cap.lines, 5);
	assert_int_equal(info.madt.n_cpus, 1);
	assert_int_equal(info.madt.n_ioapics + info.madt.n_isos + info.madt.n_lapic_nmis, 0);
}

static void test_entry_lengths_end_the_list(void **state)
{
	static const u8 sizes[] = { 0, 1, 9 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		start(0xfee00000, 1);
		lapic(1, 1, 1);
		lapic(2, 2, 1);
		body[len - 7] = sizes[i];
		parse();
		assert_one_message(&cap, "the rest is ignored");
		assert_int_equal(info.madt.n_cpus, 1);
	}
	/* One stray byte behind the last entry. */
	start(0xfee00000, 1);
	lapic(1, 1, 1);
	len++;
	parse();
	assert_int_equal(info.madt.n_cpus, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_same_cpu_twice),
		cmocka_unit_test(test_too_many_cpus),
		cmocka_unit_test(test_interrupt_routing),
		cmocka_unit_test(test_bad_entries),
		cmocka_unit_test(test_entry_lengths_end_the_list),
	};

	return cmocka_run_group_tests_name("acpi_madt", tests, NULL, NULL);
}
