// SPDX-License-Identifier: MIT
/*
 * Moves between memory and one vector register: what drivers use on frame
 * buffers and mapped queues.  Legacy SSE, MMX and VEX; EVEX is not executed.
 */
#include "core/vm/emul_int.h"
#include "core/lib/string.h"

enum vec_kind {
	LOAD,		/* register = memory, zero above up to 128 bits */
	LOAD_LOW,	/* only the low (high) quadword changes */
	LOAD_HIGH,
	STORE,
	STORE_HIGH,
};

#define V_ALIGN	0x1	/* #GP unless aligned to the operand */
#define V_MMX	0x2	/* an MMX register; no VEX form */
#define V_GPRW	0x4	/* 4 bytes, 8 with REX.W */
#define V_FULL	0x8	/* as long as the vector: 16, or 32 with VEX.L */
#define V_NOVEX	0x10	/* the VEX form has another operand or does not exist */

struct vec_row {
	u8 map, opcode, pfx;
	u8 kind;
	u8 size;		/* 0: V_GPRW or V_FULL say */
	u8 flags;
};

/* APM4, SDM2: memory forms only. */
static const struct vec_row rows[] = {
	/* clang-format off */
	{ INSN_MAP_0F,   0x10, 0, LOAD,       0, V_FULL },		/* MOVUPS */
	{ INSN_MAP_0F,   0x10, 1, LOAD,       0, V_FULL },		/* MOVUPD */
	{ INSN_MAP_0F,   0x10, 2, LOAD,       4, 0 },			/* MOVSS */
	{ INSN_MAP_0F,   0x10, 3, LOAD,       8, 0 },			/* MOVSD */
	{ INSN_MAP_0F,   0x11, 0, STORE,      0, V_FULL },
	{ INSN_MAP_0F,   0x11, 1, STORE,      0, V_FULL },
	{ INSN_MAP_0F,   0x11, 2, STORE,      4, 0 },
	{ INSN_MAP_0F,   0x11, 3, STORE,      8, 0 },
	{ INSN_MAP_0F,   0x12, 0, LOAD_LOW,   8, V_NOVEX },		/* MOVLPS */
	{ INSN_MAP_0F,   0x12, 1, LOAD_LOW,   8, V_NOVEX },
	{ INSN_MAP_0F,   0x13, 0, STORE,      8, 0 },
	{ INSN_MAP_0F,   0x13, 1, STORE,      8, 0 },
	{ INSN_MAP_0F,   0x16, 0, LOAD_HIGH,  8, V_NOVEX },		/* MOVHPS */
	{ INSN_MAP_0F,   0x16, 1, LOAD_HIGH,  8, V_NOVEX },
	{ INSN_MAP_0F,   0x17, 0, STORE_HIGH, 8, 0 },
	{ INSN_MAP_0F,   0x17, 1, STORE_HIGH, 8, 0 },
	{ INSN_MAP_0F,   0x28, 0, LOAD,       0, V_FULL | V_ALIGN },	/* MOVAPS */
	{ INSN_MAP_0F,   0x28, 1, LOAD,       0, V_FULL | V_ALIGN },
	{ INSN_MAP_0F,   0x29, 0, STORE,      0, V_FULL | V_ALIGN },
	{ INSN_MAP_0F,   0x29, 1, STORE,      0, V_FULL | V_ALIGN },
	{ INSN_MAP_0F,   0x2b, 0, STORE,      0, V_FULL | V_ALIGN },	/* MOVNTPS */
	{ INSN_MAP_0F,   0x2b, 1, STORE,      0, V_FULL | V_ALIGN },
	{ INSN_MAP_0F38, 0x2a, 1, LOAD,       0, V_FULL | V_ALIGN },	/* MOVNTDQA */
	{ INSN_MAP_0F,   0x6e, 0, LOAD,       0, V_GPRW | V_MMX },	/* MOVD */
	{ INSN_MAP_0F,   0x6e, 1, LOAD,       0, V_GPRW },
	{ INSN_MAP_0F,   0x6f, 0, LOAD,       8, V_MMX },		/* MOVQ */
	{ INSN_MAP_0F,   0x6f, 1, LOAD,       0, V_FULL | V_ALIGN },	/* MOVDQA */
	{ INSN_MAP_0F,   0x6f, 2, LOAD,       0, V_FULL },		/* MOVDQU */
	{ INSN_MAP_0F,   0x7e, 0, STORE,      0, V_GPRW | V_MMX },
	{ INSN_MAP_0F,   0x7e, 1, STORE,      0, V_GPRW },
	{ INSN_MAP_0F,   0x7e, 2, LOAD,       8, 0 },			/* MOVQ */
	{ INSN_MAP_0F,   0x7f, 0, STORE,      8, V_MMX },
	{ INSN_MAP_0F,   0x7f, 1, STORE,      0, V_FULL | V_ALIGN },
	{ INSN_MAP_0F,   0x7f, 2, STORE,      0, V_FULL },
	{ INSN_MAP_0F,   0xd6, 1, STORE,      8, 0 },			/* MOVQ */
	{ INSN_MAP_0F,   0xe7, 0, STORE,      8, V_MMX },		/* MOVNTQ */
	{ INSN_MAP_0F,   0xe7, 1, STORE,      0, V_FULL | V_ALIGN },	/* MOVNTDQ */
	{ INSN_MAP_0F,   0xf0, 3, LOAD,       0, V_FULL },		/* LDDQU */
	/* clang-format on */
};

static const struct vec_row *find_row(const struct insn *i)
{
	bool vex = i->enc == INSN_ENC_VEX;

	if (!insn_has_mem(i) || (!vex && i->enc != INSN_ENC_LEGACY))
		return NULL;
	for (unsigned int k = 0; k < ARRAY_SIZE(rows); k++) {
		const struct vec_row *r = &rows[k];

		if (r->opcode != i->opcode || r->map != i->map || r->pfx != i->pfx)
			continue;
		/* SDM2 2.3.6: vvvv must be 1111b where it names nothing. */
		if (vex && (r->flags & (V_MMX | V_NOVEX) || i->vvvv ||
			    (i->vex_l && !(r->flags & V_FULL))))
			return NULL;
		return r;
	}
	return NULL;
}

bool emul_vector_supported(const struct insn *i)
{
	return find_row(i) != NULL;
}

/* Bytes of memory. */
static unsigned int row_size(const struct vec_row *r, const struct insn *i)
{
	bool w = i->enc == INSN_ENC_VEX ? i->vex_w : i->rex & INSN_REX_W;

	if (r->flags & V_GPRW)
		return w && i->mode == INSN_MODE_64 ? 8 : 4;
	if (r->flags & V_FULL)
		return i->vex_l ? 32 : 16;
	return r->size;
}

/* SDM3 14.1, APM2 11.3: #UD comes before #NM. */
static int check_enabled(struct emul *e, const struct vec_row *r)
{
	const struct emul_state *s = e->s;
	bool vex = e->i->enc == INSN_ENC_VEX;

	if (vex ? !(s->cr4 & CR4_OSXSAVE) : !!(s->cr0 & CR0_EM))
		return emul_fault(e, VEC_UD, 0);
	if (!vex && !(r->flags & V_MMX) && !(s->cr4 & CR4_OSFXSR))
		return emul_fault(e, VEC_UD, 0);
	return s->cr0 & CR0_TS ? emul_fault(e, VEC_NM, 0) : 0;
}

/* Merging loads start from the register, all others from zero. */
static int load(struct emul *e, const struct vec_row *r, u8 reg, const u8 *mem,
		unsigned int size)
{
	bool vex = e->i->enc == INSN_ENC_VEX;
	unsigned int width = r->flags & V_MMX ? 8 : MAX(size, 16);
	u8 buf[32] = { 0 };
	int err;

	if (r->kind != LOAD) {
		err = e->ops->vec_get(e->ctx, reg, buf, width);
		if (err)
			return err;
	}
	memcpy(buf + (r->kind == LOAD_HIGH ? 8 : 0), mem, size);
	return e->ops->vec_set(e->ctx, reg, buf, width, vex);
}

static int store(struct emul *e, const struct vec_row *r, u8 reg, u64 linear,
		 unsigned int size)
{
	unsigned int width = r->flags & V_MMX ? 8 : MAX(size, 16);
	u8 buf[32];
	int err;

	err = e->ops->vec_get(e->ctx, reg, buf, width);
	if (err)
		return err;
	return emul_write(e, linear, buf + (r->kind == STORE_HIGH ? 8 : 0), size);
}

int op_vector(struct emul *e)
{
	const struct vec_row *r = find_row(e->i);
	bool is_store;
	unsigned int size;
	struct operand m;
	u8 reg = e->i->reg, mem[32];
	int err;

	if (!r || !e->ops->vec_get || !e->ops->vec_set)
		return -EOPNOTSUPP;
	err = check_enabled(e, r);
	if (err)
		return err;
	size = row_size(r, e->i);
	is_store = r->kind == STORE || r->kind == STORE_HIGH;
	if (r->flags & V_MMX)
		reg = (reg & 7) | EMUL_VEC_MMX;
	err = emul_mem_operand(e, &m, size, 0, is_store);
	/* CPUs see this before a limit or a non-canonical address. */
	if (r->flags & V_ALIGN && m.linear & (size - 1))
		return emul_fault(e, VEC_GP, 0);
	if (err)
		return err;
	if (is_store)
		return store(e, r, reg, m.linear, size);
	err = emul_read(e, m.linear, mem, size);
	return err ? err : load(e, r, reg, mem, size);
}
