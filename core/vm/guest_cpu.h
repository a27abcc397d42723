/* SPDX-License-Identifier: MIT */
/*
 * What a guest was told of the CPU, as far as its code relies on it: it goes
 * with a saved guest, another machine must have all of it, and from then on
 * tells the guest nothing else.  Pure.
 */
#ifndef CORE_VM_GUEST_CPU_H
#define CORE_VM_GUEST_CPU_H

#include "core/x86/caps.h"

#define GUEST_CPU_VERSION	1
#define GUEST_CPU_WORDS		12
#define GUEST_CPU_STATES	10	/* of XCR0_GIVEN: bits 2 to 9 have a place of their own */

/* SAVE_CPU */
struct guest_cpu {
	u32 word[GUEST_CPU_WORDS];	/* features in CPUID, by the table in guest_cpu.c */
	u32 sizes;			/* 8000_0008h EAX: bits of addresses */
	u32 nested;			/* features of virtualization that it was given; 0: none */
	u64 xcr0;			/* states that it may enable; 0: no XSAVE */
	u32 xsave_size;			/* of all of them; 512: FXSAVE */
	u32 reserved;
	struct xstate_place state[GUEST_CPU_STATES];
};
HW_SIZE(struct guest_cpu, 72 + 8 * GUEST_CPU_STATES);

/*
 * What guests with a PC of ours are told here.  src: the CPU's CPUID; xcr0,
 * xsave_size: as in run_policy.
 */
void guest_cpu_read(struct guest_cpu *g, const struct cpuid_source *src, u64 xcr0, u32 xsave_size);

/*
 * Can a guest that was told want live where have is told?  0, or -EPROTO with
 * the reason in why.  want may be anything.
 */
int __must_check guest_cpu_check(const struct guest_cpu *want, const struct guest_cpu *have,
				 char *why, size_t why_size);

/* Takes from a leaf of CPUID what g was not told. */
void guest_cpu_fix(const struct guest_cpu *g, u32 leaf, u32 subleaf, struct cpuid_regs *r);

#endif
