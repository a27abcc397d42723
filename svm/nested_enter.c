// SPDX-License-Identifier: MIT
/* VMRUN of a guest: copy, check, vmcb02 (APM2 15.5.1).  Only on SVM. */
#include "svm/nested.h"

#include "core/mm/gmem.h"
#include "core/mm/pt.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "svm/inject.h"
#include "svm/npt.h"
#include "svm/perm.h"

struct vmcb *svm_nested_page(struct vcpu *v, u64 pa)
{
	return gmem_ptr_rw(&v->vm->mem, pa, PAGE_SIZE);
}

void svm_nested_copy_vmload(struct vmcb *to, const struct vmcb *from)
{
	to->fs = from->fs;
	to->gs = from->gs;
	to->ldtr = from->ldtr;
	to->tr = from->tr;
	to->star = from->star;
	to->lstar = from->lstar;
	to->cstar = from->cstar;
	to->sfmask = from->sfmask;
	to->kernel_gs_base = from->kernel_gs_base;
	to->sysenter_cs = from->sysenter_cs;
	to->sysenter_esp = from->sysenter_esp;
	to->sysenter_eip = from->sysenter_eip;
}

/* L1's other vCPUs may be writing: each word is read once. */
static __always_inline void copy_words(void *to, const void *from, size_t first, size_t end)
{
	const volatile u64 *src = from;
	u64 *dst = to;

#pragma GCC unroll 32
	for (size_t i = first / 8; i < end / 8; i++)
		dst[i] = src[i];
}

/* The parts of the page that have members; VMLOAD's state is not looked at. */
static void copy_vmcb12(struct vmcb *to, const struct vmcb *page)
{
	copy_words(to, page, 0, 0x018);
	copy_words(to, page, 0x038, 0x070);		/* up to int_state */
	copy_words(to, page, 0x090, 0x0d0);		/* behind EXITINTINFO */
	copy_words(to, page, 0x400, 0x440);		/* ES to DS */
	copy_words(to, page, 0x460, 0x470);		/* GDTR */
	copy_words(to, page, 0x480, 0x490);		/* IDTR */
	copy_words(to, page, 0x4c8, 0x4d8);		/* CPL, EFER */
	copy_words(to, page, 0x548, 0x580);		/* CR4 to RIP */
	copy_words(to, page, 0x5d8, 0x600);		/* RSP to RAX */
	copy_words(to, page, 0x640, 0x648);		/* CR2 */
	copy_words(to, page, 0x668, 0x698);		/* gPAT, LBR */
}

void svm_nested_init_env(struct svm_nested *n)
{
	n->env = (struct nested_check_env){
		.efer_allowed = run_policy.efer_allowed | EFER_LMA | EFER_SVME,
		.cr4_allowed = run_policy.cr4_allowed,
		.maxphyaddr = run_policy.maxphyaddr,
		.npt = true,
		.vnmi = true,
	};
}

const struct nested_check_env *svm_nested_check_env(struct svm_nested *n)
{
	n->env.linear_bits = vmcb_get_cr4(n->vmcb01) & CR4_LA57 ? 57 : 48;
	n->env.l1_paging = vmcb_get_cr0(n->vmcb01) & CR0_PG;
	return &n->env;
}

static bool with_paging(const struct svm_nested *n)
{
	return vmcb_get_nested_ctl(n->vmcb12) & NESTED_CTL_NP_ENABLE;
}

/* The words of the map in which L0 lets anything through: the others stay all ones. */
static void merge_msrpm(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);
	bool wanted = vmcb_get_intercept_vec3(n->vmcb12) & VEC3_MSR;
	u64 pa = vmcb_get_msrpm_base_pa(n->vmcb12) & PAGE_MASK;
	/* Without L1's intercept its map does not count; beyond memory all is 1. */
	const u64 *l1 = wanted ? gmem_ptr(&v->vm->mem, pa, MSRPM_SIZE) : NULL;
	const u64 none = wanted ? ~0ULL : 0;
	const u64 *l0 = (const u64 *)a->msrpm;
	u64 *out = (u64 *)n->msrpm02, changed = 0;
	unsigned int words = a->msrpm_open_n;

	for (unsigned int i = 0; i < words; i++) {
		unsigned int w = a->msrpm_open[i];
		u64 new = l0[w] | (l1 ? READ_ONCE(l1[w]) : none);

		changed |= new ^ out[w];
		out[w] = new;
	}
	if (unlikely(changed))
		n->vmcb02->clean &= ~(u32)VMCB_CLEAN_IOPM;
	n->msrpm_stale = false;
}

static void merge_intercepts(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);
	const struct vmcb *l0 = n->vmcb01, *l1 = n->vmcb12;
	struct vmcb *c = n->vmcb02;
	const u32 own = VEC3_VINTR | VEC3_IRET;

	vmcb_set_intercept_cr_read(c, vmcb_get_intercept_cr_read(l0) |
				      vmcb_get_intercept_cr_read(l1));
	vmcb_set_intercept_dr_read(c, vmcb_get_intercept_dr_read(l0) |
				      vmcb_get_intercept_dr_read(l1));
	vmcb_set_intercept_dr_write(c, vmcb_get_intercept_dr_write(l0) |
				       vmcb_get_intercept_dr_write(l1));
	vmcb_set_intercept_vec3(c, (vmcb_get_intercept_vec3(l0) & ~own) |
				   (vmcb_get_intercept_vec3(l1) & ~own));
	vmcb_set_intercept_vec4(c, vmcb_get_intercept_vec4(l0) | vmcb_get_intercept_vec4(l1) |
				   VEC4_STGI | VEC4_CLGI);
	vmcb_set_intercept_vec5(c, vmcb_get_intercept_vec5(l0) | vmcb_get_intercept_vec5(l1));
	/* Where the CPU does not meet L1's intercept, another one does. */
	if (svm.quirks.int3_is_swint &&
	    vmcb_get_intercept_exceptions(l1) & (BIT(VEC_BP) | BIT(VEC_OF)))
		vmcb_set_intercept_vec3(c, vmcb_get_intercept_vec3(c) | VEC3_SWINT);
	/* svm_apply_intercepts makes the rest of these, with L0's windows. */
	a->exc_want = n->l1.exc_want | vmcb_get_intercept_exceptions(l1);
	a->vec3_want = vmcb_get_intercept_vec3(l1) & own;
	a->cr_write_want = n->l1.cr_write_want | vmcb_get_intercept_cr_write(l1);
	if (svm.quirks.lmsw_not_sel && vmcb_get_intercept_vec3(l1) & VEC3_CR0_SEL_WRITE)
		a->cr_write_want |= BIT(0);
	svm_apply_intercepts(a);
}

/*
 * V_TPR and V_IRQ are L2's own where V_INTR_MASKING gives it some (APM2
 * 15.21.1); else CR8 is L1's.
 */
static void interrupt_control(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	u32 l1 = vmcb_get_int_ctl(n->vmcb12), l0 = vmcb_get_int_ctl(n->vmcb01);
	u32 ctl = INT_CTL_V_INTR_MASKING;

	ctl |= (l1 & INT_CTL_V_INTR_MASKING ? l1 : l0) & INT_CTL_V_TPR;
	/* svm_inject_prepare may have to hold it back. */
	if (l1 & INT_CTL_V_IRQ)
		((struct svm_vcpu *)v->arch)->attention = true;
	ctl |= l1 & SVM_VIRQ_BITS;
	vmcb_set_int_ctl(n->vmcb02, ctl);
	vmcb_set_int_vector(n->vmcb02, vmcb_get_int_vector(n->vmcb12));
}

static void tables(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *c = n->vmcb02;

	vmcb_set_iopm_base_pa(c, (u64)a->iopm);
	vmcb_set_msrpm_base_pa(c, (u64)n->msrpm02);
	svm_nested_npt_enter(v);
}

/* vmcb02 but its registers and what is in L1's memory. */
static void controls(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *c = n->vmcb02;

	merge_intercepts(v);
	interrupt_control(v);
	tables(v);
	v->l2_tsc_offset = vmcb_get_tsc_offset(n->vmcb12);
	vmcb_set_tsc_offset(c, vmcb_get_tsc_offset(n->vmcb01) + v->l2_tsc_offset);
	n->pause_left = vmcb_get_pause_filter_count(n->vmcb12);
	vmcb_set_pause_filter_count(c, vmcb_get_pause_filter_count(n->vmcb12));
	vmcb_set_pause_filter_threshold(c, vmcb_get_pause_filter_threshold(n->vmcb12));
}

/* What VMRUN loads of L2's registers. */
static void load_l2(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	const struct vmcb *s = n->vmcb12;
	struct vmcb *c = n->vmcb02;

	vmcb_set_es(c, vmcb_get_es(s));
	vmcb_set_cs(c, vmcb_get_cs(s));
	vmcb_set_ss(c, vmcb_get_ss(s));
	vmcb_set_ds(c, vmcb_get_ds(s));
	vmcb_set_gdtr(c, vmcb_get_gdtr(s));
	vmcb_set_idtr(c, vmcb_get_idtr(s));
	vmcb_set_cpl(c, vmcb_get_cpl(s));
	vmcb_set_efer(c, vmcb_get_efer(s));
	vmcb_set_cr0(c, vmcb_get_cr0(s));
	vmcb_set_cr2(c, vmcb_get_cr2(s));
	vmcb_set_cr3(c, vmcb_get_cr3(s));
	vmcb_set_cr4(c, vmcb_get_cr4(s));
	vmcb_set_dr6(c, vmcb_get_dr6(s));
	vmcb_set_dr7(c, vmcb_get_dr7(s));
	/* APM2 15.25.2: without nested paging there is one PAT. */
	vmcb_set_g_pat(c, vmcb_get_g_pat(with_paging(n) ? s : n->vmcb01));
	/* APM2 15.23.2: without LBR virtualization there is one DEBUGCTL. */
	vmcb_set_dbgctl(c, vmcb_get_dbgctl(n->vmcb01));
	v->gpr[VREG_RAX] = s->rax;
	v->gpr[VREG_RSP] = s->rsp;
	v->rip = s->rip;
	v->rflags = s->rflags;
}

/* INT n, and INT3 and INTO, which are injected as exceptions (APM2 15.20); or not. */
static u8 soft_type(u64 inj)
{
	u8 type = inj >> 8 & 7, vector = (u8)inj;

	if (type == EVENTINJ_SOFT_INT)
		return EVENT_SOFT_INT;
	if (type == EVENTINJ_EXCEPTION && (vector == VEC_BP || vector == VEC_OF))
		return EVENT_SOFT_EXC;
	return EVENT_NONE;
}

/*
 * EVENTINJ of vmcb12.  Traps push nRIP (APM2 15.20), which a CPU without it
 * gets by way of RIP: svm_inject knows.
 */
static void inject_l1s(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);
	u64 inj = n->vmcb12->eventinj;
	struct event e;

	if (soft_type(inj) != EVENT_NONE && n->vmcb12->nrip) {
		e = (struct event){ .type = soft_type(inj), .vector = (u8)inj,
				    .insn_len = (u8)(n->vmcb12->nrip - v->rip) };
		svm_inject(v, &e);
		return;
	}
	if (unlikely(svm_nested_vnmi(v)) && (inj >> 8 & 7) == EVENTINJ_NMI)
		svm_set_nmi_blocked(a, true);
	n->vmcb02->eventinj = inj & (BITS(63, 32) | EVENTINJ_VALID | BITS(11, 0));
	a->injected = true;
	a->attention = true;
}

void svm_nested_prepare(struct vcpu *v)
{
	if (unlikely(svm_nested_of(v)->msrpm_stale))
		merge_msrpm(v);
	/* What core has injected is older: L2's own, whose delivery was interrupted. */
	if (svm_nested_event_waits(v) && !(svm_nested_of(v)->vmcb02->eventinj & EVENTINJ_VALID))
		inject_l1s(v);
}

static void forget_asid(struct svm_asid *hw)
{
	hw->gen = 0;
}

void svm_nested_flush_all(struct svm_nested *n)
{
	for (unsigned int i = 0; i < NESTED_SPACES; i++)
		forget_asid(&n->space[i].hw);
	forget_asid(&n->l1.hw);
}

void svm_nested_flush_asid(struct vcpu *v, u32 asid12)
{
	struct svm_nested *n = svm_nested_of(v);

	for (unsigned int i = 0; i < NESTED_SPACES; i++)
		if (n->space[i].asid12 == asid12)
			forget_asid(&n->space[i].hw);
	shadow_cache_flush_asid(n->shadows, asid12);
}

/* TLB_CONTROL of vmcb12 (APM2 15.16.1). */
static void flush_for(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	switch (n->vmcb12->tlb_control) {
	case TLB_CONTROL_NOTHING:
		return;
	case TLB_CONTROL_FLUSH_ASID:
	case TLB_CONTROL_FLUSH_ASID_LOCAL:
		svm_nested_flush_asid(v, vmcb_get_guest_asid(n->vmcb12));
		return;
	default:
		shadow_cache_flush_all(n->shadows);
		svm_nested_flush_all(n);
	}
}

static struct svm_space *find_space(struct svm_nested *n)
{
	u32 asid12 = vmcb_get_guest_asid(n->vmcb12);
	u64 root12 = with_paging(n) ? vmcb_get_n_cr3(n->vmcb12) : ~0ULL;
	struct svm_space *s = n->now, *oldest = &n->space[0];

	n->clock++;
	if (likely(s && s->asid12 == asid12 && s->root12 == root12))
		return s;
	for (s = n->space; s < n->space + NESTED_SPACES; s++) {
		if (s->asid12 == asid12 && s->root12 == root12)
			return s;
		if (s->used < oldest->used)
			oldest = s;
	}
	*oldest = (struct svm_space){ .asid12 = asid12, .root12 = root12 };
	return oldest;
}

/* The processor's ASID travels with the level. */
static void to_space(struct svm_vcpu *a, struct svm_nested *n)
{
	n->l1.hw = (struct svm_asid){ a->cpu, a->asid_gen, 0 };
	n->now = find_space(n);
	n->now->used = n->clock;
	a->cpu = n->now->hw.cpu;
	a->asid_gen = n->now->hw.gen;
	vmcb_set_guest_asid(n->vmcb02, n->now->hw.asid);
}

/* What L1 was waited for with: as if nobody had, when L2 leaves. */
static void close_windows(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	struct vmcb *c = svm_nested_of(v)->vmcb01;

	if (unlikely(a->virq_window))
		vmcb_set_int_ctl(c, vmcb_get_int_ctl(c) & ~SVM_VIRQ_BITS);
	if (svm.caps.vgif)
		vmcb_set_intercept_vec4(c, vmcb_get_intercept_vec4(c) & ~(VEC4_STGI | VEC4_CLGI));
	svm_nested_forget_windows(v);
}

void svm_nested_to_l2(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);

	n->l1.exc_want = a->exc_want;
	n->l1.vec3_want = a->vec3_want;
	n->l1.cr_write_want = a->cr_write_want;
	n->l1.efer_svme = a->efer_svme;
	to_space(a, n);
	flush_for(v);
	a->asid_gen = n->now->hw.gen;
	a->vmcb = n->vmcb02;
	a->vmcb_pa = (u64)n->vmcb02;
	a->efer_svme = EFER_SVME;
	close_windows(v);
	v->in_l2 = true;
	if (unlikely(svm_nested_vnmi(v)))
		svm_nested_vnmi_enter(v);
	controls(v);
	n->vmcb02->eventinj = 0;
	n->vmcb02->int_state = n->vmcb12->int_state & INT_STATE_SHADOW;
	/* svm_inject_prepare has L1's event to inject, or a shadow to step over. */
	if (svm_nested_event_waits(v) || n->vmcb02->int_state)
		a->attention = true;
}

void svm_nested_enter(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	n->vmcb01->rax = v->gpr[VREG_RAX];
	n->vmcb01->rsp = v->gpr[VREG_RSP];
	n->vmcb01->rip = v->rip;
	n->vmcb01->rflags = v->rflags;
	n->run_pending = true;
	n->gif = true;
	load_l2(v);
	svm_nested_to_l2(v);
	merge_msrpm(v);
}

/*
 * APM2 15.5.1: a PAE guest's PDPTEs are loaded by VMRUN and must have their
 * reserved bits clear; with nested paging they are read when used (15.25.3).
 */
static bool pdptes_good(struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);
	const struct vmcb *c = n->vmcb12;
	const u64 reserved = BITS(63, run_policy.maxphyaddr) | BITS(8, 6) | BITS(2, 1) |
			     (svm.quirks.pdpte_accessed ? 0 : PTE_A);
	u64 pdpte[4];

	if (with_paging(n) || !(vmcb_get_cr0(c) & CR0_PG) || !(vmcb_get_cr4(c) & CR4_PAE) ||
	    vmcb_get_efer(c) & EFER_LMA)
		return true;
	if (gmem_read(&v->vm->mem, vmcb_get_cr3(c) & BITS(31, 5), pdpte, sizeof(pdpte)))
		return true;	/* it faults as soon as it runs */
	for (unsigned int i = 0; i < ARRAY_SIZE(pdpte); i++)
		if (pdpte[i] & PTE_P && pdpte[i] & reserved)
			return false;
	return true;
}

static const struct nested_rule pdpte_rule = { .id = "pdpte", .ref = "APM2 15.5.1" };

bool svm_nested_vmrun(struct vcpu *v, u64 pa)
{
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *page = svm_nested_page(v, pa);
	const struct nested_check_env *env;
	int len;

	if (!page)
		return false;
	len = vcpu_exit_insn_len(v);
	if (len <= 0)
		return false;
	/* A trap of RFLAGS.TF comes behind the #VMEXIT. */
	v->rip += (u64)len;
	v->rflags &= ~RFLAGS_RF;
	n->vmcb01->int_state = 0;
	copy_vmcb12(n->vmcb12, page);
	n->vmcb12_pa = pa;
	env = svm_nested_check_env(n);
	n->failed = svm_nested_check(n->vmcb12, env);
	v->stat.nested_run++;
	if (!n->failed) {
		svm_nested_canon(n->vmcb12, env);
		n->failed = pdptes_good(v) ? NULL : &pdpte_rule;
	}
	if (n->failed) {
		v->stat.nested_vmentry_fail++;
		svm_nested_exit_invalid(v, page);
		return true;
	}
	svm_nested_enter(v);
	return true;
}

void svm_nested_load(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	/* APM2 15.15.1: the CPU that knew them may have been another. */
	n->vmcb01->clean = 0;
	n->vmcb02->clean = 0;
	/* New tables of L0 mean that L1's memory is another. */
	if (n->npt_root != v->vm->npt.root)
		shadow_cache_drop_all(n->shadows);
	n->npt_root = v->vm->npt.root;
	if (v->in_l2)
		tables(v);
}
