// SPDX-License-Identifier: MIT
/*
 * Arithmetic and logic: results in e->dst.val, flags in e->flags.  Flags that
 * the manuals leave undefined get what current AMD and Intel CPUs give.
 */
#include "core/vm/emul_int.h"

/* SF, ZF, PF.  PF looks at the low byte only. */
u64 emul_szp(u64 res, unsigned int size)
{
	u64 f = 0;
	u8 low = res;

	low ^= low >> 4;
	low ^= low >> 2;
	low ^= low >> 1;
	if (!(low & 1))
		f |= RFLAGS_PF;
	if (!(res & emul_mask(size)))
		f |= RFLAGS_ZF;
	if (emul_msb(res, size))
		f |= RFLAGS_SF;
	return f;
}

/* APM3 AND, OR, XOR, TEST: CF and OF cleared, AF undefined (CPUs clear it). */
static int logic(struct emul *e, u64 res)
{
	e->dst.val = res & emul_mask(e->dst.size);
	e->flags &= ~EMUL_ARITH;
	e->flags |= emul_szp(res, e->dst.size);
	return 0;
}

int op_or(struct emul *e)
{
	return logic(e, e->dst.val | e->src.val);
}

int op_and(struct emul *e)
{
	return logic(e, e->dst.val & e->src.val);
}

int op_xor(struct emul *e)
{
	return logic(e, e->dst.val ^ e->src.val);
}

/*
 * a + b + carry.  Carries out of each bit position: where both operands have
 * a one, or either has and the sum has not.
 */
static int add(struct emul *e, u64 a, u64 b, bool carry)
{
	unsigned int size = e->dst.size;
	u64 res = a + b + carry;
	u64 out = (a & b) | ((a | b) & ~res);

	e->flags &= ~EMUL_ARITH;
	e->flags |= emul_szp(res, size);
	emul_set_flag(e, RFLAGS_CF, emul_msb(out, size));
	emul_set_flag(e, RFLAGS_AF, out & 8);
	emul_set_flag(e, RFLAGS_OF, emul_msb((a ^ res) & (b ^ res), size));
	e->dst.val = res & emul_mask(size);
	return 0;
}

/* a - b - borrow; a borrow leaves a position where b is the larger digit. */
static int sub(struct emul *e, u64 a, u64 b, bool borrow)
{
	unsigned int size = e->dst.size;
	u64 res = a - b - borrow;
	u64 out = (~a & b) | ((~a | b) & res);

	e->flags &= ~EMUL_ARITH;
	e->flags |= emul_szp(res, size);
	emul_set_flag(e, RFLAGS_CF, emul_msb(out, size));
	emul_set_flag(e, RFLAGS_AF, out & 8);
	emul_set_flag(e, RFLAGS_OF, emul_msb((a ^ b) & (a ^ res), size));
	e->dst.val = res & emul_mask(size);
	return 0;
}

int op_add(struct emul *e)
{
	return add(e, e->dst.val, e->src.val, false);
}

int op_adc(struct emul *e)
{
	return add(e, e->dst.val, e->src.val, e->flags & RFLAGS_CF);
}

/* Also CMP, whose row does not write. */
int op_sub(struct emul *e)
{
	return sub(e, e->dst.val, e->src.val, false);
}

int op_sbb(struct emul *e)
{
	return sub(e, e->dst.val, e->src.val, e->flags & RFLAGS_CF);
}

/* INC and DEC leave CF alone. */
int op_inc(struct emul *e)
{
	bool cf = e->flags & RFLAGS_CF;
	int err = add(e, e->dst.val, 1, false);

	emul_set_flag(e, RFLAGS_CF, cf);
	return err;
}

int op_dec(struct emul *e)
{
	bool cf = e->flags & RFLAGS_CF;
	int err = sub(e, e->dst.val, 1, false);

	emul_set_flag(e, RFLAGS_CF, cf);
	return err;
}

/* The only one that changes no flag at all. */
int op_not(struct emul *e)
{
	e->dst.val = ~e->dst.val & emul_mask(e->dst.size);
	return 0;
}

/* CF says whether the operand was not zero: the borrow of 0 - operand. */
int op_neg(struct emul *e)
{
	return sub(e, 0, e->dst.val, false);
}

/*
 * The product goes to AX for bytes, else to rDX:rAX.  overflow: the upper
 * half says something.  The other flags are undefined and stay.
 */
static int put_product(struct emul *e, unsigned __int128 p, bool overflow)
{
	unsigned int size = e->dst.size;

	if (size == 1) {
		emul_set_reg(e, 0, 2, (u16)p);
	} else {
		emul_set_reg(e, 0, size, p & emul_mask(size));
		emul_set_reg(e, 2, size, (p >> (8 * size)) & emul_mask(size));
	}
	emul_set_flag(e, RFLAGS_CF, overflow);
	emul_set_flag(e, RFLAGS_OF, overflow);
	return 0;
}

/* F6, F7 /4: the operand in e->dst is the multiplier, it is not written. */
int op_mul(struct emul *e)
{
	unsigned int size = e->dst.size;
	unsigned __int128 p = emul_reg(e, 0, size);

	p *= e->dst.val;
	return put_product(e, p, p >> (8 * size));
}

/* Twice the width always holds it: -2^63 times -2^63 is 2^126. */
static __int128 signed_product(u64 a, u64 b, unsigned int size)
{
	return (__int128)(s64)emul_sext(a, size) * (s64)emul_sext(b, size);
}

/* APM3 IMUL: CF and OF unless the product is the extension of its lower half. */
static bool product_overflows(__int128 p, unsigned int size)
{
	return p != (s64)emul_sext((u64)p, size);
}

int op_imul1(struct emul *e)
{
	unsigned int size = e->dst.size;
	__int128 p = signed_product(emul_reg(e, 0, size), e->dst.val, size);

	return put_product(e, p, product_overflows(p, size));
}

/* The two- and three-operand forms keep the lower half only. */
static int imul_truncated(struct emul *e, u64 a, u64 b)
{
	unsigned int size = e->dst.size;
	__int128 p = signed_product(a, b, size);
	bool over = product_overflows(p, size);

	e->dst.val = (u64)p & emul_mask(size);
	emul_set_flag(e, RFLAGS_CF, over);
	emul_set_flag(e, RFLAGS_OF, over);
	return 0;
}

/* 0F AF */
int op_imul2(struct emul *e)
{
	return imul_truncated(e, e->dst.val, e->src.val);
}

/* 69, 6B: the immediate is already sign-extended. */
int op_imul3(struct emul *e)
{
	return imul_truncated(e, e->src.val, e->i->imm);
}

/*
 * 128 by 64 bits, schoolbook: the image has no runtime for __int128 division.
 * d > 0 and n >> 64 < d, so the quotient fits.
 */
static u64 divide(unsigned __int128 n, u64 d, u64 *rem)
{
	unsigned __int128 r = n >> 64;
	u64 low = n, q = 0;

	for (int k = 63; k >= 0; k--) {
		r = r << 1 | (low >> k & 1);
		q <<= 1;
		if (r >= d) {
			r -= d;
			q |= 1;
		}
	}
	*rem = r;
	return q;
}

/* AX for bytes, else rDX:rAX. */
static unsigned __int128 get_dividend(const struct emul *e, unsigned int size)
{
	if (size == 1)
		return emul_reg(e, 0, 2);
	return (unsigned __int128)emul_reg(e, 2, size) << (8 * size) | emul_reg(e, 0, size);
}

/* AL and AH for bytes, else rAX and rDX.  All flags are undefined and stay. */
static int put_quotient(struct emul *e, u64 q, u64 rem)
{
	unsigned int size = e->dst.size;

	if (size == 1) {
		emul_set_reg(e, 0, 2, (q & 0xff) | (rem & 0xff) << 8);
	} else {
		emul_set_reg(e, 0, size, q & emul_mask(size));
		emul_set_reg(e, 2, size, rem & emul_mask(size));
	}
	return 0;
}

/* APM3 DIV: divisor 0 or a quotient that does not fit is #DE. */
int op_div(struct emul *e)
{
	unsigned int size = e->dst.size;
	unsigned __int128 n = get_dividend(e, size);
	u64 q, rem;

	if (n >> (8 * size) >= e->dst.val)
		return emul_fault(e, VEC_DE, 0);
	q = divide(n, e->dst.val, &rem);
	return put_quotient(e, q, rem);
}

/* Truncates towards zero; the remainder has the sign of the dividend. */
int op_idiv(struct emul *e)
{
	unsigned int size = e->dst.size;
	unsigned __int128 n = get_dividend(e, size);
	bool neg_n = n >> (16 * size - 1) & 1;
	bool neg_d = emul_msb(e->dst.val, size);
	u64 d = e->dst.val, limit, q, rem;

	if (neg_n)
		n = -n & (~(unsigned __int128)0 >> (128 - 16 * size));
	if (neg_d)
		d = -d & emul_mask(size);
	if (n >> (8 * size) >= d)
		return emul_fault(e, VEC_DE, 0);
	q = divide(n, d, &rem);
	limit = (emul_mask(size) >> 1) + (neg_n != neg_d);
	if (q > limit)
		return emul_fault(e, VEC_DE, 0);
	return put_quotient(e, neg_n != neg_d ? -q : q, neg_n ? -rem : rem);
}
