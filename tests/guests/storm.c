// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(storm, .ref = "SDM3 11.5.4, 11.8.4", .timeout = "60000",
	.desc = "storms of the shortest timer period and of self IPIs come to an end");

#define VEC_TIMER	0x51
#define VEC_SELF	0x61
#define STORM		2000

static volatile u32 timer_hits, self_hits;

/* In a storm only the handler is sure to run: it ends it. */
static void on_timer(unsigned int vector)
{
	if (++timer_hits == STORM)
		apic_write(APIC_TMICT, 0);
	apic_eoi();
}

static void on_self(unsigned int vector)
{
	if (++self_hits < STORM)
		apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC_SELF);
	apic_eoi();
}

/*
 * QEMU 7.2 hw/intc/apic_common.c apic_next_timer makes up for each period that
 * was missed, one by one, and never gets out of it when they are short.
 */
static u32 shortest(void)
{
	return apic_is_qemu() ? 200000 : 1;
}

static void start_timer(void)
{
	timer_hits = 0;
	apic_write(APIC_TMICT, shortest());
}

static void start_self(void)
{
	self_hits = 0;
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC_SELF);
}

int main(struct rt_info *info)
{
	apic_enable();
	rt_irq(VEC_TIMER, on_timer);
	rt_irq(VEC_SELF, on_self);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VEC_TIMER);
	start_timer();
	sti();
	while (timer_hits < STORM)
		cpu_pause();
	/* One may have been requested when it was stopped. */
	sti_nop();
	rt_check(timer_hits <= STORM + 1, "timer", "%u", timer_hits);
	start_self();
	while (self_hits < STORM)
		cpu_pause();
	sti_nop();
	rt_check(self_hits == STORM, "self IPIs", "%u", self_hits);
	cli();
	start_timer();
	start_self();
	sti();
	while (timer_hits < STORM || self_hits < STORM)
		cpu_pause();
	sti_nop();
	cli();
	rt_check(timer_hits <= STORM + 1 && self_hits == STORM, "both", "%u, %u", timer_hits,
		 self_hits);
	rt_check(!apic_read(APIC_TMCCT) && !apic_bit(APIC_IRR, VEC_SELF), "and are over", " ");
	return rt_result();
}
