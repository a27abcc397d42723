// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(stormipi, .ref = "SDM3 11.6, 11.8.4; APM2 16.5", .timeout = "60000", .cpus = "4",
	.desc = "all CPUs send IPIs and NMIs to all at once; what is sent last comes");

#define CPUS		4
#define STORM		1500
#define VEC		0x40	/* and one more for each sender */

static volatile u32 hits[CPUS][CPUS], nmis[CPUS];
static volatile u32 ready, done;

static void on_irq(unsigned int vector)
{
	hits[rt_this_cpu()->index][(vector - VEC) >> 4]++;
	apic_eoi();
}

static void on_nmi(unsigned int vector)
{
	nmis[rt_this_cpu()->index]++;
}

static void storm(void *arg)
{
	u32 me = rt_this_cpu()->index;

	apic_enable();
	lock_xadd(&ready, 1);
	while (ready < CPUS)
		cpu_pause();
	sti();
	for (u32 i = 0; i < STORM; i++) {
		apic_ipi(0, APIC_TO_OTHERS | APIC_ASSERT | (VEC + (me << 4)));
		if (i % 16 == me)
			apic_ipi(rt_cpus[(me + 1) % CPUS].apic_id, APIC_ASSERT | APIC_DM_NMI);
	}
	/* Those that others send until they are done are taken, too. */
	lock_xadd(&done, 1);
	while (done < CPUS)
		cpu_pause();
	sti_nop();
	cli();
}

/* One more from each to each: nothing was left behind that holds them back. */
static volatile u32 last[CPUS];
static volatile u32 end;

static void on_last(unsigned int vector)
{
	lock_xadd(&last[rt_this_cpu()->index], 1);
	apic_eoi();
}

static void send_last(void *arg)
{
	u32 me = rt_this_cpu()->index;

	sti();
	apic_ipi(0, APIC_TO_OTHERS | APIC_ASSERT | (VEC + 8 + (me << 4)));
	RT_WAIT(last[me] == CPUS - 1);
	lock_xadd(&end, 1);
	RT_WAIT(end == CPUS);
	cli();
}

int main(struct rt_info *info)
{
	unsigned int n = rt_smp_start(CPUS);
	bool came = true;

	if (!rt_check(n == CPUS, "four CPUs", "%u", n))
		return rt_result();
	for (u32 i = 0; i < CPUS; i++) {
		rt_irq(VEC + (i << 4), on_irq);
		rt_irq(VEC + 8 + (i << 4), on_last);
	}
	rt_irq(VEC_NMI, on_nmi);
	rt_check(rt_smp_all(CPUS, storm, NULL), "the storm ends", "%u done", done);
	for (u32 to = 0; to < CPUS; to++)
		for (u32 from = 0; from < CPUS; from++)
			came &= from == to ? !hits[to][from] :
				hits[to][from] && hits[to][from] <= STORM;
	rt_check(came, "from each to each, not more than were sent", " ");
	came = true;
	for (u32 i = 0; i < CPUS; i++)
		came &= nmis[i] && nmis[i] <= STORM / 16 + 1;
	rt_check(came, "NMIs", "%u %u %u %u", nmis[0], nmis[1], nmis[2], nmis[3]);
	rt_check(rt_smp_all(CPUS, send_last, NULL), "all end", " ");
	for (u32 i = 0; i < CPUS; i++)
		rt_check(last[i] == CPUS - 1, "the last ones", "CPU %u: %u", i, last[i]);
	return rt_result();
}
