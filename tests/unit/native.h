/* SPDX-License-Identifier: MIT */
/*
 * Runs one instruction on the CPU of the host, on registers and memory that
 * the caller chose, and catches its exception.  For differential tests.
 */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include "core/lib/base.h"

#define NATIVE_BUF_SIZE	0x10000u
#define NATIVE_GS_BASE	0x340u		/* base of GS in native code */

struct native {
	u64 gpr[16];
	u64 rflags;
	u8 xmm[16][16];
	int trap;		/* vector, or -1 */
	u8 *code;		/* where the instruction goes; below 2 GiB */
	u8 *buf;		/* NATIVE_BUF_SIZE bytes of data; below 2 GiB */
};

/* 0, or -1 if this host does not allow it. */
int native_init(struct native *n);

/*
 * Executes the len bytes at n->code: registers of *n in and out.  The
 * instruction must not branch.  After an exception n->trap has the vector and
 * registers are as the exception left them.
 */
void native_run(struct native *n, unsigned int len);

#endif
