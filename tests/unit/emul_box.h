/* SPDX-License-Identifier: MIT */
/*
 * A tiny machine for emulator tests: 8 KiB of memory at linear BOX_BASE,
 * #PF everywhere else, vector registers, a log of accesses.
 */
#ifndef TESTS_UNIT_EMUL_BOX_H
#define TESTS_UNIT_EMUL_BOX_H

#include "tests/unit/unit.h"

#include "core/vm/emul.h"
#include "core/x86/regs.h"

#define BOX_BASE	0x10000u
#define BOX_SIZE	0x2000u

struct box {
	u8 mem[BOX_SIZE];
	u8 vec[16][32];		/* YMM */
	u8 mmx[8][8];
	struct emul_state s;
	struct insn i;
	struct event fault;
	unsigned int reads, writes, probes, swaps;
	unsigned int last_n;	/* size of the last access */
	u64 last_linear;
	bool read_only;		/* every write faults */
	bool race;		/* the next cmpxchg finds memory changed */
	u64 fault_at;		/* accesses to this address fault, if not 0 */
	struct vsegment gdtr, ldtr, tr;
	unsigned int descs;	/* descriptors read */
};

static inline int box_pf(struct box *b, u64 linear, bool write)
{
	b->fault = event_exception_err(VEC_PF, write ? PFERR_W : 0);
	b->fault.payload = linear;
	return -EFAULT;
}

static inline u8 *box_at(struct box *b, u64 linear, unsigned int n)
{
	b->last_n = n;
	b->last_linear = linear;
	if (b->fault_at && b->fault_at - linear < n)
		return NULL;
	return linear - BOX_BASE <= BOX_SIZE - n ? b->mem + (linear - BOX_BASE) : NULL;
}

static inline int box_read(void *ctx, u64 linear, void *buf, unsigned int n)
{
	struct box *b = ctx;
	u8 *p = box_at(b, linear, n);

	if (!p)
		return box_pf(b, linear, false);
	b->reads++;
	memcpy(buf, p, n);
	return 0;
}

static inline int box_write(void *ctx, u64 linear, const void *buf, unsigned int n)
{
	struct box *b = ctx;
	u8 *p = box_at(b, linear, n);

	if (!p || b->read_only)
		return box_pf(b, linear, true);
	b->writes++;
	memcpy(p, buf, n);
	return 0;
}

static inline int box_probe(void *ctx, u64 linear, unsigned int n)
{
	struct box *b = ctx;

	b->probes++;
	return box_at(b, linear, n) && !b->read_only ? 0 : box_pf(b, linear, true);
}

static inline int box_cmpxchg(void *ctx, u64 linear, const void *expected,
			      const void *desired, unsigned int n)
{
	struct box *b = ctx;
	u8 *p = box_at(b, linear, n);

	if (!p || b->read_only)
		return box_pf(b, linear, true);
	b->swaps++;
	if (b->race || memcmp(p, expected, n)) {
		b->race = false;
		return 1;
	}
	memcpy(p, desired, n);
	return 0;
}

static inline u8 *box_vec(struct box *b, unsigned int reg)
{
	return reg & EMUL_VEC_MMX ? b->mmx[reg & 7] : b->vec[reg & 15];
}

static inline int box_vec_get(void *ctx, unsigned int reg, void *buf, unsigned int n)
{
	memcpy(buf, box_vec(ctx, reg), n);
	return 0;
}

static inline int box_vec_set(void *ctx, unsigned int reg, const void *buf, unsigned int n,
			      bool clear_upper)
{
	u8 *r = box_vec(ctx, reg);

	if (clear_upper)
		memset(r, 0, 32);
	memcpy(r, buf, n);
	return 0;
}

static inline void box_get_table(void *ctx, enum vseg which, struct vsegment *out)
{
	const struct box *b = ctx;

	*out = which == VSEG_GDTR ? b->gdtr : which == VSEG_LDTR ? b->ldtr : b->tr;
}

static inline int box_read_desc(void *ctx, u64 linear, void *buf, unsigned int n)
{
	((struct box *)ctx)->descs++;
	return box_read(ctx, linear, buf, n);
}

static const struct emul_ops box_ops = {
	.read = box_read, .write = box_write, .probe_write = box_probe,
	.cmpxchg = box_cmpxchg, .vec_get = box_vec_get, .vec_set = box_vec_set,
	.get_table = box_get_table, .read_desc = box_read_desc, .write_desc = box_write,
};

/* Flat segments, protected mode with paging, CPL 0; memory counts up. */
static inline void box_init(struct box *b)
{
	memset(b, 0, sizeof(*b));
	for (unsigned int k = 0; k < BOX_SIZE; k++)
		b->mem[k] = (u8)(k ^ k >> 8);
	for (unsigned int k = 0; k < 6; k++)
		b->s.seg[k] = (struct vsegment){
			.selector = 8 * k, .limit = 0xffffffff,
			.attr = SEG_P | SEG_S | SEG_D | (k == VSEG_CS ? 0xb : 0x3),
		};
	b->s.cr0 = CR0_PE | CR0_PG;
	b->s.cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	b->s.rflags = RFLAGS_FIXED;
	b->s.efer = EFER_LMA;
	b->s.rip = 0x1000;
	b->s.gpr[4] = BOX_BASE + 0x1800;
	b->s.cpu = EMUL_CPU_TZCNT | EMUL_CPU_LZCNT;
}

static inline int box_run_ops(struct box *b, enum insn_mode mode, const struct emul_ops *ops,
			      const u8 *bytes, size_t n)
{
	assert_int_equal(insn_decode(&b->i, bytes, n, mode), 0);
	assert_int_equal(b->i.len, n);
	return emul_insn(&b->s, &b->i, ops, b, &b->fault);
}

/* box_run(&b, INSN_MODE_64, 0x89, 0x08): the result of emul_insn(). */
#define box_run(b, mode, ...) \
	box_run_ops(b, mode, &box_ops, (const u8 []){ __VA_ARGS__ }, \
		    sizeof((const u8 []){ __VA_ARGS__ }))

static inline u64 box_get(const struct box *b, u64 linear, unsigned int n)
{
	u64 v = 0;

	memcpy(&v, b->mem + (linear - BOX_BASE), n);
	return v;
}

static inline void box_put(struct box *b, u64 linear, u64 v, unsigned int n)
{
	memcpy(b->mem + (linear - BOX_BASE), &v, n);
}

/* The last run raised this exception, with this error code. */
static inline void box_assert_fault(const struct box *b, int err, u8 vector, u32 error)
{
	assert_int_equal(err, -EFAULT);
	assert_int_equal(b->fault.type, EVENT_EXCEPTION);
	assert_int_equal(b->fault.vector, vector);
	assert_int_equal(b->fault.error, error);
	assert_int_equal(b->s.rip, 0x1000);
}

#define BOX_TESTS(...) \
	int main(void) \
	{ \
		const struct CMUnitTest tests[] = { __VA_ARGS__ }; \
		\
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

#endif
