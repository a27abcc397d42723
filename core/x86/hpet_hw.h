/* SPDX-License-Identifier: MIT */
/* High precision event timer: the counter, and one comparator as one-shot. */
#ifndef CORE_X86_HPET_HW_H
#define CORE_X86_HPET_HW_H

#include "core/lib/base.h"

struct hpet {
	u64 va;			/* 0: absent */
	u64 hz;
	u32 period_fs;
	u8 comparators;
};

/* Checks the registers at va and starts the counter.  0, or -ENODEV with *h absent. */
int __must_check hpet_init(struct hpet *h, u64 va);

/* Bit n: comparator c can raise I/O APIC input n. */
u32 hpet_route_caps(const struct hpet *h, u32 c);

/* The low half of the main counter. */
u32 hpet_counter(const struct hpet *h);

/*
 * One interrupt (edge) on I/O APIC input pin after us; replaces an earlier
 * one.  Longer than half a turn of 32 bits (at least 21 s) comes early.
 */
void hpet_oneshot(const struct hpet *h, u32 c, u32 pin, u64 us);
void hpet_oneshot_stop(const struct hpet *h, u32 c);

#endif
