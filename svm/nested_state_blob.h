/* SPDX-License-Identifier: MIT */
/*
 * Nested SVM state as a blob: KVM_GET/SET_NESTED_STATE, format SVM, with KVM's
 * checks in KVM's order.  Works on buffers; whoever has the vCPU applies it.
 * Pure.  Only on SVM so far: guests have no VMX yet.
 *
 *	0	128	struct nested_blob_header, the vendor's part is
 *	8	8	vmcb_pa, the operand of VMRUN
 *	128	1024	control area of vmcb12, in guest mode only
 *	1152	3072	save area: L1's state before VMRUN, not L2's
 */
#ifndef SVM_NESTED_STATE_BLOB_H
#define SVM_NESTED_STATE_BLOB_H

#include "core/vm/nested_blob.h"
#include "svm/nested_check.h"

struct svm_nested_blob {
	struct nested_blob_header h;
	u8 control[VMCB_SAVE_AREA];
	u8 save[PAGE_SIZE - VMCB_SAVE_AREA];
};
HW_FIELD(struct svm_nested_blob, h, 0);
HW_FIELD(struct svm_nested_blob, control, 128);
HW_FIELD(struct svm_nested_blob, save, 128 + 0x400);
HW_SIZE(struct svm_nested_blob, 4224);

/* In struct nested_blob_header.vendor. */
#define SVM_BLOB_VMCB_PA	0

/* What the state says beside the areas. */
struct svm_nested_flags {
	bool guest_mode;
	bool run_pending;	/* VMRUN was accepted, L2 not entered yet */
	bool gif;
	u64 vmcb_pa;		/* 0 out of guest mode */
};

/* The vCPU that a state is for, with the registers that were restored before it. */
struct svm_nested_facts {
	struct nested_check_env env;
	bool svme;		/* EFER.SVME: L1's, or L2's where VMRUN wants it set */
	bool smm;
	u64 cr0;		/* in guest mode L2's, which is already loaded */
};

/*
 * Fills buf with the state.  control: the cached vmcb12, l1: vmcb01; both are
 * looked at in guest mode only.  0, -EFAULT, -E2BIG (nested_blob_write).
 */
int __must_check svm_nested_blob_get(void *buf, u64 len, const struct svm_nested_flags *s,
				     const struct vmcb *control, const struct vmcb *l1);

/*
 * May the state in buf be loaded?  0, and *s says what it is; in guest mode page
 * then has both areas as VMRUN would load them.  -EFAULT, -EINVAL with the name of
 * the rule in *row.  page is scratch until then, *s stays as it was.
 */
int __must_check svm_nested_blob_check(const void *buf, u64 len,
				       const struct svm_nested_facts *f,
				       struct svm_nested_flags *s, struct vmcb *page,
				       const char **row);

#endif
