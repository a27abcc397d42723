// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/pc.h"

PAYLOAD(rtcdate, .ref = "MC146818 data sheet; ACPI 6, 5.2.9", .timeout = "60000",
	.desc = "MC146818: the date, BCD and binary, 12 and 24 hours, carries, alarm, SET");

enum { SEC, SEC_AL, MIN, MIN_AL, HOUR, HOUR_AL, DOW, DAY, MONTH, YEAR };

#define PM	0x80	/* of an hour in 12-hour mode */
#define ANY	0xc0	/* alarm: from here on */

static u8 century;

static unsigned int value(u8 byte, u8 b)
{
	return b & RTC_B_BINARY ? byte : (byte >> 4) * 10u + (byte & 15);
}

/* The date that firmware or the host gave. */
static void check_now(void)
{
	u8 b = rtc_read(RTC_B);
	unsigned int year, hour;

	while (rtc_read(RTC_A) & RTC_A_UIP)
		cpu_pause();
	hour = value(rtc_read(HOUR) & (b & RTC_B_24H ? 0xff : 0x7f), b);
	year = value(rtc_read(YEAR), b) + (century ? 100 * value(rtc_read(century), b) : 2000);
	rt_printf("NOTE date %u-%u-%u %u:%u\n", year, value(rtc_read(MONTH), b),
		  value(rtc_read(DAY), b), hour, value(rtc_read(MIN), b));
	rt_check(year >= 2020 && year < 2200, "the year", "%u", year);
	rt_check(value(rtc_read(MONTH), b) - 1 < 12 && value(rtc_read(DAY), b) - 1 < 31 &&
		 value(rtc_read(DOW), b) - 1 < 7, "the day", " ");
	rt_check(hour < 24 && value(rtc_read(MIN), b) < 60 && value(rtc_read(SEC), b) < 60,
		 "the time", " ");
}

struct date {
	u8 sec, min, hour, dow, day, month, year, century;
};

static const struct rollover {
	const char *name;
	u8 b;
	struct date from, to;
	u8 alarm[3];		/* seconds, minutes, hours */
} rollovers[] = {
	/* A Monday. */
	{ "BCD, 12 hours, end of the year", 0,
	  { 0x58, 0x59, 0x11 | PM, 2, 0x31, 0x12, 0x29, 0x20 },
	  { 0x00, 0x00, 0x12, 3, 0x01, 0x01, 0x30, 0x20 }, { 0x00, 0x00, 0x12 } },
	/* A Monday. */
	{ "binary, 24 hours, leap day", RTC_B_BINARY | RTC_B_24H,
	  { 58, 59, 23, 2, 28, 2, 28, 20 }, { 0, 0, 0, 3, 29, 2, 28, 20 }, { 0, 0, 0 } },
	{ "BCD, 24 hours, noon", RTC_B_24H,
	  { 0x59, 0x59, 0x11, 4, 0x15, 0x07, 0x26, 0x20 },
	  { 0x00, 0x00, 0x12, 4, 0x15, 0x07, 0x26, 0x20 }, { 0x00, ANY, 0xff } },
	{ "binary, 12 hours, noon", RTC_B_BINARY,
	  { 59, 59, 11, 4, 15, 7, 26, 20 },
	  { 0, 0, 12 | PM, 4, 15, 7, 26, 20 }, { 0, 0, 12 | PM } },
};

static void set_date(const struct date *d)
{
	rtc_write(SEC, d->sec);
	rtc_write(MIN, d->min);
	rtc_write(HOUR, d->hour);
	rtc_write(DOW, d->dow);
	rtc_write(DAY, d->day);
	rtc_write(MONTH, d->month);
	rtc_write(YEAR, d->year);
	if (century)
		rtc_write(century, d->century);
}

static struct date get_date(void)
{
	struct date d = { rtc_read(SEC), rtc_read(MIN), rtc_read(HOUR), rtc_read(DOW),
			  rtc_read(DAY), rtc_read(MONTH), rtc_read(YEAR),
			  century ? rtc_read(century) : 0 };

	return d;
}

/* SET, format, date, alarm, SET off; the flags of the updates until the next minute. */
static void check_rollover(const struct rollover *r)
{
	struct date got, want = r->to;
	unsigned int updates = 60 - value(r->from.sec, r->b);
	bool early = false;
	u8 c = 0;

	rtc_write(RTC_B, RTC_B_SET | r->b);
	set_date(&r->from);
	rtc_write(SEC_AL, r->alarm[0]);
	rtc_write(MIN_AL, r->alarm[1]);
	rtc_write(HOUR_AL, r->alarm[2]);
	got = get_date();
	want.century = century ? want.century : 0;
	rt_check(!memcmp(&got, &r->from, century ? 8 : 7), r->name, "not as written");
	rtc_read(RTC_C);
	rtc_write(RTC_B, r->b);
	while (updates--) {
		rt_quiet(RT_WAIT((c = rtc_read(RTC_C)) & RTC_U), "an update", "%s", r->name);
		early |= updates && c & RTC_AL;
	}
	got = get_date();
	rt_check(!memcmp(&got, &want, sizeof(got)), r->name,
		 "%x:%x:%x day %x %x-%x-%x century %x", got.hour, got.min, got.sec, got.dow,
		 got.year, got.month, got.day, got.century);
	rt_check(!early, "no alarm before", "%s", r->name);
	rt_known(pc_is_qemu() && !(r->b & RTC_B_24H), c & RTC_AL, "the alarm",
		 "QEMU 7.2 hw/rtc/mc146818rtc.c convert_hour: the time's PM bit for the alarm");
}

/* Alarm bytes that are all "don't care": each second, with an interrupt. */
static volatile u32 hits;
static volatile u8 c_seen;

static void on_rtc(unsigned int vector)
{
	c_seen = rtc_read(RTC_C);
	hits++;
	pic_eoi(8);
}

static void check_alarm_interrupt(void)
{
	rtc_write(RTC_B, RTC_B_24H);
	for (u8 reg = SEC_AL; reg <= HOUR_AL; reg += 2)
		rtc_write(reg, ANY);
	rtc_read(RTC_C);
	pc_settle();
	hits = 0;
	rtc_write(RTC_B, RTC_AL | RTC_B_24H);
	sti();
	RT_WAIT(hits == 2);
	cli();
	rtc_write(RTC_B, RTC_B_24H);
	rt_check(hits == 2 && (c_seen & 0xb0) == (RTC_IRQF | RTC_AL | RTC_U),
		 "alarm interrupts of each second", "%u, C %x", hits, c_seen);
}

static void wait_second(u32 tenths)
{
	u32 from = pm_now();

	while (pm_ticks(from, pm_now()) < PM_HZ / 10 * tenths)
		cpu_pause();
}

static void check_set(void)
{
	struct date d[2];

	rtc_write(RTC_B, RTC_B_SET | RTC_B_24H);
	d[0] = get_date();
	wait_second(12);
	d[1] = get_date();
	rtc_write(RTC_B, RTC_B_24H);
	rt_check(!memcmp(&d[0], &d[1], sizeof(d[0])), "SET stops the time", "%x, then %x",
		 d[0].sec, d[1].sec);
}

/* The divider in reset stops all; half a second after it the first update comes. */
static void check_divider(void)
{
	u32 from, passed;
	u8 sec;

	rtc_write(RTC_A, RTC_A_RESET | 6);
	sec = rtc_read(SEC);
	rtc_read(RTC_C);
	wait_second(11);
	rt_check(rtc_read(SEC) == sec && !(rtc_read(RTC_C) & (RTC_U | RTC_AL)),
		 "divider in reset: no updates", "%x, then %x", sec, rtc_read(SEC));
	from = pm_now();
	rtc_write(RTC_A, RTC_A_32KHZ | 6);
	rt_check(RT_WAIT(rtc_read(RTC_C) & RTC_U), "divider on", " ");
	passed = pm_ticks(from, pm_now());
	rt_check(passed >= PM_HZ / 1000 * 498, "the first update after half a second",
		 "%u PM ticks", passed);
}

int main(struct rt_info *info)
{
	const struct acpi_fadt *f = acpi_find("FACP");

	if (!pm_init())
		return rt_skip("no PM timer");
	century = f->century;
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	rt_irq(PIC_VEC(8), on_rtc);
	pic_open(1 << 8);
	rtc_write(RTC_A, RTC_A_32KHZ | 6);
	check_now();
	for (unsigned int i = 0; i < ARRAY_LEN(rollovers); i++)
		check_rollover(&rollovers[i]);
	check_alarm_interrupt();
	check_set();
	check_divider();
	return rt_result();
}
