// SPDX-License-Identifier: MIT
#include "core/dev/vioapic.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(accesses, "/kvm/dev", "ioapic", "count", "accesses to the I/O APIC");
STAT_COUNTER(messages, "/kvm/dev", "ioapic_messages", "count",
	     "interrupt messages that the I/O APIC sent");

/* Memory: 82093AA 3.1, ICH9 13.5.1. */
#define IOREGSEL	0x00
#define IOWIN		0x10
#define EOIR		0x40

/* Through IOREGSEL and IOWIN: 82093AA 3.2. */
#define IOAPICID	0x00
#define IOAPICVER	0x01
#define IOAPICARB	0x02
#define IOREDTBL	0x10

#define ID_BITS		0x0f000000u	/* 82093AA 3.2.1: 27:24 */
#define VERSION		0x20u		/* ICH9 13.5.6; no PRQ */

/* 82093AA 3.2.4 */
#define RTE_LOGICAL	BIT(11)
#define RTE_PENDING	BIT(12)		/* Delivery Status */
#define RTE_REMOTE_IRR	BIT(14)
#define RTE_LEVEL	BIT(15)
#define RTE_MASKED	BIT(16)
/* Destination, mask, trigger mode, polarity, modes and vector; 55:17 are reserved. */
#define RTE_WRITABLE	(BITS(63, 56) | RTE_MASKED | RTE_LEVEL | BIT(13) | BITS(11, 0))

static u8 rte_mode(u64 e)
{
	return (u8)FIELD_GET(e, 10, 8);
}

/*
 * 82093AA 3.2.4: NMI and INIT are edges even if programmed otherwise; SMI and
 * ExtINT require an edge.  Only fixed and lowest priority can be a level.
 */
static bool is_level(u64 e)
{
	return (e & RTE_LEVEL) && rte_mode(e) <= APIC_LOWEST;
}

static bool asserted(const struct vioapic *io, u8 pin)
{
	return io->s.level & BIT(pin);
}

/* A level that waits: not masked, not in service. */
static bool wants_level(const struct vioapic *io, u8 pin)
{
	u64 e = io->s.redir[pin];

	return asserted(io, pin) && is_level(e) && !(e & (RTE_MASKED | RTE_REMOTE_IRR));
}

static bool send(struct vioapic *io, u8 pin)
{
	u64 e = io->s.redir[pin];
	struct apic_msg m = {
		.dest = (u32)(e >> 56),
		.mode = rte_mode(e),
		.vector = (u8)e,
		.logical = e & RTE_LOGICAL,
		.level = is_level(e),
	};

	/* 82093AA 3.2.4: 011 and 110 are reserved (110 would be a SIPI). */
	if (m.mode == APIC_MODE_3 || m.mode == APIC_SIPI)
		return false;
	stat_inc(&messages);
	return io->deliver(io->ctx, &m);
}

/* 82093AA 3.2.4: Remote IRR is set when a local APIC accepts the level. */
static void service_level(struct vioapic *io, u8 pin)
{
	if (wants_level(io, pin) && send(io, pin))
		io->s.redir[pin] |= RTE_REMOTE_IRR;
}

void vioapic_set_irq(struct vioapic *io, u8 pin, bool level)
{
	bool was;

	if (pin >= VIOAPIC_PINS)
		return;
	was = asserted(io, pin);
	if (!level) {
		io->s.level &= ~(u32)BIT(pin);
		return;
	}
	io->s.level |= (u32)BIT(pin);
	if (is_level(io->s.redir[pin]))
		service_level(io, pin);
	else if (!was && !(io->s.redir[pin] & RTE_MASKED))
		/* 82093AA 3.2.4: an edge on a masked pin is not held. */
		(void)send(io, pin);
}

/*
 * ICH9 13.5.4: Remote IRR goes in each entry with that vector; one whose input
 * is still active is issued again.
 */
void vioapic_eoi(struct vioapic *io, u8 vector)
{
	for (u8 pin = 0; pin < VIOAPIC_PINS; pin++) {
		if ((u8)io->s.redir[pin] == vector)
			io->s.redir[pin] &= ~RTE_REMOTE_IRR;
		service_level(io, pin);
	}
}

static u64 rte_read(const struct vioapic *io, u8 pin)
{
	return io->s.redir[pin] | (wants_level(io, pin) ? RTE_PENDING : 0);
}

static u32 window_read(const struct vioapic *io)
{
	u32 index = io->s.select, n = index - IOREDTBL;

	switch (index) {
	case IOAPICID:
	case IOAPICARB:
		/* 82093AA 3.2.3: loaded whenever IOAPICID is; there is no bus to rotate it. */
		return io->s.id;
	case IOAPICVER:
		return (VIOAPIC_PINS - 1) << 16 | VERSION;
	default:
		if (index < IOREDTBL || n >= 2 * VIOAPIC_PINS)
			return 0;
		return (u32)(rte_read(io, (u8)(n / 2)) >> (n % 2 * 32));
	}
}

static void rte_write(struct vioapic *io, u8 pin, u64 val, u64 lanes)
{
	u64 *e = &io->s.redir[pin];

	lanes &= RTE_WRITABLE;
	*e = (*e & ~lanes) | (val & lanes);
	/*
	 * Software without an EOI register ends a level by making its entry an
	 * edge for a moment: Remote IRR has no meaning there (82093AA 3.2.4).
	 */
	if (!is_level(*e))
		*e &= ~RTE_REMOTE_IRR;
	service_level(io, pin);
}

/* lanes: the bytes of the 32-bit register that are written. */
static void window_write(struct vioapic *io, u32 val, u32 lanes)
{
	u32 index = io->s.select, n = index - IOREDTBL;

	if (index == IOAPICID) {
		lanes &= ID_BITS;
		io->s.id = (io->s.id & ~lanes) | (val & lanes);
	} else if (index >= IOREDTBL && n < 2 * VIOAPIC_PINS) {
		rte_write(io, (u8)(n / 2), (u64)val << (n % 2 * 32), (u64)lanes << (n % 2 * 32));
	}
}

/* What is between the registers reads as 0. */
static u32 reg_read(const struct vioapic *io, u64 off)
{
	if (off == IOREGSEL)
		return io->s.select;
	return off == IOWIN ? window_read(io) : 0;
}

static void reg_write(struct vioapic *io, u64 off, u32 val, u32 lanes)
{
	/* ICH9 13.5.2, 13.5.4: 8 bits count. */
	bool low = lanes & 0xff;

	if (off == IOREGSEL && low)
		io->s.select = (u8)val;
	else if (off == IOWIN)
		window_write(io, val, lanes);
	else if (off == EOIR && low)
		vioapic_eoi(io, (u8)val);
}

/*
 * Software shall use aligned 32-bit accesses (82093AA 3.1).  Others get the
 * bytes that they name.
 */
static u64 mmio_read(void *ctx, u64 off, u8 size)
{
	u64 reg = off & ~3ULL, shift = off % 4 * 8, val = reg_read(ctx, reg);

	if (off % 4 + size > 4)
		val |= (u64)reg_read(ctx, reg + 4) << 32;
	return val >> shift;
}

static enum bus_result mmio_write(void *ctx, u64 off, u8 size, u64 val)
{
	u64 reg = off & ~3ULL, shift = off % 4 * 8, lanes = BITS(8 * size - 1, 0) << shift;

	val <<= shift;
	reg_write(ctx, reg, (u32)val, (u32)lanes);
	if (lanes >> 32)
		reg_write(ctx, reg + 4, (u32)(val >> 32), (u32)(lanes >> 32));
	return BUS_OK;
}

int vioapic_init(struct vioapic *io, struct bus *bus,
		 bool (*deliver)(void *ctx, const struct apic_msg *m), void *ctx)
{
	struct bus_range r = {
		.first = VIOAPIC_BASE,
		.last = VIOAPIC_BASE + VIOAPIC_SIZE - 1,
		.width = 4,
		.read = mmio_read,
		.write = mmio_write,
		.ctx = io,
		.accesses = &accesses,
	};

	memset(io, 0, sizeof(*io));
	io->deliver = deliver;
	io->ctx = ctx;
	/* 82093AA 3.2.4: masked after reset. */
	for (u8 pin = 0; pin < VIOAPIC_PINS; pin++)
		io->s.redir[pin] = RTE_MASKED;
	return bus_add_mmio(bus, &r);
}

int vioapic_state_check(const struct vioapic_state *s)
{
	if ((s->id & ~ID_BITS) || s->select > 0xff || s->level >= BIT(VIOAPIC_PINS) ||
	    s->reserved)
		return -EINVAL;
	for (u8 pin = 0; pin < VIOAPIC_PINS; pin++) {
		u64 e = s->redir[pin];

		if (e & ~(RTE_WRITABLE | RTE_REMOTE_IRR))
			return -EINVAL;
		if ((e & RTE_REMOTE_IRR) && !is_level(e))
			return -EINVAL;
	}
	return 0;
}
