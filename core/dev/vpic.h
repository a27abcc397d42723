/* SPDX-License-Identifier: MIT */
/*
 * The two 8259A of a PC at 0x20 and 0xa0, with the edge/level control
 * registers at 0x4d0, 0x4d1.  8259A data sheet (231468), ICH9 13.4.  Pure.
 *
 * As in the ICH9, ICW1 LTIM is replaced by the edge/level control registers,
 * and the mode is always that of the 8086.  A chip that has not seen all its
 * initialization words requests nothing.
 *
 * An input that goes low before it is acknowledged takes its request back:
 * INTR falls with it, and a processor that acknowledges nonetheless gets the
 * vector of IR7.
 */
#ifndef CORE_DEV_VPIC_H
#define CORE_DEV_VPIC_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

struct vpic_chip {
	u8 line;		/* input levels */
	u8 edge;		/* edge sense latches: risen, high, not acknowledged */
	u8 isr, imr, elcr;
	u8 base;		/* ICW2: vector of IR0 */
	u8 cascade;		/* ICW3: inputs with slaves; of the slave: its identity */
	u8 lowest;		/* input with the lowest priority */
	u8 init;		/* which word A0 = 1 takes: enum in vpic.c */
	u8 single, need_icw4;	/* ICW1, until the words are complete */
	u8 read_isr, poll, special_mask, auto_eoi, rotate_aeoi, special_nested;
	u8 reserved[3];
};

struct vpic_state {
	struct vpic_chip chip[2];	/* master, slave */
};

struct vpic {
	struct vpic_state s;
	/* The INTR output changed; an acknowledge cycle makes it low for a moment. */
	void (*intr)(void *ctx, bool level);
	void *ctx;
};

/* Power-on state, on the bus.  Returns 0 or an error of bus_add_io. */
int __must_check vpic_init(struct vpic *p, struct bus *bus, void (*intr)(void *ctx, bool level),
			   void *ctx);
/* Input line 0..15 (2 is the cascade: ignored, as are lines above 15). */
void vpic_set_irq(struct vpic *p, u8 irq, bool level);
/* The level of INTR. */
bool vpic_intr(const struct vpic *p);
/* An interrupt acknowledge cycle: the vector (spurious: that of line 7). */
u8 vpic_ack(struct vpic *p);
/* 0, or -EINVAL for what no sequence of accesses and lines leads to. */
int __must_check vpic_state_check(const struct vpic_state *s);

#endif
