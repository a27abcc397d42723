/* SPDX-License-Identifier: MIT */
/* Arithmetic of TSC calibration.  Pure. */
#ifndef CORE_X86_TSC_CALC_H
#define CORE_X86_TSC_CALC_H

#include "core/lib/base.h"

struct cpu_caps;

/* kHz by CPUID 15h, with the crystal derived from 16h when it is 0; 0: unknown. */
u64 tsc_khz_from_cpuid(const struct cpu_caps *caps);

/* Ticks from a to b of a counter that wraps at bits (1..64). */
u64 counter_delta(u64 a, u64 b, u32 bits);

/* kHz when tsc cycles went by during ticks of a counter of hz; 0 when ticks is 0. */
u64 khz_from_ticks(u64 tsc, u64 ticks, u64 hz);

/*
 * What the TSC is ticks after it was base.  base may be before the TSC's 0, as
 * a negative number: of a time that has passed then 1 is left.  ~0: never.
 */
u64 tsc_after(u64 base, u64 ticks);

u64 median3(u64 a, u64 b, u64 c);

/* Whether a and b differ by more than percent of the larger one. */
bool differs_percent(u64 a, u64 b, u32 percent);

#endif
