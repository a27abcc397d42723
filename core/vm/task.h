/* SPDX-License-Identifier: MIT */
/*
 * Task switches of 32-bit protected mode (APM2 12.3-12.4, SDM3 8.2-8.3), done
 * in software: VMX always exits on them, SVM when they are intercepted.
 * Pure: memory and CR3 are reached through callbacks.
 *
 * The processor has already checked the privilege of the selector or gate
 * (SDM3 26.4.2, APM2 15.14.1); all other checks are made here again, because
 * the tables may have changed in between.
 */
#ifndef CORE_VM_TASK_H
#define CORE_VM_TASK_H

#include "core/vm/event.h"
#include "core/vm/virt_ops.h"

/* Numbers of SDM3 table 28-2 and of exit_task.source. */
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

struct task_state {
	u32 gpr[8];		/* ModRM order */
	/* To be saved: behind CALL, JMP, IRET, INT n; of the instruction for a fault. */
	u32 eip;
	u32 eflags;
	u32 cr0;
	u32 dr7;
	struct vsegment seg[6];	/* VSEG_ES..VSEG_GS; the CPL is SS.DPL */
	struct vsegment ldtr, tr;
	u32 gdt_base, gdt_limit;
};

struct task_request {
	u16 selector;		/* of the new task's TSS */
	u8 source;		/* enum task_source */
	bool external;		/* TASK_GATE by anything but INT n, INT3, INTO: EXT */
	bool has_error;		/* the exception pushes error on the new stack */
	u32 error;
};

/*
 * Memory by linear address (it wraps at 4 GiB by itself), n is 1..104.  0;
 * -EFAULT after storing the page fault in *fault; other numbers are passed
 * on.  user: an access of CPL 3, else an implicit supervisor access.
 */
struct task_ops {
	int (*read)(void *ctx, u32 linear, void *buf, unsigned int n, struct event *fault);
	int (*write)(void *ctx, u32 linear, const void *buf, unsigned int n, bool user,
		     struct event *fault);
	/* Would write (supervisor) fault?  Stores nothing. */
	int (*probe_write)(void *ctx, u32 linear, unsigned int n, struct event *fault);
	/* Later accesses use cr3.  -EINVAL: not a value that CR3 takes (#GP). */
	int (*load_cr3)(void *ctx, u32 cr3);
};

/*
 * Switches *s to the new task.  Returns
 *  0 done; out->type is EVENT_NONE, or out is the #DB of the T bit, which
 *    comes before the first instruction of the new task,
 *  -EFAULT *out is to be delivered: to the old task, of which nothing has
 *    changed, or with *switched in the context of the new one,
 *  or what a callback returned.
 */
int __must_check task_switch(struct task_state *s, const struct task_request *req,
			     const struct task_ops *ops, void *ctx,
			     struct event *out, bool *switched);

#endif
