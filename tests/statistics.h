/* SPDX-License-Identifier: MIT */
/* When the statistics are dumped: stats=end|SECONDS|off, and on request. */
#ifndef TESTS_STATISTICS_H
#define TESTS_STATISTICS_H

#include "core/lib/base.h"

/*
 * Writes the framed block of docs/serial.md now.  On any CPU, one at a time
 * (a second caller returns at once); not from an interrupt handler.  Nothing
 * else is kept waiting: no lock is held across lines.
 */
void stats_dump(void);

/* At a safe point: dumps when stats=SECONDS says it is time. */
void stats_poll(void);

/* Microseconds until the next periodic dump; ~0: none. */
u64 stats_due_us(void);

#endif
