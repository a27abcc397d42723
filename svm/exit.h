/* SPDX-License-Identifier: MIT */
/* Raw #VMEXITs to the neutral record.  Pure. */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "core/vm/exit.h"
#include "svm/vmcb.h"

struct insn;

#define SVM_DECODE_NRIP		1u	/* nRIP is saved (CPUID 8000_000A EDX.NRIPS) */
#define SVM_DECODE_ASSISTS	2u	/* EXITINFO has operands (EDX.DecodeAssists) */

/* How a row of exit_codes.def is decoded; INSN and NONE have no operands. */
enum svm_exit_kind {
	KIND_NONE, KIND_INSN, KIND_CR, KIND_DR, KIND_EXCP, KIND_IOIO, KIND_MSR,
	KIND_TASK, KIND_NPF, KIND_VIRT, KIND_SWINT, KIND_INVLPG, KIND_WBINVD, KIND_COUNT
};

struct svm_exit_row {
	u8 reason, kind, arg, pad;
};

/* EXIT_NONE (0) in a row: no such exit. */
#define SVM_EXIT_ROWS	(SVM_EXIT_VMGEXIT + 1)
extern const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS];

/* EXITINTINFO to an event (APM2 15.7.2); cr2 becomes the payload of #PF. */
struct event svm_event_decode(u64 info, u64 cr2);

/* The rest of svm_exit_decode: exits with operands, interrupted events, refused entries. */
bool svm_exit_decode_slow(const struct vmcb *c, u64 rcx, u32 have, struct vm_exit *x);

/* APM2 15.7.1: nRIP is 0 where it has no meaning. */
static inline u8 svm_nrip_len(const struct vmcb *c, u32 have)
{
	u64 len = c->nrip - c->rip;

	return have & SVM_DECODE_NRIP && len <= 15 ? (u8)len : 0;
}

/* The same for SVM's own instructions, whose operands are in RAX and ECX. */
static inline bool svm_exit_decode_virt(const struct vmcb *c, u32 have, struct vm_exit *x)
{
	if (x->code >= SVM_EXIT_ROWS || svm_exit_rows[x->code].kind != KIND_VIRT ||
	    c->exitintinfo & EVENTINJ_VALID)
		return false;
	x->reason = svm_exit_rows[x->code].reason;
	x->virt.insn = svm_exit_rows[x->code].arg;
	x->insn_len = svm_nrip_len(c, have);
	return true;
}

/*
 * The exits that carry nothing but themselves: fills x from c and returns true.
 * False: nothing is valid but code, info1 and info2; svm_exit_decode_slow goes on.
 */
static inline bool svm_exit_decode_fast(const struct vmcb *c, u32 have, struct vm_exit *x)
{
	u64 code = c->exitcode;

	x->code = code;
	x->info1 = c->exitinfo1;
	x->info2 = c->exitinfo2;
	x->idt.type = EVENT_NONE;
	if (unlikely(code >= SVM_EXIT_ROWS || svm_exit_rows[code].kind > KIND_INSN ||
		     c->exitintinfo & EVENTINJ_VALID))
		return svm_exit_decode_virt(c, have, x);
	x->reason = svm_exit_rows[code].reason ? svm_exit_rows[code].reason : EXIT_UNKNOWN;
	x->insn_len = svm_exit_rows[code].kind == KIND_INSN ? svm_nrip_len(c, have) : 0;
	return true;
}

/*
 * Fills x from c; rcx is the guest's.  Returns true when the CPU did not say
 * the operands: svm_exit_operands has to add them from the instruction.
 */
static inline bool svm_exit_decode(const struct vmcb *c, u64 rcx, u32 have, struct vm_exit *x)
{
	return !svm_exit_decode_fast(c, have, x) && svm_exit_decode_slow(c, rcx, have, x);
}

/* Where the registers of an instruction are found. */
struct svm_operand_env {
	const u64 *gpr;
	u64 rip_next;
	u64 seg_base[6];	/* ModRM segment numbers; zeros where the mode has none */
	u64 linear_mask;	/* 2^32 - 1 outside 64-bit code */
};

/* Whether svm_exit_operands has anything to add for this reason. */
bool svm_exit_has_operands(u16 reason);

/*
 * Adds the operands of i to x.  Returns 0; 1 when x->cr.lmsw must still be read from
 * *linear (LMSW with a memory operand); -EINVAL when i cannot have caused the
 * exit (the guest changed its code meanwhile).
 */
int svm_exit_operands(struct vm_exit *x, const struct insn *i,
		      const struct svm_operand_env *env, u64 *linear);

#endif
