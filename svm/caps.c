// SPDX-License-Identifier: MIT
#include "svm/caps.h"

#include "core/lib/printf.h"
#include "core/x86/caps.h"
#include "core/x86/regs.h"
#include "svm/ops.h"

/* Bits of CR4 and EFER that depend on a feature of the CPU (APM2 3.1.3, 3.1.7). */
static u64 valid_cr4(const struct cpu_caps *c)
{
	u64 v = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
		CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	const struct { bool has; u64 bit; } opt[] = {
		{ c->umip, CR4_UMIP }, { c->la57, CR4_LA57 },
		{ c->fsgsbase, CR4_FSGSBASE }, { c->pcid, CR4_PCIDE },
		{ c->xsave, CR4_OSXSAVE }, { c->smep, CR4_SMEP },
		{ c->smap, CR4_SMAP }, { c->pku, CR4_PKE }, { c->pks, CR4_PKS },
		{ c->cet_ss, CR4_CET },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(opt); i++) {
		if (opt[i].has)
			v |= opt[i].bit;
	}
	return v;
}

struct svm_state svm;

void svm_caps_decode(const struct cpu_caps *c, struct svm_caps *out)
{
	*out = (struct svm_caps){ .maxphyaddr = c->maxphyaddr };
	if (!c->svm)
		return;
	out->revision = (u8)c->svm_leaf.eax;
	out->nasid = c->svm_leaf.ebx;
#define X(name, bit, text)	out->name = c->svm_leaf.edx >> (bit) & 1;
	SVM_FEATURES(X)
#undef X
	out->cr4_valid = valid_cr4(c);
	/* APM2 3.1.7: LMSLE, TCE and newer bits vary; only what all have. */
	out->efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME |
			  EFER_LMSLE | EFER_FFXSR | EFER_TCE;
}

void svm_caps_names(const struct svm_caps *c, char *buf, size_t size)
{
	size_t len = 0;

	str_append(buf, size, &len, "rev %u, %u ASIDs:", c->revision, c->nasid);
#define X(name, bit, text)	if (c->name) str_append(buf, size, &len, " " text);
	SVM_FEATURES(X)
#undef X
}
