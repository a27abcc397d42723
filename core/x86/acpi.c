// SPDX-License-Identifier: MIT
#include "core/x86/acpi.h"

#include "core/lib/string.h"
#include "core/x86/acpi_read.h"

#define RSDP_V1_SIZE	20
#define RSDP_V2_SIZE	36

/* ACPI 5.2.5.3: offsets in the RSDP. */
#define RSDP_OEM_ID	9
#define RSDP_REVISION	15
#define RSDP_RSDT	16
#define RSDP_LENGTH	20
#define RSDP_XSDT	24

static u8 sum_bytes(const u8 *p, size_t n)
{
	u8 sum = 0;

	while (n--)
		sum = (u8)(sum + *p++);
	return sum;
}

static bool rsdp_has_xsdt(const u8 *rsdp, size_t len)
{
	return rsdp[RSDP_REVISION] >= 2 && len >= RSDP_V2_SIZE;
}

bool acpi_rsdp_valid(const void *rsdp, size_t len)
{
	const u8 *p = rsdp;
	u32 length;

	if (len < RSDP_V1_SIZE || memcmp(p, "RSD PTR ", 8) || sum_bytes(p, RSDP_V1_SIZE))
		return false;
	if (!rsdp_has_xsdt(p, len))
		return true;
	length = get_le32(p + RSDP_LENGTH);
	return length >= RSDP_V2_SIZE && length <= len && !sum_bytes(p, length);
}

static u64 scan_for_rsdp(const struct phys_view *view, u64 pa, u64 size)
{
	const u8 *p = phys_map(view, pa, size);
	u64 at;

	/* ACPI 5.2.5.1: on a 16-byte boundary. */
	for (at = 0; p && at < size; at += 16) {
		if (acpi_rsdp_valid(p + at, size - at))
			return pa + at;
	}
	return 0;
}

u64 acpi_find_rsdp(const struct phys_view *view)
{
	/* BIOS data area: segment of the extended BIOS data area. */
	const u8 *bda = phys_map(view, 0x40e, 2);
	u64 ebda = bda ? (u64)get_le16(bda) << 4 : 0;
	u64 found = 0;

	if (ebda >= 0x500 && ebda <= 0xa0000 - 1024)
		found = scan_for_rsdp(view, ebda, 1024);
	return found ? found : scan_for_rsdp(view, 0xe0000, 0x20000);
}

struct acpi_gas acpi_get_gas(const u8 *raw)
{
	return (struct acpi_gas){
		.space = raw[0],
		.bit_width = raw[1],
		.bit_offset = raw[2],
		.access_size = raw[3],
		.address = get_le64(raw + 4),
	};
}

bool acpi_gas_usable(const struct acpi_gas *gas)
{
	if (!gas->address || gas->access_size > 4)
		return false;
	return gas->space == ACPI_SPACE_MEMORY || gas->space == ACPI_SPACE_PCI ||
	       (gas->space == ACPI_SPACE_IO && gas->address <= 0xffff);
}

const u8 *acpi_map_table(struct acpi_reader *r, u64 pa, u32 *len)
{
	const u8 *table = phys_map(r->view, pa, ACPI_HEADER_SIZE);

	if (!table) {
		diag_printf(r->d, "acpi: table at 0x%llx cannot be read, ignored",
			    (unsigned long long)pa);
		return NULL;
	}
	*len = get_le32(table + 4);
	if (*len >= ACPI_HEADER_SIZE)
		table = phys_map(r->view, pa, *len);
	if (*len < ACPI_HEADER_SIZE || !table) {
		diag_printf(r->d, "acpi: table at 0x%llx has an impossible length of %u bytes, "
			    "ignored", (unsigned long long)pa, *len);
		return NULL;
	}
	if (sum_bytes(table, *len)) {
		diag_printf(r->d, "acpi: table %.4s at 0x%llx has a bad checksum, ignored",
			    (const char *)table, (unsigned long long)pa);
		return NULL;
	}
	return table;
}

/* PCI firmware specification 3.3, 4.1.2. */
static void read_mcfg(struct acpi_reader *r, const u8 *table, u32 len)
{
	struct acpi_info *info = r->info;
	u32 at;

	for (at = 44; len - at >= 16 && info->n_mcfg < ACPI_MAX_MCFG; at += 16) {
		struct acpi_mcfg m = {
			.base = get_le64(table + at),
			.segment = get_le16(table + at + 8),
			.first_bus = table[at + 10],
			.last_bus = table[at + 11],
		};
		u64 end = m.base + ((u64)m.last_bus + 1) * (1 << 20);

		if (!m.base || m.last_bus < m.first_bus || end < m.base)
			diag_printf(r->d, "acpi: MCFG entry for buses %u to %u at 0x%llx ignored",
				    m.first_bus, m.last_bus, (unsigned long long)m.base);
		else
			info->mcfg[info->n_mcfg++] = m;
	}
}

/* IA-PC HPET specification 1.0a, 3.2.4. */
static void read_hpet(struct acpi_reader *r, const u8 *table, u32 len)
{
	struct acpi_gas gas = acpi_get_gas(table + 40);

	if (gas.space != ACPI_SPACE_MEMORY || !gas.address) {
		diag_printf(r->d, "acpi: HPET not in memory, ignored");
		return;
	}
	r->info->hpet = (struct acpi_hpet){
		.present = true,
		.address = gas.address,
		.comparators = FIELD_GET(get_le32(table + 36), 12, 8),
		.number = table[52],
		.min_tick = get_le16(table + 53),
	};
}

struct table_reader {
	const char *signature;
	u32 min_len;
	void (*read)(struct acpi_reader *r, const u8 *table, u32 len);
};

/* clang-format off */
static const struct table_reader table_readers[] = {
	/* signature	length		reader */
	{ "FACP",	ACPI_FADT_MIN,	acpi_read_fadt },
	{ "APIC",	ACPI_MADT_MIN,	acpi_read_madt },
	{ "SPCR",	ACPI_SPCR_MIN,	acpi_read_spcr },
	{ "DBG2",	ACPI_DBG2_MIN,	acpi_read_dbg2 },
	{ "MCFG",	44,		read_mcfg },
	{ "HPET",	56,		read_hpet },
};
/* clang-format on */

static const struct table_reader *reader_of(const u8 *table)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table_readers); i++) {
		if (!memcmp(table_readers[i].signature, table, 4))
			return &table_readers[i];
	}
	return NULL;
}

static bool is_listed(const struct acpi_info *info, u64 pa)
{
	u32 i;

	for (i = 0; i < info->n_tables; i++) {
		if (info->tables[i].pa == pa)
			return true;
	}
	return false;
}

static void read_table(struct acpi_reader *r, u64 pa)
{
	struct acpi_info *info = r->info;
	const struct table_reader *reader;
	struct acpi_table t = { .pa = pa };
	const u8 *table;

	/* Firmware does list a table twice; null entries exist as well. */
	if (!pa || is_listed(info, pa))
		return;
	table = acpi_map_table(r, pa, &t.length);
	if (!table)
		return;
	memcpy(t.signature, table, 4);
	t.revision = table[8];
	reader = reader_of(table);
	if (reader && acpi_find_table(info, t.signature)) {
		diag_printf(r->d, "acpi: second table %s at 0x%llx ignored", t.signature,
			    (unsigned long long)pa);
		return;
	}
	if (reader && t.length < reader->min_len) {
		diag_printf(r->d, "acpi: table %s has only %u bytes of %u, ignored", t.signature,
			    t.length, reader->min_len);
		return;
	}
	info->tables[info->n_tables++] = t;
	if (reader)
		reader->read(r, table, t.length);
}

/* XSDT (entries of 8 bytes) or RSDT (4); false when it cannot be used. */
static bool read_root(struct acpi_reader *r, u64 pa, const char *signature, u32 entry)
{
	const u8 *root;
	u32 len, at;

	if (!pa)
		return false;
	root = acpi_map_table(r, pa, &len);
	if (!root)
		return false;
	if (memcmp(root, signature, 4)) {
		diag_printf(r->d, "acpi: %.4s where the %s should be, ignored",
			    (const char *)root, signature);
		return false;
	}
	for (at = ACPI_HEADER_SIZE; len - at >= entry; at += entry) {
		if (r->info->n_tables == ACPI_MAX_TABLES) {
			diag_printf(r->d, "acpi: more than %d tables, the rest is ignored",
				    ACPI_MAX_TABLES);
			break;
		}
		read_table(r, entry == 8 ? get_le64(root + at) : get_le32(root + at));
	}
	return true;
}

/* ACPI 7.4.2.6: the DSDT has it, if not some SSDT. */
static void find_s5(struct acpi_reader *r)
{
	struct acpi_info *info = r->info;
	struct acpi_fadt *fadt = &info->fadt;
	u64 pa = fadt->dsdt;
	const u8 *aml;
	u32 len, i = 0;

	for (;;) {
		aml = pa ? acpi_map_table(r, pa, &len) : NULL;
		if (aml && !acpi_aml_find_s5(aml + ACPI_HEADER_SIZE, len - ACPI_HEADER_SIZE,
					     &fadt->s5_typ_a, &fadt->s5_typ_b)) {
			fadt->s5_valid = true;
			return;
		}
		while (i < info->n_tables && strcmp(info->tables[i].signature, "SSDT"))
			i++;
		if (i == info->n_tables)
			return;
		pa = info->tables[i++].pa;
	}
}

int acpi_parse(const void *rsdp, size_t len, const struct phys_view *view,
	       struct acpi_info *info, const struct diag *d)
{
	struct acpi_reader r = { info, view, d };
	const u8 *p = rsdp;
	bool found = false;

	memset(info, 0, sizeof(*info));
	if (!acpi_rsdp_valid(p, len)) {
		diag_printf(d, "acpi: bad RSDP, ACPI is not used");
		return -EINVAL;
	}
	info->revision = p[RSDP_REVISION];
	memcpy(info->oem_id, p + RSDP_OEM_ID, 6);
	if (rsdp_has_xsdt(p, len))
		found = read_root(&r, get_le64(p + RSDP_XSDT), "XSDT", 8);
	if (!found)
		found = read_root(&r, get_le32(p + RSDP_RSDT), "RSDT", 4);
	if (!found) {
		diag_printf(d, "acpi: neither XSDT nor RSDT can be used");
		return -EINVAL;
	}
	find_s5(&r);
	return 0;
}

const struct acpi_table *acpi_find_table(const struct acpi_info *info, const char *signature)
{
	u32 i;

	for (i = 0; i < info->n_tables; i++) {
		if (!strcmp(info->tables[i].signature, signature))
			return &info->tables[i];
	}
	return NULL;
}
