// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(nmi, .ref = "SDM3 6.7.1, 11.6.1; SDM2 HLT; APM2 8.2.3, 16.5", .cpus = "2",
	.timeout = "60000",
	.desc = "NMI IPIs: to itself, masked until IRET, end of HLT with IF clear");

#define ROUNDS		200

static volatile u32 nmis, depth, deepest, send_in_handler;
static volatile u32 asleep;	/* round in which CPU 0 is about to sleep */
static volatile bool stop;

static void nmi_to(u32 apic_id)
{
	apic_ipi(apic_id, APIC_ASSERT | APIC_DM_NMI);
}

static void on_nmi(unsigned int vector)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	nmis++;
	for (; send_in_handler; send_in_handler--)
		nmi_to(rt_cpus[0].apic_id);
	cpuid(0);
	depth--;
}

static void check_self(void)
{
	for (u32 i = 1; i <= ROUNDS; i++) {
		nmi_to(rt_cpus[0].apic_id);
		if (!rt_quiet(RT_WAIT(nmis == i), "NMI to itself", "%u of %u", nmis, i))
			break;
	}
	rt_check(nmis == ROUNDS, "NMIs to itself", "%u", nmis);
	/* TPR and IF do not matter; a vector does not either. */
	cli();
	apic_write(APIC_TPR, 0xff);
	apic_ipi(rt_cpus[0].apic_id, APIC_ASSERT | APIC_DM_NMI | 0x66);
	rt_check(RT_WAIT(nmis == ROUNDS + 1), "with TPR FFh and a vector", "%u", nmis);
	apic_write(APIC_TPR, 0);
}

/* SDM3 6.7.1: no second one until IRET, then one that was held. */
static void check_masked(void)
{
	nmis = deepest = 0;
	send_in_handler = 3;
	nmi_to(rt_cpus[0].apic_id);
	rt_check(RT_WAIT(nmis >= 2), "one in the handler comes after it", "%u", nmis);
	for (unsigned int i = 0; i < 1000; i++)
		cpu_pause();
	rt_check(nmis >= 2 && nmis <= 3, "of several, one or two are held", "%u", nmis);
	rt_check(deepest == 1, "never inside", "%u deep", deepest);
	rt_check(!send_in_handler, "all were sent", " ");
}

/* CPU 1: an NMI for each round, and more should it have come too early. */
static void wake(void *arg)
{
	u32 seen = 0;

	while (!stop) {
		if (asleep == seen) {
			cpu_pause();
			continue;
		}
		seen = asleep;
		while (asleep == seen && !stop) {
			nmi_to(rt_cpus[0].apic_id);
			for (unsigned int i = 0; i < 100 && asleep == seen; i++)
				cpu_pause();
		}
	}
}

static void check_hlt(void)
{
	nmis = deepest = 0;
	rt_smp_call(1, wake, NULL);
	cli();
	for (u32 i = 1; i <= ROUNDS; i++) {
		asleep = 2 * i;
		__asm__ volatile("hlt" : : : "memory");
		asleep = 2 * i + 1;
	}
	stop = true;
	rt_check(rt_smp_wait(1), "the sender ends", " ");
	rt_check(nmis >= ROUNDS, "NMI ends CLI; HLT", "%u", nmis);
	rt_check(deepest == 1 && !(read_flags() & FL_IF), "IF stays clear", " ");
}

int main(struct rt_info *info)
{
	rt_irq(VEC_NMI, on_nmi);
	if (!rt_check(rt_smp_start(2) == 2, "a second CPU", " "))
		return rt_result();
	check_self();
	check_masked();
	check_hlt();
	return rt_result();
}
