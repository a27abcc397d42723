// SPDX-License-Identifier: MIT
/* PCI Local Bus 3.0 chapter 6; PCI-to-PCI Bridge 1.2 chapter 3. */
#include "core/x86/pci.h"

#include "core/lib/string.h"

#define REG_ID		0x00
#define REG_COMMAND	0x04
#define REG_CLASS	0x08
#define REG_HEADER	0x0c
#define REG_BAR0	0x10
#define REG_BUSES	0x18

#define COMMAND_DECODE	0x3u		/* memory and I/O space */
#define HEADER_MULTI	0x80
#define HEADER_BRIDGE	1

#define BAR_IO		0x1u
#define BAR_TYPE	0x6u
#define BAR_TYPE_64	0x4u
#define BAR_PREFETCH	0x8u
#define BAR_IO_MASK	0x3u
#define BAR_MEM_MASK	0xfu

static u32 read32(const struct pci_access *a, u16 addr, u16 reg)
{
	return a->read32(a->ctx, addr, reg);
}

/* 0, ~0 and the two in between are what empty slots give (6.1). */
static bool exists(u32 id)
{
	u16 vendor = (u16)id;

	return vendor != 0xffff && vendor != 0;
}

static void add_function(const struct pci_access *a, struct pci_list *list, u16 addr, u32 id,
			 u8 header)
{
	u32 class = read32(a, addr, REG_CLASS);
	struct pci_dev *d;

	if (list->count == PCI_MAX_DEVS) {
		list->dropped++;
		return;
	}
	d = &list->dev[list->count++];
	*d = (struct pci_dev){
		.addr = addr, .vendor = (u16)id, .device = (u16)(id >> 16),
		.class_code = (u8)(class >> 24), .subclass = (u8)(class >> 16),
		.prog_if = (u8)(class >> 8), .revision = (u8)class,
		.header_type = header & (u8)~HEADER_MULTI,
	};
	if (d->header_type == HEADER_BRIDGE)
		d->secondary_bus = (u8)(read32(a, addr, REG_BUSES) >> 8);
}

static void scan_device(const struct pci_access *a, struct pci_list *list, u8 bus, u8 dev)
{
	u8 header = 0;

	for (u8 fn = 0; fn < 8; fn++) {
		u16 addr = PCI_ADDR(bus, dev, fn);
		u32 id = read32(a, addr, REG_ID);
		u8 h;

		/* 3.2.2.3.4: a device has function 0, or nothing. */
		if (!exists(id) && !fn)
			return;
		if (!exists(id))
			continue;
		h = (u8)(read32(a, addr, REG_HEADER) >> 16);
		if (!fn)
			header = h;
		add_function(a, list, addr, id, h);
		if (!(header & HEADER_MULTI))
			return;
	}
}

/*
 * All bus numbers are tried instead of following bridges: further host
 * bridges have buses that no bridge leads to.
 */
void pci_enumerate(const struct pci_access *a, struct pci_list *list)
{
	memset(list, 0, sizeof(*list));
	for (u32 bus = a->first_bus; bus <= a->last_bus; bus++)
		for (u8 dev = 0; dev < 32; dev++)
			scan_device(a, list, (u8)bus, dev);
}

const struct pci_dev *pci_find_class(const struct pci_list *list, u8 class_code, u8 subclass,
				     u32 *from)
{
	while (*from < list->count) {
		const struct pci_dev *d = &list->dev[(*from)++];

		if (d->class_code == class_code && d->subclass == subclass)
			return d;
	}
	return NULL;
}

const struct pci_dev *pci_find_addr(const struct pci_list *list, u16 addr)
{
	for (u32 i = 0; i < list->count; i++)
		if (list->dev[i].addr == addr)
			return &list->dev[i];
	return NULL;
}

static u32 bar_count(const struct pci_dev *d)
{
	static const u8 count[] = { 6, 2, 1 };

	return d->header_type < ARRAY_SIZE(count) ? count[d->header_type] : 0;
}

/* Whether BAR n is the upper half of the 64-bit BAR below it. */
static bool is_upper_half(const struct pci_access *a, const struct pci_dev *d, u32 n)
{
	bool upper = false;

	for (u32 i = 0; i < n; i++) {
		u32 v = read32(a, d->addr, (u16)(REG_BAR0 + 4 * i));

		upper = !upper && !(v & BAR_IO) && (v & BAR_TYPE) == BAR_TYPE_64;
	}
	return upper;
}

int pci_bar_read(const struct pci_access *a, const struct pci_dev *d, u32 n, struct pci_bar *bar)
{
	u16 reg = (u16)(REG_BAR0 + 4 * n);
	u32 v;

	memset(bar, 0, sizeof(*bar));
	if (n >= bar_count(d) || is_upper_half(a, d, n))
		return -EINVAL;
	v = read32(a, d->addr, reg);
	bar->io = v & BAR_IO;
	if (bar->io) {
		bar->addr = v & ~BAR_IO_MASK;
		return bar->addr ? 0 : -ENODEV;
	}
	bar->is64 = (v & BAR_TYPE) == BAR_TYPE_64;
	bar->prefetch = v & BAR_PREFETCH;
	bar->addr = v & ~BAR_MEM_MASK;
	if (bar->is64) {
		if (n + 1 >= bar_count(d))
			return -EINVAL;
		bar->addr |= (u64)read32(a, d->addr, reg + 4) << 32;
	}
	return bar->addr ? 0 : -ENODEV;
}

int pci_bar_size(const struct pci_access *a, const struct pci_dev *d, u32 n, struct pci_bar *bar)
{
	u16 reg = (u16)(REG_BAR0 + 4 * n);
	u32 command, low, high = 0;
	u64 mask;
	int err = pci_bar_read(a, d, n, bar);

	if (err == -EINVAL)
		return err;
	/* 6.2.5.1: all ones written, the address bits that stick tell the size. */
	command = read32(a, d->addr, REG_COMMAND);
	a->write32(a->ctx, d->addr, REG_COMMAND, command & 0xffff & ~COMMAND_DECODE);
	low = read32(a, d->addr, reg);
	a->write32(a->ctx, d->addr, reg, ~0u);
	mask = read32(a, d->addr, reg) & (bar->io ? ~BAR_IO_MASK : ~BAR_MEM_MASK);
	a->write32(a->ctx, d->addr, reg, low);
	if (bar->is64) {
		high = read32(a, d->addr, reg + 4);
		a->write32(a->ctx, d->addr, reg + 4, ~0u);
		mask |= (u64)read32(a, d->addr, reg + 4) << 32;
		a->write32(a->ctx, d->addr, reg + 4, high);
	}
	a->write32(a->ctx, d->addr, REG_COMMAND, command & 0xffff);
	bar->size = mask & (~mask + 1);
	return err;
}

void pci_enable(const struct pci_access *a, const struct pci_dev *d)
{
	u32 command = read32(a, d->addr, REG_COMMAND) & 0xffff;

	/* The upper half is the status register: ones would clear bits there. */
	a->write32(a->ctx, d->addr, REG_COMMAND, command | COMMAND_DECODE);
}

const char *pci_class_name(u8 class_code)
{
	/* PCI Code and ID Assignment 1.11, chapter 1. */
	static const char *const name[] = {
		"old", "storage", "network", "display", "multimedia", "memory", "bridge",
		"communication", "system", "input", "docking", "processor", "serial bus",
		"wireless", "intelligent", "satellite", "encryption", "signal processing",
		"accelerator", "instrumentation",
	};

	return class_code < ARRAY_SIZE(name) ? name[class_code] : "other";
}
