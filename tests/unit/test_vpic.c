// SPDX-License-Identifier: MIT
/* 8259A data sheet (231468) unless it says ICH9. */
#include "tests/unit/pic_box.h"

static void test_power_on(void **state)
{
	struct fixture *f = *state;

	/* OCW1 works before any ICW1: so Linux looks for the chip. */
	out(f, S + 1, 0xff);
	out(f, M + 1, 0xfb);
	assert_int_equal(in(f, M + 1), 0xfb);
	assert_int_equal(in(f, S + 1), 0xff);
	out(f, M + 1, 0);
	out(f, S + 1, 0);
	/* Not brought to a starting point: no requests. */
	raise(f, 0);
	raise(f, 8);
	assert_false(vpic_intr(&f->pic));
	assert_int_equal(in(f, M), 0x01);
	assert_int_equal(in(f, 0x4d0), 0);
	assert_int_equal(in(f, 0x4d1), 0);
}

static void test_icw1_resets(void **state)
{
	struct fixture *f = *state;

	out(f, M + 1, 0xaa);
	raise(f, 0);
	assert_int_equal(ack(f), 0x30);
	raise(f, 4);
	out(f, M, 0x68);		/* special mask mode */
	out(f, M, 0xc3);		/* IR3 lowest */
	out(f, M, 0x0b);		/* read ISR */
	out(f, M, 0x11);
	/* a, b: edges forgotten although the lines are high, IMR clear; e: IRR is read. */
	assert_int_equal(in(f, M + 1), 0);
	assert_int_equal(in(f, M), 0);
	assert_int_equal(isr(f, M), 0);
	out(f, M + 1, 0x47);		/* T7..T3 only */
	out(f, M + 1, 0x04);
	out(f, M + 1, 0x01);
	assert_false(vpic_intr(&f->pic));
	lower(f, 4);
	raise(f, 4);
	raise(f, 7);
	/* c: IR7 has the lowest priority again. */
	assert_int_equal(ack(f), 0x44);
	assert_false(vpic_intr(&f->pic));
}

static void test_icw_sequences(void **state)
{
	struct fixture *f = *state;

	/* Single, no ICW4: the second word is OCW1. */
	out(f, M, 0x12);
	out(f, M + 1, 0x50);
	out(f, M + 1, 0x55);
	assert_int_equal(in(f, M + 1), 0x55);
	/* Single with ICW4. */
	out(f, M, 0x13);
	out(f, M + 1, 0x50);
	out(f, M + 1, 0x03);
	out(f, M + 1, 0x56);
	assert_int_equal(in(f, M + 1), 0x56);
	/* Cascaded without ICW4. */
	out(f, M, 0x10);
	out(f, M + 1, 0x50);
	out(f, M + 1, 0x04);
	out(f, M + 1, 0x57);
	assert_int_equal(in(f, M + 1), 0x57);
	/* Begun anew in the middle; IMR is no word of it, nothing is requested. */
	out(f, M, 0x11);
	out(f, M + 1, 0x50);
	raise(f, 1);
	assert_false(vpic_intr(&f->pic));
	out(f, M, 0x11);
	lower(f, 1);
	raise(f, 1);
	out(f, M + 1, 0x60);
	out(f, M + 1, 0x04);
	assert_false(vpic_intr(&f->pic));
	out(f, M + 1, 0x01);
	assert_true(vpic_intr(&f->pic));
	assert_int_equal(in(f, M + 1), 0);
	assert_int_equal(ack(f), 0x61);
}

static void test_fully_nested(void **state)
{
	struct fixture *f = *state;

	raise(f, 3);
	raise(f, 5);
	assert_int_equal(irr(f, M), 0x28);
	assert_int_equal(ack(f), 0x33);
	assert_int_equal(irr(f, M), 0x20);
	assert_int_equal(isr(f, M), 0x08);
	/* Lower and equal priorities wait, a higher one interrupts. */
	assert_false(vpic_intr(&f->pic));
	lower(f, 3);
	raise(f, 3);
	assert_false(vpic_intr(&f->pic));
	raise(f, 1);
	assert_int_equal(ack(f), 0x31);
	assert_int_equal(isr(f, M), 0x0a);
	/* Non-specific: the highest in service. */
	out(f, M, 0x20);
	assert_int_equal(isr(f, M), 0x08);
	assert_false(vpic_intr(&f->pic));
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x33);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x35);
	/* Specific: that level, whatever else. */
	raise(f, 0);
	assert_int_equal(ack(f), 0x30);
	out(f, M, 0x65);
	assert_int_equal(isr(f, M), 0x01);
	out(f, M, 0x60);
	assert_int_equal(isr(f, M), 0);
	out(f, M, 0x20);
	assert_int_equal(isr(f, M), 0);
}

static void test_mask(void **state)
{
	struct fixture *f = *state;

	out(f, M + 1, 0x10);
	raise(f, 4);
	assert_false(vpic_intr(&f->pic));
	/* IRR is not affected by IMR. */
	assert_int_equal(irr(f, M), 0x10);
	out(f, M + 1, 0);
	assert_true(vpic_intr(&f->pic));
	out(f, M + 1, 0xff);
	assert_false(vpic_intr(&f->pic));
	out(f, M + 1, 0xef);
	assert_int_equal(ack(f), 0x34);
	assert_int_equal(f->edges, 2);
}

static void test_edge_once(void **state)
{
	struct fixture *f = *state;

	raise(f, 6);
	raise(f, 6);
	assert_int_equal(ack(f), 0x36);
	out(f, M, 0x20);
	/* Still high: no other edge. */
	raise(f, 6);
	assert_false(vpic_intr(&f->pic));
	lower(f, 6);
	raise(f, 6);
	assert_int_equal(ack(f), 0x36);
}

static void test_spurious(void **state)
{
	struct fixture *f = *state;

	/* Withdrawn before the acknowledge: IR7, nothing in service. */
	raise(f, 3);
	assert_true(vpic_intr(&f->pic));
	lower(f, 3);
	assert_false(vpic_intr(&f->pic));
	assert_int_equal(irr(f, M), 0);
	assert_int_equal(ack(f), 0x37);
	assert_int_equal(isr(f, M), 0);
	/* The real one sets its bit. */
	raise(f, 7);
	assert_int_equal(ack(f), 0x37);
	assert_int_equal(isr(f, M), 0x80);
}

static void test_level(void **state)
{
	struct fixture *f = *state;

	out(f, 0x4d0, 0x20);
	raise(f, 5);
	assert_int_equal(ack(f), 0x35);
	/* As long as the line is high. */
	assert_int_equal(irr(f, M), 0x20);
	assert_false(vpic_intr(&f->pic));
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x35);
	lower(f, 5);
	out(f, M, 0x20);
	assert_false(vpic_intr(&f->pic));
	assert_int_equal(irr(f, M), 0);
	/* LTIM of ICW1 is replaced by ELCR, which ICW1 leaves alone (ICH9 13.4.2). */
	out(f, M, 0x19);
	out(f, M + 1, 0x30);
	out(f, M + 1, 0x04);
	out(f, M + 1, 0x01);
	assert_int_equal(in(f, 0x4d0), 0x20);
	raise(f, 4);
	assert_int_equal(ack(f), 0x34);
	out(f, M, 0x20);
	assert_false(vpic_intr(&f->pic));
}

static void test_elcr(void **state)
{
	struct fixture *f = *state;

	/* ICH9 13.4.10, 13.4.11: 0, 1, 2, 8 and 13 are reserved. */
	out(f, 0x4d0, 0xff);
	out(f, 0x4d1, 0xff);
	assert_int_equal(in(f, 0x4d0), 0xf8);
	assert_int_equal(in(f, 0x4d1), 0xde);
	out(f, 0x4d0, 0);
	out(f, 0x4d1, 0);
	/* A line that is high becomes a request as a level, none again as an edge. */
	raise(f, 9);
	assert_int_equal(ack(f), 0x39);
	out(f, S, 0x20);
	out(f, M, 0x20);
	assert_false(vpic_intr(&f->pic));
	out(f, 0x4d1, 0x02);
	assert_true(vpic_intr(&f->pic));
	out(f, 0x4d1, 0x00);
	assert_false(vpic_intr(&f->pic));
}

static void test_cascade(void **state)
{
	struct fixture *f = *state;

	raise(f, 8);
	assert_int_equal(irr(f, S), 0x01);
	assert_int_equal(irr(f, M), 0x04);
	raise(f, 3);
	/* IR2 is above IR3. */
	assert_int_equal(ack(f), 0x38);
	assert_int_equal(isr(f, S), 0x01);
	assert_int_equal(isr(f, M), 0x04);
	assert_false(vpic_intr(&f->pic));
	/* Fully nested: a higher one of the same slave waits for the master's EOI. */
	out(f, S, 0x20);
	raise(f, 10);
	assert_false(vpic_intr(&f->pic));
	raise(f, 1);
	assert_int_equal(ack(f), 0x31);
	out(f, M, 0x20);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x3a);
	out(f, S, 0x20);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x33);
	/* Line 2 is the cascade, no input; above 15 there is none. */
	raise(f, 2);
	raise(f, 16);
	raise(f, 255);
	assert_int_equal(irr(f, M), 0);
}

static void test_spurious_15(void **state)
{
	struct fixture *f = *state;
	struct vpic_chip *slave = &f->pic.s.chip[1];

	raise(f, 12);
	/* Masked between the two cycles: the master answered, the slave has none. */
	assert_int_equal(irr(f, M), 0x04);
	slave->imr = 0xff;
	assert_int_equal(ack(f), 0x3f);
	slave->imr = 0;
	assert_int_equal(isr(f, S), 0);
	assert_int_equal(isr(f, M), 0x04);
	out(f, M, 0x20);
	/* Withdrawn in time: it is the master's. */
	lower(f, 12);
	assert_false(vpic_intr(&f->pic));
	assert_int_equal(ack(f), 0x37);
}

static void test_wrong_identity(void **state)
{
	struct fixture *f = *state;

	/* A slave of another name does not answer: the bus floats. */
	out(f, S, 0x11);
	out(f, S + 1, 0x38);
	out(f, S + 1, 0x03);
	out(f, S + 1, 0x01);
	raise(f, 9);
	assert_int_equal(ack(f), 0xff);
	assert_int_equal(isr(f, S), 0);
	out(f, M, 0x20);
	lower(f, 9);
	/* A master without slaves gives its own vector. */
	out(f, M, 0x11);
	out(f, M + 1, 0x30);
	out(f, M + 1, 0x00);
	out(f, M + 1, 0x01);
	raise(f, 9);
	assert_int_equal(ack(f), 0x32);
}

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	static const struct {
		size_t off;
		u8 val;
	} bad[] = {
#define BAD(n, m, v) { offsetof(struct vpic_state, chip[n].m), v }
		BAD(0, edge, 0x01), BAD(0, elcr, 0x04), BAD(1, elcr, 0x21), BAD(0, base, 0x31),
		BAD(0, lowest, 8), BAD(1, cascade, 8), BAD(0, init, 5), BAD(0, single, 1),
		BAD(1, need_icw4, 1), BAD(0, init, 2), BAD(0, init, 3), BAD(0, read_isr, 2),
		BAD(0, poll, 2), BAD(1, special_mask, 2), BAD(1, auto_eoi, 2),
		BAD(0, rotate_aeoi, 2), BAD(0, special_nested, 2), BAD(0, reserved[0], 1),
		BAD(1, reserved[2], 1), BAD(0, line, 0x04), BAD(0, auto_eoi, 1),
#undef BAD
	};

	raise(f, 0);
	ack(f);
	out(f, M + 1, 0x10);
	lower(f, 0);
	assert_int_equal(vpic_state_check(&f->pic.s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vpic_state s = f->pic.s;

		((u8 *)&s)[bad[i].off] = bad[i].val;
		assert_int_equal(vpic_state_check(&s), -EINVAL);
	}
	raise(f, 9);
	assert_int_equal(vpic_state_check(&f->pic.s), 0);
	f->pic.s.chip[0].line = f->pic.s.chip[0].edge = 0;
	assert_int_equal(vpic_state_check(&f->pic.s), -EINVAL);
	f->pic.s.chip[0].line = f->pic.s.chip[0].edge = 4;
	assert_int_equal(vpic_state_check(&f->pic.s), 0);
}

static void test_ports_taken(void **state)
{
	struct fixture *f = *state;
	struct vpic other;

	assert_int_equal(vpic_init(&other, &f->bus, intr, f), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_power_on, setup_power_on, teardown),
		T(test_icw1_resets), T(test_icw_sequences), T(test_fully_nested), T(test_mask),
		T(test_edge_once), T(test_spurious), T(test_level), T(test_elcr),
		T(test_cascade), T(test_spurious_15), T(test_wrong_identity),
		T(test_state_check), T(test_ports_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
