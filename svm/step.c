// SPDX-License-Identifier: MIT
/*
 * What a single step under a borrowed RFLAGS.TF must put right.  Only on SVM:
 * VMX has window exits that need no step.
 */
#include "svm/inject.h"

#include "core/vm/insn.h"
#include "core/x86/regs.h"
#include "svm/decode.h"

enum svm_step_insn svm_step_classify(struct vcpu *v)
{
	struct insn i;

	if (svm_fetch_insn(v, &i))
		return STEP_INSN_PLAIN;
	if (insn_is(&i, INSN_MAP_1, 0x9d) || insn_is(&i, INSN_MAP_1, 0xcf))
		return STEP_INSN_LOADS;		/* POPF, IRET */
	if (insn_is(&i, INSN_MAP_1, 0x9c))
		return STEP_INSN_PUSHES;
	if (insn_is(&i, INSN_MAP_0F, 0x05))
		return STEP_INSN_SYSCALL;	/* RFLAGS goes to R11 */
	return STEP_INSN_PLAIN;
}

/* TF is in the second byte of the image that PUSHF left, whatever its size. */
static void fix_pushed(struct vcpu *v)
{
	const struct vmcb_seg *ss = vmcb_get_ss(((struct svm_vcpu *)v->arch)->vmcb);
	u64 addr = v->gpr[VREG_RSP];
	struct event fault;
	u8 byte;

	if (virt->mode(v) != INSN_MODE_64)
		addr = (u32)(ss->base + (ss->attrib & SEG_D ? (u32)addr : (u16)addr));
	if (vcpu_read(v, addr + 1, &byte, 1, &fault))
		return;
	byte &= (u8)~(RFLAGS_TF >> 8);
	if (vcpu_write(v, addr + 1, &byte, 1, &fault))
		return;
}

void svm_step_restore_tf(struct vcpu *v, struct svm_vcpu *a, bool executed)
{
	if (a->step_tf)
		return;
	if (!executed || a->step_insn != STEP_INSN_LOADS)
		v->rflags &= ~RFLAGS_TF;
	if (!executed)
		return;
	if (a->step_insn == STEP_INSN_PUSHES)
		fix_pushed(v);
	else if (a->step_insn == STEP_INSN_SYSCALL)
		v->gpr[VREG_R11] &= ~RFLAGS_TF;
}
