/* SPDX-License-Identifier: MIT */
/*
 * Runs one instruction on the CPU of the host, on registers and memory that
 * the caller chose, and catches its exception.  For differential tests.
 *
 * In 64-bit mode memory is flat.  16- and 32-bit code runs in segments of the
 * process' LDT: code at n->code, ES, SS and DS over n->buf, GS over it too but
 * expanding down.
 */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include "core/vm/insn.h"

#define NATIVE_BUF_SIZE	0x10000u
#define NATIVE_GS_BASE	0x340u		/* base of GS in 64-bit code */
#define NATIVE_CS_LIMIT	0xfffu
#define NATIVE_GS_LIMIT	0x7fffu		/* 16- and 32-bit code: valid above */

struct native {
	u64 gpr[16];		/* 16- and 32-bit code: bits 31:0 of the first 8 */
	u64 rflags;
	u8 xmm[16][16];
	int trap;		/* vector, or -1 */
	u8 *code;		/* where the instruction goes; below 2 GiB */
	u8 *buf;		/* NATIVE_BUF_SIZE bytes of data; below 2 GiB */
};

/* 0, or -1 if this host does not allow it. */
int native_init(struct native *n, enum insn_mode mode);

/*
 * Executes the len bytes at n->code: registers of *n in and out.  The
 * instruction must not branch.  After an exception n->trap has the vector and
 * registers are as the exception left them.
 */
void native_run(struct native *n, enum insn_mode mode, unsigned int len);

/* Selectors in 16- and 32-bit code. */
u16 native_code_selector(enum insn_mode mode);
u16 native_data_selector(enum insn_mode mode);
u16 native_gs_selector(enum insn_mode mode);

#endif
