// SPDX-License-Identifier: MIT
#include "core/dev/vtest.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(io_exit, "/kvm/dev", "test_exit", "count", "accesses to the port that ends a guest");
STAT_COUNTER(io_debug, "/kvm/dev", "debug_port", "count", "accesses to the debug console");
STAT_COUNTER(io_uart, "/kvm/dev", "uart", "count", "accesses to the serial port");
STAT_COUNTER(io_scratch, "/kvm/dev", "test_ports", "count", "accesses to the test ports");
STAT_COUNTER(mmio_regs, "/kvm/dev", "test_registers", "count", "accesses to the test registers");
STAT_COUNTER(mmio_scratch, "/kvm/dev", "test_memory", "count", "accesses to the test memory");

/* 16550 registers (PC16550D data sheet, table 2). */
enum {
	UART_DATA,		/* divisor low with DLAB */
	UART_IER,		/* divisor high with DLAB */
	UART_IIR,
	UART_LCR,
	UART_MCR,
	UART_LSR,
	UART_MSR,
	UART_SCR,
};
#define LCR_DLAB	0x80
#define LSR_IDLE	0x60	/* THR and shift register empty */
#define IIR_NONE	0x01	/* nothing pending */
#define MSR_CONNECTED	0xb0	/* DCD, DSR, CTS */

static void put(struct vtest *vt, u8 c)
{
	if (vt->putc)
		vt->putc(vt->ctx, c);
}

static enum bus_result exit_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	vt->bus->result = (u32)val;
	return BUS_DONE;
}

static u64 debug_read(void *ctx, u64 off, u8 size)
{
	return VTEST_PORT_DEBUG;
}

static enum bus_result debug_write(void *ctx, u64 off, u8 size, u64 val)
{
	put(ctx, (u8)val);
	return BUS_OK;
}

static u64 uart_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;

	switch (off) {
	case UART_IIR:
		return IIR_NONE;
	case UART_LSR:
		return LSR_IDLE;
	case UART_MSR:
		return MSR_CONNECTED;
	case UART_DATA:
		/* Nothing is ever received. */
		return vt->uart[UART_LCR] & LCR_DLAB ? 1 : 0;
	default:
		return vt->uart[off];
	}
}

static enum bus_result uart_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;
	bool dlab = vt->uart[UART_LCR] & LCR_DLAB;

	if (off == UART_DATA && !dlab)
		put(vt, (u8)val);
	else if (off != UART_IER || !dlab)
		vt->uart[off] = (u8)val;
	return BUS_OK;
}

static u64 peek(const u8 *mem, u8 size)
{
	u64 val = 0;

	memcpy(&val, mem, size);
	return val;
}

static u64 port_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;

	return peek(vt->port_scratch + off, size);
}

static enum bus_result port_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	memcpy(vt->port_scratch + off, &val, size);
	return BUS_OK;
}

/* The register block: 64-bit registers, any aligned part of one. */
static u64 reg_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;
	u64 reg[] = { VTEST_ID, vt->reads, vt->writes, vt->last_off, vt->last_size,
		      vt->last_val };

	if (off / 8 >= ARRAY_SIZE(reg))
		return 0;
	return reg[off / 8] >> (off % 8 * 8);
}

static enum bus_result reg_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	if (off == VTEST_MMIO_READS)
		vt->reads = vt->writes = vt->last_off = vt->last_size = vt->last_val = 0;
	return BUS_OK;
}

static u64 scratch_read(void *ctx, u64 off, u8 size)
{
	struct vtest *vt = ctx;

	vt->reads++;
	vt->last_off = VTEST_MMIO_SCRATCH + off;
	vt->last_size = size;
	vt->last_val = peek(vt->scratch + off, size);
	return vt->last_val;
}

static enum bus_result scratch_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	vt->writes++;
	vt->last_off = VTEST_MMIO_SCRATCH + off;
	vt->last_size = size | 0x100;
	vt->last_val = val;
	memcpy(vt->scratch + off, &val, size);
	return BUS_OK;
}

/* clang-format off */
static const struct bus_range io_ranges[] = {
	/* first last width read write */
	{ VTEST_PORT_EXIT,    0xf7,  4, NULL,       exit_write,  NULL, &io_exit },
	{ VTEST_PORT_DEBUG,   0xe9,  1, debug_read, debug_write, NULL, &io_debug },
	{ VTEST_PORT_UART,    0x3ff, 1, uart_read,  uart_write,  NULL, &io_uart },
	{ VTEST_PORT_SCRATCH, 0x60f, 4, port_read,  port_write,  NULL, &io_scratch },
};

#define SCRATCH_GPA	(VTEST_MMIO_GPA + VTEST_MMIO_SCRATCH)

static const struct bus_range mmio_ranges[] = {
	{ VTEST_MMIO_GPA, VTEST_MMIO_GPA + 0xff, 8, reg_read, reg_write, NULL, &mmio_regs },
	{ SCRATCH_GPA, SCRATCH_GPA + VTEST_SCRATCH_SIZE - 1, 8, scratch_read, scratch_write,
	  NULL, &mmio_scratch },
};
/* clang-format on */

int vtest_init(struct vtest *vt, struct bus *bus, void (*putc)(void *ctx, u8 c), void *ctx)
{
	int err = 0;

	memset(vt, 0, sizeof(*vt));
	vt->bus = bus;
	vt->putc = putc;
	vt->ctx = ctx;
	for (size_t i = 0; i < ARRAY_SIZE(io_ranges) && !err; i++) {
		struct bus_range r = io_ranges[i];

		r.ctx = vt;
		err = bus_add_io(bus, &r);
	}
	for (size_t i = 0; i < ARRAY_SIZE(mmio_ranges) && !err; i++) {
		struct bus_range r = mmio_ranges[i];

		r.ctx = vt;
		err = bus_add_mmio(bus, &r);
	}
	return err;
}
