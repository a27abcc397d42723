/* SPDX-License-Identifier: MIT */
/*
 * Inside the emulator: operands, the row of an opcode, one execution.  Only
 * emul*.c and their tests include this.
 */
#ifndef CORE_VM_EMUL_INT_H
#define CORE_VM_EMUL_INT_H

#include "core/vm/emul.h"
#include "core/x86/regs.h"

/* Where an operand comes from. */
enum operand_src {
	O_NONE,
	O_RM,		/* ModRM.rm, operand size */
	O_RM8, O_RM16, O_RM32,
	O_REG,		/* ModRM.reg */
	O_OPREG,	/* low bits of the opcode */
	O_ACC,		/* rAX */
	O_IMM,
	O_MOFFS,
	O_ONE,		/* the constant 1 */
	O_CL,
	O_XLAT,		/* byte at rBX + AL */
};

/* emul_row.flags */
#define F_RD	0x01	/* the destination is read */
#define F_WR	0x02	/* the destination is written */
#define F_LOCK	0x04	/* locked with a memory operand, prefix or not (XCHG) */
#define F_BITS	0x08	/* a register bit offset moves the memory operand */
#define F_SELF	0x10	/* fn does everything, operands are not fetched */
#define F_MORE	0x20	/* memory besides: the stack, descriptors */
#define F_CPL0	0x40	/* else #GP(0), before anything is read */
#define F_UMIP	0x80	/* the same when CR4.UMIP is set */
#define F_PROT	0x100	/* #UD in real and virtual-8086 mode */

struct emul;

/* One opcode.  fn computes e->dst.val from e->dst.val and e->src.val. */
struct emul_row {
	int (*fn)(struct emul *e);
	u8 dst, src;			/* enum operand_src */
	u16 flags;
	const struct emul_row *group;	/* 8 rows by ModRM.reg instead */
};

struct operand {
	bool mem;
	u8 reg;
	u8 size;		/* bytes; 0: no operand */
	bool imm;
	u64 linear;
	u64 val;
};

/* One execution.  Nothing of *s changes before the last possible fault. */
struct emul {
	struct emul_state *s;
	const struct insn *i;
	const struct emul_ops *ops;
	void *ctx;
	struct event *fault;
	u64 next_rip;
	u64 flags;		/* RFLAGS to be */
	struct operand dst, src;
	struct operand late;	/* a register written after dst */
	u64 old;		/* dst.val as read */
};

/* emul_mem.c: registers, memory */
u64 emul_reg(const struct emul *e, u8 reg, unsigned int size);
void emul_set_reg(struct emul *e, u8 reg, unsigned int size, u64 val);
int __must_check emul_fault(struct emul *e, u8 vector, u32 error);
int __must_check emul_mem_operand(struct emul *e, struct operand *o, unsigned int size,
				  s64 disp, bool write);
int __must_check emul_read(struct emul *e, u64 linear, void *buf, unsigned int n);
int __must_check emul_write(struct emul *e, u64 linear, const void *buf, unsigned int n);
int __must_check emul_probe(struct emul *e, u64 linear, unsigned int n);
/* 0; 1: lost the race */
int __must_check emul_store(struct emul *e, u64 linear, const void *old,
			    const void *val, unsigned int n, bool locked);
/* Continues at offset target, checked (#GP) and cut to the operand size. */
int __must_check emul_branch(struct emul *e, u64 target);

/* emul_alu.c */
int op_add(struct emul *e);
int op_or(struct emul *e);
int op_adc(struct emul *e);
int op_sbb(struct emul *e);
int op_and(struct emul *e);
int op_sub(struct emul *e);
int op_xor(struct emul *e);
int op_inc(struct emul *e);
int op_dec(struct emul *e);
int op_not(struct emul *e);
int op_neg(struct emul *e);
int op_mul(struct emul *e);
int op_imul1(struct emul *e);
int op_imul2(struct emul *e);
int op_imul3(struct emul *e);
int op_div(struct emul *e);
int op_idiv(struct emul *e);

/* emul_shift.c */
int op_rol(struct emul *e);
int op_ror(struct emul *e);
int op_rcl(struct emul *e);
int op_rcr(struct emul *e);
int op_shl(struct emul *e);
int op_shr(struct emul *e);
int op_sar(struct emul *e);
int op_shld(struct emul *e);
int op_shrd(struct emul *e);

/* emul_bits.c: bits, conditions, exchange */
int op_bt(struct emul *e);
int op_bts(struct emul *e);
int op_btr(struct emul *e);
int op_btc(struct emul *e);
int op_bsf(struct emul *e);
int op_bsr(struct emul *e);
int op_popcnt(struct emul *e);
int op_setcc(struct emul *e);
int op_cmovcc(struct emul *e);
int op_xchg(struct emul *e);
int op_xadd(struct emul *e);
int op_cmpxchg(struct emul *e);
int op_cmpxchg8b(struct emul *e);
/* Condition in the low four bits of an opcode. */
bool emul_condition(u64 flags, u8 code);

/* emul_stack.c */
int op_push(struct emul *e);
int op_pop(struct emul *e);
int op_call(struct emul *e);
int op_jmp(struct emul *e);
int op_ret(struct emul *e);
int op_enter(struct emul *e);
int op_leave(struct emul *e);

/* emul_seg.c: segment registers, LDTR, TR, the machine status word */
int op_mov_from_sreg(struct emul *e);
int op_mov_to_sreg(struct emul *e);
int op_jmp_far(struct emul *e);
int op_sldt(struct emul *e);
int op_str(struct emul *e);
int op_lldt(struct emul *e);
int op_ltr(struct emul *e);
int op_smsw(struct emul *e);
int op_lmsw(struct emul *e);

/* emul_string.c, emul_vec.c */
int op_string(struct emul *e);
int op_vector(struct emul *e);
bool emul_vector_supported(const struct insn *i);

/* Flags of a result: APM1 3.1.4, SDM1 3.4.3.1. */
#define EMUL_ARITH	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | \
			 RFLAGS_SF | RFLAGS_OF)
u64 emul_szp(u64 res, unsigned int size);

/* Neither real nor virtual-8086 mode. */
static inline bool emul_protected(const struct emul *e)
{
	return e->s->cr0 & CR0_PE && !(e->s->rflags & RFLAGS_VM);
}

static inline u64 emul_mask(unsigned int size)
{
	return ~0ULL >> (64 - 8 * size);
}

static inline u64 emul_sext(u64 v, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (s64)(v << shift) >> shift;
}

/* The sign bit of a value of size bytes, as 0 or 1. */
static inline bool emul_msb(u64 v, unsigned int size)
{
	return v >> (8 * size - 1) & 1;
}

static inline void emul_set_flag(struct emul *e, u64 flag, bool on)
{
	e->flags = on ? e->flags | flag : e->flags & ~flag;
}

#endif
