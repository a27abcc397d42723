// SPDX-License-Identifier: MIT
/*
 * DEBUGCTL and the records of the last branch and exception, of L1 and of L2 (APM2
 * 13.1.1.6, 15.23).  All accesses exit, so that the VMCB's members are what counts; the
 * CPU switches its own with the VMCB only while they record.  Only on SVM.
 */
#include "svm/nested.h"

#include "core/x86/msr.h"
#include "core/x86/regs.h"

/* MBZ; the bits below are pins and features of CPUs that L1's is not. */
#define DEBUGCTL_RESERVED	BITS(63, 6)

#define FIRST	offsetof(struct vmcb, _dbgctl)
#define END	(offsetof(struct vmcb, _last_excp_to) + sizeof(u64))

/* L1 gave L2 registers of its own. */
static bool is_l2s_own(const struct svm_nested *n)
{
	return vmcb_get_virt_ext(n->vmcb12) & VIRT_EXT_LBR;
}

static void copy(struct vmcb *to, const struct vmcb *from)
{
	svm_set_dbgctl(to, vmcb_get_dbgctl(from) & svm_dbgctl_given());
	vmcb_set_br_from(to, vmcb_get_br_from(from));
	vmcb_set_br_to(to, vmcb_get_br_to(from));
	vmcb_set_last_excp_from(to, vmcb_get_last_excp_from(from));
	vmcb_set_last_excp_to(to, vmcb_get_last_excp_to(from));
}

void svm_nested_lbr_read(struct svm_nested *n, const struct vmcb *page)
{
	const volatile u64 *from = (const volatile u64 *)page;
	u64 *to = (u64 *)n->vmcb12;

	if (is_l2s_own(n))
		for (size_t i = FIRST / 8; i < END / 8; i++)
			to[i] = from[i];
}

void svm_nested_lbr_enter(struct svm_nested *n)
{
	/* APM2 15.23: reserved bits of DBGCTL are ignored. */
	copy(n->vmcb02, is_l2s_own(n) ? n->vmcb12 : n->vmcb01);
}

void svm_nested_lbr_leave(struct svm_nested *n)
{
	if (!is_l2s_own(n))
		copy(n->vmcb01, n->vmcb02);
}

void svm_nested_lbr_store(const struct svm_nested *n, struct vmcb *page)
{
	const struct vmcb *c = n->vmcb02;

	/* No setters: the clean bits of the page are L1's. */
	if (!is_l2s_own(n))
		return;
	page->_dbgctl = vmcb_get_dbgctl(c);
	page->_br_from = vmcb_get_br_from(c);
	page->_br_to = vmcb_get_br_to(c);
	page->_last_excp_from = vmcb_get_last_excp_from(c);
	page->_last_excp_to = vmcb_get_last_excp_to(c);
}

void svm_nested_lbr_restore(struct vmcb *c, const struct vmcb *s)
{
	copy(c, s);
}

/* The records and their MSRs follow each other in the same order. */
static enum vmcb_field record(u32 msr)
{
	STATIC_ASSERT(VMCB_F_last_excp_to == VMCB_F_br_from + 3, "MSRs 1DBh to 1DEh");

	return (enum vmcb_field)(VMCB_F_br_from + (msr - MSR_LAST_BRANCH_FROM));
}

u64 svm_nested_lbr_rdmsr(const struct vmcb *c, u32 msr)
{
	if (!svm.lbr)
		return 0;
	return msr == MSR_IA32_DEBUGCTL ? vmcb_get_dbgctl(c) : vmcb_read(c, record(msr));
}

bool svm_nested_lbr_wrmsr(struct vmcb *c, u32 msr, u64 val)
{
	if (!svm.lbr)
		return true;
	if (msr != MSR_IA32_DEBUGCTL)
		vmcb_write(c, record(msr), val);
	else if (val & DEBUGCTL_RESERVED)
		return false;
	else
		svm_set_dbgctl(c, val & svm_dbgctl_given());
	return true;
}
