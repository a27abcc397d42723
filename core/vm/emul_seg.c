// SPDX-License-Identifier: MIT
/*
 * What loads segment registers, LDTR and TR from a selector in memory, and the
 * machine status word.  Gates, which a far jump could go through, are not
 * here: only code segments.
 */
#include "core/vm/desc.h"
#include "core/vm/emul_int.h"

/* A selector as error code: without RPL (APM2 8.4.1). */
static int selector_fault(struct emul *e, u8 vector, u16 sel)
{
	return emul_fault(e, vector, sel & 0xfffcu);
}

/* n bytes of sel's descriptor; *at is its address.  Outside the table: #GP. */
static int read_desc(struct emul *e, u16 sel, u8 *raw, unsigned int n, u64 *at)
{
	struct vsegment table;

	if (!e->ops->get_table)
		return -EOPNOTSUPP;
	e->ops->get_table(e->ctx, sel & SEL_TI ? VSEG_LDTR : VSEG_GDTR, &table);
	if ((sel & SEL_TI && table.unusable) || (sel & ~7u) + n - 1 > table.limit)
		return selector_fault(e, VEC_GP, sel);
	*at = table.base + (sel & ~7u);
	if (!(e->s->efer & EFER_LMA))
		*at = (u32)*at;
	return e->ops->read_desc(e->ctx, *at, raw, n);
}

/* The segment of a code or data descriptor. */
static int read_segment(struct emul *e, u16 sel, struct vsegment *seg, u64 *at)
{
	u8 raw[8];
	int err = read_desc(e, sel, raw, sizeof(raw), at);

	if (err)
		return err;
	desc_parse(raw, seg);
	seg->selector = sel;
	return 0;
}

/* Behind the last fault but that of this write (APM2 4.7.2, 4.7.3). */
static int mark_accessed(struct emul *e, struct vsegment *seg, u64 at)
{
	u8 type;

	if (seg->attr & TYPE_ACCESSED)
		return 0;
	seg->attr |= TYPE_ACCESSED;
	type = (u8)seg->attr;
	return e->ops->write_desc(e->ctx, at + 5, &type, 1);
}

static void set_segment(struct emul *e, enum vseg which, const struct vsegment *seg)
{
	e->s->seg[which] = *seg;
	e->s->loaded |= (u16)BIT(which);
}

/* APM3 MOV: SS takes writable data of exactly the current privilege. */
static int check_stack(struct emul *e, const struct vsegment *seg)
{
	u16 sel = seg->selector;

	if (SEL_RPL(sel) != e->s->cpl || ATTR_DPL(seg->attr) != e->s->cpl ||
	    (seg->attr & (SEG_S | TYPE_CODE | TYPE_RW)) != (SEG_S | TYPE_RW))
		return selector_fault(e, VEC_GP, sel);
	return seg->attr & SEG_P ? 0 : selector_fault(e, VEC_SS, sel);
}

/* DS, ES, FS, GS: what can be read, and unless conforming, by RPL and CPL. */
static int check_data(struct emul *e, const struct vsegment *seg)
{
	u8 dpl = ATTR_DPL(seg->attr);
	u16 sel = seg->selector;
	bool code = seg->attr & TYPE_CODE;

	if (!(seg->attr & SEG_S) || (code && !(seg->attr & TYPE_RW)))
		return selector_fault(e, VEC_GP, sel);
	if (!(code && seg->attr & TYPE_CONFORMING) && (dpl < SEL_RPL(sel) || dpl < e->s->cpl))
		return selector_fault(e, VEC_GP, sel);
	return seg->attr & SEG_P ? 0 : selector_fault(e, VEC_NP, sel);
}

/* Only 64-bit code below CPL 3 can have no stack segment (APM2 4.5.1). */
static int load_null(struct emul *e, enum vseg which, u16 sel)
{
	const struct vsegment null = {
		.selector = sel, .unusable = true, .attr = (u16)SEG_DPL(e->s->cpl),
	};

	if (which == VSEG_SS && (e->i->mode != INSN_MODE_64 || e->s->cpl == 3 ||
				 SEL_RPL(sel) != e->s->cpl))
		return emul_fault(e, VEC_GP, 0);
	set_segment(e, which, &null);
	return 0;
}

static int load_protected(struct emul *e, enum vseg which, u16 sel)
{
	struct vsegment seg;
	u64 at;
	int err;

	if (SEL_NULL(sel))
		return load_null(e, which, sel);
	err = read_segment(e, sel, &seg, &at);
	if (!err)
		err = which == VSEG_SS ? check_stack(e, &seg) : check_data(e, &seg);
	if (!err)
		err = mark_accessed(e, &seg, at);
	if (!err)
		set_segment(e, which, &seg);
	return err;
}

/* Real and virtual-8086 mode: the base alone changes (APM2 4.12.1). */
static void load_real(struct emul *e, enum vseg which, u16 sel)
{
	struct vsegment seg = e->s->seg[which];

	seg.selector = sel;
	seg.base = (u64)sel << 4;
	set_segment(e, which, &seg);
}

/* 8C: a store is 16 bits whatever the operand size. */
int op_mov_from_sreg(struct emul *e)
{
	u64 sel = e->s->seg[e->i->reg & 7].selector;
	struct operand m;
	int err;

	if (!insn_has_mem(e->i)) {
		emul_set_reg(e, e->i->rm, e->i->op_size, sel);
		return 0;
	}
	err = emul_mem_operand(e, &m, 2, 0, true);
	return err ? err : emul_write(e, m.linear, &sel, 2);
}

/* 8E: MOV SS holds back interrupts until the next instruction is done. */
int op_mov_to_sreg(struct emul *e)
{
	enum vseg which = e->i->reg & 7;
	int err = 0;

	if (emul_protected(e))
		err = load_protected(e, which, (u16)e->src.val);
	else
		load_real(e, which, (u16)e->src.val);
	if (!err)
		e->s->shadow = which == VSEG_SS;
	return err;
}

/* APM3 JMP far: a code segment of this privilege, or conforming. */
static int check_code(struct emul *e, const struct vsegment *seg)
{
	u8 dpl = ATTR_DPL(seg->attr), cpl = e->s->cpl;
	u16 sel = seg->selector;

	if (!(seg->attr & SEG_S))
		return -EOPNOTSUPP;
	if (!(seg->attr & TYPE_CODE) ||
	    (seg->attr & TYPE_CONFORMING ? dpl > cpl : dpl != cpl || SEL_RPL(sel) > cpl))
		return selector_fault(e, VEC_GP, sel);
	/* APM2 4.8.1: L and D together are reserved. */
	if (e->s->efer & EFER_LMA && seg->attr & SEG_L && seg->attr & SEG_D)
		return selector_fault(e, VEC_GP, sel);
	return seg->attr & SEG_P ? 0 : selector_fault(e, VEC_NP, sel);
}

/* As the new segment sees the target. */
static int check_target(struct emul *e, const struct vsegment *seg, u64 target)
{
	unsigned int unused = e->s->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;
	bool ok = target <= seg->limit;

	if (e->s->efer & EFER_LMA && seg->attr & SEG_L)
		ok = (u64)((s64)(target << unused) >> unused) == target;
	return ok ? 0 : emul_fault(e, VEC_GP, 0);
}

static int jump_protected(struct emul *e, u16 sel, u64 target)
{
	struct vsegment seg;
	u64 at;
	int err;

	if (SEL_NULL(sel))
		return emul_fault(e, VEC_GP, 0);
	err = read_segment(e, sel, &seg, &at);
	if (!err)
		err = check_code(e, &seg);
	if (!err)
		err = check_target(e, &seg, target);
	if (!err)
		err = mark_accessed(e, &seg, at);
	if (err)
		return err;
	seg.selector = (u16)((sel & ~3) | e->s->cpl);
	set_segment(e, VSEG_CS, &seg);
	return 0;
}

/*
 * FF /5: offset, then selector.  With REX.W the offset has 64 bits, as on
 * Intel; APM3 does not list that form.
 */
int op_jmp_far(struct emul *e)
{
	unsigned int size = e->i->op_size;
	struct operand m;
	u64 target = 0;
	u16 sel = 0;
	int err;

	err = emul_mem_operand(e, &m, size + 2, 0, false);
	if (!err)
		err = emul_read(e, m.linear, &target, size);
	if (!err)
		err = emul_read(e, m.linear + size, &sel, 2);
	if (err)
		return err;
	if (emul_protected(e)) {
		err = jump_protected(e, sel, target);
	} else {
		err = check_target(e, &e->s->seg[VSEG_CS], target);
		if (!err)
			load_real(e, VSEG_CS, sel);
	}
	if (!err)
		e->next_rip = target;
	return err;
}

/* LDTR and TR: system descriptors, of 16 bytes in long mode (APM2 4.8.3). */
static int read_system(struct emul *e, u16 sel, struct vsegment *seg, u64 *at)
{
	bool lma = e->s->efer & EFER_LMA;
	u8 raw[16] = { 0 };
	u32 high;
	int err;

	if (sel & SEL_TI)
		return selector_fault(e, VEC_GP, sel);
	err = read_desc(e, sel, raw, lma ? 16 : 8, at);
	if (err)
		return err;
	desc_parse(raw, seg);
	seg->selector = sel;
	memcpy(&high, raw + 8, 4);
	seg->base |= (u64)high << 32;
	/* The type of the upper half must be 0. */
	return seg->attr & SEG_S || raw[13] & 0x1f ? selector_fault(e, VEC_GP, sel) : 0;
}

int op_lldt(struct emul *e)
{
	struct vsegment seg = { .selector = (u16)e->dst.val, .unusable = true };
	u64 at;
	int err = 0;

	if (!SEL_NULL(seg.selector)) {
		err = read_system(e, seg.selector, &seg, &at);
		if (!err && TYPE(seg.attr) != TYPE_LDT)
			err = selector_fault(e, VEC_GP, seg.selector);
		if (!err && !(seg.attr & SEG_P))
			err = selector_fault(e, VEC_NP, seg.selector);
	}
	if (!err)
		set_segment(e, VSEG_LDTR, &seg);
	return err;
}

/* An available TSS; long mode knows that of 64 bits only (APM2 4.8.3). */
static bool tss_available(const struct emul *e, const struct vsegment *tss)
{
	return TYPE(tss->attr) == (TYPE_TSS32 | 1) ||
	       (TYPE(tss->attr) == 1 && !(e->s->efer & EFER_LMA));
}

int op_ltr(struct emul *e)
{
	struct vsegment seg;
	u16 sel = (u16)e->dst.val;
	u8 type;
	u64 at;
	int err;

	if (SEL_NULL(sel))
		return emul_fault(e, VEC_GP, 0);
	err = read_system(e, sel, &seg, &at);
	if (!err && !tss_available(e, &seg))
		err = selector_fault(e, VEC_GP, sel);
	if (!err && !(seg.attr & SEG_P))
		err = selector_fault(e, VEC_NP, sel);
	if (err)
		return err;
	seg.attr |= TYPE_BUSY;
	type = (u8)seg.attr;
	err = e->ops->write_desc(e->ctx, at + 5, &type, 1);
	if (!err)
		set_segment(e, VSEG_TR, &seg);
	return err;
}

static int store_selector(struct emul *e, enum vseg which)
{
	struct vsegment seg;

	if (!e->ops->get_table)
		return -EOPNOTSUPP;
	e->ops->get_table(e->ctx, which, &seg);
	e->dst.val = seg.selector;
	return 0;
}

int op_sldt(struct emul *e)
{
	return store_selector(e, VSEG_LDTR);
}

int op_str(struct emul *e)
{
	return store_selector(e, VSEG_TR);
}

/* 0F 01 /4 to memory: 16 bits (APM3 SMSW). */
int op_smsw(struct emul *e)
{
	e->dst.val = e->s->cr0 & 0xffff;
	return 0;
}

/* APM3 LMSW: bits 3:0, of which PE can be set but not cleared. */
int op_lmsw(struct emul *e)
{
	e->s->cr0 = (e->s->cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (e->dst.val & 0xf);
	return 0;
}
