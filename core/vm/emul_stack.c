// SPDX-License-Identifier: MIT
/*
 * Instructions that touch the stack, and near branches.  A stack in device
 * memory is odd but legal, and a branch target may be read from there.
 */
#include "core/vm/emul_int.h"

/* Width of rSP: SS.B outside 64-bit mode (APM2 4.7.3). */
static unsigned int stack_width(const struct emul *e)
{
	if (e->i->mode == INSN_MODE_64)
		return 8;
	return e->s->seg[VSEG_SS].attr & SEG_D ? 4 : 2;
}

/* rSP with delta added; bits that the stack width does not cover stay. */
static u64 moved_rsp(const struct emul *e, u64 rsp, s64 delta)
{
	u64 mask = emul_mask(stack_width(e));

	return (rsp & ~mask) | ((rsp + delta) & mask);
}

static int stack_linear(struct emul *e, u64 rsp, unsigned int size, bool write, u64 *linear)
{
	return emul_linear(e->s, e->i, VSEG_SS, rsp & emul_mask(stack_width(e)), size,
			   write, linear, e->fault);
}

/* Stores below *rsp and moves *rsp there; changes no register. */
static int push_at(struct emul *e, u64 *rsp, u64 val)
{
	unsigned int size = e->i->op_size;
	u64 below = moved_rsp(e, *rsp, -(s64)size), linear;
	int err;

	err = stack_linear(e, below, size, true, &linear);
	if (!err)
		err = emul_write(e, linear, &val, size);
	if (!err)
		*rsp = below;
	return err;
}

static int push(struct emul *e, u64 val)
{
	return push_at(e, &e->s->gpr[4], val);
}

/* What is at rsp; *next gets rSP behind it.  Changes no register. */
static int peek(struct emul *e, u64 rsp, u64 *val, u64 *next)
{
	unsigned int size = e->i->op_size;
	u64 linear;
	int err;

	*val = 0;
	err = stack_linear(e, rsp, size, false, &linear);
	if (!err)
		err = emul_read(e, linear, val, size);
	*next = moved_rsp(e, rsp, size);
	return err;
}

/* The value is e->dst, already extended to the operand size. */
int op_push(struct emul *e)
{
	return push(e, e->dst.val);
}

/* APM3 POP: an address that uses rSP sees it already incremented. */
static int pop_to_memory(struct emul *e, u64 val, u64 next)
{
	u64 rsp = e->s->gpr[4];
	struct operand m;
	int err;

	e->s->gpr[4] = next;
	err = emul_mem_operand(e, &m, e->i->op_size, 0, true);
	if (!err)
		err = emul_write(e, m.linear, &val, m.size);
	if (err)
		e->s->gpr[4] = rsp;
	return err;
}

/* 58+r, 8F /0 */
int op_pop(struct emul *e)
{
	u64 val, next;
	int err;

	err = peek(e, e->s->gpr[4], &val, &next);
	if (err)
		return err;
	if (insn_has_mem(e->i))
		return pop_to_memory(e, val, next);
	e->s->gpr[4] = next;
	emul_set_reg(e, e->i->rm, e->i->op_size, val);
	return 0;
}

int emul_branch(struct emul *e, u64 target)
{
	u64 linear;

	target &= emul_mask(e->i->op_size);
	if (e->i->mode == INSN_MODE_64) {
		int err = emul_linear(e->s, e->i, VSEG_CS, target, 1, false, &linear,
				      e->fault);

		if (err)
			return err;
	} else if (target > e->s->seg[VSEG_CS].limit) {
		return emul_fault(e, VEC_GP, 0);
	}
	e->next_rip = target;
	return 0;
}

int op_jmp(struct emul *e)
{
	return emul_branch(e, e->dst.val);
}

static int call(struct emul *e, u64 target)
{
	u64 back = e->next_rip;
	int err;

	err = emul_branch(e, target);
	return err ? err : push(e, back);
}

/* E8 rel, FF /2 */
int op_call(struct emul *e)
{
	return call(e, e->i->flags & INSN_F_REL ? e->next_rip + e->i->imm : e->dst.val);
}

/* C3, C2 imm16 */
int op_ret(struct emul *e)
{
	u64 target, next;
	int err;

	err = peek(e, e->s->gpr[4], &target, &next);
	if (!err)
		err = emul_branch(e, target);
	if (!err)
		e->s->gpr[4] = moved_rsp(e, next, e->i->imm);
	return err;
}

/* rSP = rBP, pop rBP */
int op_leave(struct emul *e)
{
	u64 frame = e->s->gpr[5], mask = emul_mask(stack_width(e)), val, next;
	int err;

	err = peek(e, (e->s->gpr[4] & ~mask) | (frame & mask), &val, &next);
	if (err)
		return err;
	e->s->gpr[4] = next;
	emul_set_reg(e, 5, e->i->op_size, val);
	return 0;
}

/* The pointers of level - 1 outer frames, found through rBP, and the new one. */
static int push_frames(struct emul *e, u64 *rsp, u64 frame, unsigned int level)
{
	u64 outer = e->s->gpr[5], val, next;
	int err;

	while (--level) {
		outer = moved_rsp(e, outer, -(s64)e->i->op_size);
		err = peek(e, outer, &val, &next);
		if (!err)
			err = push_at(e, rsp, val);
		if (err)
			return err;
	}
	return push_at(e, rsp, frame);
}

/* ENTER size, level: APM3 ENTER.  A page below the new frame must be writable. */
int op_enter(struct emul *e)
{
	unsigned int level = e->i->imm2 & 31;
	u64 rsp = e->s->gpr[4], frame, linear;
	int err;

	err = push_at(e, &rsp, e->s->gpr[5]);
	if (err)
		return err;
	frame = rsp;
	if (level)
		err = push_frames(e, &rsp, frame, level);
	if (err)
		return err;
	rsp = moved_rsp(e, rsp, -(s64)e->i->imm);
	err = stack_linear(e, rsp, e->i->op_size, true, &linear);
	if (!err)
		err = emul_probe(e, linear, e->i->op_size);
	if (err)
		return err;
	e->s->gpr[4] = rsp;
	emul_set_reg(e, 5, e->i->op_size, frame);
	return 0;
}
