// SPDX-License-Identifier: MIT
#include "tests/unit/io_box.h"

#include "core/dev/vpci.h"

struct fixture {
	struct io_box box;
	struct vpci p;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	io_box_init(&f->box);
	*state = f;
	return vpci_init(&f->p, &f->box.bus);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vpci_state_check(&f->p.s);

	free(f);
	return err;
}

/* PCI 3.0, 3.2.2.3.2: enable and the number are kept, the rest reads 0. */
static void test_address_register(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(io_in(&f->box, 0xcf8, 4), 0);
	io_out(&f->box, 0xcf8, 4, 0x80000000);
	assert_int_equal(io_in(&f->box, 0xcf8, 4), 0x80000000);
	io_out(&f->box, 0xcf8, 4, 0xffffffff);
	assert_int_equal(io_in(&f->box, 0xcf8, 4), 0x80fffffc);
	io_out(&f->box, 0xcf8, 4, 0x0012345b);
	assert_int_equal(io_in(&f->box, 0xcf8, 4), 0x00123458);
}

/* Bytes and words do not reach it: this is how mechanism #2 is told from it. */
static void test_partial_accesses(void **state)
{
	struct fixture *f = *state;

	io_out(&f->box, 0xcf8, 4, 0x80001234);
	io_out(&f->box, 0xcf8, 1, 0x00);
	io_out(&f->box, 0xcfb, 1, 0x01);
	io_out(&f->box, 0xcf8, 2, 0xffff);
	io_out(&f->box, 0xcfa, 2, 0xffff);
	assert_int_equal(io_in(&f->box, 0xcf8, 4), 0x80001234);
	assert_int_equal(io_in(&f->box, 0xcf8, 1), 0xff);
	assert_int_equal(io_in(&f->box, 0xcfa, 1), 0xff);
	assert_int_equal(io_in(&f->box, 0xcfb, 1), 0xff);
	assert_int_equal(io_in(&f->box, 0xcf8, 2), 0xffff);
	assert_int_equal(io_in(&f->box, 0xcf9, 4), 0xffffffff);
	assert_int_equal(io_in(&f->box, 0xcf9, 1), 0x00);
}

static void test_no_function_answers(void **state)
{
	struct fixture *f = *state;

	for (u32 addr = 0x80000000; addr < 0x81000000; addr += 0x12344) {
		io_out(&f->box, 0xcf8, 4, addr);
		io_out(&f->box, 0xcfc, 4, 0);
		assert_int_equal(io_in(&f->box, 0xcfc, 4), 0xffffffff);
		assert_int_equal(io_in(&f->box, 0xcfe, 2), 0xffff);
		assert_int_equal(io_in(&f->box, 0xcff, 1), 0xff);
	}
	assert_int_equal(f->box.bus.unclaimed, 0);
}

/* ICH9 13.7.5: RST_CPU from 0 to 1. */
static void test_reset_control(void **state)
{
	struct fixture *f = *state;

	io_out(&f->box, 0xcf9, 1, 0x02);
	assert_int_equal(io_in(&f->box, 0xcf9, 1), 0x02);
	assert_int_equal(io_write(&f->box, 0xcf9, 1, 0x06), BUS_RESET);
	assert_int_equal(io_in(&f->box, 0xcf9, 1), 0x06);
	assert_int_equal(io_write(&f->box, 0xcf9, 1, 0x0e), BUS_OK);
	assert_int_equal(io_write(&f->box, 0xcf9, 1, 0xf3), BUS_OK);
	assert_int_equal(io_in(&f->box, 0xcf9, 1), 0x02);
	assert_int_equal(io_write(&f->box, 0xcf9, 1, 0x0e), BUS_RESET);
	io_out(&f->box, 0xcf9, 1, 0x00);
	assert_int_equal(io_write(&f->box, 0xcf9, 1, 0x04), BUS_RESET);
	/* Not by a wider access, and CONFIG_ADDRESS did not move. */
	io_out(&f->box, 0xcf9, 1, 0x00);
	assert_int_equal(io_write(&f->box, 0xcf8, 2, 0x0e00), BUS_OK);
	assert_int_equal(io_write(&f->box, 0xcf8, 4, 0x80000e00), BUS_OK);
	assert_int_equal(io_in(&f->box, 0xcf9, 1), 0x00);
	assert_int_equal(io_in(&f->box, 0xcf8, 4), 0x80000e00);
}

#define REFUSED(member, val) assert_refused(vpci_state_check, s, member, val)

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	struct vpci_state *s = &f->p.s;
	static struct vpci second;

	assert_int_equal(sizeof(*s), 8);
	assert_reserved(vpci_state_check, s, reserved);
	REFUSED(address, 1);
	REFUSED(address, 0x40000000);
	REFUSED(reset_control, 0x01);
	REFUSED(reset_control, 0x10);
	assert_int_equal(vpci_init(&second, &f->box.bus), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_address_register), T(test_partial_accesses), T(test_no_function_answers),
		T(test_reset_control), T(test_state_check),
	};

	return cmocka_run_group_tests_name("vpci", tests, NULL, NULL);
}
