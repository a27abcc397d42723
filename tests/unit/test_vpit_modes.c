// SPDX-License-Identifier: MIT
/* The six modes: 82C54 data sheet (231244). */
#include "tests/unit/pit_box.h"

static void test_power_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vpit_next(&f->pit), DEV_NEVER);
	vpit_tick(&f->pit, 1000000);
	assert_false(f->line);
	for (u8 ch = 0; ch < 3; ch++)
		assert_int_equal(status(f, ch), 0x70);
	assert_int_equal(in(f, 0x43), 0xff);
	assert_int_equal(vpit_state_check(&f->pit.s), 0);
}

/* Figure 15: OUT high N + 1 CLKs after the count is written. */
static void test_mode0(void **state)
{
	struct fixture *f = *state;

	at(f, 100);
	out(f, 0x43, 0x30);
	assert_int_equal(status(f, 0), 0x70);
	out(f, 0x40, 4);
	assert_int_equal(status(f, 0), 0x70);
	out(f, 0x40, 0);
	assert_int_equal(status(f, 0), 0x70);
	assert_int_equal(f->rearms, 3);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(105));
	pass(f, 1);
	assert_int_equal(status(f, 0), 0x30);
	assert_int_equal(latched(f, 0), 4);
	pass(f, 3);
	assert_int_equal(latched(f, 0), 1);
	vpit_tick(&f->pit, f->now);
	assert_false(f->line);
	pass(f, 1);
	vpit_tick(&f->pit, f->now);
	assert_true(f->line);
	assert_int_equal(status(f, 0), 0xb0);
	assert_int_equal(latched(f, 0), 0);
	assert_int_equal(vpit_next(&f->pit), DEV_NEVER);
	/* It goes on counting, and stays high. */
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0xffff);
	pass(f, 65536 * 5);
	assert_int_equal(latched(f, 0), 0xffff);
	assert_true(out_of(f, 0));
	assert_int_equal(f->rises, 1);
	/* The first byte stops it and sets OUT low, the second starts. */
	out(f, 0x40, 2);
	assert_false(f->line);
	pass(f, 100);
	assert_int_equal(status(f, 0), 0x30);
	assert_int_equal(latched(f, 0), 0xffff);
	out(f, 0x40, 1);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(f->clk + 0x103));
	pass(f, 0x103);
	vpit_tick(&f->pit, f->now);
	assert_int_equal(f->rises, 2);
}

/* Mode 1 needs a trigger; channel 2 has a gate. */
static void test_mode1(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0xb2);
	out16(f, 0x42, 3);
	pass(f, 10);
	assert_int_equal(status(f, 2), 0xf2);
	out(f, 0x61, 1);
	pass(f, 1);
	assert_int_equal(status(f, 2), 0x32);
	assert_int_equal(latched(f, 2), 3);
	/* GATE has no other effect than its rising edge. */
	out(f, 0x61, 0);
	pass(f, 2);
	assert_int_equal(status(f, 2), 0x32);
	assert_int_equal(latched(f, 2), 1);
	/* Triggered again: the pulse is longer, without a gap. */
	out(f, 0x61, 1);
	assert_int_equal(status(f, 2), 0x32);
	pass(f, 1);
	assert_int_equal(latched(f, 2), 3);
	pass(f, 2);
	assert_false(out_of(f, 2));
	pass(f, 1);
	assert_true(out_of(f, 2));
	/* A new count waits for the next trigger. */
	out16(f, 0x42, 5);
	pass(f, 1);
	assert_int_equal(status(f, 2), 0xf2);
	out(f, 0x61, 0);
	out(f, 0x61, 1);
	pass(f, 5);
	assert_int_equal(status(f, 2), 0x32);
	pass(f, 1);
	assert_int_equal(status(f, 2), 0xb2);
	/* On channel 0 GATE never rises. */
	out(f, 0x43, 0x32);
	out16(f, 0x40, 3);
	assert_int_equal(vpit_next(&f->pit), DEV_NEVER);
}

static void test_mode2(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x34);
	assert_int_equal(status(f, 0), 0xf4);
	/* OUT went high with the control word. */
	assert_int_equal(f->rises, 1);
	out16(f, 0x40, 1000);
	pass(f, 1);
	assert_int_equal(status(f, 0), 0xb4);
	assert_int_equal(latched(f, 0), 1000);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(1001));
	pass(f, 998);
	assert_int_equal(latched(f, 0), 2);
	assert_true(out_of(f, 0));
	pass(f, 1);
	assert_int_equal(latched(f, 0), 1);
	assert_int_equal(status(f, 0), 0x34);
	assert_false(f->line);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 1000);
	assert_int_equal(status(f, 0), 0xb4);
	assert_int_equal(f->rises, 2);
	/* One edge a period. */
	assert_int_equal(run(f, 1 + 1000 * 100), 99);
	/* A new count begins after the current cycle. */
	pass(f, 500);
	out16(f, 0x40, 300);
	assert_int_equal(status(f, 0), 0xf4);
	assert_int_equal(latched(f, 0), 500);
	pass(f, 499);
	assert_int_equal(latched(f, 0), 1);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 300);
	assert_int_equal(status(f, 0), 0xb4);
	pass(f, 299);
	assert_false(out_of(f, 0));
	pass(f, 1);
	assert_true(out_of(f, 0));
}

static void test_mode2_gate(void **state)
{
	struct fixture *f = *state;

	out(f, 0x61, 1);
	out(f, 0x43, 0xb4);
	out16(f, 0x42, 5);
	pass(f, 5);
	assert_false(out_of(f, 2));
	/* Low sets OUT high at once and stops; rising reloads. */
	out(f, 0x61, 0);
	assert_true(out_of(f, 2));
	pass(f, 50);
	assert_true(out_of(f, 2));
	assert_int_equal(latched(f, 2), 1);
	out(f, 0x61, 1);
	pass(f, 1);
	assert_int_equal(latched(f, 2), 5);
	pass(f, 4);
	assert_false(out_of(f, 2));
	/* A trigger takes a new count before the cycle ends. */
	out16(f, 0x42, 9);
	out(f, 0x61, 0);
	out(f, 0x61, 1);
	pass(f, 1);
	assert_int_equal(latched(f, 2), 9);
	pass(f, 7);
	assert_true(out_of(f, 2));
	pass(f, 1);
	assert_false(out_of(f, 2));
}

static void test_mode3(void **state)
{
	struct fixture *f = *state;
	static const struct {
		u16 n, count[10];
		u8 out[10];
	} rows[] = {
		/* Figure 18: 4 and 5. */
		{ 4, { 4, 2, 4, 2, 4, 2, 4, 2, 4, 2 }, { 1, 1, 0, 0, 1, 1, 0, 0, 1, 1 } },
		{ 5, { 4, 2, 0, 4, 2, 4, 2, 0, 4, 2 }, { 1, 1, 1, 0, 0, 1, 1, 1, 0, 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		out(f, 0x43, 0x36);
		out16(f, 0x40, rows[i].n);
		for (int k = 0; k < 10; k++) {
			pass(f, 1);
			assert_int_equal(latched(f, 0), rows[i].count[k]);
			assert_int_equal(out_of(f, 0), rows[i].out[k]);
			assert_int_equal(f->line, rows[i].out[k]);
		}
	}
	/* Half a cycle each; next tells both edges. */
	out(f, 0x43, 0x36);
	out16(f, 0x40, 1001);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(f->clk + 1 + 501));
	assert_int_equal(run(f, f->clk + 502), 0);
	assert_false(f->line);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(f->clk + 500));
	assert_int_equal(run(f, f->clk + 500), 1);
	/* A new count takes over at the half-cycle. */
	pass(f, 100);
	out16(f, 0x40, 11);
	pass(f, 400);
	assert_int_equal(status(f, 0), 0xf6);
	pass(f, 1);
	assert_int_equal(status(f, 0), 0x36);
	pass(f, 5);
	assert_int_equal(status(f, 0), 0xb6);
}

static void test_mode4(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x38);
	assert_int_equal(f->rises, 1);
	out16(f, 0x40, 3);
	/* Strobes low N + 1 CLKs after the write, for one. */
	pass(f, 3);
	assert_int_equal(latched(f, 0), 1);
	assert_true(out_of(f, 0));
	pass(f, 1);
	assert_false(out_of(f, 0));
	assert_false(f->line);
	pass(f, 1);
	assert_int_equal(status(f, 0), 0xb8);
	assert_int_equal(latched(f, 0), 0xffff);
	assert_int_equal(f->rises, 2);
	pass(f, 65534);
	assert_true(out_of(f, 0));
	pass(f, 1);
	assert_true(out_of(f, 0));
	/* How Linux programs one interrupt: one edge, told in advance. */
	out16(f, 0x40, 1000);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(f->clk + 1002));
	assert_int_equal(run(f, f->clk + 100000), 1);
	assert_int_equal(vpit_next(&f->pit), DEV_NEVER);
	/* The first byte has no effect on counting. */
	out16(f, 0x40, 1000);
	pass(f, 11);
	out(f, 0x40, 7);
	assert_int_equal(latched(f, 0), 990);
	out(f, 0x40, 0);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 7);
}

static void test_mode5(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0xba);
	out16(f, 0x42, 3);
	pass(f, 100);
	assert_int_equal(status(f, 2), 0xfa);
	out(f, 0x61, 1);
	out(f, 0x61, 0);
	pass(f, 3);
	assert_int_equal(status(f, 2), 0xba);
	pass(f, 1);
	assert_int_equal(status(f, 2), 0x3a);
	pass(f, 1);
	assert_int_equal(status(f, 2), 0xba);
}

static void test_mode0_gate(void **state)
{
	struct fixture *f = *state;

	/* Loaded although GATE is low; N CLKs after it rises. */
	out(f, 0x43, 0xb0);
	out16(f, 0x42, 10);
	assert_int_equal(status(f, 2), 0x70);
	pass(f, 50);
	assert_int_equal(status(f, 2), 0x30);
	assert_int_equal(latched(f, 2), 10);
	out(f, 0x61, 1);
	pass(f, 4);
	assert_int_equal(latched(f, 2), 6);
	out(f, 0x61, 0);
	pass(f, 50);
	assert_int_equal(latched(f, 2), 6);
	out(f, 0x61, 1);
	pass(f, 5);
	assert_false(out_of(f, 2));
	pass(f, 1);
	assert_true(out_of(f, 2));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_power_on), T(test_mode0), T(test_mode1), T(test_mode2),
		T(test_mode2_gate), T(test_mode3), T(test_mode4), T(test_mode5),
		T(test_mode0_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
