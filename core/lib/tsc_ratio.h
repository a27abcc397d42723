/* SPDX-License-Identifier: MIT */
/*
 * Scaled time stamp counters: a guest's counts (host's * ratio >> frac), and
 * then an offset is added (APM2 15.30.5, SDM3 25.6.5).  Pure.
 */
#ifndef CORE_LIB_TSC_RATIO_H
#define CORE_LIB_TSC_RATIO_H

#include "core/lib/base.h"

/* How a vendor writes a ratio: so many bits, the lowest frac of them behind the point. */
struct tsc_format {
	u8 bits, frac;
};

struct tsc_ratio {
	u64 ratio;		/* 0: 1, whatever frac is */
	u8 frac;
};

/* The nearest to guest / host.  0, or -ERANGE: it does not fit, or would be 0. */
int __must_check tsc_ratio_of(const struct tsc_format *f, u64 guest_khz, u64 host_khz,
			      struct tsc_ratio *out);

/* What a guest's TSC counts while the host's counts ticks, from 0 on; wraps as the CPU's. */
u64 tsc_scale(const struct tsc_ratio *r, u64 ticks);

/* The least ticks of the host in which a guest's TSC counts at least so many; saturates. */
u64 tsc_unscale(const struct tsc_ratio *r, u64 guest_ticks);

/* A counter made of another one: (ticks * ratio >> frac) + offset. */
struct tsc_line {
	u64 ratio, offset;	/* ratio 0: there is none */
};

/* A counter that is made of one that is made of the host's. */
struct tsc_chain {
	struct tsc_ratio outer;	/* of the one in between */
	u64 host, between;	/* both, at the same time */
	u64 base;		/* an earlier time of the host's; may be before its 0 */
	u64 inner;		/* ratio of the last one */
	u64 offset;		/* and what is added then */
};

/*
 * The line that makes the last one of the host's at once.  Its ratio is rounded down: from
 * base on, where it is exact to a tick, it loses less than one tick of the host's in
 * 2^frac, and never goes back.  f: of at most 40 bits.  False: it does not fit, or is below
 * 1 / 256, where rounding counts.
 */
bool __must_check tsc_compose(const struct tsc_format *f, const struct tsc_chain *c,
			      struct tsc_line *out);

/* Do two frequencies differ by no more than one that was measured may be wrong? */
bool tsc_khz_same(u64 a, u64 b);

#endif
