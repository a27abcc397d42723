// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(smpipi, .ref = "SDM3 11.6; APM2 16.5", .timeout = "60000", .cpus = "4",
	.desc = "IPIs from each CPU: physical, shorthands, flat, cluster, lowest, NMI");

#define CPUS		4
#define NOBODY		CPUS
#define VEC		0x61
#define ALL		0xf
#define LOWEST_ROUNDS	60

/* Kept by each CPU itself; want: what should have come. */
static volatile u32 hits[CPUS], nmis[CPUS];
static u32 want[CPUS], want_nmis[CPUS];

/* What CPU 0 makes another one send. */
static volatile struct {
	u32 cpu, dest, low;
} order = { .cpu = NOBODY };
static volatile bool stop;
static volatile u32 serving;
static bool cluster;

static const u8 flat_id[CPUS] = { 0x01, 0x02, 0x04, 0x08 };
static const u8 cluster_id[CPUS] = { 0x01, 0x02, 0x11, 0x18 };

static void on_irq(unsigned int vector)
{
	hits[rt_this_cpu()->index]++;
	apic_eoi();
}

static void on_nmi(unsigned int vector)
{
	nmis[rt_this_cpu()->index]++;
}

static void set_logical(u32 cpu)
{
	apic_write(APIC_DFR, cluster ? 0x0fffffff : 0xffffffff);
	apic_write(APIC_LDR, (u32)(cluster ? cluster_id : flat_id)[cpu] << 24);
}

/* On the APs. */
static void serve(void *arg)
{
	u32 me = rt_this_cpu()->index;

	apic_enable();
	set_logical(me);
	lock_xadd(&serving, 1);
	sti();
	while (!stop) {
		if (order.cpu == me) {
			apic_ipi(order.dest, order.low);
			order.cpu = NOBODY;
		}
		cpu_pause();
	}
	cli();
}

static bool arrived(void)
{
	for (u32 i = 0; i < CPUS; i++)
		if (hits[i] != want[i] || nmis[i] != want_nmis[i])
			return false;
	return true;
}

static bool send(u32 from, u32 dest, u32 low)
{
	if (from == 0) {
		apic_ipi(dest, low);
		return true;
	}
	order.dest = dest;
	order.low = low;
	order.cpu = from;
	return RT_WAIT(order.cpu == NOBODY);
}

/* One too many at an earlier one shows at the next. */
static bool expect(const char *name, u32 from, u32 dest, u32 low, u32 mask)
{
	bool nmi = (low & 0x700) == APIC_DM_NMI;

	for (u32 i = 0; i < CPUS; i++)
		(nmi ? want_nmis : want)[i] += mask >> i & 1;
	send(from, dest, low | APIC_ASSERT | (nmi ? 0 : VEC));
	if (RT_WAIT(arrived()))
		return rt_quiet(true, name, " ");
	return rt_quiet(false, name, "CPU %u to %x: too few or many: %d %d %d %d; NMI %d %d %d %d",
			from, dest, (s32)(hits[0] - want[0]), (s32)(hits[1] - want[1]),
			(s32)(hits[2] - want[2]), (s32)(hits[3] - want[3]),
			(s32)(nmis[0] - want_nmis[0]), (s32)(nmis[1] - want_nmis[1]),
			(s32)(nmis[2] - want_nmis[2]), (s32)(nmis[3] - want_nmis[3]));
}

static bool check_sender(u32 from)
{
	u32 me = 1u << from;
	bool ok = true;

	for (u32 to = 0; ok && to < CPUS; to++)
		ok = expect("physical", from, rt_cpus[to].apic_id, 0, 1u << to) &&
		     expect("NMI", from, rt_cpus[to].apic_id, APIC_DM_NMI, 1u << to);
	return ok && expect("to itself", from, 0, APIC_TO_SELF, me) &&
	       expect("to all", from, 0, APIC_TO_ALL, ALL) &&
	       expect("to others", from, 0, APIC_TO_OTHERS, ALL & ~me) &&
	       expect("broadcast", from, 0xff, 0, ALL) &&
	       expect("NMI to others", from, 0, APIC_TO_OTHERS | APIC_DM_NMI, ALL & ~me) &&
	       expect("NMI to all", from, 0, APIC_TO_ALL | APIC_DM_NMI, ALL) &&
	       expect("id of nobody", from, 0x5a, 0, 0);
}

static bool check_flat(u32 from)
{
	bool ok = true;

	for (u32 mask = 1; ok && mask <= ALL; mask++)
		ok = expect("flat", from, mask, APIC_LOGICAL, mask) &&
		     expect("flat NMI", from, mask, APIC_LOGICAL | APIC_DM_NMI, mask);
	return ok && expect("flat, nobody's bit", from, 0xf0, APIC_LOGICAL, 0) &&
	       expect("flat, some have", from, 0x72, APIC_LOGICAL, 2) &&
	       expect("flat broadcast", from, 0xff, APIC_LOGICAL, ALL);
}

/* SDM3 11.6.2.2: cluster in bits 7:4, members in 3:0. */
static bool check_cluster(u32 from)
{
	static const struct {
		u8 dest, mask;
	} rows[] = {
		{ 0x01, 1 }, { 0x02, 2 }, { 0x03, 3 }, { 0x0f, 3 }, { 0x0c, 0 }, { 0x11, 4 },
		{ 0x18, 8 }, { 0x19, 12 }, { 0x1f, 12 }, { 0x16, 0 }, { 0x21, 0 }, { 0x10, 0 },
	};
	bool ok = true;

	for (unsigned int i = 0; ok && i < ARRAY_LEN(rows); i++)
		ok = expect("cluster", from, rows[i].dest, APIC_LOGICAL, rows[i].mask);
	/* QEMU 7.2 hw/intc/apic.c apic_get_delivery_bitmask: no broadcast here. */
	return ok && (apic_is_qemu() ||
		      expect("cluster broadcast", from, 0xff, APIC_LOGICAL, ALL));
}

static u32 sum(void)
{
	return hits[0] + hits[1] + hits[2] + hits[3];
}

/* Each is taken by exactly one of those that are named. */
static void check_lowest(u32 mask)
{
	u32 before[CPUS], start = sum(), others = 0;
	bool ok = true;

	for (u32 i = 0; i < CPUS; i++)
		before[i] = hits[i];
	for (u32 i = 1; ok && i <= LOWEST_ROUNDS; i++) {
		send(i % CPUS, mask, APIC_LOGICAL | APIC_DM_LOWEST | APIC_ASSERT | VEC);
		ok = RT_WAIT(sum() == start + i);
	}
	for (u32 i = 0; i < CPUS; i++) {
		others += mask >> i & 1 ? 0 : hits[i] - before[i];
		want[i] = hits[i];
	}
	rt_check(ok && !others, "lowest priority: one each", "mask %x: %u came, %u to others",
		 mask, sum() - start, others);
	/* A second copy would come late. */
	expect("after lowest priority", 0, 0, APIC_TO_ALL, ALL);
}

/* SDM3 11.6.2.4: the one whose priority is lowest; CPU 0 has a high one. */
static void check_arbitration(void)
{
	u32 start = sum(), mine = hits[0];

	cli();
	apic_write(APIC_TPR, 0x20);
	for (u32 i = 1; i <= CPUS; i++) {
		send(0, ALL, APIC_LOGICAL | APIC_DM_LOWEST | APIC_ASSERT | VEC);
		if (!RT_WAIT(sum() + apic_bit(APIC_IRR, VEC) >= start + i))
			break;
		sti_nop();
		cli();
	}
	rt_known(apic_is_qemu(), hits[0] == mine && sum() == start + CPUS,
		 "lowest priority: not to the one with the highest",
		 "QEMU 7.2 hw/intc/apic.c apic_bus_deliver takes the first");
	apic_write(APIC_TPR, 0);
	sti();
	for (u32 i = 0; i < CPUS; i++)
		want[i] = hits[i];
}

static bool phase(const char *name, bool with_cluster, bool (*check)(u32 from))
{
	bool ok = true;

	cluster = with_cluster;
	stop = false;
	serving = 0;
	set_logical(0);
	for (u32 i = 1; i < CPUS; i++)
		rt_smp_call(i, serve, NULL);
	if (!rt_check(RT_WAIT(serving == CPUS - 1), "all take interrupts", "%u", serving))
		return false;
	sti();
	for (u32 from = 0; ok && from < CPUS; from++)
		ok = check(from);
	rt_check(ok, name, "see above");
	if (ok && !with_cluster) {
		check_lowest(ALL);
		check_lowest(0xa);
		check_arbitration();
	}
	cli();
	stop = true;
	for (u32 i = 1; i < CPUS; i++)
		ok &= rt_smp_wait(i);
	return rt_check(ok, "all end", " ");
}

static bool check_both(u32 from)
{
	return check_sender(from) && check_flat(from);
}

int main(struct rt_info *info)
{
	unsigned int n = rt_smp_start(CPUS);

	if (!rt_check(n == CPUS, "four CPUs", "%u", n))
		return rt_result();
	rt_irq(VEC, on_irq);
	rt_irq(VEC_NMI, on_nmi);
	if (phase("physical, shorthands, flat", false, check_both))
		phase("cluster", true, check_cluster);
	return rt_result();
}
