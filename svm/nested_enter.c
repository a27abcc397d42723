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
#include "svm/quirks.h"

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

static bool with_paging(const struct svm_nested *n)
{
	return vmcb_get_nested_ctl(n->vmcb12) & NESTED_CTL_NP_ENABLE;
}

/* Not zero when some words differ; each word of the page is read once. */
static __always_inline u64 differ(const void *copy, const void *page, size_t first, size_t end)
{
	const volatile u64 *now = page;
	const u64 *old = copy;
	u64 diff = 0;

#pragma GCC unroll 32
	for (size_t i = first / 8; i < end / 8; i++)
		diff |= old[i] ^ now[i];
	return diff;
}

/*
 * What no clean bit covers, and what hypervisors change at each VMRUN anyhow; and what the
 * bits that are kept do not cover.
 */
static void read_rest(struct svm_nested *n, const struct vmcb *page)
{
	struct vmcb *to = n->vmcb12;

	copy_words(to, page, 0x060, 0x070);		/* int_ctl to int_state */
	to->tlb_control = READ_ONCE(page->tlb_control);
	to->eventinj = READ_ONCE(page->eventinj);
	to->nrip = READ_ONCE(page->nrip);
	to->rflags = READ_ONCE(page->rflags);
	to->rip = READ_ONCE(page->rip);
	to->rsp = READ_ONCE(page->rsp);
	to->rax = READ_ONCE(page->rax);
	to->_virt_ext = READ_ONCE(page->_virt_ext);
	if (unlikely(svm.lbr))
		svm_nested_lbr_read(n, page);
	vmcb_set_cr2(n->vmcb02, READ_ONCE(page->_cr2));
}

/* True: some were others than in the copy. */
static bool read_controls(struct svm_nested *n, const struct vmcb *page)
{
	struct vmcb *to = n->vmcb12;

	if (!(differ(to, page, 0x000, 0x018) | differ(to, page, 0x038, 0x058) |
	      differ(to, page, 0x090, 0x098) | differ(to, page, 0x0b0, 0x0c0) |
	      (to->_guest_asid ^ READ_ONCE(page->_guest_asid))))
		return false;
	copy_words(to, page, 0x000, 0x018);		/* intercepts */
	copy_words(to, page, 0x038, 0x060);		/* up to the ASID */
	copy_words(to, page, 0x090, 0x098);		/* nested_ctl */
	copy_words(to, page, 0x0b0, 0x0c0);		/* n_cr3, virt_ext */
	return true;
}

static bool read_segments(struct vmcb *to, const struct vmcb *page)
{
	if (!(differ(to, page, 0x400, 0x440) | differ(to, page, 0x460, 0x470) |
	      differ(to, page, 0x480, 0x490)))
		return false;
	copy_words(to, page, 0x400, 0x440);		/* ES to DS */
	copy_words(to, page, 0x460, 0x470);		/* GDTR */
	copy_words(to, page, 0x480, 0x490);		/* IDTR */
	to->clean &= ~(u32)(VMCB_CLEAN_SEG | VMCB_CLEAN_DT);
	return true;
}

static bool read_control_registers(struct vmcb *to, const struct vmcb *page)
{
	/* CR4 to DR6 follow each other. */
	if (!(differ(to, page, 0x548, 0x570) | differ(to, page, 0x4d0, 0x4d8) |
	      (to->_cpl ^ READ_ONCE(page->_cpl))))
		return false;
	vmcb_set_cpl(to, READ_ONCE(page->_cpl));
	vmcb_set_efer(to, READ_ONCE(page->_efer));
	vmcb_set_cr4(to, READ_ONCE(page->_cr4));
	vmcb_set_cr3(to, READ_ONCE(page->_cr3));
	vmcb_set_cr0(to, READ_ONCE(page->_cr0));
	vmcb_set_dr7(to, READ_ONCE(page->_dr7));
	vmcb_set_dr6(to, READ_ONCE(page->_dr6));
	return true;
}

static bool read_g_pat(struct svm_nested *n, const struct vmcb *page)
{
	u64 old = vmcb_get_g_pat(n->vmcb02), pat = READ_ONCE(page->_g_pat);

	/* APM2 15.25.2: without nested paging there is one PAT. */
	if (!with_paging(n) || old == pat)
		return false;
	vmcb_set_g_pat(n->vmcb02, pat);
	return true;
}

static __attribute__((noinline)) bool read_cet(struct vmcb *to, const struct vmcb *page)
{
	vmcb_set_s_cet(to, READ_ONCE(page->_s_cet));
	vmcb_set_ssp(to, READ_ONCE(page->_ssp));
	vmcb_set_isst_addr(to, READ_ONCE(page->_isst_addr));
	return true;
}

/*
 * The registers that VMRUN loads, to where L2 will have them: until then nobody
 * looks there.  VMLOAD's are not looked at.  True: some were others.
 */
static bool read_registers(struct svm_nested *n, const struct vmcb *page)
{
	bool changed = read_segments(n->vmcb02, page);

	changed |= read_control_registers(n->vmcb02, page);
	changed |= read_g_pat(n, page);
	if (unlikely(n->env.cr4_allowed & CR4_CET))
		changed |= read_cet(n->vmcb02, page);
	return changed;
}

/*
 * APM2 15.15: what the clean bits say has not changed since L2 left with this
 * vmcb12, a CPU may still have, and so have we, checked: controls in vmcb12,
 * registers in vmcb02.  Both maps are read in any case: hypervisors change them
 * without a word.
 */
#define ALL_KEPT	(VMCB_CLEAN_I | VMCB_CLEAN_IOPM | VMCB_CLEAN_ASID | VMCB_CLEAN_NP | \
			 VMCB_CLEAN_CRX | VMCB_CLEAN_DRX | VMCB_CLEAN_DT | VMCB_CLEAN_SEG | \
			 VMCB_CLEAN_CET)

/* Are the copies, which were good, of that vmcb12? */
static bool is_kept(const struct svm_nested *n, u64 pa)
{
	return n->kept_pa == pa && n->kept_cr0 == vmcb_get_cr0(n->vmcb01) &&
	       n->kept_cr4 == vmcb_get_cr4(n->vmcb01);
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
}

/* RDMSR of the TSC exits in any case. */
static void watch_tsc(struct vmcb *c)
{
	vmcb_set_intercept_vec3(c, vmcb_get_intercept_vec3(c) | VEC3_RDTSC);
	vmcb_set_intercept_vec4(c, vmcb_get_intercept_vec4(c) | VEC4_RDTSCP);
}

static __attribute__((noinline)) void set_scaled_tsc(struct vcpu *v)
{
	u64 old = v->l2_line.ratio;

	vcpu_compose_tsc(v);
	if (v->l2_tsc.frac && !v->l2_line.ratio)
		watch_tsc(svm_nested_of(v)->vmcb02);
	if (v->l2_line.ratio != old)
		svm_regs_tsc_ratio(v);
}

static __always_inline void set_tsc(struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);

	if (unlikely(v->l2_tsc.frac | v->l2_line.ratio))
		set_scaled_tsc(v);
	vmcb_set_tsc_offset(n->vmcb02, unlikely(v->l2_line.ratio) ? v->l2_line.offset :
			    vmcb_get_tsc_offset(n->vmcb01) + v->l2_tsc_offset);
}

void svm_nested_set_tsc(struct vcpu *v)
{
	set_tsc(v);
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
				   VEC4_STGI | VEC4_CLGI | VEC4_VMLOAD | VEC4_VMSAVE);
	vmcb_set_intercept_vec5(c, vmcb_get_intercept_vec5(l0) | vmcb_get_intercept_vec5(l1));
	/* Where the CPU does not meet L1's intercept, another one does. */
	if (svm.quirks.rdtscp_is_rdtsc && vmcb_get_intercept_vec4(l1) & VEC4_RDTSCP)
		vmcb_set_intercept_vec3(c, vmcb_get_intercept_vec3(c) | VEC3_RDTSC);
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

/*
 * 0B8h of vmcb02.  Virtual VMLOAD and VMSAVE of L2 (APM2 15.33.1): the CPU translates their
 * addresses by the shadow of L1's tables, and has no use for them without.
 */
static __attribute__((noinline)) void extend(struct svm_nested *n)
{
	struct vmcb *c = n->vmcb02;
	bool vmload = svm.caps.vmsave_virt && with_paging(n) &&
		      vmcb_get_virt_ext(n->vmcb12) & VIRT_EXT_VMLOAD;
	u32 both = VEC4_VMLOAD | VEC4_VMSAVE;

	if (vmload)
		vmcb_set_intercept_vec4(c, (vmcb_get_intercept_vec4(c) & ~both) |
					   (vmcb_get_intercept_vec4(n->vmcb12) & both));
	vmcb_set_virt_ext(c, (vmload ? VIRT_EXT_VMLOAD : 0) |
			     (vmcb_get_dbgctl(c) & DEBUGCTL_LBR ? VIRT_EXT_LBR : 0));
}

/* vmcb02 but its registers and what is in L1's memory. */
static void controls(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *c = n->vmcb02;

	merge_intercepts(v);
	if (unlikely(vmcb_get_virt_ext(n->vmcb12) || svm.lbr))
		extend(n);
	else
		vmcb_set_virt_ext(c, 0);
	interrupt_control(v);
	tables(v);
	v->l2_tsc_offset = vmcb_get_tsc_offset(n->vmcb12);
	set_tsc(v);
	n->pause_left = vmcb_get_pause_filter_count(n->vmcb12);
	vmcb_set_pause_filter_count(c, vmcb_get_pause_filter_count(n->vmcb12));
	vmcb_set_pause_filter_threshold(c, vmcb_get_pause_filter_threshold(n->vmcb12));
}

/* The rest of L2's registers, which are good: vmcb02 has the others. */
static void load_l2(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	const struct vmcb *s = n->vmcb12;

	if (!with_paging(n))
		vmcb_set_g_pat(n->vmcb02, vmcb_get_g_pat(n->vmcb01));
	if (unlikely(svm.lbr))
		svm_nested_lbr_enter(n);
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
 * gets by way of RIP: svm_inject knows.  L1 may leave it 0: RIP then, on any CPU,
 * and not what some exit of before has left in vmcb02.
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
	n->vmcb02->nrip = v->rip;
	n->vmcb02->eventinj = inj & (BITS(63, 32) | EVENTINJ_VALID | BITS(11, 0));
	a->injected = true;
	a->attention = true;
}

/* What a restored state could not do; the shadow is compared with L1's tables. */
static void read_memory(struct vcpu *v)
{
	svm_nested_of(v)->memory_stale = false;
	merge_msrpm(v);
	svm_nested_npt_enter(v);
}

void svm_nested_prepare(struct vcpu *v)
{
	if (unlikely(svm_nested_of(v)->memory_stale))
		read_memory(v);
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
	if (unlikely(svm_nested_vnmi(v))) {
		svm_nested_vnmi_enter(v);
		a->attention = true;
	}
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
	if (unlikely(vmcb_get_dr7(n->vmcb01) & DR7_ENABLES))
		svm_disarm(vmcb_get_dr7(n->vmcb01));
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
	const struct vmcb *c = n->vmcb02;
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

/*
 * Copies what of vmcb12 has changed, and checks the copy unless it is one that
 * was good.  The rule that fails, or NULL.
 */
static const struct nested_rule *fetch_vmcb12(struct svm_nested *n, const struct vmcb *page,
					      u64 pa)
{
	const struct nested_check_env *env;
	const struct nested_rule *failed;
	bool good = is_kept(n, pa);

	n->kept_pa = SVM_NOT_KEPT;
	if (!good || ~READ_ONCE(page->clean) & ALL_KEPT) {
		good &= !read_controls(n, page);
		good &= !read_registers(n, page);
	}
	read_rest(n, page);
	/* What read_rest has read and a rule looks at. */
	if (unlikely(!good || n->vmcb12->eventinj & EVENTINJ_VALID ||
		     vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_NMI_ENABLE)) {
		env = svm_nested_check_env(n);
		failed = svm_nested_check(n->vmcb12, n->vmcb02, env);
		if (unlikely(failed))
			return failed;
		svm_nested_canon(n->vmcb12, n->vmcb02, env);
		n->kept_cr0 = vmcb_get_cr0(n->vmcb01);
		n->kept_cr4 = vmcb_get_cr4(n->vmcb01);
	}
	n->kept_pa = pa;
	return NULL;
}

static const struct nested_rule pdpte_rule = { .id = "pdpte", .ref = "APM2 15.5.1" };

bool svm_nested_vmrun(struct vcpu *v, u64 pa)
{
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *page = svm_nested_page(v, pa);
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
	v->stat.nested_run++;
	n->vmcb12_pa = pa;
	n->failed = fetch_vmcb12(n, page, pa);
	if (!n->failed && !pdptes_good(v))
		n->failed = &pdpte_rule;
	if (unlikely(n->failed)) {
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
	n->kept_pa = SVM_NOT_KEPT;
	n->vmcb01->clean = 0;
	n->vmcb02->clean = 0;
	/* New tables of L0 mean that L1's memory is another. */
	if (n->npt_root != v->vm->npt.root)
		shadow_cache_drop_all(n->shadows);
	n->npt_root = v->vm->npt.root;
	if (v->in_l2)
		tables(v);
}
