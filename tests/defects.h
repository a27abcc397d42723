/* SPDX-License-Identifier: MIT */
/*
 * Known defects of emulators: tests that fail there for a reason that is
 * proved by something else than nestbed.  Strict on every other platform.
 */
#ifndef TESTS_DEFECTS_H
#define TESTS_DEFECTS_H

#include "core/lib/base.h"

struct defect {
	const char *id;		/* test id, or "test id:row"; '*' and '?' match */
	const char *platform;	/* run_env.platform; '*' and '?' match */
	const char *reason;
	const char *evidence;	/* source line or other software's outcome */
	bool kills;		/* the test would end the emulator: it is not run */
};

/* The entry for this test (row NULL) or row on this platform, or NULL.  Pure. */
const struct defect *defect_find(const char *platform, const char *id, const char *row);
/* The same in a table that ends with a NULL id. */
const struct defect *defect_find_in(const struct defect *table, const char *platform,
				    const char *id, const char *row);

#endif
