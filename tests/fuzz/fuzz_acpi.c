// SPDX-License-Identifier: MIT
/*
 * First byte even: the rest is memory from 0x1000 on, an RSDP at its start.
 * Odd: a list of tables {signature number, length, bytes} that get headers
 * and checksums, so that the fuzzer need not find those.
 */
#include "core/x86/acpi.h"
#include "tests/unit/acpi_build.h"

static void check_line(void *ctx, const char *line)
{
	if (!*line || strlen(line) > 200)
		abort();
}

static bool gas_ok(const struct acpi_gas *g)
{
	return !g->address || acpi_gas_usable(g);
}

static void check_info(const struct acpi_info *i, const struct phys_view *view)
{
	const struct acpi_fadt *f = &i->fadt;

	if (i->n_tables > ACPI_MAX_TABLES || i->madt.n_cpus > ACPI_MAX_CPUS ||
	    i->madt.n_ioapics > ACPI_MAX_IOAPICS || i->madt.n_isos > ACPI_MAX_ISOS ||
	    i->madt.n_nmi_sources > ACPI_MAX_NMIS || i->madt.n_lapic_nmis > ACPI_MAX_NMIS ||
	    i->n_mcfg > ACPI_MAX_MCFG || i->n_dbg2 > ACPI_MAX_SERIAL)
		abort();
	for (u32 k = 0; k < i->n_tables; k++) {
		if (!phys_map(view, i->tables[k].pa, i->tables[k].length))
			abort();
	}
	if (!gas_ok(&f->pm1a_cnt) || !gas_ok(&f->pm1b_cnt) || !gas_ok(&f->pm_timer) ||
	    !gas_ok(&f->reset_reg) || !gas_ok(&f->sleep_control))
		abort();
	if (f->reset_valid && !f->reset_reg.address)
		abort();
	if (f->s5_valid && (f->s5_typ_a > 7 || f->s5_typ_b > 7))
		abort();
	if (i->has_spcr && !acpi_gas_usable(&i->spcr.reg))
		abort();
}

static void run(const void *rsdp, size_t len, const struct phys_view *view)
{
	static struct acpi_info info;
	const struct diag d = { check_line, NULL };
	int err = acpi_parse(rsdp, len, view, &info, &d);

	if (err && info.n_tables)
		abort();
	check_info(&info, view);
}

static void run_memory(const uint8_t *data, size_t size)
{
	struct physmem m;

	physmem_init(&m, ACPI_BASE, size);
	physmem_put(&m, ACPI_BASE, data, size);
	run(m.mem, size, &m.view);
	physmem_free(&m);
}

static void run_tables(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "FACP", "APIC", "SPCR", "DBG2", "MCFG",
					     "HPET", "SSDT", "XXXX" };
	struct acpi_build a;

	acpi_build_init(&a);
	while (size >= 3 && a.n < ARRAY_SIZE(a.pa)) {
		u32 len = (data[1] | data[2] << 8) & 0x3ff;
		u8 kind = data[0];

		data += 3;
		size -= 3;
		len = (u32)MIN(len, size);
		if (a.next + 64 + len > ACPI_BASE + ACPI_SIZE)
			break;
		acpi_add(&a, names[kind % ARRAY_SIZE(names)], kind >> 4, data, len);
		data += len;
		size -= len;
	}
	acpi_finish(&a, 2);
	run(a.mem.mem, 36, &a.mem.view);
	physmem_free(&a.mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		run_tables(data + 1, size - 1);
	else
		run_memory(data + 1, size - 1);
	return 0;
}
