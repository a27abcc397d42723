// SPDX-License-Identifier: MIT
/*
 * Any operations on three local APICs that send to each other.  Between them
 * each APIC must be in a state that vlapic_state_check allows, and one that is
 * saved and restored must show the same.
 */
#include <stdlib.h>
#include <string.h>

#include "core/dev/vlapic.h"

#define APICS	3
/* Each operation is this many bytes: which, APIC, two parameters, value. */
#define OP_SIZE	12

#define MUST(cond) \
	do { \
		if (!(cond)) \
			abort(); \
	} while (0)

struct op {
	u8 code, apic;
	u16 where;
	u64 val;
};

struct machine {
	struct vlapic_env env;
	struct vlapic apic[APICS];
	struct vlapic *all[APICS];
	u64 now, tsc;
};

static u64 now(void *ctx)
{
	return ((struct machine *)ctx)->now;
}

static u64 tsc(void *ctx, u32 id)
{
	return ((struct machine *)ctx)->tsc;
}

static void send(void *ctx, struct vlapic *from, const struct apic_msg *m)
{
	struct machine *mc = ctx;

	MUST(m->mode != APIC_MODE_3 && m->mode != APIC_EXTINT && m->shorthand < 4 && !m->level);
	MUST(!(apic_route(mc->all, APICS, from, m) >> APICS));
}

static void eoi(void *ctx, u8 vector)
{
	MUST(vector >= 16);
}

static void rearm(void *ctx, u32 id)
{
}

static bool bit_of(const u32 *w, u32 vector)
{
	return w[vector / 32] >> vector % 32 & 1;
}

/* A register of the page as it is, whatever the mode. */
static u64 show(struct vlapic *a, u32 n)
{
	u64 val = 0;

	if (vlapic_mmio_on(a))
		return vlapic_mmio_read(a, n * 16, 4);
	return vlapic_msr_read(a, 0x800 + n, &val) ? val : ~0ULL;
}

static void check_priorities(const struct vlapic *a)
{
	int v = vlapic_pending(a);
	u32 masked = vlapic_masked_class(a);

	MUST(masked < 16 && (!masked || v < 0));
	if (v >= 0)
		MUST(v >= 16 && v <= 255 && bit_of(a->s.irr, (u32)v) && v >> 4 > vlapic_cr8(a));
}

static void check(const struct vlapic *a)
{
	struct vlapic copy = *a;

	check_priorities(a);
	/* A copy: what was posted stays posted for the operations to come. */
	vlapic_save(&copy);
	MUST(!vlapic_state_check(&copy.s));
	MUST(vlapic_posted(a) || !memcmp(&copy.s, &a->s, sizeof(a->s)));
}

/* Save, destroy, restore: every register, event and signal as before. */
static void migrate(struct machine *mc, struct vlapic *a)
{
	struct vlapic old;

	vlapic_save(a);
	MUST(!vlapic_state_check(&a->s));
	old = *a;
	vlapic_init(a, 0, false, &mc->env);
	a->s = old.s;
	MUST(vlapic_posted(a) == vlapic_posted(&old));
	MUST(vlapic_next(a) == vlapic_next(&old) && vlapic_next_tsc(a) == vlapic_next_tsc(&old));
	MUST(vlapic_pending(a) == vlapic_pending(&old));
	MUST(vlapic_masked_class(a) == vlapic_masked_class(&old));
	MUST(vlapic_extint(a) == vlapic_extint(&old));
	for (u32 n = 0; n < 0x40; n++)
		MUST(show(a, n) == show(&old, n));
	MUST(vlapic_pull(a) == vlapic_pull(&old));
	MUST(!vlapic_posted(a));
	MUST(!memcmp(&a->s, &old.s, sizeof(old.s)));
}

/* A state from outside: one word is another. */
static void restore(struct vlapic *a, const struct op *op)
{
	struct vlapic_state s;
	u32 word = op->where % (sizeof(s) / 4);

	vlapic_save(a);
	s = a->s;
	memcpy((u8 *)&s + 4 * word, &op->val, op->where & 0x8000 && word % 2 == 0 ? 8 : 4);
	if (!vlapic_state_check(&s))
		a->s = s;
}

static void accept(struct vlapic *a, const struct op *op)
{
	struct apic_msg m = {
		.dest = (u32)(op->val >> 32), .mode = op->where & 7, .vector = (u8)op->val,
		.shorthand = op->where >> 3 & 3, .logical = op->where >> 5 & 1,
		.level = op->where >> 6 & 1, .deassert = op->where >> 7 & 1,
		.wide = op->where >> 8 & 1,
	};
	bool fixed = m.mode <= APIC_LOWEST && m.vector >= 16;

	MUST(!vlapic_match(a, &m) || a->s.base & 0x800);
	if (!vlapic_accept(a, &m))
		return;
	MUST(vlapic_posted(a));
	if (!fixed)
		return;
	vlapic_save(a);
	MUST(bit_of(a->s.irr, m.vector));
	MUST(!m.level || bit_of(a->s.tmr, m.vector));
}

static void take(struct vlapic *a)
{
	int v;

	vlapic_pull(a);
	v = vlapic_pending(a);
	if (v < 0)
		return;
	vlapic_ack(a, (u8)v);
	MUST(bit_of(a->s.isr, (u32)v) && !bit_of(a->s.irr, (u32)v));
	MUST(vlapic_pending(a) < v);
}

static void page(struct vlapic *a, const struct op *op)
{
	static const u8 sizes[4] = { 1, 2, 4, 8 };
	u32 off = op->where & 0xfff;
	u8 size = sizes[op->where >> 12 & 3];

	if (op->where & 0x8000)
		vlapic_mmio_write(a, op->where & 0x4000 ? off : off & 0x3f0, 4, op->val);
	else
		MUST(size == 8 || !(vlapic_mmio_read(a, off, size) >> 8 * size));
}

static void msr(struct vlapic *a, const struct op *op)
{
	u32 n = op->where & 0x100 ? 0x6e0 : 0x800 + (op->where & 0x3f);
	u64 val = 0, again = 0;

	if (op->where & 0x8000) {
		/* Small values pass more often. */
		val = op->where & 0x4000 ? op->val : op->val & 0xfff;
		if (!vlapic_msr_write(a, n, val))
			return;
		MUST(n < 0x800 || (a->s.base & 0xc00) == 0xc00);
	} else if (vlapic_msr_read(a, n, &val)) {
		MUST(vlapic_msr_read(a, n, &again) && again == val);
	}
}

static void set_base(struct vlapic *a, const struct op *op)
{
	u64 old = a->s.base, val = op->val;

	if (op->where & 1)
		val = (old & ~0xc00ULL) | (op->where & 0xc00);
	if (vlapic_set_base(a, val, 36 + op->where % 17))
		MUST(a->s.base == ((val & ~0x100ULL) | (old & 0x100)));
	else
		MUST(a->s.base == old);
}

static void wait(struct machine *mc, struct vlapic *a, const struct op *op)
{
	mc->now += op->val & 0xffff;
	mc->tsc += op->val >> 16 & 0xffff;
	if (op->where & 1 && vlapic_next(a) != DEV_NEVER)
		mc->now = MAX(mc->now, MIN(vlapic_next(a), mc->now + (1ULL << 40)));
	vlapic_tick(a, mc->now, mc->tsc);
	MUST(vlapic_next(a) > mc->now);
	MUST(vlapic_next_tsc(a) > mc->tsc);
}

static void step(struct machine *mc, const struct op *op)
{
	struct vlapic *a = &mc->apic[op->apic % APICS];

	switch (op->code % 16) {
	case 0 ... 4:
		page(a, op);
		break;
	case 5:
	case 6:
		msr(a, op);
		break;
	case 7:
		set_base(a, op);
		break;
	case 8:
		accept(a, op);
		break;
	case 9:
		take(a);
		break;
	case 10:
		wait(mc, a, op);
		break;
	case 11:
		vlapic_set_cr8(a, (u8)op->val);
		break;
	case 12:
		vlapic_lint1(a);
		break;
	case 13:
		migrate(mc, a);
		break;
	case 14:
		restore(a, op);
		break;
	default:
		if (op->where & 1)
			vlapic_reset(a);
		else
			mc->env.hidden = op->where >> 1 & 3;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine mc;

	memset(&mc, 0, sizeof(mc));
	mc.env = (struct vlapic_env){ .ctx = &mc, .now = now, .tsc = tsc, .send = send,
				      .eoi = eoi, .rearm = rearm };
	for (u32 i = 0; i < APICS; i++) {
		vlapic_init(&mc.apic[i], i, i == 0, &mc.env);
		mc.all[i] = &mc.apic[i];
	}
	for (; size >= OP_SIZE; data += OP_SIZE, size -= OP_SIZE) {
		struct op op;

		op.code = data[0];
		op.apic = data[1];
		memcpy(&op.where, data + 2, 2);
		memcpy(&op.val, data + 4, 8);
		step(&mc, &op);
		for (u32 i = 0; i < APICS; i++)
			check(&mc.apic[i]);
	}
	return 0;
}
