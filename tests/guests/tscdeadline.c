// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(tscdeadline, .ref = "SDM3 11.5.4.1; APM2 16.4.1",
	.desc = "APIC timer in TSC-deadline mode: never early, disarm, mode changes");

#define VEC		0x51
#define ROUNDS		50
#define QUIET		2000000		/* ticks to look whether something comes */
#define FAR		(1ULL << 40)

static volatile u32 hits;
static volatile u64 hit_tsc;

static void on_timer(unsigned int vector)
{
	hit_tsc = rdtsc();
	hits++;
	apic_eoi();
}

static bool comes(void)
{
	u64 start = rdtsc();

	sti();
	while (!hits && rdtsc() - start < QUIET)
		cpu_pause();
	cli();
	return hits;
}

static void check_never_early(void)
{
	static const u32 after[] = { 0, 1, 1000, 50000, 1000000 };

	for (unsigned int i = 0; i < ARRAY_LEN(after); i++) {
		for (unsigned int round = 0; round < ROUNDS; round++) {
			u64 deadline;

			hits = 0;
			sti();
			deadline = rdtsc() + after[i];
			wrmsr(MSR_TSC_DEADLINE, deadline);
			if (!rt_quiet(RT_WAIT(hits), "deadline comes", "after %u", after[i]))
				return;
			cli();
			rt_quiet(hit_tsc >= deadline, "deadline is early", "%llx before %llx",
				 hit_tsc, deadline);
			rt_quiet(!rdmsr(MSR_TSC_DEADLINE), "it disarms itself", "%llx",
				 rdmsr(MSR_TSC_DEADLINE));
			rt_quiet(hits == 1, "once", "%u", hits);
		}
	}
	rt_check(true, "deadlines", " ");
}

static void check_armed(void)
{
	u64 deadline = rdtsc() + FAR, after;

	hits = 0;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	rt_check(rdmsr(MSR_TSC_DEADLINE) == deadline, "armed: reads back", "%llx",
		 rdmsr(MSR_TSC_DEADLINE));
	rt_check(!comes(), "a deadline far away does not come", " ");
	/* Unless it came to pass in between. */
	deadline = rdtsc() + QUIET / 4;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	wrmsr(MSR_TSC_DEADLINE, 0);
	after = rdtsc();
	rt_check(!comes() || after >= deadline, "0 disarms", "%llx, %llx", after, deadline);
	rt_check(!rdmsr(MSR_TSC_DEADLINE), "and reads 0", " ");
	hits = 0;
	wrmsr(MSR_TSC_DEADLINE, 1);
	sti();
	rt_check(RT_WAIT(hits == 1), "one in the past comes at once", " ");
	cli();
	/* The counter belongs to the other modes. */
	apic_write(APIC_TMICT, 1000);
	hits = 0;
	rt_check(!comes() && !apic_read(APIC_TMCCT), "the initial count is ignored", " ");
}

static void check_modes(void)
{
	hits = 0;
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + FAR);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_ONE_SHOT | VEC);
	rt_check(!rdmsr(MSR_TSC_DEADLINE), "another mode disarms", " ");
	wrmsr(MSR_TSC_DEADLINE, 1);
	rt_check(!rdmsr(MSR_TSC_DEADLINE) && !comes(), "and ignores the MSR", " ");
	apic_write(APIC_TMICT, 0xf0000000);
	rt_check(apic_read(APIC_TMCCT) != 0, "one-shot counts", " ");
	apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | VEC);
	rt_check(!apic_read(APIC_TMCCT), "deadline mode stops it", "%x", apic_read(APIC_TMCCT));
}

static void check_masked(void)
{
	hits = 0;
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | APIC_TIMER_DEADLINE | VEC);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
	rt_check(!comes() && !apic_bit(APIC_IRR, VEC), "masked: none", " ");
	apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | VEC);
	hits = 0;
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
	sti_hlt();
	cli();
	rt_check(hits == 1, "wakes HLT", "%u", hits);
}

int main(struct rt_info *info)
{
	if (!rt_has(1, 0, ECX, 24))
		return rt_skip("no TSC deadline");
	apic_enable();
	rt_irq(VEC, on_timer);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | VEC);
	/* SDM3 11.5.4.1: the MSR must not be written before the LVT is. */
	__asm__ volatile("mfence" : : : "memory");
	check_never_early();
	check_armed();
	check_modes();
	check_masked();
	return rt_result();
}
