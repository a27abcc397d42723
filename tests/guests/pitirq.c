// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/pc.h"

PAYLOAD(pitirq, .ref = "8254 data sheet 231164; ACPI 6, 4.8.2.1", .timeout = "30000",
	.desc = "8254, channel 0: interrupts of each mode, never early; rate by the PM timer");

/*
 * How late an interrupt comes is no one's promise; that none is early is, and
 * that some time after the end it is there.
 */
#define PER_TICK	3	/* PM timer ticks a CLK */
#define SLACK		(4 * PER_TICK)
#define PERIODS		50

static volatile u32 hits;

static void on_pit(unsigned int vector)
{
	hits++;
	pic_eoi(0);
}

static bool out_is_high(void)
{
	outb(PIT_CONTROL, 0xe2);	/* read-back: status of channel 0 */
	return inb(PIT_PORT(0)) & 0x80;
}

/*
 * OUT high and no more counting: mode 0 that ended, which is one interrupt.
 * What was pending before is taken while OUT is still low.
 */
static void quiet(void)
{
	do {
		outb(PIT_CONTROL, PIT_MODE(0, 0));
		pit_load(0, 0x4000);
		pc_settle();
		hits = 0;
	} while (out_is_high());
	sti();
	rt_quiet(RT_WAIT(hits), "mode 0 ends", " ");
	pc_settle();
	hits = 0;
}

static void settle_pm(u32 ticks)
{
	u32 from = pm_now();

	while (pm_ticks(from, pm_now()) < ticks)
		pc_settle();
}

static void check_periodic(u8 mode, u16 count)
{
	u32 from, passed, period = count ? count : 0x10000;
	bool ok;

	quiet();
	outb(PIT_CONTROL, PIT_MODE(0, mode));
	from = pm_now();
	pit_load(0, count);
	sti();
	for (u32 k = 1; k <= PERIODS; k++) {
		ok = RT_WAIT(hits >= k);
		passed = pm_ticks(from, pm_now());
		if (!rt_quiet(ok, "periodic: it comes", "mode %u count %u: %u of %u", mode, count,
			      hits, PERIODS))
			break;
		rt_quiet(passed + SLACK >= k * period * PER_TICK, "periodic: early",
			 "mode %u count %u: %u after %u PM ticks", mode, count, k, passed);
	}
	cli();
	rt_check(hits >= PERIODS, mode == 2 ? "mode 2: interrupts" : "mode 3: interrupts",
		 "count %u: %u", count, hits);
}

/* Modes 0 and 4: one interrupt a count. */
static void check_once(u8 mode, u16 count)
{
	u32 from, passed;

	quiet();
	outb(PIT_CONTROL, PIT_MODE(0, mode));
	pc_settle();
	rt_check(!hits, "none before the count", "mode %u: %u", mode, hits);
	for (u32 k = 1; k <= 3; k++) {
		from = pm_now();
		pit_load(0, count);
		sti();
		RT_WAIT(hits >= k);
		passed = pm_ticks(from, pm_now());
		cli();
		rt_check(hits == k && passed + SLACK >= count * (u32)PER_TICK,
			 mode ? "mode 4: one a count" : "mode 0: one a count",
			 "%u: %u after %u PM ticks", k, hits, passed);
		settle_pm(3 * count * PER_TICK);
		rt_check(hits == k, "and no more", "mode %u: %u, not %u", mode, hits, k);
	}
}

/* Modes 1 and 5 want a trigger, which channel 0 cannot have. */
static void check_never(u8 mode)
{
	quiet();
	outb(PIT_CONTROL, PIT_MODE(0, mode));
	pit_load(0, 500);
	settle_pm(30 * 500 * PER_TICK);
	/* QEMU's OUT is upside down in mode 1: its edge is not one that interrupts. */
	rt_known(pc_is_qemu() && mode == 5, !hits, mode == 1 ? "mode 1: none" : "mode 5: none",
		 "QEMU 7.2 hw/timer/i8254.c pit_load_count starts without a trigger");
}

/*
 * Masked by the 8259 meanwhile, several edges are one request, which lasts as
 * the line does: OUT of mode 0 stays high.
 */
static void check_masked(void)
{
	quiet();
	pic_open(0);
	outb(PIT_CONTROL, PIT_MODE(0, 0));
	for (unsigned int i = 0; i < 3; i++) {
		pit_load(0, 1000);
		settle_pm(30 * 1000 * PER_TICK);
	}
	rt_check(!hits && pic_irr(PIC1) & 1, "masked: it waits", "%u, %x", hits, pic_irr(PIC1));
	pic_open(1);
	pc_settle();
	/* QEMU raises the line in a thread of its own, which may be that late. */
	rt_check(hits == 1 || (pc_is_qemu() && hits == 2), "and is one", "%u", hits);
}

/* Sleeping: each HLT ends with an interrupt, the sum of the time is right. */
static void check_hlt(void)
{
	u32 from, passed;

	quiet();
	outb(PIT_CONTROL, PIT_MODE(0, 2));
	from = pm_now();
	pit_load(0, PIT_HZ / 200);
	for (u32 k = 0; k < 20; k++) {
		u32 before = hits;

		sti_hlt();
		cli();
		rt_quiet(hits != before, "HLT ends with an interrupt", "%u", hits);
	}
	passed = pm_ticks(from, pm_now());
	rt_check(hits >= 20 && passed + SLACK >= 20 * (PIT_HZ / 200) * PER_TICK,
		 "20 sleeps of 5 ms", "%u in %u PM ticks", hits, passed);
	pit_quiet();
}

int main(struct rt_info *info)
{
	if (!pm_init())
		return rt_skip("no PM timer");
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	rt_irq(PIC_VEC(0), on_pit);
	pic_open(1);
	check_periodic(2, 2000);
	check_periodic(2, 10000);
	check_periodic(3, 2000);
	check_periodic(3, 2001);
	check_once(0, 1000);
	check_once(0, 20000);
	check_once(4, 5000);
	check_never(1);
	check_never(5);
	check_masked();
	check_hlt();
	return rt_result();
}
