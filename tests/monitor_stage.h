/* SPDX-License-Identifier: MIT */
/* When the monitor opens: mode=monitor, on-end=monitor, a key during the run. */
#ifndef TESTS_MONITOR_STAGE_H
#define TESTS_MONITOR_STAGE_H

/*
 * A safe point of the run: no test's machine exists, no watchdog is armed.
 * Opens the monitor when a byte has come in; returns when it is left.
 */
void monitor_poll(void);

#endif
