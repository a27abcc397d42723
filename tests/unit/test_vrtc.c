// SPDX-License-Identifier: MIT
/* The MC146818 data sheet; dates and weekdays as date(1) has them. */
#include "tests/unit/io_box.h"

#include "core/dev/vrtc.h"

#define SECOND	1000000000ULL
#define UIP_NS	244141ULL
/* 2024-02-28 23:59:58, a Wednesday */
#define EPOCH	1709164798LL

#define A	0x0a
#define B	0x0b
#define C	0x0c
#define D	0x0d

struct fixture {
	struct io_box box;
	struct vrtc r;
};

static int init(struct fixture *f, s64 epoch, u64 mem)
{
	io_box_init(&f->box);
	return vrtc_init(&f->r, &f->box.bus, &f->box.env, epoch, mem);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return init(f, EPOCH, 64 << 20);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vrtc_state_check(&f->r.s);

	free(f);
	return err;
}

static u8 get(struct fixture *f, u8 reg)
{
	io_outb(&f->box, 0x70, reg);
	return io_inb(&f->box, 0x71);
}

static void put(struct fixture *f, u8 reg, u8 val)
{
	io_outb(&f->box, 0x70, reg);
	io_outb(&f->box, 0x71, val);
}

static bool line(struct fixture *f)
{
	return f->box.line[VRTC_IRQ];
}

static void tick(struct fixture *f, u64 now)
{
	f->box.now = now;
	vrtc_tick(&f->r, now);
}

/* Century, year, month, day, weekday, hours, minutes, seconds as the bytes are. */
static void assert_time(struct fixture *f, u64 date, u8 weekday, u32 time)
{
	static const u8 reg[] = { 0x32, 9, 8, 7 }, clock[] = { 4, 2, 0 };

	for (int i = 0; i < 4; i++)
		assert_int_equal(get(f, reg[i]), date >> (24 - 8 * i) & 0xff);
	assert_int_equal(get(f, 6), weekday);
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(f, clock[i]), time >> (16 - 8 * i) & 0xff);
}

static void test_start_values(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, A), 0x26);
	assert_int_equal(get(f, B), 0x02);
	assert_int_equal(get(f, C), 0x00);
	assert_int_equal(get(f, D), 0x80);
	assert_time(f, 0x20240228, 4, 0x235958);
	assert_true(vrtc_next(&f->r) == DEV_NEVER);
	assert_false(line(f));
}

static void test_dates(void **state)
{
	static const struct {
		s64 epoch;
		u64 date;
		u8 weekday;
		u32 time;
	} row[] = {
		{ 0, 0x19700101, 5, 0x000000 },
		{ -1, 0x19691231, 4, 0x235959 },
		{ 946684799, 0x19991231, 6, 0x235959 },
		{ 946684800, 0x20000101, 7, 0x000000 },
		{ 951782400, 0x20000229, 3, 0x000000 },
		{ 1709208000, 0x20240229, 5, 0x120000 },
		{ 4107542400, 0x21000301, 2, 0x000000 },
		{ 4107542399, 0x21000228, 1, 0x235959 },
		{ 2147483648, 0x20380119, 3, 0x031408 },
		{ -62135596800, 0x00010101, 2, 0x000000 },
		{ 253402300799, 0x99991231, 6, 0x235959 },
		{ 253402300800, 0x00000101, 7, 0x000000 },
		/* Any number is some date. */
		{ INT64_MIN, 0x73430127, 1, 0x082952 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(init(f, row[i].epoch, 1 << 20), 0);
		assert_time(f, row[i].date, row[i].weekday, row[i].time);
	}
	assert_int_equal(init(f, INT64_MAX, 0), 0);
	assert_int_equal(vrtc_state_check(&f->r.s), 0);
	assert_int_equal(vrtc_init(&f->r, &f->box.bus, &f->box.env, 0, 0), -EEXIST);
}

static void test_counting(void **state)
{
	struct fixture *f = *state;

	f->box.now = SECOND - 1;
	assert_time(f, 0x20240228, 4, 0x235958);
	f->box.now = SECOND;
	assert_time(f, 0x20240228, 4, 0x235959);
	f->box.now = 2 * SECOND;
	assert_time(f, 0x20240229, 5, 0x000000);
	f->box.now = 86402 * SECOND;
	assert_time(f, 0x20240301, 6, 0x000000);
	/* Ten years in one step: 3653 days. */
	f->box.now += 3653 * 86400 * SECOND;
	assert_time(f, 0x20340302, 5, 0x000000);
	/* To 2099-12-31 23:59:59, and over. */
	f->box.now += (4102444799 - 2024870400ULL) * SECOND;
	assert_time(f, 0x20991231, 5, 0x235959);
	f->box.now += SECOND;
	assert_time(f, 0x21000101, 6, 0x000000);
	/* 2100 is no leap year. */
	f->box.now += (31 + 28) * 86400ULL * SECOND;
	assert_time(f, 0x21000301, 2, 0x000000);
}

/* Register A: UIP is 1 from 244 us before the bytes change until they have. */
static void test_uip(void **state)
{
	struct fixture *f = *state;

	for (u64 s = 1; s < 4; s++) {
		f->box.now = s * SECOND - UIP_NS - 1;
		assert_int_equal(get(f, A), 0x26);
		f->box.now++;
		assert_int_equal(get(f, A), 0xa6);
		f->box.now = s * SECOND - 1;
		assert_int_equal(get(f, A), 0xa6);
		f->box.now++;
		assert_int_equal(get(f, A), 0x26);
	}
	/* SET clears it; so does a chain that stands. */
	f->box.now = 4 * SECOND - 10;
	put(f, B, 0x82);
	assert_int_equal(get(f, A), 0x26);
	put(f, B, 0x02);
	assert_int_equal(get(f, A), 0xa6);
	put(f, A, 0xe6);
	assert_int_equal(get(f, A), 0x66);
}

/* Register B, SET: no updates; the chain goes on, so the phase stays. */
static void test_set_time(void **state)
{
	struct fixture *f = *state;

	put(f, A, 0x20);
	f->box.now = SECOND / 4;
	put(f, B, 0x82);
	f->box.now = 10 * SECOND;
	assert_time(f, 0x20240228, 4, 0x235958);
	assert_int_equal(get(f, C), 0x00);
	put(f, 0x32, 0x19);
	put(f, 9, 0x99);
	put(f, 8, 0x12);
	put(f, 7, 0x31);
	put(f, 6, 0x06);
	put(f, 4, 0x23);
	put(f, 2, 0x59);
	put(f, 0, 0x59);
	f->box.now += SECOND / 2;
	put(f, B, 0x02);
	f->box.now += SECOND / 2 - 1;
	assert_time(f, 0x19991231, 6, 0x235959);
	f->box.now++;
	assert_time(f, 0x20000101, 7, 0x000000);
	/* Without SET a byte is as writable, and the others stay. */
	put(f, 7, 0x31);
	put(f, 8, 0x08);
	assert_time(f, 0x20000831, 7, 0x000000);
	f->box.now += 86400 * SECOND;
	assert_time(f, 0x20000901, 1, 0x000000);
}

/* Register A, DV: 11x holds the chain; half a second after it the first update. */
static void test_divider_reset(void **state)
{
	struct fixture *f = *state;

	put(f, B, 0x62);
	put(f, A, 0x76);
	assert_true(vrtc_next(&f->r) == DEV_NEVER);
	f->box.now = 10 * SECOND + 7;
	assert_time(f, 0x20240228, 4, 0x235958);
	assert_int_equal(get(f, C), 0x00);
	put(f, A, 0x26);
	assert_true(f->r.s.second_at == 10 * SECOND + 7 + SECOND / 2);
	assert_true(vrtc_next(&f->r) == 10 * SECOND + 7 + 976563);
	f->box.now += SECOND / 2 - 1;
	assert_int_equal(get(f, 0), 0x58);
	f->box.now++;
	assert_int_equal(get(f, 0), 0x59);
	assert_int_equal(f->r.s.second_at, f->box.now + SECOND);
	/* 110 holds it as well; the other values run. */
	put(f, A, 0x6f);
	assert_true(f->r.s.second_at == DEV_NEVER);
	put(f, A, 0x00);
	assert_true(f->r.s.second_at == f->box.now + SECOND / 2);
	assert_true(f->r.s.periodic_at == DEV_NEVER);
}

static void test_binary_and_12_hours(void **state)
{
	static const struct {
		u8 mode, hour24, shown;
	} row[] = {
		{ 0x00, 0, 0x12 }, { 0x00, 1, 0x01 }, { 0x00, 11, 0x11 }, { 0x00, 12, 0x92 },
		{ 0x00, 13, 0x81 }, { 0x00, 22, 0x90 }, { 0x00, 23, 0x91 }, { 0x02, 23, 0x23 },
		{ 0x04, 0, 12 }, { 0x04, 11, 11 }, { 0x04, 12, 0x8c }, { 0x04, 13, 0x81 },
		{ 0x04, 23, 0x8b }, { 0x06, 0, 0 }, { 0x06, 23, 23 },
	};
	struct fixture *f = *state;

	/* Each hour comes to be by counting, in the format that B names. */
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		u8 before = (u8)((row[i].hour24 + 23) % 24), h12 = before % 12 ? before % 12 : 12;
		bool bin = row[i].mode & 4, h24 = row[i].mode & 2;
		u8 b = h24 ? before : h12;

		put(f, B, 0x80 | row[i].mode);
		b = bin ? b : (u8)(b / 10 << 4 | b % 10);
		put(f, 4, b | (!h24 && before >= 12 ? 0x80 : 0));
		put(f, 2, bin ? 59 : 0x59);
		put(f, 0, bin ? 59 : 0x59);
		put(f, B, row[i].mode);
		f->box.now += SECOND;
		assert_int_equal(get(f, 4), row[i].shown);
		assert_int_equal(get(f, 2), 0);
	}
	/* Binary dates: the end of 2099. */
	put(f, B, 0x86);
	put(f, 0x32, 20);
	put(f, 9, 99);
	put(f, 8, 12);
	put(f, 7, 31);
	put(f, 4, 23);
	put(f, 2, 59);
	put(f, 0, 59);
	put(f, B, 0x06);
	f->box.now += SECOND;
	assert_time(f, 0x15000101, get(f, 6), 0x000000);
	assert_int_equal(get(f, 0x32), 21);
}

/* Update-ended interrupt; register C clears itself and drops the line. */
static void test_update_interrupt(void **state)
{
	struct fixture *f = *state;

	/* UF is set with UIE off too, and IRQF is no part of it. */
	put(f, A, 0x20);
	tick(f, SECOND);
	assert_false(line(f));
	assert_int_equal(get(f, C), 0x10);
	assert_int_equal(get(f, C), 0x00);
	put(f, B, 0x12);
	assert_int_equal(f->box.rearms, 1);
	assert_true(vrtc_next(&f->r) == 2 * SECOND);
	tick(f, 2 * SECOND - 1);
	assert_false(line(f));
	tick(f, 2 * SECOND);
	assert_true(line(f));
	assert_true(vrtc_next(&f->r) == DEV_NEVER);
	tick(f, 5 * SECOND);
	assert_int_equal(f->box.edges[VRTC_IRQ], 1);
	/* AF too: it was midnight, and the alarm's bytes are 0. */
	assert_int_equal(get(f, C), 0xb0);
	assert_false(line(f));
	assert_int_equal(f->box.rearms, 2);
	assert_true(vrtc_next(&f->r) == 6 * SECOND);
	assert_int_equal(get(f, 0), 0x03);
	/* SET going high clears UIE. */
	put(f, B, 0x92);
	assert_int_equal(get(f, B), 0x82);
	/* An enable meets the flag that is there: the line follows at once. */
	put(f, B, 0x02);
	tick(f, 7 * SECOND);
	assert_false(line(f));
	put(f, B, 0x12);
	assert_true(line(f));
	put(f, B, 0x02);
	assert_false(line(f));
}

/* Register A, RS: the periods of a 32.768 kHz crystal, ns rounded up. */
static void test_periodic_rates(void **state)
{
	static const u64 ns[16] = {
		0, 3906250, 7812500, 122071, 244141, 488282, 976563, 1953125, 3906250, 7812500,
		15625000, 31250000, 62500000, 125000000, 250000000, 500000000,
	};
	struct fixture *f = *state;

	put(f, B, 0x42);
	for (u8 rate = 1; rate < 16; rate++) {
		put(f, A, 0x20 | rate);
		assert_true(vrtc_next(&f->r) == ns[rate]);
	}
	put(f, A, 0x20);
	assert_true(vrtc_next(&f->r) == DEV_NEVER);
}

static void test_periodic_without_drift(void **state)
{
	struct fixture *f = *state;
	u64 edges = 0;

	put(f, A, 0x23);	/* 8192 Hz */
	put(f, B, 0x42);
	while (vrtc_next(&f->r) <= 3 * SECOND) {
		tick(f, vrtc_next(&f->r));
		assert_true(line(f));
		assert_int_equal(get(f, C) & 0xc0, 0xc0);
		edges++;
	}
	assert_int_equal(edges, 3 * 8192);
	assert_true(f->box.now == 3 * SECOND);
	/* A late tick: one interrupt, and the next at its own time. */
	tick(f, 3 * SECOND + 1000 * 122071 + 5);
	assert_int_equal(get(f, C), 0xc0);
	assert_true(vrtc_next(&f->r) == 3 * SECOND + 1001ULL * 1953125 * 4 / 64 + 1);
	assert_int_equal(get(f, C), 0x00);
	/* PF without PIE. */
	put(f, B, 0x02);
	f->box.now += SECOND / 10;
	assert_int_equal(get(f, C), 0x40);
}

static void test_alarm(void **state)
{
	struct fixture *f = *state;

	put(f, A, 0x20);
	put(f, 1, 0x05);
	put(f, 3, 0x00);
	put(f, 5, 0x00);
	put(f, B, 0x22);
	/* 23:59:58 is second 0: 00:00:05 is 7 s away. */
	for (u64 s = 1; s < 7; s++) {
		tick(f, s * SECOND);
		assert_false(line(f));
	}
	tick(f, 7 * SECOND);
	assert_true(line(f));
	assert_int_equal(get(f, C), 0xb0);
	tick(f, 8 * SECOND);
	assert_false(line(f));
	/* In one step over a day; and not in one that ends before it. */
	get(f, C);
	f->box.now = (7 + 86400) * SECOND - 1;
	assert_int_equal(get(f, C), 0x10);
	f->box.now++;
	assert_int_equal(get(f, C), 0xb0);
	f->box.now += 10 * 86400ULL * SECOND;
	assert_int_equal(get(f, C), 0xb0);
}

/* Alarm bytes 0xc0 to 0xff are "don't care". */
static void test_alarm_wildcards(void **state)
{
	static const struct {
		u8 sec, min, hour;
		u64 first, second;	/* seconds from 23:59:58 */
	} row[] = {
		{ 0xc0, 0xff, 0xc0, 1, 2 },
		{ 0x30, 0xc1, 0xc0, 32, 92 },
		{ 0x00, 0x15, 0xfe, 902, 4502 },
		{ 0x00, 0x15, 0x01, 4502, 4502 + 86400 },
		{ 0x00, 0xc0, 0x00, 2, 62 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(init(f, EPOCH, 0), 0);
		put(f, 1, row[i].sec);
		put(f, 3, row[i].min);
		put(f, 5, row[i].hour);
		f->box.now = row[i].first * SECOND - 1;
		assert_int_equal(get(f, C) & 0x20, 0);
		f->box.now++;
		assert_int_equal(get(f, C) & 0x20, 0x20);
		f->box.now = row[i].second * SECOND - 1;
		assert_int_equal(get(f, C) & 0x20, 0);
		f->box.now++;
		assert_int_equal(get(f, C) & 0x20, 0x20);
	}
	/* A time that is none never comes; 0x1a is not 20. */
	put(f, 1, 0x7f);
	f->box.now += 2 * 86400ULL * SECOND;
	assert_int_equal(get(f, C) & 0x20, 0);
	put(f, 1, 0x1a);
	put(f, 3, 0xc0);
	put(f, 5, 0xc0);
	f->box.now += 86400 * SECOND;
	assert_int_equal(get(f, C) & 0x20, 0);
}

static void test_alarm_12_hours(void **state)
{
	struct fixture *f = *state;

	put(f, B, 0x80);
	put(f, 4, 0x11);
	put(f, 1, 0x00);
	put(f, 3, 0x00);
	put(f, 5, 0x81);	/* 1 PM */
	put(f, B, 0x20);
	/* 11:59:58 AM */
	f->box.now = 3602 * SECOND - 1;
	get(f, C);
	tick(f, f->box.now + 1);
	assert_true(line(f));
	assert_int_equal(get(f, 4), 0x81);
	assert_int_equal(get(f, C), 0xb0 | 0x40);
}

static void test_memory(void **state)
{
	struct fixture *f = *state;

	/* C and D are read-only, A's UIP too; all else keeps what is written. */
	for (u8 i = 0; i < 128; i++) {
		if (i >= 0x0a && i <= 0x0d)
			continue;
		put(f, i, (u8)(i ^ 0x5a));
	}
	for (u8 i = 0; i < 128; i++)
		if (i < 0x0a || i > 0x0d)
			assert_int_equal(get(f, i), i ^ 0x5a);
	put(f, C, 0xff);
	put(f, D, 0x00);
	assert_int_equal(get(f, C), 0x00);
	assert_int_equal(get(f, D), 0x80);
	put(f, A, 0xa7);
	assert_int_equal(get(f, A), 0x27);
	put(f, B, 0x0f);
	assert_int_equal(get(f, B), 0x0f);
}

/* Bit 7 of the index is the NMI mask, not a part of the address. */
static void test_index_port(void **state)
{
	struct fixture *f = *state;

	put(f, 0x8f, 0x0a);
	assert_int_equal(f->r.s.index, 0x8f);
	assert_int_equal(get(f, 0x0f), 0x0a);
	assert_int_equal(f->r.s.index, 0x0f);
	assert_int_equal(io_inb(&f->box, 0x70), 0xff);
	/* OUT of a word: index and data. */
	io_out(&f->box, 0x70, 2, 0x330f);
	assert_int_equal(get(f, 0x0f), 0x33);
	assert_int_equal(io_in(&f->box, 0x70, 2), 0x33ff);
}

static void test_memory_size(void **state)
{
	static const struct {
		u64 mem;
		u16 base, ext, mem16;
		u32 high;
	} row[] = {
		{ 0, 0, 0, 0, 0 },
		{ 512 << 10, 512, 0, 0, 0 },
		{ 1 << 20, 640, 0, 0, 0 },
		{ 2 << 20, 640, 1024, 0, 0 },
		{ 16 << 20, 640, 15360, 0, 0 },
		{ 17 << 20, 640, 16384, 16, 0 },
		{ 64 << 20, 640, 64512, 768, 0 },
		{ 65 << 20, 640, 0xffff, 784, 0 },
		{ 3ULL << 30, 640, 0xffff, 0xbf00, 0 },
		{ 4ULL << 30, 640, 0xffff, 0xbf00, 0x4000 },
		{ 1ULL << 40, 640, 0xffff, 0xbf00, 0xff4000 },
		{ ~0ULL, 640, 0xffff, 0xbf00, 0xffffff },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		u32 sum = 0;

		assert_int_equal(init(f, 0, row[i].mem), 0);
		assert_int_equal(get(f, 0x15) | get(f, 0x16) << 8, row[i].base);
		assert_int_equal(get(f, 0x17) | get(f, 0x18) << 8, row[i].ext);
		assert_int_equal(get(f, 0x30) | get(f, 0x31) << 8, row[i].ext);
		assert_int_equal(get(f, 0x34) | get(f, 0x35) << 8, row[i].mem16);
		assert_int_equal(get(f, 0x5b) | get(f, 0x5c) << 8 | get(f, 0x5d) << 16,
				 row[i].high);
		for (u8 b = 0x10; b <= 0x2d; b++)
			sum += get(f, b);
		assert_int_equal(get(f, 0x2e) << 8 | get(f, 0x2f), sum);
	}
	assert_int_equal(get(f, 0x0f), 0);
	assert_int_equal(get(f, 0x14), 0x02);
}

#define REFUSED(member, val) assert_refused(vrtc_state_check, s, member, val)

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	struct vrtc_state *s = &f->r.s;

	assert_int_equal(sizeof(*s), 152);
	assert_reserved(vrtc_state_check, s, reserved);
	REFUSED(ram[A], 0xa6);
	REFUSED(ram[A], 0x76);
	REFUSED(ram[A], 0x20);
	REFUSED(ram[A], 0x27);		/* 976.5625 us is no edge of 1.953125 ms */
	REFUSED(ram[C], 0x80);
	REFUSED(ram[C], 0x01);
	REFUSED(ram[D], 0x00);
	REFUSED(second_at, DEV_NEVER);
	REFUSED(second_at, 1ULL << 63);
	REFUSED(second_at, s->second_at + 1);
	REFUSED(periodic_at, DEV_NEVER);
	REFUSED(periodic_at, 976562);
	REFUSED(periodic_at, 0);
	REFUSED(periodic_at, 2 * SECOND);
	put(f, A, 0x66);
	REFUSED(second_at, 5);
	REFUSED(periodic_at, 5);
	/* A state of a later time than the machine's has a next edge of its own. */
	put(f, A, 0x26);
	s->second_at += 1ULL << 62;
	s->periodic_at += 1ULL << 62;
	assert_int_equal(vrtc_state_check(s), 0);
	put(f, A, 0x2f);
	assert_int_equal(vrtc_state_check(s), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_start_values), T(test_dates), T(test_counting), T(test_uip),
		T(test_set_time), T(test_divider_reset), T(test_binary_and_12_hours),
		T(test_update_interrupt), T(test_periodic_rates), T(test_periodic_without_drift),
		T(test_alarm), T(test_alarm_wildcards), T(test_alarm_12_hours), T(test_memory),
		T(test_index_port), T(test_memory_size), T(test_state_check),
	};

	return cmocka_run_group_tests_name("vrtc", tests, NULL, NULL);
}
