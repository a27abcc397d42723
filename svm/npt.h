/* SPDX-License-Identifier: MIT */
/*
 * Nested paging (APM2 15.25): faults.  Tables are core/mm/pt's.  Pure.  Only on
 * SVM a header of its own: VMX declares its part in ops.h.
 */
#ifndef SVM_NPT_H
#define SVM_NPT_H

#include "core/vm/exit.h"

struct pt_format;
struct vmcb;

/* EXITINFO1 of #VMEXIT(NPF) beside the page-fault bits (APM2 15.25.6). */
#define NPF_FINAL	BIT(32)		/* the final translation of the guest */
#define NPF_TABLE	BIT(33)		/* walking the guest's own tables */
#define NPF_SSS		BIT(37)		/* supervisor shadow stack */

/* Nested tables have the format of the host's own (4 levels, 64-bit). */
const struct pt_format *svm_npt_format(void);

/* EXITINFO1 and EXITINFO2 of #VMEXIT(NPF) to the neutral record. */
struct exit_npf svm_npf_decode(u64 info1, u64 info2);

/* Turns nested paging on with the given top table. */
void svm_npt_attach(struct vmcb *c, u64 root);

#endif
