// SPDX-License-Identifier: MIT
/* Fixed ACPI Description Table (ACPI 5.2.9) and the search for \_S5. */
#include "core/lib/string.h"
#include "core/x86/acpi_read.h"

/* ACPI table 5.9: offsets. */
enum {
	FADT_DSDT = 40,
	FADT_SCI_INT = 46,
	FADT_SMI_CMD = 48,
	FADT_ACPI_ENABLE = 52,
	FADT_PM1A_CNT = 64,
	FADT_PM1B_CNT = 68,
	FADT_PM_TMR = 76,
	FADT_PM1_CNT_LEN = 89,
	FADT_PM_TMR_LEN = 91,
	FADT_IAPC_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM1B_CNT = 184,
	FADT_X_PM_TMR = 208,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256,
};

#define FADT_TMR_VAL_EXT	BIT(8)
#define FADT_RESET_REG_SUP	BIT(10)
#define FADT_HW_REDUCED		BIT(20)

#define BOOT_ARCH_8042		BIT(1)
#define BOOT_ARCH_NO_VGA	BIT(2)

/* A GAS that the table may be too short for; unusable ones read as absent. */
static struct acpi_gas gas_at(const u8 *table, u32 len, u32 at)
{
	struct acpi_gas gas = { 0 };

	if (len < at + ACPI_GAS_SIZE)
		return gas;
	gas = acpi_get_gas(table + at);
	if (!acpi_gas_usable(&gas))
		memset(&gas, 0, sizeof(gas));
	return gas;
}

/*
 * A register block: the extended address counts (ACPI 5.2.9), but firmware
 * exists that leaves it 0 or senseless; then the 32-bit port.
 */
static struct acpi_gas block_at(const u8 *table, u32 len, u32 x_at, u32 at, u8 bytes)
{
	struct acpi_gas gas = gas_at(table, len, x_at);

	if (gas.address)
		return gas;
	gas.space = ACPI_SPACE_IO;
	gas.bit_width = (u8)(bytes * 8);
	gas.address = get_le32(table + at);
	if (!bytes || !acpi_gas_usable(&gas))
		memset(&gas, 0, sizeof(gas));
	return gas;
}

void acpi_read_fadt(struct acpi_reader *r, const u8 *table, u32 len)
{
	struct acpi_fadt *f = &r->info->fadt;
	u32 flags = get_le32(table + FADT_FLAGS);
	u16 arch = get_le16(table + FADT_IAPC_BOOT_ARCH);
	u8 pm1_cnt_len = table[FADT_PM1_CNT_LEN];

	f->present = true;
	f->dsdt = get_le32(table + FADT_DSDT);
	if (len >= FADT_X_DSDT + 8 && get_le64(table + FADT_X_DSDT))
		f->dsdt = get_le64(table + FADT_X_DSDT);
	f->sci_irq = get_le16(table + FADT_SCI_INT);
	f->smi_cmd = get_le32(table + FADT_SMI_CMD);
	f->acpi_enable = table[FADT_ACPI_ENABLE];
	f->hw_reduced = flags & FADT_HW_REDUCED;
	/* In ACPI 1.0 these bits are reserved: nothing is said. */
	f->no_8042 = table[8] >= 3 && !(arch & BOOT_ARCH_8042);
	f->no_vga = table[8] >= 3 && (arch & BOOT_ARCH_NO_VGA);
	if (!f->hw_reduced) {
		f->pm1a_cnt = block_at(table, len, FADT_X_PM1A_CNT, FADT_PM1A_CNT, pm1_cnt_len);
		f->pm1b_cnt = block_at(table, len, FADT_X_PM1B_CNT, FADT_PM1B_CNT, pm1_cnt_len);
		f->pm_timer = block_at(table, len, FADT_X_PM_TMR, FADT_PM_TMR,
				       table[FADT_PM_TMR_LEN] == 4 ? 4 : 0);
	}
	f->pm_timer_32bit = flags & FADT_TMR_VAL_EXT;
	f->sleep_control = gas_at(table, len, FADT_SLEEP_CONTROL);
	f->sleep_status = gas_at(table, len, FADT_SLEEP_STATUS);
	/* ACPI 4.8.3.6: an 8-bit register. */
	f->reset_reg = gas_at(table, len, FADT_RESET_REG);
	f->reset_valid = (flags & FADT_RESET_REG_SUP) && len > FADT_RESET_VALUE &&
			 f->reset_reg.address;
	if (f->reset_valid)
		f->reset_value = table[FADT_RESET_VALUE];
	else
		memset(&f->reset_reg, 0, sizeof(f->reset_reg));
}

/* AML bytes: ACPI 20.3. */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};

struct aml {
	const u8 *p, *end;
};

/* ACPI 20.2.4: length from its own first byte on; moves to the contents. */
static bool aml_pkg_length(struct aml *a)
{
	const u8 *start = a->p;
	u32 extra, len, i;

	if (a->p == a->end)
		return false;
	extra = *a->p >> 6;
	len = extra ? *a->p & 0xf : *a->p & 0x3f;
	if ((size_t)(a->end - a->p) <= extra)
		return false;
	for (i = 0; i < extra; i++)
		len |= (u32)a->p[1 + i] << (4 + 8 * i);
	a->p += 1 + extra;
	if (len > (size_t)(a->end - start) || start + len < a->p)
		return false;
	a->end = start + len;
	return true;
}

/* An integer constant of at most 4 bytes. */
static bool aml_integer(struct aml *a, u32 *v)
{
	u32 bytes, i;
	u8 op;

	if (a->p == a->end)
		return false;
	op = *a->p++;
	*v = op;
	if (op == AML_ZERO || op == AML_ONE)
		return true;
	if (op < AML_BYTE || op > AML_DWORD)
		return false;
	bytes = 1U << (op - AML_BYTE);
	if ((size_t)(a->end - a->p) < bytes)
		return false;
	for (*v = 0, i = 0; i < bytes; i++)
		*v |= (u32)*a->p++ << (8 * i);
	return true;
}

/* At the PackageOp behind the name. */
static bool read_s5(struct aml a, u8 *typ_a, u8 *typ_b)
{
	u32 va, vb = 0, count;

	if (a.p == a.end || *a.p++ != AML_PACKAGE || !aml_pkg_length(&a) || a.p == a.end)
		return false;
	count = *a.p++;
	if (!count || !aml_integer(&a, &va))
		return false;
	if (count == 1) {
		/* Seen in the field: both values in one integer. */
		vb = va >> 8 & 0xff;
		va &= 0xff;
	} else if (!aml_integer(&a, &vb)) {
		return false;
	}
	/* ACPI 4.8.3.2.1: SLP_TYPx has three bits. */
	if (va > 7 || vb > 7)
		return false;
	*typ_a = (u8)va;
	*typ_b = (u8)vb;
	return true;
}

/*
 * A scan and not an interpreter: NameOp, perhaps a root prefix, the name and
 * a package of constants do not turn up by chance.
 */
int acpi_aml_find_s5(const u8 *aml, u32 len, u8 *typ_a, u8 *typ_b)
{
	u32 i;

	for (i = 1; i + 4 <= len; i++) {
		struct aml a = { aml + i + 4, aml + len };

		if (aml[i] != '_' || memcmp(aml + i, "_S5_", 4))
			continue;
		if (aml[i - 1] != AML_NAME &&
		    !(i >= 2 && aml[i - 1] == AML_ROOT && aml[i - 2] == AML_NAME))
			continue;
		if (read_s5(a, typ_a, typ_b))
			return 0;
	}
	return -ENOENT;
}
