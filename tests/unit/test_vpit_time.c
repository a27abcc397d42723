// SPDX-License-Identifier: MIT
/* Time, ticks and the model: 82C54 data sheet (231244). */
#include "tests/unit/pit_box.h"
#include "tests/unit/rng.h"

static void test_time_is_exact(void **state)
{
	struct fixture *f = *state;
	const u64 day = 86400ULL * 1000000000;

	/* 100 Hz as everybody programs it, for ten days: 11932 CLKs each. */
	out(f, 0x43, 0x34);
	out16(f, 0x40, 11932);
	f->now = 10 * day;
	vpit_tick(&f->pit, f->now);
	/* 10 * 86400 * 1193182 - 1 CLKs since the load. */
	assert_int_equal(latched(f, 0), 11932 - (10ULL * 86400 * 1193182 - 1) % 11932);
	assert_int_equal(vpit_next(&f->pit),
			 pit_model_ns(1 + ((10ULL * 86400 * 1193182 - 1) / 11932 + 1) * 11932));
	/* One second has 1193182 CLKs, the last of which comes at its end. */
	out(f, 0x43, 0x30);
	f->now = 11 * day - 1;
	out16(f, 0x40, 0);
	f->now++;
	assert_int_equal(status(f, 0), 0x30);
	/* The end of time. */
	f->now = DEV_NEVER;
	out(f, 0x43, 0x34);
	out16(f, 0x40, 0);
	vpit_tick(&f->pit, f->now);
	assert_int_equal(vpit_next(&f->pit), DEV_NEVER);
	/* A clock that goes back stands still. */
	f->now = 0;
	assert_int_equal(status(f, 0), 0xf4);
}

static void test_late_ticks(void **state)
{
	struct fixture *f = *state;
	u64 start;

	/* Many periods missed: one edge. */
	out(f, 0x43, 0x34);
	out16(f, 0x40, 1000);
	pass(f, 100500);
	f->rises = 0;
	vpit_tick(&f->pit, f->now);
	vpit_tick(&f->pit, f->now);
	assert_int_equal(f->rises, 1);
	assert_true(f->line);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(101001));
	/* Square wave: a pulse came and went; the line keeps it until the next. */
	out(f, 0x43, 0x36);
	start = f->clk + 1;
	out16(f, 0x40, 1000);
	at(f, start + 500);
	vpit_tick(&f->pit, f->now);
	assert_false(f->line);
	f->rises = 0;
	at(f, start + 5600);
	vpit_tick(&f->pit, f->now);
	assert_false(out_of(f, 0));
	assert_true(f->line);
	pass(f, 300);
	vpit_tick(&f->pit, f->now);
	assert_true(f->line);
	assert_int_equal(f->rises, 1);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(start + 6000));
	assert_int_equal(run(f, start + 6000), 1);
	assert_int_equal(run(f, start + 6500), 0);
	assert_false(f->line);
}

/* However short the period, the time between two ticks is not. */
static void test_short_periods(void **state)
{
	struct fixture *f = *state;

	for (u16 n = 1; n < 30; n++) {
		for (u8 cw = 0x34; cw <= 0x36; cw += 2) {
			u32 edges;

			out(f, 0x43, cw);
			out16(f, 0x40, n);
			edges = run(f, f->clk + 24000);
			assert_in_range(edges, n < 24 ? 0 : 24000 / n - 1, 1001);
			/* 1 is no legal count: no edge at all. */
			if (n == 1)
				assert_int_equal(edges, 0);
			else
				assert_true(edges > 790);
		}
	}
}

struct pair {
	struct fixture *f;
	struct pit_model m[3];
};

static void compare(struct pair *p, u8 ch)
{
	struct fixture *f = p->f;
	const struct pit_model *m = &p->m[ch];
	u8 want = m->control | (m->out ? 0x80 : 0) | (m->null ? 0x40 : 0);

	assert_int_equal(status(f, ch), want);
	if (m->loaded && !m->load) {
		out(f, 0x43, (u8)(ch << 6));
		if ((m->control >> 4) != 2)
			assert_int_equal(in(f, 0x40 + ch), pit_model_read(m) & 0xff);
		if ((m->control >> 4) != 1)
			assert_int_equal(in(f, 0x40 + ch), pit_model_read(m) >> 8);
	}
	if (ch == 2)
		assert_int_equal(!!(in(f, 0x61) & 0x20), m->out);
}

static void random_op(struct pair *p, struct rng *r)
{
	u8 ch = (u8)rng_below(r, 3), val = (u8)rng_next(r);

	switch (rng_below(r, 4)) {
	case 0:
		val &= 0x3f;
		if (!(val & 0x30))
			val |= 0x10;
		out(p->f, 0x43, val | (u8)(ch << 6));
		pit_model_control(&p->m[ch], val);
		break;
	case 1:
	case 2:
		if (rng_one_in(r, 2))
			val &= 7;
		out(p->f, 0x40 + ch, val);
		pit_model_write(&p->m[ch], val);
		break;
	default:
		out(p->f, 0x61, val);
		pit_model_gate(&p->m[2], val & 1);
		break;
	}
}

/* Any programming at any time: the same as CLK by CLK. */
static void test_against_model(void **state)
{
	struct pair p = { .f = *state };
	struct rng r = rng_seed(82);

	for (u8 ch = 0; ch < 3; ch++) {
		p.m[ch].gate = ch != 2;
		out(p.f, 0x43, 0x30 | (u8)(ch << 6));
		pit_model_control(&p.m[ch], 0x30);
	}
	for (int i = 0; i < 60000; i++) {
		u32 clks = (u32)rng_below(&r, rng_one_in(&r, 20) ? 2000 : 12), rises;

		rises = p.m[0].rises;
		p.f->rises = 0;
		for (u32 k = 0; k < clks; k++)
			for (u8 ch = 0; ch < 3; ch++)
				pit_model_clk(&p.m[ch]);
		pass(p.f, clks);
		vpit_tick(&p.f->pit, p.f->now);
		assert_int_equal(p.f->rises, p.m[0].rises != rises);
		assert_int_equal(p.f->line, p.m[0].out || p.f->pit.s.late);
		compare(&p, (u8)rng_below(&r, 3));
		if (rng_one_in(&r, 2))
			random_op(&p, &r);
	}
}

/* Ticks when vpit_next says so: as many edges as there are. */
static void test_every_edge_in_time(void **state)
{
	struct pair p = { .f = *state };
	struct rng r = rng_seed(54);

	p.m[0].gate = true;
	for (int i = 0; i < 400; i++) {
		u8 cw = 0x30 | (u8)(rng_below(&r, 8) << 1);
		u16 n = (u16)(48 + rng_below(&r, 3000));
		u32 rises = p.f->rises, model = p.m[0].rises;

		if (rng_one_in(&r, 2)) {
			out(p.f, 0x43, cw);
			pit_model_control(&p.m[0], cw);
		}
		if (!p.m[0].control)
			continue;
		out16(p.f, 0x40, n);
		pit_model_write(&p.m[0], (u8)n);
		pit_model_write(&p.m[0], (u8)(n >> 8));
		for (u32 k = 0; k < 7000; k++)
			pit_model_clk(&p.m[0]);
		run(p.f, p.f->clk + 7000);
		assert_int_equal(p.f->rises - rises, p.m[0].rises - model);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_time_is_exact), T(test_late_ticks), T(test_short_periods),
		T(test_against_model), T(test_every_edge_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
