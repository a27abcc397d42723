/* SPDX-License-Identifier: MIT */
/*
 * The 8254 timer at 0x40..0x43 and the system control port 0x61.  Channel 0
 * is interrupt line 0; channel 2's gate is bit 0 of port 0x61, its output bit
 * 5.  82C54 data sheet (231244).  Pure.
 */
#ifndef CORE_DEV_VPIT_H
#define CORE_DEV_VPIT_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VPIT_HZ	1193182

struct vpit_channel {
	u64 start;			/* guest time at which the count was loaded; DEV_NEVER: none */
	u32 count;			/* reload value, 1..65536 */
	u16 latch;
	u8 mode, rw, bcd, gate, out;
	u8 latched, status, status_latched, read_state, write_state, write_latch, null_count;
	u8 reserved[2];
};

struct vpit_state {
	struct vpit_channel ch[3];
	u8 speaker, refresh, reserved[6];
};

struct vpit {
	struct vpit_state s;
	const struct dev_env *env;
};

int __must_check vpit_init(struct vpit *p, struct bus *bus, const struct dev_env *env);
/* When channel 0's output changes next: guest time, DEV_NEVER. */
u64 vpit_next(const struct vpit *p);
/* Sets interrupt line 0 as of now. */
void vpit_tick(struct vpit *p, u64 now);
int __must_check vpit_state_check(const struct vpit_state *s);

#endif
