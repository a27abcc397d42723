/* SPDX-License-Identifier: MIT */
/*
 * Between insn.c (prefixes, opcode) and insn_operands.c (what follows).
 * Nobody else includes this.
 */
#ifndef CORE_VM_INSN_DEC_H
#define CORE_VM_INSN_DEC_H

#include "core/vm/insn.h"

/*
 * A row of an opcode map.  The letters are those of insn_map1.def and
 * insn_map0f.def.
 */
enum imm_kind {
	IMM_NONE,
	IMM_8,
	IMM_16,
	IMM_Z,		/* 2 or 4 bytes by operand size */
	IMM_V,		/* 2, 4 or 8 bytes */
	IMM_16_8,	/* ENTER */
	IMM_FAR,	/* offset of the operand size, selector */
	IMM_MOFFS,	/* address size; an address, not an immediate */
	IMM_REL8,
	IMM_RELZ,
	IMM_GRP3,	/* F6, F7: TEST only */
	IMM_D,		/* 4 bytes */
	IMM_EXTRQ,	/* 0F 78 with 66 or F2: two bytes */
	IMM_MASK = 15,
};

enum size_kind {
	SZ_V	= 0 << 4,	/* 2, 4, 8: the default, 66, REX.W */
	SZ_B	= 1 << 4,	/* 1 */
	SZ_W	= 2 << 4,	/* 2 */
	SZ_Z	= 3 << 4,	/* 2 or 4: REX.W does not count */
	SZ_Y	= 4 << 4,	/* 4 or 8: 66 does not count */
	SZ_D64	= 5 << 4,	/* stack: in 64-bit mode 8, or 2 with 66 */
	SZ_BR	= 6 << 4,	/* near branch: see INSN_RULE_AMD */
	SZ_CR	= 7 << 4,	/* 8 in 64-bit mode, else 4 */
	SZ_MASK	= 7 << 4,
};

#define M	0x0080u		/* ModRM follows */
#define V	0x0100u		/* exists */
#define NO64	0x0200u		/* not in 64-bit mode */
#define MEM	0x0400u		/* register form does not exist */
#define REGS	0x0800u		/* mod is ignored, always a register form */
#define LK	0x1000u		/* LOCK allowed with a memory operand */
#define STR	0x2000u		/* string instruction */
#define CR	0x4000u		/* reg must be a control register */
#define DR	0x8000u		/* reg must be a debug register */
#define G(name)	((u32)GROUP_##name << 16)
#define ROW_GROUP(row)	((row) >> 16)

/* insn.pfx */
enum { P_NO, P_66, P_F3, P_F2 };

enum group_id {
	GROUP_NONE,
	GROUP_80, GROUP_8C, GROUP_8E, GROUP_8F, GROUP_C6,
	GROUP_D9, GROUP_DA, GROUP_DB, GROUP_DD, GROUP_DE, GROUP_DF,
	GROUP_F6, GROUP_FE, GROUP_FF,
	GROUP_0F00, GROUP_0F01, GROUP_0F71, GROUP_0F73, GROUP_0F78,
	GROUP_0FAE, GROUP_0FBA, GROUP_0FC7, GROUP_0F38D8, GROUP_0F3AF0,
	GROUP_COUNT
};

/* State of one decoding. */
struct dec {
	struct insn *o;
	const u8 *b;
	unsigned int n;		/* usable bytes, at most INSN_MAX_LEN */
	unsigned int pos;
	int short_err;		/* what running out of bytes means */
	unsigned int rules;
	u8 rexbits;		/* WRXB from REX, VEX, XOP or EVEX */
	u8 reg_hi;		/* EVEX.R': bit 4 of reg */
	u32 row;
	const char *valid_mem, *valid_reg;	/* NULL: row alone decides */
};

/* Next byte, or d->short_err. */
static inline int insn_fetch(struct dec *d, u8 *out)
{
	*out = 0;
	if (d->pos >= d->n)
		return d->short_err;
	*out = d->b[d->pos++];
	return 0;
}

/* size bytes, little endian, zero-extended.  size 0: 0. */
static inline int insn_fetch_n(struct dec *d, unsigned int size, u64 *out)
{
	const u8 *p = d->b + d->pos;
	u64 v = 0;

	*out = 0;
	if (d->n - d->pos < size)
		return d->short_err;
	/* Each copy of a known size is one load. */
	switch (size) {
	case 1:
		v = *p;
		break;
	case 4:
		__builtin_memcpy(&v, p, 4);
		break;
	default:
		for (unsigned int k = 0; k < size; k++)
			v |= (u64)p[k] << (8 * k);
		break;
	}
	d->pos += size;
	*out = v;
	return 0;
}

/*
 * Behind prefixes and opcode: ModRM, whether the form exists, sizes,
 * immediates.  Returns 0 or an error of insn_decode().
 */
int __must_check insn_decode_operands(struct dec *d);

#endif
