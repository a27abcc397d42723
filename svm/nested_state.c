// SPDX-License-Identifier: MIT
/*
 * Nested state of a vCPU to a blob and back (KVM_GET/SET_NESTED_STATE, format SVM).
 * Only on SVM so far: guests have no VMX yet.
 */
#include "core/lib/string.h"
#include "core/vm/msr_policy.h"
#include "core/vm/run.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "svm/inject.h"
#include "svm/nested.h"
#include "svm/nested_state_blob.h"

/* What is left of it: else a machine that is saved often would count for ever. */
static void put_pause_count(struct svm_nested_blob *b, u16 left)
{
	memcpy(b->control + offsetof(struct vmcb, _pause_filter_count), &left, sizeof(left));
}

int svm_nested_state_get(struct vcpu *v, void *buf, u64 len)
{
	struct svm_nested *n = svm_nested_of(v);
	const struct svm_nested_flags s = {
		.guest_mode = v->in_l2, .run_pending = n->run_pending, .gif = svm_nested_gif(v),
		.vmcb_pa = v->in_l2 ? n->vmcb12_pa : 0,
	};
	int err;

	if (v->in_l2)
		svm_nested_sync_emulated(v);
	err = svm_nested_blob_get(buf, len, &s, n->vmcb12, n->vmcb01);
	if (err)
		return err;
	if (v->in_l2 && !svm.caps.pause_filter)
		put_pause_count(buf, n->pause_left);
	v->stat.nested_state_get++;
	return 0;
}

static void facts(const struct vcpu *v, u64 cr0, u64 efer, bool own, struct svm_nested_facts *f)
{
	*f = (struct svm_nested_facts){ .svme = efer & EFER_SVME, .cr0 = cr0 };
	f->env = svm_nested_of(v)->env;
	/* L1's CR4 is not there yet: addresses are as wide as the CPU has them. */
	f->env.linear_bits = f->env.cr4_allowed & CR4_LA57 ? 57 : 48;
	/* Nor its CR0: that in the state has a rule of its own. */
	f->env.l1_paging = true;
	f->env.own = own;
}

/* What #VMEXIT will load (APM2 15.6); the rest of L1's registers stays with the CPU. */
static void load_l1_save(struct vmcb *c, const struct vmcb *s)
{
	vmcb_set_es(c, vmcb_get_es(s));
	vmcb_set_cs(c, vmcb_get_cs(s));
	vmcb_set_ss(c, vmcb_get_ss(s));
	vmcb_set_ds(c, vmcb_get_ds(s));
	vmcb_set_gdtr(c, vmcb_get_gdtr(s));
	vmcb_set_idtr(c, vmcb_get_idtr(s));
	vmcb_set_cpl(c, 0);
	vmcb_set_efer(c, vmcb_get_efer(s));
	vmcb_set_cr0(c, vmcb_get_cr0(s));
	vmcb_set_cr3(c, vmcb_get_cr3(s));
	vmcb_set_cr4(c, vmcb_get_cr4(s));
	/* KVM does not check it, and the CPU would not enter L1 with it. */
	if (msr_pat_valid(vmcb_get_g_pat(s)))
		vmcb_set_g_pat(c, vmcb_get_g_pat(s));
	if (svm.lbr)
		svm_nested_lbr_restore(c, s);
	c->rax = s->rax;
	c->rsp = s->rsp;
	c->rip = s->rip;
	c->rflags = s->rflags;
	c->int_state = 0;
	c->clean = 0;
}

/* The registers that are there are L2's: they belong to vmcb02. */
static void to_vmcb02(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	if (v->in_l2)
		svm_nested_leave(v);
	else
		memcpy((u8 *)n->vmcb02 + VMCB_SAVE_AREA, (u8 *)n->vmcb01 + VMCB_SAVE_AREA,
		       PAGE_SIZE - VMCB_SAVE_AREA);
	n->vmcb02->clean = 0;
}

/* What the CPU knows, and what shadows were made of, is not of this state. */
static void forget_translations(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	svm_nested_flush_all(n);
	((struct svm_vcpu *)v->arch)->asid_gen = 0;
	shadow_cache_flush_all(n->shadows);
}

static void load(struct vcpu *v, const struct svm_nested_flags *s)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);

	if (!s->guest_mode) {
		svm_nested_leave(v);
		forget_translations(v);
		n->kept_pa = SVM_NOT_KEPT;
		svm_nested_set_gif(v, s->gif);
		return;
	}
	to_vmcb02(v);
	n->kept_pa = SVM_NOT_KEPT;
	load_l1_save(n->vmcb01, n->incoming);
	memcpy(n->vmcb12, n->incoming, VMCB_SAVE_AREA);
	n->vmcb12_pa = s->vmcb_pa;
	n->nrip = 0;
	svm_nested_to_l2(v);
	n->run_pending = s->run_pending;
	forget_translations(v);
	n->memory_stale = true;
	a->attention = true;
	svm_nested_set_gif(v, s->gif);
}

int svm_nested_state_set(struct vcpu *v, const void *buf, u64 len, bool own, const char **row)
{
	struct svm_nested_flags s;
	struct svm_nested_facts f;
	int err;

	facts(v, svm_get(v, VREG_CR0), svm_get(v, VREG_EFER), own, &f);
	err = svm_nested_blob_check(buf, len, &f, &s, svm_nested_of(v)->incoming, row);
	if (err == -EINVAL)
		v->stat.nested_state_set_einval++;
	if (err)
		return err;
	load(v, &s);
	v->stat.nested_state_set++;
	return 0;
}

static bool msrs_valid(const struct nested_regs *r)
{
	u64 vm_cr = r->msr[0], hsave = r->msr[1];

	return !(vm_cr & ~VM_CR_VALID) && !(vm_cr & VM_CR_SVMDIS && r->efer & EFER_SVME) &&
	       IS_ALIGNED(hsave, PAGE_SIZE) && !(hsave >> run_policy.maxphyaddr) &&
	       !(r->msr[2] & ~TSC_RATIO_VALID);
}

int svm_nested_state_check(const struct vcpu *v, const struct nested_regs *r, const void *buf,
			   u64 len, const char **row)
{
	struct svm_nested_flags s;
	struct svm_nested_facts f;

	*row = "MSRs of nested virtualization";
	if (!msrs_valid(r))
		return -EINVAL;
	facts(v, r->cr0, r->efer, true, &f);
	return svm_nested_blob_check(buf, len, &f, &s, svm_nested_of(v)->incoming, row);
}
