/* SPDX-License-Identifier: MIT */
/* What the tests of core/dev/vpic.c share: the chips on a bus, and INTR. */
#ifndef TESTS_UNIT_PIC_BOX_H
#define TESTS_UNIT_PIC_BOX_H

#include "tests/unit/unit.h"

#include "core/dev/vpic.h"

#define M	0x20
#define S	0xa0

struct fixture {
	struct bus bus;
	struct vpic pic;
	bool level;		/* of INTR, as told */
	u32 edges;		/* rising ones */
};

static inline void intr(void *ctx, bool level)
{
	struct fixture *f = ctx;

	/* Only changes are told. */
	assert_true(level != f->level);
	f->level = level;
	f->edges += level;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vpic_state_check(&f->pic.s);

	free(f);
	return err;
}

static inline u8 in(struct fixture *f, u16 port)
{
	u32 val = 0;

	assert_int_equal(bus_io(&f->bus, port, 1, true, &val), BUS_OK);
	assert_int_equal(f->level, vpic_intr(&f->pic));
	return (u8)val;
}

static inline void out(struct fixture *f, u16 port, u8 v)
{
	u32 val = v;

	assert_int_equal(bus_io(&f->bus, port, 1, false, &val), BUS_OK);
	assert_int_equal(f->level, vpic_intr(&f->pic));
	assert_int_equal(vpic_state_check(&f->pic.s), 0);
}

static inline u8 irr(struct fixture *f, u16 chip)
{
	out(f, chip, 0x0a);
	return in(f, chip);
}

static inline u8 isr(struct fixture *f, u16 chip)
{
	out(f, chip, 0x0b);
	return in(f, chip);
}

static inline void raise(struct fixture *f, u8 irq)
{
	vpic_set_irq(&f->pic, irq, true);
	assert_int_equal(f->level, vpic_intr(&f->pic));
}

static inline void lower(struct fixture *f, u8 irq)
{
	vpic_set_irq(&f->pic, irq, false);
	assert_int_equal(f->level, vpic_intr(&f->pic));
}

static inline int ack(struct fixture *f)
{
	int vector = vpic_ack(&f->pic);

	assert_int_equal(f->level, vpic_intr(&f->pic));
	return vector;
}

/* ICW1 to ICW4 of both as a PC's firmware writes them, at 0x30 and 0x38. */
static inline void init_chips(struct fixture *f, u8 icw4_master, u8 icw4_slave)
{
	out(f, M, 0x11);
	out(f, M + 1, 0x30);
	out(f, M + 1, 0x04);
	out(f, M + 1, icw4_master);
	out(f, S, 0x11);
	out(f, S + 1, 0x38);
	out(f, S + 1, 0x02);
	out(f, S + 1, icw4_slave);
}

static inline int setup_power_on(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	bus_init(&f->bus);
	*state = f;
	return vpic_init(&f->pic, &f->bus, intr, f);
}

static inline int setup(void **state)
{
	if (setup_power_on(state))
		return -1;
	init_chips(*state, 0x01, 0x01);
	return 0;
}

#endif
