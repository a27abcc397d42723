// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(smpwork, .ref = "SDM3 9.1.2, 9.10.6.1, 18.17.3; APM2 7.3", .timeout = "60000", .cpus = "4",
	.desc = "CPUs at work: locked counters, locks, TSC between CPUs, HLT and IPI");

#define CPUS		4
#define VEC		0x61
#define ADDS		20000
#define LOCKS		500
#define TURNS		200
#define WAKES		100

static volatile u32 counter, plain, spin_lock;

static void add(void *arg)
{
	for (u32 i = 0; i < ADDS; i++)
		lock_xadd(&counter, 1);
}

static void count_locked(void *arg)
{
	for (u32 i = 0; i < LOCKS; i++) {
		while (xchg(&spin_lock, 1))
			while (spin_lock)
				cpu_pause();
		plain = plain + 1;
		if (!(i % 16))
			cpuid(0);
		__asm__ volatile("" : : : "memory");
		spin_lock = 0;
	}
}

/* Each CPU in turn: its TSC is not behind what the last one read. */
static volatile u64 stamp;
static volatile u32 turn, backward;
static volatile u64 worst;

static void pass_on(void *arg)
{
	u32 me = rt_this_cpu()->index;

	for (u32 i = 0; i < TURNS; i++) {
		u64 now;

		while (turn % CPUS != me)
			cpu_pause();
		__asm__ volatile("lfence" : : : "memory");
		now = rdtsc();
		if (now < stamp) {
			backward++;
			worst = stamp - now;
		}
		stamp = now;
		turn++;
	}
}

/* STI; HLT until the IPI of each round. */
static volatile u32 woken[CPUS], wanted;

static void on_wake(unsigned int vector)
{
	apic_eoi();
}

static void sleep(void *arg)
{
	u32 me = rt_this_cpu()->index;

	apic_enable();
	while (woken[me] < WAKES) {
		cli();
		if (wanted == woken[me])
			sti_hlt();
		else
			woken[me]++;
	}
	sti_nop();
	cli();
}

static bool all_woken(u32 round)
{
	for (u32 i = 1; i < CPUS; i++)
		if (woken[i] != round)
			return false;
	return true;
}

static void check_wakes(void)
{
	u32 round;

	rt_irq(VEC, on_wake);
	for (u32 i = 1; i < CPUS; i++)
		rt_smp_call(i, sleep, NULL);
	/* A CPU whose APIC is not enabled yet sees wanted before it sleeps. */
	for (round = 1; round <= WAKES; round++) {
		wanted = round;
		apic_ipi(0, APIC_TO_OTHERS | APIC_ASSERT | VEC);
		if (!RT_WAIT(all_woken(round)))
			break;
	}
	rt_check(round > WAKES, "IPIs wake HLT", "round %u: %u %u %u", round, woken[1], woken[2],
		 woken[3]);
	for (u32 i = 1; i < CPUS; i++)
		rt_check(rt_smp_wait(i), "the CPU ends", "%u", i);
}

int main(struct rt_info *info)
{
	unsigned int n = rt_smp_start(CPUS);

	if (!rt_check(n == CPUS, "four CPUs", "%u", n))
		return rt_result();
	rt_check(rt_smp_all(CPUS, add, NULL), "LOCK XADD ends", " ");
	rt_check(counter == CPUS * ADDS, "LOCK XADD", "%u, not %u", counter, CPUS * ADDS);
	rt_check(rt_smp_all(CPUS, count_locked, NULL), "locks end", " ");
	rt_check(plain == CPUS * LOCKS, "XCHG and PAUSE make a lock", "%u, not %u", plain,
		 CPUS * LOCKS);
	stamp = 0;
	rt_check(rt_smp_all(CPUS, pass_on, NULL), "turns end", "%u", turn);
	rt_check(!backward, "TSC never goes back from CPU to CPU", "%u times, by %llx", backward,
		 worst);
	check_wakes();
	return rt_result();
}
