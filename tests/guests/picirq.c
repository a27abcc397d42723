// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

PAYLOAD(picirq, .ref = "8259A data sheet 231468; SDM3 11.4.3, 11.5.1", .timeout = "30000",
	.desc = "8259A: vectors, edge, level, AEOI, spurious, IRQ 0 and 8, through LINT0");

#define LOG		16
#define TICKS		20

static volatile u32 hits;
static volatile u8 order[LOG];		/* lines, as they came */
static volatile u8 isr_seen[2];		/* in the last handler */
static volatile u32 fall_at;		/* level: the handler drops the line at this hit */
static volatile bool send_eoi, apic_isr, rtc_flag;

static void on_line(unsigned int vector)
{
	unsigned int n = vector - PIC_VEC(0);

	order[hits++ % LOG] = (u8)n;
	isr_seen[0] = pic_isr(PIC1);
	isr_seen[1] = pic_isr(PIC2);
	apic_isr |= apic_bit(APIC_ISR, vector);
	if (hits >= fall_at)
		pc_line(n, false);
	if (send_eoi)
		pic_eoi(n);
}

static void on_pit(unsigned int vector)
{
	hits++;
	pic_eoi(0);
}

/* Register C has to be read, or no further interrupt comes. */
static void on_rtc(unsigned int vector)
{
	rtc_flag |= (rtc_read(RTC_C) & 0xc0) == 0xc0;
	hits++;
	pic_eoi(8);
}

static void reset(u8 master, u8 slave)
{
	for (unsigned int n = 0; n < 16; n++)
		if (PC_FREE_LINES >> n & 1)
			pc_line(n, false);
	pic_init(master, slave);
	pic_open(PC_FREE_LINES);
	hits = 0;
	fall_at = ~0u;
	send_eoi = true;
}

static void check_line(unsigned int n)
{
	u8 master = (u8)(n < 8 ? 1 << n : 4), slave = (u8)(n < 8 ? 0 : 1 << (n - 8));

	hits = 0;
	sti();
	pc_line(n, true);
	rt_quiet(RT_WAIT(hits), "edge: an interrupt", "line %u", n);
	cli();
	rt_quiet(order[0] == n, "its vector", "line %u: %u", n, order[0]);
	rt_quiet(isr_seen[0] == master && isr_seen[1] == slave, "ISRs in the handler",
		 "line %u: %x, %x", n, isr_seen[0], isr_seen[1]);
	pc_settle();
	rt_quiet(hits == 1, "once", "line %u: %u", n, hits);
	pc_line(n, false);
	pc_settle();
	rt_quiet(hits == 1, "none for the falling edge", "line %u: %u", n, hits);
	pc_line(n, true);
	pc_settle();
	rt_quiet(hits == 2, "the next edge", "line %u: %u", n, hits);
	rt_quiet(!pic_isr(PIC1) && !pic_isr(PIC2), "ISRs after", "line %u: %x, %x", n,
		 pic_isr(PIC1), pic_isr(PIC2));
	pc_line(n, false);
}

static void check_level(unsigned int n)
{
	reset(ICW4_X86, ICW4_X86);
	outb(n < 8 ? ELCR1 : ELCR2, (u8)(1 << (n & 7)));
	fall_at = 5;
	pc_line(n, true);
	sti();
	RT_WAIT(hits == 5);
	pc_settle();
	rt_check(hits == 5, "level: until the line falls", "line %u: %u", n, hits);
}

/* What is pending comes in the order of priorities. */
static void check_order(void)
{
	static const u8 want[] = { 10, 11, 15, 3, 5, 6, 7 };

	reset(ICW4_X86, ICW4_X86);
	for (unsigned int n = 16; n--;)
		if (PC_FREE_LINES >> n & 1)
			pc_line(n, true);
	sti();
	RT_WAIT(hits == ARRAY_LEN(want));
	pc_settle();
	rt_check(hits == ARRAY_LEN(want), "all that is pending", "%u", hits);
	for (unsigned int i = 0; i < ARRAY_LEN(want); i++)
		rt_quiet(order[i] == want[i], "order", "%u: %u, not %u", i, order[i], want[i]);
}

static void check_auto_eoi(void)
{
	reset(ICW4_X86 | ICW4_AEOI, ICW4_X86 | ICW4_AEOI);
	send_eoi = false;
	pc_line(5, true);
	pc_line(11, true);
	sti();
	RT_WAIT(hits == 2);
	pc_settle();
	rt_check(hits == 2 && order[0] == 11 && order[1] == 5, "AEOI: both come", "%u: %u, %u",
		 hits, order[0], order[1]);
	rt_check(!isr_seen[0] && !isr_seen[1], "AEOI: nothing in service", "%x, %x", isr_seen[0],
		 isr_seen[1]);
	/* Rotation in AEOI mode: what was served gets the lowest priority. */
	outb(PIC1, OCW2_ROT_AEOI);
	pc_line(5, false);
	pc_line(5, true);
	pc_settle();
	hits = 0;
	for (unsigned int k = 0; k < 2; k++) {
		pc_line(k ? 6 : 5, false);
		pc_line(k ? 6 : 5, true);
	}
	pc_settle();
	rt_check(hits == 2 && order[0] == 6 && order[1] == 5, "rotation in AEOI", "%u: %u, %u",
		 hits, order[0], order[1]);
	outb(PIC1, OCW2_NO_ROT_AEOI);
	outb(PIC1, OCW2_LOWEST | 7);
}

/*
 * A request that is gone before INTA.  The 8259A then gives vector 7 of the
 * chip that has none, without an ISR bit; a request of the slave's that the
 * master still holds is vector 15 with the master's ISR bit 2.  Whether the
 * CPU still sees INTR is a race: none at all is right too.
 */
static void check_spurious(unsigned int n)
{
	bool right;

	reset(ICW4_X86, ICW4_X86);
	outb(ELCR1, 0x28);
	outb(ELCR2, 0x08);
	send_eoi = false;
	pc_line(n, true);
	pc_line(n, false);
	pc_settle();
	right = !hits || (order[0] == 7 && !isr_seen[0]) ||
		(n >= 8 && order[0] == 15 && isr_seen[0] == 4);
	rt_check(right && !isr_seen[1], "a request that is gone", "line %u: %u, vector of %u, "
		 "ISRs %x, %x", n, hits, order[0], isr_seen[0], isr_seen[1]);
}

/* PIT, mode 2, about 1 kHz: HLT until some came. */
static void check_pit(void)
{
	reset(ICW4_X86, ICW4_X86);
	rt_irq(PIC_VEC(0), on_pit);
	outb(PIT_CONTROL, PIT_MODE(0, 2));
	pit_load(0, PIT_HZ / 1000);
	pic_open(1);
	for (unsigned int i = 0; i < 100 * TICKS && hits < TICKS; i++) {
		sti_hlt();
		cli();
	}
	pit_quiet();
	pic_open(0);
	rt_check(hits >= TICKS, "IRQ 0 wakes HLT", "%u of %u", hits, TICKS);
}

static void check_rtc(void)
{
	reset(ICW4_X86, ICW4_X86);
	rt_irq(PIC_VEC(8), on_rtc);
	rtc_read(RTC_C);
	rtc_write(RTC_A, 0x26);		/* 1024 Hz */
	rtc_write(RTC_B, 0x42);		/* PIE */
	pic_open(1 << 8);
	for (unsigned int i = 0; i < 100 * TICKS && hits < TICKS; i++) {
		sti_hlt();
		cli();
	}
	rtc_write(RTC_B, 0x02);
	rtc_read(RTC_C);
	pic_open(0);
	rt_check(hits >= TICKS && rtc_flag, "IRQ 8 through the cascade wakes HLT", "%u of %u",
		 hits, TICKS);
}

static bool comes(void)
{
	hits = 0;
	pc_line(5, false);
	pc_line(5, true);
	pc_settle();
	return hits == 1;
}

/* The way through the local APIC.  SDM3 11.8.3.1: TPR is for fixed interrupts. */
static void check_lint0(void)
{
	reset(ICW4_X86, ICW4_X86);
	rt_check(!apic_isr, "ExtINT is not in the APIC's ISR", " ");
	apic_write(APIC_TPR, 0xff);
	rt_check(comes(), "TPR does not hold back ExtINT", " ");
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED | APIC_DM_EXTINT);
	rt_check(!comes(), "LINT0 masked: none", " ");
	apic_write(APIC_LVT_LINT0, APIC_DM_EXTINT);
	pc_settle();
	rt_check(hits == 1, "INTR is a level: it comes with the mask gone", "%u", hits);
	/* SDM3 11.4.7.2: disabled by software, all LVT entries are masked. */
	apic_write(APIC_SVR, APIC_VEC_SPURIOUS);
	rt_known(pc_is_qemu(), !comes(), "APIC disabled by SVR: none",
		 "QEMU 7.2 hw/intc/apic.c apic_mem_write: SVR does not set the masks");
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_VEC_SPURIOUS);
	apic_write(APIC_LVT_LINT0, APIC_DM_EXTINT);
	pc_settle();
	rt_check(hits == 1, "enabled again it comes", "%u", hits);
}

/* SDM3 11.4.3: without the APIC, LINT0 is INTR.  Not every APIC comes back: the last check. */
static void check_no_apic(void)
{
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~APIC_BASE_EN);
	reset(ICW4_X86, ICW4_X86);
	rt_known(pc_is_qemu(), comes(), "APIC disabled by the MSR: INTR",
		 "QEMU 7.2 hw/intc/apic.c apic_deliver_pic_intr asks LINT0 all the same");
}

int main(struct rt_info *info)
{
	pit_quiet();
	reset(ICW4_X86, ICW4_X86);
	pc_line(5, true);
	if (!(pic_irr(PIC1) & 0x20))
		return rt_skip("no port that drives interrupt lines");
	pic_virtual_wire();
	for (unsigned int n = 0; n < 16; n++)
		rt_irq(PIC_VEC(n), on_line);
	reset(ICW4_X86, ICW4_X86);
	for (unsigned int n = 0; n < 16; n++)
		if (PC_FREE_LINES >> n & 1)
			check_line(n);
	rt_check(true, "all free lines", " ");
	check_level(5);
	check_level(11);
	check_order();
	check_auto_eoi();
	check_spurious(3);
	check_spurious(5);
	check_spurious(11);
	check_lint0();
	check_pit();
	check_rtc();
	check_no_apic();
	return rt_result();
}
