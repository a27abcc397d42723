// SPDX-License-Identifier: MIT
/* Registers by operand size, segmentation, memory through the callbacks. */
#include "core/vm/emul_int.h"
#include "core/lib/string.h"

/* Without REX, byte registers 4-7 are AH, CH, DH, BH (APM3 1.4.1). */
static bool high_byte(const struct emul *e, u8 reg, unsigned int size)
{
	return size == 1 && !e->i->rex && reg >= 4 && reg < 8;
}

/* Zero-extended. */
u64 emul_reg(const struct emul *e, u8 reg, unsigned int size)
{
	if (high_byte(e, reg, size))
		return e->s->gpr[reg & 3] >> 8 & 0xff;
	return e->s->gpr[reg & 15] & emul_mask(size);
}

/* 32-bit results clear the upper half, smaller ones leave the rest. */
void emul_set_reg(struct emul *e, u8 reg, unsigned int size, u64 val)
{
	u64 *r = &e->s->gpr[reg & 15];
	u64 mask = emul_mask(size);

	if (high_byte(e, reg, size)) {
		r = &e->s->gpr[reg & 3];
		*r = (*r & ~0xff00ULL) | (val & 0xff) << 8;
	} else if (size == 4) {
		*r = (u32)val;
	} else {
		*r = (*r & ~mask) | (val & mask);
	}
}

/* Real mode delivers no error codes. */
static int raise(const struct emul_state *s, struct event *fault, u8 vector, u32 error)
{
	*fault = event_exception(vector);
	if (exc_has_error(vector) && s->cr0 & CR0_PE) {
		fault->has_error = true;
		fault->error = error;
	}
	return -EFAULT;
}

int emul_fault(struct emul *e, u8 vector, u32 error)
{
	return raise(e->s, e->fault, vector, error);
}

/* APM2 1.1.3, SDM1 3.3.7.1: the bits above the widest are copies of it. */
static bool canonical(const struct emul_state *s, u64 linear)
{
	unsigned int shift = s->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(linear << shift) >> shift) == linear;
}

/* Descriptor type bits, APM2 4.7.2 and 4.7.3. */
#define TYPE_CODE	0x8
#define TYPE_DOWN	0x4	/* data: expands down */
#define TYPE_RW		0x2	/* data: writable; code: readable */

static bool limit_ok(const struct vsegment *g, u64 off, unsigned int n)
{
	u64 last = off + n - 1;

	if ((g->attr & (TYPE_CODE | TYPE_DOWN)) != TYPE_DOWN)
		return last <= g->limit;
	/* APM2 4.7.2: the valid offsets are those above the limit. */
	return off > g->limit && last <= (g->attr & SEG_D ? 0xffffffffULL : 0xffff);
}

/* APM2 4.7.2, 4.7.3: what the descriptor allows; null selectors nothing. */
static bool type_ok(const struct vsegment *g, bool write)
{
	if (g->unusable || !(g->attr & SEG_P))
		return false;
	if (g->attr & TYPE_CODE)
		return !write && g->attr & TYPE_RW;
	return !write || g->attr & TYPE_RW;
}

/* Real and virtual-8086 mode look at the limit only (APM2 4.12.1). */
static bool segment_ok(const struct emul_state *s, const struct vsegment *g, u64 off,
		       unsigned int n, bool write)
{
	bool protected = s->cr0 & CR0_PE && !(s->rflags & RFLAGS_VM);

	if (protected && !type_ok(g, write))
		return false;
	if (!protected)
		return off + n - 1 <= g->limit;
	return limit_ok(g, off, n);
}

/*
 * APM2 8.2.16: only at CPL 3, with CR0.AM and RFLAGS.AC.  Of 16-byte operands
 * CPUs may check less (SDM2 MOVDQU): not at all here.
 */
static bool misaligned(const struct emul_state *s, u64 linear, unsigned int n)
{
	return s->cpl == 3 && s->cr0 & CR0_AM && s->rflags & RFLAGS_AC &&
	       n <= 8 && linear & (n - 1);
}

int emul_linear(const struct emul_state *s, const struct insn *i, enum vseg seg,
		u64 off, unsigned int n, bool write, u64 *linear, struct event *fault)
{
	const struct vsegment *g = &s->seg[seg];
	bool ok;

	if (i->mode == INSN_MODE_64) {
		*linear = off + (seg >= VSEG_FS ? g->base : 0);
		ok = canonical(s, *linear) && canonical(s, *linear + n - 1);
	} else {
		*linear = (u32)(g->base + off);
		ok = segment_ok(s, g, off, n, write);
	}
	if (!ok)
		return raise(s, fault, seg == VSEG_SS ? VEC_SS : VEC_GP, 0);
	if (misaligned(s, *linear, n))
		return raise(s, fault, VEC_AC, 0);
	return 0;
}

/* disp: what BT with a register offset adds to the address. */
int emul_mem_operand(struct emul *e, struct operand *o, unsigned int size, s64 disp,
		     bool write)
{
	u64 off = insn_effective(e->i, e->s->gpr, e->next_rip);

	off = insn_addr_mask(e->i, off + disp);
	*o = (struct operand){ .mem = true, .size = size };
	return emul_linear(e->s, e->i, e->i->seg, off, size, write, &o->linear, e->fault);
}

int emul_read(struct emul *e, u64 linear, void *buf, unsigned int n)
{
	return e->ops->read(e->ctx, linear, buf, n);
}

int emul_write(struct emul *e, u64 linear, const void *buf, unsigned int n)
{
	return e->ops->write(e->ctx, linear, buf, n);
}

int emul_probe(struct emul *e, u64 linear, unsigned int n)
{
	return e->ops->probe_write ? e->ops->probe_write(e->ctx, linear, n) : 0;
}

/* old: what was read, for a locked store. */
int emul_store(struct emul *e, u64 linear, const void *old, const void *val,
	       unsigned int n, bool locked)
{
	if (locked && e->ops->cmpxchg)
		return e->ops->cmpxchg(e->ctx, linear, old, val, n);
	return emul_write(e, linear, val, n);
}
