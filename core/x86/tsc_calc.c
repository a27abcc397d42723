// SPDX-License-Identifier: MIT
#include "core/x86/tsc_calc.h"

#include "core/lib/muldiv.h"
#include "core/x86/caps.h"

/* SDM2 CPUID 15h; SDM3 18.7.3: what stands for a crystal that is not told. */
u64 tsc_khz_from_cpuid(const struct cpu_caps *caps)
{
	if (!caps->tsc_denominator || !caps->tsc_numerator)
		return 0;
	if (!caps->crystal_hz)
		return (u64)caps->base_mhz * 1000;
	return (u64)caps->crystal_hz * caps->tsc_numerator / caps->tsc_denominator / 1000;
}

u64 counter_delta(u64 a, u64 b, u32 bits)
{
	return (b - a) & (~0ULL >> (64 - bits));
}

u64 khz_from_ticks(u64 tsc, u64 ticks, u64 hz)
{
	if (!ticks)
		return 0;
	return mul_div_u64(tsc, hz, ticks) / 1000;
}

u64 tsc_after(u64 base, u64 ticks)
{
	u64 before = -base;

	/* No TSC comes to 2^63. */
	if (!(base >> 63))
		return ticks > ~0ULL - base ? ~0ULL : base + ticks;
	return ticks > before ? ticks - before : 1;
}

u64 median3(u64 a, u64 b, u64 c)
{
	if (a > b) {
		u64 t = a;

		a = b;
		b = t;
	}
	if (c <= a)
		return a;
	return c < b ? c : b;
}

bool differs_percent(u64 a, u64 b, u32 percent)
{
	u64 large = MAX(a, b), small = MIN(a, b);

	return large - small > mul_div_u64(large, percent, 100);
}
