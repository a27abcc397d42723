/* SPDX-License-Identifier: MIT */
/*
 * Instructions that leave the guest, for payloads that check what survives.
 * Each clobbers general registers only.
 */
#ifndef TESTS_GUESTS_EXITS_H
#define TESTS_GUESTS_EXITS_H

#include "tests/guests/rt/rt.h"

struct exit_way {
	const char *name;
	void (*go)(void);
};

static inline void way_none(void)
{
}

static inline void way_cpuid(void)
{
	cpuid(0);
}

static inline void way_out(void)
{
	outb(0x80, 0x5a);
}

static inline void way_in(void)
{
	inl(0x80);
}

static inline void way_rdmsr(void)
{
	rdmsr(MSR_APIC_BASE);
}

static inline void way_wrmsr(void)
{
	wrmsr(MSR_PAT, rdmsr(MSR_PAT));
}

static inline void way_hypercall(void)
{
	ulong ret;

	if (rt.nestbed)
		rt_hypercall(0, 0, &ret);
}

static inline void way_cr(void)
{
	write_cr3(read_cr3());
	write_cr4(read_cr4());
	write_cr0(read_cr0() ^ CR0_AM);
	write_cr0(read_cr0() ^ CR0_AM);
}

static inline void way_dr(void)
{
	write_dr7(read_dr7());
}

/* Above all memory, below the I/O APIC: nobody is there. */
static inline void way_mmio(void)
{
	*(volatile u32 *)0xfeb00000 = *(volatile u32 *)0xfeb00004;
}

static inline void way_wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static inline void way_fault(void)
{
	RT_TRY("ud2", : : : "memory");
}

static const struct exit_way exit_ways[] = {
	{ "none", way_none }, { "cpuid", way_cpuid }, { "out", way_out }, { "in", way_in },
	{ "rdmsr", way_rdmsr }, { "wrmsr", way_wrmsr }, { "hypercall", way_hypercall },
	{ "cr", way_cr }, { "dr", way_dr }, { "mmio", way_mmio }, { "wbinvd", way_wbinvd },
	{ "fault", way_fault },
};

#endif
