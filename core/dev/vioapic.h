/* SPDX-License-Identifier: MIT */
/*
 * The I/O APIC: 82093AA data sheet, version 20h with the EOI register of
 * ICH (ICH9 13.5).  24 pins at 0xfec00000.  Pure.
 *
 * Lines are asserted or not; which voltage that is stands in the guest's ACPI
 * tables, and the polarity bit of an entry is kept but has no effect.
 *
 * Messages go out as on the system bus: one that nobody takes is gone if it
 * was an edge.  A level stays pending (Delivery Status) and is sent again
 * when its line is asserted again, its entry written, or any EOI comes.
 */
#ifndef CORE_DEV_VIOAPIC_H
#define CORE_DEV_VIOAPIC_H

#include "core/dev/bus.h"
#include "core/dev/env.h"
#include "core/dev/vlapic.h"

#define VIOAPIC_BASE	0xfec00000ULL
#define VIOAPIC_SIZE	0x1000
#define VIOAPIC_PINS	24

struct vioapic_state {
	u64 redir[VIOAPIC_PINS];	/* as read, but for Delivery Status */
	u32 id, select;
	u32 level;			/* BIT(pin): line is asserted */
	u32 reserved;
};

struct vioapic {
	struct vioapic_state s;
	/* Sends a message to the local APICs; true: somebody accepted it. */
	bool (*deliver)(void *ctx, const struct apic_msg *m);
	void *ctx;
};

/* Reset state, on the bus.  Returns 0 or an error of bus_add_mmio. */
int __must_check vioapic_init(struct vioapic *io, struct bus *bus,
			      bool (*deliver)(void *ctx, const struct apic_msg *m), void *ctx);
/*
 * The line of a pin: an edge or level as the entry says.  Pins that do not
 * exist are ignored.
 */
void vioapic_set_irq(struct vioapic *io, u8 pin, bool level);
/* EOI broadcast of a local APIC. */
void vioapic_eoi(struct vioapic *io, u8 vector);
/* 0, or -EINVAL for what no sequence of accesses and lines leads to. */
int __must_check vioapic_state_check(const struct vioapic_state *s);

#endif
