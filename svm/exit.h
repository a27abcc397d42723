/* SPDX-License-Identifier: MIT */
/* Raw #VMEXITs to the neutral record.  Pure. */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "core/vm/exit.h"
#include "svm/vmcb.h"

struct insn;

#define SVM_DECODE_NRIP		1u	/* nRIP is saved (CPUID 8000_000A EDX.NRIPS) */
#define SVM_DECODE_ASSISTS	2u	/* EXITINFO has operands (EDX.DecodeAssists) */

/*
 * Fills x from c; rcx is the guest's.  Returns true when the CPU did not say
 * the operands: svm_exit_operands has to add them from the instruction.
 */
bool svm_exit_decode(const struct vmcb *c, u64 rcx, u32 have, struct vm_exit *x);

/* EXITINTINFO to an event (APM2 15.7.2); cr2 becomes the payload of #PF. */
struct event svm_event_decode(u64 info, u64 cr2);

/* Where the registers of an instruction are found. */
struct svm_operand_env {
	const u64 *gpr;
	u64 rip_next;
	u64 seg_base[6];	/* ModRM segment numbers; zeros where the mode has none */
	u64 linear_mask;	/* 2^32 - 1 outside 64-bit code */
};

/*
 * Adds the operands of i to x.  Returns 0; 1 when x->cr.lmsw must still be read from
 * *linear (LMSW with a memory operand); -EINVAL when i cannot have caused the
 * exit (the guest changed its code meanwhile).
 */
int svm_exit_operands(struct vm_exit *x, const struct insn *i,
		      const struct svm_operand_env *env, u64 *linear);

#endif
