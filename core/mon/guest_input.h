/* SPDX-License-Identifier: MIT */
/*
 * What is typed for guests.  Each that runs has a queue, which its UART
 * empties (guest_console_getc in core/lib/log.h); the serial line's bytes go
 * to the one it is attached to, else they are for the monitor.  Pure: bytes
 * and time come from outside.
 *
 * Guests start and end on any CPU.  Everything else is the boot CPU's, which
 * owns the serial line's input.
 */
#ifndef CORE_MON_GUEST_INPUT_H
#define CORE_MON_GUEST_INPUT_H

#include "core/lib/base.h"

#define CONSOLE_IN_SIZE		1024	/* a power of two */
/* Ctrl-]: away from the guest, to the monitor. */
#define CONSOLE_IN_ESCAPE	0x1d
/*
 * A full queue leaves bytes in the UART, so that whoever sends can be slowed
 * down; a guest that reads nothing for so long loses them, or Ctrl-] behind
 * them would never be seen.
 */
#define CONSOLE_IN_PATIENCE_US	1000000

/* One may put while another gets.  Zero-initialised is empty. */
struct console_in {
	u32 head, tail;		/* bytes ever put, ever taken */
	u8 buf[CONSOLE_IN_SIZE];
};

/* False: full. */
bool console_in_put(struct console_in *q, u8 c);
/* -EAGAIN: empty. */
int console_in_get(struct console_in *q);
u32 console_in_waiting(const struct console_in *q);

/* A guest starts, with an empty queue; it ends.  name is copied. */
void guest_input_open(u32 vm_id, const char *name);
void guest_input_close(u32 vm_id);

/* The guest (name or pattern, must stay valid) that is attached when it starts; "" none. */
void guest_input_want(const char *pattern);

struct guest_input_info {
	const char *name;
	u32 vm_id;
	u32 waiting;		/* bytes that it has not read */
	u64 lost;		/* bytes that came when its queue was full */
	bool attached;
};

/* Number i of those that run; false behind the last. */
bool guest_input_running(size_t i, struct guest_input_info *info);

/* By name, "N" or "vmN"; the guest's number, or -ENOENT: none such runs. */
int guest_input_find(const char *who);

/* The serial line's input is the guest's.  0, -ENOENT. */
int __must_check guest_input_attach(u32 vm_id);

/* Text and CR, as a whole or not at all.  0, -ENOENT, -ENOSPC. */
int __must_check guest_input_type(u32 vm_id, const char *text);

enum guest_input_key {
	GUEST_KEY_NONE,		/* nothing came, or it was the guest's */
	GUEST_KEY_MONITOR,	/* a byte while nobody is attached; it is dropped */
	GUEST_KEY_ESCAPE,	/* Ctrl-]; nobody is attached any more */
};

/* Takes what there is from getc (a byte, or negative: nothing). */
enum guest_input_key guest_input_feed(int (*getc)(void *ctx), void *ctx, u64 now_us);

/* Microseconds until the next look is worth while; ~0: no guest runs. */
u64 guest_input_due_us(u64 now_us);

#endif
