/* SPDX-License-Identifier: MIT */
/*
 * A 16550A at 0x3f8, interrupt line 4 (PC16550D data sheet, TL/C/8652).  What
 * the guest sends goes to putc at once, so the transmitter is always empty;
 * what is received waits in the FIFO.  The other end is a stream of bytes: it
 * has no parity or framing errors, sends no break, and takes whole bytes
 * whatever LCR says.  Pure.
 */
#ifndef CORE_DEV_VUART_H
#define CORE_DEV_VUART_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VUART_PORT	0x3f8
#define VUART_IRQ	4
#define VUART_FIFO	16

struct vuart_state {
	u8 ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;	/* lsr: DR is computed from rx_len */
	u8 thr_empty_pending;		/* THRE interrupt not acknowledged; 0 without IER.ETBEI */
	u8 timeout_pending;		/* character timeout */
	u8 rx_len;			/* 0 or 1 with the FIFOs off */
	u8 rx[VUART_FIFO];		/* oldest first; what lies behind rx_len was read */
	u8 reserved[4];
	u64 timeout_at;			/* guest time; DEV_NEVER */
};

struct vuart {
	struct vuart_state s;
	const struct dev_env *env;
	void (*putc)(void *ctx, u8 c);
	void *putc_ctx;
};

/* Master reset, with the line up; divisor 12 (9600), as firmware leaves it.  putc NULL: nowhere. */
int __must_check vuart_init(struct vuart *u, struct bus *bus, const struct dev_env *env,
			    void (*putc)(void *ctx, u8 c), void *putc_ctx);
/*
 * Room for another received byte?  No with RTS off when DTR is on: such a
 * guest holds its peer back; one that never touched MCR does not.  No in
 * loopback.
 */
bool vuart_can_receive(const struct vuart *u);
/* A byte comes in; without room: overrun; in loopback: lost. */
void vuart_receive(struct vuart *u, u8 c);
/* When the character timeout is due: guest time, DEV_NEVER. */
u64 vuart_next(const struct vuart *u);
void vuart_tick(struct vuart *u, u64 now);
int __must_check vuart_state_check(const struct vuart_state *s);

#endif
