/* SPDX-License-Identifier: MIT */
/*
 * Repeatable random numbers for property tests.  The seed is printed, and
 * NB_SEED in the environment chooses another one.
 */
#ifndef TESTS_UNIT_RNG_H
#define TESTS_UNIT_RNG_H

#include <stdio.h>
#include <stdlib.h>

#include "core/lib/base.h"

struct rng {
	u64 s;
};

/* splitmix64 */
static inline u64 rng_next(struct rng *r)
{
	u64 z = r->s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline u64 rng_below(struct rng *r, u64 n)
{
	return rng_next(r) % n;
}

/* true once in n times */
static inline bool rng_one_in(struct rng *r, u64 n)
{
	return rng_below(r, n) == 0;
}

/*
 * A value as a check of registers may mind it: any, some bits off old, an event that is
 * injected (APM2 15.20), or what near gives: addresses at the limits that the test has.
 */
static inline u64 rng_register(struct rng *r, u64 old, u64 (*near)(struct rng *r))
{
	switch (rng_below(r, 6)) {
	case 0:
		return rng_next(r);
	case 1:
		return old ^ BIT(rng_below(r, 64));
	case 2:
		return old | BIT(rng_below(r, 64)) | BIT(rng_below(r, 64));
	case 3:
		return BIT(31) | (rng_next(r) & 0x7ff & ~rng_next(r));
	default:
		return near(r);
	}
}

static inline struct rng rng_seed(u64 dflt)
{
	const char *s = getenv("NB_SEED");
	struct rng r = { s ? strtoull(s, NULL, 0) : dflt };

	printf("# seed %llu\n", (unsigned long long)r.s);
	return r;
}

#endif
