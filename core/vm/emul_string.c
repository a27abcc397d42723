// SPDX-License-Identifier: MIT
/*
 * String instructions: MOVS, CMPS, STOS, LODS, SCAS, and what I/O exits need
 * of INS and OUTS.  Registers are as wide as the address size.
 */
#include "core/vm/emul_int.h"

/* Iterations per call: a guest must not keep us here. */
#define BATCH	1024

#define RCX	1
#define RSI	6
#define RDI	7

#define REP_ANY	(INSN_PFX_REP | INSN_PFX_REPNE)

/* rSI, rDI or rCX as wide as the address size. */
static u64 pointer(const struct emul_state *s, const struct insn *i, u8 reg)
{
	return insn_addr_mask(i, s->gpr[reg]);
}

/* Like any register write of that size: 32 bits clear the upper half. */
static void set_pointer(struct emul_state *s, const struct insn *i, u8 reg, u64 val)
{
	if (i->addr_size == 2)
		s->gpr[reg] = (s->gpr[reg] & ~0xffffULL) | (val & 0xffff);
	else
		s->gpr[reg] = insn_addr_mask(i, val);
}

/* One element up, or down with DF. */
static void step(struct emul_state *s, const struct insn *i, u8 reg)
{
	s64 delta = s->rflags & RFLAGS_DF ? -(s64)i->op_size : i->op_size;

	set_pointer(s, i, reg, s->gpr[reg] + delta);
}

/* The source can be overridden, the destination is always ES:rDI. */
static int source(struct emul *e, u64 *val)
{
	u64 linear;
	int err;

	*val = 0;
	err = emul_linear(e->s, e->i, e->i->seg, pointer(e->s, e->i, RSI), e->i->op_size,
			  false, &linear, e->fault);
	return err ? err : emul_read(e, linear, val, e->i->op_size);
}

static int dest(struct emul *e, bool write, u64 *linear)
{
	return emul_linear(e->s, e->i, VSEG_ES, pointer(e->s, e->i, RDI), e->i->op_size,
			   write, linear, e->fault);
}

/* The read comes first: a fault of either side leaves both pointers alone. */
static int do_movs(struct emul *e)
{
	u64 val, to;
	int err;

	err = source(e, &val);
	if (!err)
		err = dest(e, true, &to);
	return err ? err : emul_write(e, to, &val, e->i->op_size);
}

static int do_stos(struct emul *e)
{
	u64 val = emul_reg(e, 0, e->i->op_size), to;
	int err;

	err = dest(e, true, &to);
	return err ? err : emul_write(e, to, &val, e->i->op_size);
}

static int do_lods(struct emul *e)
{
	u64 val;
	int err;

	err = source(e, &val);
	if (!err)
		emul_set_reg(e, 0, e->i->op_size, val);
	return err;
}

/* Flags of left - [ES:rDI]. */
static int compare(struct emul *e, u64 left)
{
	u64 from, val = 0;
	int err;

	err = dest(e, false, &from);
	if (!err)
		err = emul_read(e, from, &val, e->i->op_size);
	if (err)
		return err;
	e->dst = (struct operand){ .size = e->i->op_size, .val = left };
	e->src = (struct operand){ .size = e->i->op_size, .val = val };
	return op_sub(e);
}

static int do_cmps(struct emul *e)
{
	u64 left;
	int err;

	err = source(e, &left);
	return err ? err : compare(e, left);
}

static int do_scas(struct emul *e)
{
	return compare(e, emul_reg(e, 0, e->i->op_size));
}

struct string_row {
	u8 opcode;		/* of the byte form */
	bool si, di;		/* which pointers move */
	bool compares;		/* REPE and REPNE look at ZF */
	int (*once)(struct emul *e);
};

static const struct string_row rows[] = {
	{ 0xa4, true,  true,  false, do_movs },
	{ 0xa6, true,  true,  true,  do_cmps },
	{ 0xaa, false, true,  false, do_stos },
	{ 0xac, true,  false, false, do_lods },
	{ 0xae, false, true,  true,  do_scas },
};

static const struct string_row *find_row(const struct insn *i)
{
	for (unsigned int k = 0; k < ARRAY_SIZE(rows); k++)
		if (rows[k].opcode == (i->opcode & 0xfe))
			return &rows[k];
	return NULL;
}

u64 emul_rep_count(const struct emul_state *s, const struct insn *i)
{
	return i->prefixes & REP_ANY ? pointer(s, i, RCX) : 1;
}

/* APM3 1.2.6: CMPS and SCAS also stop when ZF is not what REPcc wants. */
static bool zf_stops(const struct emul *e)
{
	return !(e->flags & RFLAGS_ZF) == !(e->i->prefixes & INSN_PFX_REPNE);
}

static int finish(struct emul *e, int result)
{
	/* Flags of the last whole iteration, whatever comes next. */
	e->s->rflags = (e->s->rflags & ~EMUL_ARITH) | (e->flags & EMUL_ARITH);
	return result;
}

/*
 * Registers advance with each whole iteration, so that a fault, or a return of
 * 1, leaves a state from which the instruction goes on (APM3 1.2.6).
 */
int op_string(struct emul *e)
{
	const struct string_row *row = find_row(e->i);
	bool rep = e->i->prefixes & REP_ANY;
	u64 left;
	int err;

	if (!row)
		return -EOPNOTSUPP;
	left = emul_rep_count(e->s, e->i);
	for (unsigned int n = 0; left; n++) {
		if (n == BATCH)
			return finish(e, 1);
		err = row->once(e);
		if (err)
			return finish(e, err);
		if (row->si)
			step(e->s, e->i, RSI);
		if (row->di)
			step(e->s, e->i, RDI);
		left--;
		if (rep)
			set_pointer(e->s, e->i, RCX, left);
		if (rep && row->compares && zf_stops(e))
			break;
	}
	return 0;
}

/* INS (6C, 6D) writes ES:rDI, OUTS (6E, 6F) reads rSI. */
static bool is_ins(const struct insn *i)
{
	return (i->opcode & 0xfe) == 0x6c;
}

int emul_io_linear(struct emul_state *s, const struct insn *i, u64 *linear,
		   struct event *fault)
{
	bool ins = is_ins(i);

	*fault = (struct event){ .type = EVENT_NONE };
	return emul_linear(s, i, ins ? VSEG_ES : i->seg, pointer(s, i, ins ? RDI : RSI),
			   i->op_size, ins, linear, fault);
}

void emul_io_step(struct emul_state *s, const struct insn *i)
{
	step(s, i, is_ins(i) ? RDI : RSI);
	if (i->prefixes & REP_ANY)
		set_pointer(s, i, RCX, s->gpr[RCX] - 1);
}
