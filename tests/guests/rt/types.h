/* SPDX-License-Identifier: MIT */
/*
 * Payloads share no code with the hypervisor: an error in a shared header
 * could hide on both sides of a test.  Only the VMCB's list of members, which
 * the bare emulators judge too, is one (svm.h).
 */
#ifndef TESTS_GUESTS_RT_TYPES_H
#define TESTS_GUESTS_RT_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int32_t s32;
typedef long long s64;
typedef unsigned long ulong;	/* the width of a general register */

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT64(n)	(1ULL << (n))

#endif
