/* SPDX-License-Identifier: MIT */
/* Which instructions test_emul_native.c generates. */
#ifndef TESTS_UNIT_EMUL_CLASSES_H
#define TESTS_UNIT_EMUL_CLASSES_H

#include "core/x86/regs.h"

/* What a row of instructions needs from the generator. */
#define C_LOCK	0x001	/* may carry LOCK */
#define C_REP	0x002	/* string instruction */
#define C_BITS	0x004	/* register bit offset */
#define C_DIV	0x008	/* dividend mostly small enough */
#define C_CMP	0x010	/* rAX mostly equal to the operand */
#define C_CMP8	0x020	/* rDX:rAX mostly equal to the operand */
#define C_STACK	0x040
#define C_XLAT	0x080
#define C_ALIGN	0x100	/* operand mostly 16-byte aligned */
#define C_SHIFT	0x200
#define C_MEM	0x400	/* memory form only */
#define C_NO64	0x800	/* not in 64-bit mode */
#define C_64	0x1000	/* in 64-bit mode only */

/* A run of opcodes; und are the flags undefined after them. */
struct cls {
	u8 esc;			/* 0: one byte, 1: 0F, 2: 0F 38 */
	u8 first, last;
	u8 reg;			/* ModRM.reg values allowed, 0: any */
	u8 pfx;			/* implied prefix to emit, 0: none */
	u16 flags;
	u32 und;
};

#define CF	RFLAGS_CF
#define PF	RFLAGS_PF
#define AF	RFLAGS_AF
#define ZF	RFLAGS_ZF
#define SF	RFLAGS_SF
#define OF	RFLAGS_OF

static const struct cls classes[] = {
	/* ADD..XOR, CMP; group 1 */
	{ 0, 0x00, 0x03, 0, 0, C_LOCK, 0 },	{ 0, 0x08, 0x0b, 0, 0, C_LOCK, AF },
	{ 0, 0x10, 0x13, 0, 0, C_LOCK, 0 },	{ 0, 0x18, 0x1b, 0, 0, C_LOCK, 0 },
	{ 0, 0x20, 0x23, 0, 0, C_LOCK, AF },	{ 0, 0x28, 0x2b, 0, 0, C_LOCK, 0 },
	{ 0, 0x30, 0x33, 0, 0, C_LOCK, AF },	{ 0, 0x38, 0x3b, 0, 0, 0, 0 },
	{ 0, 0x04, 0x05, 0, 0, 0, 0 },		{ 0, 0x14, 0x15, 0, 0, 0, 0 },
	{ 0, 0x1c, 0x1d, 0, 0, 0, 0 },		{ 0, 0x2c, 0x2d, 0, 0, 0, 0 },
	{ 0, 0x0c, 0x0d, 0, 0, 0, AF },		{ 0, 0x24, 0x25, 0, 0, 0, AF },
	{ 0, 0x34, 0x35, 0, 0, 0, AF },		{ 0, 0x3c, 0x3d, 0, 0, 0, 0 },
	{ 0, 0x80, 0x81, 0, 0, C_LOCK, AF },	{ 0, 0x83, 0x83, 0, 0, C_LOCK, AF },
	{ 0, 0x80, 0x83, 0xad, 0, C_LOCK, 0 },	/* without the logical ones */
	{ 0, 0x84, 0x85, 0, 0, 0, AF },		{ 0, 0xa8, 0xa9, 0, 0, 0, AF },
	/* XCHG, MOV, MOVSXD, LEA, Sreg store, XLAT, CBW-free accumulator forms */
	{ 0, 0x86, 0x87, 0, 0, C_LOCK, 0 },	{ 0, 0x88, 0x8b, 0, 0, 0, 0 },
	{ 0, 0x91, 0x97, 0, 0, 0, 0 },		{ 0, 0x63, 0x63, 0, 0, C_64, 0 },
	{ 0, 0x40, 0x4f, 0, 0, C_NO64, 0 },
	{ 0, 0x8c, 0x8c, 0x3f, 0, 0, 0 },	{ 0, 0x8d, 0x8d, 0, 0, 0, 0 },
	{ 0, 0xa0, 0xa3, 0, 0, 0, 0 },		{ 0, 0xb0, 0xbf, 0, 0, 0, 0 },
	{ 0, 0xc6, 0xc7, 0x01, 0, 0, 0 },	{ 0, 0xd7, 0xd7, 0, 0, C_XLAT, 0 },
	/* shifts and rotates: undefined flags depend on the count */
	{ 0, 0xc0, 0xc1, 0, 0, C_SHIFT, 0 },	{ 0, 0xd0, 0xd3, 0, 0, C_SHIFT, 0 },
	{ 1, 0xa4, 0xa5, 0, 0, C_SHIFT, 0 },	{ 1, 0xac, 0xad, 0, 0, C_SHIFT, 0 },
	/* group 3, INC, DEC, multiply, divide */
	{ 0, 0xf6, 0xf7, 0x03, 0, 0, AF },	{ 0, 0xf6, 0xf7, 0x0c, 0, C_LOCK, 0 },
	{ 0, 0xf6, 0xf7, 0x30, 0, 0, SF | ZF | AF | PF },
	{ 0, 0xf6, 0xf7, 0xc0, 0, C_DIV, CF | OF | SF | ZF | AF | PF },
	{ 0, 0xfe, 0xff, 0x03, 0, C_LOCK, 0 },
	{ 0, 0x69, 0x69, 0, 0, 0, SF | ZF | AF | PF },
	{ 0, 0x6b, 0x6b, 0, 0, 0, SF | ZF | AF | PF },
	{ 1, 0xaf, 0xaf, 0, 0, 0, SF | ZF | AF | PF },
	/* strings */
	{ 0, 0xa4, 0xa7, 0, 0, C_REP, 0 },	{ 0, 0xaa, 0xaf, 0, 0, C_REP, 0 },
	/* stack */
	{ 0, 0x50, 0x5f, 0, 0, C_STACK, 0 },	{ 0, 0x68, 0x68, 0, 0, C_STACK, 0 },
	{ 0, 0x6a, 0x6a, 0, 0, C_STACK, 0 },	{ 0, 0x8f, 0x8f, 0x01, 0, C_STACK, 0 },
	{ 0, 0xff, 0xff, 0x40, 0, C_STACK, 0 },	{ 0, 0xc8, 0xc8, 0, 0, C_STACK, 0 },
	{ 0, 0xc9, 0xc9, 0, 0, C_STACK, 0 },
	/* 0F */
	{ 1, 0x1f, 0x1f, 0, 0, 0, 0 },
	{ 1, 0x40, 0x4f, 0, 0, 0, 0 },		{ 1, 0x90, 0x9f, 0, 0, 0, 0 },
	{ 1, 0xa3, 0xa3, 0, 0, C_BITS, OF | SF | AF | PF },
	{ 1, 0xab, 0xab, 0, 0, C_BITS | C_LOCK, OF | SF | AF | PF },
	{ 1, 0xb3, 0xb3, 0, 0, C_BITS | C_LOCK, OF | SF | AF | PF },
	{ 1, 0xbb, 0xbb, 0, 0, C_BITS | C_LOCK, OF | SF | AF | PF },
	{ 1, 0xba, 0xba, 0xf0, 0, C_LOCK, OF | SF | AF | PF },
	{ 1, 0xb0, 0xb1, 0, 0, C_LOCK | C_CMP, 0 },
	{ 1, 0xb6, 0xb7, 0, 0, 0, 0 },		{ 1, 0xbe, 0xbf, 0, 0, 0, 0 },
	{ 1, 0xb8, 0xb8, 0, 0xf3, 0, 0 },
	{ 1, 0xbc, 0xbd, 0, 0, 0, CF | OF | SF | AF | PF },
	{ 1, 0xbc, 0xbd, 0, 0xf3, 0, OF | SF | AF | PF },
	{ 1, 0xc0, 0xc1, 0, 0, C_LOCK, 0 },	{ 1, 0xc3, 0xc3, 0, 0, 0, 0 },
	{ 1, 0xc7, 0xc7, 0x02, 0, C_LOCK | C_CMP8 | C_ALIGN | C_MEM, 0 },
	{ 1, 0xc8, 0xcf, 0, 0, 0, 0 },
	{ 2, 0xf0, 0xf1, 0, 0, C_MEM, 0 },	/* MOVBE */
	/* vector moves */
	{ 1, 0x10, 0x11, 0, 0, C_MEM, 0 },	{ 1, 0x10, 0x11, 0, 0x66, C_MEM, 0 },
	{ 1, 0x10, 0x11, 0, 0xf3, C_MEM, 0 },	{ 1, 0x10, 0x11, 0, 0xf2, C_MEM, 0 },
	{ 1, 0x12, 0x13, 0, 0, C_MEM, 0 },	{ 1, 0x16, 0x17, 0, 0x66, C_MEM, 0 },
	{ 1, 0x28, 0x29, 0, 0, C_MEM | C_ALIGN, 0 },
	{ 1, 0x2b, 0x2b, 0, 0, C_MEM | C_ALIGN, 0 },
	{ 1, 0x6e, 0x6f, 0, 0x66, C_MEM | C_ALIGN, 0 },
	{ 1, 0x6f, 0x6f, 0, 0xf3, C_MEM, 0 },
	{ 1, 0x7e, 0x7f, 0, 0x66, C_MEM | C_ALIGN, 0 },
	{ 1, 0x7e, 0x7f, 0, 0xf3, C_MEM, 0 },	{ 1, 0xd6, 0xd6, 0, 0x66, C_MEM, 0 },
	{ 1, 0xe7, 0xe7, 0, 0x66, C_MEM | C_ALIGN, 0 },
	{ 1, 0xf0, 0xf0, 0, 0xf2, C_MEM, 0 },
};

#endif
