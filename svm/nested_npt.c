// SPDX-License-Identifier: MIT
/* Nested paging for L2 (APM2 15.25): shadows of L1's tables.  Only on SVM. */
#include "svm/nested.h"

#include "core/mm/host.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "svm/npt.h"

#define CACHE_PAGES	((sizeof(struct shadow_cache) + PAGE_SIZE - 1) / PAGE_SIZE)
#define MAX_RECORDS	8192
#define MAX_TABLES	1024

/* In EVENT_NPF's error: the access was one to L2's own page tables. */
#define FAULT_TABLE	BIT(31)

int svm_nested_npt_init(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct shadow_config cfg = {
		.mem = &v->vm->mem, .page_max = v->vm->npt_page_max ? v->vm->npt_page_max : SIZE_2M,
		.max_records = MAX_RECORDS, .max_tables = MAX_TABLES,
		.maxphyaddr = run_policy.maxphyaddr, .page1g = run_policy.page1g, .amd = true,
	};

	vm_npt_config(v->vm, &cfg.pt);
	n->shadows = host_alloc(CACHE_PAGES, v->vm->owner);
	return n->shadows ? shadow_cache_init(n->shadows, &cfg, SHADOW_CACHE_MAX) : -ENOMEM;
}

void svm_nested_npt_fini(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	if (!n->shadows)
		return;
	shadow_cache_fini(n->shadows);
	host_free(n->shadows, CACHE_PAGES);
	n->shadows = NULL;
}

/* L2 must not use what its TLB still has of other tables. */
static void flush_if_changed(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct svm_vcpu *a = v->arch;

	v->l2_gen = n->shadow->gen;
	if (n->now->gen == n->shadow->gen)
		return;
	n->now->gen = n->shadow->gen;
	if (svm.caps.flush_by_asid)
		n->vmcb02->tlb_control = TLB_CONTROL_FLUSH_ASID;
	else
		a->asid_gen = 0;
}

void svm_nested_npt_enter(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct shadow_key key;

	v->l2_paging = vmcb_get_nested_ctl(n->vmcb12) & NESTED_CTL_NP_ENABLE;
	v->l2_gen = 0;
	n->shadow = NULL;
	if (!v->l2_paging) {
		svm_npt_attach(n->vmcb02, v->vm->npt.root);
		return;
	}
	key = shadow_key(vmcb_get_n_cr3(n->vmcb12), vmcb_get_cr4(n->vmcb01),
			 vmcb_get_efer(n->vmcb01), vmcb_get_guest_asid(n->vmcb12));
	n->shadow = shadow_cache_find(n->shadows, &key);
	if (!n->shadow) {
		vcpu_fail(v, STOP_ERROR, "no memory for shadow tables");
		return;
	}
	svm_npt_attach(n->vmcb02, n->shadow->pt.root);
	flush_if_changed(v);
}

static u32 access_of(const struct exit_npf *f)
{
	if (f->write)
		return PTA_WRITE;
	return f->exec ? PTA_EXEC : PTA_READ;
}

bool svm_nested_npt_fault(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct exit_npf *npf = &v->exit.npf;
	struct shadow_fault f;

	switch (shadow_fill(n->shadow, npf->gpa, access_of(npf), &f)) {
	case SHADOW_OK:
		v->stat.nested_npf_fills++;
		flush_if_changed(v);
		return true;
	case SHADOW_REFLECT:
		svm_nested_exit(v, SVM_EXIT_NPF,
				f.error_code | (v->exit.info1 & (NPF_FINAL | NPF_TABLE)), npf->gpa);
		return true;
	case SHADOW_MMIO:
		npf->gpa = f.l1_gpa;
		/* A write to memory that cannot be written is emulated as well. */
		npf->present = true;
		return false;
	case SHADOW_RETRY:
		return true;
	default:
		vcpu_fail(v, STOP_ERROR, "no memory for shadow tables");
		return true;
	}
}

int svm_nested_translate(struct vcpu *v, u64 gpa, u32 access, u64 *l1, struct event *fault)
{
	struct shadow_fault f;
	int tries = 8;

	for (;;) {
		switch (shadow_translate(svm_nested_of(v)->shadow, gpa, access & ~PTA_TABLE, &f)) {
		case SHADOW_OK:
		case SHADOW_MMIO:
			*l1 = f.l1_gpa;
			return 0;
		case SHADOW_RETRY:
			if (--tries)
				continue;
			break;
		default:
			break;
		}
		*fault = (struct event){ .type = EVENT_NPF, .payload = gpa,
			.error = f.error_code | (access & PTA_TABLE ? (u32)FAULT_TABLE : 0) };
		return -EFAULT;
	}
}

void svm_nested_page_fault(struct vcpu *v, const struct event *fault)
{
	u64 info1 = fault->error & ~(u32)FAULT_TABLE;

	info1 |= fault->error & FAULT_TABLE ? NPF_TABLE : NPF_FINAL;
	svm_nested_exit(v, SVM_EXIT_NPF, info1, fault->payload);
}
