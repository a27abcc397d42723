// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(stormhlt, .ref = "SDM2 HLT; APM3 HLT", .timeout = "60000", .cpus = "4",
	.desc = "a CPU in CLI; HLT and one in a loop stop neither the others nor the end");

#define CPUS		4
#define WORK		3000
#define VEC		0x51
#define TICKS		100

static volatile u32 asleep, awake, looping, work, ticks;

static void sleep(void *arg)
{
	apic_enable();
	asleep = 1;
	for (;;) {
		__asm__ volatile("cli; hlt" : : : "memory");
		awake++;
	}
}

/* Neither exits nor takes interrupts. */
static void loop(void *arg)
{
	looping = 1;
	__asm__ volatile("cli; 1: jmp 1b" : : : "memory");
}

static void on_timer(unsigned int vector)
{
	ticks++;
	apic_eoi();
}

static void work_hard(void *arg)
{
	for (u32 i = 0; i < WORK; i++) {
		lock_xadd(&work, 1);
		cpuid(0);
	}
}

int main(struct rt_info *info)
{
	unsigned int n = rt_smp_start(CPUS);

	if (!rt_check(n == CPUS, "four CPUs", "%u", n))
		return rt_result();
	rt_smp_call(1, sleep, NULL);
	rt_smp_call(2, loop, NULL);
	rt_check(RT_WAIT(asleep && looping), "one sleeps, one loops", " ");
	rt_smp_call(3, work_hard, NULL);
	work_hard(NULL);
	rt_check(rt_smp_wait(3), "another works", " ");
	rt_check(work == 2 * WORK, "all work is done", "%u", work);
	/* A fixed IPI wakes the one no more than the other; the timer is this CPU's. */
	rt_irq(VEC, on_timer);
	apic_ipi(0, APIC_TO_OTHERS | APIC_ASSERT | VEC);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VEC);
	apic_write(APIC_TMICT, 50000);
	while (ticks < TICKS)
		sti_hlt();
	cli();
	apic_write(APIC_TMICT, 0);
	rt_check(!awake, "CLI; HLT goes on", "%u", awake);
	/* INIT gets both out of it. */
	rt_check(rt_smp_restart(1) && rt_smp_restart(2), "INIT", " ");
	rt_smp_call(1, work_hard, NULL);
	rt_smp_call(2, work_hard, NULL);
	rt_check(rt_smp_wait(1) && rt_smp_wait(2) && work == 4 * WORK, "they work", "%u", work);
	/* The guest ends while they are in it again. */
	rt_smp_call(1, sleep, NULL);
	rt_smp_call(2, loop, NULL);
	return rt_result();
}
