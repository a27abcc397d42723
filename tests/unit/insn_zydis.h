/* SPDX-License-Identifier: MIT */
/*
 * Compares insn_decode_as() with Zydis 4.0 on one byte string; for the unit
 * test and the fuzz target, so everything is in this header.
 */
#ifndef TESTS_UNIT_INSN_ZYDIS_H
#define TESTS_UNIT_INSN_ZYDIS_H

#include <stdio.h>
#include <string.h>
#include <Zydis/Zydis.h>
#include "core/vm/insn.h"

/*
 * Where the two differ and why we keep it.  A row is asked with what each
 * accepted: i is NULL if we do not have the instruction, z if Zydis has not.
 */
struct insn_known {
	const char *reason;
	bool (*match)(const struct insn *i, const ZydisDecodedInstruction *z);
};

static inline bool known_padlock(const struct insn *i, const ZydisDecodedInstruction *z)
{
	return !i && z->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
	       z->opcode_map == ZYDIS_OPCODE_MAP_0F && (z->opcode & 0xfe) == 0xa6;
}

static inline bool known_knc(const struct insn *i, const ZydisDecodedInstruction *z)
{
	return !i && (z->encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX ||
		      (z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX &&
		       ((z->opcode & 0xfe) == 0x74 || (z->opcode & 0xfe) == 0x84)));
}

static inline bool known_loose(const struct insn *i, const ZydisDecodedInstruction *z)
{
	return !z && (i->enc == INSN_ENC_VEX || i->enc == INSN_ENC_XOP ||
		      i->enc == INSN_ENC_EVEX);
}

static inline bool known_notrack(const struct insn *i, const ZydisDecodedInstruction *z)
{
	return i && z && insn_is(i, INSN_MAP_1, 0xff) && i->mode != INSN_MODE_64 &&
	       ((i->reg & 7) == 2 || (i->reg & 7) == 4) && i->seg == INSN_DS;
}

static inline bool known_sib_67(const struct insn *i, const ZydisDecodedInstruction *z)
{
	return i && z && i->mode == INSN_MODE_64 && i->addr_size == 4 && i->mod == 0 &&
	       i->flags & INSN_F_SIB && (i->sib & 7) == 5 && i->base == INSN_REG_NONE;
}

static const struct insn_known insn_known[] = {
	{ "VIA PadLock: undefined on AMD and Intel", known_padlock },
	{ "Knights Corner: #UD wherever there is SVM or VMX", known_knc },
	{ "insn.h: of VEX, XOP, EVEX only map, opcode and pp are checked", known_loose },
	{ "3E before CALL, JMP r/m is NOTRACK and still selects DS", known_notrack },
	{ "REX.B does not make mod 0, base 5 a register (SDM2 table 2-5); with 67 "
	  "Zydis 4.0 says R13D, without 67 it agrees; the CPU does as we do "
	  "(test_emul_native.c)", known_sib_67 },
};

static inline bool insn_zydis_known(const struct insn *i, const ZydisDecodedInstruction *z)
{
	for (unsigned int k = 0; k < ARRAY_SIZE(insn_known); k++)
		if (insn_known[k].match(i, z))
			return true;
	return false;
}

static inline void insn_zydis_init(ZydisDecoder *d, enum insn_mode mode, unsigned int rules)
{
	static const u8 machine[3] = {
		ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
		ZYDIS_MACHINE_MODE_LONG_64,
	};
	static const u8 stack[3] = {
		ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64,
	};

	ZydisDecoderInit(d, machine[mode], stack[mode]);
	/* MPX left the architecture: its opcodes are NOPs again. */
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_AMD_BRANCHES,
			       !!(rules & INSN_RULE_AMD));
}

/*
 * Opcodes whose operand size both define.  Not: DAA..AAS, SAHF, LAHF, AAM,
 * AAD, SALC, XLAT, XABORT (bytes; Zydis says the mode's size), INS and OUTS
 * with REX.W, short branches as AMD sees them (Zydis changes those with a
 * 32-bit immediate only).
 */
static inline bool insn_zydis_sized_1(const struct insn *i, unsigned int rules)
{
	u8 op = i->opcode;

	if ((op & 0xe7) == 0x27 || (op & 0xfe) == 0x9e || (op & 0xfc) == 0xd4)
		return false;
	if ((op & 0xfc) == 0x6c && i->rex & INSN_REX_W)
		return false;
	if (op == 0xc6 && i->mod == 3 && (i->reg & 7) == 7)
		return false;
	if (!(rules & INSN_RULE_AMD))
		return true;
	return (op & 0xf0) != 0x70 && (op & 0xfc) != 0xe0 && op != 0xeb &&
	       (op & 0xfe) != 0xc2 && op != 0xff;
}

static inline bool insn_zydis_sized(const struct insn *i, unsigned int rules)
{
	u8 op = i->opcode;

	if (i->enc != INSN_ENC_LEGACY)
		return false;
	if (i->map == INSN_MAP_1)
		return insn_zydis_sized_1(i, rules);
	if (i->map == INSN_MAP_0F38)
		return op == 0xf1 || (op == 0xf0 && i->pfx < 2);
	if (i->map != INSN_MAP_0F)
		return false;
	return (op & 0xf0) == 0x40 || (op & 0xfc) == 0x20 || (op & 0xf8) == 0xc8 ||
	       (op >= 0x80 && op <= 0xc1 && op != 0xae);
}

static inline u64 insn_zydis_trim(u64 v, unsigned int bytes)
{
	return bytes >= 8 ? v : v & ((1ULL << (8 * bytes)) - 1);
}

static inline u8 insn_zydis_map(const struct insn *i)
{
	static const u8 map[] = {
		ZYDIS_OPCODE_MAP_DEFAULT, ZYDIS_OPCODE_MAP_0F, ZYDIS_OPCODE_MAP_0F38,
		ZYDIS_OPCODE_MAP_0F3A, ZYDIS_OPCODE_MAP_MAP4, ZYDIS_OPCODE_MAP_MAP5,
		ZYDIS_OPCODE_MAP_MAP6, ZYDIS_OPCODE_MAP_MAP7, ZYDIS_OPCODE_MAP_XOP8,
		ZYDIS_OPCODE_MAP_XOP9, ZYDIS_OPCODE_MAP_XOPA,
	};

	return i->enc == INSN_ENC_3DNOW ? ZYDIS_OPCODE_MAP_0F0F : map[i->map];
}

#define INSN_SAME(what, ours, theirs) do { \
	unsigned long long a_ = (ours), b_ = (theirs); \
	if (a_ != b_) { \
		snprintf(why, size, "%s: %llx, Zydis %llx", what, a_, b_); \
		return -1; \
	} \
} while (0)

static inline int insn_zydis_prefixes(const struct insn *i, const ZydisDecodedInstruction *z,
				      char *why, size_t size)
{
	u8 seen = 0, rep = 0;

	for (unsigned int k = 0; k < z->raw.prefix_count; k++) {
		u8 v = z->raw.prefixes[k].value;

		if (v == 0xf0)
			seen |= INSN_PFX_LOCK;
		else if (v == 0x66)
			seen |= INSN_PFX_66;
		else if (v == 0x67)
			seen |= INSN_PFX_67;
		else if (v == 0xf2 || v == 0xf3)
			rep = v == 0xf2 ? INSN_PFX_REPNE : INSN_PFX_REP;
		else if ((v & 0xe7) == 0x26 || v == 0x64 || v == 0x65)
			seen |= INSN_PFX_SEG;
	}
	INSN_SAME("prefixes", i->prefixes, seen | rep);
	return 0;
}

/* Registers and segment of a memory operand. */
static inline int insn_zydis_mem(const struct insn *i, const ZydisDecodedOperand *op,
				 char *why, size_t size)
{
	u8 base = INSN_REG_NONE, index = INSN_REG_NONE;

	if (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP)
		base = INSN_REG_RIP;
	else if (op->mem.base != ZYDIS_REGISTER_NONE)
		base = ZydisRegisterGetId(op->mem.base);
	if (op->mem.index != ZYDIS_REGISTER_NONE)
		index = ZydisRegisterGetId(op->mem.index);
	INSN_SAME("base", i->base, base);
	/* VSIB: a vector register, index 4 is one too. */
	if (op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
	    (index == INSN_REG_NONE ||
	     ZydisRegisterGetClass(op->mem.index) <= ZYDIS_REGCLASS_GPR64)) {
		INSN_SAME("index", i->index, index);
		if (index != INSN_REG_NONE)
			INSN_SAME("scale", 1u << i->scale, op->mem.scale);
	}
	if (op->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
	    op->mem.segment >= ZYDIS_REGISTER_ES && op->mem.segment <= ZYDIS_REGISTER_GS)
		INSN_SAME("segment", i->seg, ZydisRegisterGetId(op->mem.segment));
	return 0;
}

static inline int insn_zydis_raw(const struct insn *i, const ZydisDecodedInstruction *z,
				 unsigned int rules, char *why, size_t size)
{
	bool modrm = z->attributes & ZYDIS_ATTRIB_HAS_MODRM;

	INSN_SAME("length", i->len, z->length);
	INSN_SAME("map", insn_zydis_map(i), z->opcode_map);
	INSN_SAME("opcode", i->opcode, z->opcode);
	/* Of some register forms Zydis forces it; it means nothing there. */
	if (insn_has_mem(i) || i->map == INSN_MAP_1)
		INSN_SAME("address size", i->addr_size * 8, z->address_width);
	if (insn_zydis_sized(i, rules))
		INSN_SAME("operand size", i->op_size * 8, z->operand_width);
	INSN_SAME("has ModRM", !!(i->flags & INSN_F_MODRM), modrm);
	if (modrm) {
		INSN_SAME("ModRM", i->modrm,
			  z->raw.modrm.mod << 6 | z->raw.modrm.reg << 3 | z->raw.modrm.rm);
	}
	INSN_SAME("has SIB", !!(i->flags & INSN_F_SIB),
		  !!(z->attributes & ZYDIS_ATTRIB_HAS_SIB));
	if (i->flags & INSN_F_SIB)
		INSN_SAME("SIB", i->sib,
			  z->raw.sib.scale << 6 | z->raw.sib.index << 3 | z->raw.sib.base);
	INSN_SAME("disp size", i->disp_size * 8, z->raw.disp.size);
	INSN_SAME("disp", insn_zydis_trim(i->disp, i->disp_size),
		  insn_zydis_trim(z->raw.disp.value, i->disp_size));
	INSN_SAME("imm size", i->imm_size * 8, z->raw.imm[0].size);
	INSN_SAME("imm", insn_zydis_trim(i->imm, i->imm_size),
		  insn_zydis_trim(z->raw.imm[0].value.u, i->imm_size));
	INSN_SAME("imm2 size", i->imm2_size * 8, z->raw.imm[1].size);
	INSN_SAME("imm2", i->imm2, insn_zydis_trim(z->raw.imm[1].value.u, i->imm2_size));
	INSN_SAME("relative", !!(i->flags & INSN_F_REL),
		  !!(z->attributes & ZYDIS_ATTRIB_IS_RELATIVE && z->raw.imm[0].is_relative));
	INSN_SAME("REX", !!i->rex, !!(z->attributes & ZYDIS_ATTRIB_HAS_REX));
	return insn_zydis_prefixes(i, z, why, size);
}

/*
 * b: INSN_MAX_LEN bytes.  Returns 1 if both have the instruction and agree on
 * it, 0 if both reject it or the difference is known; else -1 with the
 * difference in why.
 */
static inline int insn_zydis_compare(const u8 *b, enum insn_mode mode, unsigned int rules,
				     char *why, size_t size)
{
	static ZydisDecoder decoder[3][2];
	static bool ready[3][2];
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	ZydisDecoderContext ctx;
	struct insn i;
	bool zok;
	int err;

	if (!ready[mode][rules]) {
		insn_zydis_init(&decoder[mode][rules], mode, rules);
		ready[mode][rules] = true;
	}
	zok = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder[mode][rules], &ctx, b,
							 INSN_MAX_LEN, &z));
	err = insn_decode_as(&i, b, INSN_MAX_LEN, mode, rules);
	if (!zok && err)
		return 0;
	if (zok && err) {
		if (insn_zydis_known(NULL, &z))
			return 0;
		snprintf(why, size, "error %d, Zydis has %s", err,
			 ZydisMnemonicGetString(z.mnemonic));
		return -1;
	}
	if (!zok) {
		if (insn_zydis_known(&i, NULL))
			return 0;
		snprintf(why, size, "map %u opcode %02x, Zydis has none", i.map, i.opcode);
		return -1;
	}
	if (insn_zydis_raw(&i, &z, rules, why, size))
		return -1;
	/* Operands cost as much as the rest: for those with memory only. */
	if (!insn_has_mem(&i) ||
	    ZYAN_FAILED(ZydisDecoderDecodeOperands(&decoder[mode][rules], &ctx, &z, ops,
						   z.operand_count)))
		return 1;
	for (unsigned int k = 0; k < z.operand_count; k++)
		if (ops[k].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    ops[k].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM)
			return insn_zydis_mem(&i, &ops[k], why, size) &&
			       !insn_zydis_known(&i, &z) ? -1 : 1;
	return 1;
}

#endif
