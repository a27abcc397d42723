/* SPDX-License-Identifier: MIT */
/* A guest's memory as its own instructions see it. */
#include "core/vm/vcpu.h"

#include "core/lib/string.h"
#include "core/mm/pt_walk.h"
#include "core/vm/insn.h"
#include "core/vm/nested.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"

/* A walk of a guest's tables: where they are, and what L1 says to that. */
struct walk {
	struct vcpu *v;
	struct event fault;	/* EVENT_NPF; EVENT_NONE: no trouble with L1 */
};

/* The guest's own physical address, which L1 may have to translate. */
static int to_l1(struct walk *w, u64 *gpa, u32 access)
{
	if (!vcpu_is_nested_paged(w->v))
		return 0;
	return virt->nested->translate(w->v, *gpa, access, gpa, &w->fault);
}

static int mem_read(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	struct walk *w = ctx;

	return to_l1(w, &gpa, PTA_READ | PTA_TABLE) ? -EFAULT :
						      gmem_read(&w->v->vm->mem, gpa, buf, len);
}

/* Of a table in ROM the accessed and dirty bits stay as they are: the write is dropped. */
static int mem_cmpxchg(void *ctx, u64 gpa, u64 old, u64 new, unsigned int len)
{
	struct walk *w = ctx;
	void *p;
	bool ok;

	if (to_l1(w, &gpa, PTA_WRITE | PTA_TABLE))
		return -EFAULT;
	p = gmem_ptr_rw(&w->v->vm->mem, gpa, len);
	if (!p)
		return gmem_ptr(&w->v->vm->mem, gpa, len) ? 0 : -EFAULT;
	if (len == 8)
		ok = __sync_bool_compare_and_swap((u64 *)p, old, new);
	else
		ok = __sync_bool_compare_and_swap((u32 *)p, (u32)old, (u32)new);
	return ok ? 0 : -EAGAIN;
}

static void walk_env(struct walk *w, struct pt_walk_env *env)
{
	struct vcpu *v = w->v;

	*env = (struct pt_walk_env){
		.cr0 = virt->get(v, VREG_CR0), .cr3 = virt->get(v, VREG_CR3),
		.cr4 = virt->get(v, VREG_CR4), .efer = virt->get(v, VREG_EFER),
		.rflags = v->rflags, .maxphyaddr = run_policy.maxphyaddr,
		.page1g = run_policy.page1g, .amd = virt->vendor == VIRT_SVM, .set_ad = true,
		.mem = { mem_read, mem_cmpxchg, w },
	};
	/*
	 * The processor has checked the four PDPTEs (SDM3 4.4.1), and they are
	 * taken as they are: QEMU 7.2 excp_helper.c mmu_translate() sets the
	 * accessed bit in them, which is reserved.
	 */
	if (env->cr0 & CR0_PG && env->cr4 & CR4_PAE && !(env->efer & EFER_LMA))
		env->use_pdptr = !mem_read(w, env->cr3 & BITS(31, 5), env->pdptr,
					   sizeof(env->pdptr));
}

int vcpu_translate(struct vcpu *v, u64 linear, u32 access, u64 *gpa, struct event *fault)
{
	struct walk w = { .v = v };
	struct pt_walk_env env;
	struct pt_walk_result res;
	int err;

	walk_env(&w, &env);
	err = pt_walk(&env, linear, access, &res);
	if (!err) {
		*gpa = res.gpa;
		err = to_l1(&w, gpa, access);
		if (!err)
			return 0;
	}
	if (w.fault.type == EVENT_NPF) {
		*fault = w.fault;
	} else if (err == -EFAULT) {
		*fault = event_exception_err(VEC_PF, res.error_code);
		fault->payload = linear;
	} else {
		*fault = event_exception_err(VEC_GP, 0);
	}
	return -EFAULT;
}

static int copy_linear(struct vcpu *v, u64 linear, u8 *buf, u64 len, u32 access,
		       struct event *fault)
{
	while (len) {
		u64 n = MIN(len, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
		u64 gpa;
		int err = vcpu_translate(v, linear, access, &gpa, fault);

		if (err)
			return err;
		/* What is no memory reads all ones and ignores writes. */
		if (access & PTA_WRITE)
			err = gmem_write(&v->vm->mem, gpa, buf, n);
		else
			err = gmem_read(&v->vm->mem, gpa, buf, n);
		if (err && !(access & PTA_WRITE))
			memset(buf, 0xff, n);
		linear += n;
		buf += n;
		len -= n;
	}
	return 0;
}

/* CPL 3 accesses are user accesses: SS.DPL is the CPL (APM2 4.9.1). */
static u32 user_bit(struct vcpu *v)
{
	struct vsegment ss;

	virt->get_seg(v, VSEG_SS, &ss);
	return (ss.attr >> 5 & 3) == 3 ? PTA_USER : 0;
}

int vcpu_read(struct vcpu *v, u64 linear, void *buf, u64 len, struct event *fault)
{
	return copy_linear(v, linear, buf, len, PTA_READ | user_bit(v), fault);
}

int vcpu_write(struct vcpu *v, u64 linear, const void *buf, u64 len, struct event *fault)
{
	return copy_linear(v, linear, (u8 *)buf, len, PTA_WRITE | user_bit(v), fault);
}

int vcpu_probe_write(struct vcpu *v, u64 linear, u64 len, struct event *fault)
{
	u32 access = PTA_WRITE | user_bit(v);
	u64 last = linear + len - 1;
	u64 gpa;
	int err = vcpu_translate(v, linear, access, &gpa, fault);

	if (err || !((linear ^ last) & PAGE_MASK))
		return err;
	return vcpu_translate(v, last & PAGE_MASK, access, &gpa, fault);
}

static int fetch(struct vcpu *v, u64 linear, void *buf, unsigned int n)
{
	struct event fault;

	return copy_linear(v, linear, buf, n, PTA_EXEC | user_bit(v), &fault);
}

/*
 * 4-level walk for a fetch that the CPU itself has just made: no permissions
 * to check, no accessed bits to set.  Fills path[] from the top and returns
 * the guest-physical address of the page, or ~0 for anything unusual.
 */
static u64 walk_code(struct walk *w, u64 cr3, u64 va, const u64 **path)
{
	u64 table = cr3 & PTE_ADDR;

	for (int shift = 39; shift >= 12; shift -= 9) {
		u64 at = table + (va >> shift & 511) * 8, size = 1ULL << shift, e;
		const u64 *p = to_l1(w, &at, PTA_READ | PTA_TABLE) ? NULL :
			       gmem_ptr(&w->v->vm->mem, at, 8);

		if (!p)
			break;
		e = READ_ONCE(*p);
		if (!(e & PTE_P))
			break;
		*path++ = p;
		if (shift == 12 || (e & PTE_PS && shift < 39))
			return (e & PTE_ADDR & ~(size - 1)) | (va & (size - 1) & PAGE_MASK);
		table = e & PTE_ADDR;
	}
	return ~0ULL;
}

/* Walks the guest's tables for a page of code and remembers the way. */
static bool code_page_fill(struct vcpu *v, struct code_page *c, u64 page, u64 cr3)
{
	const u64 *path[4] = { NULL };
	struct walk w = { .v = v };
	u64 gpa;

	c->linear = ~0ULL;
	if (virt->get(v, VREG_CR4) & CR4_LA57)
		return false;
	gpa = walk_code(&w, cr3, page, path);
	if (gpa == ~0ULL || to_l1(&w, &gpa, PTA_EXEC))
		return false;
	c->host = gmem_ptr(&v->vm->mem, gpa, PAGE_SIZE);
	if (!c->host)
		return false;
	for (unsigned int i = 0; i < 4; i++) {
		c->entry[i] = path[i] ? path[i] : c->entry[i - 1];
		c->value[i] = READ_ONCE(*c->entry[i]);
	}
	c->cr3 = cr3;
	c->linear = page;
	c->l2_gen = v->l2_gen;
	return true;
}

static inline bool code_page_valid(const struct code_page *c, u64 page, u64 cr3, u64 l2_gen)
{
	return c->linear == page && c->cr3 == cr3 && c->l2_gen == l2_gen &&
	       READ_ONCE(*c->entry[3]) == c->value[3] && READ_ONCE(*c->entry[2]) == c->value[2] &&
	       READ_ONCE(*c->entry[1]) == c->value[1] && READ_ONCE(*c->entry[0]) == c->value[0];
}

static inline struct code_page *code_page_of(struct vcpu *v)
{
	return &v->code[v->rip / PAGE_SIZE % CODE_PAGES];
}

static __attribute__((noinline)) const u8 *code_seek(struct vcpu *v)
{
	struct code_page *c = code_page_of(v);
	u64 page = v->rip & PAGE_MASK;

	if (v->rip - page > PAGE_SIZE - INSN_MAX_LEN ||
	    !code_page_fill(v, c, page, virt->get(v, VREG_CR3)))
		return NULL;
	return c->host + (v->rip - page);
}

/*
 * 64-bit code at RIP that lies within a page: usually one seen before, which
 * costs no table walk.  INSN_MAX_LEN bytes that the guest may be changing, or
 * NULL.
 */
static inline const u8 *code_at_rip(struct vcpu *v)
{
	u64 cr3 = virt->get(v, VREG_CR3), off = v->rip & ~PAGE_MASK;
	const struct code_page *c = code_page_of(v);

	if (likely(off <= PAGE_SIZE - INSN_MAX_LEN &&
		   code_page_valid(c, v->rip - off, cr3, v->l2_gen)))
		return c->host + off;
	return code_seek(v);
}

static u64 code_linear(struct vcpu *v)
{
	struct vsegment cs;

	if (virt->mode(v) == INSN_MODE_64)
		return v->rip;
	virt->get_seg(v, VSEG_CS, &cs);
	return (u32)(cs.base + v->rip);
}

/*
 * The bytes at RIP that are in its page, all of them where that page was seen
 * before.  Returns how many; 0: they cannot be fetched.
 */
static unsigned int code_of_page(struct vcpu *v, enum insn_mode mode, u8 *code)
{
	const u8 *seen = mode == INSN_MODE_64 ? code_at_rip(v) : NULL;
	unsigned int n;
	u64 linear;

	if (seen) {
		memcpy(code, seen, INSN_MAX_LEN);
		return INSN_MAX_LEN;
	}
	linear = code_linear(v);
	n = (unsigned int)MIN(PAGE_SIZE - (linear & ~PAGE_MASK), (u64)INSN_MAX_LEN);
	return fetch(v, linear, code, n) ? 0 : n;
}

/* Behind code_of_page's n bytes: those of the next page.  0 or -EFAULT. */
static int code_behind(struct vcpu *v, u8 *code, unsigned int n)
{
	return fetch(v, code_linear(v) + n, code + n, INSN_MAX_LEN - n) ? -EFAULT : 0;
}

int vcpu_decode(struct vcpu *v, struct insn *i, unsigned int rules)
{
	enum insn_mode mode = virt->mode(v);
	u8 code[INSN_MAX_LEN];
	unsigned int n = code_of_page(v, mode, code);
	int err;

	if (!n)
		return -EFAULT;
	err = insn_decode_as(i, code, n, mode, rules);
	/* The next page is read only when the instruction really reaches it. */
	if (err == -EAGAIN && n < INSN_MAX_LEN) {
		if (code_behind(v, code, n))
			return -EFAULT;
		err = insn_decode_as(i, code, INSN_MAX_LEN, mode, rules);
	}
	return err;
}

unsigned int vcpu_code_bytes(struct vcpu *v, u8 *code)
{
	unsigned int n = code_of_page(v, virt->mode(v), code);

	return n && n < INSN_MAX_LEN && !code_behind(v, code, n) ? INSN_MAX_LEN : n;
}

static __attribute__((noinline)) int insn_len_other(const u8 *code, u32 op2)
{
	int len = insn_len_plain(code, op2);

	return len ? len : insn_len_slow(code, INSN_MAX_LEN, INSN_MODE_64, 0);
}

static __attribute__((noinline)) int insn_len_decoded(struct vcpu *v)
{
	struct insn i;
	int err = vcpu_decode(v, &i, 0);

	return err ? err : i.len;
}

/*
 * Length of the instruction at RIP when the CPU did not say it.  The usual
 * case is short: what is rare is in functions of its own, so that this one
 * saves few registers.
 */
int vcpu_insn_len(struct vcpu *v, u32 op, u32 op2)
{
	const u8 *code;
	int len;

	if (unlikely(virt->mode(v) != INSN_MODE_64))
		return insn_len_decoded(v);
	code = code_at_rip(v);
	if (unlikely(!code))
		return insn_len_decoded(v);
	len = insn_len_plain(code, op);
	return likely(len) ? len : insn_len_other(code, op2);
}
