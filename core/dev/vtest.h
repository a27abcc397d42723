/* SPDX-License-Identifier: MIT */
/*
 * The test device: how a guest ends itself, prints, and exercises emulation.
 *
 *   port 0xf4..0xf7    write V: the guest ends with result V (as QEMU's
 *                      isa-debug-exit does)
 *   port 0xe9          write: a byte of console output; reads as 0xe9
 *   port 0x3f8..0x3ff  a 16550 that only sends, always ready
 *   port 0x600..0x60f  scratch registers, any size, and what the last access was
 *   0xfed40000, 8 KiB  vtest_mmio, below
 *
 * Pure.  A device belongs to one guest; vCPUs of it take turns.
 */
#ifndef CORE_DEV_VTEST_H
#define CORE_DEV_VTEST_H

#include "core/dev/bus.h"

#define VTEST_PORT_EXIT		0xf4
#define VTEST_PORT_DEBUG	0xe9
#define VTEST_PORT_UART		0x3f8
#define VTEST_PORT_SCRATCH	0x600	/* 16 bytes of memory */

#define VTEST_MMIO_GPA		0xfed40000ULL
#define VTEST_MMIO_SIZE		0x2000
#define VTEST_MMIO_ID		0x00	/* u32: VTEST_ID */
#define VTEST_MMIO_READS	0x08	/* u64: reads of scratch so far; write: clears all */
#define VTEST_MMIO_WRITES	0x10	/* u64: writes to scratch so far */
#define VTEST_MMIO_LAST_OFF	0x18	/* u64: offset of the last scratch access */
#define VTEST_MMIO_LAST_SIZE	0x20	/* u64: its size, bit 8 set for a write */
#define VTEST_MMIO_LAST_VAL	0x28	/* u64: the value moved */
#define VTEST_MMIO_SCRATCH	0xc00	/* 2 KiB of memory, across the page border */
#define VTEST_SCRATCH_SIZE	0x800
#define VTEST_ID		0x54535456	/* "VTST" */

struct vtest {
	struct bus *bus;
	void (*putc)(void *ctx, u8 c);
	void *ctx;
	u8 uart[8];		/* IER, LCR, MCR and scratch as written */
	u8 port_scratch[16];
	u64 reads, writes, last_off, last_size, last_val;
	u8 scratch[VTEST_SCRATCH_SIZE];
};

/*
 * Puts the device on the bus.  Its output goes to putc, one byte at a time;
 * putc NULL: nowhere.  vt must live as long as the bus.
 * Returns 0 or an error of bus_add_io, bus_add_mmio.
 */
int __must_check vtest_init(struct vtest *vt, struct bus *bus,
			    void (*putc)(void *ctx, u8 c), void *ctx);

#endif
