/* SPDX-License-Identifier: MIT */
/*
 * Printing, as every layer may use it.  core/mon/log.c implements it and
 * core/mon/log.h has what only the console's owner needs.
 */
#ifndef CORE_LIB_LOG_H
#define CORE_LIB_LOG_H

#include "core/lib/base.h"
#include "core/lib/diag.h"

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/*
 * A message for people: "# text", "# warning: text", "# error: text" (a KTAP
 * diagnostic).  Text with '\n' becomes several lines with the same prefix.
 */
void log_printf(enum log_level level, const char *fmt, ...) __printf(2, 3);

/* "@nestbed " and the text at column 0; line ends in it are escaped. */
void machine_line(const char *fmt, ...) __printf(1, 2);

/* A KTAP line as it is (leading blanks kept); line ends in it are escaped. */
void ktap_line(const char *fmt, ...) __printf(1, 2);

/* One byte of the console of guest vm_id; appears as "vm<id>| text". */
void guest_putc(u32 vm_id, u8 c);

/*
 * Shows prompts: half lines that no byte was added to for a while.  Called now
 * and then, on any CPU; time in microseconds.  Cheap when there is nothing.
 */
void guest_console_poll(u64 now_us);

/* How many bytes guest vm_id may print from now on in each run; 0: the default. */
void guest_console_limit(u32 vm_id, u64 bytes);

/*
 * The next byte typed for guest vm_id, or -EAGAIN (also: no such guest).  One
 * caller at a time for each guest, on any CPU.
 */
int guest_console_getc(u32 vm_id);
/* Is something typed for it that it has not taken?  Any CPU, at any time. */
bool guest_console_waits(u32 vm_id);

/* End of a guest's run: flushes its last line, reports dropped bytes. */
void guest_console_end(u32 vm_id);

/*
 * From now on no lock is taken and guests' bytes are discarded: for panic,
 * when the lock's holder may be dead.
 */
void log_panic_mode(void);

/* A diag whose lines become log_printf(LOG_WARN, "<line>"). */
extern const struct diag log_diag;

#endif
