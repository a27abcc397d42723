// SPDX-License-Identifier: MIT
#include "tests/unit/vlapic_box.h"

static struct apic_box box;

/* States that an APIC is in: all must pass; each row below breaks one. */
enum from { XAPIC, X2APIC, OFF };

static struct vlapic_state state_of(enum from from)
{
	struct vlapic *a = &box.apic[9];

	box_init(&box, 10);
	box_enable(&box);
	if (from == X2APIC)
		go_x2apic(a);
	if (from == OFF) {
		assert_true(set_mode(a, 0));
		return a->s;
	}
	fixed(a, 0x51, true);
	fixed(a, 0x62, false);
	vlapic_pull(a);
	vlapic_ack(a, 0x62);
	return a->s;
}

/* Member m of state from becomes val: is that a state? */
#define CHECK_IN(from, m, val, want) \
	do { \
		struct vlapic_state s_ = state_of(from); \
		s_.m = (val); \
		assert_int_equal(vlapic_state_check(&s_), (want) ? 0 : -EINVAL); \
	} while (0)
#define OK(from, m, val)	CHECK_IN(from, m, val, true)
#define BAD(from, m, val)	CHECK_IN(from, m, val, false)

static void test_real_states_pass(void **state)
{
	for (enum from f = XAPIC; f <= OFF; f++) {
		struct vlapic_state s = state_of(f);

		assert_int_equal(vlapic_state_check(&s), 0);
	}
	box_init(&box, 32);
	for (u32 i = 0; i < 32; i++)
		assert_int_equal(vlapic_state_check(&box.apic[i].s), 0);
}

static void test_base(void **state)
{
	for (u32 bit = 0; bit < 64; bit++) {
		bool ok = bit == 8 || (bit >= 12 && bit < 52);

		if (bit == 10 || bit == 11)
			continue;
		CHECK_IN(XAPIC, base, 0xfee00800 ^ BIT(bit), ok);
		CHECK_IN(X2APIC, base, 0xfee00c00 ^ BIT(bit), ok);
		CHECK_IN(OFF, base, 0xfee00000 ^ BIT(bit), ok);
	}
	BAD(XAPIC, base, 0xfee00400);
	BAD(OFF, base, 0xfee00400);
}

static void test_ids(void **state)
{
	BAD(XAPIC, id, 32);
	OK(XAPIC, id, 31);
	OK(XAPIC, xapic_id, 0xff000000);
	BAD(XAPIC, xapic_id, 0x09000001);
	OK(XAPIC, ldr, 0xab000000);
	BAD(XAPIC, ldr, 0x00800000);
	BAD(X2APIC, xapic_id, 0x08000000);
	BAD(X2APIC, id, 8);
	BAD(X2APIC, ldr, 0x100);
	BAD(X2APIC, ldr, 0x10200);
	OK(X2APIC, ldr, 0x200);
	BAD(XAPIC, version, 0x00060014);
	BAD(XAPIC, version, 0x01050014);
	BAD(XAPIC, reserved, 1);
}

static void test_registers(void **state)
{
	OK(XAPIC, tpr, 0xff);
	BAD(XAPIC, tpr, 0x100);
	OK(XAPIC, dfr, 0x0fffffff);
	BAD(XAPIC, dfr, 0xfffffffe);
	OK(XAPIC, svr, 0x3ff);
	BAD(XAPIC, svr, 0x5ff);
	BAD(XAPIC, svr, 0x11ff);
	OK(XAPIC, icr, 0xff000000000ccfff);
	for (u32 bit = 0; bit < 64; bit++) {
		CHECK_IN(XAPIC, icr, BIT(bit), bit >= 56 || (0xccfffULL >> bit & 1));
		CHECK_IN(X2APIC, icr, BIT(bit), bit >= 32 || (0xccfffULL >> bit & 1));
	}
	for (u32 bit = 0; bit < 32; bit++) {
		CHECK_IN(XAPIC, esr, 1U << bit, bit >= 5 && bit <= 7);
		CHECK_IN(XAPIC, esr_pending, 1U << bit, bit >= 5 && bit <= 7);
		CHECK_IN(XAPIC, dcr, 1U << bit, bit == 0 || bit == 1 || bit == 3);
	}
	OK(XAPIC, tmict, 0xffffffff);
}

static void test_signals(void **state)
{
	OK(XAPIC, signals, VLAPIC_NMI | VLAPIC_NMI2 | VLAPIC_INIT | VLAPIC_SIPI | VLAPIC_SMI);
	BAD(XAPIC, signals, VLAPIC_NMI2);
	BAD(XAPIC, signals, 0x20);
	BAD(XAPIC, signals, 0x80000000);
	OK(XAPIC, sipi_vector, 0xff);
	BAD(XAPIC, sipi_vector, 0x100);
}

static void test_vectors(void **state)
{
	for (u32 bit = 0; bit < 32; bit++) {
		CHECK_IN(XAPIC, isr[0], 1U << bit, bit >= 16);
		CHECK_IN(XAPIC, irr[0], 1U << bit, bit >= 16);
		CHECK_IN(XAPIC, tmr[0], 1U << bit, bit >= 16);
		CHECK_IN(XAPIC, isr[7], 1U << bit, true);
	}
	OK(XAPIC, irr[5], 0xffffffff);
	OK(XAPIC, tmr[5], 0xffffffff);
	/* Nested interrupts are of different classes. */
	OK(XAPIC, isr[5], 0x00010001);
	BAD(XAPIC, isr[5], 0x00030000);
	BAD(XAPIC, isr[5], 0x00008001);
}

static void test_lvt(void **state)
{
	static const u32 bits[LVT_COUNT] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff,
					     0x100ff };

	for (u32 i = 0; i < LVT_COUNT; i++) {
		for (u32 bit = 0; bit < 32; bit++)
			CHECK_IN(XAPIC, lvt[i], 1U << bit, bits[i] >> bit & 1);
		/* Software-disabled: masked. */
		struct vlapic_state s = state_of(XAPIC);

		s.svr = 0xff;
		assert_int_equal(vlapic_state_check(&s), 0);
		s.lvt[i] = 0x40;
		assert_int_equal(vlapic_state_check(&s), -EINVAL);
		s.svr = 0x1ff;
		assert_int_equal(vlapic_state_check(&s), 0);
	}
}

static void test_timer(void **state)
{
	struct vlapic_state s = state_of(XAPIC);

	s.timer_due = 100;
	assert_int_equal(vlapic_state_check(&s), -EINVAL);
	s.tmict = 1;
	for (u32 mode = 0; mode < 4; mode++) {
		s.lvt[LVT_TIMER] = mode << 17 | 0x40;
		assert_int_equal(vlapic_state_check(&s), mode < 2 ? 0 : -EINVAL);
	}
	s.timer_due = DEV_NEVER;
	s.tsc_deadline = 1;
	for (u32 mode = 0; mode < 4; mode++) {
		s.lvt[LVT_TIMER] = mode << 17 | 0x40;
		assert_int_equal(vlapic_state_check(&s), mode == 2 ? 0 : -EINVAL);
	}
}

static void test_disabled(void **state)
{
	OK(OFF, tpr, 0xf0);
	BAD(OFF, tpr, 0x0f);
	OK(OFF, signals, VLAPIC_NMI);
	OK(OFF, sipi_vector, 0x9f);
	BAD(OFF, xapic_id, 0x0a000000);
	BAD(OFF, ldr, 0x01000000);
	BAD(OFF, dfr, 0x0fffffff);
	BAD(OFF, svr, 0x1ff);
	BAD(OFF, irr[3], 1);
	BAD(OFF, tmr[3], 1);
	BAD(OFF, isr[3], 1);
	BAD(OFF, esr, 0x80);
	BAD(OFF, esr_pending, 0x80);
	BAD(OFF, tmict, 1);
	BAD(OFF, dcr, 1);
	BAD(OFF, icr, 1);
	BAD(OFF, lvt[0], 0x10001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_states_pass),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lvt),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_disabled),
	};

	return cmocka_run_group_tests_name("vlapic_state", tests, NULL, NULL);
}
