// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(sipi, .ref = "SDM3 9.4, 11.6.1; APM2 14.1.3, 16.5", .cpus = "2",
	.desc = "INIT stops a CPU in any state, SIPI starts it, at the right page, once");

#define ROUNDS		8
#define SETTLE		50000000	/* TSC ticks in which a running CPU counts */

static volatile u32 beats;

static void wait(u64 ticks)
{
	u64 start = rdtsc();

	while (rdtsc() - start < ticks)
		cpu_pause();
}

static void init(void)
{
	apic_ipi(rt_cpus[1].apic_id, APIC_ASSERT | APIC_DM_INIT);
}

static void sipi(u8 page)
{
	apic_ipi(rt_cpus[1].apic_id, APIC_ASSERT | APIC_DM_SIPI | page);
}

/* States in which INIT finds the CPU. */
static void beat(void *arg)
{
	for (;;)
		beats++;
}

static void beat_exits(void *arg)
{
	for (;;) {
		cpuid(0);
		apic_read(APIC_TPR);
		apic_write(APIC_TPR, 0);
		beats++;
	}
}

static void sleep_deaf(void *arg)
{
	beats++;
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

static void sleep_on(void *arg)
{
	apic_enable();
	beats++;
	for (;;)
		sti_hlt();
}

static void spin_pause(void *arg)
{
	beats++;
	for (;;)
		cpu_pause();
}

static void other_cr4(void *arg)
{
	beats++;
	write_cr4(read_cr4() | CR4_TSD | CR4_DE);
	for (;;)
		cpu_pause();
}

static const struct state {
	const char *name;
	void (*fn)(void *arg);
} states[] = {
	{ "running", beat }, { "exiting", beat_exits }, { "CLI; HLT", sleep_deaf },
	{ "STI; HLT", sleep_on }, { "PAUSE", spin_pause }, { "other CR4", other_cr4 },
};

static bool up(u32 starts, u8 page)
{
	return RT_WAIT(rt_cpus[1].starts == starts) &&
	       rt_cpus[1].start.cs == (u32)page << 8 && rt_cpus[1].start.cr4 == 0;
}

static void check_states(void)
{
	u32 starts = rt_cpus[1].starts;

	for (unsigned int i = 0; i < ARRAY_LEN(states); i++) {
		bool ok = true;

		for (unsigned int round = 0; ok && round < ROUNDS; round++) {
			beats = 0;
			rt_smp_call(1, states[i].fn, NULL);
			ok = RT_WAIT(beats);
			wait(rt_random() % 20000);
			init();
			sipi(RT_AP_PAGE);
			ok = ok && up(++starts, RT_AP_PAGE);
		}
		if (!rt_check(ok, states[i].name, "%u starts, not %u", rt_cpus[1].starts, starts))
			return;
	}
}

/* The vector is the page; 01h to 9Fh are below 640 KiB. */
static void check_pages(void)
{
	static const u8 pages[] = { 0x02, 0x11, 0x40, 0x7f };
	u32 starts = rt_cpus[1].starts;

	for (unsigned int i = 0; i < ARRAY_LEN(pages); i++) {
		rt_smp_page(pages[i]);
		init();
		sipi(pages[i]);
		rt_check(up(++starts, pages[i]), "page", "%x: CS %x", pages[i],
			 rt_cpus[1].start.cs);
	}
}

/* It has been through its loop since: whatever came before was noticed. */
static bool beats_on(void)
{
	u32 before = beats;

	return RT_WAIT(beats - before > 1000);
}

static bool quiet(void)
{
	u32 before = beats;

	wait(SETTLE);
	return beats == before;
}

/* Between INIT and SIPI the CPU does nothing; afterwards SIPI is nothing to it. */
static void check_stopped(void)
{
	u32 starts = rt_cpus[1].starts;
	/* QEMU 7.2 hw/intc/apic.c apic_startup: the vector of the last one. */
	u8 second = apic_is_qemu() ? RT_AP_PAGE : 0x11;

	rt_smp_call(1, beat, NULL);
	rt_check(beats_on(), "it runs", " ");
	sipi(RT_AP_PAGE);
	/* Level de-assert: only arbitration ids, on old ones. */
	apic_ipi(rt_cpus[1].apic_id, APIC_LEVEL | APIC_DM_INIT);
	rt_check(beats_on() && rt_cpus[1].starts == starts, "SIPI to a running CPU is lost",
		 "%u starts, not %u", rt_cpus[1].starts, starts);
	init();
	rt_check(RT_WAIT(quiet()), "INIT stops it", " ");
	init();
	rt_check(RT_WAIT(quiet()) && rt_cpus[1].starts == starts, "it waits, however many",
		 "%u starts, not %u", rt_cpus[1].starts, starts);
	rt_smp_page(RT_AP_PAGE);
	rt_smp_page(0x11);
	sipi(RT_AP_PAGE);
	sipi(second);
	rt_check(up(starts + 1, RT_AP_PAGE), "the first of two SIPIs starts it", "CS %x",
		 rt_cpus[1].start.cs);
	sipi(0x11);
	rt_smp_call(1, beat, NULL);
	rt_check(beats_on() && rt_cpus[1].starts == starts + 1, "once", "%u",
		 rt_cpus[1].starts - starts);
	rt_check(rt_smp_restart(1), "and again", " ");
}

static volatile u32 bsp_flag;

static void read_base(void *arg)
{
	bsp_flag = (u32)rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP;
}

int main(struct rt_info *info)
{
	if (!rt_check(rt_smp_start(2) == 2, "a second CPU", " "))
		return rt_result();
	check_states();
	check_pages();
	check_stopped();
	bsp_flag = ~0u;
	rt_smp_call(1, read_base, NULL);
	rt_check(rt_smp_wait(1) && !bsp_flag, "it is no BSP", " ");
	return rt_result();
}
