// SPDX-License-Identifier: MIT
/* Registers and state: 82C54 data sheet (231244) unless it says ICH9. */
#include "tests/unit/pit_box.h"

/* Modes 6 and 7 are 2 and 3; the status has the bits as they were written. */
static void test_mode_aliases(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x3c);
	out16(f, 0x40, 4);
	pass(f, 4);
	assert_int_equal(status(f, 0), 0x3c);
	assert_int_equal(latched(f, 0), 1);
	out(f, 0x43, 0x3e);
	out16(f, 0x40, 4);
	pass(f, 3);
	assert_int_equal(status(f, 0), 0x3e);
	assert_int_equal(latched(f, 0), 4);
}

static void test_bcd(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x31);
	out16(f, 0x40, 0x1234);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0x1234);
	pass(f, 35);
	assert_int_equal(latched(f, 0), 0x1199);
	pass(f, 1199);
	assert_int_equal(latched(f, 0), 0);
	assert_int_equal(status(f, 0), 0xb1);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0x9999);
	/* 0 is 10 ** 4. */
	out(f, 0x43, 0x35);
	out16(f, 0x40, 0);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0x9999);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(f->clk - 1 + 10000));
}

static void test_count_zero_is_65536(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x34);
	out16(f, 0x40, 0);
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0);
	assert_int_equal(vpit_next(&f->pit), pit_model_ns(65537));
	pass(f, 1);
	assert_int_equal(latched(f, 0), 0xffff);
}

static void test_access_modes(void **state)
{
	struct fixture *f = *state;

	/* Least significant byte only: the other one is 0. */
	out(f, 0x43, 0x14);
	out(f, 0x40, 0x21);
	pass(f, 1);
	assert_int_equal(in(f, 0x40), 0x21);
	assert_int_equal(in(f, 0x40), 0x21);
	pass(f, 1);
	assert_int_equal(in(f, 0x40), 0x20);
	/* Most significant byte only. */
	out(f, 0x43, 0x24);
	out(f, 0x40, 0x21);
	pass(f, 1);
	assert_int_equal(in(f, 0x40), 0x21);
	pass(f, 1);
	assert_int_equal(in(f, 0x40), 0x20);
	out(f, 0x43, 0x00);
	pass(f, 0x200);
	assert_int_equal(in(f, 0x40), 0x20);
	assert_int_equal(in(f, 0x40), 0x1e);
	/* Both, low first; each byte is that of its own time. */
	out(f, 0x43, 0x34);
	out16(f, 0x40, 0x1234);
	pass(f, 1);
	assert_int_equal(in(f, 0x40), 0x34);
	pass(f, 0x200);
	assert_int_equal(in(f, 0x40), 0x10);
	assert_int_equal(in(f, 0x40), 0x34);
	/* A control word begins with the low byte again. */
	out(f, 0x43, 0x34);
	out(f, 0x40, 0x11);
	out(f, 0x43, 0x34);
	out16(f, 0x40, 0x5678);
	pass(f, 1);
	assert_int_equal(in16(f, 0x40), 0x5678);
}

static void test_latch(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x34);
	out16(f, 0x40, 0x1000);
	pass(f, 1);
	out(f, 0x43, 0x00);
	pass(f, 0x10);
	/* The second command is ignored until the first value is read. */
	out(f, 0x43, 0x0f);
	pass(f, 0x10);
	assert_int_equal(in(f, 0x40), 0x00);
	assert_int_equal(in(f, 0x40), 0x10);
	assert_int_equal(in16(f, 0x40), 0x0fe0);
	/* Programming unlatches. */
	out(f, 0x43, 0x00);
	out(f, 0x43, 0x34);
	out16(f, 0x40, 0x2000);
	pass(f, 1);
	assert_int_equal(in16(f, 0x40), 0x2000);
	/* Writing a count does not. */
	out(f, 0x43, 0x00);
	out16(f, 0x40, 0x3000);
	pass(f, 0x2000);
	assert_int_equal(in16(f, 0x40), 0x2000);
	assert_int_equal(in16(f, 0x40), 0x3000);
}

static void test_read_back(void **state)
{
	struct fixture *f = *state;

	out(f, 0x43, 0x34);
	out16(f, 0x40, 0x1000);
	out(f, 0x43, 0x50);
	out(f, 0x41, 0x20);
	out(f, 0x43, 0xb6);
	pass(f, 1);
	/* Count and status of 0 and 1: status first, then the count. */
	out(f, 0x43, 0xc6);
	pass(f, 5);
	assert_int_equal(in(f, 0x40), 0xb4);
	assert_int_equal(in16(f, 0x40), 0x1000);
	assert_int_equal(in16(f, 0x40), 0x0ffb);
	assert_int_equal(in(f, 0x41), 0x10);
	assert_int_equal(in(f, 0x41), 0x20);
	/* Figure 13: commands to what is latched are ignored, also one by one. */
	out(f, 0x43, 0xd2);
	pass(f, 1);
	out(f, 0x43, 0xe2);
	out(f, 0x43, 0x34);
	out16(f, 0x40, 0x0100);
	out(f, 0x43, 0xe2);
	pass(f, 3);
	out(f, 0x43, 0xc2);
	assert_int_equal(in(f, 0x40), 0xf4);
	assert_int_equal(in16(f, 0x40), 0x00fe);
	/* Neither: nothing is latched. */
	out(f, 0x43, 0xfe);
	pass(f, 1);
	assert_int_equal(in16(f, 0x40), 0x00fd);
	/* Channel 2 has no count. */
	assert_int_equal(status(f, 2), 0xf6);
}

static void test_port61(void **state)
{
	struct fixture *f = *state;
	u32 toggles = 0;
	u8 last;

	/* ICH9 13.7.1: bits 3:0. */
	out(f, 0x61, 0xff);
	assert_int_equal(in(f, 0x61) & 0xcf, 0x0f);
	out(f, 0x61, 0xf0);
	assert_int_equal(in(f, 0x61) & 0xcf, 0);
	/* Linux calibrates so: channel 2 in mode 0, wait for bit 5. */
	out(f, 0x61, 1);
	out(f, 0x43, 0xb0);
	out16(f, 0x42, 11931);
	assert_int_equal(in(f, 0x61) & 0x20, 0);
	pass(f, 11931);
	assert_int_equal(in(f, 0x61) & 0x20, 0);
	pass(f, 1);
	assert_int_equal(in(f, 0x61) & 0x20, 0x20);
	/* The refresh bit changes each 15 us: 18 CLKs. */
	last = in(f, 0x61);
	for (int i = 0; i < 1800; i++) {
		pass(f, 1);
		toggles += (in(f, 0x61) ^ last) >> 4 & 1;
		last = in(f, 0x61);
	}
	assert_int_equal(toggles, 100);
	/* No interrupt line but that of channel 0. */
	assert_int_equal(f->rises, 0);
}

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	static const struct {
		u8 off, size;
		u64 val;
	} bad[] = {
#define BAD(n, m, v) { offsetof(struct vpit_state, ch[n].m), \
		       sizeof(((struct vpit_channel *)0)->m), v }
		BAD(0, start, 1ULL << 60), BAD(0, held, 1), BAD(0, seen, 5), BAD(0, seen, ~0ULL),
		BAD(0, count, 0), BAD(0, count, 65537), BAD(0, count, 99), BAD(0, reload, 0),
		BAD(0, reload, 65537), BAD(0, latch, 1), BAD(0, control, 0x74),
		BAD(0, control, 0x04), BAD(0, control, 0x14), BAD(0, control, 0x30),
		BAD(0, run, 4), BAD(0, run, 0), BAD(0, run, 2), BAD(0, run, 3),
		BAD(0, pending, 2), BAD(0, fresh, 1), BAD(0, fresh, 2), BAD(2, fresh, 1),
		BAD(0, gate, 0), BAD(0, out, 0), BAD(0, out, 2),
		BAD(0, latched, 2), BAD(0, status_latched, 1), BAD(0, status, 1),
		BAD(0, read_high, 2), BAD(0, write_high, 2), BAD(0, write_low, 1),
		BAD(0, reserved[1], 1), BAD(1, gate, 0), BAD(2, gate, 1), BAD(2, pending, 1),
		BAD(2, held, 1), BAD(2, reload, 5), BAD(2, start, 1), BAD(2, out, 0),
		{ offsetof(struct vpit_state, port61), 1, 0x10 },
		{ offsetof(struct vpit_state, port61), 1, 0x01 },
		{ offsetof(struct vpit_state, line), 1, 0 },
		{ offsetof(struct vpit_state, late), 1, 1 },
		{ offsetof(struct vpit_state, late), 1, 2 },
		{ offsetof(struct vpit_state, reserved), 1, 1 },
#undef BAD
	};

	out(f, 0x43, 0x34);
	out16(f, 0x40, 100);
	out(f, 0x43, 0xb6);
	pass(f, 10);
	assert_int_equal(in(f, 0x40), 91);
	assert_int_equal(vpit_state_check(&f->pit.s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vpit_state s = f->pit.s;

		memcpy((u8 *)&s + bad[i].off, &bad[i].val, bad[i].size);
		assert_int_equal(vpit_state_check(&s), -EINVAL);
	}
}

static void test_ports_taken(void **state)
{
	struct fixture *f = *state;
	struct vpit other;

	assert_int_equal(vpit_init(&other, &f->bus, &f->env), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mode_aliases), T(test_bcd), T(test_count_zero_is_65536),
		T(test_access_modes), T(test_latch), T(test_read_back), T(test_port61),
		T(test_state_check), T(test_ports_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
