// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(apictimer, .ref = "SDM3 11.5.4; APM2 16.4.1", .timeout = "60000",
	.desc = "APIC timer: one-shot, periodic, dividers, mask; never early");

/*
 * The timer's frequency is not known, and how late an interrupt comes is no
 * one's promise.  So the TSC is read before and after each access, which gives
 * bounds for how many TSC ticks a count takes; whatever delays this guest
 * makes them wider, never wrong.
 */
#define VEC		0x51
#define ROUNDS		20
#define PERIODS		40
#define WINDOW		2000000		/* TSC ticks at least, of a measurement */

struct rate {
	u64 least, most;	/* TSC ticks that went by */
	u64 counts;		/* meanwhile, one more or less */
};

static volatile u32 hits;
static volatile u64 hit_tsc;

static void on_timer(unsigned int vector)
{
	hit_tsc = rdtsc();
	hits++;
	apic_eoi();
}

static const struct divider {
	u32 config, by;
} dividers[] = {	/* SDM3 figure 11-10 */
	{ 0xb, 1 }, { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 0xa, 128 },
};

static struct rate measure(u32 config)
{
	u64 before, started, looked, end;
	struct rate r;
	u32 count;

	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VEC);
	apic_write(APIC_TDCR, config);
	before = rdtsc();
	apic_write(APIC_TMICT, ~0u);
	started = rdtsc();
	/* Long enough that one count more or less matters little. */
	do {
		looked = rdtsc();
		count = apic_read(APIC_TMCCT);
		end = rdtsc();
	} while (looked - started < WINDOW || (~0u - count < 1000 && count));
	apic_write(APIC_TMICT, 0);
	r.least = looked - started;
	r.most = end - before;
	r.counts = ~0u - count;
	return r;
}

static void check_dividers(struct rate *one)
{
	*one = measure(dividers[0].config);
	rt_check(one->counts > 1000, "the timer counts", "%llx in %llx", one->counts, one->most);
	for (unsigned int i = 1; i < ARRAY_LEN(dividers); i++) {
		const struct divider *d = &dividers[i];
		struct rate r = measure(d->config);
		/* TSC ticks a count: [r.least / (n + 1), r.most / (n - 1)], as is by * one. */
		bool slow = r.least * (one->counts - 1) <= d->by * one->most * (r.counts + 1);
		bool fast = r.most * (one->counts + 1) >= d->by * one->least * (r.counts - 1);

		rt_check(slow && fast, "divider", "%u: %llx counts in %llx to %llx; by 1: %llx "
			 "in %llx to %llx", d->by, r.counts, r.least, r.most, one->counts,
			 one->least, one->most);
	}
}

/* That counts, at the divider that was measured, take at least so many ticks. */
static bool early(u64 ticks, u64 counts, const struct rate *one)
{
	return ticks * (one->counts + 1) < counts * one->least;
}

static void check_one_shot(const struct rate *one)
{
	static const u32 counts[] = { 1, 2, 100, 5000, 100000, 300000 };

	apic_write(APIC_TDCR, dividers[0].config);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_ONE_SHOT | VEC);
	for (unsigned int i = 0; i < ARRAY_LEN(counts); i++) {
		for (unsigned int round = 0; round < ROUNDS; round++) {
			u64 start;

			hits = 0;
			sti();
			start = rdtsc();
			apic_write(APIC_TMICT, counts[i]);
			if (!rt_quiet(RT_WAIT(hits), "one-shot comes", "count %u", counts[i]))
				return;
			rt_quiet(!early(hit_tsc - start, counts[i] - 1, one), "one-shot is early",
				 "count %u: %llx ticks", counts[i], hit_tsc - start);
			rt_quiet(!apic_read(APIC_TMCCT), "its count is 0 after", "%x",
				 apic_read(APIC_TMCCT));
			rt_quiet(apic_read(APIC_TMICT) == counts[i], "the initial count stays",
				 "%x", apic_read(APIC_TMICT));
			sti_nop();
			rt_quiet(hits == 1, "once", "count %u: %u", counts[i], hits);
			cli();
		}
	}
	rt_check(true, "one-shot", " ");
}

/* With interrupts off: the count only falls, and is 0 once IRR has the vector. */
static void check_count(void)
{
	u32 last = 3000000, now, reads = 0;
	bool irr, up = false, early_irr = false;

	cli();
	apic_write(APIC_TMICT, last);
	do {
		irr = apic_bit(APIC_IRR, VEC);
		now = apic_read(APIC_TMCCT);
		up |= now > last;
		early_irr |= irr && now;
		last = now;
		reads++;
	} while (now);
	rt_check(!up, "the count only falls", " ");
	rt_check(!early_irr, "no interrupt before it is 0", " ");
	rt_check(reads > 1, "it was seen to fall", "%u reads", reads);
	rt_check(RT_WAIT(apic_bit(APIC_IRR, VEC)), "the interrupt is in IRR", " ");
	hits = 0;
	sti_nop();
	cli();
	rt_check(hits == 1, "and is taken", "%u", hits);
}

static void check_periodic(const struct rate *one, u32 period)
{
	u64 start;
	bool over = false;

	cli();
	/* What an earlier count left must not go on as a period. */
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VEC);
	hits = 0;
	start = rdtsc();
	apic_write(APIC_TMICT, period);
	sti();
	for (u32 k = 1; k <= PERIODS; k++) {
		if (!rt_quiet(RT_WAIT(hits >= k), "periodic comes", "only %u of %u", k - 1,
			      PERIODS))
			break;
		/* Some may have been lost, but none is early. */
		rt_quiet(!early(rdtsc() - start, (u64)k * period - 1, one), "periodic is early",
			 "%u of %u counts", k, period);
		over |= apic_read(APIC_TMCCT) > period;
	}
	apic_write(APIC_TMICT, 0);
	rt_check(!over, "the count is never above the initial one", " ");
	sti_nop();
	hits = 0;
	for (u64 t = rdtsc(); rdtsc() - t < WINDOW;)
		cpu_pause();
	cli();
	rt_check(!hits && !apic_read(APIC_TMCCT), "initial count 0 stops it", "%u, %x", hits,
		 apic_read(APIC_TMCCT));
}

static void check_masked(void)
{
	cli();
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VEC);
	apic_write(APIC_TMICT, 1000);
	rt_check(RT_WAIT(!apic_read(APIC_TMCCT)), "masked: it counts", " ");
	for (u64 t = rdtsc(); rdtsc() - t < WINDOW;)
		cpu_pause();
	rt_check(!apic_bit(APIC_IRR, VEC), "masked: no interrupt", " ");
	apic_write(APIC_LVT_TIMER, VEC);
	rt_check(!apic_bit(APIC_IRR, VEC), "none for what is past", " ");
	/* Unmasked in time, it comes. */
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VEC);
	apic_write(APIC_TMICT, 200000000);
	apic_write(APIC_TDCR, dividers[0].config);
	apic_write(APIC_LVT_TIMER, VEC);
	apic_write(APIC_TMICT, 20000);
	hits = 0;
	sti();
	rt_check(RT_WAIT(hits), "a new count replaces the old one", " ");
	cli();
}

/* The vector of the LVT is the one at the end, not at the start. */
static void check_vector(void)
{
	cli();
	apic_write(APIC_LVT_TIMER, 0x61);
	apic_write(APIC_TMICT, 50000000);
	apic_write(APIC_LVT_TIMER, VEC);
	apic_write(APIC_TMICT, 1000);
	rt_check(RT_WAIT(apic_bit(APIC_IRR, VEC)) && !apic_bit(APIC_IRR, 0x61), "vector", " ");
	sti_nop();
	cli();
}

int main(struct rt_info *info)
{
	struct rate one;

	apic_enable();
	rt_irq(VEC, on_timer);
	check_dividers(&one);
	check_one_shot(&one);
	check_count();
	check_periodic(&one, 200000);
	check_periodic(&one, 20000);
	check_masked();
	check_vector();
	return rt_result();
}
