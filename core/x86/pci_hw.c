// SPDX-License-Identifier: MIT
#include "core/x86/pci.h"

#include "core/x86/insn.h"

/* PCI 3.0, 3.2.2.3.2: configuration mechanism 1. */
#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc

static u32 port_read32(void *ctx, u16 addr, u16 reg)
{
	outl(CONFIG_ADDRESS, (u32)BIT(31) | (u32)addr << 8 | (reg & 0xfc));
	return inl(CONFIG_DATA);
}

static void port_write32(void *ctx, u16 addr, u16 reg, u32 val)
{
	outl(CONFIG_ADDRESS, (u32)BIT(31) | (u32)addr << 8 | (reg & 0xfc));
	outl(CONFIG_DATA, val);
}

/* PCI Express 7.2.2: 4 KiB for each function; ctx is where bus 0 would be. */
static u32 ecam_read32(void *ctx, u16 addr, u16 reg)
{
	return mmio_read32((u64)ctx + ((u64)addr << 12) + (reg & 0xffc));
}

static void ecam_write32(void *ctx, u16 addr, u16 reg, u32 val)
{
	mmio_write32((u64)ctx + ((u64)addr << 12) + (reg & 0xffc), val);
}

void pci_hw_init(struct pci_access *a, u64 ecam_va, u8 first_bus, u8 last_bus)
{
	u16 first = PCI_ADDR(first_bus, 0, 0);

	*a = (struct pci_access){
		.read32 = port_read32, .write32 = port_write32, .first_bus = 0, .last_bus = 255,
	};
	/* Firmware's table may be wrong, or the decoder switched off. */
	if (!ecam_va || ecam_read32((void *)ecam_va, first, 0) != port_read32(NULL, first, 0))
		return;
	*a = (struct pci_access){
		.read32 = ecam_read32, .write32 = ecam_write32, .ctx = (void *)ecam_va,
		.first_bus = first_bus, .last_bus = last_bus,
	};
}
