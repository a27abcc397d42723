/* SPDX-License-Identifier: MIT */
/*
 * A 16550 as console sink.  A missing or dead UART never hangs: every wait is
 * bounded, and after repeated time-outs bytes are dropped.
 */
#ifndef CORE_MON_UART_HW_H
#define CORE_MON_UART_HW_H

#include "core/lib/base.h"
#include "core/mon/console.h"
#include "core/mon/log.h"

struct uart {
	u64 base;		/* port, or virtual address */
	bool mmio;
	u8 reg_shift, access_width;
	u8 fifo;		/* bytes that may follow one THRE: 1 or 16 */
	bool present;
	u32 timeouts;		/* in a row */
	u64 dropped;		/* bytes */
	struct log_sink sink;	/* for log_add_sink */
};

/*
 * Detects and sets up.  cfg->addr is used as it is for CONSOLE_IO; for
 * CONSOLE_MMIO, mmio_va is where it is mapped; for CONSOLE_PCI the caller has
 * turned the BAR into one of these.  0, -ENODEV (no UART there), -EINVAL.
 */
int __must_check uart_init(struct uart *u, const struct console_config *cfg, u64 mmio_va);

/* Raw bytes; drops what does not go out in time. */
void uart_write(struct uart *u, const char *s, size_t len);

/* A received byte, or -EAGAIN. */
int uart_getc(struct uart *u);

/* Waits (bounded) until the transmitter is empty: before power off. */
void uart_drain(struct uart *u);

#endif
