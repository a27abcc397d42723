/* SPDX-License-Identifier: MIT */
/*
 * A 16550A at 0x3f8, interrupt line 4 (PC16550D data sheet).  What the guest
 * sends goes to putc at once; what is received waits in the FIFO.  Pure.
 */
#ifndef CORE_DEV_VUART_H
#define CORE_DEV_VUART_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VUART_PORT	0x3f8
#define VUART_IRQ	4
#define VUART_FIFO	16

struct vuart_state {
	u8 ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
	u8 thr_empty_pending;		/* THRE interrupt not yet acknowledged */
	u8 timeout_pending;		/* character timeout */
	u8 rx_len;
	u8 rx[VUART_FIFO];
	u8 reserved[4];
	u64 timeout_at;			/* guest time; DEV_NEVER */
};

struct vuart {
	struct vuart_state s;
	const struct dev_env *env;
	void (*putc)(void *ctx, u8 c);
	void *putc_ctx;
};

int __must_check vuart_init(struct vuart *u, struct bus *bus, const struct dev_env *env,
			    void (*putc)(void *ctx, u8 c), void *putc_ctx);
/* Room for another received byte (also: RTS, when the guest uses flow control)? */
bool vuart_can_receive(const struct vuart *u);
/* A byte comes in; without room: overrun. */
void vuart_receive(struct vuart *u, u8 c);
u64 vuart_next(const struct vuart *u);
void vuart_tick(struct vuart *u, u64 now);
int __must_check vuart_state_check(const struct vuart_state *s);

#endif
