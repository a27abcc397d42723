// SPDX-License-Identifier: MIT
/*
 * What L1's CPU has and the one below may lack (APM3 E.4.9): done here by intercepts.
 * Only on SVM: guests have no VMX yet.
 */
#include "svm/nested.h"

/* CPUID 8000_000A EDX: what software carries, whatever the CPU has. */
#define CARRIED	(BIT(0) | BIT(3) | BIT(5) | BIT(6) |	/* NP, NRIPS, clean, flush */ \
		 BIT(10))				/* PAUSE filter */

void svm_nested_offer(struct cpuid_regs *leaf)
{
	*leaf = (struct cpuid_regs){ .eax = 1, .ebx = NESTED_ASIDS, .edx = CARRIED };
	/* An intercept costs more than any threshold that tells a loop from two PAUSEs. */
	if (svm.caps.pause_filter && svm.caps.pause_filter_threshold)
		leaf->edx |= BIT(12);
}

/* APM2 15.14.4: the counter goes below zero with the PAUSE behind the last one. */
bool svm_nested_pause_filtered(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	if (svm.caps.pause_filter || !n->pause_left)
		return false;
	n->pause_left--;
	return true;
}
