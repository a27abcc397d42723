/* SPDX-License-Identifier: MIT */
/* The readers of single tables, for core/x86/acpi.c and their tests. */
#ifndef CORE_X86_ACPI_READ_H
#define CORE_X86_ACPI_READ_H

#include "core/x86/acpi.h"

/* Every table starts with a header of this size (ACPI 5.2.6). */
#define ACPI_HEADER_SIZE	36
#define ACPI_GAS_SIZE		12

struct acpi_reader {
	struct acpi_info *info;
	const struct phys_view *view;
	const struct diag *d;
};

/*
 * Each gets a whole table whose checksum is good and whose length is at
 * least the minimum in acpi.c's list, and fills its part of r->info.
 */
void acpi_read_fadt(struct acpi_reader *r, const u8 *table, u32 len);
void acpi_read_madt(struct acpi_reader *r, const u8 *table, u32 len);
void acpi_read_spcr(struct acpi_reader *r, const u8 *table, u32 len);
void acpi_read_dbg2(struct acpi_reader *r, const u8 *table, u32 len);

#define ACPI_FADT_MIN	116	/* ACPI 1.0's */
#define ACPI_MADT_MIN	44
#define ACPI_SPCR_MIN	80
#define ACPI_DBG2_MIN	44

/* A Generic Address Structure as it is in the table. */
struct acpi_gas acpi_get_gas(const u8 *raw);

/* Can the register be reached: known space, address in range and not 0? */
bool acpi_gas_usable(const struct acpi_gas *gas);

/*
 * Looks for Name (_S5, Package () {...}) in AML.  Returns 0 and the two
 * values for SLP_TYP (0..7), or -ENOENT.
 */
int __must_check acpi_aml_find_s5(const u8 *aml, u32 len, u8 *typ_a, u8 *typ_b);

/*
 * Maps a table and checks its header, length and checksum.  Returns it and
 * its length, or NULL after a message.
 */
const u8 *acpi_map_table(struct acpi_reader *r, u64 pa, u32 *len);

#endif
