// SPDX-License-Identifier: MIT
#include "core/dev/vpic.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(accesses, "/kvm/dev", "pic", "count", "accesses to the 8259 interrupt controllers");
STAT_COUNTER(spurious, "/kvm/dev", "pic_spurious", "count",
	     "acknowledge cycles for which an 8259 had no request");

enum { MASTER, SLAVE };

/* 8259A figure 6: the initialization sequence. */
enum {
	PIC_READY,		/* A0 = 1 is OCW1 */
	PIC_ICW2,
	PIC_ICW3,
	PIC_ICW4,
	PIC_POWER_ON,		/* no ICW1 yet; OCW1 */
};

/* 8259A figure 7 */
#define ICW1		0x10	/* D4, with A0 = 0 */
#define ICW1_SNGL	0x02
#define ICW1_IC4	0x01
#define ICW4_SFNM	0x10
#define ICW4_AEOI	0x02

/* 8259A figure 8 */
#define OCW2_R		0x80
#define OCW2_SL		0x40
#define OCW2_EOI	0x20
#define OCW3		0x08	/* D3, with D4 = 0 */
#define OCW3_ESMM	0x40
#define OCW3_SMM	0x20
#define OCW3_P		0x04
#define OCW3_RR		0x02
#define OCW3_RIS	0x01

#define CASCADE_IR	2	/* of a PC */
#define SLAVE_ID	7	/* 8259A, ICW1 d: after ICW1 */

/* ICH9 13.4.10, 13.4.11: IRQ 0, 1, 2, 8 and 13 are edges. */
static const u8 elcr_bits[2] = { 0xf8, 0xde };

static u8 bit(int n)
{
	return (u8)(1 << n);
}

/* A level is a request as long as it lasts, an edge until it is acknowledged. */
static u8 irr(const struct vpic_chip *c)
{
	return (c->edge | c->elcr) & c->line;
}

/* Distance from the highest priority. */
static int rank(const struct vpic_chip *c, int n)
{
	return (n - c->lowest - 1) & 7;
}

static int highest(const struct vpic_chip *c, u8 bits)
{
	u32 first = (c->lowest + 1u) & 7;

	if (!bits)
		return -1;
	/* Turned so that bit 0 has the highest priority. */
	return (int)((first + (u32)__builtin_ctz((bits | (u32)bits << 8) >> first)) & 7);
}

/* In-service bits that count: not the masked ones in special mask mode. */
static u8 in_service(const struct vpic_chip *c)
{
	return c->special_mask ? c->isr & (u8)~c->imr : c->isr;
}

/* The input for which the chip raises INT, or -1. */
static int request(const struct vpic_state *s, int chip)
{
	const struct vpic_chip *c = &s->chip[chip];
	int n = highest(c, irr(c) & (u8)~c->imr), serving;

	if (n < 0 || c->init != PIC_READY)
		return -1;
	serving = highest(c, in_service(c));
	if (serving < 0 || rank(c, n) < rank(c, serving))
		return n;
	/* Special fully nested: a slave in service is not locked out. */
	if (n == serving && chip == MASTER && c->special_nested && (c->cascade & bit(n)))
		return n;
	return -1;
}

bool vpic_intr(const struct vpic *p)
{
	return request(&p->s, MASTER) >= 0;
}

static void set_line(struct vpic_chip *c, int n, bool level)
{
	if (!level) {
		c->edge &= (u8)~bit(n);
		c->line &= (u8)~bit(n);
		return;
	}
	if (!(c->line & bit(n)))
		c->edge |= bit(n);
	c->line |= bit(n);
}

/* After any change; was: INTR before it. */
static void settle(struct vpic *p, bool was)
{
	bool now;

	set_line(&p->s.chip[MASTER], CASCADE_IR, request(&p->s, SLAVE) >= 0);
	now = vpic_intr(p);
	if (now != was)
		p->intr(p->ctx, now);
}

void vpic_set_irq(struct vpic *p, u8 irq, bool level)
{
	bool was;

	if (irq > 15 || irq == CASCADE_IR)
		return;
	/* Devices tell their level after each access. */
	if (!(p->s.chip[irq / 8].line & bit(irq % 8)) == !level)
		return;
	was = vpic_intr(p);
	set_line(&p->s.chip[irq / 8], irq % 8, level);
	settle(p, was);
}

/* The chip's part of an acknowledge cycle or a poll: the input, or -1. */
static int chip_ack(struct vpic *p, int chip)
{
	struct vpic_chip *c = &p->s.chip[chip];
	int n = request(&p->s, chip);

	if (n < 0)
		return n;
	c->edge &= (u8)~bit(n);
	if (!c->auto_eoi)
		c->isr |= bit(n);
	else if (c->rotate_aeoi)
		c->lowest = (u8)n;
	/* INT falls, so that what is still requested makes a new edge. */
	if (chip == SLAVE)
		set_line(&p->s.chip[MASTER], CASCADE_IR, false);
	return n;
}

/* 8259A, interrupt sequence 6: without a request it is IR7, and no ISR bit. */
static u8 chip_vector(struct vpic *p, int chip)
{
	int n = chip_ack(p, chip);

	if (n < 0) {
		stat_inc(&spurious);
		n = 7;
	} else if (chip == MASTER && (p->s.chip[MASTER].cascade & bit(n))) {
		/* The slave of that name drives the bus, else nobody does. */
		return p->s.chip[SLAVE].cascade == n ? chip_vector(p, SLAVE) : 0xff;
	}
	return p->s.chip[chip].base | (u8)n;
}

/* INT goes low in the cycle. */
static void ack_begin(struct vpic *p)
{
	if (vpic_intr(p))
		p->intr(p->ctx, false);
}

u8 vpic_ack(struct vpic *p)
{
	u8 vector;

	ack_begin(p);
	vector = chip_vector(p, MASTER);
	settle(p, false);
	return vector;
}

/* 8259A, ICW1 a to f.  The in-service bits go, too, or nothing could follow. */
static void icw1(struct vpic *p, int chip, u8 val)
{
	struct vpic_chip *c = &p->s.chip[chip], old = *c;

	memset(c, 0, sizeof(*c));
	c->line = old.line;
	c->elcr = old.elcr;
	c->base = old.base;
	c->cascade = chip == SLAVE ? SLAVE_ID : 0;
	c->lowest = 7;
	c->single = !!(val & ICW1_SNGL);
	c->need_icw4 = !!(val & ICW1_IC4);
	c->init = PIC_ICW2;
}

static void ready(struct vpic_chip *c)
{
	c->single = 0;
	c->need_icw4 = 0;
	c->init = PIC_READY;
}

/* A0 = 1 */
static void write_data(struct vpic *p, int chip, u8 val)
{
	struct vpic_chip *c = &p->s.chip[chip];

	switch (c->init) {
	case PIC_ICW2:
		c->base = val & 0xf8;
		if (!c->single)
			c->init = PIC_ICW3;
		else if (c->need_icw4)
			c->init = PIC_ICW4;
		else
			ready(c);
		break;
	case PIC_ICW3:
		c->cascade = chip == SLAVE ? val & 7 : val;
		if (c->need_icw4)
			c->init = PIC_ICW4;
		else
			ready(c);
		break;
	case PIC_ICW4:
		c->auto_eoi = !!(val & ICW4_AEOI);
		c->special_nested = !!(val & ICW4_SFNM);
		ready(c);
		break;
	default:
		c->imr = val;
		break;
	}
}

static void ocw2(struct vpic_chip *c, u8 val)
{
	bool rotate = val & OCW2_R, specific = val & OCW2_SL;
	int n = val & 7;

	if (!(val & OCW2_EOI)) {
		if (!specific)
			c->rotate_aeoi = rotate;
		else if (rotate)
			c->lowest = (u8)n;
		return;
	}
	/* 8259A, EOI: not specific spares what special mask mode has masked. */
	if (!specific)
		n = highest(c, in_service(c));
	if (n < 0)
		return;
	c->isr &= (u8)~bit(n);
	if (rotate)
		c->lowest = (u8)n;
}

static void ocw3(struct vpic_chip *c, u8 val)
{
	if (val & OCW3_ESMM)
		c->special_mask = !!(val & OCW3_SMM);
	if (val & OCW3_RR)
		c->read_isr = val & OCW3_RIS;
	c->poll = !!(val & OCW3_P);
}

static enum bus_result chip_write(struct vpic *p, int chip, u64 off, u8 val)
{
	bool was = vpic_intr(p);

	if (off)
		write_data(p, chip, val);
	else if (val & ICW1)
		icw1(p, chip, val);
	else if (val & OCW3)
		ocw3(&p->s.chip[chip], val);
	else
		ocw2(&p->s.chip[chip], val);
	settle(p, was);
	return BUS_OK;
}

/* 8259A, poll command: the next read, of either address, acknowledges. */
static u8 poll(struct vpic *p, int chip)
{
	bool was = vpic_intr(p);
	int n;

	p->s.chip[chip].poll = 0;
	if (chip == MASTER) {
		ack_begin(p);
		was = false;
	}
	n = chip_ack(p, chip);
	settle(p, was);
	return n < 0 ? 0 : 0x80 | (u8)n;
}

static u64 chip_read(struct vpic *p, int chip, u64 off)
{
	const struct vpic_chip *c = &p->s.chip[chip];

	if (c->poll)
		return poll(p, chip);
	if (off)
		return c->imr;
	return c->read_isr ? c->isr : irr(c);
}

static u64 master_read(void *ctx, u64 off, u8 size)
{
	return chip_read(ctx, MASTER, off);
}

static enum bus_result master_write(void *ctx, u64 off, u8 size, u64 val)
{
	return chip_write(ctx, MASTER, off, (u8)val);
}

static u64 slave_read(void *ctx, u64 off, u8 size)
{
	return chip_read(ctx, SLAVE, off);
}

static enum bus_result slave_write(void *ctx, u64 off, u8 size, u64 val)
{
	return chip_write(ctx, SLAVE, off, (u8)val);
}

static u64 elcr_read(void *ctx, u64 off, u8 size)
{
	const struct vpic *p = ctx;

	return p->s.chip[off].elcr;
}

static enum bus_result elcr_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpic *p = ctx;
	bool was = vpic_intr(p);

	p->s.chip[off].elcr = (u8)val & elcr_bits[off];
	settle(p, was);
	return BUS_OK;
}

static const struct bus_range ranges[] = {
	{ 0x20, 0x21, 1, master_read, master_write, NULL, &accesses },
	{ 0xa0, 0xa1, 1, slave_read, slave_write, NULL, &accesses },
	{ 0x4d0, 0x4d1, 1, elcr_read, elcr_write, NULL, &accesses },
};

int vpic_init(struct vpic *p, struct bus *bus, void (*intr)(void *ctx, bool level), void *ctx)
{
	int err = 0;

	memset(p, 0, sizeof(*p));
	p->intr = intr;
	p->ctx = ctx;
	for (int i = MASTER; i <= SLAVE; i++) {
		p->s.chip[i].init = PIC_POWER_ON;
		p->s.chip[i].lowest = 7;
	}
	p->s.chip[SLAVE].cascade = SLAVE_ID;
	for (size_t i = 0; i < ARRAY_SIZE(ranges) && !err; i++) {
		struct bus_range r = ranges[i];

		r.ctx = p;
		err = bus_add_io(bus, &r);
	}
	return err;
}

/* Words that are still to come have had no effect. */
static bool init_ok(const struct vpic_chip *c)
{
	if (c->init > PIC_POWER_ON || c->single > 1 || c->need_icw4 > 1)
		return false;
	if (c->init != PIC_READY && (c->isr || c->auto_eoi || c->special_nested))
		return false;
	switch (c->init) {
	case PIC_ICW2:
		return !c->imr;
	case PIC_ICW3:
		return !c->imr && !c->single;
	case PIC_ICW4:
		return !c->imr && c->need_icw4;
	default:
		return !c->single && !c->need_icw4;
	}
}

static bool chip_ok(const struct vpic_chip *c, int chip)
{
	u8 flags = c->read_isr | c->poll | c->special_mask | c->auto_eoi | c->rotate_aeoi |
		   c->special_nested;

	if (flags > 1 || c->reserved[0] || c->reserved[1] || c->reserved[2])
		return false;
	if ((c->edge & (u8)~c->line) || (c->elcr & (u8)~elcr_bits[chip]) || (c->base & 7) ||
	    c->lowest > 7 || (chip == SLAVE && c->cascade > 7))
		return false;
	/* Automatic EOI: nothing is ever in service. */
	return init_ok(c) && !(c->auto_eoi && c->isr);
}

int vpic_state_check(const struct vpic_state *s)
{
	bool cascade;

	if (!chip_ok(&s->chip[MASTER], MASTER) || !chip_ok(&s->chip[SLAVE], SLAVE))
		return -EINVAL;
	cascade = s->chip[MASTER].line & bit(CASCADE_IR);
	return cascade == (request(s, SLAVE) >= 0) ? 0 : -EINVAL;
}
