// SPDX-License-Identifier: MIT
/*
 * The one file of core/mon that touches hardware: it has its own port and
 * memory accesses, so that core/mon depends on core/lib alone.
 */
#include "core/mon/uart_hw.h"

/* 16550 registers. */
enum {
	UART_THR = 0, UART_RBR = 0, UART_DLL = 0,
	UART_IER = 1, UART_DLM = 1,
	UART_IIR = 2, UART_FCR = 2,
	UART_LCR = 3, UART_MCR = 4, UART_LSR = 5, UART_MSR = 6, UART_SCR = 7,
};

#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define MCR_DTR_RTS	0x03
#define MCR_OUT2	0x08
#define MCR_LOOP	0x10
#define FCR_ENABLE	0x01
#define FCR_RESET	0x06
#define FCR_TRIGGER14	0xc0
#define IIR_FIFO_OK	0xc0
#define LSR_DR		0x01
#define LSR_PE_FE_BI	0x1c	/* parity, framing error, break: of the byte in RBR */
#define LSR_THRE	0x20
#define LSR_TEMT	0x40

#define UART_CLOCK_BAUD	115200	/* 1.8432 MHz / 16 */
#define FIFO_SIZE	16

/*
 * When a wait is given up: after so many reads of LSR (1 us each on hardware;
 * a full FIFO at 9600 baud needs 17 ms) and so many cycles, some 0.7 s.  An
 * emulator reads fast, and whoever takes its output may make it wait.
 */
#define WAIT_READS	100000
#define WAIT_CYCLES	(1ULL << 31)
/* So many time-outs in a row, and only a short look per write is spent. */
#define MAX_TIMEOUTS	3
#define DEAD_READS	16

static u8 reg_read(const struct uart *u, u32 reg)
{
	u64 a = u->base + ((u64)reg << u->reg_shift);
	u32 v32 = 0;
	u8 v = 0;

	if (!u->mmio)
		__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"((u16)a));
	else if (u->access_width == 4)
		__asm__ volatile("movl (%1), %0" : "=r"(v32) : "r"(a) : "memory");
	else
		__asm__ volatile("movb (%1), %0" : "=q"(v) : "r"(a) : "memory");
	return v | (u8)v32;
}

static void reg_write(const struct uart *u, u32 reg, u8 v)
{
	u64 a = u->base + ((u64)reg << u->reg_shift);

	if (!u->mmio)
		__asm__ volatile("outb %0, %1" :: "a"(v), "Nd"((u16)a));
	else if (u->access_width == 4)
		__asm__ volatile("movl %0, (%1)" :: "r"((u32)v), "r"(a) : "memory");
	else
		__asm__ volatile("movb %0, (%1)" :: "q"(v), "r"(a) : "memory");
}

static bool wait_lsr(const struct uart *u, u8 bit)
{
	bool dead = u->timeouts >= MAX_TIMEOUTS;
	u64 start = __builtin_ia32_rdtsc();

	for (u32 reads = 0;; reads++) {
		u8 lsr = reg_read(u, UART_LSR);

		/* All ones: the device went away; its bits mean nothing. */
		if (lsr != 0xff && (lsr & bit))
			return true;
		if (dead && reads >= DEAD_READS)
			return false;
		if (reads >= WAIT_READS && __builtin_ia32_rdtsc() - start > WAIT_CYCLES)
			return false;
		__builtin_ia32_pause();
	}
}

/*
 * A UART has a scratch register (16550) or at least carries the modem lines
 * round in loopback mode (8250); an empty port reads all ones or zeros.
 */
static bool uart_probe(const struct uart *u)
{
	u8 mcr = reg_read(u, UART_MCR);
	u8 msr;

	if (mcr == 0xff && reg_read(u, UART_LSR) == 0xff)
		return false;
	reg_write(u, UART_SCR, 0x5a);
	if (reg_read(u, UART_SCR) == 0x5a) {
		reg_write(u, UART_SCR, 0xa5);
		if (reg_read(u, UART_SCR) == 0xa5)
			return true;
	}
	/* In loopback RTS shows up as CTS and OUT2 as DCD: MSR 7:4 = 1001b. */
	reg_write(u, UART_MCR, MCR_LOOP | MCR_OUT2 | 2);
	msr = reg_read(u, UART_MSR);
	reg_write(u, UART_MCR, mcr);
	return (msr & 0xf0) == 0x90;
}

static void uart_setup(struct uart *u, u32 baud)
{
	u32 div;

	reg_write(u, UART_IER, 0);
	if (baud != CONSOLE_BAUD_KEEP) {
		div = UART_CLOCK_BAUD / baud;
		/* What the firmware still sends must leave at the old rate. */
		wait_lsr(u, LSR_TEMT);
		reg_write(u, UART_LCR, LCR_8N1 | LCR_DLAB);
		reg_write(u, UART_DLL, (u8)div);
		reg_write(u, UART_DLM, (u8)(div >> 8));
		reg_write(u, UART_LCR, LCR_8N1);
	} else {
		reg_write(u, UART_LCR, reg_read(u, UART_LCR) & (u8)~LCR_DLAB);
	}
	reg_write(u, UART_FCR, FCR_ENABLE | FCR_RESET | FCR_TRIGGER14);
	u->fifo = (reg_read(u, UART_IIR) & IIR_FIFO_OK) == IIR_FIFO_OK ? FIFO_SIZE : 1;
	reg_write(u, UART_MCR, MCR_DTR_RTS | MCR_OUT2);
}

static void sink_line(void *ctx, const char *s, size_t len)
{
	uart_write(ctx, s, len);
	uart_write(ctx, "\r\n", 2);
}

static void sink_raw(void *ctx, const char *s, size_t len)
{
	uart_write(ctx, s, len);
}

int uart_init(struct uart *u, const struct console_config *cfg, u64 mmio_va)
{
	*u = (struct uart){
		.base = cfg->kind == CONSOLE_MMIO ? mmio_va : cfg->addr,
		.mmio = cfg->kind == CONSOLE_MMIO,
		.reg_shift = cfg->reg_shift,
		.access_width = cfg->access_width,
		.sink = { .line = sink_line, .raw = sink_raw, .ctx = u },
	};
	if (cfg->kind != CONSOLE_IO && cfg->kind != CONSOLE_MMIO)
		return -EINVAL;
	if (!u->base || cfg->reg_shift > 2 || cfg->baud > UART_CLOCK_BAUD)
		return -EINVAL;
	if (!uart_probe(u))
		return -ENODEV;
	uart_setup(u, cfg->baud);
	u->present = true;
	/* Firmware may have left the cursor inside a line. */
	uart_write(u, "\r\n", 2);
	return 0;
}

void uart_write(struct uart *u, const char *s, size_t len)
{
	while (u->present && len) {
		size_t burst = MIN(len, (size_t)u->fifo);

		if (!wait_lsr(u, LSR_THRE)) {
			u->timeouts++;
			u->dropped += len;
			return;
		}
		u->timeouts = 0;
		for (size_t i = 0; i < burst; i++)
			reg_write(u, UART_THR, (u8)s[i]);
		s += burst;
		len -= burst;
	}
}

int uart_getc(struct uart *u)
{
	u8 lsr, c;

	if (!u->present)
		return -EAGAIN;
	lsr = reg_read(u, UART_LSR);
	if (lsr == 0xff || !(lsr & LSR_DR))
		return -EAGAIN;
	c = reg_read(u, UART_RBR);
	/* Noise of a line with nobody at the other end is no key. */
	return lsr & LSR_PE_FE_BI ? -EAGAIN : c;
}

void uart_drain(struct uart *u)
{
	if (u->present)
		wait_lsr(u, LSR_TEMT);
}
