/* SPDX-License-Identifier: MIT */
/* Which values XCR0 can have: SDM1 13.3, APM2 11.5.2.  Pure. */
#ifndef CORE_VM_XCR0_H
#define CORE_VM_XCR0_H

#include "core/x86/regs.h"

/* allowed: the features that the CPU has and guests may use. */
static inline bool xcr0_valid(u64 val, u64 allowed)
{
	const u64 avx512 = BITS(7, 5), mpx = BITS(4, 3), amx = BITS(18, 17);

	if (val & ~allowed || !(val & XCR0_X87))
		return false;
	if ((val & XCR0_AVX) && !(val & XCR0_SSE))
		return false;
	if ((val & avx512) && ((val & avx512) != avx512 || !(val & XCR0_AVX)))
		return false;
	if ((val & mpx) && (val & mpx) != mpx)
		return false;
	return !(val & amx) || (val & amx) == amx;
}

#endif
