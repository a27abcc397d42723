/* SPDX-License-Identifier: MIT */
/*
 * Permission maps: MSRs (APM2 15.11) and I/O ports (APM2 15.10.1).  A set bit
 * intercepts.  Pure.
 */
#ifndef SVM_PERM_H
#define SVM_PERM_H

#include "core/lib/base.h"

#define MSRPM_SIZE	8192u
#define IOPM_SIZE	12288u		/* 64K bits and the 3 of port FFFFh + 1..3 */

#define PERM_READ	1u
#define PERM_WRITE	2u

/* Number of the read bit of an MSR in the map, or -1: always intercepted. */
int msrpm_bit(u32 msr);

/*
 * Intercepts (on) or allows the accesses in rw.  0, or -EINVAL for an MSR
 * outside the map when it should be allowed.
 */
int __must_check msrpm_set(u8 *map, u32 msr, u32 rw, bool on);

/* The accesses (PERM_ bits) that exit. */
u32 msrpm_get(const u8 *map, u32 msr);

void iopm_set(u8 *map, u16 port, bool on);

/* True when an access of size bytes (1, 2, 4) at port exits. */
bool iopm_get(const u8 *map, u16 port, unsigned int size);

/* out = a | b: what either of two hypervisors wants. */
void perm_merge(u8 *out, const u8 *a, const u8 *b, size_t size);

#endif
