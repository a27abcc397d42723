// SPDX-License-Identifier: MIT
#include "core/vm/insn.h"
#include "core/lib/string.h"
#include "core/vm/insn_dec.h"

static const u32 map1[256] = {
#include "core/vm/insn_map1.def"
};

static const u32 map0f[256] = {
#include "core/vm/insn_map0f.def"
};

#define VALID(name, ...) static const char valid_##name[257] = __VA_ARGS__;
#include "core/vm/insn_valid.def"
#undef VALID

/* By map number; NULL where that encoding has no such map. */
static const char *const vex_maps[4] = {
	NULL, valid_VEX_0F, valid_VEX_0F38, valid_VEX_0F3A,
};
static const char *const evex_maps[8] = {
	NULL, valid_EVEX_0F, valid_EVEX_0F38, valid_EVEX_0F3A,
	NULL, valid_EVEX_5, valid_EVEX_6, NULL,
};
static const char *const xop_maps[3] = {
	valid_XOP_8, valid_XOP_9, valid_XOP_A,
};

/*
 * Legacy prefixes and REX (APM3 1.2).  A REX that is not the last prefix is
 * ignored.  Leaves the first opcode byte in *op.
 */
static const u8 prefix_bit[256] = {
	[0x26] = INSN_PFX_SEG, [0x2e] = INSN_PFX_SEG,
	[0x36] = INSN_PFX_SEG, [0x3e] = INSN_PFX_SEG,
	[0x64] = INSN_PFX_SEG, [0x65] = INSN_PFX_SEG,
	[0x66] = INSN_PFX_66, [0x67] = INSN_PFX_67,
	[0xf0] = INSN_PFX_LOCK, [0xf2] = INSN_PFX_REPNE, [0xf3] = INSN_PFX_REP,
};

/* Order of the one-byte overrides 26, 2E, 36, 3E is that of enum insn_seg. */
static void set_segment(struct insn *o, u8 byte)
{
	bool fs_gs = byte >= 0x64;

	/* APM3 1.2.4: 64-bit mode ignores ES, CS, SS and DS overrides. */
	if (o->mode == INSN_MODE_64 && !fs_gs)
		return;
	o->seg = fs_gs ? byte - 0x64 + INSN_FS : byte >> 3 & 3;
}

/*
 * The last of F2 and F3, and the last segment override, win.  As implied
 * prefix F2 and F3 go before 66 (APM3 1.2.6, SDM2 2.1.2).
 */
static int decode_prefixes(struct dec *d, u8 *op)
{
	struct insn *o = d->o;
	int err;

	for (;;) {
		u8 bit;

		err = insn_fetch(d, op);
		if (err)
			return err;
		bit = prefix_bit[*op];
		if (!bit) {
			if (o->mode != INSN_MODE_64 || (*op & 0xf0) != 0x40)
				break;
			o->rex = *op;
			continue;
		}
		o->rex = 0;
		if (bit & (INSN_PFX_REP | INSN_PFX_REPNE))
			o->prefixes &= ~(INSN_PFX_REP | INSN_PFX_REPNE);
		if (bit == INSN_PFX_SEG)
			set_segment(o, *op);
		o->prefixes |= bit;
	}
	d->rexbits = o->rex & 15;
	if (o->prefixes & INSN_PFX_REPNE)
		o->pfx = 3;
	else if (o->prefixes & INSN_PFX_REP)
		o->pfx = 2;
	else if (o->prefixes & INSN_PFX_66)
		o->pfx = 1;
	return 0;
}

/* APM3 1.2.7, SDM2 2.3.2-2.3.4: nothing of this may stand before VEX. */
static bool vex_prefix_ok(const struct dec *d)
{
	return !d->o->rex && !(d->o->prefixes & (INSN_PFX_66 | INSN_PFX_LOCK |
						 INSN_PFX_REP | INSN_PFX_REPNE));
}

/* The row of a VEX, XOP or EVEX opcode: ModRM and immediate follow a rule. */
static u32 vector_row(const struct insn *o)
{
	u8 op = o->opcode;

	if (o->map == INSN_MAP_0F && op == 0x77 && o->enc == INSN_ENC_VEX)
		return 0;	/* VZEROUPPER, VZEROALL */
	if (o->map == INSN_MAP_XOPA)
		return M | IMM_D;
	if (o->map == INSN_MAP_0F3A || o->map == INSN_MAP_XOP8)
		return M | IMM_8;
	if (o->map == INSN_MAP_0F)
		return M | ((map0f[op] & IMM_MASK) == IMM_8 ? IMM_8 : 0);
	return M;
}

/* Shared end of the three: payload known, the opcode byte comes. */
static int decode_vector_opcode(struct dec *d, const char *valid)
{
	struct insn *o = d->o;
	int err;

	if (!valid || !vex_prefix_ok(d))
		return -EINVAL;
	err = insn_fetch(d, &o->opcode);
	if (err)
		return err;
	d->valid_mem = d->valid_reg = valid;
	d->row = vector_row(o);
	/* Outside 64-bit mode the extension bits must be, or count as, 0. */
	if (o->mode != INSN_MODE_64) {
		d->rexbits = 0;
		d->reg_hi = 0;
		o->vvvv &= 7;
	}
	return 0;
}

/* C5 (2 bytes): RvvvvLpp.  C4 and XOP 8F (3 bytes): RXBmmmmm WvvvvLpp. */
static int decode_vex(struct dec *d, u8 lead)
{
	struct insn *o = d->o;
	const char *valid = valid_VEX_0F;
	u8 p0 = 0, p1;
	int err;

	o->enc = lead == 0x8f ? INSN_ENC_XOP : INSN_ENC_VEX;
	o->map = INSN_MAP_0F;
	if (lead != 0xc5) {
		err = insn_fetch(d, &p0);
		if (err)
			return err;
		o->map = p0 & 0x1f;
		valid = NULL;
		if (o->enc == INSN_ENC_VEX && o->map < ARRAY_SIZE(vex_maps))
			valid = vex_maps[o->map];
		else if (o->enc == INSN_ENC_XOP && o->map - 8u < ARRAY_SIZE(xop_maps))
			valid = xop_maps[o->map - 8];
	}
	err = insn_fetch(d, &p1);
	if (err)
		return err;
	d->rexbits = lead == 0xc5 ? ~p1 >> 5 & INSN_REX_R : ~p0 >> 5 & 7;
	o->vex_w = lead == 0xc5 ? 0 : p1 >> 7;
	d->rexbits |= o->vex_w ? INSN_REX_W : 0;
	o->vvvv = ~p1 >> 3 & 15;
	o->vex_l = p1 >> 2 & 1;
	o->pfx = p1 & 3;
	return decode_vector_opcode(d, valid);
}

/* SDM2 2.7.1: 62, RXBR'0mmm, Wvvvv1pp, zL'LbV'aaa. */
static int decode_evex(struct dec *d)
{
	struct insn *o = d->o;
	u64 p;
	u8 p0, p1, p2;
	int err;

	err = insn_fetch_n(d, 3, &p);
	if (err)
		return err;
	p0 = p;
	p1 = p >> 8;
	p2 = p >> 16;
	if (p0 & 8 || !(p1 & 4))
		return -EINVAL;
	o->enc = INSN_ENC_EVEX;
	o->map = p0 & 7;
	d->rexbits = (~p0 >> 5 & 7) | (p1 & 0x80 ? INSN_REX_W : 0);
	d->reg_hi = ~p0 & 0x10;
	o->vex_w = p1 >> 7;
	o->vvvv = (~p1 >> 3 & 15) | (~p2 & 8) << 1;
	o->pfx = p1 & 3;
	o->vex_l = p2 >> 5 & 3;
	return decode_vector_opcode(d, evex_maps[o->map]);
}

/* All have ModRM and no immediate; few care about the operand size. */
static u32 row_0f38(const struct insn *o)
{
	/* MOVBE, CRC32 r32,r/m8; INVEPT, INVVPID, INVPCID */
	if (o->opcode == 0xf0 && o->pfx == 3)
		return M | SZ_B;
	if (o->opcode >= 0x80 && o->opcode <= 0x82)
		return M | SZ_CR;
	return o->opcode == 0xd8 ? M | G(0F38D8) : M;
}

/* Behind 0F: another escape, or the opcode. */
static int decode_0f(struct dec *d)
{
	struct insn *o = d->o;
	int err;

	err = insn_fetch(d, &o->opcode);
	if (err)
		return err;
	o->map = INSN_MAP_0F;
	if (o->opcode == 0x0f) {
		/* 3DNow!: ModRM first, the opcode last (APM3 1.1). */
		o->enc = INSN_ENC_3DNOW;
		d->row = V | M;
		return 0;
	}
	if (o->opcode != 0x38 && o->opcode != 0x3a) {
		d->valid_mem = valid_MEM_0F;
		d->valid_reg = valid_REG_0F;
		d->row = map0f[o->opcode];
		return 0;
	}
	o->map = o->opcode == 0x38 ? INSN_MAP_0F38 : INSN_MAP_0F3A;
	err = insn_fetch(d, &o->opcode);
	if (err)
		return err;
	if (o->map == INSN_MAP_0F38) {
		d->valid_mem = valid_MEM_0F38;
		d->valid_reg = valid_REG_0F38;
		d->row = row_0f38(o);
	} else {
		d->valid_mem = valid_MEM_0F3A;
		d->valid_reg = valid_REG_0F3A;
		d->row = M | IMM_8 | (o->opcode == 0xf0 ? G(0F3AF0) : 0);
	}
	return 0;
}

/*
 * Bytes that are an instruction of the one-byte map or lead to VEX, EVEX or
 * XOP.  Outside 64-bit mode the next byte decides: LES, LDS and BOUND have no
 * register form (mod = 3), POP r/m has reg = 0.
 */
static int decode_opcode(struct dec *d, u8 op)
{
	struct insn *o = d->o;
	u8 next;

	if (op == 0x0f)
		return decode_0f(d);
	if (op == 0xc4 || op == 0xc5 || op == 0x62 || op == 0x8f) {
		if (d->pos >= d->n)
			return d->short_err;
		next = d->b[d->pos];
		if (op == 0x8f ? (next & 0x1f) >= 8 :
		    o->mode == INSN_MODE_64 || next >= 0xc0)
			return op == 0x62 ? decode_evex(d) : decode_vex(d, op);
	}
	o->opcode = op;
	d->row = map1[op];
	if (!(d->row & V) || (d->row & NO64 && o->mode == INSN_MODE_64))
		return -EINVAL;
	return 0;
}

/* APM3 1.2.3: 64-bit mode knows no 16-bit addresses. */
static u8 address_size(const struct insn *o)
{
	bool p67 = o->prefixes & INSN_PFX_67;

	if (o->mode == INSN_MODE_64)
		return p67 ? 4 : 8;
	return p67 != (o->mode == INSN_MODE_16) ? 2 : 4;
}

int insn_decode_as(struct insn *out, const u8 *bytes, size_t n,
		   enum insn_mode mode, unsigned int rules)
{
	struct dec d = {
		.o = out,
		.b = bytes,
		.n = MIN(n, (size_t)INSN_MAX_LEN),
		.short_err = n < INSN_MAX_LEN ? -EAGAIN : -E2BIG,
		.rules = rules,
	};
	u8 op;
	int err;

	memset(out, 0, sizeof(*out));
	out->mode = mode;
	out->seg = INSN_REG_NONE;
	out->base = INSN_REG_NONE;
	out->index = INSN_REG_NONE;

	err = decode_prefixes(&d, &op);
	if (err)
		return err;
	out->addr_size = address_size(out);
	err = decode_opcode(&d, op);
	if (err)
		return err;
	err = insn_decode_operands(&d);
	if (err)
		return err;
	out->len = d.pos;
	return 0;
}

int insn_decode(struct insn *out, const u8 *bytes, size_t n, enum insn_mode mode)
{
	return insn_decode_as(out, bytes, n, mode, 0);
}

int insn_len_slow(const u8 *bytes, size_t n, enum insn_mode mode, u32 op)
{
	struct insn i;
	u32 got;
	int err;

	err = insn_decode(&i, bytes, n, mode);
	if (err)
		return err;
	if (!op)
		return i.len;
	if (i.enc != INSN_ENC_LEGACY || i.map > INSN_MAP_0F)
		return -EINVAL;
	got = i.map == INSN_MAP_0F ? 0x0f00 | i.opcode : i.opcode;
	if (op > 0xffff)
		got = got << 8 | i.modrm;
	return got == op ? i.len : -EINVAL;
}

bool insn_is_string(const struct insn *i)
{
	return i->enc == INSN_ENC_LEGACY && i->map == INSN_MAP_1 &&
	       map1[i->opcode] & STR;
}

u64 insn_effective(const struct insn *i, const u64 *gpr, u64 rip_next)
{
	u64 ea = i->disp;

	if (i->base == INSN_REG_RIP)
		ea += rip_next;
	else if (i->base != INSN_REG_NONE)
		ea += gpr[i->base];
	if (i->index != INSN_REG_NONE)
		ea += gpr[i->index] << i->scale;
	return insn_addr_mask(i, ea);
}
