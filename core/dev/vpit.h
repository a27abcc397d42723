/* SPDX-License-Identifier: MIT */
/*
 * The 8254 timer at 0x40..0x43 and the system control port 0x61.  Channel 0
 * is interrupt line 0; channel 2's gate is bit 0 of port 0x61, its output bit
 * 5.  82C54 data sheet (231244), ICH9 13.7.1.  Pure.
 *
 * The state is computed from the guest's time whenever somebody looks: the
 * number of CLK pulses since the machine began is exact, and what a counter
 * did in between follows from when it was loaded.
 *
 * Line 0 follows OUT of channel 0.  However late a tick is, it gives at most
 * one rising edge: that of the last pulse that was missed.  If OUT is low
 * again by then, the line stays high until OUT rises next, because an 8259A
 * drops a request whose line falls.
 */
#ifndef CORE_DEV_VPIT_H
#define CORE_DEV_VPIT_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VPIT_HZ	1193182

/* Times are numbers of CLK pulses; vpit.c says from when. */
struct vpit_channel {
	u64 start;		/* CLK that loads, or loaded, the counting element */
	u64 held;		/* CLKs counted when counting was disabled */
	u64 seen;		/* CLK up to which this is settled */
	u32 count;		/* what it was loaded with, 1..65536; 0: nothing yet */
	u32 reload;		/* count register, 1..65536; 0: not written yet */
	u16 latch;
	u8 control;		/* D5:D0 of the control word */
	u8 run;			/* enum in vpit.c */
	u8 pending;		/* reload waits for the end of a cycle, or a trigger */
	u8 fresh;		/* what start loads is a new count */
	u8 gate;
	u8 out;			/* OUT before start, and while nothing counts */
	u8 latched, status_latched, status;
	u8 read_high, write_high;	/* the next byte is the most significant */
	u8 write_low;		/* the least significant one, until then */
	u8 reserved[2];
};

struct vpit_state {
	struct vpit_channel ch[3];
	u8 port61;		/* bits 3:0 of the port, as written */
	u8 line;		/* level of interrupt line 0 */
	u8 late;		/* the line is high although OUT is low again */
	u8 reserved[5];
};

struct vpit {
	struct vpit_state s;
	const struct dev_env *env;
};

/*
 * Power-on state, on the bus.  The data sheet leaves it open: mode 0, no
 * count, OUT and line 0 low.  Returns 0 or an error of bus_add_io.
 */
int __must_check vpit_init(struct vpit *p, struct bus *bus, const struct dev_env *env);
/*
 * When vpit_tick has something to do: guest time of the next change of channel
 * 0's output, DEV_NEVER.  It may have passed.  Low pulses of one CLK (modes 2,
 * 4 and 5) are only told by their end, and at most one in 20 us.
 */
u64 vpit_next(const struct vpit *p);
/* Sets interrupt line 0 as of now.  May be called at any time. */
void vpit_tick(struct vpit *p, u64 now);
/* 0, or -EINVAL for what no sequence of accesses and times leads to. */
int __must_check vpit_state_check(const struct vpit_state *s);

#endif
