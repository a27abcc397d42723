// SPDX-License-Identifier: MIT
/*
 * Which opcode does what, and the order in which an instruction happens:
 * find operands, read, compute, store, then registers, flags and RIP.
 */
#include "core/vm/emul.h"
#include "core/lib/string.h"
#include "core/vm/emul_int.h"

STATIC_ASSERT(INSN_ES == (int)VSEG_ES && INSN_CS == (int)VSEG_CS &&
	      INSN_SS == (int)VSEG_SS && INSN_DS == (int)VSEG_DS &&
	      INSN_FS == (int)VSEG_FS && INSN_GS == (int)VSEG_GS,
	      "segment numbers of decoder and vCPU");

static int op_mov(struct emul *e)
{
	e->dst.val = e->src.val;
	return 0;
}

static int op_movsx(struct emul *e)
{
	e->dst.val = emul_sext(e->src.val, e->src.size);
	return 0;
}

/* MOVBE, BSWAP */
static int op_swap(struct emul *e)
{
	unsigned int size = e->i->op_size;

	/* BSWAP has its operand in dst. */
	if (!e->src.size)
		e->src.val = e->dst.val;
	e->dst.val = __builtin_bswap64(e->src.val) >> (64 - 8 * size);
	return 0;
}

static int op_lea(struct emul *e)
{
	emul_set_reg(e, e->i->reg, e->i->op_size,
		     insn_effective(e->i, e->s->gpr, e->next_rip));
	return 0;
}

static int op_nop(struct emul *e)
{
	return 0;
}

/* clang-format off */
#define RW	(F_RD | F_WR)

/* The six forms of 00-3F: fn, and whether it stores (CMP does not). */
#define ALU(op, fn, wr) \
	[(op) + 0] = { fn, O_RM,  O_REG, F_RD | (wr), NULL }, \
	[(op) + 1] = { fn, O_RM,  O_REG, F_RD | (wr), NULL }, \
	[(op) + 2] = { fn, O_REG, O_RM,  F_RD | (wr), NULL }, \
	[(op) + 3] = { fn, O_REG, O_RM,  F_RD | (wr), NULL }, \
	[(op) + 4] = { fn, O_ACC, O_IMM, F_RD | (wr), NULL }, \
	[(op) + 5] = { fn, O_ACC, O_IMM, F_RD | (wr), NULL }

/* Groups: operands are those of the opcode's own row. */
#define MEMBER(fn, flags)	{ fn, O_NONE, O_NONE, flags, NULL }

static const struct emul_row group1[8] = {
	MEMBER(op_add, RW), MEMBER(op_or, RW), MEMBER(op_adc, RW), MEMBER(op_sbb, RW),
	MEMBER(op_and, RW), MEMBER(op_sub, RW), MEMBER(op_xor, RW), MEMBER(op_sub, F_RD),
};
static const struct emul_row group2[8] = {
	MEMBER(op_rol, RW), MEMBER(op_ror, RW), MEMBER(op_rcl, RW), MEMBER(op_rcr, RW),
	MEMBER(op_shl, RW), MEMBER(op_shr, RW), MEMBER(op_shl, RW), MEMBER(op_sar, RW),
};
static const struct emul_row group3[8] = {
	MEMBER(op_and, F_RD), MEMBER(op_and, F_RD), MEMBER(op_not, RW), MEMBER(op_neg, RW),
	MEMBER(op_mul, F_RD), MEMBER(op_imul1, F_RD), MEMBER(op_div, F_RD),
	MEMBER(op_idiv, F_RD),
};
static const struct emul_row group45[8] = {
	[0] = MEMBER(op_inc, RW),    [1] = MEMBER(op_dec, RW),
	[2] = MEMBER(op_call, F_RD | F_MORE), [4] = MEMBER(op_jmp, F_RD),
	[5] = MEMBER(op_jmp_far, F_SELF),
	[6] = MEMBER(op_push, F_RD | F_MORE),
};
static const struct emul_row group6[8] = {
	[0] = MEMBER(op_sldt, F_WR | F_UMIP | F_PROT),
	[1] = MEMBER(op_str, F_WR | F_UMIP | F_PROT),
	[2] = MEMBER(op_lldt, F_RD | F_MORE | F_CPL0 | F_PROT),
	[3] = MEMBER(op_ltr, F_RD | F_MORE | F_CPL0 | F_PROT),
};
static const struct emul_row group7[8] = {
	[4] = MEMBER(op_smsw, F_WR | F_UMIP), [6] = MEMBER(op_lmsw, F_RD | F_CPL0),
};
static const struct emul_row group8[8] = {
	[4] = MEMBER(op_bt, F_RD), [5] = MEMBER(op_bts, RW),
	[6] = MEMBER(op_btr, RW),  [7] = MEMBER(op_btc, RW),
};
static const struct emul_row group9[8] = {
	[1] = MEMBER(op_cmpxchg8b, F_SELF),
};

static const struct emul_row rows_1[256] = {
	ALU(0x00, op_add, F_WR), ALU(0x08, op_or, F_WR),
	ALU(0x10, op_adc, F_WR), ALU(0x18, op_sbb, F_WR),
	ALU(0x20, op_and, F_WR), ALU(0x28, op_sub, F_WR),
	ALU(0x30, op_xor, F_WR), ALU(0x38, op_sub, 0),
	[0x40 ... 0x47] = { op_inc,  O_OPREG, O_NONE, RW, NULL },
	[0x48 ... 0x4f] = { op_dec,  O_OPREG, O_NONE, RW, NULL },
	[0x50 ... 0x57] = { op_push, O_OPREG, O_NONE, F_RD, NULL },
	[0x58 ... 0x5f] = { op_pop,  O_NONE,  O_NONE, F_SELF, NULL },
	/* MOVSXD; with 66, too, AMD reads 32 bits */
	[0x63] = { op_movsx,  O_REG, O_RM32,  F_WR, NULL },
	[0x68] = { op_push,   O_IMM, O_NONE,  F_RD, NULL },
	[0x69] = { op_imul3,  O_REG, O_RM,    F_WR, NULL },
	[0x6a] = { op_push,   O_IMM, O_NONE,  F_RD, NULL },
	[0x6b] = { op_imul3,  O_REG, O_RM,    F_WR, NULL },
	[0x80 ... 0x83] = { NULL, O_RM, O_IMM, 0, group1 },
	[0x84 ... 0x85] = { op_and,  O_RM, O_REG, F_RD, NULL },	/* TEST */
	[0x86 ... 0x87] = { op_xchg, O_RM, O_REG, RW | F_LOCK, NULL },
	[0x88 ... 0x89] = { op_mov,  O_RM, O_REG, F_WR, NULL },
	[0x8a ... 0x8b] = { op_mov,  O_REG, O_RM, F_WR, NULL },
	[0x8c] = { op_mov_from_sreg, O_NONE, O_NONE, F_SELF, NULL },
	[0x8d] = { op_lea,           O_NONE, O_NONE, F_SELF, NULL },
	[0x8e] = { op_mov_to_sreg,   O_NONE, O_RM16, F_MORE, NULL },
	[0x8f] = { op_pop,           O_NONE, O_NONE, F_SELF, NULL },
	[0x90 ... 0x97] = { op_xchg, O_OPREG, O_ACC, RW, NULL },
	[0xa0 ... 0xa1] = { op_mov,  O_ACC, O_MOFFS, F_WR, NULL },
	[0xa2 ... 0xa3] = { op_mov,  O_MOFFS, O_ACC, F_WR, NULL },
	[0xa4 ... 0xa7] = { op_string, O_NONE, O_NONE, F_SELF, NULL },
	[0xa8 ... 0xa9] = { op_and,  O_ACC, O_IMM, F_RD, NULL },
	[0xaa ... 0xaf] = { op_string, O_NONE, O_NONE, F_SELF, NULL },
	[0xb0 ... 0xbf] = { op_mov,  O_OPREG, O_IMM, F_WR, NULL },
	[0xc0 ... 0xc1] = { NULL, O_RM, O_IMM, 0, group2 },
	[0xc2 ... 0xc3] = { op_ret,  O_NONE, O_NONE, F_SELF, NULL },
	[0xc6 ... 0xc7] = { op_mov,  O_RM, O_IMM, F_WR, NULL },
	[0xc8] = { op_enter, O_NONE, O_NONE, F_SELF, NULL },
	[0xc9] = { op_leave, O_NONE, O_NONE, F_SELF, NULL },
	[0xd0 ... 0xd1] = { NULL, O_RM, O_ONE, 0, group2 },
	[0xd2 ... 0xd3] = { NULL, O_RM, O_CL, 0, group2 },
	[0xd7] = { op_mov,  O_ACC,  O_XLAT, F_WR, NULL },
	[0xe8] = { op_call, O_NONE, O_NONE, F_SELF, NULL },
	[0xf6 ... 0xf7] = { NULL, O_RM, O_IMM, 0, group3 },
	[0xfe ... 0xff] = { NULL, O_RM, O_NONE, 0, group45 },
};

static const struct emul_row rows_0f[256] = {
	[0x00] = { NULL,      O_RM16, O_NONE, 0, group6 },
	[0x01] = { NULL,      O_RM16, O_NONE, 0, group7 },
	[0x0d]          = { op_nop,    O_NONE, O_NONE, F_SELF, NULL },	/* PREFETCH */
	[0x18 ... 0x1f] = { op_nop,    O_NONE, O_NONE, F_SELF, NULL },
	[0x40 ... 0x4f] = { op_cmovcc, O_REG, O_RM,   RW, NULL },
	[0x90 ... 0x9f] = { op_setcc,  O_RM,  O_NONE, F_WR, NULL },
	[0xa3] = { op_bt,     O_RM, O_REG, F_RD | F_BITS, NULL },
	[0xa4 ... 0xa5] = { op_shld, O_RM, O_REG, RW, NULL },
	[0xab] = { op_bts,    O_RM, O_REG, RW | F_BITS, NULL },
	[0xac ... 0xad] = { op_shrd, O_RM, O_REG, RW, NULL },
	[0xaf] = { op_imul2,  O_REG, O_RM, RW, NULL },
	[0xb0 ... 0xb1] = { op_cmpxchg, O_RM, O_REG, RW, NULL },
	[0xb3] = { op_btr,    O_RM, O_REG, RW | F_BITS, NULL },
	[0xb6] = { op_mov,    O_REG, O_RM8,  F_WR, NULL },		/* MOVZX */
	[0xb7] = { op_mov,    O_REG, O_RM16, F_WR, NULL },
	[0xb8] = { op_popcnt, O_REG, O_RM,   F_WR, NULL },
	[0xba] = { NULL,      O_RM,  O_IMM,  0, group8 },
	[0xbb] = { op_btc,    O_RM,  O_REG,  RW | F_BITS, NULL },
	[0xbc] = { op_bsf,    O_REG, O_RM,   F_WR, NULL },
	[0xbd] = { op_bsr,    O_REG, O_RM,   F_WR, NULL },
	[0xbe] = { op_movsx,  O_REG, O_RM8,  F_WR, NULL },
	[0xbf] = { op_movsx,  O_REG, O_RM16, F_WR, NULL },
	[0xc0 ... 0xc1] = { op_xadd, O_RM, O_REG, RW, NULL },
	[0xc3] = { op_mov,    O_RM,  O_REG,  F_WR, NULL },		/* MOVNTI */
	[0xc7] = { NULL,      O_NONE, O_NONE, 0, group9 },
	[0xc8 ... 0xcf] = { op_swap, O_OPREG, O_NONE, RW, NULL },	/* BSWAP */
};

static const struct emul_row movbe_load  = { op_swap, O_REG, O_RM, F_WR, NULL };
static const struct emul_row movbe_store = { op_swap, O_RM, O_REG, F_WR, NULL };
static const struct emul_row vector_row  = { op_vector, O_NONE, O_NONE, F_SELF, NULL };
/* clang-format on */

/* Rows whose opcode means something else in this mode or with this ModRM. */
static bool other_meaning(const struct insn *i)
{
	/* ARPL; XABORT, XBEGIN */
	if (i->map == INSN_MAP_1)
		return (i->opcode == 0x63 && i->mode != INSN_MODE_64) ||
		       ((i->opcode & 0xfe) == 0xc6 && i->reg & 7);
	/* RDRAND, RDPID; SLDT and the like to registers, VMCALL and its kin */
	return i->map == INSN_MAP_0F && (i->opcode == 0xc7 || i->opcode <= 0x01) &&
	       !insn_has_mem(i);
}

static const struct emul_row *integer_row(const struct insn *i)
{
	if (i->enc != INSN_ENC_LEGACY || other_meaning(i))
		return NULL;
	if (i->map == INSN_MAP_1)
		return &rows_1[i->opcode];
	if (i->map == INSN_MAP_0F)
		return &rows_0f[i->opcode];
	if (i->map != INSN_MAP_0F38 || i->pfx > 1)
		return NULL;
	if (i->opcode == 0xf0)
		return &movbe_load;
	return i->opcode == 0xf1 ? &movbe_store : NULL;
}

static const struct emul_row *find_row(const struct insn *i)
{
	const struct emul_row *r = integer_row(i);

	if (r && (r->fn || r->group))
		return r;
	return emul_vector_supported(i) ? &vector_row : NULL;
}

/* The row with a group's member resolved; fn is NULL if there is none. */
static struct emul_row lookup(const struct insn *i)
{
	const struct emul_row *r = find_row(i);
	struct emul_row row = { 0 };

	if (!r)
		return row;
	row = *r;
	if (r->group) {
		row.fn = r->group[i->reg & 7].fn;
		row.flags = r->group[i->reg & 7].flags;
	}
	return row;
}

bool emul_supported(const struct insn *i)
{
	return lookup(i).fn != NULL;
}

bool emul_one_operand(const struct insn *i)
{
	struct emul_row row = lookup(i);

	return i->flags & (INSN_F_MEM | INSN_F_MOFFS) && row.fn &&
	       !(row.flags & (F_SELF | F_MORE));
}

/*
 * APM3 BT: a signed bit offset in a register moves the operand by whole
 * operands, up to 2^63 bits either way.
 */
static s64 bit_displacement(const struct emul *e)
{
	unsigned int size = e->i->op_size;
	s64 bit = emul_sext(emul_reg(e, e->i->reg, size), size);
	unsigned int log2 = size == 2 ? 4 : size == 4 ? 5 : 6;

	return (bit >> log2) * (s64)size;
}

/* Sign-extended by the decoder, cut to the operand here. */
static void locate_imm(struct operand *o, u64 val)
{
	o->imm = true;
	o->val = val & emul_mask(o->size);
}

/* ModRM.rm: a register, or memory that is checked for the access to come. */
static int locate_rm(struct emul *e, struct operand *o, unsigned int size, u16 flags)
{
	s64 disp = 0;

	o->size = size;
	o->reg = e->i->rm;
	if (!insn_has_mem(e->i))
		return 0;
	if (flags & F_BITS)
		disp = bit_displacement(e);
	return emul_mem_operand(e, o, size, disp, flags & F_WR);
}

/* XLAT: offset rBX + AL. */
static int locate_xlat(struct emul *e, struct operand *o)
{
	u64 off = insn_addr_mask(e->i, e->s->gpr[3] + (e->s->gpr[0] & 0xff));

	*o = (struct operand){ .mem = true, .size = 1 };
	return emul_linear(e->s, e->i, e->i->seg, off, 1, false, &o->linear, e->fault);
}

/* Finds an operand; values come later.  flags: F_WR, F_BITS for this one. */
static int locate(struct emul *e, u8 kind, u16 flags, struct operand *o)
{
	unsigned int size = e->i->op_size;

	*o = (struct operand){ .size = kind == O_NONE ? 0 : size };
	switch (kind) {
	case O_RM:
		return locate_rm(e, o, size, flags);
	case O_RM8:
		return locate_rm(e, o, 1, flags);
	case O_RM16:
		return locate_rm(e, o, 2, flags);
	case O_RM32:
		return locate_rm(e, o, 4, flags);
	case O_REG:
		o->reg = e->i->reg;
		break;
	case O_OPREG:
		o->reg = e->i->rm;
		break;
	case O_IMM:
		locate_imm(o, e->i->imm);
		break;
	case O_ONE:
		locate_imm(o, 1);
		break;
	case O_CL:
		locate_imm(o, e->s->gpr[1] & 0xff);
		break;
	case O_MOFFS:
		return emul_mem_operand(e, o, size, 0, flags & F_WR);
	case O_XLAT:
		return locate_xlat(e, o);
	default:		/* O_ACC is register 0 */
		break;
	}
	return 0;
}

/* Immediates have their value already. */
static int get_operand(struct emul *e, struct operand *o)
{
	if (!o->size || o->imm)
		return 0;
	if (!o->mem) {
		o->val = emul_reg(e, o->reg, o->size);
		return 0;
	}
	return emul_read(e, o->linear, &o->val, o->size);
}

/* size 0: the handler found that nothing is to be written. */
static int put_operand(struct emul *e, const struct operand *o, bool locked)
{
	if (!o->size)
		return 0;
	if (!o->mem) {
		emul_set_reg(e, o->reg, o->size, o->val);
		return 0;
	}
	return emul_store(e, o->linear, &e->old, &o->val, o->size, locked);
}

/*
 * Both addresses are checked before anything is read, the destination for
 * writing: then only the store itself, seldom, can still fault.
 */
static int fetch_operands(struct emul *e, const struct emul_row *row)
{
	int err;

	err = locate(e, row->dst, row->flags, &e->dst);
	if (!err)
		err = locate(e, row->src, 0, &e->src);
	if (!err && e->dst.mem && (row->flags & RW) == RW)
		err = emul_probe(e, e->dst.linear, e->dst.size);
	if (!err)
		err = get_operand(e, &e->src);
	if (!err && row->flags & F_RD)
		err = get_operand(e, &e->dst);
	e->old = e->dst.val;
	return err;
}

/* What an instruction demands before it looks at its operands. */
static int check_mode(struct emul *e, const struct emul_row *row)
{
	if (row->flags & F_PROT && !emul_protected(e))
		return emul_fault(e, VEC_UD, 0);
	if (e->s->cpl && (row->flags & F_CPL0 ||
			  (row->flags & F_UMIP && e->s->cr4 & CR4_UMIP)))
		return emul_fault(e, VEC_GP, 0);
	return 0;
}

/* Memory first, registers behind it: a store that faults has no effect. */
static int run_row(struct emul *e, const struct emul_row *row)
{
	bool locked = row->flags & F_LOCK || e->i->prefixes & INSN_PFX_LOCK;
	int err = check_mode(e, row);

	if (!err && row->flags & F_SELF)
		return row->fn(e);
	if (!err)
		err = fetch_operands(e, row);
	if (!err)
		err = row->fn(e);
	if (!err && row->flags & F_WR)
		err = put_operand(e, &e->dst, locked);
	if (err)
		return err;
	return put_operand(e, &e->late, false);
}

int emul_insn(struct emul_state *s, const struct insn *i, const struct emul_ops *ops,
	      void *ctx, struct event *fault)
{
	struct emul_row row = lookup(i);
	struct emul e = {
		.s = s, .i = i, .ops = ops, .ctx = ctx, .fault = fault,
		.flags = s->rflags,
	};
	int err;

	*fault = (struct event){ .type = EVENT_NONE };
	s->loaded = 0;
	s->shadow = false;
	if (!row.fn)
		return -EOPNOTSUPP;
	e.next_rip = s->rip + i->len;
	if (i->mode != INSN_MODE_64)
		e.next_rip = (u32)e.next_rip;
	err = run_row(&e, &row);
	if (err)
		return err;
	/* APM2 3.1.6: RF is cleared when an instruction completes. */
	s->rflags = (e.flags & ~RFLAGS_RF) | RFLAGS_FIXED;
	s->rip = e.next_rip;
	return 0;
}
