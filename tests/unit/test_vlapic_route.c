// SPDX-License-Identifier: MIT
#include "tests/unit/vlapic_box.h"

#include <pthread.h>

static struct apic_box box;

static void setup(u32 n)
{
	box_init(&box, n);
	box_enable(&box);
}

static bool matches(u32 i, u32 dest, bool logical, bool wide)
{
	const struct apic_msg m = { .dest = dest, .logical = logical, .wide = wide };

	return vlapic_match(&box.apic[i], &m);
}

static void test_physical_8_bits(void **state)
{
	setup(32);
	wr(&box.apic[1], 0x20, 0xfe000000);
	go_x2apic(&box.apic[9]);
	for (u32 dest = 0; dest < 0x100; dest++)
		for (u32 i = 0; i < 32; i++) {
			u32 id = i == 1 ? 0xfe : i;

			assert_int_equal(matches(i, dest, false, false),
					 dest == id || dest == 0xff);
		}
	/* Two with one id both get it. */
	wr(&box.apic[2], 0x20, 0x03000000);
	assert_true(matches(2, 3, false, false) && matches(3, 3, false, false));
	assert_false(matches(2, 2, false, false));
}

static void test_physical_32_bits(void **state)
{
	setup(32);
	for (u32 i = 16; i < 32; i++)
		go_x2apic(&box.apic[i]);
	for (u32 i = 0; i < 32; i++) {
		assert_true(matches(i, i, false, true));
		assert_true(matches(i, 0xffffffff, false, true));
		assert_false(matches(i, i | 0x100, false, true));
		assert_false(matches(i, i | 0x80000000, false, true));
		/* 0xff is an id like others. */
		assert_false(matches(i, 0xff, false, true));
	}
}

/* SDM3 11.6.2.2 */
static void test_logical_flat(void **state)
{
	setup(2);
	for (u32 ldr = 0; ldr < 0x100; ldr += 0x11) {
		wr(&box.apic[1], 0xd0, ldr << 24);
		for (u32 dest = 0; dest < 0x100; dest++)
			assert_int_equal(matches(1, dest, true, false),
					 (dest & ldr) || dest == 0xff);
	}
	wr(&box.apic[1], 0xd0, 0xff000000);
	assert_false(matches(1, 0x101, true, true));
	assert_false(matches(1, 0x800000ff, true, true));
	assert_true(matches(1, 0xff, true, true));
	assert_true(matches(1, 0xffffffff, true, true));
}

static void test_logical_cluster(void **state)
{
	setup(2);
	wr(&box.apic[1], 0xe0, 0x0fffffff);
	for (u32 ldr = 0; ldr < 0x100; ldr++) {
		wr(&box.apic[1], 0xd0, ldr << 24);
		for (u32 dest = 0; dest < 0x100; dest++)
			assert_int_equal(matches(1, dest, true, false),
					 (dest >> 4 == ldr >> 4 && (dest & ldr & 15)) ||
					 dest == 0xff);
	}
	/* Neither flat nor cluster. */
	wr(&box.apic[1], 0xd0, 0xff000000);
	for (u32 model = 1; model < 15; model++) {
		wr(&box.apic[1], 0xe0, model << 28);
		for (u32 dest = 0; dest < 0xff; dest++)
			assert_false(matches(1, dest, true, false));
	}
}

/* SDM3 11.12.10.2 */
static void test_logical_x2apic(void **state)
{
	setup(32);
	for (u32 i = 0; i < 32; i++) {
		go_x2apic(&box.apic[i]);
		assert_true(rdmsr_ok(&box.apic[i], 0x80d) ==
			    (i < 16 ? 1U << i : 0x10000 | 1U << (i - 16)));
	}
	for (u32 i = 0; i < 32; i++) {
		assert_int_equal(matches(i, 0x0000a5a5, true, true), i < 16 && 0xa5a5 >> i & 1);
		assert_int_equal(matches(i, 0x00010180, true, true), i == 16 + 7 || i == 16 + 8);
		assert_false(matches(i, 0x0002ffff, true, true));
		assert_false(matches(i, 0x00010000, true, true));
		assert_true(matches(i, 0xffffffff, true, true));
		/* Eight bits: members 0 to 7 of cluster 0, all ones everybody. */
		assert_int_equal(matches(i, 0x81, true, false), i == 0 || i == 7);
		assert_true(matches(i, 0xff, true, false));
	}
}

static u32 route(int from, u8 shorthand, u32 dest, u8 mode, u8 vector)
{
	const struct apic_msg m = { .dest = dest, .mode = mode, .vector = vector,
				    .shorthand = shorthand };

	return apic_route(box.all, box.n, from < 0 ? NULL : &box.apic[from], &m);
}

static void test_shorthands(void **state)
{
	setup(4);
	assert_int_equal(route(2, 0, 1, APIC_FIXED, 0x40), 0x2);
	assert_int_equal(route(2, 1, 1, APIC_FIXED, 0x41), 0x4);
	assert_int_equal(route(2, 2, 1, APIC_FIXED, 0x42), 0xf);
	assert_int_equal(route(2, 3, 1, APIC_FIXED, 0x43), 0xb);
	assert_int_equal(route(2, 0, 9, APIC_FIXED, 0x44), 0);
	assert_int_equal(route(2, 0, 0xff, APIC_FIXED, 0x45), 0xf);
	assert_int_equal(route(-1, 0, 3, APIC_FIXED, 0x46), 0x8);
	for (u32 i = 0; i < 4; i++) {
		static const u32 want[4] = { 0x2c, 0x2d, 0x26, 0x6c };

		vlapic_pull(&box.apic[i]);
		assert_int_equal(box.apic[i].s.irr[2], want[i]);
	}
	/* Not those that are disabled. */
	assert_true(set_mode(&box.apic[1], 0));
	assert_int_equal(route(2, 2, 0, APIC_NMI, 0), 0xd);
	assert_int_equal(route(2, 3, 0, APIC_NMI, 0), 0x9);
	/* Software-disabled ones take signals only. */
	wr(&box.apic[3], 0xf0, 0xff);
	assert_int_equal(route(2, 2, 0, APIC_FIXED, 0x50), 0x5);
	assert_int_equal(route(2, 2, 0, APIC_SIPI, 0x50), 0xd);
}

static void test_routes_32(void **state)
{
	setup(32);
	assert_int_equal(route(31, 2, 0, APIC_FIXED, 0x80), 0xffffffff);
	assert_int_equal(route(31, 3, 0, APIC_FIXED, 0x80), 0x7fffffff);
	assert_int_equal(route(0, 0, 31, APIC_INIT, 0), 0x80000000);
	assert_int_equal(route(0, 0, 31, APIC_LOWEST, 0x81), 0x80000000);
}

static void test_each_mode_at_the_receiver(void **state)
{
	static const struct {
		u8 mode;
		bool enabled, disabled;
		u32 signal;
	} rows[] = {
		{ APIC_FIXED, true, false, 0 },
		{ APIC_LOWEST, true, false, 0 },
		{ APIC_SMI, true, true, VLAPIC_SMI },
		{ APIC_MODE_3, false, false, 0 },
		{ APIC_NMI, true, true, VLAPIC_NMI },
		{ APIC_INIT, true, true, VLAPIC_INIT },
		{ APIC_SIPI, true, true, VLAPIC_SIPI },
		{ APIC_EXTINT, false, false, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		u32 row = i / 2;
		bool on = i % 2, want = on ? rows[row].enabled : rows[row].disabled;
		struct apic_msg m = { .mode = rows[row].mode, .vector = 0x9c };
		struct vlapic *a = &box.apic[0];

		box_init(&box, 1);
		if (on)
			wr(a, 0xf0, 0x1ff);
		assert_int_equal(vlapic_accept(a, &m), want);
		assert_int_equal(vlapic_posted(a), want);
		assert_int_equal(vlapic_pull(a), want ? rows[row].signal : 0);
		assert_int_equal(bit_of(a->s.irr, 0x9c), want && !rows[row].signal);
		if (rows[row].mode == APIC_SIPI)
			assert_int_equal(a->s.sipi_vector, 0x9c);
	}
}

static void test_trigger_mode_goes_to_tmr(void **state)
{
	struct vlapic *a = &box.apic[0];

	setup(1);
	for (u32 v = 16; v < 256; v++) {
		fixed(a, (u8)v, true);
		vlapic_pull(a);
		assert_true(bit_of(a->s.irr, (u8)v) && bit_of(a->s.tmr, (u8)v));
		fixed(a, (u8)v, false);
		vlapic_pull(a);
		assert_true(bit_of(a->s.irr, (u8)v) && !bit_of(a->s.tmr, (u8)v));
	}
	/* Both between two looks: the I/O APIC must hear of its one. */
	fixed(a, 0x50, true);
	fixed(a, 0x50, false);
	vlapic_pull(a);
	assert_true(bit_of(a->s.tmr, 0x50));
	fixed(a, 0x51, false);
	fixed(a, 0x51, true);
	vlapic_pull(a);
	assert_true(bit_of(a->s.tmr, 0x51));
}

static void test_illegal_vector_received(void **state)
{
	struct vlapic *a = &box.apic[0];

	for (u8 v = 0; v < 16; v++) {
		setup(1);
		wr(a, 0x370, 0xfe);
		fixed(a, v, v & 1);
		assert_true(vlapic_posted(a));
		assert_int_equal(vlapic_pull(a), 0);
		assert_int_equal(a->s.irr[0] | a->s.tmr[0], 0);
		assert_int_equal(vlapic_pending(a), 0xfe);
		assert_int_equal(read_esr(a), 0x40);
	}
}

static void test_nmis_count_to_two(void **state)
{
	struct vlapic *a = &box.apic[0];
	const struct apic_msg m = { .mode = APIC_NMI };

	setup(1);
	for (u32 n = 1; n <= 4; n++) {
		for (u32 i = 0; i < n; i++)
			assert_true(vlapic_accept(a, &m));
		assert_int_equal(vlapic_pull(a), n == 1 ? VLAPIC_NMI : VLAPIC_NMI | VLAPIC_NMI2);
	}
}

static void test_init_and_sipi_in_order(void **state)
{
	struct vlapic *a = &box.apic[0];

	setup(1);
	assert_int_equal(route(-1, 0, 0, APIC_INIT, 0), 1);
	assert_int_equal(route(-1, 0, 0, APIC_SIPI, 0x12), 1);
	assert_int_equal(route(-1, 0, 0, APIC_SIPI, 0x34), 1);
	assert_int_equal(vlapic_pull(a), VLAPIC_INIT | VLAPIC_SIPI);
	assert_int_equal(a->s.sipi_vector, 0x12);
	/* INIT ends what an older SIPI began. */
	route(-1, 0, 0, APIC_SIPI, 0x56);
	route(-1, 0, 0, APIC_INIT, 0);
	assert_int_equal(vlapic_pull(a), VLAPIC_INIT);
	/* The de-assert that old boot code sends. */
	assert_false(vlapic_accept(a, &(struct apic_msg){ .mode = APIC_INIT, .deassert = true }));
	assert_false(vlapic_posted(a));
}

static void in_service(u32 i, u8 vector)
{
	box.apic[i].s.isr[vector / 32] |= 1U << vector % 32;
}

static void test_lowest_priority(void **state)
{
	setup(4);
	/* Equals: the first. */
	assert_int_equal(route(-1, 0, 0xff, APIC_LOWEST, 0x60), 0x1);
	vlapic_pull(&box.apic[0]);
	/* The first has a request now, the second works on something. */
	in_service(1, 0x31);
	wr(&box.apic[2], 0x80, 0x20);
	wr(&box.apic[3], 0x80, 0x2f);
	assert_int_equal(route(-1, 0, 0xff, APIC_LOWEST, 0x61), 0x4);
	wr(&box.apic[2], 0x80, 0xf0);
	assert_int_equal(route(-1, 0, 0xff, APIC_LOWEST, 0x62), 0x8);
	wr(&box.apic[3], 0x80, 0xf0);
	assert_int_equal(route(-1, 0, 0xff, APIC_LOWEST, 0x63), 0x2);
	/* Only among the named, and those that can take it. */
	wr(&box.apic[1], 0xf0, 0xff);
	assert_int_equal(route(-1, 0, 0xff, APIC_LOWEST, 0x64), 0x1);
	assert_int_equal(route(1, 3, 0, APIC_LOWEST, 0x64), 0x1);
	assert_int_equal(route(1, 0, 1, APIC_LOWEST, 0x64), 0);
	assert_int_equal(route(2, 1, 0, APIC_LOWEST, 0x65), 0x4);
	assert_int_equal(route(-1, 0, 9, APIC_LOWEST, 0x65), 0);
}

/* Flat, one bit a CPU, as systems with an I/O APIC use it. */
static void test_lowest_priority_logical(void **state)
{
	struct apic_msg m = { .dest = 0x0a, .mode = APIC_LOWEST, .vector = 0x70,
			      .logical = true, .level = true };

	setup(4);
	for (u32 i = 0; i < 4; i++)
		wr(&box.apic[i], 0xd0, 1U << (24 + i));
	wr(&box.apic[1], 0x80, 0x10);
	assert_int_equal(apic_route(box.all, 4, NULL, &m), 0x8);
	vlapic_pull(&box.apic[3]);
	assert_true(bit_of(box.apic[3].s.tmr, 0x70));
	assert_int_equal(apic_route(box.all, 4, NULL, &m), 0x2);
}

/* SDM3 11.6.2.4, also as the register at 0x90. */
static void test_arbitration_priority_register(void **state)
{
	static const struct {
		u8 tpr, isr, irr, apr;
	} rows[] = {
		{ 0x00, 0x00, 0x00, 0x00 }, { 0x35, 0x00, 0x00, 0x35 },
		{ 0x35, 0x00, 0x3f, 0x35 }, { 0x35, 0x00, 0x40, 0x40 },
		{ 0x35, 0x31, 0x00, 0x30 }, { 0x35, 0x41, 0x00, 0x40 },
		{ 0x35, 0x41, 0x52, 0x50 }, { 0x35, 0x61, 0x52, 0x60 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vlapic *a = &box.apic[0];

		setup(1);
		wr(a, 0x80, rows[i].tpr);
		if (rows[i].isr)
			in_service(0, rows[i].isr);
		if (rows[i].irr)
			a->s.irr[rows[i].irr / 32] = 1U << rows[i].irr % 32;
		assert_int_equal(rd(a, 0x90), rows[i].apr);
	}
}

#define POSTERS	3
#define EACH	10		/* vectors of a poster */
#define ROUNDS	20000

/*
 * Each poster has vectors of its own, posts them, and waits until they were
 * taken: nothing may be lost, and each must come with its trigger mode.
 */
struct poster {
	pthread_t thread;
	u32 number;
	u32 taken[EACH];	/* by the puller, atomic */
	u32 sent;
};

static struct poster posters[POSTERS];
static bool stop;

/* Spins, so that threads meet; yields, since there may be fewer CPUs. */
static void relax(u32 n)
{
	if (n % 256 == 255)
		sched_yield();
}

static u32 taken_of(struct poster *p)
{
	u32 n = 0;

	for (u32 i = 0; i < EACH; i++)
		n += __atomic_load_n(&p->taken[i], __ATOMIC_ACQUIRE);
	return n;
}

static void *post(void *arg)
{
	struct poster *p = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		for (u32 k = 0; k < EACH; k++) {
			/* All of one word, so that they meet: 0x40 to 0x5d. */
			u8 v = (u8)(0x40 + p->number * EACH + k);
			struct apic_msg m = { .vector = v, .level = v & 1 };

			p->sent += vlapic_accept(&box.apic[0], &m);
		}
		for (u32 n = 0; taken_of(p) != p->sent; n++) {
			/* Lost. */
			if (n == 50000000)
				return NULL;
			relax(n);
		}
	}
	return NULL;
}

static void take(struct vlapic *a, u32 *wrong)
{
	int v;

	vlapic_pull(a);
	while ((v = vlapic_pending(a)) >= 0) {
		if (bit_of(a->s.tmr, (u8)v) != (v & 1))
			++*wrong;
		vlapic_ack(a, (u8)v);
		wr(a, 0xb0, 0);
		v -= 0x40;
		__atomic_fetch_add(&posters[v / EACH].taken[v % EACH], 1, __ATOMIC_RELEASE);
	}
}

static void *join_all(void *arg)
{
	for (u32 i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	return NULL;
}

static void test_threads_lose_nothing(void **state)
{
	pthread_t joiner;
	u32 wrong = 0, level = 0;

	setup(1);
	memset(posters, 0, sizeof(posters));
	stop = false;
	for (u32 i = 0; i < POSTERS; i++) {
		posters[i].number = i;
		assert_int_equal(pthread_create(&posters[i].thread, NULL, post, &posters[i]), 0);
	}
	assert_int_equal(pthread_create(&joiner, NULL, join_all, NULL), 0);
	for (u32 n = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); n++) {
		take(&box.apic[0], &wrong);
		relax(n);
	}
	assert_int_equal(pthread_join(joiner, NULL), 0);
	assert_int_equal(wrong, 0);
	for (u32 i = 0; i < POSTERS; i++) {
		assert_int_equal(posters[i].sent, EACH * ROUNDS);
		assert_int_equal(taken_of(&posters[i]), EACH * ROUNDS);
		for (u32 k = 0; k < EACH; k++)
			level += (i * EACH + k) % 2 ? posters[i].taken[k] : 0;
	}
	assert_int_equal(box.n_eoi, level);
}

static void *reset_thread(void *arg)
{
	for (u32 i = 0; i < 400000 && !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		vlapic_reset(&box.apic[0]);
		relax(i);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	return NULL;
}

/* INIT is being handled when the SIPI behind it comes: the APIC is there. */
static void test_reset_hides_no_apic(void **state)
{
	const struct apic_msg sipi = { .mode = APIC_SIPI, .vector = 0x9a };
	pthread_t thread;
	u32 refused = 0, n = 0;

	setup(1);
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, reset_thread, NULL), 0);
	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
		refused += !vlapic_match(&box.apic[0], &sipi);
		refused += !vlapic_accept(&box.apic[0], &sipi);
		relax(n);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(n);
	assert_int_equal(refused, 0);
}

/* NMIs and SIPIs from several threads: each batch arrives, vectors are whole. */
static void *signal_thread(void *arg)
{
	u32 n = *(u32 *)arg;

	for (u32 i = 0; i < 40000; i++) {
		struct apic_msg m = { .mode = n ? APIC_SIPI : APIC_NMI,
				      .vector = (u8)(n ? 0x50 + n : 0) };

		if (!vlapic_accept(&box.apic[0], &m))
			break;
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void test_threads_of_signals(void **state)
{
	struct vlapic *a = &box.apic[0];
	u32 seen = 0, bad = 0;
	pthread_t joiner;

	setup(1);
	stop = false;
	for (u32 i = 0; i < POSTERS; i++) {
		posters[i].number = i;
		assert_int_equal(pthread_create(&posters[i].thread, NULL, signal_thread,
						&posters[i].number), 0);
	}
	assert_int_equal(pthread_create(&joiner, NULL, join_all, NULL), 0);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE) || vlapic_posted(a)) {
		u32 sig = vlapic_pull(a);

		seen |= sig;
		if (sig & VLAPIC_SIPI && a->s.sipi_vector != 0x51 && a->s.sipi_vector != 0x52)
			bad++;
		sched_yield();
	}
	assert_int_equal(pthread_join(joiner, NULL), 0);
	assert_int_equal(bad, 0);
	assert_int_equal(seen & ~VLAPIC_NMI2, VLAPIC_NMI | VLAPIC_SIPI);
	assert_int_equal(a->s.irr[2], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_physical_8_bits),
		cmocka_unit_test(test_physical_32_bits),
		cmocka_unit_test(test_logical_flat),
		cmocka_unit_test(test_logical_cluster),
		cmocka_unit_test(test_logical_x2apic),
		cmocka_unit_test(test_shorthands),
		cmocka_unit_test(test_routes_32),
		cmocka_unit_test(test_each_mode_at_the_receiver),
		cmocka_unit_test(test_trigger_mode_goes_to_tmr),
		cmocka_unit_test(test_illegal_vector_received),
		cmocka_unit_test(test_nmis_count_to_two),
		cmocka_unit_test(test_init_and_sipi_in_order),
		cmocka_unit_test(test_lowest_priority),
		cmocka_unit_test(test_lowest_priority_logical),
		cmocka_unit_test(test_arbitration_priority_register),
		cmocka_unit_test(test_threads_lose_nothing),
		cmocka_unit_test(test_reset_hides_no_apic),
		cmocka_unit_test(test_threads_of_signals),
	};

	return cmocka_run_group_tests_name("vlapic_route", tests, NULL, NULL);
}
