/* SPDX-License-Identifier: MIT */
/*
 * Who gets what is typed: the monitor (mode=monitor, on-end=monitor, a key
 * during the run), or a guest's console.
 */
#ifndef TESTS_MONITOR_STAGE_H
#define TESTS_MONITOR_STAGE_H

#include "core/lib/cmdline.h"

/*
 * A safe point of the run: no test's machine exists, no watchdog is armed.
 * Opens the monitor when a byte has come in; returns when it is left.
 */
void monitor_poll(void);

/*
 * A guest's console, from its first entry to its end, on the CPU that runs it:
 * what it may print, what is typed for it.  guest_console_over may be called
 * again; what it leaves in the middle of a line is shown.
 */
void guest_console_begin(u32 vm_id, const struct guest_options *o);
void guest_console_over(u32 vm_id);

/*
 * While guests run (guest_console_begin): hands what has come in to the guest
 * that has the line, or opens the monitor, in which case it returns when that
 * is left.  A part of the run loop's safe point (vcpu_safe_point), and for
 * whoever waits on the boot CPU for guests of others; interrupts may be off.
 * Does nothing on other CPUs, or too soon after the last time.
 */
void guest_console_input_poll(void);

/* Microseconds until it has to be called again; ~0: no guest runs. */
u64 guest_console_due_us(void);

#endif
