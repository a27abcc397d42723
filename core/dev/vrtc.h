/* SPDX-License-Identifier: MIT */
/*
 * The MC146818 clock with its memory at 0x70, 0x71, interrupt line 8.
 * MC146818 data sheet; ICH9 13.6.  Pure.
 *
 * The ten bytes of the time are memory, as in the chip: they are counted up
 * once a second in the format that register B has then, and keep what is
 * written in between.  Byte 0x32 is the century and counts with them.
 */
#ifndef CORE_DEV_VRTC_H
#define CORE_DEV_VRTC_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VRTC_IRQ	8
/* The memory bytes tell of a PC whose RAM above this lies above 4 GiB. */
#define VRTC_LOW_RAM	0xc0000000ULL

struct vrtc_state {
	/* As of the last update; register A without UIP, C without IRQF. */
	u8 ram[128];
	u8 index;		/* as written to 0x70: bit 7 disables NMI */
	u8 reserved[7];
	/* The divider chain: next update, next periodic edge; DEV_NEVER. */
	u64 second_at, periodic_at;
};

struct vrtc {
	struct vrtc_state s;
	const struct dev_env *env;
};

/*
 * epoch: seconds since 1970, UTC, now; years are shown modulo 10000.  mem: RAM
 * bytes, for the memory-size bytes.
 */
int __must_check vrtc_init(struct vrtc *r, struct bus *bus, const struct dev_env *env, s64 epoch,
			   u64 mem);
/* The next time at which line 8 can rise: guest time, DEV_NEVER. */
u64 vrtc_next(const struct vrtc *r);
void vrtc_tick(struct vrtc *r, u64 now);
int __must_check vrtc_state_check(const struct vrtc_state *s);

#endif
