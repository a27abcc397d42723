/* SPDX-License-Identifier: MIT */
/*
 * Further CPUs of a 64-bit payload (.cpus = "N" in PAYLOAD).  They start in
 * real mode on a page below 1 MiB, come up with tables as the boot CPU's, a
 * GDT, TSS and stacks of their own, interrupts off, APIC as INIT left it, and
 * wait for work.  RT_TRY and its like have one record for all CPUs: use
 * them on one CPU at a time.
 */
#ifndef TESTS_GUESTS_RT_SMP_H
#define TESTS_GUESTS_RT_SMP_H

#include "tests/guests/rt/apic.h"

#define RT_CPUS_MAX	32
/* The page where APs start: its number is the vector of the SIPI. */
#define RT_AP_PAGE	0x10

/* What a CPU found in its registers at the first instruction. */
struct rt_ap_start {
	u32 eax, ebx, ecx, edx, esi, edi, ebp, esp;
	u32 cr0, cr2, cr3, cr4, dr6, dr7, efer, flags;
	u16 cs, ds, es, fs, gs, ss;
	u16 idt_limit;
	u32 idt_base;
} __attribute__((packed));

struct rt_cpu {
	struct rt_cpu *self;		/* GS base */
	u32 index, apic_id;		/* 0: the boot CPU */
	void (*volatile fn)(void *arg);
	void *volatile arg;
	volatile u32 starts;		/* how often it came up */
	struct rt_ap_start start;	/* at the last time */
};
extern struct rt_cpu rt_cpus[RT_CPUS_MAX];

/*
 * INIT and SIPI to all others; waits until n CPUs, this one included, are
 * there.  Returns how many came.  The boot CPU's APIC is enabled.
 */
unsigned int rt_smp_start(unsigned int n);
/* INIT and SIPI to one that may be running: it comes up again, idle. */
bool rt_smp_restart(unsigned int index);
/* The same for a CPU that may hold INIT back for a while: SIPIs until one is heard. */
bool rt_smp_restart_late(unsigned int index);
/* Copies the start code to a page below 1 MiB. */
void rt_smp_page(u8 page);

/* The CPU that runs, after rt_smp_start. */
static inline struct rt_cpu *rt_this_cpu(void)
{
	struct rt_cpu *c;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

/* fn(arg) on another CPU, which must be idle; returns at once. */
void rt_smp_call(unsigned int index, void (*fn)(void *arg), void *arg);
/* Waits until it has returned.  false: it did not. */
bool rt_smp_wait(unsigned int index);
/* fn(arg) on CPUs 0 to n - 1, this one (0) included; waits for all. */
bool rt_smp_all(unsigned int n, void (*fn)(void *arg), void *arg);

#endif
