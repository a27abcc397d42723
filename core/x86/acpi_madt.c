// SPDX-License-Identifier: MIT
/* Multiple APIC Description Table: ACPI 5.2.12. */
#include "core/lib/string.h"
#include "core/x86/acpi_read.h"

#define MADT_ENABLED		BIT(0)
#define MADT_ONLINE_CAPABLE	BIT(1)

static void add_cpu(struct acpi_reader *r, u32 apic_id, u32 uid, u32 flags)
{
	struct acpi_madt *m = &r->info->madt;
	u32 i;

	if (!(flags & (MADT_ENABLED | MADT_ONLINE_CAPABLE)))
		return;
	for (i = 0; i < m->n_cpus; i++) {
		if (m->cpus[i].apic_id == apic_id) {
			diag_printf(r->d, "acpi: MADT has APIC id %u twice, second ignored",
				    apic_id);
			return;
		}
	}
	if (m->n_cpus == ACPI_MAX_CPUS) {
		diag_printf(r->d, "acpi: MADT has more than %d CPUs, APIC id %u ignored",
			    ACPI_MAX_CPUS, apic_id);
		return;
	}
	m->cpus[m->n_cpus++] = (struct acpi_cpu){ apic_id, uid, flags & MADT_ENABLED };
}

/* ACPI 5.2.12.2.  SDM3 11.6.2.1: 0xff is the broadcast id. */
static void read_lapic(struct acpi_reader *r, const u8 *e)
{
	if (e[3] != 0xff)
		add_cpu(r, e[3], e[2], get_le32(e + 4));
}

/* ACPI 5.2.12.12 */
static void read_x2apic(struct acpi_reader *r, const u8 *e)
{
	if (get_le32(e + 4) != 0xffffffff)
		add_cpu(r, get_le32(e + 4), get_le32(e + 12), get_le32(e + 8));
}

/* ACPI 5.2.12.3 */
static void read_ioapic(struct acpi_reader *r, const u8 *e)
{
	struct acpi_madt *m = &r->info->madt;
	struct acpi_ioapic io = { e[2], get_le32(e + 4), get_le32(e + 8) };

	if (!io.address || m->n_ioapics == ACPI_MAX_IOAPICS)
		diag_printf(r->d, "acpi: I/O APIC %u at 0x%x ignored", io.id, io.address);
	else
		m->ioapics[m->n_ioapics++] = io;
}

/* ACPI 5.2.12.5: only the ISA bus has overrides. */
static void read_iso(struct acpi_reader *r, const u8 *e)
{
	struct acpi_madt *m = &r->info->madt;
	struct acpi_iso iso = { .irq = e[3], .gsi = get_le32(e + 4), .flags = get_le16(e + 8) };

	if (e[2] || iso.irq > 15 || m->n_isos == ACPI_MAX_ISOS)
		diag_printf(r->d, "acpi: override of bus %u irq %u ignored", e[2], iso.irq);
	else
		m->isos[m->n_isos++] = iso;
}

/* ACPI 5.2.12.6 */
static void read_nmi_source(struct acpi_reader *r, const u8 *e)
{
	struct acpi_madt *m = &r->info->madt;

	if (m->n_nmi_sources < ACPI_MAX_NMIS)
		m->nmi_sources[m->n_nmi_sources++] =
			(struct acpi_nmi_source){ get_le16(e + 2), get_le32(e + 4) };
}

static void add_lapic_nmi(struct acpi_reader *r, u32 uid, u16 flags, u8 lint)
{
	struct acpi_madt *m = &r->info->madt;

	if (lint > 1)
		diag_printf(r->d, "acpi: NMI at LINT%u ignored", lint);
	else if (m->n_lapic_nmis < ACPI_MAX_NMIS)
		m->lapic_nmis[m->n_lapic_nmis++] = (struct acpi_lapic_nmi){ uid, flags, lint };
}

/* ACPI 5.2.12.7 */
static void read_lapic_nmi(struct acpi_reader *r, const u8 *e)
{
	add_lapic_nmi(r, e[2] == 0xff ? ACPI_UID_ALL : e[2], get_le16(e + 3), e[5]);
}

/* ACPI 5.2.12.13 */
static void read_x2apic_nmi(struct acpi_reader *r, const u8 *e)
{
	add_lapic_nmi(r, get_le32(e + 4), get_le16(e + 2), e[8]);
}

/* ACPI 5.2.12.8 */
static void read_lapic_override(struct acpi_reader *r, const u8 *e)
{
	r->info->madt.lapic_address = get_le64(e + 4);
}

/* clang-format off */
static const struct {
	u8 type, len;
	void (*read)(struct acpi_reader *r, const u8 *e);
} entry_readers[] = {
	/* type	length	reader */
	{ 0,	8,	read_lapic },
	{ 1,	12,	read_ioapic },
	{ 2,	10,	read_iso },
	{ 3,	8,	read_nmi_source },
	{ 4,	6,	read_lapic_nmi },
	{ 5,	12,	read_lapic_override },
	{ 9,	16,	read_x2apic },
	{ 10,	12,	read_x2apic_nmi },
};
/* clang-format on */

static void read_entry(struct acpi_reader *r, const u8 *e)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(entry_readers); i++) {
		if (entry_readers[i].type != e[0])
			continue;
		if (e[1] < entry_readers[i].len)
			diag_printf(r->d, "acpi: MADT entry type %u has only %u bytes, ignored",
				    e[0], e[1]);
		else
			entry_readers[i].read(r, e);
	}
}

void acpi_read_madt(struct acpi_reader *r, const u8 *table, u32 len)
{
	struct acpi_madt *m = &r->info->madt;
	u32 at;

	m->present = true;
	m->lapic_address = get_le32(table + 36);
	m->pcat_compat = get_le32(table + 40) & 1;
	for (at = ACPI_MADT_MIN; len - at >= 2; at += table[at + 1]) {
		if (table[at + 1] < 2 || table[at + 1] > len - at) {
			diag_printf(r->d, "acpi: MADT entry of %u bytes at offset %u, the rest is "
				    "ignored", table[at + 1], at);
			return;
		}
		read_entry(r, table + at);
	}
}
