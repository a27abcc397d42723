/* SPDX-License-Identifier: MIT */
/*
 * A bus, a clock and interrupt lines for the unit tests of devices on ports.
 * The device goes on box.bus with box.env.
 */
#ifndef TESTS_UNIT_IO_BOX_H
#define TESTS_UNIT_IO_BOX_H

#include "tests/unit/unit.h"

#include "core/dev/bus.h"
#include "core/dev/env.h"

struct io_box {
	struct bus bus;
	struct dev_env env;
	u64 now;
	bool line[16];
	unsigned int edges[16];		/* rises of each line */
	unsigned int rearms;
	unsigned int n;			/* bytes of out */
	char out[64];
};

static inline u64 io_box_now(void *ctx)
{
	return ((struct io_box *)ctx)->now;
}

static inline void io_box_set_irq(void *ctx, u8 irq, bool level)
{
	struct io_box *b = ctx;

	assert_true(irq < 16);
	b->edges[irq] += level && !b->line[irq];
	b->line[irq] = level;
}

static inline void io_box_rearm(void *ctx)
{
	((struct io_box *)ctx)->rearms++;
}

static inline void io_box_putc(void *ctx, u8 c)
{
	struct io_box *b = ctx;

	assert_true(b->n < sizeof(b->out));
	b->out[b->n++] = (char)c;
}

static inline void io_box_init(struct io_box *b)
{
	memset(b, 0, sizeof(*b));
	bus_init(&b->bus);
	b->env = (struct dev_env){ b, io_box_now, io_box_set_irq, io_box_rearm };
}

static inline u32 io_in(struct io_box *b, u16 port, u8 size)
{
	u32 val = 0xdeadbeef;

	assert_int_equal(bus_io(&b->bus, port, size, true, &val), BUS_OK);
	return val;
}

static inline enum bus_result io_write(struct io_box *b, u16 port, u8 size, u32 val)
{
	return bus_io(&b->bus, port, size, false, &val);
}

static inline void io_out(struct io_box *b, u16 port, u8 size, u32 val)
{
	assert_int_equal(io_write(b, port, size, val), BUS_OK);
}

static inline u8 io_inb(struct io_box *b, u16 port)
{
	return (u8)io_in(b, port, 1);
}

static inline void io_outb(struct io_box *b, u16 port, u8 val)
{
	io_out(b, port, 1, val);
}

/* Each byte of a member that must be zero. */
#define assert_reserved(check, state, member)						\
	for (size_t i_ = 0; i_ < sizeof((state)->member); i_++) {			\
		((u8 *)&(state)->member)[i_] = 1;					\
		assert_int_equal(check(state), -EINVAL);				\
		((u8 *)&(state)->member)[i_] = 0;					\
	}

/* A value of a member that no device has; the old one comes back. */
#define assert_refused(check, state, member, val) do {					\
	__typeof__((state)->member) old_ = (state)->member;				\
	(state)->member = (val);							\
	assert_int_equal(check(state), -EINVAL);					\
	(state)->member = old_;								\
	assert_int_equal(check(state), 0);						\
} while (0)

#endif
