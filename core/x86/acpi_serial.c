// SPDX-License-Identifier: MIT
/*
 * Where the firmware's console or debug port is: Serial Port Console
 * Redirection Table revision 4 and Debug Port Table 2.
 */
#include "core/x86/acpi_read.h"

#define NO_PCI_DEVICE	0xffff

void acpi_read_spcr(struct acpi_reader *r, const u8 *table, u32 len)
{
	struct acpi_serial s = {
		.interface_type = table[36],
		.reg = acpi_get_gas(table + 40),
		.irq_type = table[52],
		.irq = table[53],
		.gsi = get_le32(table + 54),
		.baud_code = table[58],
		.pci_device = get_le16(table + 64),
		.pci_vendor = get_le16(table + 66),
		.pci_bus = table[68],
		.pci_dev = table[69],
		.pci_fn = table[70],
		.pci_segment = table[75],
	};

	/* Revision 4: the exact rate in bits per second. */
	if (table[8] >= 4 && len >= 84)
		s.baud = get_le32(table + 80);
	/* An address of 0 says that redirection is off. */
	if (!s.reg.address)
		return;
	if (!acpi_gas_usable(&s.reg) || s.reg.space == ACPI_SPACE_PCI) {
		diag_printf(r->d, "acpi: SPCR with register in space %u at 0x%llx ignored",
			    s.reg.space, (unsigned long long)s.reg.address);
		return;
	}
	r->info->spcr = s;
	r->info->has_spcr = true;
}

#define DBG2_DEVICE_SIZE	22
#define DBG2_SERIAL		0x8000

static void read_dbg2_device(struct acpi_reader *r, const u8 *dev, u32 len)
{
	struct acpi_info *info = r->info;
	u16 gas_at = get_le16(dev + 18);
	struct acpi_serial s = {
		.interface_type = (u8)get_le16(dev + 14),
		.pci_device = NO_PCI_DEVICE,
		.pci_vendor = NO_PCI_DEVICE,
	};

	/* Other kinds of debug port (USB, network) and UARTs above 255. */
	if (get_le16(dev + 12) != DBG2_SERIAL || get_le16(dev + 14) > 0xff)
		return;
	if (!dev[3] || gas_at < DBG2_DEVICE_SIZE || (u32)gas_at + ACPI_GAS_SIZE > len) {
		diag_printf(r->d, "acpi: DBG2 port without a register ignored");
		return;
	}
	s.reg = acpi_get_gas(dev + gas_at);
	if (!acpi_gas_usable(&s.reg) || s.reg.space == ACPI_SPACE_PCI)
		diag_printf(r->d, "acpi: DBG2 port in space %u at 0x%llx ignored", s.reg.space,
			    (unsigned long long)s.reg.address);
	else if (info->n_dbg2 < ACPI_MAX_SERIAL)
		info->dbg2[info->n_dbg2++] = s;
}

void acpi_read_dbg2(struct acpi_reader *r, const u8 *table, u32 len)
{
	u32 at = get_le32(table + 36), left = get_le32(table + 40);

	for (; left; left--) {
		u16 size;

		if (at > len || len - at < DBG2_DEVICE_SIZE)
			break;
		size = get_le16(table + at + 1);
		if (size < DBG2_DEVICE_SIZE || size > len - at)
			break;
		read_dbg2_device(r, table + at, size);
		at += size;
	}
	if (left)
		diag_printf(r->d, "acpi: DBG2 ends before its last %u ports", left);
}
