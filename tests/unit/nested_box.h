/* SPDX-License-Identifier: MIT */
/*
 * A vCPU of L1 with two VMCBs and some memory, for VMRUN (svm/nested_enter.c) on the
 * host.  What comes from files that only the image has is here as far as VMRUN sees it.
 */
#ifndef TESTS_UNIT_NESTED_BOX_H
#define TESTS_UNIT_NESTED_BOX_H

#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "svm/inject.h"
#include "svm/nested.h"
#include "svm/perm.h"
#include "svm/quirks.h"
#include "tests/unit/rng.h"

#define MEM_SIZE	0x40000ULL
#define PAGE12		0x10000ULL	/* vmcb12; maps may lie over it */
#define ROM		0x80000ULL	/* readable only */
#define L0_ROOT		0x7654321000ULL
#define SHADOW_ROOT	0x1234567000ULL
#define OFFSET01	0x123456789ULL	/* of L1's TSC */

struct run_policy run_policy;

static struct vmcb vmcb01, vmcb02, vmcb12;
static u8 msrpm01[MSRPM_SIZE] __aligned(8), msrpm02[MSRPM_SIZE] __aligned(8), iopm[8];
static u8 memory[MEM_SIZE] __aligned(4096), rom[PAGE_SIZE] __aligned(4096);
static struct svm_vcpu a;
static struct svm_nested n;
static struct shadow_cache shadows;
static struct vcpu v;
static struct vm vm;
static bool invalid;		/* VMEXIT_INVALID was made */

/* Of files that only the image has. */
enum svm_step_insn svm_step_classify(struct vcpu *vc) { return STEP_INSN_PLAIN; }
void svm_step_restore_tf(struct vcpu *vc, struct svm_vcpu *av, bool executed) { }
u32 svm_nested_windows(const struct vcpu *vc, u32 wanted) { return wanted; }
bool svm_nested_watches_cr8(const struct vcpu *vc) { return false; }
bool svm_nested_virq_waits(const struct vcpu *vc) { return false; }
bool svm_nested_wakes(struct vcpu *vc) { return false; }
bool svm_nested_take_vnmi(struct vcpu *vc) { return false; }
void svm_nested_vnmi_enter(struct vcpu *vc) { }
void svm_nested_gif_intercepts(struct vcpu *vc) { }
void svm_nested_forget_windows(struct vcpu *vc) { }
void svm_nested_fix_gp(struct vcpu *vc, struct event *e) { }
int vcpu_exit_insn_len(struct vcpu *vc) { return 3; }
void svm_disarm(u64 dr7) { }

/* A CPU that scales, or does not: v.l2_line by the former. */
static bool scales;
static u64 cpu_ratio;

void vcpu_compose_tsc(struct vcpu *vc)
{
	vc->l2_line = (struct tsc_line){ scales && vc->l2_tsc.frac ? 5 : 0, 0x777 };
}

void svm_regs_tsc_ratio(const struct vcpu *vc)
{
	cpu_ratio = vc->l2_line.ratio;
}

void svm_nested_npt_enter(struct vcpu *vc)
{
	vc->l2_paging = vmcb_get_nested_ctl(&vmcb12) & NESTED_CTL_NP_ENABLE;
	vmcb_set_nested_ctl(&vmcb02, NESTED_CTL_NP_ENABLE);
	vmcb_set_n_cr3(&vmcb02, vc->l2_paging ? SHADOW_ROOT : L0_ROOT);
}

void svm_nested_exit_invalid(struct vcpu *vc, struct vmcb *page)
{
	assert_false(vc->in_l2);
	invalid = true;
}

static inline void l1_and_l2(struct vmcb *c)
{
	const struct vmcb_seg cs = { 0x10, 0x29b, ~0u, 0 };

	memset(c, 0, sizeof(*c));
	vmcb_set_intercept_vec4(c, VEC4_VMRUN);
	vmcb_set_guest_asid(c, 1);
	vmcb_set_cs(c, &cs);
	vmcb_set_g_pat(c, PT_PAT_RESET);
	vmcb_set_cr0(c, CR0_PE | CR0_PG | CR0_ET | CR0_WP);
	vmcb_set_cr3(c, 0x4000);
	vmcb_set_cr4(c, CR4_PAE);
	vmcb_set_efer(c, EFER_LME | EFER_LMA | EFER_SVME);
	vmcb_set_dr6(c, DR6_FIXED1);
	vmcb_set_dr7(c, DR7_FIXED1);
	c->rflags = RFLAGS_FIXED;
}

/* What L0 intercepts of a guest of its own. */
#define OWN_VEC3	(VEC3_INTR | VEC3_NMI | VEC3_SMI | VEC3_INIT | VEC3_CPUID | VEC3_HLT | \
			 VEC3_INVLPGA | VEC3_IOIO | VEC3_MSR | VEC3_SHUTDOWN)
#define OWN_VEC4	(VEC4_VMRUN | VEC4_VMMCALL | VEC4_STGI | VEC4_CLGI | VEC4_SKINIT)
#define VMLOAD_VMSAVE	(VEC4_VMLOAD | VEC4_VMSAVE)

static inline void reset(void)
{
	memset(&a, 0, sizeof(a));
	memset(&n, 0, sizeof(n));
	v.in_l2 = v.l2_paging = false;
	memset(&v.events, 0, sizeof(v.events));
	v.arch = &a;
	v.nested = &n;
	v.vm = &vm;
	v.rip = 0x1000;
	v.rflags = RFLAGS_FIXED;
	l1_and_l2(&vmcb01);
	vmcb_set_intercept_vec3(&vmcb01, OWN_VEC3);
	vmcb_set_intercept_vec4(&vmcb01, OWN_VEC4 | VMLOAD_VMSAVE);
	vmcb_set_int_ctl(&vmcb01, INT_CTL_V_INTR_MASKING);
	vmcb_set_tsc_offset(&vmcb01, OFFSET01);
	v.l2_line.ratio = cpu_ratio = 0;
	memset(&vmcb02, 0, sizeof(vmcb02));
	vmcb_set_guest_asid(&vmcb02, 9);
	a.vmcb = a.vmcb01 = &vmcb01;
	a.msrpm = msrpm01;
	a.iopm = iopm;
	a.exc_want = BIT(VEC_MC);
	a.exc_guard = BIT(VEC_AC);
	a.msrpm_open[0] = 3;
	a.msrpm_open[1] = MSRPM_SIZE / 8 - 1;
	a.msrpm_open_n = 2;
	n.vmcb01 = &vmcb01;
	n.vmcb02 = &vmcb02;
	n.vmcb12 = &vmcb12;
	n.msrpm02 = msrpm02;
	n.shadows = &shadows;
	n.kept_pa = SVM_NOT_KEPT;
	svm_nested_init_env(&n);
	invalid = false;
}

static inline int setup(void **state)
{
	memset(&v, 0, sizeof(v));
	memset(&vm, 0, sizeof(vm));
	memset(&svm, 0, sizeof(svm));
	svm.caps.nrips = true;
	gmem_init(&vm.mem);
	assert_int_equal(gmem_add(&vm.mem, 0, MEM_SIZE, memory, 0x100000, 0), 0);
	assert_int_equal(gmem_add(&vm.mem, ROM, PAGE_SIZE, rom, 0x200000, GMEM_RO), 0);
	run_policy.efer_allowed = EFER_SCE | EFER_LME | EFER_NXE;
	run_policy.cr4_allowed = BITS(10, 0) | CR4_FSGSBASE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP;
	run_policy.maxphyaddr = 40;
	memset(msrpm01, 0xff, sizeof(msrpm01));
	msrpm01[3 * 8] = 0x5a;
	msrpm01[MSRPM_SIZE - 1] = 0;
	memset(msrpm02, 0xff, sizeof(msrpm02));
	return 0;
}

/* In memory, over vmcb12, past its end, ROM; at the end of the addresses. */
static inline u64 near(struct rng *r)
{
	if (rng_one_in(r, 2))
		return BIT(40) - rng_below(r, 5) * 0x1000;
	return rng_below(r, 0x90) << 12 | rng_below(r, 2) * rng_below(r, 0x1000);
}

/* Members that rules look at. */
static const u16 judged[] = {
	VMCB_F_intercept_vec3, VMCB_F_intercept_vec4, VMCB_F_iopm_base_pa, VMCB_F_msrpm_base_pa,
	VMCB_F_guest_asid, VMCB_F_int_ctl, VMCB_F_nested_ctl, VMCB_F_eventinj, VMCB_F_n_cr3,
	VMCB_F_cs_attrib, VMCB_F_efer, VMCB_F_cr4, VMCB_F_cr3, VMCB_F_cr0, VMCB_F_dr7, VMCB_F_dr6,
	VMCB_F_g_pat,
};

/* A vmcb12 that enters L2, with and without nested paging. */
static inline void good_page(struct rng *r, struct vmcb *page)
{
	l1_and_l2(page);
	vmcb_set_msrpm_base_pa(page, 0x20000);
	vmcb_set_iopm_base_pa(page, 0x30000);
	vmcb_set_intercept_vec3(page, VEC3_MSR);
	if (rng_one_in(r, 2)) {
		vmcb_set_nested_ctl(page, NESTED_CTL_NP_ENABLE);
		vmcb_set_n_cr3(page, 0x8000);
	}
	vmcb_set_virt_ext(page, rng_below(r, 4));
	vmcb_set_dbgctl(page, rng_below(r, 4));
	vmcb_set_br_to(page, rng_next(r));
}

/* Changes of it: members, reserved bytes, memory that maps may be in. */
static inline void mutate(struct rng *r, struct vmcb *page, u64 changes)
{
	for (; changes; changes--) {
		enum vmcb_field f = (enum vmcb_field)(rng_one_in(r, 2) ?
			judged[rng_below(r, ARRAY_SIZE(judged))] :
			rng_below(r, VMCB_FIELD_COUNT));
		u64 *word = (u64 *)page + rng_below(r, sizeof(*page) / 8);

		if (rng_one_in(r, 4))
			*word = rng_register(r, *word, near);
		else
			vmcb_write(page, f, rng_register(r, vmcb_read(page, f), near));
	}
	((u64 *)memory)[0x20000 / 8 + 3] = rng_next(r);
}

#define CHECK(cond)	do { if (!(cond)) return #cond; } while (0)

#endif
