// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/dev/vtest.h"

struct fixture {
	struct bus bus;
	struct vtest vt;
	char out[64];
	unsigned int n;
};

static void keep(void *ctx, u8 c)
{
	struct fixture *f = ctx;

	assert_true(f->n < sizeof(f->out));
	f->out[f->n++] = (char)c;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	bus_init(&f->bus);
	*state = f;
	return vtest_init(&f->vt, &f->bus, keep, f);
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static u32 in(struct fixture *f, u16 port, u8 size)
{
	u32 val = 0xdeadbeef;

	assert_int_equal(bus_io(&f->bus, port, size, true, &val), BUS_OK);
	return val;
}

static enum bus_result out(struct fixture *f, u16 port, u8 size, u32 val)
{
	return bus_io(&f->bus, port, size, false, &val);
}

static u64 load(struct fixture *f, u64 off, u8 size)
{
	u64 val = 0;

	assert_int_equal(bus_mmio(&f->bus, VTEST_MMIO_GPA + off, size, false, &val),
			 BUS_OK);
	return val;
}

static void store(struct fixture *f, u64 off, u8 size, u64 val)
{
	assert_int_equal(bus_mmio(&f->bus, VTEST_MMIO_GPA + off, size, true, &val),
			 BUS_OK);
}

static void test_exit_port_ends_with_the_value(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(out(f, VTEST_PORT_EXIT, 1, 0x1ff), BUS_DONE);
	assert_int_equal(f->bus.result, 0xff);
	assert_int_equal(out(f, VTEST_PORT_EXIT, 4, 0x12345678), BUS_DONE);
	assert_int_equal(f->bus.result, 0x12345678);
	assert_int_equal(in(f, VTEST_PORT_EXIT, 1), 0xff);
}

static void test_debug_port_prints(void **state)
{
	struct fixture *f = *state;

	out(f, VTEST_PORT_DEBUG, 1, 'h');
	out(f, VTEST_PORT_DEBUG, 1, 'i');
	assert_int_equal(f->n, 2);
	assert_memory_equal(f->out, "hi", 2);
	assert_int_equal(in(f, VTEST_PORT_DEBUG, 1), 0xe9);
}

static void test_uart_sends_and_is_always_ready(void **state)
{
	struct fixture *f = *state;

	/* A driver's set-up: divisor writes are no output. */
	out(f, 0x3fb, 1, 0x80);
	out(f, 0x3f8, 1, 1);
	out(f, 0x3f9, 1, 0);
	out(f, 0x3fb, 1, 0x03);
	assert_int_equal(f->n, 0);
	assert_int_equal(in(f, 0x3fb, 1), 0x03);
	assert_int_equal(in(f, 0x3fd, 1), 0x60);
	out(f, 0x3f8, 1, 'x');
	assert_int_equal(f->n, 1);
	assert_int_equal(f->out[0], 'x');
	/* IER keeps what was written with DLAB clear only. */
	out(f, 0x3f9, 1, 0x05);
	out(f, 0x3fb, 1, 0x83);
	out(f, 0x3f9, 1, 0x77);
	out(f, 0x3fb, 1, 0x03);
	assert_int_equal(in(f, 0x3f9, 1), 0x05);
	out(f, 0x3ff, 1, 0xa5);
	assert_int_equal(in(f, 0x3ff, 1), 0xa5);
	assert_int_equal(in(f, 0x3fa, 1) & 1, 1);
	assert_int_equal(in(f, 0x3f8, 1), 0);
}

static void test_port_scratch_is_memory(void **state)
{
	struct fixture *f = *state;

	out(f, VTEST_PORT_SCRATCH, 4, 0x44332211);
	assert_int_equal(in(f, VTEST_PORT_SCRATCH + 1, 1), 0x22);
	assert_int_equal(in(f, VTEST_PORT_SCRATCH + 2, 2), 0x4433);
	out(f, VTEST_PORT_SCRATCH + 1, 2, 0xbbaa);
	assert_int_equal(in(f, VTEST_PORT_SCRATCH, 4), 0x44bbaa11);
	/* Its last byte and the port behind it. */
	out(f, VTEST_PORT_SCRATCH + 15, 1, 0x5a);
	assert_int_equal(in(f, VTEST_PORT_SCRATCH + 15, 2), 0xff5a);
}

static void test_mmio_scratch_counts_accesses(void **state)
{
	struct fixture *f = *state;

	assert_true(load(f, VTEST_MMIO_ID, 4) == VTEST_ID);
	store(f, VTEST_MMIO_SCRATCH + 8, 8, 0x1122334455667788);
	assert_true(load(f, VTEST_MMIO_LAST_OFF, 8) == VTEST_MMIO_SCRATCH + 8);
	assert_true(load(f, VTEST_MMIO_LAST_SIZE, 4) == 0x108);
	assert_true(load(f, VTEST_MMIO_LAST_VAL, 8) == 0x1122334455667788);
	assert_true(load(f, VTEST_MMIO_LAST_VAL + 4, 4) == 0x11223344);
	assert_true(load(f, VTEST_MMIO_SCRATCH + 9, 2) == 0x6677);
	assert_true(load(f, VTEST_MMIO_LAST_SIZE, 8) == 2);
	assert_true(load(f, VTEST_MMIO_READS, 8) == 1);
	assert_true(load(f, VTEST_MMIO_WRITES, 8) == 1);
	store(f, VTEST_MMIO_READS, 4, 0);
	assert_true(load(f, VTEST_MMIO_READS, 8) == 0);
	assert_true(load(f, VTEST_MMIO_WRITES, 8) == 0);
	assert_true(load(f, VTEST_MMIO_LAST_VAL, 8) == 0);
}

static void test_mmio_edges(void **state)
{
	struct fixture *f = *state;
	u64 end = VTEST_MMIO_SCRATCH + VTEST_SCRATCH_SIZE;

	store(f, 0xffe, 4, 0xddccbbaa);
	assert_true(load(f, 0xfff, 1) == 0xbb);
	assert_true(load(f, 0x1000, 1) == 0xcc);
	store(f, end - 4, 8, ~0ULL / 3);
	assert_true(load(f, end - 4, 8) == 0xffffffff55555555);
	assert_true(load(f, 0x200, 4) == 0xffffffff);
	assert_true(load(f, 0x80, 4) == 0);
	assert_true(load(f, VTEST_MMIO_SIZE, 4) == 0xffffffff);
}

static void test_without_sink_and_twice(void **state)
{
	struct fixture *f = *state;
	static struct bus bus;
	static struct vtest vt;
	u32 val = 'x';

	bus_init(&bus);
	assert_int_equal(vtest_init(&vt, &bus, NULL, NULL), 0);
	assert_int_equal(bus_io(&bus, 0xe9, 1, false, &val), BUS_OK);
	assert_int_equal(vtest_init(&f->vt, &f->bus, keep, f), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_exit_port_ends_with_the_value),
		T(test_debug_port_prints),
		T(test_uart_sends_and_is_always_ready),
		T(test_port_scratch_is_memory),
		T(test_mmio_scratch_counts_accesses),
		T(test_mmio_edges),
		T(test_without_sink_and_twice),
	};

	return cmocka_run_group_tests_name("vtest", tests, NULL, NULL);
}
