// SPDX-License-Identifier: MIT
#include "core/vm/insn_dec.h"

struct group {
	u8 lock;
	u8 mem;
	u64 regs, regs64;
};

/* By group and implied prefix; the .def file explains the columns. */
#define ANY	0 ... 3
static const struct group groups[GROUP_COUNT][4] = {
#define GROUP(name, pfx, lock, mem, regs, regs64) \
	[GROUP_##name][pfx] = { lock, mem, regs, regs64 },
#include "core/vm/insn_group.def"
#undef GROUP
};
#undef ANY

/* APM3 A.1.3 (3DNow! opcodes). */
static const u8 amd_3dnow[] = {
	0x0c, 0x0d, 0x1c, 0x1d, 0x8a, 0x8e, 0x90, 0x94, 0x96, 0x97, 0x9a,
	0x9e, 0xa0, 0xa4, 0xa6, 0xa7, 0xaa, 0xae, 0xb0, 0xb4, 0xb6, 0xb7,
	0xbb, 0xbf,
};

static s64 sign_extend(u64 v, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return size ? (s64)(v << shift) >> shift : 0;
}

static bool digit_has(const char *table, u8 opcode, unsigned int pfx)
{
	char c = table[opcode];
	unsigned int v = c == '.' ? 0 : c <= '9' ? c - '0' : c - 'a' + 10;

	return v >> pfx & 1;
}

/* Unless a prefix has chosen: SS where rBP or rSP is the base (APM3 1.4.3). */
static void default_segment(struct insn *o, bool stack)
{
	if (o->seg == INSN_REG_NONE)
		o->seg = stack ? INSN_SS : INSN_DS;
}

/* APM3 1.4.3, SDM2 table 2-1. */
static void modrm_16(struct insn *o)
{
	static const u8 base[8]  = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const u8 index[8] = { 6, 7, 6, 7, INSN_REG_NONE, INSN_REG_NONE,
				     INSN_REG_NONE, INSN_REG_NONE };
	u8 rm = o->modrm & 7;

	o->base = base[rm];
	o->index = index[rm];
	o->disp_size = o->mod == 3 ? 0 : o->mod;
	if (o->mod == 0 && rm == 6) {
		o->base = INSN_REG_NONE;
		o->disp_size = 2;
	}
	default_segment(o, o->base == 5);
}

/* APM3 1.4.3-1.4.4, 1.7.1: 32- and 64-bit addressing. */
static int modrm_32(struct dec *d)
{
	struct insn *o = d->o;
	u8 base = o->modrm & 7;
	int err;

	o->disp_size = o->mod == 1 ? 1 : o->mod == 2 ? 4 : 0;
	if (base == 4) {
		err = insn_fetch(d, &o->sib);
		if (err)
			return err;
		o->flags |= INSN_F_SIB;
		base = o->sib & 7;
		o->scale = o->sib >> 6;
		o->index = (o->sib >> 3 & 7) | (d->rexbits & INSN_REX_X ? 8 : 0);
		if (o->index == 4)
			o->index = INSN_REG_NONE;
	}
	if (base == 5 && o->mod == 0) {
		o->disp_size = 4;
		if (!(o->flags & INSN_F_SIB) && o->mode == INSN_MODE_64)
			o->base = INSN_REG_RIP;
	} else {
		o->base = base | (d->rexbits & INSN_REX_B ? 8 : 0);
	}
	default_segment(o, o->base == 4 || o->base == 5);
	return 0;
}

static int decode_modrm(struct dec *d)
{
	struct insn *o = d->o;
	u64 disp;
	int err;

	err = insn_fetch(d, &o->modrm);
	if (err)
		return err;
	o->flags |= INSN_F_MODRM;
	o->mod = d->row & REGS ? 3 : o->modrm >> 6;
	o->reg = (o->modrm >> 3 & 7) | (d->rexbits & INSN_REX_R ? 8 : 0) | d->reg_hi;
	o->rm = (o->modrm & 7) | (d->rexbits & INSN_REX_B ? 8 : 0);
	if (o->mod == 3)
		return 0;
	o->flags |= INSN_F_MEM;
	if (o->addr_size == 2) {
		modrm_16(o);
	} else {
		err = modrm_32(d);
		if (err)
			return err;
	}
	err = insn_fetch_n(d, o->disp_size, &disp);
	if (err)
		return err;
	o->disp = sign_extend(disp, o->disp_size);
	return 0;
}

/* Does reg name something?  APM2 3.1: CR0, 2, 3, 4, 8 and DR0-DR7. */
static bool special_reg_ok(u32 row, u8 reg)
{
	if (row & CR)
		return reg < 16 && (0x11d >> reg & 1);
	return !(row & DR) || reg < 8;
}

/* ModRM.reg extends the opcode: does this member exist, may it have LOCK? */
static bool group_ok(const struct insn *o, u32 id, bool *lock_ok)
{
	const struct group *g = &groups[id][o->pfx];
	u64 regs;

	*lock_ok = g->lock >> (o->reg & 7) & 1;
	if (insn_has_mem(o))
		return g->mem >> (o->reg & 7) & 1;
	regs = g->regs | (o->mode == INSN_MODE_64 ? g->regs64 : 0);
	return regs >> (o->modrm & 63) & 1;
}

/* The forms that exist, and LOCK (APM3 1.2.5: #UD anywhere else). */
static int check_form(const struct dec *d)
{
	const struct insn *o = d->o;
	bool mem = insn_has_mem(o);
	bool lock_ok = d->row & LK;
	const char *valid = o->mod == 3 ? d->valid_reg : d->valid_mem;

	if (valid && !digit_has(valid, o->opcode, o->pfx))
		return -EINVAL;
	if ((d->row & MEM && !mem) || !special_reg_ok(d->row, o->reg))
		return -EINVAL;
	if (ROW_GROUP(d->row) && !group_ok(o, ROW_GROUP(d->row), &lock_ok))
		return -EINVAL;
	if (o->prefixes & INSN_PFX_LOCK && !(lock_ok && mem))
		return -EINVAL;
	return 0;
}

/* Operand size, APM3 1.2.2 and table B-5.  Columns of a row: */
enum { SIZE_W, SIZE_66, SIZE_PLAIN };	/* 64-bit mode, REX.W wins over 66 */
enum { SIZE_Z2, SIZE_Z4 };		/* elsewhere: 16 or 32 bits in effect */

struct size_row {
	u8 m64[3];
	u8 legacy[2];
};

static const struct size_row size_rows[8] = {
	/* clang-format off */
	[SZ_V   >> 4] = { { 8, 2, 4 }, { 2, 4 } },
	[SZ_B   >> 4] = { { 1, 1, 1 }, { 1, 1 } },
	[SZ_W   >> 4] = { { 2, 2, 2 }, { 2, 2 } },
	[SZ_Z   >> 4] = { { 4, 2, 4 }, { 2, 4 } },
	[SZ_Y   >> 4] = { { 8, 4, 4 }, { 4, 4 } },
	[SZ_D64 >> 4] = { { 8, 2, 8 }, { 2, 4 } },
	[SZ_BR  >> 4] = { { 8, 8, 8 }, { 2, 4 } },
	[SZ_CR  >> 4] = { { 8, 8, 8 }, { 4, 4 } },
	/* clang-format on */
};

/* Which column holds; AMD lets near branches be like stack instructions. */
static u8 operand_size(const struct dec *d)
{
	const struct insn *o = d->o;
	bool p66 = o->prefixes & INSN_PFX_66;
	unsigned int kind = d->row & SZ_MASK;

	if (o->mode != INSN_MODE_64)
		return size_rows[kind >> 4].legacy[p66 != (o->mode == INSN_MODE_16) ?
						   SIZE_Z2 : SIZE_Z4];
	if (kind == SZ_BR && d->rules & INSN_RULE_AMD)
		kind = SZ_D64;
	return size_rows[kind >> 4].m64[d->rexbits & INSN_REX_W ? SIZE_W :
					p66 ? SIZE_66 : SIZE_PLAIN];
}

/*
 * Groups whose members differ in operand size: near branches and PUSH of FF,
 * and what has no 16-bit form.
 */
static void group_size(struct dec *d)
{
	struct insn *o = d->o;
	u8 reg = o->reg & 7;

	switch (ROW_GROUP(d->row)) {
	case GROUP_FF:
		if (reg == 2 || reg == 4)
			d->row |= SZ_BR;
		else if (reg == 6)
			d->row |= SZ_D64;
		break;
	case GROUP_0F01:
		/* SMSW has all sizes, LMSW reads 16 bits. */
		if (reg == 4)
			d->row &= ~(u32)SZ_MASK;
		else if (reg == 6)
			d->row = (d->row & ~(u32)SZ_MASK) | SZ_W;
		break;
	case GROUP_0F00:
		/* SLDT and STR to a register have all sizes. */
		if (reg < 2 && !(o->flags & INSN_F_MEM))
			d->row &= ~(u32)SZ_MASK;
		break;
	case GROUP_0FC7:
		/* CMPXCHG8B, CMPXCHG16B: size of one half. */
		if (o->flags & INSN_F_MEM)
			d->row |= SZ_Y;
		break;
	default:
		break;
	}
}

/* Length of the first immediate in the encoding. */
static unsigned int imm_bytes(const struct dec *d, unsigned int kind)
{
	static const u8 fixed[IMM_MASK + 1] = {
		[IMM_8] = 1, [IMM_REL8] = 1, [IMM_16] = 2, [IMM_16_8] = 2, [IMM_D] = 4,
	};
	const struct insn *o = d->o;

	if (fixed[kind])
		return fixed[kind];
	if (kind == IMM_V)
		return o->op_size;
	if (kind == IMM_EXTRQ)
		return o->pfx ? 1 : 0;
	if (kind == IMM_GRP3 && (o->reg & 7) >= 2)
		return 0;
	/* APM3 1.5: no 8-byte immediate but MOV's; sign-extended. */
	return MIN(o->op_size, 4);
}

/* C7 F8: its immediate is the address of the fallback. */
static bool is_xbegin(const struct insn *o)
{
	return insn_is(o, INSN_MAP_1, 0xc7) && o->modrm == 0xf8;
}

static int decode_imm(struct dec *d)
{
	struct insn *o = d->o;
	unsigned int kind = d->row & IMM_MASK;
	u64 v;
	int err;

	if (kind == IMM_NONE)
		return 0;
	if (kind == IMM_MOFFS) {
		o->disp_size = o->addr_size;
		o->flags |= INSN_F_MOFFS;
		default_segment(o, false);
		return insn_fetch_n(d, o->addr_size, (u64 *)&o->disp);
	}
	o->imm_size = imm_bytes(d, kind);
	err = insn_fetch_n(d, o->imm_size, &o->imm);
	if (err)
		return err;
	if (kind == IMM_REL8 || kind == IMM_RELZ || is_xbegin(o))
		o->flags |= INSN_F_REL;
	if (kind == IMM_FAR)
		o->imm2_size = 2;
	else if (kind == IMM_16_8 || (kind == IMM_EXTRQ && o->pfx))
		o->imm2_size = 1;
	else if (kind != IMM_16)
		o->imm = sign_extend(o->imm, o->imm_size);
	err = insn_fetch_n(d, o->imm2_size, &v);
	if (err)
		return err;
	o->imm2 = v;
	return 0;
}

/* The suffix takes the place of the opcode. */
static int decode_3dnow_suffix(struct dec *d)
{
	int err;

	err = insn_fetch(d, &d->o->opcode);
	if (err)
		return err;
	for (unsigned int k = 0; k < ARRAY_SIZE(amd_3dnow); k++)
		if (amd_3dnow[k] == d->o->opcode)
			return 0;
	return -EINVAL;
}

/* Behind prefixes and opcode. */
int insn_decode_operands(struct dec *d)
{
	struct insn *o = d->o;
	int err;

	/* Existence of an opcode without ModRM is known now. */
	if (d->row & M) {
		err = decode_modrm(d);
		if (err)
			return err;
	} else {
		o->rm = (o->opcode & 7) | (d->rexbits & INSN_REX_B ? 8 : 0);
	}
	err = check_form(d);
	if (err)
		return err;
	group_size(d);
	o->op_size = operand_size(d);
	if (d->row & STR)
		default_segment(o, false);
	err = decode_imm(d);
	if (err)
		return err;
	if (o->enc == INSN_ENC_3DNOW)
		err = decode_3dnow_suffix(d);
	default_segment(o, false);
	return err;
}

