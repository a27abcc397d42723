/* SPDX-License-Identifier: MIT */
/*
 * The time stamp counter as clock: calibrated once on the boot processor.
 */
#ifndef CORE_X86_TIME_H
#define CORE_X86_TIME_H

#include "core/lib/base.h"
#include "core/lib/diag.h"

struct cpu_caps;

/* Timers of the machine that calibration may use. */
struct time_sources {
	u64 hpet_va;		/* mapped registers; 0: none */
	u16 pm_timer_port;	/* 0: none */
	bool pm_timer_32;	/* counts 32 bits instead of 24 */
};

/*
 * Finds the frequency: CPUID 15h/16h, checked against a measurement, else
 * HPET, ACPI PM timer, PIT channel 2.  At most 60 ms per timer, bounded even
 * when a timer stands still.  0; -ENODEV: nothing worked, 1 GHz is assumed.
 */
int time_init(const struct cpu_caps *caps, const struct time_sources *src,
	      const struct diag *diag);

/* "cpuid", "hpet", "pmtimer", "pit" or "assumed". */
const char *tsc_source(void);

u64 tsc_khz(void);		/* 0 before time_init */
u64 tsc_to_us(u64 cycles);
u64 us_to_tsc(u64 us);		/* saturates */
u64 time_us(void);		/* since time_init; 0 before */

/* Busy wait; before time_init it assumes 4 GHz. */
void udelay(u64 us);

#endif
