// SPDX-License-Identifier: MIT
#include "core/dev/vpit.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(accesses, "/kvm/dev", "pit", "count", "accesses to the 8254 timer and port 0x61");

#define NSEC		1000000000ULL
/*
 * Number of the first CLK pulse: a counter whose half-cycle begins then has
 * its whole cycle at numbers that are not negative.
 */
#define CLK_FIRST	0x10000ULL
#define CLK_MAX		(CLK_FIRST + DEV_NEVER / NSEC * VPIT_HZ + VPIT_HZ)
/* Guests may ask for more interrupts than anybody could deliver: 20 us apart. */
#define CLK_MIN_EVENT	24

/* 82C54 figure 7: control word */
#define CW_BCD		0x01
#define CW_BITS		0x3f		/* RW, M, BCD: as the status byte has them */
#define READ_BACK	3		/* SC1:SC0 */
#define RB_NO_COUNT	0x20		/* figure 10 */
#define RB_NO_STATUS	0x10
#define RW_LATCH	0
#define RW_LSB		1
#define RW_MSB		2
#define RW_BOTH		3
#define CW_POWER_ON	(RW_BOTH << 4)

/* 82C54 figure 11: status byte */
#define STATUS_OUT	0x80
#define STATUS_NULL	0x40

/* ICH9 13.7.1 NMI_SC: bits 3:0 can be written. */
#define P61_GATE2	0x01
#define P61_WRITABLE	0x0f
#define P61_REFRESH	0x10
#define P61_OUT2	0x20
#define REFRESH_CLKS	18		/* 15.085 us, as channel 1 of an AT */

enum {
	PIT_IDLE,		/* nothing in the counting element */
	PIT_COUNTING,		/* from start on */
	PIT_HELD,		/* GATE is low */
	PIT_HALF_WRITTEN,	/* mode 0: first byte of a count disables counting */
};

static u64 clk_at(u64 ns)
{
	return CLK_FIRST + ns / NSEC * VPIT_HZ + ns % NSEC * VPIT_HZ / NSEC;
}

/* The first time at which clk_at() is clk. */
static u64 ns_at(u64 clk)
{
	u64 n = clk > CLK_FIRST ? clk - CLK_FIRST : 0;

	if (n / VPIT_HZ >= DEV_NEVER / NSEC)
		return DEV_NEVER;
	return n / VPIT_HZ * NSEC + (n % VPIT_HZ * NSEC + VPIT_HZ - 1) / VPIT_HZ;
}

/* M2 is no matter in modes 2 and 3. */
static u8 mode(const struct vpit_channel *ch)
{
	u8 m = ch->control >> 1 & 7;

	return m > 5 ? m - 4 : m;
}

static bool periodic(const struct vpit_channel *ch)
{
	return mode(ch) == 2 || mode(ch) == 3;
}

/* Modes 1 and 5 count from a rising edge of GATE on, whatever its level. */
static bool triggered(const struct vpit_channel *ch)
{
	return mode(ch) == 1 || mode(ch) == 5;
}

static u8 rw(const struct vpit_channel *ch)
{
	return ch->control >> 4;
}

/* CLKs counted. */
static u64 elapsed(const struct vpit_channel *ch, u64 t)
{
	if (ch->run != PIT_COUNTING)
		return ch->held;
	return t < ch->start ? 0 : t - ch->start;
}

/* Mode 3: high for (N + 1) / 2 counts, low for the rest. */
static u64 high_part(u64 n)
{
	return (n + 1) / 2;
}

static bool out_level(const struct vpit_channel *ch, u64 t)
{
	u64 e = elapsed(ch, t), n = ch->count;

	if (ch->run == PIT_IDLE || ch->run == PIT_HALF_WRITTEN || t < ch->start)
		return ch->out;
	switch (mode(ch)) {
	case 0:
	case 1:
		return e >= n;
	case 2:
		return ch->run == PIT_HELD || e % n != n - 1;
	case 3:
		return ch->run == PIT_HELD || e % n < high_part(n);
	default:
		return e != n;
	}
}

static u16 to_bcd(u64 v)
{
	return (u16)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12);
}

/* Digits above 9 are not defined; they count as what they are. */
static u32 from_bcd(u32 v)
{
	return (v & 0xf) + (v >> 4 & 0xf) * 10 + (v >> 8 & 0xf) * 100 + (v >> 12) * 1000;
}

/* The counting element as it is read. */
static u16 count_at(const struct vpit_channel *ch, u64 t)
{
	u64 n = ch->count, e = elapsed(ch, t), top = ch->control & CW_BCD ? 10000 : 65536, v;

	if (ch->run == PIT_IDLE)
		return 0;
	switch (mode(ch)) {
	case 2:
		v = n - e % n;
		break;
	case 3:
		/* By two; an odd count is loaded less one, and 0 is seen while OUT is high. */
		e %= n;
		v = (n & ~1ULL) - 2 * (e < high_part(n) ? e : e - high_part(n));
		break;
	default:
		/* Goes on past zero. */
		v = n + top - e % top;
		break;
	}
	return ch->control & CW_BCD ? to_bcd(v) : (u16)v;
}

/* The end of the cycle (modes 2, 3) that CLK t is in; t is not before start. */
static u64 cycle_end(const struct vpit_channel *ch, u64 t)
{
	return t - (t - ch->start) % ch->count + ch->count;
}

static bool in_high_part(const struct vpit_channel *ch, u64 t)
{
	return (t - ch->start) % ch->count < high_part(ch->count);
}

/* Mode 3: the end of the high half-cycle that t is in. */
static u64 half_end(const struct vpit_channel *ch, u64 t)
{
	return cycle_end(ch, t) - ch->count / 2;
}

/*
 * The next CLK after t at which OUT of a periodic mode rises.  A pending count
 * is taken over at the end of a cycle in mode 2, of a half-cycle in mode 3.  1
 * is no legal count there: OUT stays low in mode 2 and high in mode 3.
 */
static u64 periodic_rise(const struct vpit_channel *ch, u64 t)
{
	u32 next = ch->pending ? ch->reload : ch->count;

	if (t < ch->start)
		t = ch->start;
	if (mode(ch) == 3 && ch->pending && !in_high_part(ch, t))
		return cycle_end(ch, t);
	if (next == 1)
		return DEV_NEVER;
	if (mode(ch) == 3 && ch->pending)
		return half_end(ch, t) + next / 2;
	return cycle_end(ch, t);
}

/* The next CLK after t at which OUT rises, if nobody writes; DEV_NEVER. */
static u64 next_rise(const struct vpit_channel *ch, u64 t)
{
	u64 c;

	if (ch->run != PIT_COUNTING)
		return DEV_NEVER;
	if (periodic(ch))
		return periodic_rise(ch, t);
	c = ch->start + ch->count + (mode(ch) > 3);
	return c > t ? c : DEV_NEVER;
}

/* A count that was written while another one counts takes over at t or before. */
static void take_over(struct vpit_channel *ch, u64 t)
{
	bool falls;
	u64 end;

	if (!ch->pending || ch->run != PIT_COUNTING || !periodic(ch))
		return;
	falls = mode(ch) == 3 && in_high_part(ch, ch->seen);
	end = falls ? half_end(ch, ch->seen) : cycle_end(ch, ch->seen);
	if (end > t)
		return;
	ch->count = ch->reload;
	ch->start = falls ? end - high_part(ch->count) : end;
	ch->pending = 0;
}

static void set_line(struct vpit *p, bool level)
{
	if (p->s.line == level)
		return;
	p->s.line = level;
	p->env->set_irq(p->env->ctx, 0, level);
}

/* rose: since the line was set last. */
static void drive(struct vpit *p, bool rose, bool out)
{
	if (rose) {
		set_line(p, false);
		set_line(p, true);
		p->s.late = !out;
		return;
	}
	if (out)
		p->s.late = 0;
	if (!p->s.late)
		set_line(p, out);
}

/* Brings channel i up to CLK t; returns t, or where it was if that is later. */
static u64 settle(struct vpit *p, u8 i, u64 t)
{
	struct vpit_channel *ch = &p->s.ch[i];
	bool rose;

	t = MAX(t, ch->seen);
	rose = next_rise(ch, ch->seen) <= t;
	take_over(ch, t);
	ch->seen = t;
	if (t >= ch->start)
		ch->fresh = 0;
	if (i == 0)
		drive(p, rose, out_level(ch, t));
	return t;
}

static u64 settle_now(struct vpit *p, u8 i)
{
	return settle(p, i, clk_at(p->env->now(p->env->ctx)));
}

/* After a write to channel i, settled at t. */
static void written(struct vpit *p, u8 i, u64 t)
{
	if (i)
		return;
	drive(p, false, out_level(&p->s.ch[0], t));
	p->env->rearm(p->env->ctx);
}

/* 82C54, programming: OUT is set at once, counting waits for a count. */
static void write_control(struct vpit *p, u8 i, u8 val)
{
	u64 t = settle_now(p, i);
	struct vpit_channel *ch = &p->s.ch[i];
	u8 gate = ch->gate;

	memset(ch, 0, sizeof(*ch));
	ch->seen = t;
	ch->gate = gate;
	ch->control = val & CW_BITS;
	ch->out = mode(ch) != 0;
	if (i == 0)
		p->s.late = 0;
	written(p, i, t);
}

/* The CLK after t loads the counting element. */
static void load(struct vpit_channel *ch, u64 t, bool counting)
{
	/* OUT keeps low only where a running pulse is triggered again. */
	ch->out = mode(ch) != 0 && (mode(ch) != 1 || out_level(ch, t));
	ch->fresh = ch->pending || (ch->fresh && t < ch->start);
	ch->count = ch->reload;
	ch->start = t + 1;
	ch->held = 0;
	ch->pending = 0;
	ch->run = counting ? PIT_COUNTING : PIT_HELD;
}

static void new_count(struct vpit_channel *ch, u64 t, u32 val)
{
	u32 top = ch->control & CW_BCD ? 10000 : 65536;

	if (ch->control & CW_BCD)
		val = from_bcd(val);
	ch->reload = val ? val : top;
	ch->pending = 1;
	/* Not loaded yet: with this one. */
	if (t < ch->start || (!triggered(ch) && (!periodic(ch) || ch->run == PIT_IDLE)))
		load(ch, t, ch->gate || triggered(ch));
}

static void write_count(struct vpit *p, u8 i, u8 val)
{
	u64 t = settle_now(p, i);
	struct vpit_channel *ch = &p->s.ch[i];

	if (rw(ch) != RW_BOTH) {
		new_count(ch, t, rw(ch) == RW_LSB ? val : (u32)val << 8);
	} else if (ch->write_high) {
		ch->write_high = 0;
		new_count(ch, t, (u32)val << 8 | ch->write_low);
		ch->write_low = 0;
	} else {
		ch->write_high = 1;
		ch->write_low = val;
		/* 82C54, mode 0: the first byte disables counting and sets OUT low. */
		if (mode(ch) == 0 && ch->run != PIT_IDLE) {
			ch->held = elapsed(ch, t);
			ch->run = PIT_HALF_WRITTEN;
		}
	}
	written(p, i, t);
}

/* 82C54 figure 21: what an edge of GATE does. */
static void set_gate(struct vpit_channel *ch, u64 t, bool gate)
{
	bool rises = gate && !ch->gate, falls = !gate && ch->gate;

	ch->gate = gate;
	if (rises && triggered(ch)) {
		if (ch->reload)
			load(ch, t, true);
	} else if (rises && ch->run == PIT_HELD) {
		if (periodic(ch)) {
			load(ch, t, true);
		} else {
			t = MAX(t, ch->start);
			ch->start = t > ch->held ? t - ch->held : 0;
			ch->held = 0;
			ch->run = PIT_COUNTING;
		}
	} else if (falls && !triggered(ch) && ch->run == PIT_COUNTING) {
		ch->held = elapsed(ch, t);
		ch->run = PIT_HELD;
	}
}

/* 82C54: a latch that was not read yet keeps its value. */
static void latch_count(struct vpit_channel *ch, u64 t)
{
	if (ch->latched)
		return;
	ch->latched = 1;
	ch->latch = count_at(ch, t);
}

static void latch_status(struct vpit_channel *ch, u64 t)
{
	if (ch->status_latched)
		return;
	ch->status_latched = 1;
	ch->status = ch->control | (out_level(ch, t) ? STATUS_OUT : 0);
	/* 82C54 figure 12: the counting element does not have the new count yet. */
	if (ch->run == PIT_IDLE || ch->pending || ch->fresh)
		ch->status |= STATUS_NULL;
}

static void read_back(struct vpit *p, u8 val)
{
	for (u8 i = 0; i < 3; i++) {
		u64 t;

		if (!(val & 2 << i))
			continue;
		t = settle_now(p, i);
		if (!(val & RB_NO_COUNT))
			latch_count(&p->s.ch[i], t);
		if (!(val & RB_NO_STATUS))
			latch_status(&p->s.ch[i], t);
	}
}

static u8 read_count(struct vpit *p, u8 i)
{
	u64 t = settle_now(p, i);
	struct vpit_channel *ch = &p->s.ch[i];
	bool high = rw(ch) == RW_MSB || ch->read_high;
	u16 val = ch->status;

	if (ch->status_latched) {
		ch->status_latched = 0;
		ch->status = 0;
		return (u8)val;
	}
	val = ch->latched ? ch->latch : count_at(ch, t);
	if (rw(ch) == RW_BOTH)
		ch->read_high = !high;
	/* The latch is free again with the last byte of the count. */
	if (rw(ch) != RW_BOTH || high) {
		ch->latched = 0;
		ch->latch = 0;
	}
	return (u8)(high ? val >> 8 : val);
}

static u64 pit_read(void *ctx, u64 off, u8 size)
{
	/* 82C54: reading the control word is no operation, the bus floats. */
	return off < 3 ? read_count(ctx, (u8)off) : 0xff;
}

static enum bus_result pit_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpit *p = ctx;
	u8 i = (u8)val >> 6;

	if (off < 3)
		write_count(p, (u8)off, (u8)val);
	else if (i == READ_BACK)
		read_back(p, (u8)val);
	else if (FIELD_GET(val, 5, 4) == RW_LATCH)
		latch_count(&p->s.ch[i], settle_now(p, i));
	else
		write_control(p, i, (u8)val);
	return BUS_OK;
}

static u64 port61_read(void *ctx, u64 off, u8 size)
{
	struct vpit *p = ctx;
	u64 t = settle_now(p, 2);
	u8 val = p->s.port61;

	if (t / REFRESH_CLKS % 2)
		val |= P61_REFRESH;
	if (out_level(&p->s.ch[2], t))
		val |= P61_OUT2;
	return val;
}

static enum bus_result port61_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpit *p = ctx;
	u64 t = settle_now(p, 2);

	p->s.port61 = (u8)val & P61_WRITABLE;
	set_gate(&p->s.ch[2], t, val & P61_GATE2);
	return BUS_OK;
}

static const struct bus_range ranges[] = {
	{ 0x40, 0x43, 1, pit_read, pit_write, NULL, &accesses },
	{ 0x61, 0x61, 1, port61_read, port61_write, NULL, &accesses },
};

int vpit_init(struct vpit *p, struct bus *bus, const struct dev_env *env)
{
	int err = 0;

	memset(p, 0, sizeof(*p));
	p->env = env;
	for (u8 i = 0; i < 3; i++) {
		p->s.ch[i].seen = CLK_FIRST;
		p->s.ch[i].control = CW_POWER_ON;
		p->s.ch[i].gate = i != 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ranges) && !err; i++) {
		struct bus_range r = ranges[i];

		r.ctx = p;
		err = bus_add_io(bus, &r);
	}
	return err;
}

u64 vpit_next(const struct vpit *p)
{
	const struct vpit_channel *ch = &p->s.ch[0];
	u64 t = MAX(ch->seen, ch->start), c = next_rise(ch, ch->seen);

	if (ch->run == PIT_COUNTING && periodic(ch)) {
		/* Mode 3 falls in between, unless it stays high. */
		if (mode(ch) == 3 && in_high_part(ch, t) && (ch->pending || ch->count > 1))
			c = half_end(ch, t);
		if (ch->count < 2 * CLK_MIN_EVENT)
			c = MAX(c, ch->seen + CLK_MIN_EVENT);
	}
	return c == DEV_NEVER ? c : ns_at(c);
}

void vpit_tick(struct vpit *p, u64 now)
{
	settle(p, 0, clk_at(now));
}

/* What the access mode and the control word allow. */
static bool access_ok(const struct vpit_channel *ch)
{
	u8 flags = ch->pending | ch->fresh | ch->gate | ch->out | ch->latched |
		   ch->status_latched | ch->read_high | ch->write_high;

	if (flags > 1 || ch->reserved[0] || ch->reserved[1])
		return false;
	if ((ch->control & ~CW_BITS) || rw(ch) == RW_LATCH)
		return false;
	if (rw(ch) != RW_BOTH && (ch->read_high || ch->write_high))
		return false;
	if ((!ch->write_high && ch->write_low) || (!ch->latched && ch->latch))
		return false;
	return ch->status_latched ? (ch->status & CW_BITS) == ch->control : !ch->status;
}

/* No count is loaded: none is written, or it waits for a trigger. */
static bool idle_ok(const struct vpit_channel *ch)
{
	if (ch->count || ch->start || ch->held || ch->out != (mode(ch) != 0))
		return false;
	return ch->pending == !!ch->reload && (triggered(ch) || !ch->pending);
}

/* The ways of counting that each mode has, and when. */
static bool run_ok(const struct vpit_channel *ch)
{
	switch (ch->run) {
	case PIT_IDLE:
		return idle_ok(ch);
	case PIT_COUNTING:
		return !ch->held && (triggered(ch) || ch->gate);
	case PIT_HELD:
		return !ch->gate && !triggered(ch);
	case PIT_HALF_WRITTEN:
		return mode(ch) == 0 && ch->write_high;
	default:
		return false;
	}
}

static bool times_ok(const struct vpit_channel *ch)
{
	if (ch->seen < CLK_FIRST || ch->seen > CLK_MAX || ch->held > ch->seen)
		return false;
	return ch->start <= ch->seen + 1 && (!ch->fresh || ch->start > ch->seen);
}

static bool counts_ok(const struct vpit_channel *ch)
{
	if (ch->count > 65536 || ch->reload > 65536)
		return false;
	if (ch->run == PIT_IDLE)
		return true;
	if (!ch->count || !ch->reload || (!ch->pending && ch->reload != ch->count))
		return false;
	/* Only these wait, and only for a cycle that has begun. */
	return !ch->pending || triggered(ch) || (periodic(ch) && ch->start <= ch->seen);
}

static bool channel_ok(const struct vpit_channel *ch)
{
	if (!access_ok(ch) || !run_ok(ch) || !times_ok(ch) || !counts_ok(ch))
		return false;
	/* OUT before start: low in mode 0, perhaps in mode 1. */
	return mode(ch) == 0 ? !ch->out : mode(ch) == 1 || ch->out;
}

int vpit_state_check(const struct vpit_state *s)
{
	const struct vpit_channel *ch = &s->ch[0];

	for (int i = 0; i < 3; i++)
		if (!channel_ok(&s->ch[i]))
			return -EINVAL;
	for (size_t i = 0; i < sizeof(s->reserved); i++)
		if (s->reserved[i])
			return -EINVAL;
	if (!ch->gate || !s->ch[1].gate || s->ch[2].gate != (s->port61 & P61_GATE2) ||
	    (s->port61 & ~P61_WRITABLE) || s->late > 1)
		return -EINVAL;
	/* A late line is high while OUT is low. */
	return s->line == (out_level(ch, ch->seen) || s->late) &&
	       !(s->late && out_level(ch, ch->seen)) ? 0 : -EINVAL;
}
