/* SPDX-License-Identifier: MIT */
/*
 * Which serial line is the console: the console= option and the firmware's
 * SPCR table.  Pure.
 */
#ifndef CORE_MON_CONSOLE_H
#define CORE_MON_CONSOLE_H

#include "core/lib/base.h"
#include "core/lib/diag.h"

enum console_kind { CONSOLE_IO, CONSOLE_MMIO, CONSOLE_PCI, CONSOLE_SCREEN, CONSOLE_NONE };

#define CONSOLE_COM1		0x3f8
#define CONSOLE_BAUD_KEEP	0	/* as firmware set it */
#define CONSOLE_BAUD_DEFAULT	115200

struct console_config {
	enum console_kind kind;
	u64 addr;		/* IO: port; MMIO: physical address */
	u32 baud;		/* CONSOLE_BAUD_KEEP or a rate */
	u8 reg_shift;		/* registers are 1 << reg_shift bytes apart */
	u8 access_width;	/* bytes: 1 or 4 */
	u8 bus, dev, fn;	/* PCI */
};

/* What SPCR or DBG2 says, numbers as in the table. */
struct console_spcr {
	u8 interface_type;	/* 0: 16550, 1: 16450, 0x12: 16550 by GAS */
	u8 address_space;	/* GAS: 0 memory, 1 I/O */
	u8 bit_width, bit_offset;
	u8 access_size;		/* GAS: 0 undefined, 1 byte .. 3 dword */
	u64 address;
	u8 baud_code;		/* 0 keep, 3 9600, 4 19200, 6 57600, 7 115200 */
};

/* COM1, 115200. */
void console_default(struct console_config *c);

/*
 * io:PORT[,BAUD] | mmio:ADDR[,BAUD] | pci:BB:DD.F[,BAUD] (hex) | screen | none.
 * 0, or -EINVAL with the reason in diag; *c is then unchanged.
 */
int __must_check console_parse(const char *s, struct console_config *c, const struct diag *diag);

/* 0; -ENOTTY when the interface is no 16550; -EINVAL when the table is wrong. */
int __must_check console_from_spcr(const struct console_spcr *s, struct console_config *c);

#endif
