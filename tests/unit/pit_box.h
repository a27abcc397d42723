/* SPDX-License-Identifier: MIT */
/* What the tests of core/dev/vpit.c share: the timer on a bus, time, and interrupt line 0. */
#ifndef TESTS_UNIT_PIT_BOX_H
#define TESTS_UNIT_PIT_BOX_H

#include "tests/unit/unit.h"

#include "core/dev/vpit.h"
#include "tests/unit/pit_model.h"

struct fixture {
	struct bus bus;
	struct vpit pit;
	struct dev_env env;
	u64 now, clk;
	bool line;
	u32 rises, rearms;
};

static inline u64 now(void *ctx)
{
	return ((struct fixture *)ctx)->now;
}

static inline void set_irq(void *ctx, u8 irq, bool level)
{
	struct fixture *f = ctx;

	assert_int_equal(irq, 0);
	assert_true(level != f->line);
	f->line = level;
	f->rises += level;
}

static inline void rearm(void *ctx)
{
	((struct fixture *)ctx)->rearms++;
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	bus_init(&f->bus);
	f->env = (struct dev_env){ .ctx = f, .now = now, .set_irq = set_irq, .rearm = rearm };
	*state = f;
	return vpit_init(&f->pit, &f->bus, &f->env);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vpit_state_check(&f->pit.s);

	free(f);
	return err;
}

static inline u8 in(struct fixture *f, u16 port)
{
	u32 val = 0;

	assert_int_equal(bus_io(&f->bus, port, 1, true, &val), BUS_OK);
	return (u8)val;
}

static inline void out(struct fixture *f, u16 port, u8 v)
{
	u32 val = v;

	assert_int_equal(bus_io(&f->bus, port, 1, false, &val), BUS_OK);
	assert_int_equal(vpit_state_check(&f->pit.s), 0);
}

static inline u16 in16(struct fixture *f, u16 port)
{
	u16 low = in(f, port);

	return (u16)(low | in(f, port) << 8);
}

static inline void out16(struct fixture *f, u16 port, u16 v)
{
	out(f, port, (u8)v);
	out(f, port, (u8)(v >> 8));
}

/* To CLK n after the start of the machine. */
static inline void at(struct fixture *f, u64 n)
{
	f->clk = n;
	f->now = pit_model_ns(n);
}

static inline void pass(struct fixture *f, u64 clks)
{
	at(f, f->clk + clks);
}

static inline u8 status(struct fixture *f, u8 ch)
{
	out(f, 0x43, 0xe0 | (u8)(2 << ch));
	return in(f, 0x40 + ch);
}

static inline bool out_of(struct fixture *f, u8 ch)
{
	return status(f, ch) & 0x80;
}

static inline u16 latched(struct fixture *f, u8 ch)
{
	out(f, 0x43, (u8)(ch << 6));
	return in16(f, 0x40 + ch);
}

/* Ticks as told by vpit_next until CLK n; the number of rising edges. */
static inline u32 run(struct fixture *f, u64 n)
{
	u32 before = f->rises;
	u64 end = pit_model_ns(n), next;

	while ((next = vpit_next(&f->pit)) <= end) {
		f->now = MAX(f->now, next);
		vpit_tick(&f->pit, f->now);
		assert_true(vpit_next(&f->pit) > f->now);
		assert_int_equal(vpit_state_check(&f->pit.s), 0);
	}
	at(f, n);
	return f->rises - before;
}

#endif
