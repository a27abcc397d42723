// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(count, .ref = "APM2 15.5, 15.6", .cpus = "2", .nested = "svm", .timeout = "60000",
	.desc = "Steps whose results depend on all before, for saving in the middle");

/*
 * What it prints is the same each time, whatever happens to the machine between
 * two instructions.  A word of the command line says who counts: nothing, a
 * second CPU beside; "nested", L2 behind nested tables, with L1's timer.
 */
#define STEPS		60
#define WORK		150000
#define WORDS		0x10000
#define COUNTERS	0x4000
#define VEC		0x51
#define PERIOD		1000000		/* of the APIC timer's clock */
#define CR4_OSFXSR	BIT64(9)
#define PATTERN		0x0123456789abcdefULL

static u32 table[WORDS];
static u32 counters[COUNTERS];
static volatile u32 rounds, ticks;
static volatile bool stop;
static bool beside;
static struct l2 l2;

static void on_timer(unsigned int vector)
{
	ticks++;
	apic_eoi();
}

/* The second CPU: all its counters are equal, but while it is at it. */
static void count_beside(void *arg)
{
	while (!stop) {
		for (u32 i = 0; i < COUNTERS; i++)
			counters[i]++;
		rounds++;
	}
}

static u32 work(u64 *x)
{
	for (u32 i = 0; i < WORK; i++) {
		u32 *word = &table[(*x >> 40) % WORDS];

		*word = *word * 1664525 + (u32)(*x >> 32);
		*x = *x * 6364136223846793005ULL + *word;
	}
	return (u32)(*x >> 32);
}

static void count(void)
{
	u64 x = 1, tsc = 0, now, xmm;

	__asm__ volatile("movq %0, %%xmm7" : : "r"(PATTERN));
	for (u32 i = 1; i <= STEPS; i++) {
		u32 tick = ticks, round = rounds;

		rt_printf("step %u %08x\n", i, work(&x));
		now = rdtsc();
		rt_quiet(now > tsc, "the TSC goes on", "%llx behind %llx", now, tsc);
		tsc = now;
		rt_quiet(RT_WAIT(ticks != tick), "the timer goes on", "step %u", i);
		rt_quiet(!beside || RT_WAIT(rounds != round), "the second CPU goes on",
			 "step %u", i);
	}
	__asm__ volatile("movq %%xmm7, %0" : "=r"(xmm));
	rt_check(xmm == PATTERN, "XMM7", "%llx", xmm);
}

static void check_beside(void)
{
	u32 wrong = 0;

	stop = true;
	rt_check(rt_smp_wait(1), "the second CPU ends", "it does not");
	for (u32 i = 0; i < COUNTERS; i++)
		wrong += counters[i] != rounds;
	rt_check(!wrong, "its counters", "%u of them differ from %u", wrong, rounds);
}

static bool asks_for(const char *word)
{
	for (const char *s = rt.cmdline; *s; s++)
		if (!memcmp(s, word, strlen(word)))
			return true;
	return false;
}

static void count_nested(void)
{
	l2_init(&l2, count);
	npt_init();
	npt_use(&l2);
	/* Interrupts are L1's and L2's alike: neither masked nor intercepted. */
	l2.c.rflags |= FL_IF;
	svm_run(&l2);
	l2_expect("L2 comes to its end", &l2, EXIT_VMMCALL);
	rt_check(l2.c.rip == (ulong)svm_l2_end, "where it ends", "%llx", l2.c.rip);
}

int main(struct rt_info *info)
{
	const char *why;
	bool nested = asks_for("nested");

	if (nested && !svm_enable(&why))
		return rt_skip(why);
	beside = !nested && rt_smp_start(2) == 2;
	apic_enable();
	rt_irq(VEC, on_timer);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VEC);
	apic_write(APIC_TMICT, PERIOD);
	write_cr4(read_cr4() | CR4_OSFXSR);
	if (beside)
		rt_smp_call(1, count_beside, NULL);
	__asm__ volatile("sti");
	if (nested)
		count_nested();
	else
		count();
	__asm__ volatile("cli");
	if (beside)
		check_beside();
	return rt_result();
}
