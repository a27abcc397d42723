// SPDX-License-Identifier: MIT
/* Section numbers are those of the 82093AA data sheet unless they say ICH9. */
#include "tests/unit/unit.h"

#include "core/dev/vioapic.h"

#define SEL	0x00
#define WIN	0x10
#define EOIR	0x40

#define LEVEL	0x8000u
#define MASKED	0x10000u
#define RIRR	0x4000u
#define PENDING	0x1000u

struct fixture {
	struct bus bus;
	struct vioapic io;
	struct apic_msg msg[64];
	u32 n;
	bool refuse;
};

static bool deliver(void *ctx, const struct apic_msg *m)
{
	struct fixture *f = ctx;

	assert_true(f->n < 64);
	f->msg[f->n++] = *m;
	return !f->refuse;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	bus_init(&f->bus);
	*state = f;
	return vioapic_init(&f->io, &f->bus, deliver, f);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int err = vioapic_state_check(&f->io.s);

	free(f);
	return err;
}

static u64 load(struct fixture *f, u32 off, u8 size)
{
	u64 val = 0;

	assert_int_equal(bus_mmio(&f->bus, VIOAPIC_BASE + off, size, false, &val), BUS_OK);
	return val;
}

static void store(struct fixture *f, u32 off, u8 size, u64 val)
{
	assert_int_equal(bus_mmio(&f->bus, VIOAPIC_BASE + off, size, true, &val), BUS_OK);
}

static u32 get(struct fixture *f, u8 index)
{
	store(f, SEL, 4, index);
	return (u32)load(f, WIN, 4);
}

static void set(struct fixture *f, u8 index, u32 val)
{
	store(f, SEL, 4, index);
	store(f, WIN, 4, val);
}

static u32 low(struct fixture *f, u8 pin)
{
	return get(f, 0x10 + 2 * pin);
}

static void set_low(struct fixture *f, u8 pin, u32 val)
{
	set(f, 0x10 + 2 * pin, val);
}

/* As kvm-unit-tests do: up, down. */
static void pulse(struct fixture *f, u8 pin)
{
	vioapic_set_irq(&f->io, pin, true);
	vioapic_set_irq(&f->io, pin, false);
}

static void test_reset(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, SEL, 4), 0);
	assert_int_equal(get(f, 0), 0);
	/* ICH9 13.5.6: 24 entries, version 20h, no PRQ. */
	assert_int_equal(get(f, 1), 0x00170020);
	assert_int_equal(get(f, 2), 0);
	for (u8 pin = 0; pin < 24; pin++) {
		assert_int_equal(low(f, pin), MASKED);
		assert_int_equal(get(f, 0x11 + 2 * pin), 0);
	}
	assert_int_equal(vioapic_state_check(&f->io.s), 0);
}

static void test_id_and_arbitration(void **state)
{
	struct fixture *f = *state;

	set(f, 1, ~0u);
	assert_int_equal(get(f, 1), 0x00170020);
	set(f, 0, ~0u);
	assert_int_equal(get(f, 0), 0x0f000000);
	/* 3.2.3: loaded with the identification; read only. */
	assert_int_equal(get(f, 2), 0x0f000000);
	set(f, 2, 0);
	assert_int_equal(get(f, 2), 0x0f000000);
	set(f, 0, 0x05123456);
	assert_int_equal(get(f, 0), 0x05000000);
	assert_int_equal(get(f, 2), 0x05000000);
}

static void test_entry_bits(void **state)
{
	struct fixture *f = *state;

	/* Mask stays so that nothing is sent; 55:17 are reserved, 12 and 14 read only. */
	for (u8 pin = 0; pin < 24; pin++) {
		set_low(f, pin, ~0u);
		set(f, 0x11 + 2 * pin, ~0u);
	}
	for (u8 pin = 0; pin < 24; pin++) {
		assert_int_equal(low(f, pin), 0x0001afff);
		assert_int_equal(get(f, 0x11 + 2 * pin), 0xff000000);
	}
	assert_int_equal(f->n, 0);
}

static void test_reserved_indexes(void **state)
{
	struct fixture *f = *state;

	for (u32 i = 0; i < 256; i++) {
		if (i <= 2 || (i >= 0x10 && i < 0x40))
			continue;
		set(f, (u8)i, ~0u);
		assert_int_equal(get(f, (u8)i), 0);
	}
	assert_int_equal(get(f, 0), 0);
	assert_int_equal(low(f, 0), MASKED);
	/* ICH9 13.5.2: 8 bits. */
	store(f, SEL, 4, 0x12345601);
	assert_int_equal(load(f, SEL, 4), 1);
}

static void test_decoding(void **state)
{
	struct fixture *f = *state;

	set(f, 0x11, 0xab000000);
	for (u32 off = 4; off < 0x1000; off += 4) {
		if (off == WIN)
			continue;
		assert_int_equal(load(f, off, 4), 0);
		if (off != EOIR)
			store(f, off, 4, 0x10);
	}
	assert_int_equal(load(f, SEL, 4), 0x11);
	assert_int_equal(load(f, WIN, 4), 0xab000000);
	assert_int_equal(load(f, EOIR, 4), 0);
	assert_true(bus_mmio_claimed(&f->bus, VIOAPIC_BASE + 0xfff));
	assert_false(bus_mmio_claimed(&f->bus, VIOAPIC_BASE + 0x1000));
}

static void test_partial_accesses(void **state)
{
	struct fixture *f = *state;

	store(f, SEL, 1, 0x10);
	assert_int_equal(load(f, SEL, 1), 0x10);
	store(f, SEL + 1, 1, 0x12);
	assert_int_equal(load(f, SEL, 2), 0x10);
	store(f, WIN, 4, 0x1a9ff);
	assert_int_equal(load(f, WIN + 1, 1), 0xa9);
	assert_int_equal(load(f, WIN, 2), 0xa9ff);
	assert_int_equal(load(f, WIN + 2, 2), 0x0001);
	store(f, WIN, 1, 0x31);
	assert_int_equal(load(f, WIN, 4), 0x1a931);
	store(f, WIN + 1, 1, 0);
	assert_int_equal(load(f, WIN, 4), 0x10031);
	/* Across the border: the last byte before the window, three of it. */
	store(f, WIN - 1, 4, 0x01020304);
	assert_int_equal(load(f, WIN, 4), 0x10203);
	assert_int_equal(load(f, WIN - 1, 4), 0x01020300);
	/* 64 bits: two registers. */
	store(f, SEL, 8, 0xffffffff00000011);
	assert_int_equal(load(f, SEL, 8), 0x11);
	store(f, WIN, 8, 0xffffffff55000000);
	assert_int_equal(load(f, WIN, 8), 0x55000000);
}

static void test_message(void **state)
{
	static const struct {
		u32 high, low;
		struct apic_msg msg;
	} rows[] = {
		{ 0x01000000, 0x0031, { .dest = 1, .mode = APIC_FIXED, .vector = 0x31 } },
		{ 0xff000000, 0x0931, { .dest = 0xff, .mode = APIC_LOWEST, .vector = 0x31,
				       .logical = true } },
		{ 0x0d000000, 0xa886, { .dest = 0x0d, .mode = APIC_FIXED, .vector = 0x86,
				       .logical = true, .level = true } },
		{ 0x00000000, 0x8186, { .mode = APIC_LOWEST, .vector = 0x86, .level = true } },
		/* 3.2.4: always edges, whatever bit 15 says. */
		{ 0x00000000, 0x8200, { .mode = APIC_SMI } },
		{ 0x02000000, 0x8400, { .dest = 2, .mode = APIC_NMI } },
		{ 0x03000000, 0x8500, { .dest = 3, .mode = APIC_INIT } },
		{ 0x00000000, 0x8700, { .mode = APIC_EXTINT } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture *f = *state;
		u8 pin = (u8)i;

		f->n = 0;
		set(f, 0x11 + 2 * pin, rows[i].high);
		set_low(f, pin, rows[i].low);
		assert_int_equal(f->n, 0);
		vioapic_set_irq(&f->io, pin, true);
		assert_int_equal(f->n, 1);
		assert_memory_equal(&f->msg[0], &rows[i].msg, sizeof(rows[i].msg));
		assert_int_equal(low(f, pin), rows[i].low | (rows[i].msg.level ? RIRR : 0));
	}
}

static void test_reserved_modes_send_nothing(void **state)
{
	struct fixture *f = *state;

	for (u32 mode = 3; mode <= 6; mode += 3) {
		set_low(f, 5, mode << 8 | 0x31);
		pulse(f, 5);
		set_low(f, 5, mode << 8 | LEVEL | 0x31);
		pulse(f, 5);
	}
	assert_int_equal(f->n, 0);
}

static void test_edge(void **state)
{
	struct fixture *f = *state;

	set_low(f, 14, 0x76);
	vioapic_set_irq(&f->io, 14, true);
	assert_int_equal(f->n, 1);
	/* No edge. */
	vioapic_set_irq(&f->io, 14, true);
	assert_int_equal(f->n, 1);
	assert_int_equal(low(f, 14), 0x76);
	vioapic_set_irq(&f->io, 14, false);
	vioapic_eoi(&f->io, 0x76);
	pulse(f, 14);
	assert_int_equal(f->n, 2);
	/* Accepted or not: gone. */
	f->refuse = true;
	vioapic_set_irq(&f->io, 14, true);
	f->refuse = false;
	vioapic_eoi(&f->io, 0x76);
	assert_int_equal(low(f, 14), 0x76);
	assert_int_equal(f->n, 3);
}

static void test_masked_edge_is_lost(void **state)
{
	struct fixture *f = *state;

	set_low(f, 14, MASKED | 0x81);
	pulse(f, 14);
	vioapic_set_irq(&f->io, 14, true);
	set_low(f, 14, 0x81);
	assert_int_equal(f->n, 0);
	vioapic_set_irq(&f->io, 14, false);
	vioapic_set_irq(&f->io, 14, true);
	assert_int_equal(f->n, 1);
}

static void test_masked_level_waits(void **state)
{
	struct fixture *f = *state;

	set_low(f, 14, MASKED | LEVEL | 0x82);
	vioapic_set_irq(&f->io, 14, true);
	assert_int_equal(f->n, 0);
	assert_int_equal(low(f, 14), MASKED | LEVEL | 0x82);
	set_low(f, 14, LEVEL | 0x82);
	assert_int_equal(f->n, 1);
	assert_int_equal(low(f, 14), LEVEL | RIRR | 0x82);
	/* One that was withdrawn does not. */
	set_low(f, 15, MASKED | LEVEL | 0x83);
	pulse(f, 15);
	set_low(f, 15, LEVEL | 0x83);
	assert_int_equal(f->n, 1);
}

static void test_level_until_eoi(void **state)
{
	struct fixture *f = *state;

	set_low(f, 14, LEVEL | 0x98);
	vioapic_set_irq(&f->io, 14, true);
	assert_int_equal(low(f, 14), LEVEL | RIRR | 0x98);
	/* Coalesced while in service. */
	pulse(f, 14);
	assert_int_equal(f->n, 1);
	vioapic_eoi(&f->io, 0x97);
	assert_int_equal(low(f, 14), LEVEL | RIRR | 0x98);
	vioapic_eoi(&f->io, 0x98);
	assert_int_equal(low(f, 14), LEVEL | 0x98);
	assert_int_equal(f->n, 1);
	/* Still asserted at EOI: again. */
	vioapic_set_irq(&f->io, 14, true);
	vioapic_eoi(&f->io, 0x98);
	assert_int_equal(f->n, 3);
	assert_int_equal(low(f, 14), LEVEL | RIRR | 0x98);
	/* Masked in the handler: EOI clears Remote IRR and sends nothing until unmasked. */
	set_low(f, 14, MASKED | LEVEL | 0x98);
	assert_int_equal(low(f, 14), MASKED | LEVEL | RIRR | 0x98);
	vioapic_eoi(&f->io, 0x98);
	assert_int_equal(low(f, 14), MASKED | LEVEL | 0x98);
	assert_int_equal(f->n, 3);
	set_low(f, 14, LEVEL | 0x98);
	assert_int_equal(f->n, 4);
}

static void test_eoi_register(void **state)
{
	struct fixture *f = *state;

	/* ICH9 13.5.4: every entry with that vector; bits 31:8 do not count. */
	set_low(f, 3, LEVEL | 0x40);
	set_low(f, 4, LEVEL | 0x40);
	set_low(f, 5, LEVEL | 0x41);
	for (u8 pin = 3; pin <= 5; pin++)
		vioapic_set_irq(&f->io, pin, true);
	vioapic_set_irq(&f->io, 3, false);
	assert_int_equal(f->n, 3);
	/* Another byte of it is no EOI, not even of vector 0. */
	set_low(f, 6, LEVEL);
	vioapic_set_irq(&f->io, 6, true);
	store(f, EOIR + 1, 1, 0x40);
	assert_int_equal(low(f, 6), LEVEL | RIRR);
	assert_int_equal(f->n, 4);
	store(f, EOIR, 4, 0xffffff40);
	assert_int_equal(low(f, 3), LEVEL | 0x40);
	assert_int_equal(low(f, 4), LEVEL | RIRR | 0x40);
	assert_int_equal(low(f, 5), LEVEL | RIRR | 0x41);
	assert_int_equal(f->n, 5);
	store(f, EOIR, 1, 0x41);
	assert_int_equal(f->n, 6);
}

static void test_edge_clears_remote_irr(void **state)
{
	struct fixture *f = *state;

	/* How Linux ends a level without an EOI register: masked edge, then back. */
	set_low(f, 9, LEVEL | 0x50);
	vioapic_set_irq(&f->io, 9, true);
	set_low(f, 9, MASKED | LEVEL | 0x50);
	assert_int_equal(low(f, 9), MASKED | LEVEL | RIRR | 0x50);
	set_low(f, 9, MASKED | 0x50);
	assert_int_equal(low(f, 9), MASKED | 0x50);
	set_low(f, 9, LEVEL | 0x50);
	assert_int_equal(low(f, 9), LEVEL | RIRR | 0x50);
	assert_int_equal(f->n, 2);
	/* An asserted line that becomes an edge is none. */
	set_low(f, 9, 0x50);
	assert_int_equal(low(f, 9), 0x50);
	assert_int_equal(f->n, 2);
	/* And a level of a mode that is always an edge has no Remote IRR. */
	set_low(f, 9, LEVEL | 0x50);
	set_low(f, 9, LEVEL | 0x450);
	assert_int_equal(low(f, 9), LEVEL | 0x450);
	assert_int_equal(f->n, 3);
}

static void test_new_destination_in_service(void **state)
{
	struct fixture *f = *state;

	set_low(f, 14, LEVEL | 0x84);
	vioapic_set_irq(&f->io, 14, true);
	set(f, 0x11 + 28, 0x01000000);
	assert_int_equal(low(f, 14), LEVEL | RIRR | 0x84);
	assert_int_equal(f->n, 1);
	vioapic_eoi(&f->io, 0x84);
	assert_int_equal(f->n, 2);
	assert_int_equal(f->msg[1].dest, 1);
	/* Another vector meanwhile: the old one's EOI finds no entry. */
	set_low(f, 14, LEVEL | 0x85);
	vioapic_eoi(&f->io, 0x84);
	assert_int_equal(low(f, 14), LEVEL | RIRR | 0x85);
	vioapic_eoi(&f->io, 0x85);
	assert_int_equal(f->n, 3);
}

static void test_level_that_nobody_takes(void **state)
{
	struct fixture *f = *state;

	f->refuse = true;
	set_low(f, 10, LEVEL | 0x60);
	vioapic_set_irq(&f->io, 10, true);
	assert_int_equal(f->n, 1);
	assert_int_equal(low(f, 10), LEVEL | PENDING | 0x60);
	set_low(f, 10, MASKED | LEVEL | 0x60);
	assert_int_equal(low(f, 10), MASKED | LEVEL | 0x60);
	set_low(f, 10, LEVEL | 0x60);
	assert_int_equal(f->n, 2);
	f->refuse = false;
	vioapic_eoi(&f->io, 0x10);
	assert_int_equal(f->n, 3);
	assert_int_equal(low(f, 10), LEVEL | RIRR | 0x60);
}

static void test_polarity_has_no_effect(void **state)
{
	struct fixture *f = *state;

	set_low(f, 11, 0x2070);
	assert_int_equal(f->n, 0);
	vioapic_set_irq(&f->io, 11, true);
	assert_int_equal(f->n, 1);
	vioapic_set_irq(&f->io, 11, false);
	assert_int_equal(f->n, 1);
	set_low(f, 11, LEVEL | 0x2070);
	assert_int_equal(f->n, 1);
	vioapic_set_irq(&f->io, 11, true);
	assert_int_equal(low(f, 11), LEVEL | RIRR | 0x2070);
}

static void test_pins_that_do_not_exist(void **state)
{
	struct fixture *f = *state;

	for (u32 pin = 24; pin < 256; pin++)
		pulse(f, (u8)pin);
	assert_int_equal(f->n, 0);
	assert_int_equal(f->io.s.level, 0);
	set_low(f, 23, 0x71);
	pulse(f, 23);
	assert_int_equal(f->n, 1);
}

static void test_state_check(void **state)
{
	struct fixture *f = *state;
	struct vioapic_state s = f->io.s;
	static const u64 bad[] = {
		MASKED | PENDING, MASKED | BIT(17), MASKED | BIT(55), RIRR | 0x31,
		RIRR | LEVEL | 0x431,
	};

	s.redir[23] = 0xff0000000000e931;
	s.level = 0xffffff;
	s.id = 0x0f000000;
	s.select = 0xff;
	assert_int_equal(vioapic_state_check(&s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		s.redir[23] = bad[i];
		assert_int_equal(vioapic_state_check(&s), -EINVAL);
	}
	s = f->io.s;
	s.level = 0x1000000;
	assert_int_equal(vioapic_state_check(&s), -EINVAL);
	s = f->io.s;
	s.id = 0x10000000;
	assert_int_equal(vioapic_state_check(&s), -EINVAL);
	s = f->io.s;
	s.select = 0x100;
	assert_int_equal(vioapic_state_check(&s), -EINVAL);
	s = f->io.s;
	s.reserved = 1;
	assert_int_equal(vioapic_state_check(&s), -EINVAL);
}

static void test_address_taken(void **state)
{
	struct fixture *f = *state;
	struct vioapic other;

	assert_int_equal(vioapic_init(&other, &f->bus, deliver, f), -EEXIST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reset), T(test_id_and_arbitration), T(test_entry_bits),
		T(test_reserved_indexes), T(test_decoding), T(test_partial_accesses),
		T(test_message), T(test_reserved_modes_send_nothing), T(test_edge),
		T(test_masked_edge_is_lost), T(test_masked_level_waits),
		T(test_level_until_eoi), T(test_eoi_register), T(test_edge_clears_remote_irr),
		T(test_new_destination_in_service), T(test_level_that_nobody_takes),
		T(test_polarity_has_no_effect), T(test_pins_that_do_not_exist),
		T(test_state_check), T(test_address_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
