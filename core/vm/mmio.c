/* SPDX-License-Identifier: MIT */
#include "core/vm/mmio.h"

#include "core/vm/run.h"

enum verdict mmio_exit(struct vcpu *v)
{
	return vcpu_fail(v, STOP_UNHANDLED, "access to %llx, which is no memory",
			 (unsigned long long)v->exit.npf.gpa);
}
