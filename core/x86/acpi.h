/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables that a hypervisor needs, read once into plain arrays (ACPI
 * 6.5).  Pure.  A table with a bad checksum or an impossible length is left
 * out with a message; a field whose flag or width is senseless reads as absent.
 */
#ifndef CORE_X86_ACPI_H
#define CORE_X86_ACPI_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/lib/physview.h"

#define ACPI_MAX_TABLES		64
#define ACPI_MAX_CPUS		512
#define ACPI_MAX_IOAPICS	32
#define ACPI_MAX_ISOS		32
#define ACPI_MAX_NMIS		32
#define ACPI_MAX_MCFG		16
#define ACPI_MAX_SERIAL		4

/* ACPI 5.2.3.2: Generic Address Structure. */
enum acpi_space {
	ACPI_SPACE_MEMORY = 0,
	ACPI_SPACE_IO = 1,
	ACPI_SPACE_PCI = 2,	/* address: dev << 32 | fn << 16 | offset */
};

struct acpi_gas {
	u8 space;		/* enum acpi_space */
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;		/* 0 undefined, 1 byte, 2 word, 3 dword, 4 qword */
	u64 address;		/* 0: the register does not exist */
};

struct acpi_table {
	char signature[5];	/* terminated */
	u8 revision;
	u32 length;
	u64 pa;
};

/* ACPI 5.2.12.2 and .12; entries that can never run are left out. */
struct acpi_cpu {
	u32 apic_id;
	u32 uid;
	bool enabled;		/* else online-capable: may appear later */
};

struct acpi_ioapic {
	u8 id;
	u32 address;
	u32 gsi_base;
};

/* MPS INTI flags (ACPI 5.2.12.5): bits 1:0 polarity, 3:2 trigger mode. */
#define ACPI_INTI_POLARITY	0x3
#define ACPI_INTI_ACTIVE_LOW	0x3
#define ACPI_INTI_TRIGGER	0xc
#define ACPI_INTI_LEVEL		0xc

/* Interrupt source override: ISA irq is wired to gsi. */
struct acpi_iso {
	u8 irq;
	u16 flags;
	u32 gsi;
};

/* NMI wired to an I/O APIC input. */
struct acpi_nmi_source {
	u16 flags;
	u32 gsi;
};

#define ACPI_UID_ALL	0xffffffff

/* NMI wired to LINT0 or LINT1 of the CPU with this uid. */
struct acpi_lapic_nmi {
	u32 uid;		/* or ACPI_UID_ALL */
	u16 flags;
	u8 lint;
};

struct acpi_madt {
	bool present;
	bool pcat_compat;	/* two 8259s exist and must be masked */
	u64 lapic_address;	/* after an override entry */
	u32 n_cpus, n_ioapics, n_isos, n_nmi_sources, n_lapic_nmis;
	struct acpi_cpu cpus[ACPI_MAX_CPUS];
	struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
	struct acpi_iso isos[ACPI_MAX_ISOS];
	struct acpi_nmi_source nmi_sources[ACPI_MAX_NMIS];
	struct acpi_lapic_nmi lapic_nmis[ACPI_MAX_NMIS];
};

/* ACPI 5.2.9. */
struct acpi_fadt {
	bool present;
	bool hw_reduced;	/* no PM1 registers; sleep_control instead */
	bool no_8042;		/* IAPC_BOOT_ARCH says so (revision 3 on) */
	bool no_vga;
	u16 sci_irq;		/* ISA number or GSI */
	u32 smi_cmd;		/* port; 0: already in ACPI mode */
	u8 acpi_enable;		/* value for smi_cmd */
	struct acpi_gas pm1a_cnt, pm1b_cnt;	/* address 0: absent */
	struct acpi_gas pm_timer;		/* address 0: absent */
	bool pm_timer_32bit;			/* else 24 bits count */
	bool reset_valid;			/* flag set and register usable */
	struct acpi_gas reset_reg;
	u8 reset_value;
	struct acpi_gas sleep_control, sleep_status;
	u64 dsdt;
	/* \_S5_: values for SLP_TYP of PM1a and PM1b (ACPI 4.8.3.2.1). */
	bool s5_valid;
	u8 s5_typ_a, s5_typ_b;
};

/* SPCR, or one 16550-like port of DBG2. */
struct acpi_serial {
	u8 interface_type;	/* 0: 16550, 1: 16450, 0x12: 16550 by GAS */
	struct acpi_gas reg;
	u8 baud_code;		/* SPCR: 0 as firmware set it, 3 9600 .. 7 115200 */
	u32 baud;		/* SPCR revision 4's precise rate, or 0 */
	u8 irq_type;		/* SPCR: bit 0 8259 irq, bit 1 I/O APIC gsi */
	u8 irq;
	u32 gsi;
	u16 pci_device, pci_vendor;	/* 0xffff: no PCI device */
	u8 pci_bus, pci_dev, pci_fn, pci_segment;
};

/* PCI firmware specification 3.3, 4.1.2. */
struct acpi_mcfg {
	u64 base;		/* of bus 0 of the segment, even if first_bus > 0 */
	u16 segment;
	u8 first_bus, last_bus;
};

/* IA-PC HPET specification 1.0a, 3.2.4. */
struct acpi_hpet {
	bool present;
	u64 address;
	u16 min_tick;
	u8 number;
	u8 comparators;		/* number of the last one */
};

struct acpi_info {
	u8 revision;		/* of the RSDP: 0 ACPI 1.0, 2 and up */
	char oem_id[7];
	u32 n_tables;
	struct acpi_table tables[ACPI_MAX_TABLES];	/* good ones only */
	struct acpi_madt madt;
	struct acpi_fadt fadt;
	bool has_spcr;
	struct acpi_serial spcr;
	u32 n_dbg2;
	struct acpi_serial dbg2[ACPI_MAX_SERIAL];
	u32 n_mcfg;
	struct acpi_mcfg mcfg[ACPI_MAX_MCFG];
	struct acpi_hpet hpet;
};

/* Is this a good RSDP (ACPI 5.2.5.3)?  len: bytes that can be read. */
bool acpi_rsdp_valid(const void *rsdp, size_t len);

/*
 * Looks where a BIOS leaves the RSDP: first KiB of the EBDA, then 0xe0000 to
 * 0xfffff (ACPI 5.2.5.1).  Returns its physical address or 0.
 */
u64 acpi_find_rsdp(const struct phys_view *view);

/*
 * Reads all tables.  rsdp points to len bytes of an RSDP (mapped, or a boot
 * loader's copy).  Returns 0; -EINVAL when the RSDP is bad or neither root
 * table can be read (info is then valid but empty).  info is large: not for
 * the stack.
 */
int __must_check acpi_parse(const void *rsdp, size_t len, const struct phys_view *view,
			    struct acpi_info *info, const struct diag *d);

/* The first good table with this signature, or NULL. */
const struct acpi_table *acpi_find_table(const struct acpi_info *info, const char *signature);

#endif
