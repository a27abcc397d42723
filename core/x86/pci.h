/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space: enumeration and BARs over an access callback
 * (pure), and the accesses of the machine (pci_hw.c).
 */
#ifndef CORE_X86_PCI_H
#define CORE_X86_PCI_H

#include "core/lib/base.h"

#define PCI_MAX_DEVS	256
#define PCI_ADDR(bus, dev, fn)	((u16)((bus) << 8 | (dev) << 3 | (fn)))
#define PCI_BUS(a)	((u8)((a) >> 8))
#define PCI_DEV(a)	((u8)((a) >> 3 & 0x1f))
#define PCI_FN(a)	((u8)((a) & 7))

/* reg is 4-aligned; reads of absent functions give ~0. */
struct pci_access {
	u32 (*read32)(void *ctx, u16 addr, u16 reg);
	void (*write32)(void *ctx, u16 addr, u16 reg, u32 val);
	void *ctx;
	u8 first_bus, last_bus;
};

struct pci_dev {
	u16 addr;		/* PCI_ADDR */
	u16 vendor, device;
	u8 class_code, subclass, prog_if, revision;
	u8 header_type;		/* without the multifunction bit */
	u8 secondary_bus;	/* bridges */
};

struct pci_list {
	u32 count;
	u32 dropped;		/* did not fit */
	struct pci_dev dev[PCI_MAX_DEVS];
};

struct pci_bar {
	bool io, is64, prefetch;
	u64 addr;
	u64 size;		/* only from pci_bar_size, else 0 */
};

/* All functions behind the host bridges, each bus once, in address order. */
void pci_enumerate(const struct pci_access *a, struct pci_list *list);

/* First match behind index *from, which it advances; NULL at the end. */
const struct pci_dev *pci_find_class(const struct pci_list *list, u8 class_code, u8 subclass,
				     u32 *from);
const struct pci_dev *pci_find_addr(const struct pci_list *list, u16 addr);

/* Decodes BAR n.  0, -ENODEV (not implemented or unassigned), -EINVAL. */
int __must_check pci_bar_read(const struct pci_access *a, const struct pci_dev *d, u32 n,
			      struct pci_bar *bar);

/* As pci_bar_read, and finds the size: turns decoding off for a moment. */
int __must_check pci_bar_size(const struct pci_access *a, const struct pci_dev *d, u32 n,
			      struct pci_bar *bar);

/* Makes the device answer at its BARs, which firmware may have left off. */
void pci_enable(const struct pci_access *a, const struct pci_dev *d);

/* "display", "network", ...: name of a base class. */
const char *pci_class_name(u8 class_code);

/*
 * The machine's own accesses: ECAM, mapped so that bus b is at ecam_va + (b <<
 * 20), when it agrees with the ports about the host bridge; else (and for
 * ecam_va 0) ports CF8/CFC and buses 0..255.
 */
void pci_hw_init(struct pci_access *a, u64 ecam_va, u8 first_bus, u8 last_bus);

#endif
