/* SPDX-License-Identifier: MIT */
/*
 * Instruction decoder: bytes in, one struct insn out.  Pure.
 *
 * Every encoding of x86-64 is measured: the legacy maps, 3DNow!, VEX, XOP and
 * EVEX, in 16-, 32- and 64-bit code.  Whether the instruction exists is exact
 * for the legacy maps; for VEX, XOP and EVEX only map, opcode and implied
 * prefix are checked, not W, L, vvvv or the register forms.
 *
 * References: APM3 ch. 1 (formats) and app. A (opcode maps); SDM2 ch. 2 and
 * app. A.
 */
#ifndef CORE_VM_INSN_H
#define CORE_VM_INSN_H

#include "core/lib/base.h"

/* APM3 1.1: a longer instruction is #GP. */
#define INSN_MAX_LEN	15

/* From CS.L and CS.D; 16 is also real and virtual-8086 mode. */
enum insn_mode {
	INSN_MODE_16,
	INSN_MODE_32,
	INSN_MODE_64,
};

/* VEX.mmmmm, EVEX.mmm and XOP.map_select numbers, and the one-byte map. */
enum insn_map {
	INSN_MAP_1	= 0,	/* one byte */
	INSN_MAP_0F	= 1,
	INSN_MAP_0F38	= 2,
	INSN_MAP_0F3A	= 3,
	INSN_MAP_5	= 5,	/* EVEX only */
	INSN_MAP_6	= 6,	/* EVEX only */
	INSN_MAP_XOP8	= 8,
	INSN_MAP_XOP9	= 9,
	INSN_MAP_XOPA	= 10,
};

enum insn_enc {
	INSN_ENC_LEGACY,
	INSN_ENC_3DNOW,		/* map 0F, opcode is the suffix byte */
	INSN_ENC_VEX,
	INSN_ENC_XOP,
	INSN_ENC_EVEX,
};

enum insn_seg {
	INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS,
};

/* insn.prefixes */
#define INSN_PFX_LOCK	0x01
#define INSN_PFX_REPNE	0x02	/* F2, when it is the last of F2 and F3 */
#define INSN_PFX_REP	0x04	/* F3, when it is the last of F2 and F3 */
#define INSN_PFX_66	0x08
#define INSN_PFX_67	0x10
#define INSN_PFX_SEG	0x20	/* any segment override, effective or not */

/* insn.flags */
#define INSN_F_MODRM	0x01	/* has a ModRM byte */
#define INSN_F_MEM	0x02	/* ModRM names memory: base, index, disp are set */
#define INSN_F_SIB	0x04
#define INSN_F_MOFFS	0x08	/* A0-A3: disp is the whole offset */
#define INSN_F_REL	0x10	/* imm is relative to the next instruction */

#define INSN_REG_NONE	0xff
#define INSN_REG_RIP	0x10

#define INSN_REX_W	8
#define INSN_REX_R	4
#define INSN_REX_X	2
#define INSN_REX_B	1

struct insn {
	u8 len;			/* 1..15 bytes, prefixes included */
	u8 mode;		/* enum insn_mode */
	u8 enc;			/* enum insn_enc */
	u8 map;			/* enum insn_map */
	u8 opcode;
	u8 prefixes;		/* INSN_PFX_* */
	u8 pfx;			/* implied prefix: 0 none, 1 66, 2 F3, 3 F2 */
	u8 rex;			/* 40..4f, 0 if none; VEX bits do not go here */
	u8 flags;		/* INSN_F_* */
	u8 op_size;		/* bytes: 1, 2, 4 or 8; not for vector operands */
	u8 addr_size;		/* bytes: 2, 4 or 8 */
	u8 seg;			/* segment of the memory operand: enum insn_seg */

	u8 modrm, sib;
	u8 mod;			/* ModRM fields; reg and rm with their REX bits */
	u8 reg;			/* (EVEX: up to 31) */
	u8 rm;			/* rm also for opcodes with a register in bits 2:0 */
	u8 base;		/* 0..15, INSN_REG_RIP or INSN_REG_NONE */
	u8 index;		/* 0..15 or INSN_REG_NONE (not for VSIB) */
	u8 scale;		/* log2 */

	u8 vex_l;		/* vector length: 0 128, 1 256, 2 512 bits */
	u8 vex_w;
	u8 vvvv;		/* register number, not inverted */

	u8 disp_size;		/* bytes in the encoding */
	u8 imm_size;
	u8 imm2_size;
	u16 imm2;		/* ENTER level, far selector, EXTRQ second byte */
	s64 disp;		/* sign-extended; EVEX disp8 is not scaled */
	u64 imm;		/* sign-extended, except RET, ENTER, far offset */
};

/* Where AMD and Intel decode alike bytes differently. */
#define INSN_RULE_AMD	0x1	/* 66 shortens near branches in 64-bit mode */

/*
 * Decodes the instruction at bytes[0..n).  n may be less than the instruction
 * can need; more than 15 is allowed and not looked at.
 * Returns 0; -EAGAIN if n bytes are not enough; -E2BIG if it is longer than
 * 15 bytes (#GP); -EINVAL if there is no such instruction (#UD).  On an error
 * *out is undefined.
 * insn_decode() takes Intel's reading of 66 before near branches (SDM2 2.2.1.7:
 * ignored in 64-bit mode), insn_decode_as() the one that rules say (APM3 CALL,
 * JMP, Jcc, RET: it selects 16 bits).
 */
int __must_check insn_decode_as(struct insn *out, const u8 *bytes, size_t n,
				enum insn_mode mode, unsigned int rules);
int __must_check insn_decode(struct insn *out, const u8 *bytes, size_t n,
			     enum insn_mode mode);

/*
 * Plain encodings for insn_len(): the opcode bytes as one big-endian number.
 */
#define INSN_OP_HLT	0xf4
#define INSN_OP_INT3	0xcc
#define INSN_OP_NOP	0x90	/* PAUSE is F3 90 */
#define INSN_OP_CLTS	0x0f06
#define INSN_OP_INVD	0x0f08
#define INSN_OP_WBINVD	0x0f09
#define INSN_OP_WRMSR	0x0f30
#define INSN_OP_RDTSC	0x0f31
#define INSN_OP_RDMSR	0x0f32
#define INSN_OP_RDPMC	0x0f33
#define INSN_OP_GETSEC	0x0f37
#define INSN_OP_CPUID	0x0fa2
#define INSN_OP_RSM	0x0faa
#define INSN_OP_VMCALL	0x0f01c1
#define INSN_OP_VMLAUNCH	0x0f01c2
#define INSN_OP_VMRESUME	0x0f01c3
#define INSN_OP_VMXOFF	0x0f01c4
#define INSN_OP_MONITOR	0x0f01c8
#define INSN_OP_MWAIT	0x0f01c9
#define INSN_OP_XGETBV	0x0f01d0
#define INSN_OP_XSETBV	0x0f01d1
#define INSN_OP_VMRUN	0x0f01d8
#define INSN_OP_VMMCALL	0x0f01d9
#define INSN_OP_VMLOAD	0x0f01da
#define INSN_OP_VMSAVE	0x0f01db
#define INSN_OP_STGI	0x0f01dc
#define INSN_OP_CLGI	0x0f01dd
#define INSN_OP_INVLPGA	0x0f01df
#define INSN_OP_SWAPGS	0x0f01f8
#define INSN_OP_RDTSCP	0x0f01f9
#define INSN_OP_MONITORX	0x0f01fa
#define INSN_OP_MWAITX	0x0f01fb
#define INSN_OP_RDPRU	0x0f01fd

/*
 * Length of an instruction that the CPU has already executed far enough to
 * exit, where op says which one it must be: the decoded bytes are checked
 * against it, prefixes and REX are skipped.  op 0 accepts any instruction.
 * Returns 1..15, or -EINVAL if the bytes are another instruction (the guest
 * changed its code), or an error of insn_decode().
 */
int __must_check insn_len_slow(const u8 *bytes, size_t n, enum insn_mode mode,
			       u32 op);

/* Same; an encoding without prefixes costs two or three compares. */
static inline int __must_check insn_len(const u8 *bytes, size_t n,
					enum insn_mode mode, u32 op)
{
	if (op > 0xffff) {
		if (n >= 3 && bytes[0] == op >> 16 && bytes[1] == (op >> 8 & 0xff) &&
		    bytes[2] == (op & 0xff))
			return 3;
	} else if (op > 0xff) {
		if (n >= 2 && bytes[0] == op >> 8 && bytes[1] == (op & 0xff))
			return 2;
	} else if (op && n && bytes[0] == op) {
		return 1;
	}
	return insn_len_slow(bytes, n, mode, op);
}

/* The instruction is the legacy-encoded opcode of that map. */
static inline bool insn_is(const struct insn *i, enum insn_map map, u8 opcode)
{
	return i->enc == INSN_ENC_LEGACY && i->map == map && i->opcode == opcode;
}

/* ModRM names a memory operand. */
static inline bool insn_has_mem(const struct insn *i)
{
	return i->flags & INSN_F_MEM;
}

/* VMLOAD or VMSAVE. */
static inline bool insn_is_vmload(const struct insn *i)
{
	return insn_is(i, INSN_MAP_0F, 0x01) && (i->modrm == 0xda || i->modrm == 0xdb);
}

/* MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS. */
bool insn_is_string(const struct insn *i);

/*
 * Offset of the memory operand (ModRM or moffs) in segment i->seg, truncated
 * to the address size.  gpr has 16 registers in hardware order; rip_next is
 * the offset of the following instruction (only RIP-relative needs it).
 * Meaningless for VSIB and without a memory operand.
 */
u64 insn_effective(const struct insn *i, const u64 *gpr, u64 rip_next);

/* v as the address size of i sees it: string pointers, counters, addresses. */
static inline u64 insn_addr_mask(const struct insn *i, u64 v)
{
	return i->addr_size == 8 ? v : v & ((1ULL << (i->addr_size * 8)) - 1);
}

#endif
