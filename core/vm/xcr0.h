/* SPDX-License-Identifier: MIT */
/* Which states XCR0 can enable: SDM1 13.1, 13.3, APM2 11.5.2.  Pure. */
#ifndef CORE_VM_XCR0_H
#define CORE_VM_XCR0_H

#include "core/x86/caps.h"
#include "core/x86/regs.h"

/* The area of a vCPU; all states of XCR0_GIVEN take 2696 bytes at most (SDM1 13.5). */
#define XSAVE_AREA_SIZE	PAGE_SIZE
#define XSAVE_HEADER_END 576

/*
 * States that guests may use: of these, nothing but XSTATE_BV and MXCSR can make
 * XRSTOR fault (state_check.c).  Not AMX: a tile configuration can be illegal,
 * and IA32_XFD comes with it.  Not MPX and LWP, which CPUs no longer have.
 */
#define XCR0_GIVEN	(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

/*
 * Bytes of the standard format with the states of xcr0, which lie as in place[n]
 * (SDM1 13.4.3); 0: those of FXSAVE.
 */
static inline u32 xcr0_area_size(const struct xstate_place *place, u32 n, u64 xcr0)
{
	u32 size = xcr0 ? XSAVE_HEADER_END : 512;

	for (u32 i = 2; i < n; i++)
		if (xcr0 & BIT(i))
			size = MAX(size, place[i].offset + place[i].size);
	return size;
}

/* Bytes of the compacted format with the states of xcr0 (SDM1 13.4.3). */
static inline u32 xcr0_compact_size(const struct cpu_caps *c, u64 xcr0)
{
	u32 size = XSAVE_HEADER_END;

	for (u32 i = 2; i < CPU_MAX_XSTATE; i++)
		if (xcr0 & BIT(i))
			size = (c->xstate_aligned & BIT(i) ? ALIGN_UP(size, 64) : size) +
			       c->xstate[i].size;
	return size;
}

/* What of XCR0_GIVEN the CPU has; 0 without XSAVE. */
static inline u64 xcr0_of_caps(const struct cpu_caps *c)
{
	u64 xcr0 = c->xsave ? c->xcr0_supported & XCR0_GIVEN : 0;

	/* A CPU, or who plays one, that lays it out otherwise. */
	if (xcr0_area_size(c->xstate, CPU_MAX_XSTATE, xcr0) > XSAVE_AREA_SIZE)
		xcr0 &= XCR0_X87 | XCR0_SSE;
	return xcr0;
}

/* allowed: the features that the CPU has and guests may use. */
static inline bool xcr0_valid(u64 val, u64 allowed)
{
	if (val & ~allowed || !(val & XCR0_X87))
		return false;
	if ((val & XCR0_AVX) && !(val & XCR0_SSE))
		return false;
	return !(val & XCR0_AVX512) ||
	       ((val & XCR0_AVX512) == XCR0_AVX512 && val & XCR0_AVX);
}

#endif
