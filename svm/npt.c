// SPDX-License-Identifier: MIT
#include "svm/npt.h"

#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "svm/vmcb.h"

const struct pt_format *svm_npt_format(void)
{
	return &pt_format_npt;
}

struct exit_npf svm_npf_decode(u64 info1, u64 info2)
{
	/* APM2 15.25.6: P, RW, US (always 1), RSV, ID as in a page-fault code. */
	return (struct exit_npf){
		.gpa = info2,
		.present = info1 & PFERR_P,
		.write = info1 & PFERR_W,
		.exec = info1 & PFERR_I,
		.read = !(info1 & (PFERR_W | PFERR_I)),
		.rsvd = info1 & PFERR_RSVD,
		.table_walk = info1 & NPF_TABLE,
	};
}

void svm_npt_attach(struct vmcb *c, u64 root)
{
	vmcb_set_nested_ctl(c, vmcb_get_nested_ctl(c) | NESTED_CTL_NP_ENABLE);
	vmcb_set_n_cr3(c, root);
}
