/* SPDX-License-Identifier: MIT */
/*
 * Operands that a CPU without decode assists keeps to itself.  Only on SVM:
 * VMX always reports them.
 */
#ifndef SVM_DECODE_H
#define SVM_DECODE_H

#include "core/vm/vcpu.h"

struct insn;

/* Decodes the instruction at CS:RIP.  0 or -E... when it cannot be read or is none. */
int __must_check svm_fetch_insn(struct vcpu *v, struct insn *out);

/* Completes v->exit from the instruction; what cannot be known stays as it is. */
void svm_decode_operands(struct vcpu *v);

#endif
