// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/dev/bus.h"

/* A device of plain memory that writes down each access it gets. */
struct recorder {
	u8 mem[64];
	unsigned int calls;
	u64 off[16];
	u8 size[16];
	bool end;
};

static u64 rec_read(void *ctx, u64 off, u8 size)
{
	struct recorder *r = ctx;
	u64 val = 0;

	assert_true(off + size <= sizeof(r->mem) && r->calls < 16);
	r->off[r->calls] = off;
	r->size[r->calls++] = size;
	memcpy(&val, r->mem + off, size);
	/* The bus cuts the value: a device may leave rubbish above it. */
	return size < 8 ? val | ~0ULL << (8 * size) : val;
}

static enum bus_result rec_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct recorder *r = ctx;

	assert_true(off + size <= sizeof(r->mem) && r->calls < 16);
	r->off[r->calls] = off;
	r->size[r->calls++] = size;
	memcpy(r->mem + off, &val, size);
	return r->end ? BUS_DONE : BUS_OK;
}

static struct bus_range range(struct recorder *r, u64 first, u64 last, u8 width)
{
	return (struct bus_range){ .first = first, .last = last, .width = width,
				   .read = rec_read, .write = rec_write, .ctx = r };
}

static void test_unclaimed_reads_ones_and_ignores_writes(void **state)
{
	static struct bus b;
	u64 wide = 0;
	u32 val = 0;

	bus_init(&b);
	for (u8 size = 1; size <= 4; size *= 2) {
		val = 0;
		assert_int_equal(bus_io(&b, 0x80, size, true, &val), BUS_OK);
		assert_int_equal(val, size == 4 ? ~0U : (1U << (8 * size)) - 1);
		assert_int_equal(bus_io(&b, 0x80, size, false, &val), BUS_OK);
	}
	assert_int_equal(b.unclaimed, 2 * (1 + 2 + 4));
	assert_int_equal(bus_mmio(&b, 0xfee00000, 8, false, &wide), BUS_OK);
	assert_true(wide == ~0ULL);
	assert_int_equal(bus_mmio(&b, 0xfee00000, 2, false, &wide), BUS_OK);
	assert_true(wide == 0xffff);
	assert_false(bus_mmio_claimed(&b, 0xfee00000));
}

static void test_whole_access_reaches_the_device_once(void **state)
{
	static struct bus b;
	struct recorder r = { .mem = { 1, 2, 3, 4, 5, 6, 7, 8 } };
	struct bus_range rg = range(&r, 0x100, 0x13f, 4);
	u32 val = 0;

	bus_init(&b);
	assert_int_equal(bus_add_io(&b, &rg), 0);
	bus_io(&b, 0x101, 4, true, &val);
	assert_int_equal(val, 0x05040302);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.off[0], 1);
	assert_int_equal(r.size[0], 4);
	val = 0xaabbccdd;
	bus_io(&b, 0x104, 2, false, &val);
	assert_int_equal(r.size[1], 2);
	assert_int_equal(r.mem[4], 0xdd);
	assert_int_equal(r.mem[5], 0xcc);
	assert_int_equal(r.mem[6], 7);
	assert_int_equal(b.unclaimed, 0);
}

static void test_narrow_device_gets_bytes_low_first(void **state)
{
	static struct bus b;
	struct recorder r = { .mem = { 0x11, 0x22, 0x33, 0x44 } };
	struct bus_range rg = range(&r, 0xfed40000, 0xfed4003f, 1);
	u64 val = 0x8877665544332211;

	bus_init(&b);
	assert_int_equal(bus_add_mmio(&b, &rg), 0);
	assert_true(bus_mmio_claimed(&b, 0xfed40000));
	assert_true(bus_mmio_claimed(&b, 0xfed4003f));
	assert_false(bus_mmio_claimed(&b, 0xfed40040));
	bus_mmio(&b, 0xfed40008, 8, true, &val);
	assert_int_equal(r.calls, 8);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(r.off[i], 8 + i);
		assert_int_equal(r.size[i], 1);
		assert_int_equal(r.mem[8 + i], 0x11 * (i + 1));
	}
	bus_mmio(&b, 0xfed40000, 4, false, &val);
	assert_true(val == 0x44332211);
}

static void test_access_across_a_border_is_split(void **state)
{
	static struct bus b;
	struct recorder r = { .mem = { 0xa0, 0xa1, 0xa2, 0xa3 } };
	struct bus_range rg = range(&r, 0x102, 0x105, 4);
	u32 val = 0;

	bus_init(&b);
	assert_int_equal(bus_add_io(&b, &rg), 0);
	/* Two bytes nobody has, then two of the device. */
	bus_io(&b, 0x100, 4, true, &val);
	assert_int_equal(val, 0xa1a0ffff);
	assert_int_equal(b.unclaimed, 2);
	/* The device's last byte, then nobody. */
	bus_io(&b, 0x105, 2, true, &val);
	assert_int_equal(val, 0xffa3);
	assert_int_equal(b.unclaimed, 3);
}

static void test_ports_wrap_at_64k(void **state)
{
	static struct bus b;
	struct recorder r = { .mem = { 0x5a } };
	struct bus_range low = range(&r, 0, 0, 1), high = range(&r, 0xffff, 0xffff, 1);
	u32 val = 0;

	bus_init(&b);
	assert_int_equal(bus_add_io(&b, &low), 0);
	assert_int_equal(bus_add_io(&b, &high), 0);
	bus_io(&b, 0xffff, 2, true, &val);
	assert_int_equal(val, 0x5a5a);
	assert_int_equal(b.unclaimed, 0);
}

static void test_device_may_end_the_guest(void **state)
{
	static struct bus b;
	struct recorder r = { .end = true };
	struct bus_range rg = range(&r, 0xf4, 0xf7, 1);
	u32 val = 7;

	bus_init(&b);
	assert_int_equal(bus_add_io(&b, &rg), 0);
	assert_int_equal(bus_io(&b, 0xf4, 4, false, &val), BUS_DONE);
	/* Its rest is not carried out. */
	assert_int_equal(r.calls, 1);
}

static void test_missing_callbacks(void **state)
{
	static struct bus b;
	struct bus_range rg = { .first = 0x10, .last = 0x13, .width = 4 };
	u32 val = 0;

	bus_init(&b);
	assert_int_equal(bus_add_io(&b, &rg), 0);
	assert_int_equal(bus_io(&b, 0x10, 4, false, &val), BUS_OK);
	assert_int_equal(bus_io(&b, 0x10, 4, true, &val), BUS_OK);
	assert_int_equal(val, ~0U);
	assert_int_equal(b.unclaimed, 0);
}

static void test_bad_ranges_are_refused(void **state)
{
	static struct bus b;
	struct recorder r = { 0 };
	struct bus_range rg = range(&r, 0x20, 0x1f, 1);

	bus_init(&b);
	assert_int_equal(bus_add_io(&b, &rg), -EINVAL);
	rg = range(&r, 0x20, 0x10000, 1);
	assert_int_equal(bus_add_io(&b, &rg), -EINVAL);
	for (u8 width = 0; width < 20; width++) {
		bool good = width == 1 || width == 2 || width == 4 || width == 8;

		rg = range(&r, 0x1000 + width * 8u, 0x1007 + width * 8u, width);
		assert_int_equal(bus_add_mmio(&b, &rg), good ? 0 : -EINVAL);
	}
	rg = range(&r, 0x20, 0x2f, 1);
	assert_int_equal(bus_add_io(&b, &rg), 0);
	rg = range(&r, 0x2f, 0x30, 1);
	assert_int_equal(bus_add_io(&b, &rg), -EEXIST);
	rg = range(&r, 0x10, 0x20, 1);
	assert_int_equal(bus_add_io(&b, &rg), -EEXIST);
	rg = range(&r, 0x10, 0x1f, 1);
	assert_int_equal(bus_add_io(&b, &rg), 0);
	for (unsigned int i = 2; i < BUS_MAX_IO; i++) {
		rg = range(&r, 0x100 * i, 0x100 * i, 1);
		assert_int_equal(bus_add_io(&b, &rg), 0);
	}
	rg = range(&r, 0xf000, 0xf000, 1);
	assert_int_equal(bus_add_io(&b, &rg), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unclaimed_reads_ones_and_ignores_writes),
		cmocka_unit_test(test_whole_access_reaches_the_device_once),
		cmocka_unit_test(test_narrow_device_gets_bytes_low_first),
		cmocka_unit_test(test_access_across_a_border_is_split),
		cmocka_unit_test(test_ports_wrap_at_64k),
		cmocka_unit_test(test_device_may_end_the_guest),
		cmocka_unit_test(test_missing_callbacks),
		cmocka_unit_test(test_bad_ranges_are_refused),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
