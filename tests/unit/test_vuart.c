// SPDX-License-Identifier: MIT
/* Values and rules of the PC16550D data sheet, TL/C/8652; sections in the names of cases. */
#include "tests/unit/io_box.h"

#include "core/dev/vuart.h"

#define RBR	0x3f8
#define THR	0x3f8
#define IER	0x3f9
#define IIR	0x3fa
#define FCR	0x3fa
#define LCR	0x3fb
#define MCR	0x3fc
#define LSR	0x3fd
#define MSR	0x3fe
#define SCR	0x3ff

/* Four characters of 8N1 at 115200: 4 * 10 / 115200 s. */
#define TIMEOUT_8N1	347222ULL

struct fixture {
	struct io_box box;
	struct vuart u;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	io_box_init(&f->box);
	*state = f;
	return vuart_init(&f->u, &f->box.bus, &f->box.env, io_box_putc, &f->box);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vuart_state_check(&f->u.s);

	free(f);
	return err;
}

static u8 in(struct fixture *f, u16 port)
{
	return io_inb(&f->box, port);
}

static void out(struct fixture *f, u16 port, u8 val)
{
	io_outb(&f->box, port, val);
}

static bool line(struct fixture *f)
{
	return f->box.line[VUART_IRQ];
}

/* 8N1 at 115200, OUT2, FIFOs with this trigger; interrupts as given. */
static void program(struct fixture *f, u8 ier, u8 fcr)
{
	out(f, LCR, 0x83);
	out(f, RBR, 1);
	out(f, IER, 0);
	out(f, LCR, 0x03);
	out(f, FCR, fcr);
	out(f, MCR, 0x0b);
	out(f, IER, ier);
}

static void receive(struct fixture *f, const char *s)
{
	for (; *s; s++)
		vuart_receive(&f->u, (u8)*s);
}

/* Table I. */
static void test_reset_values(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, IER), 0x00);
	assert_int_equal(in(f, IIR), 0x01);
	assert_int_equal(in(f, LCR), 0x00);
	assert_int_equal(in(f, MCR), 0x00);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, MSR), 0xb0);
	assert_int_equal(in(f, RBR), 0x00);
	out(f, LCR, 0x80);
	assert_int_equal(in(f, RBR), 12);
	assert_int_equal(in(f, IER), 0);
	assert_false(line(f));
	assert_true(vuart_next(&f->u) == DEV_NEVER);
}

/* Table II: the bits that are permanently 0, and those that keep what is written. */
static void test_register_bits(void **state)
{
	struct fixture *f = *state;

	for (u32 v = 0; v < 256; v++) {
		out(f, LCR, 0);
		out(f, IER, (u8)v);
		assert_int_equal(in(f, IER), v & 0x0f);
		out(f, MCR, (u8)v);
		assert_int_equal(in(f, MCR), v & 0x1f);
		out(f, SCR, (u8)v);
		assert_int_equal(in(f, SCR), v);
		out(f, LCR, (u8)v);
		assert_int_equal(in(f, LCR), v);
		out(f, LCR, 0x80);
		out(f, RBR, (u8)v);
		out(f, IER, (u8)~v);
		assert_int_equal(in(f, RBR), v);
		assert_int_equal(in(f, IER), (u8)~v);
	}
	/* The divisor is no output, and IER was not touched by it. */
	assert_int_equal(f->box.n, 0);
	out(f, LCR, 0);
	assert_int_equal(in(f, IER), 0x0f);
}

static void test_read_only_registers(void **state)
{
	struct fixture *f = *state;

	out(f, LSR, 0xff);
	out(f, MSR, 0x0f);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, MSR), 0xb0);
}

static void test_output(void **state)
{
	struct fixture *f = *state;
	static struct io_box mute;
	static struct vuart u;

	out(f, THR, 'h');
	assert_int_equal(in(f, LSR), 0x60);
	out(f, THR, 0xe9);
	assert_int_equal(f->box.n, 2);
	assert_memory_equal(f->box.out, "h\xe9", 2);
	/* 8.1: with the break bit, SOUT stays low; the transmitter goes on. */
	out(f, LCR, 0x43);
	out(f, THR, 'x');
	assert_int_equal(f->box.n, 2);
	assert_int_equal(in(f, LSR), 0x60);
	/* 16 bits are two registers; a UART without an other end; only one at a time. */
	out(f, LCR, 3);
	io_out(&f->box, SCR - 1, 2, 0x5a00);
	assert_int_equal(in(f, SCR), 0x5a);
	io_box_init(&mute);
	assert_int_equal(vuart_init(&u, &mute.bus, &mute.env, NULL, NULL), 0);
	io_outb(&mute, THR, 'x');
	assert_int_equal(vuart_init(&u, &f->box.bus, &mute.env, NULL, NULL), -EEXIST);
}

static void test_receive_without_fifos(void **state)
{
	struct fixture *f = *state;

	program(f, 0x01, 0x00);
	assert_true(vuart_can_receive(&f->u));
	receive(f, "a");
	assert_false(vuart_can_receive(&f->u));
	assert_true(line(f));
	assert_int_equal(in(f, IIR), 0x04);
	assert_int_equal(in(f, LSR), 0x61);
	assert_true(vuart_next(&f->u) == DEV_NEVER);
	/* 8.4: the character in RBR is destroyed. */
	receive(f, "b");
	assert_int_equal(in(f, LSR), 0x63);
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(in(f, RBR), 'b');
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0x01);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, RBR), 'b');
}

/* 8.5, 8.11: each level; the interrupt goes as soon as the FIFO is below it. */
static void test_trigger_levels(void **state)
{
	struct fixture *f = *state;
	static const u8 level[4] = { 1, 4, 8, 14 };

	for (u8 i = 0; i < 4; i++) {
		program(f, 0x01, (u8)(0x03 | i << 6));
		assert_int_equal(in(f, IIR), 0xc1);
		for (u8 n = 1; n <= 16; n++) {
			assert_true(vuart_can_receive(&f->u));
			vuart_receive(&f->u, n);
			assert_int_equal(line(f), n >= level[i]);
			assert_int_equal(in(f, IIR), n >= level[i] ? 0xc4 : 0xc1);
		}
		assert_false(vuart_can_receive(&f->u));
		for (u8 n = 1; n <= 16; n++) {
			assert_int_equal(in(f, LSR), 0x61);
			assert_int_equal(in(f, RBR), n);
			assert_int_equal(line(f), 16 - n >= level[i]);
		}
		assert_int_equal(in(f, LSR), 0x60);
		assert_int_equal(in(f, RBR), 0);
	}
}

/* 8.4: the FIFO keeps its 16 characters, the next is lost. */
static void test_fifo_overrun(void **state)
{
	struct fixture *f = *state;

	program(f, 0x05, 0xc1);
	receive(f, "0123456789abcdef");
	assert_int_equal(in(f, IIR), 0xc4);
	receive(f, "XY");
	assert_int_equal(in(f, IIR), 0xc6);
	assert_int_equal(in(f, IIR), 0xc6);
	assert_int_equal(in(f, LSR), 0x63);
	assert_int_equal(in(f, IIR), 0xc4);
	for (u8 i = 0; i < 16; i++)
		assert_int_equal(in(f, RBR), "0123456789abcdef"[i]);
	assert_int_equal(in(f, LSR), 0x60);
	/* Without ELSI an overrun is only a bit of LSR. */
	out(f, IER, 0x01);
	receive(f, "0123456789abcdefX");
	assert_int_equal(in(f, IIR), 0xc4);
	assert_int_equal(in(f, LSR), 0x63);
}

/* 8.5: modes and resets empty the FIFO; FCR1 without FCR0 does nothing. */
static void test_fifo_resets(void **state)
{
	struct fixture *f = *state;

	program(f, 0x01, 0x00);
	receive(f, "a");
	out(f, FCR, 0x06);
	assert_int_equal(in(f, LSR), 0x61);
	out(f, FCR, 0xff);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, IIR), 0xc1);
	assert_int_equal(f->u.s.fcr, 0xc9);
	receive(f, "abc");
	out(f, FCR, 0x01);
	assert_int_equal(in(f, IIR), 0xc4);
	out(f, FCR, 0x05);
	assert_int_equal(in(f, LSR), 0x61);
	out(f, FCR, 0x03);
	assert_int_equal(in(f, LSR), 0x60);
	assert_false(line(f));
	assert_true(vuart_next(&f->u) == DEV_NEVER);
	receive(f, "a");
	out(f, FCR, 0xc0);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, IIR), 0x01);
	assert_false(line(f));
}

/* 8.11: four characters after the last one came or was read. */
static void test_character_timeout(void **state)
{
	struct fixture *f = *state;
	struct io_box *b = &f->box;

	b->now = 1000;
	program(f, 0x01, 0x81);
	receive(f, "a");
	assert_int_equal(b->rearms, 1);
	assert_true(vuart_next(&f->u) == 1000 + TIMEOUT_8N1);
	b->now += TIMEOUT_8N1 - 1;
	vuart_tick(&f->u, b->now);
	assert_false(line(f));
	receive(f, "b");
	assert_true(vuart_next(&f->u) == b->now + TIMEOUT_8N1);
	b->now += TIMEOUT_8N1;
	vuart_tick(&f->u, b->now);
	assert_true(line(f));
	assert_true(vuart_next(&f->u) == DEV_NEVER);
	/* Another character does not end it, reading one does and starts anew. */
	receive(f, "c");
	assert_int_equal(in(f, IIR), 0xcc);
	assert_int_equal(in(f, IIR), 0xcc);
	b->now += 50;
	assert_int_equal(in(f, RBR), 'a');
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0xc1);
	assert_true(vuart_next(&f->u) == b->now + TIMEOUT_8N1);
	in(f, RBR);
	in(f, RBR);
	assert_true(vuart_next(&f->u) == DEV_NEVER);
	/* 8.6: bit 3 is set while it is pending, at the trigger level too. */
	receive(f, "1234567");
	vuart_tick(&f->u, b->now += TIMEOUT_8N1);
	assert_int_equal(in(f, IIR), 0xcc);
	receive(f, "8");
	assert_int_equal(in(f, IIR), 0xcc);
	in(f, RBR);
	assert_int_equal(in(f, IIR), 0xc1);
}

/* 8.12: polled mode indicates no timeout; enabling shows the one that is due. */
static void test_timeout_polled(void **state)
{
	struct fixture *f = *state;

	program(f, 0x00, 0xc1);
	receive(f, "a");
	vuart_tick(&f->u, f->box.now += TIMEOUT_8N1);
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0xc1);
	out(f, IER, 0x01);
	assert_true(line(f));
	assert_int_equal(in(f, IIR), 0xcc);
}

/* 8.11: 160 ms at 300 baud with a 12-bit character; 8.1: 1.5 stop bits; 8.3: divisor. */
static void test_character_times(void **state)
{
	static const struct {
		u8 lcr, dlm, dll;
		u64 ns;
	} row[] = {
		{ 0x0f, 0x01, 0x80, 160000000 },	/* 300 baud, 8 bits, parity, 2 stop */
		{ 0x03, 0x00, 0x0c, 4166666 },		/* 9600 8N1 */
		{ 0x00, 0x00, 0x0c, 2916666 },		/* 5 bits */
		{ 0x04, 0x00, 0x0c, 3125000 },		/* 5 bits, 1.5 stop */
		{ 0x05, 0x00, 0x0c, 3750000 },		/* 6 bits, 2 stop */
		{ 0x1a, 0x00, 0x0c, 4166666 },		/* 7E1 */
		{ 0x03, 0x09, 0x00, 800000000 },	/* 50 baud */
		{ 0x03, 0x00, 0x00, 22755555555 },	/* 65536 */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		out(f, LCR, 0x80);
		out(f, RBR, row[i].dll);
		out(f, IER, row[i].dlm);
		out(f, LCR, row[i].lcr);
		out(f, FCR, 0x03);
		receive(f, "a");
		assert_true(vuart_next(&f->u) == row[i].ns);
		out(f, FCR, 0x00);
	}
}

static void test_thre_interrupt(void **state)
{
	struct fixture *f = *state;
	struct io_box *b = &f->box;

	program(f, 0x00, 0x00);
	assert_int_equal(in(f, IIR), 0x01);
	/* Enabling it with THR empty raises it; reading IIR acknowledges. */
	out(f, IER, 0x02);
	assert_true(line(f));
	assert_int_equal(in(f, IIR), 0x02);
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0x01);
	/* Again only after it was off. */
	out(f, IER, 0x02);
	assert_false(line(f));
	out(f, IER, 0x00);
	out(f, IER, 0x02);
	assert_true(line(f));
	/* A character ends it and, being gone at once, makes a new edge. */
	b->edges[VUART_IRQ] = 0;
	out(f, THR, 'a');
	assert_true(line(f));
	assert_int_equal(b->edges[VUART_IRQ], 1);
	assert_int_equal(in(f, IIR), 0x02);
	out(f, THR, 'b');
	assert_true(line(f));
	assert_int_equal(b->edges[VUART_IRQ], 2);
	out(f, IER, 0x00);
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0x01);
	out(f, THR, 'c');
	assert_int_equal(in(f, IIR), 0x01);
}

/* Table IV: order, and that reading IIR acknowledges THRE only when it is shown. */
static void test_priorities(void **state)
{
	struct fixture *f = *state;

	program(f, 0x0f, 0x00);
	out(f, MCR, 0x1b);
	out(f, MCR, 0x18);	/* CTS and DSR fall */
	out(f, THR, 'a');
	out(f, THR, 'b');
	assert_int_equal(in(f, IIR), 0x06);
	assert_int_equal(in(f, LSR), 0x63);
	assert_int_equal(in(f, IIR), 0x04);
	assert_int_equal(in(f, IIR), 0x04);
	assert_int_equal(in(f, RBR), 'b');
	assert_int_equal(in(f, IIR), 0x02);
	assert_int_equal(in(f, IIR), 0x00);
	assert_true(line(f));
	assert_int_equal(in(f, MSR), 0x83);
	assert_int_equal(in(f, IIR), 0x01);
	assert_false(line(f));
}

static void test_modem_loopback(void **state)
{
	struct fixture *f = *state;

	/* 8.9: RTS, DTR, OUT1, OUT2 are CTS, DSR, RI, DCD. */
	for (u8 v = 0; v < 16; v++) {
		out(f, MCR, 0x10 | v);
		assert_int_equal(in(f, MSR) & 0xf0,
				 (v & 2 ? 0x10 : 0) | (v & 1 ? 0x20 : 0) | (v & 4 ? 0x40 : 0) |
				 (v & 8 ? 0x80 : 0));
	}
	/* Entering with nothing on: DCD, DSR, CTS fall. */
	out(f, MCR, 0x00);
	assert_int_equal(in(f, MSR) & 0xf0, 0xb0);
	out(f, MCR, 0x10);
	assert_int_equal(in(f, MSR), 0x0b);
	assert_int_equal(in(f, MSR), 0x00);
	/* RI: only its end counts. */
	out(f, MCR, 0x14);
	assert_int_equal(in(f, MSR), 0x40);
	out(f, MCR, 0x10);
	assert_int_equal(in(f, MSR), 0x04);
	/* A change there and back stays a change. */
	out(f, MCR, 0x12);
	out(f, MCR, 0x10);
	assert_int_equal(in(f, MSR), 0x01);
	out(f, MCR, 0x11);
	assert_int_equal(in(f, MSR), 0x22);
	out(f, MCR, 0x19);
	assert_int_equal(in(f, MSR), 0xa8);
	out(f, MCR, 0x08);
	assert_int_equal(in(f, MSR), 0xb1);
}

static void test_modem_interrupt(void **state)
{
	struct fixture *f = *state;

	program(f, 0x08, 0x00);
	assert_int_equal(in(f, IIR), 0x01);
	out(f, MCR, 0x1a);
	assert_true(line(f));
	assert_int_equal(in(f, IIR), 0x00);
	assert_int_equal(in(f, IIR), 0x00);
	assert_int_equal(in(f, MSR), 0x92);
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0x01);
}

static void test_data_loopback(void **state)
{
	struct fixture *f = *state;

	program(f, 0x01, 0x00);
	out(f, MCR, 0x1b);
	in(f, MSR);
	out(f, THR, 0xa5);
	assert_int_equal(f->box.n, 0);
	assert_true(line(f));
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(in(f, RBR), 0xa5);
	/* 8.1: a character has the bits of the word length. */
	for (u8 wls = 0; wls < 4; wls++) {
		out(f, LCR, wls);
		out(f, THR, 0xff);
		assert_int_equal(in(f, RBR), 0xff >> (3 - wls));
	}
	/* SIN is disconnected; break acts on SOUT only. */
	assert_false(vuart_can_receive(&f->u));
	receive(f, "x");
	assert_int_equal(in(f, LSR), 0x60);
	out(f, LCR, 0x43);
	out(f, THR, 'y');
	assert_int_equal(in(f, RBR), 'y');
	/* A FIFO of 16, and the 17th is an overrun. */
	out(f, FCR, 0x01);
	for (u8 i = 0; i < 17; i++)
		out(f, THR, i);
	assert_int_equal(in(f, LSR), 0x63);
	for (u8 i = 0; i < 16; i++)
		assert_int_equal(in(f, RBR), i);
	assert_int_equal(in(f, LSR), 0x60);
}

/* On a PC the interrupt leaves the chip through a gate that OUT2 opens. */
static void test_out2_gates_the_line(void **state)
{
	struct fixture *f = *state;

	program(f, 0x01, 0x00);
	out(f, MCR, 0x03);
	receive(f, "a");
	assert_false(line(f));
	assert_int_equal(in(f, IIR), 0x04);
	out(f, MCR, 0x0b);
	assert_true(line(f));
	out(f, MCR, 0x03);
	assert_false(line(f));
}

static void test_flow_control(void **state)
{
	struct fixture *f = *state;

	assert_true(vuart_can_receive(&f->u));
	out(f, MCR, 0x03);
	assert_true(vuart_can_receive(&f->u));
	out(f, MCR, 0x01);
	assert_false(vuart_can_receive(&f->u));
	out(f, MCR, 0x02);
	assert_true(vuart_can_receive(&f->u));
	out(f, MCR, 0x13);
	assert_false(vuart_can_receive(&f->u));
}

#define REFUSED(member, val) assert_refused(vuart_state_check, s, member, val)

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	struct vuart_state *s = &f->u.s;

	assert_int_equal(sizeof(*s), 40);
	assert_reserved(vuart_state_check, s, reserved);
	REFUSED(ier, 0x10);
	REFUSED(mcr, 0x20);
	REFUSED(fcr, 0x40);
	REFUSED(fcr, 0x03);
	REFUSED(lsr, 0x40);
	REFUSED(lsr, 0x61);
	REFUSED(lsr, 0xe0);
	REFUSED(msr, 0xf0);
	REFUSED(rx_len, 2);
	REFUSED(timeout_pending, 1);
	REFUSED(timeout_at, 5);
	REFUSED(thr_empty_pending, 1);
	out(f, FCR, 0x01);
	out(f, IER, 0x02);
	REFUSED(thr_empty_pending, 2);
	REFUSED(rx_len, 17);
	REFUSED(rx_len, 255);
	REFUSED(rx_len, 1);		/* and no timeout */
	receive(f, "abc");
	REFUSED(rx_len, 0);
	REFUSED(timeout_at, DEV_NEVER);
	REFUSED(timeout_pending, 1);
	vuart_tick(&f->u, vuart_next(&f->u));
	REFUSED(timeout_pending, 2);
	REFUSED(timeout_at, 7);
	out(f, MCR, 0x13);
	assert_int_equal(vuart_state_check(s), 0);
	REFUSED(mcr, 0x12);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reset_values), T(test_register_bits), T(test_read_only_registers),
		T(test_output), T(test_receive_without_fifos), T(test_trigger_levels),
		T(test_fifo_overrun), T(test_fifo_resets), T(test_character_timeout),
		T(test_timeout_polled), T(test_character_times), T(test_thre_interrupt),
		T(test_priorities), T(test_modem_loopback), T(test_modem_interrupt),
		T(test_data_loopback), T(test_out2_gates_the_line), T(test_flow_control),
		T(test_state_check),
	};

	return cmocka_run_group_tests_name("vuart", tests, NULL, NULL);
}
