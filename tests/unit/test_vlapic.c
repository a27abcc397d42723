// SPDX-License-Identifier: MIT
#include "tests/unit/vlapic_box.h"

static struct apic_box box;

static struct vlapic *one(void)
{
	box_init(&box, 1);
	box_enable(&box);
	return &box.apic[0];
}

static void test_power_up_of_each_member(void **state)
{
	const struct vlapic_state *s;

	box_init(&box, 4);
	s = &box.apic[3].s;
	assert_true(box.apic[0].s.base == 0xfee00900);
	assert_true(s->base == 0xfee00800);
	assert_int_equal(s->id, 3);
	assert_int_equal(s->xapic_id, 0x03000000);
	assert_int_equal(s->version, 0x00050014);
	assert_int_equal(s->dfr, 0xffffffff);
	assert_int_equal(s->svr, 0xff);
	assert_true(s->timer_due == DEV_NEVER && s->tsc_deadline == 0);
	assert_int_equal(s->tpr | s->ldr | s->esr | s->esr_pending | s->tmict | s->dcr, 0);
	assert_true(s->icr == 0 && s->signals == 0 && s->sipi_vector == 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(s->isr[i] | s->tmr[i] | s->irr[i], 0);
	for (int i = 0; i < LVT_COUNT; i++)
		assert_int_equal(s->lvt[i], 0x10000);
	assert_int_equal(vlapic_pending(&box.apic[3]), -1);
	assert_false(vlapic_posted(&box.apic[3]));
	assert_false(vlapic_busy(&box.apic[3]));
}

/* Posted, requested though TPR is above it, no more when it is in service. */
static void test_busy_until_nothing_is_requested(void **state)
{
	const struct apic_msg m = { .vector = 0x71, .shorthand = 1 };
	struct vlapic *a = one();

	wr(a, 0xf0, 0x1ff);
	assert_false(vlapic_busy(a));
	assert_true(vlapic_accept(a, &m));
	assert_true(vlapic_busy(a));
	assert_int_equal(vlapic_pull(a), 0);
	wr(a, 0x80, 0xf0);
	assert_int_equal(vlapic_pending(a), -1);
	assert_true(vlapic_busy(a));
	vlapic_ack(a, 0x71);
	assert_false(vlapic_busy(a));
}

static void test_page_is_where_the_base_says(void **state)
{
	struct vlapic *a = one();

	assert_true(vlapic_mmio_on(a) && vlapic_mmio_base(a) == 0xfee00000);
	assert_true(vlapic_set_base(a, 0x8fed40800, 36));
	assert_true(vlapic_mmio_on(a) && vlapic_mmio_base(a) == 0x8fed40000);
	/* BSP is read-only: it was not in the value. */
	assert_true(a->s.base == 0x8fed40900);
	go_x2apic(a);
	assert_false(vlapic_mmio_on(a));
	assert_true(vlapic_mmio_read(a, 0x30, 4) == 0xffffffff);
	assert_true(vlapic_mmio_read(a, 0x30, 8) == ~0ULL);
	wr(a, 0x80, 0x20);
	assert_int_equal(a->s.tpr, 0);
	assert_true(set_mode(a, 0));
	assert_false(vlapic_mmio_on(a));
	assert_true(vlapic_mmio_read(a, 0x30, 1) == 0xff);
}

static void test_base_reserved_bits_fault(void **state)
{
	struct vlapic *a = one();

	for (u32 bit = 0; bit < 64; bit++) {
		u64 val = 0xfee00800 ^ BIT(bit);
		bool ok = bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 40);

		box_init(&box, 1);
		assert_int_equal(vlapic_set_base(a, val, 40), ok);
		if (!ok)
			assert_true(a->s.base == 0xfee00900);
		else
			assert_true(a->s.base == (val | 0x100));
	}
	box_init(&box, 1);
	assert_true(vlapic_set_base(a, BIT(51) | 0x800, 52));
	assert_false(vlapic_set_base(a, BIT(52) | 0x800, 52));
	assert_false(vlapic_set_base(a, BIT(36) | 0x800, 36));
}

/* SDM3 figure 11-27. */
static void test_mode_transitions(void **state)
{
	static const bool legal[4][4] = {
		[0] = { true, false, true, false },
		[2] = { true, false, true, true },
		[3] = { true, false, false, true },
	};
	struct vlapic *a = &box.apic[0];

	for (u32 from = 0; from < 4; from++) {
		if (from == 1)
			continue;
		for (u32 to = 0; to < 4; to++) {
			box_init(&box, 1);
			assert_true(set_mode(a, from));
			assert_int_equal(set_mode(a, to), legal[from][to]);
			assert_int_equal(a->s.base >> 10 & 3, legal[from][to] ? to : from);
		}
	}
	/* Without x2APIC in CPUID bit 10 is reserved. */
	box_init(&box, 1);
	box.env.hidden = VLAPIC_HIDE_X2APIC;
	assert_false(set_mode(a, 3));
	assert_true(set_mode(a, 0));
	assert_false(set_mode(a, 1));
	assert_true(set_mode(a, 2));
}

/* SDM3 11.12.5.1: all stays but LDR, a written id, and ICR 63:32. */
static void test_entering_x2apic_keeps_most(void **state)
{
	struct vlapic *a;

	box_init(&box, 8);
	box_enable(&box);
	a = &box.apic[5];
	wr(a, 0x20, 0x99000000);
	wr(a, 0xd0, 0x42000000);
	wr(a, 0x80, 0x35);
	wr(a, 0xf0, 0x1ab);
	wr(a, 0x350, 0x8700);
	wr(a, 0x310, 0x77000000);
	wr(a, 0x300, 0x000c4041);
	fixed(a, 0x51, true);
	vlapic_pull(a);
	go_x2apic(a);
	assert_true(rdmsr_ok(a, 0x802) == 5);
	assert_true(rdmsr_ok(a, 0x80d) == 0x20);
	assert_true(rdmsr_ok(a, 0x808) == 0x35);
	assert_true(rdmsr_ok(a, 0x80f) == 0x1ab);
	assert_true(rdmsr_ok(a, 0x835) == 0x8700);
	assert_true(rdmsr_ok(a, 0x830) == 0xc4041);
	assert_true(rdmsr_ok(a, 0x822) == 1U << 0x11);
	assert_true(rdmsr_ok(a, 0x81a) == 1U << 0x11);
	/* And on to disabled: as after power-up, with the id it was born with. */
	assert_true(set_mode(a, 0));
	assert_int_equal(a->s.xapic_id, 0x05000000);
	assert_int_equal(a->s.ldr | a->s.tpr | a->s.irr[2] | a->s.tmr[2], 0);
	assert_int_equal(a->s.svr, 0xff);
	assert_int_equal(a->s.lvt[LVT_LINT0], 0x10000);
	assert_true(set_mode(a, 2));
	assert_int_equal(rd(a, 0x20), 0x05000000);
	assert_int_equal(rd(a, 0x30), 0x00050014);
}

static void test_disabled_is_not_there(void **state)
{
	struct vlapic *a = one();
	static const u8 modes[] = { APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_NMI, APIC_INIT,
				    APIC_SIPI };

	wr(a, 0x20, 0x11000000);
	assert_true(set_mode(a, 0));
	assert_int_equal(a->s.xapic_id, 0);
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		struct apic_msg m = { .dest = 0, .mode = modes[i], .vector = 0x40 };

		assert_false(vlapic_match(a, &m));
		assert_false(vlapic_accept(a, &m));
	}
	assert_false(vlapic_posted(a));
	/* CR8 works, LINT0 is INTR and LINT1 is NMI. */
	vlapic_set_cr8(a, 0xf);
	assert_int_equal(vlapic_cr8(a), 0xf);
	assert_true(vlapic_extint(a));
	vlapic_lint1(a);
	assert_true(vlapic_posted(a));
	assert_int_equal(vlapic_pull(a), VLAPIC_NMI);
	assert_int_equal(vlapic_state_check(&a->s), 0);
}

/* What a sender posts after the APIC went away is not found later. */
static void test_late_posts_to_a_disabled_apic(void **state)
{
	struct vlapic *a = one();

	assert_true(set_mode(a, 0));
	a->posted[2] = 0x10;
	a->posted_signals = 0x300;
	assert_int_equal(vlapic_pull(a), 0);
	assert_int_equal(a->s.irr[2] | a->s.esr_pending, 0);
	assert_true(set_mode(a, 2));
	wr(a, 0xf0, 0x1ff);
	fixed(a, 0x60, false);
	vlapic_pull(a);
	assert_int_equal(a->s.irr[2], 0);
	assert_int_equal(a->s.irr[3], 1);
	/* What waits at the moment of disabling is lost with the rest. */
	fixed(a, 0x61, true);
	assert_true(set_mode(a, 0));
	assert_int_equal(vlapic_pull(a), 0);
	assert_true(a->posted[3] == 0 && a->s.irr[3] == 0);
}

static void test_init_keeps_ids_base_and_mode(void **state)
{
	struct vlapic *a = one();

	wr(a, 0x20, 0x12000000);
	wr(a, 0xd0, 0x34000000);
	wr(a, 0x80, 0x10);
	assert_true(vlapic_set_base(a, 0xfed40900, 40));
	fixed(a, 0x30, false);
	vlapic_pull(a);
	fixed(a, 0x31, false);
	vlapic_reset(a);
	assert_int_equal(vlapic_pull(a), 0);
	assert_int_equal(vlapic_pending(a), -1);
	assert_int_equal(a->s.irr[1], 0);
	assert_true(a->s.base == 0xfed40900);
	assert_int_equal(rd(a, 0x20), 0x12000000);
	assert_int_equal(rd(a, 0xd0), 0);
	assert_int_equal(rd(a, 0x80), 0);
	assert_int_equal(rd(a, 0xf0), 0xff);
	/* x2APIC mode survives INIT, with the LDR that follows from the id. */
	box_init(&box, 20);
	go_x2apic(&box.apic[19]);
	vlapic_reset(&box.apic[19]);
	assert_true(rdmsr_ok(&box.apic[19], 0x80d) == 0x00010008);
	assert_true(rdmsr_ok(&box.apic[19], 0x802) == 19);
}

static void test_pending_is_above_ppr(void **state)
{
	struct vlapic *a = one();

	fixed(a, 0x31, false);
	fixed(a, 0x4f, false);
	fixed(a, 0x41, false);
	assert_int_equal(vlapic_pending(a), -1);
	assert_true(vlapic_posted(a));
	assert_int_equal(vlapic_pull(a), 0);
	assert_false(vlapic_posted(a));
	assert_int_equal(vlapic_pending(a), 0x4f);
	vlapic_ack(a, 0x4f);
	assert_false(bit_of(a->s.irr, 0x4f));
	assert_true(bit_of(a->s.isr, 0x4f));
	assert_int_equal(rd(a, 0xa0), 0x40);
	/* The same class does not nest. */
	assert_int_equal(vlapic_pending(a), -1);
	assert_int_equal(vlapic_masked_class(a), 0);
	fixed(a, 0x50, false);
	vlapic_pull(a);
	assert_int_equal(vlapic_pending(a), 0x50);
	vlapic_ack(a, 0x50);
	wr(a, 0xb0, 0);
	assert_false(bit_of(a->s.isr, 0x50));
	assert_true(bit_of(a->s.isr, 0x4f));
	wr(a, 0xb0, 0);
	assert_int_equal(vlapic_pending(a), 0x41);
	/* The lowest and the highest legal vectors. */
	a = one();
	fixed(a, 16, false);
	vlapic_pull(a);
	assert_int_equal(vlapic_pending(a), 16);
	fixed(a, 255, false);
	vlapic_pull(a);
	assert_int_equal(vlapic_pending(a), 255);
}

/* SDM3 11.8.3.1 */
static void test_ppr(void **state)
{
	static const struct {
		u8 tpr, isr, ppr;
	} rows[] = {
		{ 0, 0, 0 }, { 0x35, 0, 0x35 }, { 0x35, 0x29, 0x35 }, { 0x35, 0x3f, 0x35 },
		{ 0x35, 0x41, 0x40 }, { 0x0f, 0x10, 0x10 }, { 0xff, 0xfe, 0xff },
		{ 0x00, 0xfe, 0xf0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vlapic *a = one();

		if (rows[i].isr)
			a->s.isr[rows[i].isr / 32] = 1U << rows[i].isr % 32;
		wr(a, 0x80, rows[i].tpr);
		assert_int_equal(rd(a, 0xa0), rows[i].ppr);
	}
}

static void test_tpr_holds_back(void **state)
{
	struct vlapic *a = one();

	fixed(a, 0x5a, false);
	vlapic_pull(a);
	wr(a, 0x80, 0x4f);
	assert_int_equal(vlapic_pending(a), 0x5a);
	assert_int_equal(vlapic_masked_class(a), 0);
	wr(a, 0x80, 0x50);
	assert_int_equal(vlapic_pending(a), -1);
	assert_int_equal(vlapic_masked_class(a), 5);
	wr(a, 0x80, 0xff);
	assert_int_equal(vlapic_masked_class(a), 5);
	/* Held back by what is in service too: TPR alone would not help. */
	a->s.isr[2] = 1U << 0x10;
	assert_int_equal(vlapic_masked_class(a), 0);
	a->s.isr[2] = 0;
	a->s.isr[1] = 1U << 0x1f;
	assert_int_equal(vlapic_masked_class(a), 5);
	a->s.irr[2] = 0;
	assert_int_equal(vlapic_masked_class(a), 0);
}

static void test_cr8_is_tpr(void **state)
{
	struct vlapic *a = one();

	wr(a, 0x80, 0x7c);
	assert_int_equal(vlapic_cr8(a), 7);
	vlapic_set_cr8(a, 0xa);
	assert_int_equal(rd(a, 0x80), 0xa0);
	go_x2apic(a);
	assert_true(rdmsr_ok(a, 0x808) == 0xa0);
	vlapic_set_cr8(a, 0);
	assert_true(rdmsr_ok(a, 0x808) == 0);
}

static void test_eoi_of_a_level_goes_to_the_io_apic(void **state)
{
	struct vlapic *a = one();

	fixed(a, 0x60, true);
	fixed(a, 0x71, false);
	vlapic_pull(a);
	assert_int_equal(rd(a, 0x1b0), 1);
	vlapic_ack(a, 0x60);
	vlapic_ack(a, 0x71);
	wr(a, 0xb0, 0);
	assert_int_equal(box.n_eoi, 0);
	wr(a, 0xb0, 0xffffffff);
	assert_int_equal(box.n_eoi, 1);
	assert_int_equal(box.eoi[0], 0x60);
	/* Nothing in service: nothing happens. */
	wr(a, 0xb0, 0);
	assert_int_equal(box.n_eoi, 1);
	/* In x2APIC mode: zero only. */
	go_x2apic(a);
	fixed(a, 0x60, true);
	vlapic_pull(a);
	vlapic_ack(a, 0x60);
	assert_false(vlapic_msr_write(a, 0x80b, 1));
	assert_false(vlapic_msr_write(a, 0x80b, BIT(32)));
	assert_int_equal(box.n_eoi, 1);
	assert_true(vlapic_msr_write(a, 0x80b, 0));
	assert_int_equal(box.n_eoi, 2);
	/* An edge on the same vector later clears TMR. */
	fixed(a, 0x60, false);
	vlapic_pull(a);
	vlapic_ack(a, 0x60);
	assert_true(vlapic_msr_write(a, 0x80b, 0));
	assert_int_equal(box.n_eoi, 2);
}

static void test_extint_through_lint0(void **state)
{
	struct vlapic *a = one();

	assert_false(vlapic_extint(a));
	wr(a, 0x350, 0x700);
	assert_true(vlapic_extint(a));
	for (u32 mode = 0; mode < 7; mode++) {
		wr(a, 0x350, mode << 8 | 0x40);
		assert_false(vlapic_extint(a));
	}
	wr(a, 0x350, 0x10700);
	assert_false(vlapic_extint(a));
	wr(a, 0x350, 0x700);
	/* Software-disabled, the LVT is masked. */
	wr(a, 0xf0, 0xff);
	assert_false(vlapic_extint(a));
}

static void test_lint1_delivers_as_its_lvt_says(void **state)
{
	static const u32 signal[8] = {
		[APIC_SMI] = VLAPIC_SMI, [APIC_NMI] = VLAPIC_NMI, [APIC_INIT] = VLAPIC_INIT,
	};
	struct vlapic *a = one();

	vlapic_lint1(a);
	assert_false(vlapic_posted(a));
	for (u32 mode = 1; mode < 8; mode++) {
		wr(a, 0x360, mode << 8 | 0x41);
		vlapic_lint1(a);
		assert_int_equal(vlapic_posted(a), signal[mode] != 0);
		assert_int_equal(vlapic_pull(a), signal[mode]);
		assert_int_equal(vlapic_pending(a), -1);
	}
	/* Fixed is an edge even if it says level (SDM3 11.5.1). */
	a->s.tmr[2] = 2;
	wr(a, 0x360, 0x8041);
	vlapic_lint1(a);
	assert_int_equal(vlapic_pull(a), 0);
	assert_int_equal(vlapic_pending(a), 0x41);
	assert_int_equal(a->s.tmr[2], 0);
	/* Vector 15. */
	wr(a, 0x360, 0x0f);
	vlapic_lint1(a);
	assert_int_equal(a->s.irr[0], 0);
	assert_int_equal(read_esr(a), 0x40);
	wr(a, 0x360, 0x10400);
	vlapic_lint1(a);
	assert_false(vlapic_posted(a));
}

static void test_signals_wait_in_saved_state(void **state)
{
	struct vlapic *a = one(), copy;
	const struct apic_msg nmi = { .mode = APIC_NMI }, smi = { .mode = APIC_SMI },
			      init = { .mode = APIC_INIT },
			      sipi = { .mode = APIC_SIPI, .vector = 0x9a };

	fixed(a, 0x44, true);
	assert_true(vlapic_accept(a, &nmi));
	assert_true(vlapic_accept(a, &sipi));
	vlapic_save(a);
	assert_int_equal(a->s.signals, VLAPIC_NMI | VLAPIC_SIPI);
	assert_int_equal(a->s.sipi_vector, 0x9a);
	assert_int_equal(vlapic_state_check(&a->s), 0);
	vlapic_init(&copy, 0, true, &box.env);
	copy.s = a->s;
	assert_true(vlapic_posted(&copy));
	/* A second NMI, an SMI, and a SIPI that comes too late. */
	assert_true(vlapic_accept(&copy, &nmi));
	assert_true(vlapic_accept(&copy, &smi));
	assert_true(vlapic_accept(&copy, &(struct apic_msg){ .mode = APIC_SIPI, .vector = 1 }));
	assert_int_equal(vlapic_pull(&copy),
			 VLAPIC_NMI | VLAPIC_NMI2 | VLAPIC_SIPI | VLAPIC_SMI);
	assert_int_equal(copy.s.sipi_vector, 0x9a);
	assert_int_equal(vlapic_pending(&copy), 0x44);
	assert_int_equal(copy.s.tmr[2], 0x10);
	assert_false(vlapic_posted(&copy));
	/* INIT ends a saved SIPI. */
	assert_true(vlapic_accept(a, &init));
	assert_int_equal(vlapic_pull(a), VLAPIC_NMI | VLAPIC_INIT);
	assert_int_equal(vlapic_pull(a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_up_of_each_member),
		cmocka_unit_test(test_busy_until_nothing_is_requested),
		cmocka_unit_test(test_page_is_where_the_base_says),
		cmocka_unit_test(test_base_reserved_bits_fault),
		cmocka_unit_test(test_mode_transitions),
		cmocka_unit_test(test_entering_x2apic_keeps_most),
		cmocka_unit_test(test_disabled_is_not_there),
		cmocka_unit_test(test_late_posts_to_a_disabled_apic),
		cmocka_unit_test(test_init_keeps_ids_base_and_mode),
		cmocka_unit_test(test_pending_is_above_ppr),
		cmocka_unit_test(test_ppr),
		cmocka_unit_test(test_tpr_holds_back),
		cmocka_unit_test(test_cr8_is_tpr),
		cmocka_unit_test(test_eoi_of_a_level_goes_to_the_io_apic),
		cmocka_unit_test(test_extint_through_lint0),
		cmocka_unit_test(test_lint1_delivers_as_its_lvt_says),
		cmocka_unit_test(test_signals_wait_in_saved_state),
	};

	return cmocka_run_group_tests_name("vlapic", tests, NULL, NULL);
}
