/* SPDX-License-Identifier: MIT */
/*
 * The MC146818 clock with its RAM at 0x70, 0x71, interrupt line 8.  Pure.
 */
#ifndef CORE_DEV_VRTC_H
#define CORE_DEV_VRTC_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VRTC_IRQ	8

struct vrtc_state {
	u8 ram[128];		/* alarm, registers A to D, and memory; the time is computed */
	u8 index, reserved[7];
	s64 epoch;		/* seconds since 1970 at guest time 0 */
	u64 stopped_at;		/* guest time at which SET froze the clock; DEV_NEVER: it runs */
	u64 periodic_at, second_at;	/* next periodic interrupt, next update; DEV_NEVER */
};

struct vrtc {
	struct vrtc_state s;
	const struct dev_env *env;
};

/* epoch: seconds since 1970, UTC, now.  mem: RAM bytes, for the memory-size bytes. */
int __must_check vrtc_init(struct vrtc *r, struct bus *bus, const struct dev_env *env, s64 epoch,
			   u64 mem);
u64 vrtc_next(const struct vrtc *r);
void vrtc_tick(struct vrtc *r, u64 now);
int __must_check vrtc_state_check(const struct vrtc_state *s);

#endif
