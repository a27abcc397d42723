// SPDX-License-Identifier: MIT
/* Bit tests and scans, conditions, exchanges. */
#include "core/vm/emul_int.h"
#include "core/lib/string.h"

/*
 * BT and its kin.  A register offset beyond the operand has already moved the
 * memory operand (emul.c); here only its low bits count.  Flags other than CF
 * are undefined or unchanged.
 */
static u64 bit_of(struct emul *e)
{
	u64 bit = BIT(e->src.val & (8 * e->dst.size - 1));

	emul_set_flag(e, RFLAGS_CF, e->dst.val & bit);
	return bit;
}

int op_bt(struct emul *e)
{
	bit_of(e);
	return 0;
}

int op_bts(struct emul *e)
{
	e->dst.val |= bit_of(e);
	return 0;
}

int op_btr(struct emul *e)
{
	e->dst.val &= ~bit_of(e);
	return 0;
}

int op_btc(struct emul *e)
{
	e->dst.val ^= bit_of(e);
	return 0;
}

/* TZCNT and LZCNT: CF for a zero source, ZF for a zero result. */
static int counted(struct emul *e, unsigned int n)
{
	emul_set_flag(e, RFLAGS_CF, n == 8u * e->dst.size);
	emul_set_flag(e, RFLAGS_ZF, n == 0);
	e->dst.val = n;
	return 0;
}

/* A zero source leaves the destination as it is (APM3 BSF), bits 63:32 too. */
static int scanned(struct emul *e, unsigned int n)
{
	emul_set_flag(e, RFLAGS_ZF, !e->src.val);
	if (e->src.val)
		e->dst.val = n;
	else
		e->dst.size = 0;
	return 0;
}

/* 0F BC: BSF, TZCNT with F3 (a CPU without it ignores the prefix). */
int op_bsf(struct emul *e)
{
	unsigned int n = e->src.val ? __builtin_ctzll(e->src.val) : 8 * e->src.size;

	if (e->i->pfx == 2 && e->s->cpu & EMUL_CPU_TZCNT)
		return counted(e, n);
	return scanned(e, n);
}

/* 0F BD: BSR, LZCNT with F3. */
int op_bsr(struct emul *e)
{
	unsigned int bits = 8 * e->src.size;
	unsigned int lead = bits;

	if (e->src.val)
		lead = __builtin_clzll(e->src.val) - (64 - bits);
	if (e->i->pfx == 2 && e->s->cpu & EMUL_CPU_LZCNT)
		return counted(e, lead);
	return scanned(e, bits - 1 - lead);
}

/* __builtin_popcountll would need a runtime function. */
int op_popcnt(struct emul *e)
{
	u64 v = e->src.val;
	unsigned int n;

	for (n = 0; v; n++)
		v &= v - 1;
	e->flags &= ~EMUL_ARITH;
	emul_set_flag(e, RFLAGS_ZF, !n);
	e->dst.val = n;
	return 0;
}

/* APM3 A.1.2 (Jcc, SETcc, CMOVcc): bit 0 negates. */
bool emul_condition(u64 f, u8 code)
{
	bool less = !(f & RFLAGS_SF) != !(f & RFLAGS_OF);
	const bool cond[8] = {
		f & RFLAGS_OF,
		f & RFLAGS_CF,
		f & RFLAGS_ZF,
		f & (RFLAGS_CF | RFLAGS_ZF),
		f & RFLAGS_SF,
		f & RFLAGS_PF,
		less,
		less || f & RFLAGS_ZF,
	};

	return cond[code >> 1 & 7] != (code & 1);
}

/* 0F 90-9F: one byte, 0 or 1. */
int op_setcc(struct emul *e)
{
	e->dst.val = emul_condition(e->flags, e->i->opcode);
	return 0;
}

/* The destination is written in any case: 32-bit forms clear bits 63:32. */
int op_cmovcc(struct emul *e)
{
	if (emul_condition(e->flags, e->i->opcode))
		e->dst.val = e->src.val;
	return 0;
}

/* The register gets its value behind the store, which may still fault. */
static void write_late(struct emul *e, u8 reg, u64 val)
{
	e->late = (struct operand){ .reg = reg, .size = e->dst.size, .val = val };
}

/* With memory always locked (APM3 XCHG): the row says so. */
int op_xchg(struct emul *e)
{
	write_late(e, e->src.reg, e->dst.val);
	e->dst.val = e->src.val;
	return 0;
}

/* With the same register twice the sum stays: the exchange comes first. */
int op_xadd(struct emul *e)
{
	bool same = !e->dst.mem && e->dst.reg == e->src.reg;

	if (!same)
		write_late(e, e->src.reg, e->dst.val);
	return op_add(e);
}

/* Compares like CMP rAX,dst; memory is written back unchanged on a mismatch. */
int op_cmpxchg(struct emul *e)
{
	unsigned int size = e->dst.size;
	u64 old = e->dst.val, acc = emul_reg(e, 0, size);
	u64 desired = e->src.val;
	int err;

	e->src.val = old;
	e->dst.val = acc;
	err = op_sub(e);
	if (err)
		return err;
	if (acc == old) {
		e->dst.val = desired;
		return 0;
	}
	e->dst.val = old;
	/* A register destination keeps its value, bits 63:32 too. */
	if (!e->dst.mem)
		e->dst.size = 0;
	e->late = (struct operand){ .reg = 0, .size = size, .val = old };
	return 0;
}

/* CMPXCHG8B, or 16B with REX.W, whose operand must be aligned (#GP). */
int op_cmpxchg8b(struct emul *e)
{
	unsigned int half = e->i->op_size;
	struct operand m;
	u64 old[2], val[2];	/* two halves, each half bytes */
	u64 lo = 0, hi = 0;
	bool same;
	int err;

	err = emul_mem_operand(e, &m, 2 * half, 0, true);
	/* CPUs see this before a non-canonical address. */
	if (half == 8 && m.linear & 15)
		return emul_fault(e, VEC_GP, 0);
	if (err)
		return err;
	err = emul_probe(e, m.linear, 2 * half);
	if (!err)
		err = emul_read(e, m.linear, old, 2 * half);
	if (err)
		return err;
	memcpy(&lo, old, half);
	memcpy(&hi, (u8 *)old + half, half);
	same = lo == emul_reg(e, 0, half) && hi == emul_reg(e, 2, half);
	memcpy(val, same ? &e->s->gpr[3] : &lo, half);
	memcpy((u8 *)val + half, same ? &e->s->gpr[1] : &hi, half);
	err = emul_store(e, m.linear, old, val, 2 * half,
			 e->i->prefixes & INSN_PFX_LOCK);
	if (err)
		return err;
	emul_set_flag(e, RFLAGS_ZF, same);
	if (!same) {
		emul_set_reg(e, 0, half, lo);
		emul_set_reg(e, 2, half, hi);
	}
	return 0;
}
