/* SPDX-License-Identifier: MIT */
/*
 * The two 8259A of a PC at 0x20 and 0xa0, with the edge/level control
 * registers at 0x4d0, 0x4d1.  8259A data sheet (231468), ICH9 13.4.  Pure.
 */
#ifndef CORE_DEV_VPIC_H
#define CORE_DEV_VPIC_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

struct vpic_chip {
	u8 irr, isr, imr, line;		/* line: input levels */
	u8 elcr, base, priority_add;
	u8 init_state, read_isr, poll, special_mask, auto_eoi, rotate_aeoi, nested, icw4;
	u8 reserved;
};

struct vpic_state {
	struct vpic_chip chip[2];	/* master, slave */
};

struct vpic {
	struct vpic_state s;
	/* The INTR output changed. */
	void (*intr)(void *ctx, bool level);
	void *ctx;
};

int __must_check vpic_init(struct vpic *p, struct bus *bus, void (*intr)(void *ctx, bool level),
			   void *ctx);
/* Input line 0..15 (2 is the cascade: ignored). */
void vpic_set_irq(struct vpic *p, u8 irq, bool level);
/* The level of INTR. */
bool vpic_intr(const struct vpic *p);
/* An interrupt acknowledge cycle: the vector (spurious: that of line 7). */
u8 vpic_ack(struct vpic *p);
int __must_check vpic_state_check(const struct vpic_state *s);

#endif
