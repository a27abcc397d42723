// SPDX-License-Identifier: MIT
#include "core/lib/muldiv.h"

u64 mul_div_u64(u64 a, u64 mul, u64 div)
{
	unsigned __int128 product = (unsigned __int128)a * mul;
	u64 high = (u64)(product >> 64), low = (u64)product;

	if (!high)
		return low / div;
	if (high >= div)
		return ~0ULL;
	/* The quotient has 64 bits; the compiler would call a library for 128. */
	__asm__("divq %2" : "+a"(low), "+d"(high) : "rm"(div) : "cc");
	return low;
}
