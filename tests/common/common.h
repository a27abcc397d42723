/* SPDX-License-Identifier: MIT */
/* What the vendor-neutral tests share. */
#ifndef TESTS_COMMON_COMMON_H
#define TESTS_COMMON_COMMON_H

#include "tests/machine.h"

/* Core handles every exit but HLT. */
#define HANDLE_REST	(~BIT(EXIT_HLT))

/* Lists for assembly: OP(register, byte offset). */
#define FOR_GPRS(OP)						\
	OP(rax, 0) OP(rcx, 8) OP(rdx, 16) OP(rbx, 24)		\
	OP(rsp, 32) OP(rbp, 40) OP(rsi, 48) OP(rdi, 56)		\
	OP(r8, 64) OP(r9, 72) OP(r10, 80) OP(r11, 88)		\
	OP(r12, 96) OP(r13, 104) OP(r14, 112) OP(r15, 120)

/* Where guests of these tests put what they saw, and find what to load. */
#define G_SEEN		G_DATA
#define G_LOAD		(G_DATA + 0x800)
STATIC_ASSERT(G_DATA == 0x30000, "addresses in the guests' assembly");

/*
 * Runs to the next HLT, core handling the rest; anything else ends the test.
 * Steps over an HLT that stopped it before.
 */
void run_to_hlt(struct machine *m);

/*
 * The guest must have stopped in the handler of vector, with this error code.
 * Returns false when it is in no handler at all.
 */
bool expect_exception(struct machine *m, enum exit_reason got, u8 vector, u64 error);

/*
 * Another program for a 64-bit machine, from its start: general registers 0,
 * memory and the rest stay.  A fresh machine costs a Bochs two million
 * instructions.
 */
void reload(struct machine *m, const struct guest_code *code);

/*
 * An IDT for 32-bit guests: vector n ends in HLT with EAX = EXC32 + n and what
 * the CPU pushed on the stack.
 */
#define EXC32	0xe0000000u
void idt32(struct machine *m);
/* Runs to that HLT.  error: ~0 when there is none.  EIP of the fault is returned. */
u32 expect_exc32(struct machine *m, u8 vector, u32 error);

/* A 2 MiB page of the guest's own tables to 4K pages: returns the table. */
u64 *guest_4k_pages(struct machine *m, u64 linear, u64 table_gpa);

#endif
