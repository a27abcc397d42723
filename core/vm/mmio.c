/* SPDX-License-Identifier: MIT */
#include "core/vm/mmio.h"

#include "core/lib/string.h"
#include "core/mm/pt_walk.h"
#include "core/vm/emul.h"
#include "core/vm/pc.h"
#include "core/vm/run.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/regs.h"

struct mmio_ctx {
	struct vcpu *v;
	struct event *fault;	/* of emul_insn */
	u64 cr0;		/* before the instruction */
	u64 gpa;		/* of the only operand, which the CPU translated; ~0: unknown */
	bool user;
	bool write;		/* ... for writing */
	bool done;		/* a device ended the guest */
};

/*
 * The CPU has walked the guest's tables for what it reported: with one operand
 * in memory, at the same offset in its page, that is the answer.
 */
static bool is_known(const struct mmio_ctx *c, u64 linear, unsigned int n, bool write)
{
	u64 off = linear & ~PAGE_MASK;

	return c->gpa != ~0ULL && (c->gpa & ~PAGE_MASK) == off && off + n <= PAGE_SIZE &&
	       (c->write || !write);
}

static u32 operand_access(const struct mmio_ctx *c, bool write)
{
	return (write ? PTA_WRITE : PTA_READ) | (c->user ? PTA_USER : 0);
}

/* access: PTA_ bits. */
static int translate(const struct mmio_ctx *c, u64 linear, unsigned int n, u32 access, u64 *gpa)
{
	if (likely(is_known(c, linear, n, access & PTA_WRITE))) {
		*gpa = c->gpa;
		return 0;
	}
	return vcpu_translate(c->v, linear, access, gpa, c->fault);
}

/* A piece of an access that lies in one page, naturally split for the bus. */
static unsigned int piece(u64 gpa, unsigned int n)
{
	unsigned int size = 8;

	n = MIN(n, (unsigned int)(PAGE_SIZE - (gpa & (PAGE_SIZE - 1))));
	while (size > n)
		size /= 2;
	return size;
}

/* Memory that the guest may write; ROM ignores it. */
static bool writable(struct vcpu *v, u64 gpa)
{
	return !(gmem_slot(&v->vm->mem, gpa)->flags & GMEM_RO);
}

static void bus_piece(struct mmio_ctx *c, u64 gpa, void *buf, unsigned int size, bool write)
{
	struct vcpu *v = c->v;
	u64 val = 0;
	void *mem;

	if (write)
		memcpy(&val, buf, size);
	/* The APIC page lies over whatever else is there (SDM3 11.4.1). */
	if (!v->apic || !vcpu_apic_mmio(v, gpa, (u8)size, write, &val)) {
		mem = gmem_ptr(&v->vm->mem, gpa, size);
		if (mem && write && writable(v, gpa))
			memcpy(mem, buf, size);
		else if (mem && !write)
			memcpy(buf, mem, size);
		if (mem)
			return;
		if (vcpu_bus_stops(v, vcpu_bus_mmio(v, gpa, (u8)size, write, &val)))
			c->done = true;
	}
	if (!write)
		memcpy(buf, &val, size);
}

static int transfer_as(struct mmio_ctx *c, u64 linear, u8 *buf, unsigned int n, u32 access)
{
	bool write = access & PTA_WRITE;
	u64 gpa[2];
	u64 next = ALIGN_DOWN(linear, PAGE_SIZE) + PAGE_SIZE;
	int err;

	/* Both pages first: nothing is half done when the second faults. */
	err = translate(c, linear, n, access, &gpa[0]);
	if (!err && linear + n > next)
		err = translate(c, next, 1, access, &gpa[1]);
	if (err)
		return err;
	while (n) {
		u64 at = linear < next ? gpa[0] : gpa[1];
		unsigned int size = piece(at, n);

		bus_piece(c, at, buf, size, write);
		if (linear < next)
			gpa[0] += size;
		else
			gpa[1] += size;
		linear += size;
		buf += size;
		n -= size;
	}
	return 0;
}

static int transfer(struct mmio_ctx *c, u64 linear, u8 *buf, unsigned int n, bool write)
{
	return transfer_as(c, linear, buf, n, operand_access(c, write));
}

static int mmio_read(void *ctx, u64 linear, void *buf, unsigned int n)
{
	return transfer(ctx, linear, buf, n, false);
}

static int mmio_write(void *ctx, u64 linear, const void *buf, unsigned int n)
{
	return transfer(ctx, linear, (u8 *)buf, n, true);
}

static void get_table(void *ctx, enum vseg which, struct vsegment *out)
{
	virt->get_seg(((struct mmio_ctx *)ctx)->v, which, out);
}

static int read_desc(void *ctx, u64 linear, void *buf, unsigned int n)
{
	return transfer_as(ctx, linear, buf, n, PTA_READ | PTA_IMPLICIT);
}

static int write_desc(void *ctx, u64 linear, const void *buf, unsigned int n)
{
	return transfer_as(ctx, linear, (u8 *)buf, n, PTA_WRITE | PTA_IMPLICIT);
}

static int mmio_probe_write(void *ctx, u64 linear, unsigned int n)
{
	struct mmio_ctx *c = ctx;
	u32 access = operand_access(c, true);
	u64 gpa, next = ALIGN_DOWN(linear, PAGE_SIZE) + PAGE_SIZE;
	int err = translate(c, linear, n, access, &gpa);

	if (!err && linear + n > next)
		err = translate(c, next, 1, access, &gpa);
	return err;
}

/*
 * A locked store: atomic where the operand is memory that other vCPUs share.
 * A device was read once already and is written once.
 */
static int mmio_cmpxchg(void *ctx, u64 linear, const void *expected, const void *desired,
			unsigned int n)
{
	struct mmio_ctx *c = ctx;
	u64 gpa, old = 0, new = 0;
	void *mem;
	int err = translate(c, linear, n, operand_access(c, true), &gpa);

	if (err)
		return err;
	mem = n <= 8 && IS_ALIGNED(gpa, n) ? gmem_ptr(&c->v->vm->mem, gpa, n) : NULL;
	if (!mem || !writable(c->v, gpa))
		return transfer(c, linear, (u8 *)desired, n, true);
	memcpy(&old, expected, n);
	memcpy(&new, desired, n);
	switch (n) {
	case 1: return !__sync_bool_compare_and_swap((u8 *)mem, (u8)old, (u8)new);
	case 2: return !__sync_bool_compare_and_swap((u16 *)mem, (u16)old, (u16)new);
	case 4: return !__sync_bool_compare_and_swap((u32 *)mem, (u32)old, (u32)new);
	default: return !__sync_bool_compare_and_swap((u64 *)mem, old, new);
	}
}

/*
 * The guest's vector registers are in the CPU.  While the vCPU is loaded its
 * XSAVE area is free, and serves as the way in and out.
 * SDM1 10.5.1: FXSAVE has ST/MM at 32, XMM at 160, 16 bytes each.
 */
#define FX_MM	32
#define FX_XMM	160
#define AVX	2		/* state component of YMM_Hi128 (SDM1 13.1) */

static u8 *ymm_high(struct vcpu *v, unsigned int reg)
{
	return (u8 *)v->xsave + run_policy.caps->xstate[AVX].offset + 16 * reg;
}

static void state_save(struct vcpu *v, bool avx)
{
	if (avx)
		__asm__ volatile("xsave64 (%0)" :: "r"(v->xsave), "a"(7), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" :: "r"(v->xsave) : "memory");
}

static void state_restore(struct vcpu *v, bool avx)
{
	if (!avx) {
		__asm__ volatile("fxrstor64 (%0)" :: "r"(v->xsave) : "memory");
		return;
	}
	/* XSTATE_BV: all three are meant, whatever was in its initial state. */
	*(u64 *)((u8 *)v->xsave + 512) = 7;
	__asm__ volatile("xrstor64 (%0)" :: "r"(v->xsave), "a"(7), "d"(0) : "memory");
}

static u8 *vec_low(struct vcpu *v, unsigned int reg)
{
	u8 *area = v->xsave;

	return reg & EMUL_VEC_MMX ? area + FX_MM + 16 * (reg & 7) : area + FX_XMM + 16 * (reg & 15);
}

static bool have_avx(void)
{
	return read_cr4() & CR4_OSXSAVE && (xgetbv(0) & 7) == 7;
}

static int vec_get(void *ctx, unsigned int reg, void *buf, unsigned int n)
{
	struct vcpu *v = ((struct mmio_ctx *)ctx)->v;
	bool avx = n > 16;

	if (n > 32 || (avx && !have_avx()))
		return -EOPNOTSUPP;
	state_save(v, avx);
	memcpy(buf, vec_low(v, reg), MIN(n, 16u));
	if (avx)
		memcpy((u8 *)buf + 16, ymm_high(v, reg), 16);
	return 0;
}

static int vec_set(void *ctx, unsigned int reg, const void *buf, unsigned int n, bool clear_upper)
{
	struct vcpu *v = ((struct mmio_ctx *)ctx)->v;
	bool avx = n > 16 || clear_upper;

	if (n > 32 || (avx && !have_avx()))
		return -EOPNOTSUPP;
	state_save(v, avx);
	if (clear_upper) {
		memset(vec_low(v, reg), 0, 16);
		memset(ymm_high(v, reg), 0, 16);
	}
	memcpy(vec_low(v, reg), buf, MIN(n, 16u));
	if (n > 16)
		memcpy(ymm_high(v, reg), (const u8 *)buf + 16, 16);
	state_restore(v, avx);
	return 0;
}

static const struct emul_ops ops = {
	.read = mmio_read, .write = mmio_write, .probe_write = mmio_probe_write,
	.cmpxchg = mmio_cmpxchg,
	.vec_get = vec_get, .vec_set = vec_set,
	.get_table = get_table, .read_desc = read_desc, .write_desc = write_desc,
};

int mmio_access(struct vcpu *v, u64 linear, void *buf, unsigned int n, bool write, bool *stop,
		struct event *fault)
{
	struct mmio_ctx c = { .v = v, .fault = fault, .gpa = ~0ULL };
	struct vsegment ss;
	int err;

	virt->get_seg(v, VSEG_SS, &ss);
	c.user = (ss.attr >> 5 & 3) == 3;
	err = transfer(&c, linear, buf, n, write);
	*stop |= c.done;
	return err;
}

/*
 * What emul_insn looks at for i.  64-bit code has only the bases of FS and GS
 * (emul.h), and the selectors that MOV from a segment register stores.
 */
static void state_from_vcpu(struct vcpu *v, const struct insn *i, bool one, struct emul_state *s)
{
	bool all = i->mode != INSN_MODE_64 || !one;

	memcpy(s->gpr, v->gpr, sizeof(s->gpr));
	s->rip = v->rip;
	s->rflags = v->rflags;
	s->cr0 = virt->get(v, VREG_CR0);
	s->cr4 = virt->get(v, VREG_CR4);
	if (!one)
		s->efer = virt->get(v, VREG_EFER);
	for (enum vseg n = VSEG_ES; n <= VSEG_GS; n++)
		if (all || n == VSEG_SS || (n >= VSEG_FS && n == i->seg))
			virt->get_seg(v, n, &s->seg[n]);
	s->cpl = s->seg[VSEG_SS].attr >> 5 & 3;
	s->cpu = (run_policy.caps->bmi1 ? EMUL_CPU_TZCNT : 0) |
		 (run_policy.caps->lzcnt ? EMUL_CPU_LZCNT : 0);
}

/* Segment registers that were loaded, CR0 by LMSW; false: that is #GP. */
static bool store_control(struct vcpu *v, const struct emul_state *s, u64 cr0)
{
	for (u32 left = s->loaded; left; left &= left - 1) {
		enum vseg which = (enum vseg)__builtin_ctz(left);

		virt->set_seg(v, which, &s->seg[which]);
	}
	return s->cr0 == cr0 || vcpu_write_cr0(v, s->cr0);
}

static enum verdict finish(struct vcpu *v, const struct emul_state *s, int ret,
			   const struct mmio_ctx *c)
{
	memcpy(v->gpr, s->gpr, sizeof(v->gpr));
	if (ret == -EFAULT)
		return vcpu_inject(v, *c->fault);
	if (ret == 0) {
		if (!store_control(v, s, c->cr0))
			return vcpu_inject_gp(v);
		/* TF counts as it was before the instruction. */
		vcpu_retire(v, s->rip);
		v->rflags = s->rflags;
		if (s->shadow)
			virt->set(v, VREG_INT_SHADOW, 1);
	}
	return c->done ? VERDICT_STOP : VERDICT_RESUME;
}

/*
 * Does what was being delivered have its gate where no memory is?  Not in real mode: all
 * ones are a vector there as any other.
 */
static bool gate_is_lost(struct vcpu *v)
{
	const bool in_long = virt->get(v, VREG_EFER) & EFER_LMA;
	struct vsegment idtr;
	struct event fault;
	u64 linear, gpa;

	if (!(virt->get(v, VREG_CR0) & CR0_PE))
		return false;
	virt->get_seg(v, VSEG_IDTR, &idtr);
	linear = idtr.base + v->exit.idt.vector * (in_long ? 16u : 8u);
	return !vcpu_translate(v, in_long ? linear : (u32)linear, PTA_READ | PTA_IMPLICIT, &gpa,
			       &fault) &&
	       !((gpa ^ v->exit.npf.gpa) & PAGE_MASK) && !gmem_ptr(&v->vm->mem, gpa, 1);
}

/*
 * RIP is not at what made the access: descriptor tables, stack or TSS did.  A gate of all
 * ones is none (APM2 8.2.14, SDM3 6.15).
 */
static enum verdict lost_in_delivery(struct vcpu *v)
{
	const struct event *e = &v->exit.idt;
	const bool external = e->type != EVENT_SOFT_INT && e->type != EVENT_SOFT_EXC;

	if (gate_is_lost(v))
		return vcpu_inject(v, event_exception_err(VEC_GP, e->vector * 8u + 2 + external));
	return vcpu_give_up(v, "delivery of vector %u needs %llx, which is no memory", e->vector,
			    (unsigned long long)v->exit.npf.gpa);
}

enum verdict mmio_exit(struct vcpu *v)
{
	const struct exit_npf *f = &v->exit.npf;
	struct event fault;
	struct mmio_ctx c = { .v = v, .fault = &fault, .write = f->write };
	struct emul_state s;
	struct insn insn;
	bool one;
	int ret;

	v->stat.mmio_exits++;
	if (v->exit.idt.type != EVENT_NONE)
		return lost_in_delivery(v);
	if (f->exec || f->table_walk)
		return vcpu_give_up(v, "%s at %llx, which is no memory",
				 f->exec ? "instruction fetch" : "page-table walk",
				 (unsigned long long)f->gpa);
	if (vcpu_decode(v, &insn, 0))
		return vcpu_give_up(v, "cannot decode the access to %llx",
				 (unsigned long long)f->gpa);
	/* Done by the CPU itself, it finds out here that the VMCB is no memory. */
	if (unlikely(v->nested) && insn_is_vmload(&insn))
		return vcpu_inject_gp(v);
	/* Of a CPU that has not said that it was delivering: Bochs' INT n. */
	if (unlikely(insn_is(&insn, INSN_MAP_1, 0xcd))) {
		v->exit.idt = (struct event){ .type = EVENT_SOFT_INT, .vector = (u8)insn.imm };
		return lost_in_delivery(v);
	}
	one = emul_one_operand(&insn);
	state_from_vcpu(v, &insn, one, &s);
	c.user = s.cpl == 3;
	c.cr0 = s.cr0;
	c.gpa = one ? f->gpa : ~0ULL;
	ret = emul_insn(&s, &insn, &ops, &c, &fault);
	v->stat.insn_emulation++;
	v->stat.insn_emulation_fail += ret < 0 && ret != -EFAULT;
	if (ret < 0 && ret != -EFAULT)
		return vcpu_give_up(v, "opcode %x/%02x on %llx is not emulated",
				 insn.map, insn.opcode, (unsigned long long)f->gpa);
	return finish(v, &s, ret, &c);
}
