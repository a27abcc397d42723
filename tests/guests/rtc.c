// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/pc.h"

PAYLOAD(rtc, .ref = "MC146818 data sheet; ICH9 13.6", .timeout = "60000",
	.desc = "MC146818: registers, RAM, periodic flag and interrupt, UIP, update interrupt");

#define IRQ		8
#define PERIODS		40

static volatile u32 hits;
static volatile u8 c_seen;
static volatile bool read_c;

static void on_rtc(unsigned int vector)
{
	hits++;
	if (read_c)
		c_seen = rtc_read(RTC_C);
	pic_eoi(IRQ);
}

static void wait_pm(u32 ticks)
{
	u32 from = pm_now();

	while (pm_ticks(from, pm_now()) < ticks)
		cpu_pause();
}

static void check_ram(void)
{
	unsigned int bad = 0, alias = 0;

	for (u8 at = 0x60; at < 0x80; at++) {
		u8 old = rtc_read(at);

		for (unsigned int v = 0; v < 256; v += 17) {
			rtc_write(at, (u8)v);
			bad += rtc_read(at) != v;
			/* Bit 7 of the index is the NMI's (ICH9 13.7.2). */
			alias += rtc_read(at | 0x80) != v;
		}
		rtc_write(at, old);
	}
	rtc_read(RTC_D);
	rt_check(!bad && !alias, "RAM", "%u, %u differ", bad, alias);
}

static void check_registers(void)
{
	u8 a, b, d = rtc_read(RTC_D);

	rt_check(d == 0x80, "register D: time is valid", "%x", d);
	rtc_write(RTC_D, 0);
	rt_check(rtc_read(RTC_D) == 0x80, "register D is read-only", "%x", rtc_read(RTC_D));
	for (u8 rate = 0; rate < 16; rate++) {
		rtc_write(RTC_A, RTC_A_UIP | RTC_A_32KHZ | rate);
		a = rtc_read(RTC_A) & (u8)~RTC_A_UIP;
		rt_quiet(a == (RTC_A_32KHZ | rate), "register A", "%x: %x", rate, a);
	}
	/* With SET there is no update in progress. */
	rtc_write(RTC_B, RTC_B_SET | RTC_B_24H);
	rtc_write(RTC_A, RTC_A_UIP | RTC_A_32KHZ | 6);
	rt_check(rtc_read(RTC_A) == (RTC_A_32KHZ | 6), "UIP cannot be written", "%x",
		 rtc_read(RTC_A));
	for (u8 v = 0; v < 16; v++) {
		b = (u8)((v & 8 ? RTC_B_SET : 0) | (v & 7) << 1);
		rtc_write(RTC_B, b);
		rt_quiet(rtc_read(RTC_B) == b, "register B", "%x: %x", b, rtc_read(RTC_B));
	}
	rtc_write(RTC_B, RTC_B_24H);
	rtc_write(RTC_B, RTC_B_SET | RTC_U | RTC_B_24H);
	b = rtc_read(RTC_B);
	rt_check(b == (RTC_B_SET | RTC_B_24H), "SET clears UIE", "%x", b);
	rtc_write(RTC_B, RTC_B_24H);
}

/* The flag comes with or without PIE; IRQF only with. */
static void check_flag(void)
{
	u8 c;

	rtc_write(RTC_A, RTC_A_32KHZ | 6);
	rtc_read(RTC_C);
	wait_pm(PM_HZ / 100);
	c = rtc_read(RTC_C);
	rt_known(pc_is_qemu(), (c & (RTC_IRQF | RTC_P)) == RTC_P, "PF without PIE",
		 "QEMU 7.2 hw/rtc/mc146818rtc.c rtc_periodic_clock_ticks: no period without PIE");
	rtc_write(RTC_A, RTC_A_32KHZ);
	rtc_read(RTC_C);
	wait_pm(PM_HZ / 100);
	c = rtc_read(RTC_C);
	rt_check(!(c & RTC_P), "rate 0: no PF", "%x", c);
	/* Enabled while the flag is up, the interrupt comes. */
	rtc_write(RTC_A, RTC_A_32KHZ | 6);
	read_c = true;
	hits = 0;
	rtc_write(RTC_B, RTC_P | RTC_B_24H);
	sti();
	rt_check(RT_WAIT(hits) && (c_seen & 0xc0) == (RTC_IRQF | RTC_P), "IRQF, PF", "%u, %x",
		 hits, c_seen);
	cli();
	rtc_write(RTC_B, RTC_B_24H);
	rtc_read(RTC_C);
}

/* Table 5 of the data sheet, at 32.768 kHz. */
static u32 period_ticks(u8 rate)
{
	return rate <= 2 ? 64u << rate : 1u << (rate - 1);
}

static void check_periodic(u8 rate)
{
	u32 from, passed = 0;
	u64 want;

	rtc_write(RTC_B, RTC_B_24H);
	rtc_write(RTC_A, RTC_A_32KHZ | rate);
	rtc_read(RTC_C);
	pc_settle();
	hits = 0;
	read_c = true;
	from = pm_now();
	rtc_write(RTC_B, RTC_P | RTC_B_24H);
	sti();
	for (u32 k = 1; k <= PERIODS; k++) {
		if (!rt_quiet(RT_WAIT(hits >= k), "periodic: it comes", "rate %u: %u of %u", rate,
			      hits, PERIODS))
			break;
		passed = pm_ticks(from, pm_now());
		/* One may be of a flag that is up, the next one is somewhere in a period. */
		want = k < 2 ? 0 : (u64)(k - 2) * period_ticks(rate) * PM_HZ / 32768;
		rt_quiet(passed + PM_HZ / 32768 * 2 >= want, "periodic: early",
			 "rate %u: %u after %u PM ticks", rate, k, passed);
	}
	cli();
	rtc_write(RTC_B, RTC_B_24H);
	rtc_read(RTC_C);
	rt_check(hits >= PERIODS && (c_seen & 0xc0) == (RTC_IRQF | RTC_P), "periodic interrupts",
		 "rate %u: %u in %u PM ticks, C %x", rate, hits, passed, c_seen);
}

/* IRQ 8 stays up until C is read; the 8259 sees an edge only. */
static void check_unread(void)
{
	u8 c;

	rtc_write(RTC_A, RTC_A_32KHZ | 6);
	rtc_read(RTC_C);
	pc_settle();
	hits = 0;
	read_c = false;
	rtc_write(RTC_B, RTC_P | RTC_B_24H);
	sti();
	RT_WAIT(hits);
	wait_pm(PM_HZ / 100);
	cli();
	rt_check(hits == 1, "one until C is read", "%u", hits);
	rtc_write(RTC_B, RTC_B_24H);
	/* PIE off: the flag stays, IRQF falls with the line. */
	c = rtc_read(RTC_C);
	rt_check((c & (RTC_IRQF | RTC_P)) == RTC_P, "PIE off: PF without IRQF", "%x", c);
	c = rtc_read(RTC_C);
	rt_check(!(c & RTC_IRQF), "reading C clears it", "%x", c);
}

/*
 * UIP rises some 244 us before the bytes change and falls when they have: a
 * second in which it was seen to rise and fall shows that.
 */
static void check_uip(void)
{
	u8 now, before = 0, after = 0;
	bool seen = false;

	rtc_write(RTC_A, RTC_A_32KHZ | 6);
	now = rtc_read(0);
	for (unsigned int second = 0; second < 20 && !seen; second++) {
		rtc_read(RTC_C);
		while (!(rtc_read(RTC_C) & RTC_U)) {
			/* Only what was read between two looks without UIP. */
			if (!(rtc_read(RTC_A) & RTC_A_UIP)) {
				before = now;
				now = rtc_read(0);
				continue;
			}
			while (rtc_read(RTC_A) & RTC_A_UIP)
				seen = true;
			after = rtc_read(0);
			break;
		}
	}
	rt_check(seen, "UIP was seen", " ");
	/* BCD; the time before may have been read as it changed. */
	before = (u8)((before >> 4) * 10 + (before & 15));
	after = (u8)((after >> 4) * 10 + (after & 15));
	rt_check(!seen || after == (before + 1) % 60, "seconds after UIP", "%u, then %u", before,
		 after);
}

/* UIE: one a second. */
static void check_update(void)
{
	u32 from, passed;
	bool ok;

	rtc_read(RTC_C);
	pc_settle();
	hits = 0;
	read_c = true;
	from = pm_now();
	rtc_write(RTC_B, RTC_U | RTC_B_24H);
	sti();
	ok = RT_WAIT(hits >= 2);
	passed = pm_ticks(from, pm_now());
	cli();
	rtc_write(RTC_B, RTC_B_24H);
	rt_check(ok && (c_seen & 0x90) == (RTC_IRQF | RTC_U), "update interrupts", "%u, C %x", hits,
		 c_seen);
	rt_check(passed >= PM_HZ / 1000 * 998, "not more than one a second", "%u in %u PM ticks",
		 hits, passed);
}

int main(struct rt_info *info)
{
	if (!pm_init())
		return rt_skip("no PM timer");
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	rt_irq(PIC_VEC(IRQ), on_rtc);
	pic_open(1 << IRQ);
	rtc_write(RTC_B, RTC_B_24H);
	check_ram();
	check_registers();
	check_flag();
	check_periodic(5);
	check_periodic(6);
	check_periodic(1);
	check_unread();
	check_uip();
	check_update();
	return rt_result();
}
