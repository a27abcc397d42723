// SPDX-License-Identifier: MIT
#include "tests/unit/vlapic_box.h"

#define ONE_SHOT	0x000ef
#define PERIODIC	0x200ef
#define DEADLINE	0x400ef
#define MASKED		0x10000
#define MSR_DEADLINE	0x6e0

static struct apic_box box;

/* Software-enabled, LVT timer as given, divider 1. */
static struct vlapic *timer(u32 lvt)
{
	struct vlapic *a = &box.apic[0];

	box_init(&box, 1);
	box_enable(&box);
	box.now = 1000;
	wr(a, 0x320, lvt);
	wr(a, 0x3e0, 0xb);
	box.rearmed = 0;
	return a;
}

static bool fired(struct vlapic *a)
{
	bool yes = bit_of(a->s.irr, 0xef);

	a->s.irr[7] = 0;
	return yes;
}

static void at(struct vlapic *a, u64 now)
{
	box.now = now;
	vlapic_tick(a, now, box.tsc);
}

static void test_one_shot(void **state)
{
	struct vlapic *a = timer(ONE_SHOT);

	assert_true(vlapic_next(a) == DEV_NEVER);
	assert_int_equal(rd(a, 0x390), 0);
	wr(a, 0x380, 10);
	assert_int_equal(box.rearmed, 1);
	assert_true(vlapic_next(a) == 1010);
	assert_true(vlapic_next_tsc(a) == DEV_NEVER);
	assert_int_equal(rd(a, 0x380), 10);
	for (u32 i = 0; i < 10; i++) {
		at(a, 1000 + i);
		assert_int_equal(rd(a, 0x390), 10 - i);
		assert_false(fired(a));
	}
	at(a, 1010);
	assert_true(fired(a));
	assert_int_equal(rd(a, 0x390), 0);
	assert_int_equal(rd(a, 0x380), 10);
	assert_true(vlapic_next(a) == DEV_NEVER);
	at(a, 1000000);
	assert_false(fired(a));
}

static void test_dividers(void **state)
{
	static const struct {
		u32 dcr, divisor;
	} rows[] = {
		{ 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 },
		{ 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vlapic *a = timer(ONE_SHOT);
		u32 d = rows[i].divisor;

		wr(a, 0x3e0, rows[i].dcr);
		assert_int_equal(rd(a, 0x3e0), rows[i].dcr);
		wr(a, 0x380, 1000);
		assert_true(vlapic_next(a) == 1000 + 1000 * d);
		at(a, 1000 + d - 1);
		assert_int_equal(rd(a, 0x390), 1000);
		at(a, 1000 + d);
		assert_int_equal(rd(a, 0x390), 999);
		at(a, 1000 + 1000 * d - 1);
		assert_int_equal(rd(a, 0x390), 1);
		assert_false(fired(a));
		at(a, 1000 + 1000 * d);
		assert_int_equal(rd(a, 0x390), 0);
		assert_true(fired(a));
	}
}

static void test_longest_period(void **state)
{
	struct vlapic *a = timer(PERIODIC);
	u64 p = 0xffffffffULL << 7;

	wr(a, 0x3e0, 0xa);
	wr(a, 0x380, 0xffffffff);
	assert_true(vlapic_next(a) == 1000 + p);
	assert_int_equal(rd(a, 0x390), 0xffffffff);
	at(a, 1000 + 7 * p + 128);
	assert_true(fired(a));
	assert_true(vlapic_next(a) == 1000 + 8 * p);
	assert_int_equal(rd(a, 0x390), 0xfffffffe);
}

static void test_periodic_does_not_drift(void **state)
{
	struct vlapic *a = timer(PERIODIC);

	wr(a, 0x380, 100);
	for (u32 i = 1; i <= 1000; i++) {
		assert_true(vlapic_next(a) == 1000 + 100 * i);
		/* Always late, and differently. */
		at(a, 1000 + 100 * i + i * 37 % 100);
		assert_true(fired(a));
		assert_int_equal(rd(a, 0x390), 100 - i * 37 % 100);
	}
	/* Many missed periods are one interrupt. */
	at(a, 1000 + 100 * 5000 + 1);
	assert_true(fired(a));
	assert_true(vlapic_next(a) == 1000 + 100 * 5001);
	at(a, 1000 + 100 * 5000 + 99);
	assert_false(fired(a));
	/* A shortest period. */
	wr(a, 0x380, 1);
	at(a, 2000000);
	assert_true(fired(a));
	assert_true(vlapic_next(a) == 2000001);
	assert_int_equal(rd(a, 0x390), 1);
}

static void test_initial_count_restarts_and_stops(void **state)
{
	struct vlapic *a = timer(PERIODIC);

	wr(a, 0x380, 100);
	at(a, 1050);
	wr(a, 0x380, 30);
	assert_true(vlapic_next(a) == 1080);
	assert_int_equal(rd(a, 0x390), 30);
	wr(a, 0x380, 0);
	assert_true(vlapic_next(a) == DEV_NEVER);
	assert_int_equal(rd(a, 0x390), 0);
	assert_int_equal(rd(a, 0x380), 0);
	at(a, 5000);
	assert_false(fired(a));
	/* Late by one: what was due before the write happens. */
	wr(a, 0x380, 10);
	box.now = 5010;
	wr(a, 0x380, 0);
	assert_true(fired(a));
}

static void test_divider_changes_while_counting(void **state)
{
	struct vlapic *a = timer(ONE_SHOT);

	wr(a, 0x380, 1000);
	box.now = 1400;
	box.rearmed = 0;
	wr(a, 0x3e0, 0x3);
	assert_int_equal(box.rearmed, 1);
	assert_int_equal(rd(a, 0x390), 600);
	assert_true(vlapic_next(a) == 1400 + 600 * 16);
	box.now = 1400 + 16 * 100 + 3;
	assert_int_equal(rd(a, 0x390), 500);
	/* The same value again is no change of the phase. */
	wr(a, 0x3e0, 0x3);
	assert_true(vlapic_next(a) == 1400 + 600 * 16);
	wr(a, 0x3e0, 0xb);
	assert_true(vlapic_next(a) == box.now + 500);
	at(a, box.now + 500);
	assert_true(fired(a));
	wr(a, 0x3e0, 0x0);
	assert_true(vlapic_next(a) == DEV_NEVER);
}

static void test_one_shot_and_periodic_share_the_count(void **state)
{
	struct vlapic *a = timer(ONE_SHOT);

	wr(a, 0x380, 100);
	box.now = 1060;
	wr(a, 0x320, PERIODIC);
	assert_int_equal(rd(a, 0x390), 40);
	assert_int_equal(rd(a, 0x380), 100);
	at(a, 1105);
	assert_true(fired(a));
	assert_int_equal(rd(a, 0x390), 95);
	wr(a, 0x320, ONE_SHOT);
	assert_int_equal(rd(a, 0x390), 95);
	at(a, 1200);
	assert_true(fired(a));
	assert_int_equal(rd(a, 0x390), 0);
	/* Run out it stays so in the other mode. */
	wr(a, 0x320, PERIODIC);
	assert_int_equal(rd(a, 0x390), 0);
	assert_true(vlapic_next(a) == DEV_NEVER);
	/* It was due before the mode changed. */
	wr(a, 0x320, ONE_SHOT);
	wr(a, 0x380, 10);
	box.now = 1211;
	wr(a, 0x320, PERIODIC);
	assert_true(fired(a));
	assert_true(vlapic_next(a) == DEV_NEVER);
}

static void test_masked_counts_without_interrupt(void **state)
{
	struct vlapic *a = timer(ONE_SHOT | MASKED);

	wr(a, 0x380, 100);
	assert_true(vlapic_next(a) == DEV_NEVER);
	box.now = 1030;
	assert_int_equal(rd(a, 0x390), 70);
	wr(a, 0x320, ONE_SHOT);
	assert_true(vlapic_next(a) == 1100);
	wr(a, 0x320, ONE_SHOT | MASKED);
	at(a, 1100);
	assert_false(fired(a));
	wr(a, 0x320, ONE_SHOT);
	assert_false(fired(a));
	assert_int_equal(rd(a, 0x390), 0);
	/* Unmasked after it was due, but before anybody looked. */
	wr(a, 0x320, PERIODIC | MASKED);
	wr(a, 0x380, 100);
	box.now = 1250;
	wr(a, 0x320, PERIODIC);
	assert_false(fired(a));
	assert_true(vlapic_next(a) == 1300);
	/* Software disable masks; it counts on. */
	wr(a, 0xf0, 0xff);
	assert_true(vlapic_next(a) == DEV_NEVER);
	assert_int_equal(rd(a, 0x320), PERIODIC | MASKED);
	assert_int_equal(rd(a, 0x390), 50);
}

static void test_illegal_vector_is_an_error(void **state)
{
	struct vlapic *a = timer(0x0000f);

	wr(a, 0x380, 1);
	at(a, 1001);
	assert_int_equal(a->s.irr[0], 0);
	assert_int_equal(read_esr(a), 0x40);
}

static void test_deadline(void **state)
{
	struct vlapic *a = timer(DEADLINE);

	box.tsc = 500;
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	wrmsr_ok(a, MSR_DEADLINE, 800);
	assert_int_equal(box.rearmed, 1);
	assert_true(vlapic_next_tsc(a) == 800 && vlapic_next(a) == DEV_NEVER);
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 800);
	assert_int_equal(rd(a, 0x390), 0);
	box.tsc = 799;
	at(a, 1000000);
	assert_false(fired(a));
	box.tsc = 800;
	at(a, 1000000);
	assert_true(fired(a));
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	assert_true(vlapic_next_tsc(a) == DEV_NEVER);
	/* In the past, and now: at once. */
	wrmsr_ok(a, MSR_DEADLINE, 1);
	assert_true(fired(a));
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	wrmsr_ok(a, MSR_DEADLINE, 800);
	assert_true(fired(a));
	/* 0 disarms; a second write replaces the first. */
	wrmsr_ok(a, MSR_DEADLINE, 900);
	wrmsr_ok(a, MSR_DEADLINE, 1000);
	box.tsc = 950;
	at(a, 1000000);
	assert_false(fired(a));
	wrmsr_ok(a, MSR_DEADLINE, 0);
	box.tsc = 5000;
	at(a, 1000000);
	assert_false(fired(a));
	/* All 64 bits. */
	wrmsr_ok(a, MSR_DEADLINE, ~0ULL);
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == ~0ULL);
	/* Late: it fires before it is replaced. */
	wrmsr_ok(a, MSR_DEADLINE, 6000);
	box.tsc = 6001;
	wrmsr_ok(a, MSR_DEADLINE, 7000);
	assert_true(fired(a));
	assert_true(vlapic_next_tsc(a) == 7000);
}

static void test_deadline_masked(void **state)
{
	struct vlapic *a = timer(DEADLINE | MASKED);

	wrmsr_ok(a, MSR_DEADLINE, 100);
	assert_true(vlapic_next_tsc(a) == DEV_NEVER);
	wr(a, 0x320, DEADLINE);
	assert_true(vlapic_next_tsc(a) == 100);
	wr(a, 0x320, DEADLINE | MASKED);
	box.tsc = 100;
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	wr(a, 0x320, DEADLINE);
	assert_false(fired(a));
}

static void test_deadline_excludes_the_count(void **state)
{
	struct vlapic *a = timer(ONE_SHOT);

	/* Outside the mode the MSR is not there, but does not fault. */
	wrmsr_ok(a, MSR_DEADLINE, 100);
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	box.tsc = 200;
	at(a, 1000);
	assert_false(fired(a));
	wr(a, 0x380, 100);
	wr(a, 0x320, DEADLINE);
	assert_int_equal(rd(a, 0x390), 0);
	assert_true(vlapic_next(a) == DEV_NEVER);
	at(a, 2000);
	assert_false(fired(a));
	wr(a, 0x380, 77);
	assert_int_equal(rd(a, 0x380), 100);
	assert_true(vlapic_next(a) == DEV_NEVER);
	wrmsr_ok(a, MSR_DEADLINE, 500);
	wr(a, 0x320, PERIODIC);
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	wr(a, 0x320, DEADLINE);
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	assert_true(vlapic_next_tsc(a) == DEV_NEVER);
	/* Mode 11b is reserved: nothing runs. */
	wr(a, 0x320, ONE_SHOT);
	wr(a, 0x380, 100);
	wr(a, 0x320, 0x600ef);
	assert_int_equal(rd(a, 0x320), 0x600ef);
	assert_true(vlapic_next(a) == DEV_NEVER);
	wr(a, 0x380, 100);
	wrmsr_ok(a, MSR_DEADLINE, 1);
	at(a, 100000);
	assert_false(fired(a));
	assert_int_equal(vlapic_state_check(&a->s), 0);
}

static void test_deadline_hidden_by_cpuid(void **state)
{
	struct vlapic *a = timer(ONE_SHOT);
	u64 val;

	box.env.hidden = VLAPIC_HIDE_DEADLINE;
	assert_false(vlapic_msr_read(a, MSR_DEADLINE, &val));
	assert_false(vlapic_msr_write(a, MSR_DEADLINE, 0));
	wr(a, 0x320, DEADLINE);
	assert_int_equal(rd(a, 0x320), ONE_SHOT);
	go_x2apic(a);
	assert_false(vlapic_msr_write(a, 0x832, DEADLINE));
	assert_true(vlapic_msr_write(a, 0x832, PERIODIC));
}

static void test_reset_stops_it(void **state)
{
	struct vlapic *a = timer(PERIODIC);

	wr(a, 0x380, 100);
	vlapic_reset(a);
	assert_true(vlapic_next(a) == DEV_NEVER);
	at(a, 10000);
	assert_false(fired(a));
	assert_int_equal(rd(a, 0x380), 0);
	a = timer(DEADLINE);
	wrmsr_ok(a, MSR_DEADLINE, 100);
	assert_true(set_mode(a, 0));
	assert_true(rdmsr_ok(a, MSR_DEADLINE) == 0);
	box.tsc = 1000;
	at(a, 10000);
	assert_false(fired(a));
}

/* The same as MSRs. */
static void test_x2apic_timer(void **state)
{
	struct vlapic *a = timer(PERIODIC);

	go_x2apic(a);
	wrmsr_ok(a, 0x83e, 0x0);
	wrmsr_ok(a, 0x838, 50);
	assert_true(vlapic_next(a) == 1100);
	box.now = 1051;
	assert_true(rdmsr_ok(a, 0x839) == 25);
	assert_true(rdmsr_ok(a, 0x838) == 50);
	assert_false(vlapic_msr_write(a, 0x839, 0));
	assert_false(vlapic_msr_write(a, 0x838, BIT(32)));
	assert_false(vlapic_msr_write(a, 0x83e, 0x4));
	assert_false(vlapic_msr_write(a, 0x83e, 0x10));
	at(a, 1100);
	assert_true(fired(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_shot),
		cmocka_unit_test(test_dividers),
		cmocka_unit_test(test_longest_period),
		cmocka_unit_test(test_periodic_does_not_drift),
		cmocka_unit_test(test_initial_count_restarts_and_stops),
		cmocka_unit_test(test_divider_changes_while_counting),
		cmocka_unit_test(test_one_shot_and_periodic_share_the_count),
		cmocka_unit_test(test_masked_counts_without_interrupt),
		cmocka_unit_test(test_illegal_vector_is_an_error),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_masked),
		cmocka_unit_test(test_deadline_excludes_the_count),
		cmocka_unit_test(test_deadline_hidden_by_cpuid),
		cmocka_unit_test(test_reset_stops_it),
		cmocka_unit_test(test_x2apic_timer),
	};

	return cmocka_run_group_tests_name("vlapic_timer", tests, NULL, NULL);
}
