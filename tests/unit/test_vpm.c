// SPDX-License-Identifier: MIT
/* ACPI 6, 4.8; the 8042 as an operating system looks for it. */
#include "tests/unit/io_box.h"

#include "core/dev/vpm.h"

#define STS	0xb000
#define EN	0xb002
#define CNT	0xb004
#define TMR	0xb008
#define SECOND	1000000000ULL
/* 2^31 / 3579545 Hz */
#define HALF	599932015941ULL

struct fixture {
	struct io_box box;
	struct vpm p;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	io_box_init(&f->box);
	*state = f;
	return vpm_init(&f->p, &f->box.bus, &f->box.env);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vpm_state_check(&f->p.s);

	free(f);
	return err;
}

static u32 in(struct fixture *f, u16 port, u8 size)
{
	return io_in(&f->box, port, size);
}

static void out(struct fixture *f, u16 port, u8 size, u32 val)
{
	io_out(&f->box, port, size, val);
}

static bool sci(struct fixture *f)
{
	return f->box.line[VPM_SCI];
}

static void test_start_values(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, STS, 4), 0);
	assert_int_equal(in(f, CNT, 2), 0);
	assert_int_equal(in(f, 0xb2, 1), 0);
	assert_int_equal(in(f, 0x92, 1), 0x02);
	assert_int_equal(in(f, 0x64, 1), 0x1c);
	assert_true(vpm_next(&f->p) == DEV_NEVER);
}

/* 4.8.2.1: 3.579545 MHz for ever. */
static void test_timer_counts(void **state)
{
	static const struct {
		u64 ns;
		u32 count;
	} row[] = {
		{ 0, 0 }, { 279, 0 }, { 280, 1 }, { 1000, 3 }, { SECOND, 3579545 },
		{ SECOND - 1, 3579544 }, { 3600 * SECOND, (u32)(3600ULL * 3579545) },
		{ HALF - 1, 0x7fffffff }, { HALF, 0x80000000 }, { 2 * HALF - 1, 0xffffffff },
		{ 2 * HALF, 0 },
		{ 31536000 * SECOND, (u32)(31536000ULL * 3579545) },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		f->box.now = row[i].ns;
		assert_int_equal(in(f, TMR, 4), row[i].count);
	}
	/* Parts of it, and it cannot be written. */
	out(f, TMR, 4, 0x12345678);
	assert_int_equal(in(f, TMR + 1, 1), (u32)(31536000ULL * 3579545) >> 8 & 0xff);
	assert_int_equal(in(f, TMR + 2, 2), (u32)(31536000ULL * 3579545) >> 16);
}

/* 4.8.3.1.2, 4.8.3.2.1: the bits that exist. */
static void test_register_bits(void **state)
{
	struct fixture *f = *state;

	out(f, EN, 2, 0xffff);
	assert_int_equal(in(f, EN, 2), 0x0721);
	out(f, EN + 1, 1, 0x01);
	assert_int_equal(in(f, EN, 2), 0x0121);
	out(f, EN, 1, 0x00);
	assert_int_equal(in(f, STS, 4), 0x01000000);
	out(f, CNT, 2, 0xdfff);		/* all but SLP_EN */
	assert_int_equal(in(f, CNT, 2), 0x1c03);
	out(f, CNT, 1, 0x02);
	assert_int_equal(in(f, CNT + 1, 1), 0x1c);
	assert_int_equal(in(f, CNT, 2), 0x1c02);
	assert_int_equal(in(f, CNT, 4), 0xffff1c02);
}

static void test_acpi_enable(void **state)
{
	struct fixture *f = *state;

	out(f, 0xb2, 1, VPM_ACPI_ENABLE);
	assert_int_equal(in(f, CNT, 2), 0x0001);
	assert_int_equal(in(f, 0xb2, 1), 0xf1);
	out(f, 0xb2, 1, 0x12);
	assert_int_equal(in(f, CNT, 2), 0x0001);
	out(f, 0xb2, 1, VPM_ACPI_DISABLE);
	assert_int_equal(in(f, CNT, 2), 0x0000);
	out(f, 0xb3, 1, 0xf1);
	assert_int_equal(in(f, CNT, 2), 0x0000);
	assert_int_equal(in(f, 0xb3, 1), 0xf1);
	assert_int_equal(in(f, 0xb2, 1), 0xf0);
}

static void test_power_button(void **state)
{
	struct fixture *f = *state;

	vpm_power_button(&f->p);
	assert_int_equal(in(f, STS, 2), 0x0100);
	assert_false(sci(f));
	out(f, EN, 2, 0x0100);
	assert_false(sci(f));
	out(f, CNT, 2, 0x0001);
	assert_true(sci(f));
	/* Write 1 clears, 0 does not, nor does a 1 elsewhere. */
	out(f, STS, 2, 0xfeff);
	assert_true(sci(f));
	out(f, STS + 1, 1, 0x01);
	assert_false(sci(f));
	assert_int_equal(in(f, STS, 2), 0);
	vpm_power_button(&f->p);
	assert_true(sci(f));
	out(f, EN, 2, 0);
	assert_false(sci(f));
	/* A dword is both registers. */
	out(f, STS, 4, 0x01000000);
	assert_true(sci(f));
	out(f, STS, 4, 0x00000100);
	assert_false(sci(f));
	assert_int_equal(in(f, STS, 4), 0);
}

/* TMR_STS: each change of bit 31. */
static void test_timer_status(void **state)
{
	struct fixture *f = *state;

	f->box.now = HALF - 1;
	assert_int_equal(in(f, STS, 2), 0);
	f->box.now = HALF;
	assert_int_equal(in(f, STS, 2), 1);
	out(f, STS, 2, 1);
	assert_int_equal(in(f, STS, 2), 0);
	out(f, EN, 2, 1);
	assert_true(vpm_next(&f->p) == DEV_NEVER);
	out(f, 0xb2, 1, VPM_ACPI_ENABLE);
	assert_int_equal(f->box.rearms, 1);
	/* 2^32 / 3579545 s, rounded up for itself: no drift. */
	assert_true(vpm_next(&f->p) == 1199864031882);
	f->box.now = 1199864031881;
	vpm_tick(&f->p, f->box.now);
	assert_false(sci(f));
	vpm_tick(&f->p, ++f->box.now);
	assert_true(sci(f));
	assert_true(vpm_next(&f->p) == DEV_NEVER);
	/* Late by several changes: one status. */
	f->box.now = 10 * HALF;
	vpm_tick(&f->p, f->box.now);
	out(f, STS, 2, 1);
	assert_false(sci(f));
	assert_int_equal(f->box.rearms, 2);
	assert_int_equal(in(f, STS, 2), 0);
	assert_in_range(vpm_next(&f->p), 11 * HALF - 11, 11 * HALF);
}

static void test_sleep_states(void **state)
{
	struct fixture *f = *state;

	/* SLP_TYP alone is nothing. */
	out(f, CNT, 2, 5 << 10 | 1);
	assert_int_equal(in(f, STS, 2), 0);
	for (u32 typ = 0; typ < 8; typ++) {
		enum bus_result want = typ == VPM_SLP_TYP_S5 ? BUS_POWEROFF : BUS_OK;

		assert_int_equal(io_write(&f->box, CNT, 2, typ << 10 | 0x2001), want);
		assert_int_equal(in(f, STS, 2), want == BUS_OK ? 0x8000 : 0);
		assert_int_equal(in(f, CNT, 2), typ << 10 | 1);
		out(f, STS, 2, 0x8000);
	}
	/* By bytes: type and enable are in the same one. */
	out(f, CNT, 1, 0x01);
	assert_int_equal(io_write(&f->box, CNT + 1, 1, 0x34), BUS_POWEROFF);
	out(f, CNT, 1, 0x01);
	assert_int_equal(in(f, STS, 2), 0);
	/* WAK_STS is no reason for an SCI. */
	out(f, EN, 2, 0xffff);
	out(f, CNT, 2, 0x2001);
	assert_int_equal(in(f, STS, 2), 0x8000);
	assert_false(sci(f));
}

static void test_port_92(void **state)
{
	struct fixture *f = *state;

	out(f, 0x92, 1, 0xfc);
	assert_int_equal(in(f, 0x92, 1), 0x00);
	out(f, 0x92, 1, 0x02);
	assert_int_equal(in(f, 0x92, 1), 0x02);
	assert_int_equal(io_write(&f->box, 0x92, 1, 0x03), BUS_RESET);
	assert_int_equal(io_write(&f->box, 0x92, 1, 0x03), BUS_OK);
	out(f, 0x92, 1, 0x00);
	assert_int_equal(io_write(&f->box, 0x92, 1, 0x01), BUS_RESET);
}

/* Sends a command that is answered, and takes the answer. */
static u8 ask(struct fixture *f, u8 command)
{
	out(f, 0x64, 1, command);
	assert_int_equal(in(f, 0x64, 1) & 0x0b, 0x09);
	return (u8)in(f, 0x60, 1);
}

static void test_kbc_commands(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, 0x20), 0x34);
	assert_int_equal(in(f, 0x64, 1), 0x1c);
	/* The buffer keeps its byte; reading it again is no new one. */
	assert_int_equal(in(f, 0x60, 1), 0x34);
	out(f, 0x64, 1, 0x60);
	assert_int_equal(in(f, 0x64, 1), 0x1c);
	out(f, 0x60, 1, 0x40);
	assert_int_equal(in(f, 0x64, 1), 0x10);
	assert_int_equal(ask(f, 0x20), 0x40);
	/* The self test sets the system flag. */
	assert_int_equal(ask(f, 0xaa), 0x55);
	assert_int_equal(in(f, 0x64, 1), 0x1c);
	assert_int_equal(ask(f, 0x20), 0x44);
	assert_int_equal(ask(f, 0xab), 0x00);
	assert_int_equal(ask(f, 0xc0), 0x80);
	out(f, 0x64, 1, 0xad);
	assert_int_equal(ask(f, 0x20), 0x54);
	out(f, 0x64, 1, 0xae);
	assert_int_equal(ask(f, 0x20), 0x44);
}

/* No device answers, no command of a second one: an OS runs into its timeouts. */
static void test_kbc_has_no_devices(void **state)
{
	static const u8 silent[] = { 0x00, 0xa7, 0xa8, 0xa9, 0xd2, 0xd3, 0xd4, 0xe0, 0xff, 0xf1 };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		out(f, 0x64, 1, silent[i]);
		assert_int_equal(in(f, 0x64, 1), 0x1c);
		out(f, 0x60, 1, 0xf2);
		assert_int_equal(in(f, 0x64, 1), 0x14);
	}
	assert_int_equal(ask(f, 0x20), 0x34);
	assert_int_equal(f->box.edges[VPM_KBC_IRQ], 0);
}

static void test_kbc_output_port(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, 0xd0), 0xcf);
	out(f, 0x64, 1, 0xd1);
	out(f, 0x60, 1, 0xdd);
	assert_int_equal(ask(f, 0xd0), 0xdd);
	/* Only the byte behind the command goes there. */
	out(f, 0x60, 1, 0xfe);
	assert_int_equal(ask(f, 0xd0), 0xdd);
	out(f, 0x64, 1, 0xd1);
	out(f, 0x64, 1, 0x00);
	out(f, 0x60, 1, 0xfe);
	assert_int_equal(ask(f, 0xd0), 0xdd);
	out(f, 0x64, 1, 0xd1);
	assert_int_equal(io_write(&f->box, 0x60, 1, 0xfe), BUS_RESET);
	for (u32 c = 0xf0; c < 0x100; c++)
		assert_int_equal(io_write(&f->box, 0x64, 1, c), c & 1 ? BUS_OK : BUS_RESET);
	assert_int_equal(io_write(&f->box, 0x64, 1, 0xee), BUS_OK);
}

/* Command byte, bit 0: line 1 is high while the output buffer is full. */
static void test_kbc_interrupt(void **state)
{
	struct fixture *f = *state;

	out(f, 0x64, 1, 0x60);
	out(f, 0x60, 1, 0x35);
	out(f, 0x64, 1, 0xab);
	assert_true(f->box.line[VPM_KBC_IRQ]);
	in(f, 0x60, 1);
	assert_false(f->box.line[VPM_KBC_IRQ]);
	out(f, 0x64, 1, 0xab);
	out(f, 0x64, 1, 0x60);
	out(f, 0x60, 1, 0x34);
	assert_false(f->box.line[VPM_KBC_IRQ]);
	assert_int_equal(f->box.edges[VPM_KBC_IRQ], 2);
}

#define REFUSED(member, val) assert_refused(vpm_state_check, s, member, val)

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	struct vpm_state *s = &f->p.s;
	static struct vpm second;

	assert_int_equal(sizeof(*s), 24);
	assert_reserved(vpm_state_check, s, reserved);
	REFUSED(pm1_sts, 0x0002);
	REFUSED(pm1_sts, 0x0400);
	REFUSED(pm1_en, 0x8000);
	REFUSED(pm1_cnt, 0x2000);
	REFUSED(pm1_cnt, 0x0004);
	REFUSED(port92, 0x04);
	REFUSED(kbc_status, 0x18);
	REFUSED(kbc_status, 0x1e);
	REFUSED(kbc_status, 0x0c);
	REFUSED(kbc_command, 0x30);
	REFUSED(kbc_outport, 0xce);
	REFUSED(kbc_waits, 0x20);
	REFUSED(timer_msb_at, 0);
	REFUSED(timer_msb_at, HALF - 1);
	REFUSED(timer_msb_at, HALF + 1);
	REFUSED(timer_msb_at, DEV_NEVER);
	f->box.now = 1ULL << 63;
	in(f, STS, 2);
	assert_int_equal(vpm_state_check(s), -EINVAL);
	s->timer_msb_at = HALF;
	assert_int_equal(vpm_init(&second, &f->box.bus, &f->box.env), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_start_values), T(test_timer_counts), T(test_register_bits),
		T(test_acpi_enable), T(test_power_button), T(test_timer_status),
		T(test_sleep_states), T(test_port_92), T(test_kbc_commands),
		T(test_kbc_has_no_devices), T(test_kbc_output_port), T(test_kbc_interrupt),
		T(test_state_check),
	};

	return cmocka_run_group_tests_name("vpm", tests, NULL, NULL);
}
