// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/tsc_ratio.h"
#include "tests/unit/rng.h"

/* APM2 15.30.5: 8.32; SDM3 25.6.5: 16.48. */
static const struct tsc_format svm = { 40, 32 }, vmx = { 64, 48 };

static struct tsc_ratio ratio(const struct tsc_format *f, u64 guest, u64 host)
{
	struct tsc_ratio r;

	assert_int_equal(tsc_ratio_of(f, guest, host, &r), 0);
	assert_int_equal(r.frac, f->frac);
	return r;
}

static void test_ratio(void **state)
{
	assert_true(ratio(&svm, 1, 1).ratio == 1ULL << 32);
	assert_true(ratio(&vmx, 2600000, 2600000).ratio == 1ULL << 48);
	assert_true(ratio(&svm, 1000000, 2000000).ratio == 1ULL << 31);
	assert_true(ratio(&vmx, 3000000, 2000000).ratio == 3ULL << 47);
	/* To the nearest: 2/3 is 0.1010...10|101 in binary, 1/3 0.0101...01|010. */
	assert_true(ratio(&svm, 2, 3).ratio == 0xaaaaaaab);
	assert_true(ratio(&svm, 1, 3).ratio == 0x55555555);
	assert_true(ratio(&vmx, 1, 3).ratio == 0x555555555555);
}

static void test_range(void **state)
{
	struct tsc_ratio r = { 7, 7 };

	/* The largest of eight bits before the point, and one more. */
	assert_true(ratio(&svm, 255, 1).ratio == 255ULL << 32);
	assert_int_equal(tsc_ratio_of(&svm, 256, 1, &r), -ERANGE);
	/* Rounds up to 256. */
	assert_int_equal(tsc_ratio_of(&svm, 256ULL * 1000000000000 - 1, 1000000000000, &r),
			 -ERANGE);
	assert_true(ratio(&vmx, 32767, 1).ratio == 32767ULL << 48);
	assert_int_equal(tsc_ratio_of(&vmx, 65536, 1, &r), -ERANGE);
	assert_int_equal(tsc_ratio_of(&vmx, ~0ULL, 1, &r), -ERANGE);
	/* The least that is not 0. */
	assert_true(ratio(&svm, 1, 1ULL << 32).ratio == 1);
	assert_true(ratio(&svm, 1, 1ULL << 33).ratio == 1);
	assert_int_equal(tsc_ratio_of(&svm, 1, 1ULL << 34, &r), -ERANGE);
	assert_int_equal(tsc_ratio_of(&svm, 0, 1000, &r), -ERANGE);
	assert_int_equal(tsc_ratio_of(&svm, 1000, 0, &r), -ERANGE);
	assert_true(r.ratio == 7);
}

static void test_scale(void **state)
{
	const struct tsc_ratio none = { 0, 0 }, half = ratio(&svm, 1, 2), twice = ratio(&vmx, 2, 1);

	assert_true(tsc_scale(&none, ~0ULL) == ~0ULL);
	assert_true(tsc_unscale(&none, ~0ULL) == ~0ULL);
	assert_true(tsc_scale(&half, 5) == 2);
	assert_true(tsc_scale(&half, ~0ULL) == ~0ULL >> 1);
	assert_true(tsc_unscale(&half, 2) == 4);
	assert_true(tsc_unscale(&half, 1ULL << 63) == ~0ULL);
	assert_true(tsc_scale(&twice, 5) == 10);
	/* A counter of 64 bits wraps. */
	assert_true(tsc_scale(&twice, (1ULL << 63) + 3) == 6);
	assert_true(tsc_unscale(&twice, 5) == 3);
	assert_true(tsc_unscale(&twice, ~0ULL) == 1ULL << 63);
	assert_true(tsc_unscale(&twice, 0) == 0);
}

/* A deadline is never early, and never later than it must be. */
static void test_inverse(void **state)
{
	struct rng rng = rng_seed(3);

	for (u32 i = 0; i < 100000; i++) {
		const struct tsc_format *f = i & 1 ? &svm : &vmx;
		struct tsc_ratio r = ratio(f, 1000 + rng_below(&rng, 6000000),
					   100000 + rng_below(&rng, 6000000));
		u64 want = rng_next(&rng) >> (6 + rng_below(&rng, 58));
		u64 ticks = tsc_unscale(&r, want);
		u64 now = rng_next(&rng) >> 1, then;

		if (ticks > 1ULL << 62)
			continue;
		assert_true(tsc_scale(&r, ticks) >= want);
		assert_true(!ticks || tsc_scale(&r, ticks - 1) < want);
		/* The same from any time on: parts of a tick only help. */
		then = tsc_scale(&r, now + ticks) - tsc_scale(&r, now);
		assert_true(then >= want);
	}
}

/* What CPUID tells and what the counter does: after a day they differ by 10^-8 at most. */
static void test_exact(void **state)
{
	struct rng rng = rng_seed(4);

	for (u32 i = 0; i < 10000; i++) {
		u64 host = 1000000 + rng_below(&rng, 5000000);
		u64 guest = 500000 + rng_below(&rng, 6000000);
		struct tsc_ratio r = ratio(i & 1 ? &svm : &vmx, guest, host);
		u64 got = tsc_scale(&r, host * 86400000), want = guest * 86400000;

		assert_in_range(got, want - want / 100000000, want + want / 100000000);
	}
}

/* What the last of two counters in a row shows. */
static u64 chained(const struct tsc_chain *c, u64 host)
{
	u64 between = c->between + tsc_scale(&c->outer, host) - tsc_scale(&c->outer, c->host);

	return (u64)((unsigned __int128)between * c->inner >> 32) + c->offset;
}

static u64 on_line(const struct tsc_line *l, u64 host)
{
	return (u64)((unsigned __int128)host * l->ratio >> 32) + l->offset;
}

static void test_compose(void **state)
{
	struct tsc_chain c = { .host = 5000, .between = 3000, .base = 5000, .inner = 1ULL << 31,
			       .offset = 7 };
	struct tsc_line l;

	/* Halves: (3000 + ticks) / 2 + 7. */
	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(l.ratio == 1ULL << 31);
	assert_true(on_line(&l, 5000) == 1507);
	assert_true(on_line(&l, 5100) == 1557);
	/* Half of twice the host's. */
	c.outer = ratio(&svm, 2, 1);
	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(l.ratio == 1ULL << 32);
	assert_true(on_line(&l, 5100) == 1607);
	/* The one in between was set to 3000 when the host's was far on. */
	c.base = 0;
	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(on_line(&l, 5100) == 1607);
	/* Guest time 0 is before the host's. */
	c.base = (u64)-1000;
	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(on_line(&l, 5100) == 1607);
	/* A counter beyond 2^63, and an offset that wraps. */
	c.between = ~0ULL - 1000;
	c.offset = 1ULL << 63;
	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(on_line(&l, 5100) == chained(&c, 5100));
}

static void test_compose_range(void **state)
{
	struct tsc_chain c = { .inner = (1ULL << 40) - 1 };
	struct tsc_line l = { 3, 3 };

	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(l.ratio == (1ULL << 40) - 1);
	l.ratio = 3;
	c.outer = ratio(&svm, 2, 1);
	assert_false(tsc_compose(&svm, &c, &l));
	c.inner = 0;
	assert_false(tsc_compose(&svm, &c, &l));
	c.outer.ratio = 0;
	c.inner = (1ULL << 24) - 1;
	assert_false(tsc_compose(&svm, &c, &l));
	assert_true(l.ratio == 3);
	c.inner++;
	assert_true(tsc_compose(&svm, &c, &l));
	assert_true(l.ratio == 1ULL << 24);
}

/*
 * The line is the chain's, but for a tick of each rounding and what a ratio that was
 * rounded down loses from base on.
 */
static void test_compose_exact(void **state)
{
	struct rng rng = rng_seed(5);

	for (u32 i = 0; i < 200000; i++) {
		u64 elapsed = rng_next(&rng) >> (12 + rng_below(&rng, 50)), then;
		struct tsc_chain c = {
			.base = rng_next(&rng) >> 8, .between = rng_next(&rng) >> 4,
			.inner = 1 + (rng_next(&rng) >> (24 + rng_below(&rng, 20))),
			.offset = rng_next(&rng),
		};
		struct tsc_line l;
		s64 lost;

		if (i & 1)
			c.outer = ratio(&svm, 1 + rng_below(&rng, 6000000),
					100000 + rng_below(&rng, 6000000));
		c.host = c.base + rng_below(&rng, elapsed + 1);
		if (!tsc_compose(&svm, &c, &l))
			continue;
		/* The same from wherever it is made: else a new one could go back. */
		then = on_line(&l, c.base + elapsed);
		c.between += tsc_scale(&c.outer, c.base + elapsed) - tsc_scale(&c.outer, c.host);
		c.host = c.base + elapsed;
		assert_true(tsc_compose(&svm, &c, &l));
		assert_true(on_line(&l, c.host) == then);
		lost = (s64)(chained(&c, c.host) - then);
		assert_true(lost >= -2 - (s64)(c.inner >> 32));
		assert_true(lost <= 3 + (s64)(c.inner >> 32) +
			    (c.outer.ratio ? (s64)(elapsed >> 32) : 0));
	}
}

static void test_same(void **state)
{
	assert_true(tsc_khz_same(2600000, 2600000));
	assert_true(tsc_khz_same(2600000, 2600650));
	assert_true(tsc_khz_same(2600650, 2600000));
	assert_false(tsc_khz_same(2600000, 2600651));
	assert_false(tsc_khz_same(2600000, 0));
	assert_false(tsc_khz_same(1000, 1001));
	assert_true(tsc_khz_same(~0ULL, ~0ULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_inverse),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_compose),
		cmocka_unit_test(test_compose_range),
		cmocka_unit_test(test_compose_exact),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
