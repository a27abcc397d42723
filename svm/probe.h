/* SPDX-License-Identifier: MIT */
/*
 * Finds out what this CPU does otherwise than the manual says, by running
 * guests of a few instructions.  Only here: VMX reports its abilities in MSRs.
 */
#ifndef SVM_PROBE_H
#define SVM_PROBE_H

#include "svm/ops.h"

/*
 * Fills *q; on the boot processor, once, SVM enabled, interrupts off.  Returns
 * 0 or -ENOMEM.
 */
int __must_check svm_probe_quirks(u64 host_vmcb, struct svm_quirks *q);

#endif
