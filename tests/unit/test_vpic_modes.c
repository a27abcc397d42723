// SPDX-License-Identifier: MIT
/* The modes of priority: 8259A data sheet (231468) unless it says ICH9. */
#include "tests/unit/pic_box.h"

static void test_special_fully_nested(void **state)
{
	struct fixture *f = *state;

	init_chips(f, 0x11, 0x01);
	raise(f, 12);
	assert_int_equal(ack(f), 0x3c);
	/* Higher in the slave: not locked out. */
	raise(f, 9);
	assert_int_equal(ack(f), 0x39);
	assert_int_equal(isr(f, S), 0x12);
	/* Lower in the slave or the master: as ever. */
	raise(f, 13);
	raise(f, 3);
	assert_false(vpic_intr(&f->pic));
	out(f, S, 0x20);
	assert_false(vpic_intr(&f->pic));
	out(f, S, 0x20);
	assert_int_equal(ack(f), 0x3d);
	/* Another input of the master that is in service is locked out. */
	out(f, S, 0x20);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x33);
	lower(f, 3);
	raise(f, 3);
	assert_false(vpic_intr(&f->pic));
	/* Nor does a slave pass one that is above it. */
	out(f, M, 0x20);
	lower(f, 3);
	raise(f, 1);
	assert_int_equal(ack(f), 0x31);
	raise(f, 14);
	assert_false(vpic_intr(&f->pic));
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x3e);
}

static void test_automatic_eoi(void **state)
{
	struct fixture *f = *state;

	init_chips(f, 0x03, 0x03);
	raise(f, 4);
	raise(f, 9);
	raise(f, 10);
	assert_int_equal(ack(f), 0x39);
	assert_int_equal(isr(f, M), 0);
	assert_int_equal(isr(f, S), 0);
	/* The slave's INT made a new edge. */
	assert_int_equal(ack(f), 0x3a);
	assert_int_equal(ack(f), 0x34);
	assert_false(vpic_intr(&f->pic));
	assert_int_equal(f->edges, 3);
}

static void test_rotation(void **state)
{
	struct fixture *f = *state;

	/* Rotate on non-specific EOI: the served one becomes the lowest. */
	raise(f, 4);
	raise(f, 6);
	assert_int_equal(ack(f), 0x34);
	out(f, M, 0xa0);
	lower(f, 4);
	raise(f, 4);
	assert_int_equal(ack(f), 0x36);
	out(f, M, 0x20);
	raise(f, 5);
	/* Now 5 is the highest, 4 the lowest. */
	assert_int_equal(ack(f), 0x35);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x34);
	/* Rotate on specific EOI. */
	raise(f, 1);
	assert_int_equal(ack(f), 0x31);
	out(f, M, 0xe4);
	assert_int_equal(isr(f, M), 0x02);
	out(f, M, 0xe1);
	assert_int_equal(isr(f, M), 0);
	for (u8 i = 0; i < 8; i++)
		lower(f, i);
	raise(f, 0);
	raise(f, 3);
	assert_int_equal(ack(f), 0x33);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x30);
	out(f, M, 0x20);
	/* Set priority: 6 lowest, 7 highest. */
	out(f, M, 0xc6);
	lower(f, 0);
	raise(f, 0);
	raise(f, 7);
	assert_int_equal(ack(f), 0x37);
	/* No operation. */
	out(f, M, 0x43);
	out(f, M, 0x20);
	assert_int_equal(ack(f), 0x30);
	/* Nothing in service: nothing to rotate. */
	out(f, M, 0x20);
	out(f, M, 0xa0);
	lower(f, 7);
	raise(f, 6);
	raise(f, 7);
	assert_int_equal(ack(f), 0x37);
}

static void test_rotation_automatic(void **state)
{
	struct fixture *f = *state;

	init_chips(f, 0x03, 0x01);
	out(f, M, 0x80);
	raise(f, 0);
	raise(f, 1);
	assert_int_equal(ack(f), 0x30);
	lower(f, 0);
	raise(f, 0);
	assert_int_equal(ack(f), 0x31);
	assert_int_equal(ack(f), 0x30);
	/* 1 is the highest now; without rotation it stays so. */
	out(f, M, 0x00);
	for (int i = 0; i < 2; i++) {
		lower(f, 0);
		lower(f, 1);
		raise(f, 0);
		raise(f, 1);
		assert_int_equal(ack(f), 0x31);
		assert_int_equal(ack(f), 0x30);
	}
}

static void test_special_mask(void **state)
{
	struct fixture *f = *state;

	raise(f, 3);
	assert_int_equal(ack(f), 0x33);
	raise(f, 6);
	lower(f, 3);
	raise(f, 3);
	out(f, M + 1, 0x08);
	assert_false(vpic_intr(&f->pic));
	/* All levels but the masked one. */
	out(f, M, 0x68);
	assert_int_equal(ack(f), 0x36);
	assert_int_equal(isr(f, M), 0x48);
	/* A masked bit is not cleared by non-specific EOI. */
	out(f, M, 0x20);
	assert_int_equal(isr(f, M), 0x08);
	out(f, M, 0x20);
	assert_int_equal(isr(f, M), 0x08);
	/* ESMM = 0: SMM does not count. */
	out(f, M, 0x2a);
	lower(f, 6);
	raise(f, 6);
	assert_true(vpic_intr(&f->pic));
	out(f, M, 0x48);
	assert_false(vpic_intr(&f->pic));
	out(f, M, 0x20);
	assert_int_equal(isr(f, M), 0);
}

static void test_poll(void **state)
{
	struct fixture *f = *state;

	/* Nothing: D7 is clear. */
	out(f, M, 0x0c);
	assert_int_equal(in(f, M) & 0x80, 0);
	raise(f, 5);
	raise(f, 1);
	out(f, M, 0x0c);
	assert_int_equal(in(f, M), 0x81);
	/* It was an acknowledge; the next read is a status again. */
	assert_int_equal(in(f, M), 0x20);
	assert_int_equal(isr(f, M), 0x02);
	assert_false(vpic_intr(&f->pic));
	out(f, M, 0x20);
	/* Either address; P overrides RR, which is kept. */
	out(f, M, 0x0f);
	assert_int_equal(in(f, M + 1), 0x85);
	assert_int_equal(in(f, M + 1), 0x00);
	assert_int_equal(in(f, M), 0x20);
	out(f, M, 0x20);
	/* The slave by itself: the master's request is withdrawn. */
	raise(f, 14);
	assert_true(vpic_intr(&f->pic));
	out(f, S, 0x0c);
	assert_int_equal(in(f, S), 0x86);
	assert_false(vpic_intr(&f->pic));
	assert_int_equal(isr(f, M), 0);
	assert_int_equal(isr(f, S), 0x40);
	/* An OCW3 without P takes the poll back. */
	raise(f, 0);
	out(f, M, 0x0c);
	out(f, M, 0x0a);
	assert_int_equal(in(f, M), 0x01);
	assert_true(vpic_intr(&f->pic));
}

static void test_status_select(void **state)
{
	struct fixture *f = *state;

	raise(f, 2);
	raise(f, 1);
	ack(f);
	raise(f, 4);
	out(f, M, 0x0b);
	assert_int_equal(in(f, M), 0x02);
	assert_int_equal(in(f, M), 0x02);
	/* RR = 0: the selection stays. */
	out(f, M, 0x08);
	assert_int_equal(in(f, M), 0x02);
	out(f, M, 0x09);
	assert_int_equal(in(f, M), 0x02);
	out(f, M, 0x0a);
	assert_int_equal(in(f, M), 0x10);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_special_fully_nested), T(test_automatic_eoi), T(test_rotation),
		T(test_rotation_automatic), T(test_special_mask), T(test_poll),
		T(test_status_select),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
