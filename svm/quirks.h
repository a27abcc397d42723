/* SPDX-License-Identifier: MIT */
/*
 * Finds out what this CPU does otherwise than the manual says, by running
 * guests of a few instructions.  Only on SVM: VMX has no defect that must be
 * worked around.
 */
#ifndef SVM_QUIRKS_H
#define SVM_QUIRKS_H

#include "svm/ops.h"

/*
 * Fills *q; once, on a CPU with SVM on, interrupts off, local APIC enabled.
 * Returns 0 or -ENOMEM (*q is then unchanged).
 */
int __must_check svm_find_quirks(struct svm_quirks *q);

/*
 * Behind the #VMEXIT of a guest whose DR7 was that: no breakpoint of its is
 * armed on this CPU (APM2 15.6).  Does nothing without
 * memory for it, or where #VMEXIT has done it.
 */
void svm_disarm(u64 dr7);

#endif
