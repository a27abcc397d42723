/* SPDX-License-Identifier: MIT */
#include "svm/probe.h"

int svm_probe_quirks(u64 host_vmcb, struct svm_quirks *q)
{
	return 0;
}
