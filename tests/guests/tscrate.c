// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/pc.h"
#include "tests/guests/rt/smp.h"

PAYLOAD(tscrate, .ref = "APM2 15.30.5, SDM3 18.17, 25.6.5", .cpus = "2", .timeout = "40000",
	.desc = "the TSC's rate against PM timer and PIT, its deadlines, writes, and other CPUs'");

#define VEC		0x51
#define WINDOW		(PM_HZ / 50)	/* 20 ms */
#define PIT_TICKS	23864		/* 20 ms */
#define TRIES		8
#define WARP_ROUNDS	20000

static volatile u32 hits;
static volatile u64 hit_tsc;
static volatile u32 hit_pm;

/* What is between two bounds, in Hz; a delay only widens them. */
struct rate {
	u64 least, most;
};

static struct rate by_pm_timer(void)
{
	u32 from, to;
	u64 t[4];

	t[0] = rdtsc();
	from = pm_now();
	t[1] = rdtsc();
	do {
		t[2] = rdtsc();
		to = pm_now();
		t[3] = rdtsc();
	} while (pm_ticks(from, to) < WINDOW);
	return (struct rate){ (t[2] - t[1]) * PM_HZ / (pm_ticks(from, to) + 1),
			      (t[3] - t[0]) * PM_HZ / (pm_ticks(from, to) - 1) };
}

/* Channel 2, mode 0: OUT2 rises PIT_TICKS + 1 clocks behind the count. */
static struct rate by_pit(void)
{
	u8 port_b = inb(PORT_B) & 0xfc;
	u64 t[4], now;

	outb(PORT_B, port_b | PORT_B_GATE2);
	outb(PIT_CONTROL, PIT_MODE(2, 0));
	t[0] = rdtsc();
	pit_load(2, PIT_TICKS);
	t[1] = rdtsc();
	now = t[1];
	do {
		t[2] = now;
		now = rdtsc();
	} while (!(inb(PORT_B) & PORT_B_OUT2));
	t[3] = rdtsc();
	outb(PORT_B, port_b);
	return (struct rate){ (t[2] - t[1]) * PIT_HZ / (PIT_TICKS + 2),
			      (t[3] - t[0]) * PIT_HZ / PIT_TICKS };
}

/* The hypervisor's leaf has it in full; 0: none. */
static u64 leaf_hz(void)
{
	if (rt.hv[0] && cpuid(0x40000000).eax >= 0x40000010)
		return cpuid(0x40000010).eax * 1000ull;
	return 0;
}

/* CPUID 15h, or the hypervisor's leaf. */
static u64 told_hz(void)
{
	struct cpuid c = { 0 };

	if (rt.max_basic >= 0x15)
		c = cpuid(0x15);
	if (c.eax && c.ebx && c.ecx)
		return (u64)c.ecx * c.ebx / c.eax;
	return leaf_hz();
}

/* The number behind "tsc=" of the command line; 0: none. */
static u64 wanted_hz(void)
{
	u64 khz = 0;

	for (const char *p = rt.cmdline; *p; p++) {
		if (memcmp(p, "tsc=", 4))
			continue;
		for (p += 4; *p >= '0' && *p <= '9'; p++)
			khz = khz * 10 + (u64)(*p - '0');
		return khz * 1000;
	}
	return 0;
}

/* One in a thousand: the bounds have the delays in them already. */
static void check_rate(const char *name, struct rate (*measure)(void), u64 hz)
{
	struct rate r = { 0 };
	u64 slack = hz / 1000;

	for (unsigned int i = 0; i < TRIES; i++) {
		r = measure();
		if (r.most - r.least < 2 * slack)
			break;
	}
	rt_printf("NOTE %s: TSC at %u to %u kHz, told %u\n", name, (u32)(r.least / 1000),
		  (u32)(r.most / 1000), (u32)(hz / 1000));
	if (hz)
		rt_check(r.least <= hz + slack && hz <= r.most + slack, name,
			 "%llx, not %llx to %llx", hz, r.least, r.most);
}

/* What exits and what does not are one counter. */
static void check_msr(void)
{
	for (unsigned int i = 0; i < 200; i++) {
		u64 before = rdtsc(), msr = rdmsr(MSR_TSC), after = rdtsc();

		rt_quiet(before <= msr && msr <= after, "RDMSR of the TSC",
			 "%llx, not %llx to %llx", msr, before, after);
	}
	rt_check(true, "RDMSR and RDTSC", " ");
}

#define MSR_TSC_ADJUST	0x3b

/* SDM3 18.17.3: a write moves the counter, it goes on at its rate, and ADJUST undoes it. */
static void check_write(u64 hz)
{
	u64 moved, before, after, adjust;

	rt_check(!rdmsr(MSR_TSC_ADJUST), "TSC_ADJUST is 0", "%llx", rdmsr(MSR_TSC_ADJUST));
	before = rdtsc();
	wrmsr(MSR_TSC, 1ULL << 44);
	moved = rdtsc();
	after = moved - (1ULL << 44);
	rt_check(after < hz, "the TSC is what was written", "%llx behind it", after);
	adjust = rdmsr(MSR_TSC_ADJUST);
	rt_check((1ULL << 44) - adjust - before < hz, "TSC_ADJUST is the difference", "%llx",
		 adjust);
	check_rate("after a write", by_pm_timer, hz);
	wrmsr(MSR_TSC_ADJUST, 0);
	after = rdtsc();
	rt_check(after > before && after - before < 100 * hz, "TSC_ADJUST takes it back",
		 "%llx after %llx", after, before);
}

static void on_timer(unsigned int vector)
{
	hit_tsc = rdtsc();
	hit_pm = pm_now();
	hits++;
	apic_eoi();
}

/* 10 ms by the TSC are 10 ms: never less, and not always much more. */
static void check_deadline(u64 hz)
{
	u32 ticks = 0, least = ~0u, from;

	rt_irq(VEC, on_timer);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_DEADLINE | VEC);
	__asm__ volatile("mfence" : : : "memory");
	for (unsigned int i = 0; i < TRIES; i++) {
		u64 deadline;

		hits = 0;
		from = pm_now();
		deadline = rdtsc() + hz / 100;
		wrmsr(MSR_TSC_DEADLINE, deadline);
		while (!hits)
			sti_hlt();
		cli();
		ticks = pm_ticks(from, hit_pm);
		rt_quiet(hit_tsc >= deadline, "a deadline is early", "%llx before %llx", hit_tsc,
			 deadline);
		rt_quiet(ticks + 1 >= PM_HZ / 100 / 1000 * 999,
			 "a deadline is early by the PM timer", "%u ticks", ticks);
		least = ticks < least ? ticks : least;
	}
	rt_check(least < PM_HZ / 100 * 3 / 2, "deadlines are in time", "%u ticks of the PM timer",
		 least);
}

static volatile u32 lock;
static volatile u64 last;
static volatile u32 warps;

/* Each reading comes behind that of whoever had the lock before. */
static void race(void *arg)
{
	for (unsigned int i = 0; i < WARP_ROUNDS; i++) {
		u64 now;

		while (xchg(&lock, 1))
			cpu_pause();
		now = rdtsc();
		if (now < last)
			warps++;
		last = now;
		xchg(&lock, 0);
	}
}

static void check_cpus(void)
{
	if (rt_smp_start(2) != 2) {
		rt_note("one CPU");
		return;
	}
	rt_check(rt_smp_all(2, race, NULL), "both CPUs end", " ");
	rt_check(!warps, "no CPU's TSC is behind another's", "%u times", warps);
}

int main(struct rt_info *info)
{
	u64 first = rdtsc(), hz = told_hz(), wanted = wanted_hz();

	if (!pm_init())
		return rt_skip("no PM timer");
	if (wanted) {
		rt_check(leaf_hz() == wanted, "CPUID tells what was asked for", "%llx, not %llx",
			 leaf_hz(), wanted);
		/* A ratio of numbers that are small enough for 32 bits. */
		rt_check(hz - wanted + wanted / 8000 <= wanted / 4000, "CPUID 15h is near it",
			 "%llx, not %llx", hz, wanted);
	}
	if (rt.nestbed)
		rt_check(first < 100 * hz, "the TSC begins with the machine", "%llx", first);
	check_rate("PM timer", by_pm_timer, hz);
	check_rate("PIT", by_pit, hz);
	/* QEMU's helper_rdmsr has no case for MSR 10h. */
	if (rt.nestbed) {
		check_msr();
		check_write(hz);
	}
	if (hz && rt_has(1, 0, ECX, 24)) {
		apic_enable();
		check_deadline(hz);
	}
	check_cpus();
	return rt_result();
}
