/* SPDX-License-Identifier: MIT */
/*
 * The buses of a virtual PC: 64K ports and the guest-physical addresses that
 * are no memory.  A device claims ranges; what nobody claims reads all ones
 * and ignores writes, as on a PC whose bus floats high.  Pure.
 *
 * Devices are added before the vCPUs run and stay; a device that several
 * vCPUs reach locks itself.
 */
#ifndef CORE_DEV_BUS_H
#define CORE_DEV_BUS_H

#include "core/lib/base.h"

#define BUS_MAX_IO	48
#define BUS_MAX_MMIO	12

/* What an access did to the guest; anything else it did is in *val. */
enum bus_result {
	BUS_OK,
	BUS_DONE,		/* the guest ended itself: bus->result */
	BUS_POWEROFF,		/* it switched itself off (ACPI S5) */
	BUS_RESET,		/* it reset its machine */
};

/*
 * One claimed range [first, last] of ports or guest-physical addresses.
 * The callbacks get the offset from first and size 1, 2, 4 or 8; accesses
 * larger than width, or that cross a border, arrive in halves, low address
 * first.  read returns the value (high bits ignored); write returns enum
 * bus_result.  Either may be NULL: reads give all ones, writes are ignored.
 */
struct bus_range {
	u64 first, last;
	u8 width;		/* largest access it takes whole: 1, 2, 4, 8 */
	u64 (*read)(void *ctx, u64 off, u8 size);
	enum bus_result (*write)(void *ctx, u64 off, u8 size, u64 val);
	void *ctx;
	u64 *accesses;		/* a counter (STAT_COUNTER) of this device; may be NULL */
};

struct bus {
	struct bus_range io[BUS_MAX_IO];
	struct bus_range mmio[BUS_MAX_MMIO];
	u32 n_io, n_mmio;
	u32 result;		/* of a guest that ended itself, with BUS_DONE */
	u64 unclaimed;		/* bytes of accesses that no range took */
};

void bus_init(struct bus *b);

/*
 * Claims a range; *r is copied.  Returns 0, -EINVAL (last < first, a port
 * above 0xffff, a width that is not 1, 2, 4 or 8), -EEXIST for an overlap,
 * -ENOSPC.
 */
int __must_check bus_add_io(struct bus *b, const struct bus_range *r);
int __must_check bus_add_mmio(struct bus *b, const struct bus_range *r);

/*
 * One IN or OUT of size 1, 2 or 4.  in: *val gets the value, zero-extended
 * from size; otherwise *val is written.  Ports wrap at 64K.
 */
enum bus_result bus_io(struct bus *b, u16 port, u8 size, bool in, u32 *val);

/* One access of size 1, 2, 4 or 8 to an address that is no memory. */
enum bus_result bus_mmio(struct bus *b, u64 gpa, u8 size, bool write, u64 *val);

/* Does a device answer there?  (Any byte of the range.) */
bool bus_mmio_claimed(const struct bus *b, u64 gpa);

#endif
