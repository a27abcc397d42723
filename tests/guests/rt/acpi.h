/* SPDX-License-Identifier: MIT */
/* The ACPI tables of a PC with BIOS (ACPI 6, 5.2), little of them. */
#ifndef TESTS_GUESTS_RT_ACPI_H
#define TESTS_GUESTS_RT_ACPI_H

#include "tests/guests/rt/rt.h"

struct acpi_rsdp {
	char sig[8];
	u8 sum;			/* of the first 20 bytes */
	char oem[6];
	u8 revision;
	u32 rsdt;
	/* From revision 2 on: */
	u32 len;
	u64 xsdt;
	u8 ext_sum, reserved[3];
} __attribute__((packed));

struct acpi_table {
	char sig[4];
	u32 len;
	u8 revision, sum;
	char oem[6], oem_table[8];
	u32 oem_revision;
	char creator[4];
	u32 creator_revision;
} __attribute__((packed));

/* Up to the last member of revision 1 that is needed; then RESET_REG. */
struct acpi_fadt {
	struct acpi_table h;
	u32 facs, dsdt;
	u8 model, profile;
	u16 sci;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios, pstate;
	u32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	u8 cst;
	u16 p_lvl2, p_lvl3, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_arch;
	u8 reserved;
	u32 flags;
	/* Revision 2: a generic address (space, width, offset, size, address), the value. */
	u8 reset_space, reset_width, reset_offset, reset_access;
	u64 reset_address;
	u8 reset_value;
} __attribute__((packed));

#define FADT_TMR_VAL_EXT	BIT64(8)
#define FADT_RESET_REG		BIT64(10)
/* PM1 status and enable, control (ACPI 6, 4.8.3). */
#define PM1_TMR			0x0001
#define PM1_GBL			0x0020
#define PM1_PWRBTN		0x0100
#define PM1_SLPBTN		0x0200
#define PM1_RTC			0x0400
#define PM1_WAK			0x8000
#define PM1_SCI_EN		0x0001
#define PM1_SLP_EN		0x2000

/* Found between 0xe0000 and 0xfffff, with a good sum; NULL: none. */
const struct acpi_rsdp *acpi_rsdp(void);
/* Table number n of the root table (XSDT if there is one); NULL: no more. */
const struct acpi_table *acpi_nth(unsigned int n);
/* The first one with that signature; NULL: none. */
const void *acpi_find(const char *sig);
u8 acpi_sum(const void *p, size_t n);
/* SLP_TYPa of \_S5 in the DSDT, or -1. */
int acpi_s5(const struct acpi_fadt *f);

/* The PM timer, for payloads that measure.  false: there is none. */
bool pm_init(void);
u32 pm_now(void);
#define PM_HZ	3579545
/* Ticks from one reading to a later one, less than half a turn apart. */
u32 pm_ticks(u32 from, u32 to);

#endif
