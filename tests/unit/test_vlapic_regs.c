// SPDX-License-Identifier: MIT
#include "tests/unit/vlapic_box.h"

static struct apic_box box;

#define ID	5

static struct vlapic *fresh(bool x2)
{
	box_init(&box, ID + 1);
	if (x2)
		go_x2apic(&box.apic[ID]);
	return &box.apic[ID];
}

static struct vlapic *enabled(bool x2)
{
	struct vlapic *a = fresh(x2);

	if (x2)
		wrmsr_ok(a, 0x80f, 0x1ff);
	else
		wr(a, 0xf0, 0x1ff);
	return a;
}

enum { NONE, RO, WO, RW };

/*
 * SDM3 tables 11-1 and 11-6, 11.4.7.1: each register that is not reserved, in
 * both modes, its value after power-up, and the bits that software changes.
 */
static const struct row {
	u16 off;
	u8 xapic, x2apic;
	u32 reset, x2_reset, bits, ones;
} rows[] = {
	{ 0x020, RW, RO, 0x05000000, 5, 0xff000000, 0 },
	{ 0x030, RO, RO, 0x00050014, 0x00050014, 0, 0 },
	{ 0x080, RW, RW, 0, 0, 0xff, 0 },
	{ 0x090, RO, NONE, 0, 0, 0, 0 },
	{ 0x0a0, RO, RO, 0, 0, 0, 0 },
	{ 0x0b0, WO, WO, 0, 0, 0, 0 },
	{ 0x0c0, RO, NONE, 0, 0, 0, 0 },
	{ 0x0d0, RW, RO, 0, 0x20, 0xff000000, 0 },
	{ 0x0e0, RW, NONE, 0xffffffff, 0, 0xf0000000, 0x0fffffff },
	{ 0x0f0, RW, RW, 0xff, 0xff, 0x3ff, 0 },
	{ 0x100, RO, RO, 0, 0, 0, 0 }, { 0x110, RO, RO, 0, 0, 0, 0 },
	{ 0x120, RO, RO, 0, 0, 0, 0 }, { 0x130, RO, RO, 0, 0, 0, 0 },
	{ 0x140, RO, RO, 0, 0, 0, 0 }, { 0x150, RO, RO, 0, 0, 0, 0 },
	{ 0x160, RO, RO, 0, 0, 0, 0 }, { 0x170, RO, RO, 0, 0, 0, 0 },
	{ 0x180, RO, RO, 0, 0, 0, 0 }, { 0x190, RO, RO, 0, 0, 0, 0 },
	{ 0x1a0, RO, RO, 0, 0, 0, 0 }, { 0x1b0, RO, RO, 0, 0, 0, 0 },
	{ 0x1c0, RO, RO, 0, 0, 0, 0 }, { 0x1d0, RO, RO, 0, 0, 0, 0 },
	{ 0x1e0, RO, RO, 0, 0, 0, 0 }, { 0x1f0, RO, RO, 0, 0, 0, 0 },
	{ 0x200, RO, RO, 0, 0, 0, 0 }, { 0x210, RO, RO, 0, 0, 0, 0 },
	{ 0x220, RO, RO, 0, 0, 0, 0 }, { 0x230, RO, RO, 0, 0, 0, 0 },
	{ 0x240, RO, RO, 0, 0, 0, 0 }, { 0x250, RO, RO, 0, 0, 0, 0 },
	{ 0x260, RO, RO, 0, 0, 0, 0 }, { 0x270, RO, RO, 0, 0, 0, 0 },
	{ 0x280, RW, RW, 0, 0, 0, 0 },
	{ 0x300, RW, RW, 0, 0, 0x000ccfff, 0 },
	{ 0x310, RW, NONE, 0, 0, 0xff000000, 0 },
	{ 0x320, RW, RW, 0x10000, 0x10000, 0x000700ff, 0 },
	{ 0x330, RW, RW, 0x10000, 0x10000, 0x000107ff, 0 },
	{ 0x340, RW, RW, 0x10000, 0x10000, 0x000107ff, 0 },
	{ 0x350, RW, RW, 0x10000, 0x10000, 0x0001a7ff, 0 },
	{ 0x360, RW, RW, 0x10000, 0x10000, 0x0001a7ff, 0 },
	{ 0x370, RW, RW, 0x10000, 0x10000, 0x000100ff, 0 },
	{ 0x380, RW, RW, 0, 0, 0xffffffff, 0 },
	{ 0x390, RO, RO, 0, 0, 0, 0 },
	{ 0x3e0, RW, RW, 0, 0, 0x0000000b, 0 },
	{ 0x3f0, NONE, WO, 0, 0, 0xff, 0 },
};

static const struct row *row_at(u32 off)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].off == off)
			return &rows[i];
	return NULL;
}

static void test_each_register_of_the_page(void **state)
{
	for (u32 off = 0; off < 0x1000; off += 0x10) {
		const struct row *r = row_at(off);
		bool reserved = !r || r->xapic == NONE;
		struct vlapic *a = fresh(false);

		assert_int_equal(rd(a, off), reserved ? 0 : r->reset);
		assert_int_equal(a->s.esr_pending, reserved ? 0x80 : 0);
		assert_int_equal(read_esr(a), reserved ? 0x80 : 0);
		assert_int_equal(read_esr(a), 0);
		wr(a, off, 0x5);
		assert_int_equal(a->s.esr_pending & 0x80, reserved ? 0x80 : 0);
	}
}

/* Each bit alone, then all, at an APIC that is software-enabled. */
static void test_writable_bits_of_the_page(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		u32 base;
		struct vlapic *a;

		if (r->xapic == NONE)
			continue;
		for (u32 bit = 0; bit <= 32; bit++) {
			u32 val = bit == 32 ? ~0U : 1U << bit;

			a = enabled(false);
			base = rd(a, r->off);
			wr(a, r->off, val);
			if (r->xapic == RW && r->bits)
				assert_int_equal(rd(a, r->off), (val & r->bits) | r->ones);
			else
				assert_int_equal(rd(a, r->off), base);
			assert_int_equal(a->s.esr_pending & 0x80, 0);
		}
	}
}

static void test_each_x2apic_msr(void **state)
{
	for (u32 msr = 0x800; msr < 0xc00; msr++) {
		const struct row *r = row_at((msr - 0x800) * 16);
		u8 access = r ? r->x2apic : NONE;
		u64 val = 0;
		struct vlapic *a = fresh(true);

		assert_int_equal(vlapic_msr_read(a, msr, &val), access == RO || access == RW);
		if (access == RO || access == RW)
			assert_true(val == r->x2_reset);
		assert_int_equal(vlapic_msr_write(a, msr, 0), access == RW || access == WO);
		/* Not there in the other modes. */
		a = fresh(false);
		assert_false(vlapic_msr_read(a, msr, &val));
		assert_false(vlapic_msr_write(a, msr, 0));
		assert_true(set_mode(a, 0));
		assert_false(vlapic_msr_read(a, msr, &val));
		assert_false(vlapic_msr_write(a, msr, 0));
	}
}

/* SDM3 11.12.1.3 */
static void test_reserved_bits_of_x2apic_msrs(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		u32 msr = 0x800 + r->off / 16, soft = 0;

		if (r->x2apic != RW && r->x2apic != WO)
			continue;
		/* Delivery status, Remote IRR: read-only, not reserved. */
		if (r->off >= 0x320 && r->off <= 0x370)
			soft = r->off == 0x350 || r->off == 0x360 ? 0x5000 : 0x1000;
		for (u32 bit = 0; bit < 64; bit++) {
			struct vlapic *a = enabled(true);
			u64 val = BIT(bit);
			bool ok = bit < 32 ? (r->bits | soft) >> bit & 1 : msr == 0x830;

			assert_int_equal(vlapic_msr_write(a, msr, val), ok);
			if (r->x2apic != RW || !r->bits)
				continue;
			if (!ok)
				assert_true(rdmsr_ok(a, msr) ==
					    (msr == 0x80f ? 0x1ff : r->x2_reset));
			else
				assert_true(rdmsr_ok(a, msr) == (val & ~(u64)soft));
		}
	}
}

static void test_other_msrs(void **state)
{
	struct vlapic *a = fresh(false);
	u64 val = 0;

	assert_true(vlapic_msr_read(a, 0x1b, &val));
	assert_true(val == 0xfee00800);
	assert_false(vlapic_msr_write(a, 0x1b, val));
	assert_false(vlapic_msr_read(a, 0x7ff, &val));
	assert_false(vlapic_msr_read(a, 0x10, &val));
	assert_false(vlapic_msr_write(a, 0x6e1, 0));
}

static void test_sizes_and_alignment(void **state)
{
	struct vlapic *a = enabled(false);

	wr(a, 0x380, 0x44332211);
	for (u32 i = 0; i < 4; i++)
		assert_true(vlapic_mmio_read(a, 0x380 + i, 1) == 0x11 * (i + 1));
	assert_true(vlapic_mmio_read(a, 0x381, 2) == 0x3322);
	assert_true(vlapic_mmio_read(a, 0x382, 4) == 0x4433);
	assert_true(vlapic_mmio_read(a, 0x380, 8) == 0x44332211);
	assert_true(vlapic_mmio_read(a, 0x383, 8) == 0x44);
	for (u32 at = 4; at < 16; at++)
		assert_true(vlapic_mmio_read(a, 0x380 + at, 4) == 0);
	assert_true(vlapic_mmio_read(a, 0x30, 2) == 0x0014);
	assert_true(vlapic_mmio_read(a, 0xfff, 8) == 0);
	assert_int_equal(read_esr(a), 0x80);
	/* Writes that are not defined do nothing. */
	vlapic_mmio_write(a, 0x80, 1, 0x20);
	vlapic_mmio_write(a, 0x80, 2, 0x20);
	vlapic_mmio_write(a, 0x80, 8, 0x20);
	for (u32 at = 1; at < 16; at++)
		vlapic_mmio_write(a, 0x80 + at, 4, 0x20202020);
	vlapic_mmio_write(a, 0xfff, 4, 0x20);
	assert_int_equal(rd(a, 0x80), 0);
	assert_int_equal(a->s.esr_pending, 0);
	vlapic_mmio_write(a, 0x80, 4, 0xffffffff00000020);
	assert_int_equal(rd(a, 0x80), 0x20);
}

static void test_vectors_by_register(void **state)
{
	for (u32 x2 = 0; x2 < 2; x2++) {
		struct vlapic *a = enabled(x2);

		for (u32 v = 16; v < 256; v += 31)
			fixed(a, (u8)v, v & 1);
		/* Without vlapic_pull: what was posted shows. */
		for (u32 i = 0; i < 8; i++) {
			u32 irr = 0, tmr = 0;

			for (u32 v = 16; v < 256; v += 31) {
				irr |= v / 32 == i ? 1U << v % 32 : 0;
				tmr |= v / 32 == i && v & 1 ? 1U << v % 32 : 0;
			}
			if (x2) {
				assert_true(rdmsr_ok(a, 0x818 + i) == tmr);
				assert_true(rdmsr_ok(a, 0x820 + i) == irr);
			} else {
				assert_int_equal(rd(a, 0x200 + 16 * i), irr);
				assert_int_equal(rd(a, 0x180 + 16 * i), tmr);
			}
		}
		vlapic_ack(a, 233);
		assert_int_equal(x2 ? rdmsr_ok(a, 0x817) : rd(a, 0x170), 1U << 9);
		assert_int_equal(x2 ? rdmsr_ok(a, 0x827) : rd(a, 0x270), 0);
		assert_int_equal(x2 ? rdmsr_ok(a, 0x80a) : rd(a, 0xa0), 0xe0);
	}
}

/* SDM3 11.4.7.2 */
static void test_software_disable(void **state)
{
	struct vlapic *a = fresh(false);

	for (u32 off = 0x320; off <= 0x370; off += 0x10) {
		wr(a, off, 0x41);
		assert_int_equal(rd(a, off), 0x10041);
	}
	wr(a, 0xf0, 0x1ff);
	for (u32 off = 0x320; off <= 0x370; off += 0x10) {
		assert_int_equal(rd(a, off), 0x10041);
		wr(a, off, 0x41);
		assert_int_equal(rd(a, off), 0x41);
	}
	fixed(a, 0x55, false);
	vlapic_pull(a);
	wr(a, 0xf0, 0xff);
	for (u32 off = 0x320; off <= 0x370; off += 0x10)
		assert_int_equal(rd(a, off), 0x10041);
	/* What was accepted is held and still the CPU's to handle. */
	assert_int_equal(vlapic_pending(a), 0x55);
	assert_false(vlapic_accept(a, &(struct apic_msg){ .vector = 0x56 }));
	/* It can send. */
	wr(a, 0x300, 0x000c0056);
	assert_int_equal(box.n_sent, 1);
}

static void test_esr_latches(void **state)
{
	struct vlapic *a = enabled(false);

	wr(a, 0x370, 0xe1);
	rd(a, 0x40);
	assert_int_equal(rd(a, 0x280), 0);
	assert_int_equal(vlapic_pending(a), 0xe1);
	vlapic_ack(a, 0xe1);
	wr(a, 0xb0, 0);
	/* One interrupt until ESR is written (SDM3 11.5.3). */
	fixed(a, 3, false);
	vlapic_pull(a);
	assert_int_equal(vlapic_pending(a), -1);
	wr(a, 0x280, 0xffffffff);
	assert_int_equal(rd(a, 0x280), 0xc0);
	assert_int_equal(rd(a, 0x280), 0xc0);
	fixed(a, 3, false);
	vlapic_pull(a);
	assert_int_equal(vlapic_pending(a), 0xe1);
	assert_int_equal(rd(a, 0x280), 0xc0);
	wr(a, 0x280, 0);
	assert_int_equal(rd(a, 0x280), 0x40);
	wr(a, 0x280, 0);
	assert_int_equal(rd(a, 0x280), 0);
	/* Masked: logged, no interrupt.  An illegal vector of its own: no loop. */
	a = enabled(false);
	rd(a, 0x40);
	assert_int_equal(vlapic_pending(a), -1);
	assert_int_equal(read_esr(a), 0x80);
	wr(a, 0x370, 0x05);
	rd(a, 0x40);
	assert_int_equal(read_esr(a), 0xc0);
	assert_int_equal(a->s.irr[0], 0);
}

static void test_icr_fields_reach_the_message(void **state)
{
	struct vlapic *a = enabled(false);

	wr(a, 0x310, 0xab000000);
	assert_int_equal(box.n_sent, 0);
	for (u32 low = 0; low < 0x1000; low += 0x41) {
		u32 mode = low >> 8 & 7, shorthand = low >> 4 & 3, before = box.n_sent;
		u32 val = (low & 0xfff) | shorthand << 18 | 0x4000;

		wr(a, 0x300, val | 0xfff31000);
		assert_int_equal(rd(a, 0x300), val);
		if (mode == APIC_MODE_3 || mode == APIC_EXTINT) {
			assert_int_equal(box.n_sent, before);
			continue;
		}
		assert_int_equal(box.n_sent, before + 1);
		assert_int_equal(box.sent.dest, 0xab);
		assert_int_equal(box.sent.vector, low & 0xff);
		assert_int_equal(box.sent.mode, mode);
		assert_int_equal(box.sent.logical, low >> 11 & 1);
		assert_int_equal(box.sent.shorthand, shorthand);
		assert_false(box.sent.wide || box.sent.level || box.sent.deassert);
	}
	assert_int_equal(rd(a, 0x310), 0xab000000);
}

static void test_icr_of_x2apic(void **state)
{
	struct vlapic *a = enabled(true);

	wrmsr_ok(a, 0x830, 0x12345678000c4cf1);
	assert_true(rdmsr_ok(a, 0x830) == 0x12345678000c4cf1);
	assert_int_equal(box.n_sent, 1);
	assert_int_equal(box.sent.dest, 0x12345678);
	assert_int_equal(box.sent.vector, 0xf1);
	assert_int_equal(box.sent.mode, APIC_NMI);
	assert_int_equal(box.sent.shorthand, 3);
	assert_true(box.sent.logical && box.sent.wide && !box.sent.level);
	/* To itself by its id, and to everybody. */
	wrmsr_ok(a, 0x830, (u64)ID << 32 | 0x51);
	assert_int_equal(box.look, BIT(ID));
	vlapic_pull(a);
	assert_int_equal(vlapic_pending(a), 0x51);
	wrmsr_ok(a, 0x830, 0xffffffff00000500);
	assert_int_equal(box.look, BIT(ID + 1) - 1);
}

/* SDM3 table 11-3: trigger and level mean something for INIT only. */
static void test_trigger_mode_of_ipis(void **state)
{
	struct vlapic *a = enabled(false);

	wr(a, 0x310, ID << 24);
	wr(a, 0x300, 0x0c061);
	assert_false(box.sent.level || box.sent.deassert);
	wr(a, 0x300, 0x08062);
	assert_false(box.sent.level || box.sent.deassert);
	vlapic_pull(a);
	assert_int_equal(a->s.irr[3], 6);
	assert_int_equal(a->s.tmr[3], 0);
	wr(a, 0x300, 0x0c500);
	assert_false(box.sent.deassert);
	assert_int_equal(box.look, BIT(ID));
	wr(a, 0x300, 0x00500);
	assert_false(box.sent.deassert);
	wr(a, 0x300, 0x08500);
	assert_true(box.sent.deassert);
	assert_int_equal(box.look, 0);
}

static void test_illegal_vectors_sent(void **state)
{
	for (u32 v = 0; v < 18; v++) {
		struct vlapic *a = enabled(false);
		u32 want = v < 16 ? 0x20 : 0;

		wr(&box.apic[0], 0xf0, 0x1ff);
		wr(a, 0x310, 0);
		wr(a, 0x300, v);
		assert_int_equal(read_esr(a), want);
		assert_int_equal(read_esr(&box.apic[0]), v < 16 ? 0x40 : 0);
		wr(a, 0x300, 0x100 | v);
		assert_int_equal(read_esr(a), want);
		assert_int_equal(read_esr(&box.apic[0]), v < 16 ? 0x40 : 0);
		/* To itself: both. */
		wr(a, 0x300, 0x40000 | v);
		assert_int_equal(read_esr(a), v < 16 ? 0x60 : 0);
		/* Other modes do not look at the vector. */
		for (u32 mode = 2; mode < 7; mode++)
			wr(a, 0x300, mode << 8 | v);
		assert_int_equal(read_esr(a), 0);
		a = enabled(true);
		wrmsr_ok(a, 0x83f, v);
		wrmsr_ok(a, 0x828, 0);
		assert_true(rdmsr_ok(a, 0x828) == (v < 16 ? 0x60 : 0));
		assert_int_equal(a->s.irr[0], v < 16 ? 0 : 1U << v);
	}
}

static void test_self_ipi(void **state)
{
	struct vlapic *a = enabled(true);

	wrmsr_ok(a, 0x830, 0x4000);
	wrmsr_ok(a, 0x83f, 0xc7);
	assert_int_equal(box.look, BIT(ID));
	assert_int_equal(vlapic_pull(a), 0);
	assert_int_equal(vlapic_pending(a), 0xc7);
	assert_false(bit_of(a->s.tmr, 0xc7));
	assert_true(rdmsr_ok(a, 0x830) == 0x4000);
	assert_false(vlapic_msr_write(a, 0x83f, 0x1c7));
}

/* SDM3 11.12.5.1: the id that software wrote is what other APICs see. */
static void test_written_id_is_the_destination(void **state)
{
	struct vlapic *a = enabled(false);
	struct apic_msg m = { .dest = 0x77 };

	wr(a, 0x20, 0x77123456);
	assert_int_equal(rd(a, 0x20), 0x77000000);
	assert_true(vlapic_match(a, &m));
	m.dest = ID;
	assert_false(vlapic_match(a, &m));
	go_x2apic(a);
	assert_true(vlapic_match(a, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_register_of_the_page),
		cmocka_unit_test(test_writable_bits_of_the_page),
		cmocka_unit_test(test_each_x2apic_msr),
		cmocka_unit_test(test_reserved_bits_of_x2apic_msrs),
		cmocka_unit_test(test_other_msrs),
		cmocka_unit_test(test_sizes_and_alignment),
		cmocka_unit_test(test_vectors_by_register),
		cmocka_unit_test(test_software_disable),
		cmocka_unit_test(test_esr_latches),
		cmocka_unit_test(test_icr_fields_reach_the_message),
		cmocka_unit_test(test_icr_of_x2apic),
		cmocka_unit_test(test_trigger_mode_of_ipis),
		cmocka_unit_test(test_illegal_vectors_sent),
		cmocka_unit_test(test_self_ipi),
		cmocka_unit_test(test_written_id_is_the_destination),
	};

	return cmocka_run_group_tests_name("vlapic_regs", tests, NULL, NULL);
}
