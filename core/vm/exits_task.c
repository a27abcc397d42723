/* SPDX-License-Identifier: MIT */
#include "core/vm/run.h"

enum verdict exit_task_switch(struct vcpu *v)
{
	return vcpu_fail(v, STOP_UNHANDLED, "task switch to %x", v->exit.task.selector);
}
