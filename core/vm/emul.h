/* SPDX-License-Identifier: MIT */
/*
 * Executes one decoded instruction whose memory operand is not plain RAM (a
 * device, a page that L0 watches) against callbacks.  Pure.
 *
 * Covered: MOV and its relatives, the integer arithmetic, logic, shift, bit
 * and exchange instructions, multiply and divide, string instructions, stack
 * instructions, near indirect branches, far jumps, loads of segment registers,
 * LDTR and TR, LMSW and SMSW, whole-register vector moves.  Not
 * covered: what never touches memory in a way that can exit (register forms
 * of the vector moves, x87), far calls and what goes through a gate.
 */
#ifndef CORE_VM_EMUL_H
#define CORE_VM_EMUL_H

#include "core/vm/event.h"
#include "core/vm/insn.h"
#include "core/vm/virt_ops.h"

/* Vector register numbers for the callbacks: XMM0-15, or MMX with this bit. */
#define EMUL_VEC_MMX	0x80

/*
 * Access to guest memory by linear address.  n is 1..64 bytes and may cross a
 * page.  Each returns 0; -EFAULT when the guest gets an exception, which the
 * callback stores in the struct event given to emul_insn() (ctx must know it);
 * another negative number is passed on by emul_insn().
 */
struct emul_ops {
	int (*read)(void *ctx, u64 linear, void *buf, unsigned int n);
	int (*write)(void *ctx, u64 linear, const void *buf, unsigned int n);
	/*
	 * All below may be NULL.
	 *
	 * Would write() fault?  Asked before the first read of an instruction
	 * that writes the same operand, so that a page fault says W.
	 */
	int (*probe_write)(void *ctx, u64 linear, unsigned int n);
	/*
	 * Locked instructions: stores *desired if memory still holds
	 * *expected.  1: it does not, nothing was stored.  n is 1..16.
	 * Without it they are a read and a write.
	 */
	int (*cmpxchg)(void *ctx, u64 linear, const void *expected,
		       const void *desired, unsigned int n);
	/*
	 * Low n bytes of a vector register, n 8, 16 or 32.  clear_upper: the
	 * rest becomes zero (VEX), else it stays.
	 */
	int (*vec_get)(void *ctx, unsigned int reg, void *buf, unsigned int n);
	int (*vec_set)(void *ctx, unsigned int reg, const void *buf, unsigned int n,
		       bool clear_upper);
	/*
	 * For loads of segments in protected mode, all three or none: GDTR,
	 * LDTR or TR, and access to descriptors, which is a supervisor's
	 * whatever the CPL is.
	 */
	void (*get_table)(void *ctx, enum vseg which, struct vsegment *out);
	int (*read_desc)(void *ctx, u64 linear, void *buf, unsigned int n);
	int (*write_desc)(void *ctx, u64 linear, const void *buf, unsigned int n);
};

/* emul_state.cpu: what the guest's CPUID promises. */
#define EMUL_CPU_TZCNT	0x1	/* else F3 0F BC is BSF */
#define EMUL_CPU_LZCNT	0x2	/* else F3 0F BD is BSR */

struct emul_state {
	u64 gpr[16];		/* ModRM order */
	u64 rip;
	u64 rflags;
	u64 cr0, cr4;
	u64 efer;		/* not needed for emul_one_operand() */
	/* VSEG_ES..VSEG_GS, of which 64-bit code needs the base of FS, GS only;
	 * LDTR and TR are results only. */
	struct vsegment seg[VSEG_TR + 1];
	u16 loaded;		/* BIT(VSEG_...): result, what was loaded */
	bool shadow;		/* result: blocks interrupts (MOV SS) */
	u8 cpl;
	u8 cpu;			/* EMUL_CPU_* */
};

/*
 * Executes i (decoded for the mode the guest is in) on *s.  Returns
 *  0 done: registers, CR0, RFLAGS and RIP are those after the instruction; the
 *    caller handles the interrupt shadow and RFLAGS.TF,
 *  1 partly done: execute it again (REP with more to do: RCX, RSI, RDI have
 *    advanced; or a locked store lost its race); RIP has not moved,
 *  -EFAULT *fault is to be injected; RIP has not moved, registers only as far
 *    as whole REP iterations got,
 *  -EOPNOTSUPP not an instruction this can execute,
 *  or what a callback returned.
 * *fault, s->loaded and s->shadow are cleared first.
 */
int __must_check emul_insn(struct emul_state *s, const struct insn *i,
			   const struct emul_ops *ops, void *ctx,
			   struct event *fault);

/* Can emul_insn() execute i?  True also for forms that will fault. */
bool emul_supported(const struct insn *i);

/*
 * Is all memory that emul_insn() touches for i the one operand that it names?
 * May be false where it is so nonetheless.
 */
bool emul_one_operand(const struct insn *i);

/*
 * Building blocks for INS and OUTS, which exit as I/O: where the memory side
 * of the next iteration is (checked against the segment; 0, or -EFAULT with
 * *fault), how many iterations RCX asks for (1 without REP), and stepping RSI
 * or RDI by RFLAGS.DF and counting RCX down.
 */
int __must_check emul_io_linear(struct emul_state *s, const struct insn *i,
				u64 *linear, struct event *fault);
u64 emul_rep_count(const struct emul_state *s, const struct insn *i);
void emul_io_step(struct emul_state *s, const struct insn *i);

/*
 * Linear address of n bytes at offset off of a segment, checked as the CPU
 * does (APM2 4.12, SDM3 5.3: limit, type, canonical form; alignment when
 * enabled).  0, or -EFAULT with *fault (#GP, #SS or #AC).
 */
int __must_check emul_linear(const struct emul_state *s, const struct insn *i,
			     enum vseg seg, u64 off, unsigned int n, bool write,
			     u64 *linear, struct event *fault);

#endif
