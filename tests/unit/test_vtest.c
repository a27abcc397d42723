// SPDX-License-Identifier: MIT
#include "tests/unit/io_box.h"

#include "core/dev/vtest.h"

struct fixture {
	struct bus bus;
	struct vtest vt;
	char out[64];
	unsigned int n;
	bool gsi[24];
	unsigned int gsi_calls;
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

static void test_pc_testdev_ports(void **state)
{
	struct fixture *f = *state;

	out(f, 0xe0, 4, 0x12345678);
	assert_int_equal(in(f, 0xe0, 4), 0x12345678);
	assert_int_equal(in(f, 0xe0, 2), 0x5678);
	assert_int_equal(in(f, 0xe3, 1), 0x12);
	out(f, 0xe1, 1, 0xab);
	out(f, 0xe2, 2, 0xcdef);
	assert_int_equal(in(f, 0xe0, 4), 0xcdefab78);
	/* Flush page takes and gives nothing, and is not the port behind it. */
	out(f, 0xe4, 4, 0xffffffff);
	assert_int_equal(in(f, 0xe0, 4), 0xcdefab78);
	assert_int_equal(in(f, 0xe4, 4), 0xffffffff);
	assert_int_equal(f->n, 0);
}

static void keep_gsi(void *ctx, u8 gsi, bool level)
{
	struct fixture *f = ctx;

	f->gsi[gsi] = level;
	f->gsi_calls++;
}

static void test_pc_testdev_lines(void **state)
{
	struct fixture *f = *state;

	/* Nobody listens. */
	out(f, 0x2000, 1, 1);
	assert_int_equal(f->vt.s.lines, 1);
	f->vt.set_gsi = keep_gsi;
	f->vt.gsi_ctx = f;
	for (u16 i = 0; i < 24; i++) {
		out(f, 0x2000 + i, 1, 0x80);
		assert_true(f->gsi[i]);
		out(f, 0x2000 + i, 1, 0);
		assert_false(f->gsi[i]);
	}
	assert_int_equal(f->gsi_calls, 48);
	assert_int_equal(f->vt.s.lines, 0);
	out(f, 0x2018, 1, 1);
	assert_int_equal(f->gsi_calls, 48);
	/* A word is two lines. */
	out(f, 0x2016, 2, 0x0100);
	assert_true(!f->gsi[22] && f->gsi[23]);
	assert_int_equal(f->vt.s.lines, 1 << 23);
	assert_int_equal(in(f, 0x2000, 1), 0xff);
}

static void test_pc_testdev_memory(void **state)
{
	struct fixture *f = *state;
	u64 val = 0x1122334455667788, got;

	assert_int_equal(bus_mmio(&f->bus, 0xff000000, 8, true, &val), BUS_OK);
	assert_int_equal(bus_mmio(&f->bus, 0xff000003, 4, false, &got), BUS_OK);
	assert_true(got == 0x22334455);
	assert_int_equal(bus_mmio(&f->bus, 0xff00fffc, 8, true, &val), BUS_OK);
	assert_int_equal(bus_mmio(&f->bus, 0xff00fffc, 8, false, &got), BUS_OK);
	assert_true(got == 0xffffffff55667788);
	/* It is not the memory whose accesses are counted. */
	assert_true(load(f, VTEST_MMIO_WRITES, 8) == 0);
}

#define REFUSED(member, val) assert_refused(vtest_state_check, s, member, val)

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	struct vtest_state *s = &f->vt.s;
	u64 end = VTEST_MMIO_SCRATCH + VTEST_SCRATCH_SIZE;

	assert_int_equal(vtest_state_check(s), 0);
	REFUSED(lines, 1 << 24);
	REFUSED(reads, 1);
	REFUSED(writes, 1);
	REFUSED(last_off, VTEST_MMIO_SCRATCH);
	REFUSED(last_val, 1);
	store(f, end - 2, 2, 0xffff);
	REFUSED(last_size, 0);
	REFUSED(last_size, 3);
	REFUSED(last_size, 4);
	REFUSED(last_size, 0x101);
	REFUSED(last_size, 0x202);
	REFUSED(last_off, end - 1);
	REFUSED(last_off, VTEST_MMIO_SCRATCH - 1);
	REFUSED(last_off, ~0ULL);
	REFUSED(last_val, 0x10000);
	load(f, VTEST_MMIO_SCRATCH, 8);
	assert_int_equal(vtest_state_check(s), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_exit_port_ends_with_the_value),
		T(test_debug_port_prints),
		T(test_pc_testdev_ports),
		T(test_pc_testdev_lines),
		T(test_pc_testdev_memory),
		T(test_state_check),
		T(test_port_scratch_is_memory),
		T(test_mmio_scratch_counts_accesses),
		T(test_mmio_edges),
		T(test_without_sink_and_twice),
	};

	return cmocka_run_group_tests_name("vtest", tests, NULL, NULL);
}
