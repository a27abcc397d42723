/* SPDX-License-Identifier: MIT */
/* Guest registers by the numbers of core/vm/virt_ops.h. */
#ifndef SVM_REGS_H
#define SVM_REGS_H

#include "svm/ops.h"

/* State after reset (APM2 14.1.3, table 14-1). */
void svm_regs_reset(struct vcpu *v);

/* MSRs that are switched with the vCPU. */
void svm_regs_load(struct svm_vcpu *a);
void svm_regs_put(struct svm_vcpu *a);

u64 svm_get(struct vcpu *v, enum vreg r);
void svm_set(struct vcpu *v, enum vreg r, u64 val);
void svm_get_seg(struct vcpu *v, enum vseg s, struct vsegment *out);
void svm_set_seg(struct vcpu *v, enum vseg s, const struct vsegment *in);

#endif
