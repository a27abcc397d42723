/* SPDX-License-Identifier: MIT */
#include "core/vm/task.h"

#include "core/lib/string.h"
#include "core/vm/desc.h"
#include "core/x86/regs.h"

/* APM2 12.2.4, SDM3 8.2.1: 32-bit TSS. */
struct tss32 {
	u16 link, pad0;
	u32 stacks[6];
	u32 cr3, eip, eflags;
	u32 gpr[8];
	struct { u16 sel, pad; } seg[6];
	u16 ldt, pad1;
	u16 trap, iomap;
} __packed;
HW_FIELD(struct tss32, cr3, 0x1c);
HW_FIELD(struct tss32, eip, 0x20);
HW_FIELD(struct tss32, gpr, 0x28);
HW_FIELD(struct tss32, seg, 0x48);
HW_FIELD(struct tss32, ldt, 0x60);
HW_FIELD(struct tss32, trap, 0x64);
HW_SIZE(struct tss32, 0x68);

/* SDM3 8.6: 16-bit TSS. */
struct tss16 {
	u16 link, stacks[6];
	u16 ip, flags;
	u16 gpr[8];
	u16 seg[4];
	u16 ldt;
} __packed;
HW_FIELD(struct tss16, ip, 14);
HW_FIELD(struct tss16, gpr, 18);
HW_FIELD(struct tss16, seg, 34);
HW_SIZE(struct tss16, 44);

#define TSS32_SAVED	offsetof(struct tss32, eip)	/* saved: from here ... */
#define TSS32_SAVED_END	offsetof(struct tss32, ldt)
#define TSS16_SAVED	offsetof(struct tss16, ip)
#define TSS16_SAVED_END	offsetof(struct tss16, ldt)

/* SDM1 3.4.3: bits 1 and above 21 are fixed. */
#define EFLAGS_VALID	BITS(21, 0)
#define EFLAGS_ZERO	(BIT(3) | BIT(5) | BIT(15))
#define DR7_LOCAL	0x155ULL	/* L0-L3 and LE: SDM3 18.2.4 */

struct switcher {
	struct task_state *s;
	const struct task_request *req;
	const struct task_ops *ops;
	void *ctx;
	struct event *out;
	struct vsegment tss;	/* the new one */
	u8 cpl;			/* of the new task */
};

static bool is_32(const struct vsegment *tss)
{
	return tss->attr & TYPE_TSS32;
}

static int fault(const struct switcher *t, u8 vector, u16 selector)
{
	/* SDM3 6.13: bit 0 of the error code is EXT. */
	*t->out = event_exception_err(vector, (selector & 0xfffcu) | t->req->external);
	return -EFAULT;
}

static int read(const struct switcher *t, u32 linear, void *buf, unsigned int n)
{
	return t->ops->read(t->ctx, linear, buf, n, t->out);
}

static int write(const struct switcher *t, u32 linear, const void *buf, unsigned int n)
{
	return t->ops->write(t->ctx, linear, buf, n, false, t->out);
}

static int read_gdt(const struct switcher *t, u16 selector, struct vsegment *seg)
{
	u8 raw[8];
	int err = read(t, t->s->gdt_base + (selector & ~7u), raw, sizeof(raw));

	desc_parse(raw, seg);
	seg->selector = selector;
	return err;
}

/* SDM3 table 8-1, first rows; vectors of IRET differ. */
static int check_new_tss(struct switcher *t)
{
	bool iret = t->req->source == TASK_IRET;
	u8 vector = iret ? VEC_TS : VEC_GP;
	u16 sel = t->req->selector;
	int err;

	if (SEL_NULL(sel) || sel & SEL_TI || (sel | 7u) > t->s->gdt_limit)
		return fault(t, vector, sel);
	err = read_gdt(t, sel, &t->tss);
	if (err)
		return err;
	/* Available (1, 9) for all but IRET, which goes back to a busy one. */
	if (t->tss.attr & SEG_S ||
	    (TYPE(t->tss.attr) & ~TYPE_TSS32) != (iret ? 1 | TYPE_BUSY : 1))
		return fault(t, vector, sel);
	if (!(t->tss.attr & SEG_P))
		return fault(t, VEC_NP, sel);
	if (t->tss.limit < (is_32(&t->tss) ? sizeof(struct tss32) : sizeof(struct tss16)) - 1)
		return fault(t, VEC_TS, sel);
	return 0;
}

static int probe_busy(const struct switcher *t, u16 selector)
{
	return t->ops->probe_write(t->ctx, t->s->gdt_base + (selector & ~7u) + 5, 1, t->out);
}

/* SDM3 8.3 step 5: all that is written must be there before anything is. */
static int check_memory(const struct switcher *t)
{
	const struct vsegment *old = &t->s->tr;
	u32 first = is_32(old) ? TSS32_SAVED : TSS16_SAVED;
	u32 end = is_32(old) ? TSS32_SAVED_END : TSS16_SAVED_END;
	u8 source = t->req->source;
	u8 raw[sizeof(struct tss32)];
	int err;

	if (old->limit < end - 1)
		return fault(t, VEC_TS, old->selector);
	err = t->ops->probe_write(t->ctx, (u32)old->base + first, end - first, t->out);
	if (!err)
		err = read(t, (u32)t->tss.base, raw,
			   is_32(&t->tss) ? sizeof(struct tss32) : sizeof(struct tss16));
	if (!err && (source == TASK_CALL || source == TASK_GATE))
		err = t->ops->probe_write(t->ctx, (u32)t->tss.base, 2, t->out);
	if (!err && (source == TASK_JMP || source == TASK_IRET))
		err = probe_busy(t, old->selector);
	if (!err && source != TASK_IRET)
		err = probe_busy(t, t->req->selector);
	return err;
}

/* Sets or clears the busy bit of a TSS descriptor in memory. */
static int mark_busy(const struct switcher *t, u16 selector, bool busy)
{
	u32 at = t->s->gdt_base + (selector & ~7u) + 5;
	u8 type;
	int err = read(t, at, &type, 1);

	if (err)
		return err;
	type = (u8)(busy ? type | TYPE_BUSY : type & ~TYPE_BUSY);
	return write(t, at, &type, 1);
}

static int save32(const struct switcher *t, u32 eflags)
{
	const struct task_state *s = t->s;
	u32 at = (u32)s->tr.base + TSS32_SAVED;
	struct tss32 tss;
	/* What lies between the selectors stays. */
	int err = read(t, at, (u8 *)&tss + TSS32_SAVED, TSS32_SAVED_END - TSS32_SAVED);

	if (err)
		return err;
	tss.eip = s->eip;
	tss.eflags = eflags;
	memcpy(tss.gpr, s->gpr, sizeof(tss.gpr));
	for (unsigned int i = 0; i < 6; i++)
		tss.seg[i].sel = s->seg[i].selector;
	return write(t, at, (u8 *)&tss + TSS32_SAVED, TSS32_SAVED_END - TSS32_SAVED);
}

static int save16(const struct switcher *t, u32 eflags)
{
	const struct task_state *s = t->s;
	struct tss16 tss;

	tss.ip = (u16)s->eip;
	tss.flags = (u16)eflags;
	for (unsigned int i = 0; i < 8; i++)
		tss.gpr[i] = (u16)s->gpr[i];
	for (unsigned int i = 0; i < 4; i++)
		tss.seg[i] = s->seg[i].selector;
	return write(t, (u32)s->tr.base + TSS16_SAVED, (u8 *)&tss + TSS16_SAVED,
		     TSS16_SAVED_END - TSS16_SAVED);
}

/* SDM3 8.3 steps 6-8, figure 8-8: the old task's TSS and descriptor. */
static int leave_old(const struct switcher *t)
{
	u8 source = t->req->source;
	u16 link = t->s->tr.selector;
	u32 eflags = t->s->eflags;
	int err = 0;

	if (source == TASK_JMP || source == TASK_IRET)
		err = mark_busy(t, link, false);
	if (source == TASK_IRET)
		eflags &= ~(u32)RFLAGS_NT;
	if (!err)
		err = is_32(&t->s->tr) ? save32(t, eflags) : save16(t, eflags);
	if (!err && (source == TASK_CALL || source == TASK_GATE))
		err = write(t, (u32)t->tss.base, &link, sizeof(link));
	return err;
}

/* The new task's TSS, both sizes in the larger form. */
static int read_new(const struct switcher *t, struct tss32 *out)
{
	struct tss16 tss;
	int err;

	if (is_32(&t->tss))
		return read(t, (u32)t->tss.base, out, sizeof(*out));
	err = read(t, (u32)t->tss.base, &tss, sizeof(tss));
	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	out->eip = tss.ip;
	out->eflags = tss.flags;
	/* The upper halves are left as they were: no manual says. */
	for (unsigned int i = 0; i < 8; i++)
		out->gpr[i] = (t->s->gpr[i] & 0xffff0000) | tss.gpr[i];
	for (unsigned int i = 0; i < 4; i++)
		out->seg[i].sel = tss.seg[i];
	out->ldt = tss.ldt;
	return 0;
}

/* A segment register whose descriptor was not (yet) accepted. */
static void drop_cache(struct vsegment *seg, u16 selector, u8 cpl)
{
	*seg = (struct vsegment){ .selector = selector, .unusable = true,
				  .attr = (u16)SEG_DPL(cpl) };
}

/*
 * Selectors first, so that a fault in what follows finds them in place.  CS
 * keeps a usable cache: what a processor runs the handler's entry with when
 * CS itself is refused is not defined.
 */
static void load_registers(struct switcher *t, const struct tss32 *new)
{
	struct task_state *s = t->s;
	u32 eflags = (u32)((new->eflags & EFLAGS_VALID & ~EFLAGS_ZERO) | RFLAGS_FIXED);
	u8 source = t->req->source;

	if (source == TASK_CALL || source == TASK_GATE)
		eflags |= (u32)RFLAGS_NT;
	t->cpl = eflags & RFLAGS_VM ? 3 : new->seg[VSEG_CS].sel & 3;
	s->tr = t->tss;
	s->tr.attr |= TYPE_BUSY;
	s->cr0 |= (u32)CR0_TS;
	s->dr7 &= ~(u32)DR7_LOCAL;
	s->eip = new->eip;
	s->eflags = eflags;
	memcpy(s->gpr, new->gpr, sizeof(s->gpr));
	for (unsigned int i = 0; i < 6; i++) {
		if (i == VSEG_CS) {
			s->seg[i].selector = new->seg[i].sel;
			s->seg[i].attr = (u16)((s->seg[i].attr & ~(SEG_DPL(3) | 0xfu)) |
					       SEG_P | SEG_S | SEG_DPL(t->cpl) | 0xb);
		} else {
			drop_cache(&s->seg[i], new->seg[i].sel, t->cpl);
		}
	}
	drop_cache(&s->ldtr, new->ldt, 0);
}

static int load_ldtr(const struct switcher *t)
{
	u16 sel = t->s->ldtr.selector;
	struct vsegment seg;
	int err;

	if (sel & SEL_TI)
		return fault(t, VEC_TS, sel);
	if (SEL_NULL(sel))
		return 0;
	if ((sel | 7u) > t->s->gdt_limit)
		return fault(t, VEC_TS, sel);
	err = read_gdt(t, sel, &seg);
	if (err)
		return err;
	if ((seg.attr & (SEG_P | SEG_S | 0xf)) != (SEG_P | TYPE_LDT))
		return fault(t, VEC_TS, sel);
	t->s->ldtr = seg;
	return 0;
}

/* SDM3 table 8-1: is this descriptor one for CS, SS or a data segment? */
static int check_cs(const struct switcher *t, const struct vsegment *seg)
{
	u8 dpl = ATTR_DPL(seg->attr), rpl = seg->selector & 3;
	bool conforming = seg->attr & TYPE_CONFORMING;

	if ((seg->attr & (SEG_S | TYPE_CODE)) != (SEG_S | TYPE_CODE))
		return fault(t, VEC_TS, seg->selector);
	if (conforming ? dpl > rpl : dpl != rpl)
		return fault(t, VEC_TS, seg->selector);
	return seg->attr & SEG_P ? 0 : fault(t, VEC_NP, seg->selector);
}

static int check_ss(const struct switcher *t, const struct vsegment *seg)
{
	if ((seg->attr & (SEG_S | TYPE_CODE | TYPE_RW)) != (SEG_S | TYPE_RW))
		return fault(t, VEC_TS, seg->selector);
	if (!(seg->attr & SEG_P))
		return fault(t, VEC_SS, seg->selector);
	if (ATTR_DPL(seg->attr) != t->cpl || (seg->selector & 3) != t->cpl)
		return fault(t, VEC_TS, seg->selector);
	return 0;
}

static int check_data(const struct switcher *t, const struct vsegment *seg)
{
	u8 dpl = ATTR_DPL(seg->attr), rpl = seg->selector & 3;
	bool code = seg->attr & TYPE_CODE;

	if (!(seg->attr & SEG_S) || (code && !(seg->attr & TYPE_RW)))
		return fault(t, VEC_TS, seg->selector);
	if (!(code && seg->attr & TYPE_CONFORMING) && (dpl < t->cpl || dpl < rpl))
		return fault(t, VEC_TS, seg->selector);
	return seg->attr & SEG_P ? 0 : fault(t, VEC_NP, seg->selector);
}

/* Fetches and checks one descriptor, and marks it accessed. */
static int load_segment(const struct switcher *t, enum vseg which)
{
	u16 sel = t->s->seg[which].selector;
	const struct vsegment *ldt = &t->s->ldtr;
	bool local = sel & SEL_TI;
	u32 base = local ? (u32)ldt->base : t->s->gdt_base;
	u32 limit = local ? ldt->limit : t->s->gdt_limit;
	struct vsegment seg;
	u8 raw[8];
	int err;

	if (SEL_NULL(sel))
		return which == VSEG_CS || which == VSEG_SS ? fault(t, VEC_TS, sel) : 0;
	if ((local && ldt->unusable) || (sel | 7u) > limit)
		return fault(t, VEC_TS, sel);
	err = read(t, base + (sel & ~7u), raw, sizeof(raw));
	if (err)
		return err;
	desc_parse(raw, &seg);
	seg.selector = sel;
	if (which == VSEG_CS)
		err = check_cs(t, &seg);
	else if (which == VSEG_SS)
		err = check_ss(t, &seg);
	else
		err = check_data(t, &seg);
	if (!err && !(seg.attr & TYPE_ACCESSED)) {
		raw[5] |= TYPE_ACCESSED;
		seg.attr |= TYPE_ACCESSED;
		err = write(t, base + (sel & ~7u) + 5, &raw[5], 1);
	}
	if (!err)
		t->s->seg[which] = seg;
	return err;
}

static int load_segments(const struct switcher *t)
{
	static const u8 order[] = { VSEG_CS, VSEG_SS, VSEG_ES, VSEG_DS, VSEG_FS, VSEG_GS };
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(order) && !err; i++)
		err = load_segment(t, order[i]);
	return err;
}

/* APM2 10.4.2, SDM3 21.1.2: segments of virtual-8086 mode. */
static void load_v86_segments(struct task_state *s)
{
	for (unsigned int i = 0; i < 6; i++)
		s->seg[i] = (struct vsegment){
			.selector = s->seg[i].selector, .limit = 0xffff,
			.attr = SEG_P | SEG_S | SEG_DPL(3) | TYPE_RW | TYPE_ACCESSED,
			.base = (u32)s->seg[i].selector << 4,
		};
}

/* SDM3 8.3: the error code goes on the new stack, as wide as the TSS. */
static int push_error(const struct switcher *t)
{
	struct task_state *s = t->s;
	const struct vsegment *ss = &s->seg[VSEG_SS];
	unsigned int n = is_32(&s->tr) ? 4 : 2;
	u32 mask = ss->attr & SEG_D ? ~0u : 0xffff;
	u32 off = (s->gpr[VREG_RSP] - n) & mask;
	u32 last = off + n - 1;
	bool inside = last >= off && last <= ss->limit;
	int err;

	/* APM2 4.7.3: of an expand-down segment what is above the limit. */
	if (ss->attr & TYPE_EXPAND_DOWN && !(s->eflags & RFLAGS_VM))
		inside = last >= off && off > ss->limit && last <= mask;
	if (!inside)
		return fault(t, VEC_SS, 0);
	err = t->ops->write(t->ctx, (u32)ss->base + off, &t->req->error, n, t->cpl == 3, t->out);
	if (!err)
		s->gpr[VREG_RSP] = (s->gpr[VREG_RSP] & ~mask) | off;
	return err;
}

/* Step 13: everything here belongs to the new task, its faults too. */
static int enter_new(struct switcher *t, const struct tss32 *new)
{
	struct task_state *s = t->s;
	int err;

	load_registers(t, new);
	if (is_32(&s->tr) && s->cr0 & CR0_PG && t->ops->load_cr3(t->ctx, new->cr3))
		return fault(t, VEC_GP, 0);
	err = load_ldtr(t);
	if (err)
		return err;
	if (s->eflags & RFLAGS_VM)
		load_v86_segments(s);
	else
		err = load_segments(t);
	if (!err && t->req->has_error)
		err = push_error(t);
	if (!err && s->eip > s->seg[VSEG_CS].limit)
		err = fault(t, VEC_GP, 0);
	if (!err && is_32(&s->tr) && new->trap & 1) {
		/* APM2 13.1.1.3, SDM3 18.3.1.5: a trap, before the first instruction. */
		*t->out = event_exception(VEC_DB);
		t->out->payload = DR6_BT;
	}
	return err;
}

int task_switch(struct task_state *s, const struct task_request *req,
		const struct task_ops *ops, void *ctx, struct event *out, bool *switched)
{
	struct switcher t = { .s = s, .req = req, .ops = ops, .ctx = ctx, .out = out };
	struct tss32 new;
	int err;

	*out = (struct event){ .type = EVENT_NONE };
	*switched = false;
	err = check_new_tss(&t);
	if (!err)
		err = check_memory(&t);
	if (!err)
		err = leave_old(&t);
	if (!err)
		err = read_new(&t, &new);
	if (!err && req->source != TASK_IRET)
		err = mark_busy(&t, req->selector, true);
	if (err)
		return err;
	*switched = true;
	return enter_new(&t, &new);
}
