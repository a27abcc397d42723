// SPDX-License-Identifier: MIT
#include "core/lib/tsc_ratio.h"

#include "core/lib/muldiv.h"

/* Clocks of PCs are that exact. */
#define SAME_PPM	250

int tsc_ratio_of(const struct tsc_format *f, u64 guest_khz, u64 host_khz, struct tsc_ratio *out)
{
	/* One bit more, to round to the nearest. */
	u64 twice = host_khz ? mul_div_u64(guest_khz, BIT(f->frac + 1), host_khz) : ~0ULL;
	u64 ratio = (twice >> 1) + (twice & 1);

	if (!ratio || twice == ~0ULL || (f->bits < 64 && ratio >> f->bits))
		return -ERANGE;
	*out = (struct tsc_ratio){ .ratio = ratio, .frac = f->frac };
	return 0;
}

u64 tsc_scale(const struct tsc_ratio *r, u64 ticks)
{
	return r->ratio ? mul_shift_u64(ticks, r->ratio, r->frac) : ticks;
}

u64 tsc_unscale(const struct tsc_ratio *r, u64 guest_ticks)
{
	u64 ticks;

	if (!r->ratio)
		return guest_ticks;
	ticks = mul_div_u64(guest_ticks, BIT(r->frac), r->ratio);
	/* Rounded up; no wrap here, because the division was rounded down. */
	return ticks == ~0ULL || tsc_scale(r, ticks) == guest_ticks ? ticks : ticks + 1;
}

static __int128 scale128(__int128 ticks, u64 ratio, u8 frac)
{
	return ticks * ratio >> frac;
}

bool tsc_compose(const struct tsc_format *f, const struct tsc_chain *c, struct tsc_line *out)
{
	const u64 one = BIT(f->frac), outer = c->outer.ratio ? c->outer.ratio : one;
	const u64 ratio = mul_shift_u64(outer, c->inner, f->frac);
	const __int128 base = (__int128)c->host - (u64)(c->host - c->base);
	__int128 between;

	if (ratio < one / 256 || ratio >> f->bits)
		return false;
	/* At base, where it may have been negative: somebody has set it since. */
	between = c->between - scale128(c->host, outer, f->frac) + scale128(base, outer, f->frac);
	*out = (struct tsc_line){
		.ratio = ratio,
		.offset = (u64)scale128(between, c->inner, f->frac) + c->offset -
			  (u64)scale128(base, ratio, f->frac),
	};
	return true;
}

bool tsc_khz_same(u64 a, u64 b)
{
	u64 large = MAX(a, b), small = MIN(a, b);

	return large - small <= mul_div_u64(large, SAME_PPM, 1000000);
}
