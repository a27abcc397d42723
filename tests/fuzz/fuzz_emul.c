// SPDX-License-Identifier: MIT
/*
 * Any instruction on any state.  The input gives mode, control registers,
 * segments, registers and the bytes; each memory access takes its data and
 * whether it faults from the rest.  Checked besides what the sanitizers see:
 * the result is one that emul.h names, a fault leaves RIP, and unless it is a
 * string instruction all registers and flags, as they were, and what is said to
 * have one operand touches no other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/vm/emul.h"
#include "core/x86/regs.h"

struct input {
	const uint8_t *p, *end;
	struct event *fault;
	unsigned int accesses;
	bool one_operand;
	u64 first;		/* address of the first access */
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void take(struct input *in, void *buf, size_t n)
{
	size_t have = MIN(n, (size_t)(in->end - in->p));

	memset(buf, 0, n);
	memcpy(buf, in->p, have);
	in->p += have;
}

static u8 take_u8(struct input *in)
{
	u8 v;

	take(in, &v, 1);
	return v;
}

/* One access: may fault, may fail, as the input wants. */
static int outcome(struct input *in, u64 linear, unsigned int n)
{
	u8 v;

	check(n >= 1 && n <= 64);
	if (!in->accesses++)
		in->first = linear;
	check(!in->one_operand || linear == in->first);
	v = take_u8(in);
	if (v == 0xfe) {
		*in->fault = event_exception_err(VEC_PF, 0);
		in->fault->payload = linear;
		return -EFAULT;
	}
	return v == 0xff ? -EIO : 0;
}

static int fuzz_read(void *ctx, u64 linear, void *buf, unsigned int n)
{
	int err = outcome(ctx, linear, n);

	if (!err)
		take(ctx, buf, n);
	return err;
}

static volatile u8 sink;

static int fuzz_write(void *ctx, u64 linear, const void *buf, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++)
		sink ^= ((const u8 *)buf)[k];
	return outcome(ctx, linear, n);
}

static int fuzz_probe(void *ctx, u64 linear, unsigned int n)
{
	return outcome(ctx, linear, n);
}

static int fuzz_cmpxchg(void *ctx, u64 linear, const void *expected, const void *desired,
			unsigned int n)
{
	int err = fuzz_write(ctx, linear, desired, n);

	check(n <= 16);
	for (unsigned int k = 0; k < n; k++)
		sink ^= ((const u8 *)expected)[k];
	return err ? err : take_u8(ctx) & 1;
}

static int fuzz_vec_get(void *ctx, unsigned int reg, void *buf, unsigned int n)
{
	check(reg < 16 || (reg >= EMUL_VEC_MMX && reg < EMUL_VEC_MMX + 8));
	check(n == 8 || n == 16 || n == 32);
	take(ctx, buf, n);
	return 0;
}

static int fuzz_vec_set(void *ctx, unsigned int reg, const void *buf, unsigned int n,
			bool clear_upper)
{
	check(reg < 16 || (reg >= EMUL_VEC_MMX && reg < EMUL_VEC_MMX + 8));
	for (unsigned int k = 0; k < n; k++)
		sink ^= ((const u8 *)buf)[k];
	return 0;
}

static void take_segment(struct input *in, struct vsegment *seg)
{
	seg->attr = take_u8(in) | (take_u8(in) & 0xf) << 8;
	take(in, &seg->limit, 4);
	take(in, &seg->base, 4);
	seg->unusable = !(seg->attr & SEG_P);
}

static void fuzz_get_table(void *ctx, enum vseg which, struct vsegment *out)
{
	check(which == VSEG_GDTR || which == VSEG_LDTR || which == VSEG_TR);
	out->selector = which;
	take_segment(ctx, out);
}

static const struct emul_ops full_ops = {
	.read = fuzz_read, .write = fuzz_write, .probe_write = fuzz_probe,
	.cmpxchg = fuzz_cmpxchg, .vec_get = fuzz_vec_get, .vec_set = fuzz_vec_set,
	.get_table = fuzz_get_table, .read_desc = fuzz_read, .write_desc = fuzz_write,
};
static const struct emul_ops least_ops = { .read = fuzz_read, .write = fuzz_write };

static void make_state(struct input *in, struct emul_state *s)
{
	take(in, s->gpr, sizeof(s->gpr));
	take(in, &s->rip, sizeof(s->rip));
	take(in, &s->rflags, 4);
	s->cr0 = take_u8(in) & 0xf;
	s->cr0 |= s->rip & 1 ? CR0_AM : 0;
	s->cr4 = (take_u8(in) & 7) * CR4_OSFXSR;
	s->efer = s->cr4 & CR4_UMIP ? EFER_LMA : 0;
	s->cpl = take_u8(in) & 3;
	s->cpu = take_u8(in) & 3;
	for (unsigned int k = 0; k < 6; k++) {
		s->seg[k].selector = k * 8;
		take_segment(in, &s->seg[k]);
	}
}

static bool same_registers(const struct emul_state *a, const struct emul_state *b)
{
	return !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && a->rflags == b->rflags &&
	       a->cr0 == b->cr0 && !b->loaded;
}

/* What is loaded a processor can hold: usable means present. */
static void check_loaded(const struct emul_state *s)
{
	check(!(s->loaded >> (VSEG_TR + 1)));
	for (unsigned int k = 0; k <= VSEG_TR; k++)
		if (s->loaded & BIT(k) && s->cr0 & CR0_PE && !(s->rflags & RFLAGS_VM))
			check(s->seg[k].unusable || s->seg[k].attr & SEG_P);
}

static void check_result(const struct insn *i, const struct emul_state *before,
			 const struct emul_state *s, const struct event *fault, int err)
{
	check(err == 0 || err == 1 || err == -EFAULT || err == -EOPNOTSUPP || err == -EIO);
	if (err)
		check(s->rip == before->rip);
	if (err && !insn_is_string(i))
		check(same_registers(before, s));
	check((err == -EFAULT) == (fault->type != EVENT_NONE));
	if (err == -EOPNOTSUPP)
		check(same_registers(before, s));
	if (!emul_supported(i))
		check(err == -EOPNOTSUPP);
	check_loaded(s);
	if (i->mode != INSN_MODE_64 && !err)
		check(s->rip <= 0xffffffff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event fault;
	struct input in = { .p = data, .end = data + size, .fault = &fault };
	struct emul_state s = { 0 }, before;
	struct insn i;
	u8 control, code[INSN_MAX_LEN];
	u64 linear;
	int err;

	control = take_u8(&in);
	take(&in, code, sizeof(code));
	if (insn_decode(&i, code, sizeof(code), control % 3))
		return 0;
	make_state(&in, &s);
	before = s;
	in.one_operand = emul_one_operand(&i);
	err = emul_insn(&s, &i, control & 0x80 ? &least_ops : &full_ops, &in, &fault);
	check_result(&i, &before, &s, &fault, err);
	if (insn_is(&i, INSN_MAP_1, 0x6c) || insn_is(&i, INSN_MAP_1, 0x6f)) {
		err = emul_io_linear(&s, &i, &linear, &fault);
		check(err == 0 || err == -EFAULT);
		emul_io_step(&s, &i);
	}
	return 0;
}
