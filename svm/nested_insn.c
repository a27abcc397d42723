// SPDX-License-Identifier: MIT
/* SVM's instructions and MSRs of a guest (APM3 VMRUN ..., APM2 15.30).  Only on SVM. */
#include "svm/nested.h"

#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mm/pt_walk.h"
#include "core/vm/insn.h"
#include "core/vm/run.h"
#include "core/x86/caps.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "svm/inject.h"
#include "svm/perm.h"

#define PLAIN_LEN	3	/* no prefix */

/* APM3: rAX by the address size, which a prefix may change. */
static u64 operand(struct vcpu *v)
{
	u64 rax = v->gpr[VREG_RAX];
	struct insn i;

	if (likely(v->exit.insn_len == PLAIN_LEN))
		return virt->mode(v) == INSN_MODE_64 ? rax : (u32)rax;
	if (vcpu_decode(v, &i, INSN_RULE_AMD) || i.addr_size == 8)
		return rax;
	return i.addr_size == 4 ? (u32)rax : (u16)rax;
}

static bool good_page(u64 pa)
{
	return IS_ALIGNED(pa, PAGE_SIZE) && !(pa >> run_policy.maxphyaddr);
}

static enum verdict vmrun(struct vcpu *v)
{
	u64 pa = operand(v);

	if (!good_page(pa) || !svm_nested_of(v)->hsave_pa || !svm_nested_vmrun(v, pa))
		return vcpu_inject_gp(v);
	return VERDICT_RESUME;
}

/*
 * L2's own VMLOAD or VMSAVE where L1 has made them virtual (APM2 15.33.1): *pa is an
 * address of L2's.  Without L1's tables, or out of long mode, they exit.  False: L1 runs.
 */
static bool translate_virtual(struct vcpu *v, u64 *pa, u32 access)
{
	struct svm_nested *n = svm_nested_of(v);
	struct event fault;

	if (!v->l2_paging || !(vmcb_get_efer(n->vmcb02) & EFER_LMA)) {
		n->nrip = v->rip + v->exit.insn_len;
		svm_nested_exit(v, v->exit.code, 0, 0);
		return false;
	}
	if (!svm_nested_translate(v, *pa, access, pa, &fault))
		return true;
	svm_nested_page_fault(v, &fault);
	return false;
}

/* The page of VMLOAD or VMSAVE; NULL: *verdict is what comes of them instead. */
static struct vmcb *operand_page(struct vcpu *v, u32 access, enum verdict *verdict)
{
	u64 pa = operand(v);
	struct vmcb *page;

	*verdict = VERDICT_RESUME;
	if (v->in_l2 && vmcb_get_virt_ext(svm_nested_of(v)->vmcb12) & VIRT_EXT_VMLOAD &&
	    good_page(pa) && !translate_virtual(v, &pa, access))
		return NULL;
	page = good_page(pa) ? svm_nested_page(v, pa) : NULL;
	if (!page)
		*verdict = vcpu_inject_gp(v);
	return page;
}

static enum verdict vmload(struct vcpu *v)
{
	enum verdict verdict;
	struct vmcb *page = operand_page(v, PTA_READ, &verdict);
	const struct svm_vcpu *a = v->arch;

	if (!page)
		return verdict;
	svm_nested_copy_vmload(a->vmcb01, page);
	svm_nested_canon_vmload(a->vmcb01, svm_nested_check_env(svm_nested_of(v)));
	return VERDICT_ADVANCE;
}

static enum verdict vmsave(struct vcpu *v)
{
	enum verdict verdict;
	struct vmcb *page = operand_page(v, PTA_WRITE, &verdict);
	const struct svm_vcpu *a = v->arch;

	if (!page)
		return verdict;
	svm_nested_copy_vmload(page, a->vmcb01);
	return VERDICT_ADVANCE;
}

void svm_nested_own_vmload(struct vcpu *v, bool own)
{
	const u32 both = VEC4_VMLOAD | VEC4_VMSAVE;
	struct vmcb *c = svm_nested_of(v)->vmcb01;

	vmcb_set_intercept_vec4(c, (vmcb_get_intercept_vec4(c) & ~both) | (own ? 0 : both));
	vmcb_set_virt_ext(c, (vmcb_get_virt_ext(c) & ~VIRT_EXT_VMLOAD) |
			     (own ? VIRT_EXT_VMLOAD : 0));
}

static enum verdict do_stgi(struct vcpu *v)
{
	if (!svm_nested_set_vgif(v, true))
		svm_nested_set_gif(v, true);
	return VERDICT_ADVANCE;
}

static enum verdict do_clgi(struct vcpu *v)
{
	if (!svm_nested_set_vgif(v, false))
		svm_nested_set_gif(v, false);
	return VERDICT_ADVANCE;
}

/* One page of one ASID; flushing more is allowed (APM2 15.16.3). */
static enum verdict do_invlpga(struct vcpu *v)
{
	u32 asid = (u32)v->gpr[VREG_RCX];

	if (asid)
		svm_nested_flush_asid(v, asid);
	else
		virt->flush(v);
	return VERDICT_ADVANCE;
}

/* The encodings: 0F 01 D8 to DF.  CPUID does not offer SKINIT. */
static const struct {
	enum verdict (*fn)(struct vcpu *v);
	u32 op;
} insn[] = {
	[VI_VMRUN] = { vmrun, INSN_OP_VMRUN }, [VI_VMLOAD] = { vmload, INSN_OP_VMLOAD },
	[VI_VMSAVE] = { vmsave, INSN_OP_VMSAVE }, [VI_STGI] = { do_stgi, INSN_OP_STGI },
	[VI_CLGI] = { do_clgi, INSN_OP_CLGI }, [VI_SKINIT] = { NULL, 0 },
	[VI_INVLPGA] = { do_invlpga, INSN_OP_INVLPGA },
};

/* Its length, of which the address size follows. */
static bool find_length(struct vcpu *v)
{
	int len = v->exit.insn_len;

	if (!len)
		len = vcpu_insn_len(v, insn[v->exit.virt.insn].op, 0);
	v->exit.insn_len = len > 0 ? (u8)len : 0;
	return len > 0;
}

enum verdict svm_nested_insn(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	u64 cr0 = vmcb_get_cr0(a->vmcb);

	/* APM3: protected mode and EFER.SVME, then CPL 0. */
	if (!a->efer_svme || !(cr0 & CR0_PE) || v->rflags & RFLAGS_VM ||
	    v->exit.virt.insn >= ARRAY_SIZE(insn) || !insn[v->exit.virt.insn].fn)
		return vcpu_inject_ud(v);
	if (vmcb_get_cpl(a->vmcb))
		return vcpu_inject_gp(v);
	if (!find_length(v))
		return vcpu_give_up(v, "cannot decode the instruction");
	return insn[v->exit.virt.insn].fn(v);
}

/* 0F 01 /3 with a register, but VMMCALL, which always exits. */
static bool is_svm_insn(const struct insn *i)
{
	return insn_is(i, INSN_MAP_0F, 0x01) && i->modrm >= 0xd8 && i->modrm <= 0xdf &&
	       i->modrm != 0xd9;
}

void svm_nested_fix_gp(struct vcpu *v, struct event *e)
{
	const struct svm_vcpu *a = v->arch;
	struct insn i;

	if (e->error || vcpu_decode(v, &i, INSN_RULE_AMD) || !is_svm_insn(&i))
		return;
	if (!a->efer_svme || i.modrm == 0xde)
		*e = event_exception(VEC_UD);
}

bool svm_nested_rdmsr(struct vcpu *v, u32 msr, u64 *val)
{
	const struct svm_nested *n = svm_nested_of(v);
	const struct svm_vcpu *a = v->arch;

	switch (msr) {
	case MSR_VM_CR:
		*val = n->vm_cr;
		return true;
	case MSR_TSC_RATIO:
		*val = n->tsc_ratio;
		return true;
	case MSR_VM_HSAVE_PA:
		*val = n->hsave_pa;
		return true;
	default:
		*val = svm_nested_lbr_rdmsr(a->vmcb, msr);
		return true;
	}
}

/* APM2 15.30.1: LOCK keeps itself and SVMDIS. */
static bool write_vm_cr(struct vcpu *v, u64 val)
{
	struct svm_nested *n = svm_nested_of(v);
	const struct svm_vcpu *a = v->arch;
	u64 kept = n->vm_cr & VM_CR_LOCK ? VM_CR_LOCK | VM_CR_SVMDIS : 0;

	val = (val & ~kept) | (n->vm_cr & kept);
	if (val & ~VM_CR_VALID || (val & VM_CR_SVMDIS && a->efer_svme))
		return false;
	n->vm_cr = val;
	return true;
}

bool svm_nested_wrmsr(struct vcpu *v, u32 msr, u64 val)
{
	const struct svm_vcpu *a = v->arch;

	switch (msr) {
	case MSR_VM_CR:
		return write_vm_cr(v, val);
	case MSR_TSC_RATIO:
		return svm_nested_set_tsc_ratio(v, val);
	case MSR_VM_HSAVE_PA:
		if (!good_page(val))
			return false;
		svm_nested_of(v)->hsave_pa = val;
		return true;
	default:
		return svm_nested_lbr_wrmsr(a->vmcb, msr, val);
	}
}

static void nested_fini(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	if (!n)
		return;
	svm_nested_npt_fini(v);
	host_free(n->vmcb02, 1);
	host_free(n->vmcb12, 1);
	host_free(n->incoming, 1);
	host_free(n->msrpm02, MSRPM_SIZE / PAGE_SIZE);
	host_free(n, 1);
	v->nested = NULL;
}

static int nested_init(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = host_alloc(1, v->vm->owner);

	STATIC_ASSERT(sizeof(*n) <= PAGE_SIZE, "struct svm_nested is one page");
	if (!n)
		return -ENOMEM;
	v->nested = n;
	svm_nested_offer(&n->leaf);
	n->vmcb01 = a->vmcb;
	n->kept_pa = SVM_NOT_KEPT;
	n->tsc_ratio = TSC_RATIO_ONE;
	svm_nested_init_env(n);
	n->vmcb02 = host_alloc(1, v->vm->owner);
	n->vmcb12 = host_alloc(1, v->vm->owner);
	n->incoming = host_alloc(1, v->vm->owner);
	n->msrpm02 = host_alloc(MSRPM_SIZE / PAGE_SIZE, v->vm->owner);
	if (svm.caps.vgif)
		vmcb_set_int_ctl(a->vmcb, vmcb_get_int_ctl(a->vmcb) | INT_CTL_V_GIF_ENABLE);
	svm_nested_set_gif(v, true);
	a->exc_guard |= BIT(VEC_GP);
	svm_apply_intercepts(a);
	if (!n->vmcb02 || !n->vmcb12 || !n->incoming || !n->msrpm02 || svm_nested_npt_init(v)) {
		nested_fini(v);
		return -ENOMEM;
	}
	memset(n->msrpm02, 0xff, MSRPM_SIZE);
	return 0;
}

/*
 * INIT and SMI wait for GIF; an L1 that intercepts them gets an exit, and the
 * signal itself with its STGI (APM2 15.13.3, 15.13.4, 15.17).
 */
static bool signal(struct vcpu *v, u32 vec3, u64 exitcode)
{
	struct svm_nested *n = svm_nested_of(v);
	struct svm_vcpu *a = v->arch;

	if (!svm_nested_gif(v)) {
		a->attention = true;
		return true;
	}
	if (!v->in_l2 || !(vmcb_get_intercept_vec3(n->vmcb12) & vec3))
		return false;
	if (svm_nested_busy(v)) {
		v->poke = 1;
		return true;
	}
	svm_nested_exit(v, exitcode, 0, 0);
	return true;
}

static bool init_signal(struct vcpu *v)
{
	return signal(v, VEC3_INIT, SVM_EXIT_INIT);
}

static bool smi_signal(struct vcpu *v)
{
	return signal(v, VEC3_SMI, SVM_EXIT_SMI);
}

static void leave(struct vcpu *v)
{
	svm_nested_leave(v);
	svm_nested_set_gif(v, true);
}

static u64 efer_bits(struct vcpu *v)
{
	return svm_nested_of(v)->vm_cr & VM_CR_SVMDIS ? 0 : EFER_SVME;
}

/* APM2 15.4: off in L2 is undefined.  Here that shuts L1 down. */
static void efer_write(struct vcpu *v, u64 val)
{
	const struct svm_vcpu *a = v->arch;
	bool in_l2 = v->in_l2;

	if (val & EFER_SVME || !a->efer_svme)
		return;
	leave(v);
	if (in_l2)
		v->stop = STOP_SHUTDOWN;
}

static const struct cpuid_regs *offered(struct vcpu *v)
{
	return &svm_nested_of(v)->leaf;
}

const struct nested_ops svm_nested_ops = {
	.init = nested_init, .fini = nested_fini, .reflect = svm_nested_reflect,
	.exception = svm_nested_exception,
	.events = svm_nested_events, .gate = svm_nested_gate, .insn = svm_nested_insn,
	.rdmsr = svm_nested_rdmsr, .wrmsr = svm_nested_wrmsr,
	.init_signal = init_signal, .smi_signal = smi_signal,
	.wakes = svm_nested_ends_hlt, .shutdown = svm_nested_shutdown,
	.efer = efer_bits, .efer_write = efer_write, .cpuid = offered,
	.leave = leave, .translate = svm_nested_translate,
	.page_fault = svm_nested_page_fault,
	/* DEBUGCTL is one of the vCPU's registers. */
	.saved_msr = { MSR_VM_CR, MSR_VM_HSAVE_PA, MSR_TSC_RATIO, MSR_LAST_BRANCH_FROM,
		       MSR_LAST_BRANCH_FROM + 1, MSR_LAST_BRANCH_FROM + 2,
		       MSR_LAST_BRANCH_FROM + 3 },
	.state_get = svm_nested_state_get,
	.state_set = svm_nested_state_set, .state_check = svm_nested_state_check,
};
