/* SPDX-License-Identifier: MIT */
/*
 * The 19 cases with which statsfs v3 was submitted, by name and with the same
 * data: run on the host (tests/unit/test_kunit.c) and in the image
 * (stats.kunit.*).
 */
#ifndef TESTS_STATS_KUNIT_H
#define TESTS_STATS_KUNIT_H

#include "stats/statsfs.h"

/* How a case reports; eq counts as one check. */
struct kunit {
	struct stats_fs *fs;
	void (*eq)(void *ctx, u64 got, u64 want, const char *what, int line);
	void *ctx;
};

struct kunit_case {
	const char *name;
	void (*fn)(struct kunit *k);
};

extern const struct kunit_case kunit_cases[19];

#endif
