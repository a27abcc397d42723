/* SPDX-License-Identifier: MIT */
/*
 * What firmware leaves in a guest's first MiB.  In its ROM: ACPI tables built
 * from its configuration, and the few instructions that a CPU finds after reset
 * and that serve interrupts in real mode.  In RAM: the vectors that lead there,
 * the BIOS data area, and the FACS, which the guest writes to.  Also the memory
 * map that goes with them.  Pure.
 */
#ifndef CORE_LOAD_GUEST_TABLES_H
#define CORE_LOAD_GUEST_TABLES_H

#include "core/lib/base.h"
#include "core/mm/memmap.h"

#define GUEST_ROM	0xe0000ULL	/* 128 KiB, and again below 4 GiB */
#define GUEST_ROM_SIZE	0x20000ULL
#define GUEST_LOW_SIZE	0xa0000ULL	/* RAM below the hole of the first MiB */
#define GUEST_EBDA	0x9fc00ULL	/* firmware's: its last KiB */
#define GUEST_HIGH	0x100000ULL
#define GUEST_HOLE	0xc0000000ULL	/* devices from here to 4 GiB */
#define GUEST_MAP_MAX	8

struct guest_config {
	u32 cpus;			/* APIC ids 0 .. cpus - 1; at most 255 */
	u64 lapic, ioapic;		/* guest-physical addresses, below 4 GiB */
	u8 ioapic_id, sci;
	u16 pm1_evt, pm1_cnt, pm_timer, smi_cmd;	/* ports */
	u8 acpi_enable, acpi_disable;	/* values for smi_cmd */
	u16 com1;			/* port of the first UART */
};

/*
 * Fills rom (GUEST_ROM_SIZE zeroed bytes, seen by the guest at GUEST_ROM), and
 * of low (GUEST_LOW_SIZE bytes of RAM, from 0) what is firmware's.  Returns the
 * RSDP's guest-physical address.  0: the tables do not fit.
 */
u64 guest_tables_build(u8 *rom, u8 *low, const struct guest_config *c);

#define GUEST_VECTORS	256
/*
 * Fills the vectors of real mode (at address 0) as a BIOS leaves them: lines 0
 * to 7 of the 8259 from vector 8 on, 8 to 15 from 70h on, all to code in the
 * ROM.  The timer's counts ticks at 40:6c.
 */
void guest_vectors_build(u32 vectors[GUEST_VECTORS]);

/*
 * The map of a guest with mem bytes of RAM (a multiple of 4 KiB, at least 2
 * MiB), sorted: what lies from GUEST_HOLE on goes above 4 GiB.  Returns how many
 * of GUEST_MAP_MAX ranges.
 */
u32 guest_map_build(struct mem_range *map, u64 mem);

#endif
