/* SPDX-License-Identifier: MIT */
/*
 * The test device: how a guest ends itself, prints, and exercises emulation.
 *
 *   port 0xf4..0xf7    write V: the guest ends with result V (as QEMU's
 *                      isa-debug-exit does)
 *   port 0xe9          write: a byte of console output; reads as 0xe9
 *   port 0x600..0x60f  scratch registers, any size, and what the last access was
 *   0xfed40000, 8 KiB  vtest_mmio, below
 *
 * and what test kernels know as QEMU's pc-testdev:
 *
 *   port 0xe0..0xe3      four bytes of memory, any size
 *   port 0xe4..0xe7      flush page: ignored, the hypervisor needs no hint
 *   port 0x2000..0x2017  write 0 or not 0: the level of interrupt line 0..23
 *   0xff000000, 64 KiB   memory
 *
 * Pure.  A device belongs to one guest; vCPUs of it take turns.
 */
#ifndef CORE_DEV_VTEST_H
#define CORE_DEV_VTEST_H

#include "core/dev/bus.h"

#define VTEST_PORT_EXIT		0xf4
#define VTEST_PORT_DEBUG	0xe9
#define VTEST_PORT_SCRATCH	0x600	/* 16 bytes of memory */
#define VTEST_PORT_DATA		0xe0
#define VTEST_PORT_FLUSH	0xe4
#define VTEST_PORT_IRQ		0x2000
#define VTEST_GSIS		24

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

#define VTEST_MEM_GPA		0xff000000ULL
#define VTEST_MEM_SIZE		0x10000

/* last_off and last_size are 0 before the first access and after a clear. */
struct vtest_state {
	u64 reads, writes, last_off, last_size, last_val;
	u32 lines;		/* BIT(n): line n is asserted */
	u8 port_data[4];
	u8 port_scratch[16];
	u8 scratch[VTEST_SCRATCH_SIZE];
};

struct vtest {
	struct vtest_state s;
	u8 mem[VTEST_MEM_SIZE];	/* belongs to the state, and may be anything */
	struct bus *bus;
	void (*putc)(void *ctx, u8 c);
	void *ctx;
	/* The level of a line; set it after vtest_init, or leave it NULL. */
	void (*set_gsi)(void *ctx, u8 gsi, bool level);
	void *gsi_ctx;
};

/*
 * Puts the device on the bus.  Its output goes to putc, one byte at a time;
 * putc NULL: nowhere.  vt must live as long as the bus.
 * Returns 0 or an error of bus_add_io, bus_add_mmio.
 */
int __must_check vtest_init(struct vtest *vt, struct bus *bus,
			    void (*putc)(void *ctx, u8 c), void *ctx);
int __must_check vtest_state_check(const struct vtest_state *s);

#endif
