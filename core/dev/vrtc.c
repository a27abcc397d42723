// SPDX-License-Identifier: MIT
#include "core/dev/vrtc.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(rtc, "/kvm/dev", "rtc", "count", "accesses to the clock and its memory");

/* MC146818, address map: time, alarm, registers. */
enum {
	SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, DAY_OF_WEEK, DAY,
	MONTH, YEAR, REG_A, REG_B, REG_C, REG_D,
};

/* What a PC keeps in the memory behind them. */
#define CMOS_EQUIPMENT	0x14
#define CMOS_BASE_MEM	0x15	/* KiB, low byte first */
#define CMOS_EXT_MEM	0x17	/* KiB above 1 MiB */
#define CMOS_CHECKED	0x10	/* the checksum's first and last byte */
#define CMOS_CHECKED_END 0x2d
#define CMOS_CHECKSUM	0x2e	/* high byte first */
#define CMOS_EXT_MEM2	0x30	/* as 0x17 */
#define CMOS_CENTURY	0x32
#define CMOS_MEM_16M	0x34	/* units of 64 KiB above 16 MiB */
#define CMOS_MEM_4G	0x5b	/* units of 64 KiB above 4 GiB, three bytes */
#define EQUIPMENT_FPU	0x02

#define A_UIP		0x80
#define A_DV		0x70
#define A_DV_RESET	0x60	/* 11x: the divider chain is held in reset */
#define A_RS		0x0f
#define B_SET		0x80
#define B_PIE		0x40
#define B_AIE		0x20
#define B_UIE		0x10
#define B_DM		0x04	/* binary */
#define B_24H		0x02
#define C_IRQF		0x80
#define C_PF		0x40
#define C_AF		0x20
#define C_UF		0x10
#define C_FLAGS		(C_PF | C_AF | C_UF)
#define D_VRT		0x80
#define HOUR_PM		0x80
#define ALARM_ANY	0xc0

#define INDEX_MASK	0x7f
#define SECOND_NS	1000000000ULL
#define SECOND_TICKS	32768		/* a tick of the crystal is 1953125 / 64 ns */
/* MC146818: tBUC, UIP is set 244 us (8 ticks) before the bytes change. */
#define UPDATE_NS	244141
#define DAY_SECONDS	86400
/* Of a state from outside: no sum of times may wrap. */
#define TIME_MAX	BIT(63)

static bool held(const struct vrtc_state *s)
{
	return (s->ram[REG_A] & A_DV_RESET) == A_DV_RESET;
}

/*
 * Register A, RS: ticks between periodic edges, 0: none.  At 32.768 kHz rates
 * 1 and 2 are those of 8 and 9.
 */
static u32 periodic_ticks(const struct vrtc_state *s)
{
	u8 rate = s->ram[REG_A] & A_RS;

	if (!rate)
		return 0;
	return rate <= 2 ? 64U << rate : 1U << (rate - 1);
}

/* The byte values of register B's format.  Bytes that are none count as they weigh. */
static u32 decode(const struct vrtc_state *s, u8 byte)
{
	return s->ram[REG_B] & B_DM ? byte : (byte >> 4) * 10U + (byte & 0x0f);
}

static u8 encode(const struct vrtc_state *s, u64 val)
{
	u32 v = val % 100;

	return (u8)(s->ram[REG_B] & B_DM ? v : v / 10 << 4 | v % 10);
}

/* 12-hour mode: 12, 1 .. 11, with bit 7 from noon on. */
static u32 decode_hour(const struct vrtc_state *s, u8 byte)
{
	if (s->ram[REG_B] & B_24H)
		return decode(s, byte);
	return decode(s, byte & (u8)~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0);
}

static u8 encode_hour(const struct vrtc_state *s, u32 hour)
{
	if (s->ram[REG_B] & B_24H)
		return encode(s, hour);
	return encode(s, hour % 12 ? hour % 12 : 12) | (hour < 12 ? 0 : HOUR_PM);
}

static bool leap(u32 year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static u32 month_days(u32 month, u32 year)
{
	static const u8 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && leap(year))
		return 29;
	return month >= 1 && month <= 12 ? days[month - 1] : 31;
}

static void next_year(struct vrtc_state *s, u32 year)
{
	s->ram[YEAR] = encode(s, year + 1);
	if ((year + 1) % 100 == 0)
		s->ram[CMOS_CENTURY] = encode(s, (year + 1) / 100);
}

static void next_day(struct vrtc_state *s)
{
	u32 day = decode(s, s->ram[DAY]), month = decode(s, s->ram[MONTH]);
	u32 year = decode(s, s->ram[YEAR]) + 100 * decode(s, s->ram[CMOS_CENTURY]);

	s->ram[DAY_OF_WEEK] = encode(s, decode(s, s->ram[DAY_OF_WEEK]) % 7 + 1);
	if (day < month_days(month, year)) {
		s->ram[DAY] = encode(s, day + 1);
		return;
	}
	s->ram[DAY] = encode(s, 1);
	s->ram[MONTH] = encode(s, month < 12 ? month + 1 : 1);
	if (month >= 12)
		next_year(s, year);
}

/* Adds n to a counter of 60; what it carries into the next. */
static u64 count_up(struct vrtc_state *s, u8 reg, u64 n)
{
	u64 sum = decode(s, s->ram[reg]) + n;

	if (!n)
		return 0;
	s->ram[reg] = encode(s, sum % 60);
	return sum / 60;
}

static void add_seconds(struct vrtc_state *s, u64 n)
{
	u64 hours = count_up(s, MINUTES, count_up(s, SECONDS, n));

	if (!hours)
		return;
	hours += decode_hour(s, s->ram[HOURS]);
	s->ram[HOURS] = encode_hour(s, (u32)(hours % 24));
	for (u64 days = hours / 24; days; days--)
		next_day(s);
}

static bool alarm_byte(u8 alarm, u8 now)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == now;
}

/* Does the alarm go off at one of the n seconds after the time that the bytes show? */
static bool alarm_within(const struct vrtc_state *s, u64 n)
{
	u32 t = (decode_hour(s, s->ram[HOURS]) * 60 + decode(s, s->ram[MINUTES])) * 60 +
		decode(s, s->ram[SECONDS]);

	for (n = MIN(n, DAY_SECONDS); n; n--) {
		t = (t + 1) % DAY_SECONDS;
		if (alarm_byte(s->ram[SECONDS_ALARM], encode(s, t % 60)) &&
		    alarm_byte(s->ram[MINUTES_ALARM], encode(s, t / 60 % 60)) &&
		    alarm_byte(s->ram[HOURS_ALARM], encode_hour(s, t / 3600)))
			return true;
	}
	return false;
}

/* Ticks of the crystal: n of them end at, and how many of them ended by. */
static u64 ticks_to_ns(u32 n)
{
	return ((u64)n * 1953125 + 63) / 64;
}

static u32 ns_to_ticks(u64 ns)
{
	return (u32)(ns * 64 / 1953125);
}

/*
 * The first periodic edge after now.  All come from the chain that makes the
 * seconds, and each period divides half a second: the end of a second is an
 * edge of every rate.
 */
static u64 next_edge(const struct vrtc_state *s, u64 now)
{
	u64 start = s->second_at - SECOND_NS;
	/* A restored state may be of a later time than this. */
	u64 into = (s64)(now - start) > 0 ? now - start : 0;
	u32 period = periodic_ticks(s);

	if (!period || held(s))
		return DEV_NEVER;
	return start + ticks_to_ns((ns_to_ticks(into) / period + 1) * period);
}

/* IRQF = PF & PIE | AF & AIE | UF & UIE: the enables are the flags' own bits. */
static bool irqf(const struct vrtc_state *s)
{
	return s->ram[REG_C] & s->ram[REG_B] & C_FLAGS;
}

static void update_line(struct vrtc *r)
{
	r->env->set_irq(r->env->ctx, VRTC_IRQ, irqf(&r->s));
}

/* MC146818: flags are set whether their interrupts are enabled or not. */
static void sync(struct vrtc *r, u64 now)
{
	struct vrtc_state *s = &r->s;
	u64 n;

	if (now < s->second_at && now < s->periodic_at)
		return;
	if (now >= s->second_at) {
		n = (now - s->second_at) / SECOND_NS + 1;
		s->second_at += n * SECOND_NS;
		/* SET stops the updates, not the chain. */
		if (!(s->ram[REG_B] & B_SET)) {
			s->ram[REG_C] |= C_UF | (alarm_within(s, n) ? C_AF : 0);
			add_seconds(s, n);
		}
	}
	if (now >= s->periodic_at) {
		s->ram[REG_C] |= C_PF;
		s->periodic_at = next_edge(s, now);
	}
	update_line(r);
}

static u8 read_a(const struct vrtc_state *s, u64 now)
{
	bool uip = !held(s) && !(s->ram[REG_B] & B_SET) && s->second_at - now <= UPDATE_NS;

	return s->ram[REG_A] | (uip ? A_UIP : 0);
}

static u8 read_c(struct vrtc *r)
{
	u8 val = r->s.ram[REG_C] | (irqf(&r->s) ? C_IRQF : 0);

	r->s.ram[REG_C] = 0;
	update_line(r);
	return val;
}

/* MC146818: the first update comes half a second after the chain leaves reset. */
static void write_a(struct vrtc *r, u8 val, u64 now)
{
	struct vrtc_state *s = &r->s;
	bool was_held = held(s);

	s->ram[REG_A] = val & (u8)~A_UIP;
	if (held(s))
		s->second_at = DEV_NEVER;
	else if (was_held)
		s->second_at = now + SECOND_NS / 2;
	s->periodic_at = next_edge(s, now);
}

/* MC146818: SET going high clears UIE. */
static void write_b(struct vrtc *r, u8 val)
{
	struct vrtc_state *s = &r->s;

	if (val & ~s->ram[REG_B] & B_SET)
		val &= (u8)~B_UIE;
	s->ram[REG_B] = val;
	update_line(r);
}

static void write_ram(struct vrtc *r, u8 val, u64 now)
{
	u8 index = r->s.index & INDEX_MASK;

	if (index == REG_A)
		write_a(r, val, now);
	else if (index == REG_B)
		write_b(r, val);
	else if (index != REG_C && index != REG_D)
		r->s.ram[index] = val;
}

static u8 read_ram(struct vrtc *r, u64 now)
{
	u8 index = r->s.index & INDEX_MASK;

	if (index == REG_A)
		return read_a(&r->s, now);
	return index == REG_C ? read_c(r) : r->s.ram[index];
}

/* After a change: the owner of the timer must hear of an earlier event. */
static void rearm_if_earlier(struct vrtc *r, u64 old)
{
	if (vrtc_next(r) < old)
		r->env->rearm(r->env->ctx);
}

/* ICH9 13.7.2: the index cannot be read back. */
static u64 vrtc_read(void *ctx, u64 off, u8 size)
{
	struct vrtc *r = ctx;
	u64 now = r->env->now(r->env->ctx), next = vrtc_next(r);
	u8 val;

	if (!off)
		return 0xff;
	sync(r, now);
	val = read_ram(r, now);
	rearm_if_earlier(r, next);
	return val;
}

static enum bus_result vrtc_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vrtc *r = ctx;
	u64 now = r->env->now(r->env->ctx), next = vrtc_next(r);

	if (!off) {
		r->s.index = (u8)val;
		return BUS_OK;
	}
	sync(r, now);
	write_ram(r, (u8)val, now);
	rearm_if_earlier(r, next);
	return BUS_OK;
}

static void put_le(u8 *p, u64 val, unsigned int n)
{
	while (n--) {
		*p++ = (u8)val;
		val >>= 8;
	}
}

/* RAM between from and to, in units; no more than two bytes hold. */
static u64 mem_units(u64 mem, u64 from, u64 unit)
{
	return MIN(mem > from ? (mem - from) / unit : 0, 0xffffULL);
}

static void set_memory(u8 *ram, u64 mem)
{
	u64 low = MIN(mem, VRTC_LOW_RAM);
	u32 sum = 0;

	ram[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
	put_le(ram + CMOS_BASE_MEM, MIN(mem >> 10, 640ULL), 2);
	put_le(ram + CMOS_EXT_MEM, mem_units(low, 1 << 20, 1 << 10), 2);
	put_le(ram + CMOS_EXT_MEM2, mem_units(low, 1 << 20, 1 << 10), 2);
	put_le(ram + CMOS_MEM_16M, mem_units(low, 16 << 20, 1 << 16), 2);
	put_le(ram + CMOS_MEM_4G, MIN((mem - low) >> 16, 0xffffffULL), 3);
	for (u32 i = CMOS_CHECKED; i <= CMOS_CHECKED_END; i++)
		sum += ram[i];
	ram[CMOS_CHECKSUM] = (u8)(sum >> 8);
	ram[CMOS_CHECKSUM + 1] = (u8)sum;
}

static s64 floor_div(s64 a, s64 b)
{
	return a / b - (a % b < 0);
}

/* Without the product of the quotient: it can lie below all numbers. */
static s64 floor_mod(s64 a, s64 b)
{
	return a % b + (a % b < 0 ? b : 0);
}

/*
 * The Gregorian calendar repeats every 146097 days, a whole number of weeks:
 * the day within its 400 years, counted from 2000-01-01 (a Saturday).
 */
static void set_date(struct vrtc_state *s, s64 days)
{
	s64 cycle = floor_div(days - 10957, 146097);
	u32 day = (u32)(days - 10957 - cycle * 146097);
	u32 year = 0, month = 1;

	s->ram[DAY_OF_WEEK] = encode(s, (day + 6) % 7 + 1);
	for (; day >= 365U + leap(year); year++)
		day -= 365U + leap(year);
	for (; day >= month_days(month, year); month++)
		day -= month_days(month, year);
	/* Years modulo 10000 are cycles modulo 25. */
	year += 2000 + (u32)(cycle - floor_div(cycle, 25) * 25) * 400;
	s->ram[DAY] = encode(s, day + 1);
	s->ram[MONTH] = encode(s, month);
	s->ram[YEAR] = encode(s, year);
	s->ram[CMOS_CENTURY] = encode(s, year / 100);
}

int vrtc_init(struct vrtc *r, struct bus *bus, const struct dev_env *env, s64 epoch, u64 mem)
{
	const struct bus_range range = { 0x70, 0x71, 1, vrtc_read, vrtc_write, r, &rtc };
	s64 days = floor_div(epoch, DAY_SECONDS);
	u32 t = (u32)floor_mod(epoch, DAY_SECONDS);
	struct vrtc_state *s = &r->s;
	u64 now = env->now(env->ctx);

	memset(r, 0, sizeof(*r));
	r->env = env;
	/* As firmware leaves it: 32.768 kHz, 1024 Hz, BCD, 24 hours. */
	s->ram[REG_A] = 0x26;
	s->ram[REG_B] = B_24H;
	s->ram[REG_D] = D_VRT;
	s->ram[SECONDS] = encode(s, t % 60);
	s->ram[MINUTES] = encode(s, t / 60 % 60);
	s->ram[HOURS] = encode_hour(s, t / 3600);
	set_date(s, days);
	set_memory(s->ram, mem);
	s->second_at = now + SECOND_NS;
	s->periodic_at = next_edge(s, now);
	return bus_add_io(bus, &range);
}

/* Flags that are set already say nothing new. */
u64 vrtc_next(const struct vrtc *r)
{
	const struct vrtc_state *s = &r->s;
	u8 wanted = s->ram[REG_B] & (u8)~s->ram[REG_C];
	u64 next = DEV_NEVER;

	if (wanted & B_PIE)
		next = s->periodic_at;
	if (wanted & (B_AIE | B_UIE) && !(s->ram[REG_B] & B_SET))
		next = MIN(next, s->second_at);
	return next;
}

void vrtc_tick(struct vrtc *r, u64 now)
{
	sync(r, now);
}

/* The next edge lies in the current second, on a tick that is one of the rate's. */
static bool chain_ok(const struct vrtc_state *s)
{
	u64 into = s->periodic_at - (s->second_at - SECOND_NS);
	u32 period = periodic_ticks(s);

	if (held(s))
		return s->second_at == DEV_NEVER && s->periodic_at == DEV_NEVER;
	if (s->second_at >= TIME_MAX)
		return false;
	if (!period)
		return s->periodic_at == DEV_NEVER;
	return into && into <= SECOND_NS && ticks_to_ns(ns_to_ticks(into)) == into &&
	       ns_to_ticks(into) % period == 0;
}

int vrtc_state_check(const struct vrtc_state *s)
{
	for (size_t i = 0; i < sizeof(s->reserved); i++)
		if (s->reserved[i])
			return -EINVAL;
	if (s->ram[REG_A] & A_UIP || s->ram[REG_C] & ~C_FLAGS || s->ram[REG_D] != D_VRT)
		return -EINVAL;
	return chain_ok(s) ? 0 : -EINVAL;
}
