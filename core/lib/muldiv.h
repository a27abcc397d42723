/* SPDX-License-Identifier: MIT */
/* 64-bit arithmetic whose products have 128.  Pure. */
#ifndef CORE_LIB_MULDIV_H
#define CORE_LIB_MULDIV_H

#include "core/lib/base.h"

/* a * mul / div, rounded down, without overflow of the product; saturates.  div > 0. */
u64 mul_div_u64(u64 a, u64 mul, u64 div);

/* The low 64 bits of a * mul >> shift; shift < 128. */
static inline u64 mul_shift_u64(u64 a, u64 mul, u32 shift)
{
	return (u64)((unsigned __int128)a * mul >> shift);
}

#endif
