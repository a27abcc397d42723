/* SPDX-License-Identifier: MIT */
/* Task switches: the guest's state to core/vm/task.c and back. */
#include "core/vm/run.h"

#include "core/lib/string.h"
#include "core/mm/pt_walk.h"
#include "core/vm/task.h"
#include "core/x86/regs.h"

/* One page of an access at most; what lies outside memory cannot be a TSS. */
static int access(struct vcpu *v, u32 linear, u8 *buf, unsigned int n, u32 how,
		  struct event *fault)
{
	while (n) {
		unsigned int len = (unsigned int)MIN(n, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
		u64 gpa;
		int err = vcpu_translate(v, linear, how, &gpa, fault);

		if (!err && buf && how & PTA_WRITE)
			err = gmem_write(&v->vm->mem, gpa, buf, len) ? -EIO : 0;
		else if (!err && buf)
			err = gmem_read(&v->vm->mem, gpa, buf, len) ? -EIO : 0;
		if (err)
			return err;
		linear += len;
		buf = buf ? buf + len : NULL;
		n -= len;
	}
	return 0;
}

static int task_read(void *ctx, u32 linear, void *buf, unsigned int n, struct event *fault)
{
	return access(ctx, linear, buf, n, PTA_READ | PTA_IMPLICIT, fault);
}

static int task_write(void *ctx, u32 linear, const void *buf, unsigned int n, bool user,
		      struct event *fault)
{
	return access(ctx, linear, (u8 *)buf, n,
		      PTA_WRITE | (user ? PTA_USER : PTA_IMPLICIT), fault);
}

static int task_probe(void *ctx, u32 linear, unsigned int n, struct event *fault)
{
	return access(ctx, linear, NULL, n, PTA_WRITE | PTA_IMPLICIT, fault);
}

static int task_cr3(void *ctx, u32 cr3)
{
	struct vcpu *v = ctx;

	virt->set(v, VREG_CR3, cr3);
	virt->flush(v);
	return 0;
}

static const struct task_ops ops = {
	.read = task_read, .write = task_write, .probe_write = task_probe, .load_cr3 = task_cr3,
};

static void state_get(struct vcpu *v, struct task_state *s)
{
	struct vsegment gdtr;

	for (unsigned int i = 0; i < 8; i++)
		s->gpr[i] = (u32)v->gpr[i];
	s->eip = (u32)v->rip;
	s->eflags = (u32)v->rflags;
	s->cr0 = (u32)virt->get(v, VREG_CR0);
	s->dr7 = (u32)virt->get(v, VREG_DR7);
	for (enum vseg i = VSEG_ES; i <= VSEG_GS; i++)
		virt->get_seg(v, i, &s->seg[i]);
	virt->get_seg(v, VSEG_LDTR, &s->ldtr);
	virt->get_seg(v, VSEG_TR, &s->tr);
	virt->get_seg(v, VSEG_GDTR, &gdtr);
	s->gdt_base = (u32)gdtr.base;
	s->gdt_limit = gdtr.limit;
}

static void state_set(struct vcpu *v, const struct task_state *s)
{
	for (unsigned int i = 0; i < 8; i++)
		v->gpr[i] = s->gpr[i];
	v->rip = s->eip;
	v->rflags = s->eflags;
	virt->set(v, VREG_CR0, s->cr0);
	virt->set(v, VREG_DR7, s->dr7);
	for (enum vseg i = VSEG_ES; i <= VSEG_GS; i++)
		virt->set_seg(v, i, &s->seg[i]);
	virt->set_seg(v, VSEG_LDTR, &s->ldtr);
	virt->set_seg(v, VSEG_TR, &s->tr);
}

/* What to save: behind the instruction that asked, at one that faulted. */
static int set_return(struct vcpu *v, const struct event *idt, struct task_state *s)
{
	int len = v->exit.insn_len;

	if (v->exit.task.source == TASK_GATE && idt->type < EVENT_SOFT_INT) {
		s->eflags |= event_is_fault(idt) ? (u32)RFLAGS_RF : 0;
		return 0;
	}
	if (v->exit.task.source == TASK_GATE)
		len = idt->insn_len;
	if (!len)
		len = vcpu_insn_len(v, 0, 0);
	if (len <= 0)
		return -EFAULT;
	s->eip += (u32)len;
	return 0;
}

/* The event that went through the gate, and IRET, decide on NMIs. */
static void nmi_blocking(struct vcpu *v, const struct event *idt, u8 source)
{
	if (source == TASK_GATE && idt->type == EVENT_NMI)
		virt->set(v, VREG_NMI_BLOCKED, 1);
	else if (source == TASK_IRET)
		virt->set(v, VREG_NMI_BLOCKED, 0);
}

enum verdict exit_task_switch(struct vcpu *v)
{
	const struct exit_task *x = &v->exit.task;
	const struct event *idt = &v->exit.idt;
	const struct task_request req = {
		.selector = x->selector, .source = x->source, .has_error = x->has_error,
		.error = x->error,
		.external = x->source == TASK_GATE && idt->type != EVENT_SOFT_INT &&
			    idt->type != EVENT_SOFT_EXC,
	};
	struct task_state s;
	struct event e;
	bool switched;
	int err;

	state_get(v, &s);
	if (set_return(v, idt, &s))
		return vcpu_give_up(v, "cannot decode the task switch");
	err = task_switch(&s, &req, &ops, v, &e, &switched);
	if (err && err != -EFAULT)
		return vcpu_give_up(v, "task switch to %x: a table is no memory",
				 x->selector);
	if (switched) {
		state_set(v, &s);
		virt->skip(v);
		nmi_blocking(v, idt, x->source);
	}
	/* A fault counts as one of the delivery; without one that is complete. */
	if (!err)
		v->events.reinject.type = EVENT_NONE;
	return e.type == EVENT_NONE ? VERDICT_RESUME : vcpu_inject(v, e);
}
