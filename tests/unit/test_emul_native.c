// SPDX-License-Identifier: MIT
/*
 * The emulator against the CPU of the host: the same bytes on the same random
 * registers and memory, natively and with emul_insn(); registers, flags,
 * memory and exceptions must agree.  Flags that the manuals leave undefined
 * are masked per instruction, so the test holds on AMD and Intel.
 */
#include "tests/unit/unit.h"

#include "core/vm/emul.h"
#include "core/x86/regs.h"
#include "tests/unit/emul_classes.h"
#include "tests/unit/native.h"
#include "tests/unit/rng.h"

#define SEED		0x6e656d75u
#define CASES		200000		/* executed on both sides */

struct ctx {
	struct rng r;
	enum insn_mode mode;
	struct native n;
	u8 shadow[NATIVE_BUF_SIZE];	/* the emulator's copy of n.buf */
	u8 xmm[16][16];
	const struct cls *c;
	u8 code[16];
	struct insn i;
	struct emul_state s;
	struct event fault;
	u64 start[16];			/* registers before */
	unsigned int skipped, faults, compared;
	unsigned int by_class[ARRAY_SIZE(classes)];
};

/* --- the emulator's memory --- */

static u8 *place(struct ctx *x, u64 linear, unsigned int n)
{
	u64 off = linear - (u64)x->n.buf;

	return off <= NATIVE_BUF_SIZE - n ? x->shadow + off : NULL;
}

static int mem_read(void *ctx, u64 linear, void *buf, unsigned int n)
{
	u8 *p = place(ctx, linear, n);

	if (!p)
		return -EIO;
	memcpy(buf, p, n);
	return 0;
}

static int mem_write(void *ctx, u64 linear, const void *buf, unsigned int n)
{
	u8 *p = place(ctx, linear, n);

	if (!p)
		return -EIO;
	memcpy(p, buf, n);
	return 0;
}

static int mem_cmpxchg(void *ctx, u64 linear, const void *expected, const void *desired,
		       unsigned int n)
{
	u8 *p = place(ctx, linear, n);

	if (!p)
		return -EIO;
	assert_memory_equal(p, expected, n);
	memcpy(p, desired, n);
	return 0;
}

static int vec_get(void *ctx, unsigned int reg, void *buf, unsigned int n)
{
	struct ctx *x = ctx;

	assert_true(reg < 16 && n <= 16);
	memcpy(buf, x->xmm[reg], n);
	return 0;
}

static int vec_set(void *ctx, unsigned int reg, const void *buf, unsigned int n,
		   bool clear_upper)
{
	struct ctx *x = ctx;

	assert_true(reg < 16 && n == 16 && !clear_upper);
	memcpy(x->xmm[reg], buf, n);
	return 0;
}

static const struct emul_ops emul_ops = {
	.read = mem_read, .write = mem_write, .cmpxchg = mem_cmpxchg,
	.vec_get = vec_get, .vec_set = vec_set,
};

/* --- the generator --- */

static void put_prefixes(struct ctx *x, unsigned int *pos)
{
	static const u8 ignored[] = { 0x26, 0x2e, 0x36, 0x3e, 0x65 };
	struct rng *r = &x->r;

	if (rng_one_in(r, 4))
		x->code[(*pos)++] = 0x66;
	if (rng_one_in(r, 6))
		x->code[(*pos)++] = 0x67;
	if (rng_one_in(r, 10))
		x->code[(*pos)++] = ignored[rng_below(r, sizeof(ignored))];
	if (x->c->flags & C_LOCK && rng_one_in(r, 4))
		x->code[(*pos)++] = 0xf0;
	if (x->c->flags & C_REP && !rng_one_in(r, 3))
		x->code[(*pos)++] = 0xf2 + rng_below(r, 2);
	if (x->c->pfx)
		x->code[(*pos)++] = x->c->pfx;
	if (x->mode == INSN_MODE_64 && !rng_one_in(r, 3))
		x->code[(*pos)++] = 0x40 | rng_below(r, 16);
}

static bool in_mode(const struct cls *c, enum insn_mode mode)
{
	return !(c->flags & (mode == INSN_MODE_64 ? C_NO64 : C_64));
}

static void make_bytes(struct ctx *x)
{
	const struct cls *c;
	struct rng *r = &x->r;
	unsigned int pos = 0;
	u8 reg;

	do
		c = x->c = &classes[rng_below(r, ARRAY_SIZE(classes))];
	while (!in_mode(c, x->mode));
	for (unsigned int k = 0; k < sizeof(x->code); k++)
		x->code[k] = rng_next(r);
	put_prefixes(x, &pos);
	if (c->esc)
		x->code[pos++] = 0x0f;
	if (c->esc == 2)
		x->code[pos++] = 0x38;
	x->code[pos++] = c->first + rng_below(r, c->last - c->first + 1);
	if (c->reg) {
		do
			reg = rng_below(r, 8);
		while (!(c->reg >> reg & 1));
		x->code[pos] = (x->code[pos] & ~0x38) | reg << 3;
	}
	if (c->flags & C_MEM || (!rng_one_in(r, 4) && x->code[pos] >= 0xc0))
		x->code[pos] &= rng_one_in(r, 2) ? 0x3f : 0x7f;
}

static u64 random_value(struct rng *r)
{
	static const u64 edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
		~0ULL,
	};

	if (rng_one_in(r, 4))
		return edges[rng_below(r, ARRAY_SIZE(edges))];
	return rng_next(r) >> (rng_one_in(r, 3) ? rng_below(r, 60) : 0);
}

/* Base of segments that cover the buffer; the buffer's is page aligned. */
static u64 data_base(const struct ctx *x)
{
	return x->mode == INSN_MODE_64 ? 0 : (u64)x->n.buf;
}

/*
 * An offset somewhere in the middle of the buffer, so that 16 bits may wander;
 * in segments sometimes around their limits.
 */
static u64 random_place(struct ctx *x)
{
	static const u16 edges[] = { 0, 0x7ff8, 0xfff0 };
	u64 at = 0x4000 + rng_below(&x->r, 0x8000);

	if (x->mode != INSN_MODE_64 && rng_one_in(&x->r, 8))
		at = edges[rng_below(&x->r, 3)] + rng_below(&x->r, 24);
	if (x->c->flags & C_ALIGN && !rng_one_in(&x->r, 4))
		at &= ~15ULL;
	return x->mode == INSN_MODE_64 ? at + (u64)x->n.buf : at;
}

/* Selectors of the process, for MOV from Sreg. */
static void host_selectors(struct emul_state *s)
{
	u16 v;

#define GET(name, id) \
	do { \
		__asm__("mov %%" name ", %0" : "=r"(v)); \
		s->seg[id].selector = v; \
	} while (0)
	GET("es", VSEG_ES);
	GET("cs", VSEG_CS);
	GET("ss", VSEG_SS);
	GET("ds", VSEG_DS);
	GET("fs", VSEG_FS);
	GET("gs", VSEG_GS);
#undef GET
}

/* As native.h says: the LDT's, or flat ones. */
static void set_segments(struct ctx *x)
{
	struct vsegment *g = x->s.seg;
	u16 attr = SEG_P | SEG_S | SEG_DPL(3) | (x->mode == INSN_MODE_32 ? SEG_D : 0);

	host_selectors(&x->s);
	if (x->mode == INSN_MODE_64) {
		g[VSEG_GS].base = NATIVE_GS_BASE;
		return;
	}
	for (enum vseg k = VSEG_ES; k <= VSEG_GS; k++)
		if (k != VSEG_FS)
			g[k] = (struct vsegment){ .selector = native_data_selector(x->mode),
						  .base = (u64)x->n.buf, .attr = attr | 3,
						  .limit = NATIVE_BUF_SIZE - 1 };
	g[VSEG_CS].selector = native_code_selector(x->mode);
	g[VSEG_CS].base = (u64)x->n.code;
	g[VSEG_CS].limit = NATIVE_CS_LIMIT;
	g[VSEG_CS].attr = attr | 0xb;
	g[VSEG_GS].selector = native_gs_selector(x->mode);
	g[VSEG_GS].limit = NATIVE_GS_LIMIT;
	g[VSEG_GS].attr = attr | 7;
}

static void random_state(struct ctx *x)
{
	struct emul_state *s = &x->s;
	struct rng *r = &x->r;

	memset(s, 0, sizeof(*s));
	for (unsigned int k = 0; k < 16; k++)
		s->gpr[k] = random_value(r);
	s->gpr[4] = random_place(x) & ~7ULL;
	s->rip = x->mode == INSN_MODE_64 ? (u64)x->n.code : 0;
	s->rflags = RFLAGS_FIXED | RFLAGS_IF | (rng_next(r) & (CF | PF | AF | ZF | SF | OF));
	s->rflags |= rng_one_in(r, 3) ? RFLAGS_DF : 0;
	/* Whether 16-byte operands are checked is the CPU's choice (SDM2 MOVDQU). */
	if (rng_one_in(r, 32) && !(x->c->flags & C_MEM))
		s->rflags |= RFLAGS_AC;
	s->cr0 = CR0_PE | CR0_PG | CR0_AM | CR0_NE | CR0_MP;
	s->cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	s->cpl = 3;
	s->cpu = (__builtin_cpu_supports("bmi") ? EMUL_CPU_TZCNT : 0) |
		 (__builtin_cpu_supports("lzcnt") ? EMUL_CPU_LZCNT : 0);
	set_segments(x);
	for (unsigned int k = 0; k < 16; k++)
		for (unsigned int b = 0; b < 16; b++)
			x->n.xmm[k][b] = rng_next(r);
}

static void patch_disp(struct ctx *x, s64 disp)
{
	unsigned int at = x->i.len - x->i.imm_size - x->i.imm2_size - x->i.disp_size;

	memcpy(x->code + at, &disp, x->i.disp_size);
	assert_int_equal(insn_decode(&x->i, x->code, 15, x->mode), 0);
}

/* Only 64-bit code sees a base of GS that is not that of the buffer. */
static u64 gs_base(const struct ctx *x)
{
	return x->mode == INSN_MODE_64 && x->i.seg == INSN_GS ? NATIVE_GS_BASE : 0;
}

/* Outside 64-bit mode there are eight registers of 32 bits. */
static void legacy_registers(struct ctx *x)
{
	for (unsigned int k = 0; k < 16 && x->mode != INSN_MODE_64; k++)
		x->s.gpr[k] = k < 8 ? (u32)x->s.gpr[k] : 0;
}

/* Changes the displacement or a register so that the operand is at want. */
static void aim(struct ctx *x, u64 want)
{
	struct insn *i = &x->i;
	u64 *g = x->s.gpr, next = x->s.rip + i->len, delta;

	want -= gs_base(x);
	delta = want - insn_effective(i, g, next);
	if (i->flags & INSN_F_MOFFS)
		patch_disp(x, want);
	else if (i->base == INSN_REG_RIP)
		patch_disp(x, want - next);
	else if (i->base == INSN_REG_NONE && i->index == INSN_REG_NONE)
		patch_disp(x, want);
	else if (i->base == INSN_REG_NONE)
		g[i->index] = (want - i->disp) >> i->scale;
	else if (i->base == i->index)
		g[i->base] = (want - i->disp) / (1 + (1u << i->scale));
	else if (i->addr_size == 2)
		g[i->base] = (g[i->base] & ~0xffffULL) | ((g[i->base] + delta) & 0xffff);
	else
		g[i->base] += delta;
	legacy_registers(x);
}

static u64 operand_linear(const struct ctx *x)
{
	return insn_effective(&x->i, x->s.gpr, x->s.rip + x->i.len) + gs_base(x) +
	       data_base(x);
}

/* The value in the emulator's memory where the operand will be; else random. */
static u64 operand_value(struct ctx *x, unsigned int off)
{
	u64 v = 0;

	if (!insn_has_mem(&x->i))
		return x->s.gpr[x->i.rm & 15];
	(void)!mem_read(x, operand_linear(x) + off, &v, 8);
	return v;
}

/* Registers that make the interesting case likely. */
static void bias(struct ctx *x)
{
	u64 *g = x->s.gpr;
	struct rng *r = &x->r;
	u16 f = x->c->flags;

	if (f & C_REP) {
		u64 upper = x->i.addr_size == 4 ? rng_next(r) << 32 : 0;

		g[1] = rng_below(r, 40) | upper;
		g[6] = random_place(x) | upper;
		g[7] = random_place(x) | upper;
		g[6] -= gs_base(x);
		if (rng_one_in(r, 2))
			memset(x->shadow + 0x4000, rng_next(r), 0x8000);
	}
	if (f & C_BITS)
		g[x->i.reg] = rng_below(r, 0x8000) - 0x4000;
	if (f & C_XLAT) {
		g[3] = random_place(x) - (g[0] & 0xff) - gs_base(x);
	}
	/* ENTER, LEAVE; frames of up to 8 KiB. */
	if (f & C_STACK && (x->i.opcode & 0xfe) == 0xc8) {
		g[5] = random_place(x);
		if (x->i.imm2_size)
			x->code[x->i.len - 2] &= 0x1f;
		(void)!insn_decode(&x->i, x->code, 15, x->mode);
	}
	if (f & C_DIV && !rng_one_in(r, 4))
		g[2] = x->i.op_size == 8 && rng_one_in(r, 2) && (x->i.reg & 7) == 7 ?
		       (u64)((s64)g[0] >> 63) : operand_value(x, 0) >> (1 + rng_below(r, 60));
	if (f & C_CMP && rng_one_in(r, 2))
		g[0] = operand_value(x, 0);
	legacy_registers(x);
}

static void bias_pair(struct ctx *x)
{
	unsigned int half = x->i.op_size;

	if (x->c->flags & C_CMP8 && rng_one_in(&x->r, 2)) {
		x->s.gpr[0] = operand_value(x, 0);
		x->s.gpr[2] = operand_value(x, half);
	}
	legacy_registers(x);
}

/* --- comparison --- */

/* Flags of shifts that the manuals leave open: APM3 SAL, ROL, SHLD. */
static u64 shift_undefined(const struct ctx *x)
{
	const struct insn *i = &x->i;
	bool twin = i->map == INSN_MAP_0F, rotate = !twin && (i->reg & 7) < 4;
	unsigned int bits = 8 * i->op_size, count = 1;

	if (i->imm_size)
		count = i->imm;
	else if (twin || (i->opcode & 0xfe) == 0xd2)
		count = x->start[1];
	count &= bits == 64 ? 63 : 31;
	if (!count)
		return 0;
	return (rotate ? 0 : AF) | (count != 1 ? OF : 0) |
	       (!rotate && count > bits ? CF | (twin ? SF | ZF | PF : 0) : 0);
}

static bool is_rep(const struct ctx *x)
{
	return insn_is_string(&x->i) && x->i.prefixes & (INSN_PFX_REP | INSN_PFX_REPNE);
}

/*
 * The processor's choice: whether a REP that got nowhere, for ECX = 0 or a fault,
 * makes RCX, RSI and RDI 32-bit results.
 */
static void ignore_halves(struct ctx *x)
{
	const struct { bool on; u8 reg; u64 mask; } choice[] = {
		{ is_rep(x) && x->i.addr_size == 4, VREG_RCX, BITS(63, 32) },
		{ is_rep(x) && x->i.addr_size == 4, VREG_RSI, BITS(63, 32) },
		{ is_rep(x) && x->i.addr_size == 4, VREG_RDI, BITS(63, 32) },
	};

	for (unsigned int k = 0; k < ARRAY_SIZE(choice); k++) {
		u64 *native = &x->n.gpr[choice[k].reg];

		if (choice[k].on)
			*native = (*native & ~choice[k].mask) |
				  (x->s.gpr[choice[k].reg] & choice[k].mask);
	}
}

static u64 undefined_flags(const struct ctx *x)
{
	u64 und = x->c->und;

	if (x->c->flags & C_SHIFT)
		und |= shift_undefined(x);
	if (x->fault.type != EVENT_NONE)
		und = 0;
	/*
	 * A fault in REP CMPS and SCAS: SDM2 REP has the flags from before the
	 * instruction, other processors those of the last iteration.
	 */
	if (x->fault.type != EVENT_NONE && is_rep(x))
		und |= RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;
	return und | RFLAGS_RF;
}

/* Results that are undefined altogether. */
static bool undefined_result(const struct ctx *x)
{
	const struct insn *i = &x->i;
	unsigned int count = i->imm_size ? i->imm : x->s.gpr[1];

	/* 66 MOVSXD reads 32 bits on AMD, 16 on Intel: only #AC can tell. */
	if (insn_is(i, INSN_MAP_1, 0x63))
		return i->op_size == 2 && x->s.rflags & RFLAGS_AC;
	/* ENTER of 32 bits on a 16-bit stack: processors differ in EBP 31:16. */
	if (insn_is(i, INSN_MAP_1, 0xc8))
		return x->mode == INSN_MODE_16 && i->op_size == 4;
	if (i->map != INSN_MAP_0F || i->op_size != 2)
		return false;
	/* BSWAP r16; SHLD and SHRD by more than the operand */
	return (i->opcode & 0xf8) == 0xc8 ||
	       (x->c->flags & C_SHIFT && (count & 31) > 16);
}

static void dump(const struct ctx *x, const char *what)
{
	print_error("%s:", what);
	for (unsigned int k = 0; k < x->i.len; k++)
		print_error(" %02x", x->code[k]);
	print_error("\n");
	for (unsigned int k = 0; k < 16; k++)
		print_error("  r%-2u %016llx emul %016llx native %016llx%s\n", k,
			    (unsigned long long)x->start[k],
			    (unsigned long long)x->s.gpr[k],
			    (unsigned long long)x->n.gpr[k],
			    x->s.gpr[k] == x->n.gpr[k] ? "" : " <--");
	print_error("  flags emul %llx native %llx undefined %llx\n",
		    (unsigned long long)x->s.rflags, (unsigned long long)x->n.rflags,
		    (unsigned long long)undefined_flags(x));
	print_error("  fault %d/%u native %d\n", x->fault.type, x->fault.vector, x->n.trap);
	fail();
}

static void compare(struct ctx *x, int err)
{
	int want = err == -EFAULT ? x->fault.vector : -1;

	/* Bits 63:32 and R8-R15 are undefined after a switch back from 32 bits. */
	for (unsigned int k = 0; k < 16 && x->mode != INSN_MODE_64; k++)
		x->n.gpr[k] = k < 8 ? (u32)x->n.gpr[k] : x->s.gpr[k];
	ignore_halves(x);
	/*
	 * APM2 8.2.9, SDM3 6.9: of two operands, one misaligned and one beyond its
	 * segment, which comes first is the processor's choice.
	 */
	if (x->n.trap == VEC_AC && (want == VEC_GP || want == VEC_SS) &&
	    x->s.rflags & RFLAGS_AC)
		want = VEC_AC;
	if (x->n.trap != want)
		dump(x, "exception");
	if (memcmp(x->s.gpr, x->n.gpr, sizeof(x->s.gpr)))
		dump(x, "registers");
	if ((x->s.rflags ^ x->n.rflags) & ~undefined_flags(x))
		dump(x, "flags");
	if (memcmp(x->shadow, x->n.buf, NATIVE_BUF_SIZE))
		dump(x, "memory");
	if (memcmp(x->xmm, x->n.xmm, sizeof(x->xmm)))
		dump(x, "vector registers");
	assert_int_equal(x->s.rip, (x->mode == INSN_MODE_64 ? (u64)x->n.code : 0) +
			 (err ? 0 : x->i.len));
	x->compared++;
	x->by_class[x->c - classes]++;
	x->faults += err != 0;
}

/* LOCK where it is not allowed: the decoder says so, the CPU must too. */
static void check_lock_ud(struct ctx *x)
{
	bool lock = false;

	for (unsigned int k = 0; k < 6; k++)
		lock |= x->code[k] == 0xf0;
	if (!lock)
		return;
	memcpy(x->n.code, x->code, sizeof(x->code));
	memcpy(x->n.gpr, x->s.gpr, sizeof(x->n.gpr));
	x->n.rflags = x->s.rflags;
	native_run(&x->n, x->mode, sizeof(x->code));
	if (x->n.trap != VEC_UD)
		dump(x, "LOCK that the decoder refuses");
	x->faults++;
}

/* The emulator goes first: a case it leads out of the buffer is dropped. */
static void one_case(struct ctx *x)
{
	int err;

	make_bytes(x);
	random_state(x);
	if (insn_decode(&x->i, x->code, 15, x->mode)) {
		check_lock_ud(x);
		return;
	}
	if (insn_has_mem(&x->i) || x->i.flags & INSN_F_MOFFS)
		aim(x, random_place(x));
	bias(x);
	if (insn_has_mem(&x->i))
		aim(x, random_place(x));
	bias_pair(x);
	memcpy(x->n.buf, x->shadow, NATIVE_BUF_SIZE);
	memcpy(x->n.code, x->code, x->i.len);
	memcpy(x->n.gpr, x->s.gpr, sizeof(x->n.gpr));
	memcpy(x->start, x->s.gpr, sizeof(x->start));
	memcpy(x->xmm, x->n.xmm, sizeof(x->xmm));
	x->n.rflags = x->s.rflags;
	if (undefined_result(x))
		return;
	err = emul_insn(&x->s, &x->i, &emul_ops, x, &x->fault);
	if (err == -EIO) {
		memcpy(x->shadow, x->n.buf, NATIVE_BUF_SIZE);
		x->skipped++;
		return;
	}
	if (err && err != -EFAULT)
		dump(x, "result");
	native_run(&x->n, x->mode, x->i.len);
	compare(x, err);
}

static void against_cpu(enum insn_mode mode)
{
	static struct ctx x;
	unsigned int floor = CASES / ARRAY_SIZE(classes) / 8;

	memset(&x, 0, sizeof(x));
	x.mode = mode;
	if (native_init(&x.n, mode)) {
		print_message("this host does not allow it\n");
		skip();
	}
	x.r = rng_seed(SEED + mode);
	for (unsigned int k = 0; k < NATIVE_BUF_SIZE; k++)
		x.shadow[k] = rng_next(&x.r);
	while (x.compared < CASES)
		one_case(&x);
	print_message("%u cases, %u of them exceptions, %u dropped\n", x.compared,
		      x.faults, x.skipped);
	/* Every row took part. */
	for (unsigned int k = 0; k < ARRAY_SIZE(classes); k++)
		if (in_mode(&classes[k], mode))
			assert_true(x.by_class[k] > floor);
	assert_true(x.faults > CASES / 100);
	assert_true(x.skipped < CASES / 4);
}

static void long_mode(void **state)
{
	against_cpu(INSN_MODE_64);
}

static void segments_32(void **state)
{
	against_cpu(INSN_MODE_32);
}

static void segments_16(void **state)
{
	against_cpu(INSN_MODE_16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_mode),
		cmocka_unit_test(segments_32),
		cmocka_unit_test(segments_16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
