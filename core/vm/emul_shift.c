// SPDX-License-Identifier: MIT
/*
 * Shifts and rotates.  The count is masked to 5 bits, 6 for 64-bit operands
 * (APM3 SAL: also for 8 and 16 bits); a count of zero changes no flag.  OF is
 * defined for a count of one; other counts get the same formula, as current
 * CPUs do.
 */
#include "core/vm/emul_int.h"

static unsigned int count_of(const struct emul *e, u64 v)
{
	return v & (e->dst.size == 8 ? 63 : 31);
}

static unsigned int bits_of(const struct emul *e)
{
	return 8 * e->dst.size;
}

/* Rotates change CF and OF only. */
static int rotated(struct emul *e, u64 res, bool cf, bool of)
{
	e->dst.val = res & emul_mask(e->dst.size);
	emul_set_flag(e, RFLAGS_CF, cf);
	emul_set_flag(e, RFLAGS_OF, of);
	return 0;
}

/* v rotated left by c < bits. */
static u64 rotate_left(u64 v, unsigned int c, unsigned int bits)
{
	return c ? v << c | v >> (bits - c) : v;
}

int op_rol(struct emul *e)
{
	unsigned int c = count_of(e, e->src.val), bits = bits_of(e);
	u64 res;

	if (!c)
		return 0;
	res = rotate_left(e->dst.val, c % bits, bits);
	return rotated(e, res, res & 1, emul_msb(res, e->dst.size) ^ (res & 1));
}

int op_ror(struct emul *e)
{
	unsigned int c = count_of(e, e->src.val), bits = bits_of(e);
	u64 res;
	bool msb;

	if (!c)
		return 0;
	res = rotate_left(e->dst.val, (bits - c % bits) % bits, bits);
	msb = emul_msb(res, e->dst.size);
	return rotated(e, res, msb, msb ^ (res >> (bits - 2) & 1));
}

/* Through CF: bits + 1 positions. */
int op_rcl(struct emul *e)
{
	unsigned int c = count_of(e, e->src.val) % (bits_of(e) + 1);
	bool cf = e->flags & RFLAGS_CF;
	u64 v = e->dst.val;

	if (!count_of(e, e->src.val))
		return 0;
	while (c--) {
		bool out = emul_msb(v, e->dst.size);

		v = v << 1 | cf;
		cf = out;
	}
	return rotated(e, v, cf, emul_msb(v, e->dst.size) ^ cf);
}

int op_rcr(struct emul *e)
{
	unsigned int bits = bits_of(e), c = count_of(e, e->src.val) % (bits + 1);
	bool cf = e->flags & RFLAGS_CF;
	u64 v = e->dst.val;

	if (!count_of(e, e->src.val))
		return 0;
	while (c--) {
		bool out = v & 1;

		v = v >> 1 | (u64)cf << (bits - 1);
		cf = out;
	}
	return rotated(e, v, cf, emul_msb(v, e->dst.size) ^ (v >> (bits - 2) & 1));
}

/* Shifts set SF, ZF and PF, too; AF is undefined. */
static int shifted(struct emul *e, u64 res, bool cf, bool of)
{
	e->flags &= ~EMUL_ARITH;
	e->flags |= emul_szp(res, e->dst.size);
	return rotated(e, res, cf, of);
}

/* CF is the last bit shifted out; beyond the operand there is none. */
int op_shl(struct emul *e)
{
	unsigned int c = count_of(e, e->src.val), bits = bits_of(e);
	u64 res = e->dst.val << c;
	bool cf;

	if (!c)
		return 0;
	cf = c <= bits && e->dst.val >> (bits - c) & 1;
	return shifted(e, res, cf, emul_msb(res, e->dst.size) ^ cf);
}

/* OF of a shift by one is the old sign. */
int op_shr(struct emul *e)
{
	unsigned int c = count_of(e, e->src.val);
	u64 v = e->dst.val;

	if (!c)
		return 0;
	return shifted(e, v >> c, v >> (c - 1) & 1, emul_msb(v, e->dst.size));
}

int op_sar(struct emul *e)
{
	unsigned int c = count_of(e, e->src.val);
	s64 v = emul_sext(e->dst.val, e->dst.size);

	if (!c)
		return 0;
	return shifted(e, v >> c, v >> (c - 1) & 1, false);
}

/* Count of SHLD and SHRD: the immediate, or CL (A5, AD). */
static unsigned int double_count(const struct emul *e)
{
	return count_of(e, e->i->imm_size ? e->i->imm : emul_reg(e, 1, 8));
}

/*
 * The operand is the destination next to the source.  16-bit operands with a
 * count above 16 are undefined (APM3 SHLD); here the destination follows the
 * source once more.
 */
int op_shld(struct emul *e)
{
	unsigned int c = double_count(e), bits = bits_of(e);
	u64 d = e->dst.val, s = e->src.val, res;
	bool cf;

	if (!c)
		return 0;
	if (c > bits) {
		c -= bits;
		res = d;
		d = s;
		s = res;
	}
	res = d << c | s >> (bits - c);
	cf = d >> (bits - c) & 1;
	return shifted(e, res, cf, emul_msb(res ^ e->dst.val, e->dst.size));
}

int op_shrd(struct emul *e)
{
	unsigned int c = double_count(e), bits = bits_of(e);
	u64 d = e->dst.val, s = e->src.val, res;
	bool cf;

	if (!c)
		return 0;
	if (c > bits) {
		c -= bits;
		res = d;
		d = s;
		s = res;
	}
	res = d >> c | s << (bits - c);
	cf = d >> (c - 1) & 1;
	return shifted(e, res, cf, emul_msb(res ^ e->dst.val, e->dst.size));
}
