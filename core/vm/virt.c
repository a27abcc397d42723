/* SPDX-License-Identifier: MIT */
/* Choosing the vendor, once, and what guests may use of the CPU. */
#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/vm/run.h"
#include "core/vm/xcr0.h"
#include "core/x86/caps.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"

typedef const struct virt_ops *virt_ops_ptr;
SECTION_BOUNDS(virt_ops_ptr, virt_ops);

const struct virt_ops *virt;
char virt_why[160] = "no vendor's support is built in";
struct run_policy run_policy;

static u64 allowed_cr4(const struct cpu_caps *c)
{
	u64 cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
		  CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= c->umip ? CR4_UMIP : 0;
	cr4 |= c->la57 ? CR4_LA57 : 0;
	cr4 |= c->fsgsbase ? CR4_FSGSBASE : 0;
	cr4 |= c->pcid ? CR4_PCIDE : 0;
	cr4 |= c->xsave ? CR4_OSXSAVE : 0;
	cr4 |= c->smep ? CR4_SMEP : 0;
	cr4 |= c->smap ? CR4_SMAP : 0;
	cr4 |= c->pku ? CR4_PKE : 0;
	cr4 |= c->pks ? CR4_PKS : 0;
	return cr4;
}

static void policy_init(const struct cpu_caps *c)
{
	run_policy.caps = c;
	run_policy.xcr0_allowed = xcr0_of_caps(c);
	run_policy.xsave_size = xcr0_area_size(c->xstate, CPU_MAX_XSTATE, run_policy.xcr0_allowed);
	run_policy.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | (c->nx ? EFER_NXE : 0);
	run_policy.cr4_allowed = allowed_cr4(c);
	run_policy.maxphyaddr = c->maxphyaddr;
	run_policy.page1g = c->page1gb;
	guest_cpu_read(&run_policy.cpu, &cpuid_here, run_policy.xcr0_allowed,
		       run_policy.xsave_size);
}

void virt_init(const struct cpu_caps *caps)
{
	char why[2][80] = { "", "" };
	unsigned int n = 0;

	policy_init(caps);
	for (const virt_ops_ptr *o = __start_nb_virt_ops; o < __stop_nb_virt_ops; o++) {
		char *w = why[n < ARRAY_SIZE(why) ? n++ : ARRAY_SIZE(why) - 1];

		if ((*o)->probe(caps, w, sizeof(why[0])) == 0) {
			int err = (*o)->cpu_on(this_cpu());

			if (!err) {
				virt = *o;
				return;
			}
			nb_snprintf(w, sizeof(why[0]), "%s: enabling failed (error %d)",
				    (*o)->name, err);
		}
	}
	if (n)
		nb_snprintf(virt_why, sizeof(virt_why), "%s; %s", why[0], why[1]);
}
