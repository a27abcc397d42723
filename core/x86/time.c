// SPDX-License-Identifier: MIT
#include "core/x86/time.h"

#include "core/lib/muldiv.h"
#include "core/x86/caps.h"
#include "core/x86/hpet_hw.h"
#include "core/x86/insn.h"
#include "core/x86/tsc_calc.h"

#define PM_TIMER_HZ	3579545	/* ACPI 4.8.2.1 */
#define PIT_HZ		1193182
#define PIT_CH2		0x42
#define PIT_CTRL	0x43
#define PORT_B		0x61	/* bit 0 gate 2, bit 1 speaker, bit 5 OUT2 */

#define SAMPLE_US	8000
#define SAMPLES		3
/* Measurements that disagree this much are made once more. */
#define SPREAD_PERCENT	1
/* CPUID and a measurement that disagree this much: CPUID is wrong. */
#define TRUST_PERCENT	10
#define ASSUMED_KHZ	1000000

/*
 * When a wait for a timer is given up: after this many reads in any case (an
 * emulator may be fast at them), or when this many cycles have passed and the
 * timer had a fair number of reads (one takes about 1 us on hardware).
 */
#define MAX_READS	1000000
#define FAIR_READS	20000
#define MAX_CYCLES	300000000ULL

static struct {
	u64 khz;		/* 0 before time_init */
	u64 base;		/* TSC at time 0 */
	const char *source;
} clk = { .source = "assumed" };

/* A counter that only goes up. */
struct timer {
	const char *name;
	u64 (*read)(const struct timer *t);
	u64 hz;
	u32 bits;
	const struct hpet *hpet;
	u16 port;
};

static bool give_up(u32 reads, u64 tsc0)
{
	return reads > MAX_READS || (reads > FAIR_READS && rdtsc() - tsc0 > MAX_CYCLES);
}

static u64 read_hpet(const struct timer *t)
{
	return hpet_counter(t->hpet);
}

static u64 read_pm_timer(const struct timer *t)
{
	return inl(t->port);
}

/* kHz of the TSC by one wait of SAMPLE_US, or 0 when the timer stands still. */
static u64 sample(const struct timer *t)
{
	u64 want = t->hz * SAMPLE_US / 1000000;
	u64 tsc0, tsc, c0, ticks;
	u32 reads = 0;

	c0 = t->read(t);
	tsc0 = rdtsc_ordered();
	do {
		ticks = counter_delta(c0, t->read(t), t->bits);
		tsc = rdtsc_ordered();
		if (give_up(++reads, tsc0))
			return 0;
	} while (ticks < want);
	return khz_from_ticks(tsc - tsc0, ticks, t->hz);
}

/*
 * Channel 2 counts down once (mode 0) while its gate is open; OUT2 rises at
 * the end.  The speaker stays off.
 */
static u64 sample_pit(const struct timer *t)
{
	u32 count = (u32)(PIT_HZ * (u64)SAMPLE_US / 1000000);
	u8 port_b = inb(PORT_B) & 0xfc;
	u64 tsc0, tsc;
	u32 reads = 0;

	outb(PORT_B, port_b | 1);
	outb(PIT_CTRL, 0xb0);
	outb(PIT_CH2, (u8)count);
	outb(PIT_CH2, (u8)(count >> 8));
	tsc0 = rdtsc_ordered();
	while (!(inb(PORT_B) & 0x20)) {
		if (give_up(++reads, tsc0))
			break;
	}
	tsc = rdtsc_ordered();
	outb(PORT_B, port_b);
	/* Over at once: no PIT behind the port. */
	if (reads < 2 || reads > MAX_READS || tsc - tsc0 > MAX_CYCLES)
		return 0;
	return khz_from_ticks(tsc - tsc0, count, PIT_HZ);
}

/* Median of three, twice when they disagree: somebody may have stopped us. */
static u64 measure(const struct timer *t)
{
	u64 s[SAMPLES] = { 0 };

	for (u32 attempt = 0; attempt < 2; attempt++) {
		for (u32 i = 0; i < SAMPLES; i++) {
			s[i] = t->read ? sample(t) : sample_pit(t);
			if (!s[i])
				return 0;
		}
		if (!differs_percent(s[0], s[1], SPREAD_PERCENT) &&
		    !differs_percent(s[1], s[2], SPREAD_PERCENT))
			break;
	}
	return median3(s[0], s[1], s[2]);
}

static u64 measure_any(const struct time_sources *src, const char **name, const struct diag *diag)
{
	struct timer timers[3];
	struct hpet h;
	u32 n = 0;

	if (src->hpet_va && !hpet_init(&h, src->hpet_va))
		timers[n++] = (struct timer){ .name = "hpet", .read = read_hpet, .hz = h.hz,
					      .bits = 32, .hpet = &h };
	if (src->pm_timer_port)
		timers[n++] = (struct timer){ .name = "pmtimer", .read = read_pm_timer,
					      .hz = PM_TIMER_HZ, .port = src->pm_timer_port,
					      .bits = src->pm_timer_32 ? 32 : 24 };
	timers[n++] = (struct timer){ .name = "pit" };
	for (u32 i = 0; i < n; i++) {
		u64 v = measure(&timers[i]);

		if (v) {
			*name = timers[i].name;
			return v;
		}
		diag_printf(diag, "time: the %s does not count", timers[i].name);
	}
	return 0;
}

int time_init(const struct cpu_caps *caps, const struct time_sources *src,
	      const struct diag *diag)
{
	u64 told = tsc_khz_from_cpuid(caps), measured;
	const char *name = NULL;

	measured = measure_any(src, &name, diag);
	clk.base = rdtsc();
	if (!told && !measured) {
		clk.khz = ASSUMED_KHZ;
		diag_printf(diag, "time: no timer works, the TSC is taken as 1 GHz");
		return -ENODEV;
	}
	if (told && measured && differs_percent(told, measured, TRUST_PERCENT)) {
		diag_printf(diag, "time: CPUID tells %llu kHz but the %s measures %llu kHz",
			    (unsigned long long)told, name, (unsigned long long)measured);
		told = 0;
	}
	clk.khz = told ? told : measured;
	clk.source = told ? "cpuid" : name;
	return 0;
}

const char *tsc_source(void)
{
	return clk.source;
}

u64 tsc_khz(void)
{
	return clk.khz;
}

u64 tsc_to_us(u64 cycles)
{
	return clk.khz ? mul_div_u64(cycles, 1000, clk.khz) : 0;
}

u64 us_to_tsc(u64 us)
{
	return mul_div_u64(us, clk.khz ? clk.khz : 4000000, 1000);
}

u64 time_us(void)
{
	return clk.khz ? tsc_to_us(rdtsc() - clk.base) : 0;
}

void udelay(u64 us)
{
	u64 start = rdtsc(), cycles = us_to_tsc(us);

	while (rdtsc() - start < cycles)
		cpu_relax();
}
