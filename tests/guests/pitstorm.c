// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

PAYLOAD(pitstorm, .ref = "8254 data sheet 231164; design: storms", .timeout = "40000", .bare = "no",
	.desc = "8254 and MC146818 at their highest rates: the guest still gets somewhere");

/*
 * Not bare: QEMU 7.2 hw/timer/i8254.c runs its timer for each edge, and on a busy
 * machine is left with no time for the guest.
 *
 * More edges than anybody could deliver.  With the line masked they cost a
 * machine nothing; with it open a handler runs over and over, but what is
 * interrupted goes on in between.
 */
#define ACCESSES	5000
#define STEPS		2000

static volatile u32 hits;

static void on_irq(unsigned int vector)
{
	unsigned int n = vector - PIC_VEC(0);

	hits++;
	if (n == 8)
		rtc_read(RTC_C);
	pic_eoi(n);
}

static void work(const char *name)
{
	u64 start = rdtsc();

	for (unsigned int i = 0; i < ACCESSES; i++)
		inb(0x80);
	rt_printf("NOTE %s: %u accesses in %u thousand ticks\n", name, ACCESSES,
		  (u32)((rdtsc() - start) / 1000));
	rt_check(true, name, " ");
}

static void check_masked(u8 mode, u16 count)
{
	pit_quiet();
	outb(PIT_CONTROL, PIT_MODE(0, mode));
	pit_load(0, count);
	work(mode == 2 ? "mode 2, masked" : "mode 3, masked");
	pit_quiet();
}

static void check_open(const char *name, u16 lines)
{
	volatile u32 steps = 0;

	hits = 0;
	pic_open(lines);
	sti();
	while (steps < STEPS)
		steps++;
	rt_check(RT_WAIT(hits > 100), name, "%u", hits);
	cli();
	pic_open(0);
}

int main(struct rt_info *info)
{
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	rt_irq(PIC_VEC(0), on_irq);
	rt_irq(PIC_VEC(8), on_irq);
	work("nothing");
	check_masked(2, 2);
	check_masked(3, 2);
	check_masked(2, 24);
	rtc_write(RTC_A, RTC_A_32KHZ | 3);
	rtc_write(RTC_B, RTC_P | RTC_B_24H);
	work("RTC, masked");
	rtc_read(RTC_C);
	check_open("RTC, open", 1 << 8);
	rtc_write(RTC_B, RTC_B_24H);
	rtc_read(RTC_C);
	outb(PIT_CONTROL, PIT_MODE(0, 2));
	pit_load(0, 2);
	check_open("PIT, open", 1);
	pit_quiet();
	return rt_result();
}
