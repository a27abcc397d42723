// SPDX-License-Identifier: MIT
/*
 * VMRUN of a guest with any vmcb12: what becomes of it is VMEXIT_INVALID, or a vmcb02
 * in which L0 keeps all that is its own and which a CPU would accept.
 */
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
#define STATES		2000000

struct run_policy run_policy;

static struct vmcb vmcb01, vmcb02, vmcb12;
static u8 msrpm01[MSRPM_SIZE] __aligned(8), msrpm02[MSRPM_SIZE] __aligned(8), iopm[8];
static u8 memory[MEM_SIZE] __aligned(4096), rom[PAGE_SIZE] __aligned(4096);
static u64 expected[MSRPM_SIZE / 8];	/* msrpm02 */
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

static void l1_and_l2(struct vmcb *c)
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

static void reset(void)
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

static int setup(void **state)
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
	memcpy(expected, msrpm01, sizeof(expected));
	return 0;
}

/* In memory, over vmcb12, past its end, ROM; at the end of the addresses. */
static u64 near(struct rng *r)
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

/* One to four changes of a good one: members, reserved bytes, memory that maps may be in. */
static void mutate(struct rng *r, struct vmcb *page)
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
	for (u64 k = 1 + rng_below(r, 4); k; k--) {
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

/* No bit of L0's map is missing, nor one of L1's that counts. */
static const char *maps(void)
{
	u64 pa = vmcb_get_msrpm_base_pa(&vmcb12);
	const u64 *l1 = gmem_ptr(&vm.mem, pa, MSRPM_SIZE);
	const u64 *l0 = (const u64 *)msrpm01;
	bool counts = vmcb_get_intercept_vec3(&vmcb12) & VEC3_MSR;

	for (unsigned int i = 0; i < a.msrpm_open_n; i++) {
		unsigned int w = a.msrpm_open[i];

		expected[w] = l0[w] | (!counts ? 0 : l1 ? l1[w] : ~0ULL);
	}
	CHECK(!memcmp(msrpm02, expected, sizeof(expected)));
	return NULL;
}

/* By L2's own addresses only: the CPU does it by the shadow tables. */
static bool hands_over_vmload(void)
{
	return svm.caps.vmsave_virt && v.l2_paging &&
	       vmcb_get_virt_ext(&vmcb12) & VIRT_EXT_VMLOAD;
}

/* What of vmcb02 is not L1's to say. */
static const char *own(void)
{
	const u32 l1s = INT_CTL_V_TPR | SVM_VIRQ_BITS;

	CHECK((vmcb_get_intercept_vec3(&vmcb02) & OWN_VEC3) == OWN_VEC3);
	CHECK((vmcb_get_intercept_vec4(&vmcb02) & OWN_VEC4) == OWN_VEC4);
	CHECK((vmcb_get_intercept_vec4(&vmcb02) & VMLOAD_VMSAVE) == VMLOAD_VMSAVE ||
	      hands_over_vmload());
	CHECK(!(vmcb_get_virt_ext(&vmcb02) & VIRT_EXT_VMLOAD) == !hands_over_vmload());
	CHECK(vmcb_get_intercept_exceptions(&vmcb02) & BIT(VEC_MC));
	CHECK(vmcb_get_msrpm_base_pa(&vmcb02) == (u64)msrpm02);
	CHECK(vmcb_get_iopm_base_pa(&vmcb02) == (u64)iopm);
	/* None yet: the entry assigns one. */
	CHECK(!vmcb_get_guest_asid(&vmcb02) && !a.asid_gen);
	CHECK(vmcb_get_nested_ctl(&vmcb02) == NESTED_CTL_NP_ENABLE);
	CHECK(vmcb_get_n_cr3(&vmcb02) == (v.l2_paging ? SHADOW_ROOT : L0_ROOT));
	CHECK((vmcb_get_int_ctl(&vmcb02) & ~l1s) == INT_CTL_V_INTR_MASKING);
	CHECK(!(vmcb02.int_state & ~(u64)INT_STATE_SHADOW));
	CHECK(!(vmcb_get_virt_ext(&vmcb02) & ~(u64)(VIRT_EXT_VMLOAD | VIRT_EXT_LBR)));
	CHECK(!(vmcb_get_virt_ext(&vmcb02) & VIRT_EXT_LBR) == !vmcb_get_dbgctl(&vmcb02));
	CHECK(!vmcb_get_avic_apic_bar(&vmcb02) && !vmcb02.ghcb_pa);
	CHECK(!vmcb_get_avic_backing_page(&vmcb02) && !vmcb_get_avic_logical_table(&vmcb02));
	CHECK(!vmcb_get_avic_physical_table(&vmcb02) && !vmcb02.vmsa_pa && !vmcb02.tlb_control);
	return maps();
}

/*
 * L0 executes what reads the TSC of an L2 with a rate of its own that the CPU does not
 * scale, and of no other.
 */
static const char *rate(void)
{
	const struct vmcb *page = (const struct vmcb *)(memory + PAGE12);
	const bool by_cpu = v.l2_tsc.frac && scales, watched = v.l2_tsc.frac && !scales;
	bool tsc = vmcb_get_intercept_vec3(&vmcb02) & VEC3_RDTSC;
	bool tscp = vmcb_get_intercept_vec4(&vmcb02) & VEC4_RDTSCP;

	CHECK(tsc == (watched || vmcb_get_intercept_vec3(page) & VEC3_RDTSC));
	CHECK(tscp == (watched || vmcb_get_intercept_vec4(page) & VEC4_RDTSCP));
	CHECK(cpu_ratio == (by_cpu ? 5 : 0));
	CHECK(vmcb_get_tsc_offset(&vmcb02) == (by_cpu ? 0x777 : OFFSET01 +
					       vmcb_get_tsc_offset(page)));
	return NULL;
}

/* With registers of L2's own, or L1's; of a CPU without them nothing. */
static const char *branch_records(void)
{
	const struct vmcb *page = (const struct vmcb *)(memory + PAGE12);
	const struct vmcb *from = vmcb_get_virt_ext(page) & VIRT_EXT_LBR ? page : &vmcb01;

	CHECK(vmcb_get_dbgctl(&vmcb02) == (svm.lbr ? vmcb_get_dbgctl(from) & DEBUGCTL_LBR : 0));
	CHECK(vmcb_get_br_to(&vmcb02) == (svm.lbr ? vmcb_get_br_to(from) : 0));
	return NULL;
}

/* What L1 asked for. */
static const char *asked(void)
{
	const struct vmcb *page = (const struct vmcb *)(memory + PAGE12);

	CHECK((vmcb_get_intercept_vec3(page) & ~vmcb_get_intercept_vec3(&vmcb02) &
	       ~(VEC3_VINTR | VEC3_IRET)) == 0);
	CHECK((vmcb_get_intercept_vec4(page) & ~vmcb_get_intercept_vec4(&vmcb02)) == 0);
	CHECK((vmcb_get_intercept_vec5(page) & ~vmcb_get_intercept_vec5(&vmcb02)) == 0);
	CHECK((vmcb_get_intercept_exceptions(page) &
	       ~vmcb_get_intercept_exceptions(&vmcb02)) == 0);
	CHECK((vmcb_get_intercept_cr_read(page) & ~vmcb_get_intercept_cr_read(&vmcb02)) == 0);
	CHECK((vmcb_get_intercept_cr_write(page) & ~vmcb_get_intercept_cr_write(&vmcb02)) == 0);
	CHECK((vmcb_get_intercept_dr_read(page) & ~vmcb_get_intercept_dr_read(&vmcb02)) == 0);
	CHECK((vmcb_get_intercept_dr_write(page) & ~vmcb_get_intercept_dr_write(&vmcb02)) == 0);
	CHECK(v.rip == page->rip && v.gpr[VREG_RAX] == page->rax);
	CHECK(vmcb_get_cr3(&vmcb02) == vmcb_get_cr3(page));
	CHECK(!(page->eventinj & EVENTINJ_VALID) == !(vmcb02.eventinj & EVENTINJ_VALID));
	return NULL;
}

static const char *entered(void)
{
	const char *why;
	struct nested_check_env env;

	CHECK(v.in_l2 && n.run_pending && n.gif && a.vmcb == &vmcb02);
	CHECK(!(vmcb02.eventinj & EVENTINJ_VALID));
	/* What svm_inject_prepare alone can do. */
	CHECK(a.attention || !(vmcb12.eventinj & EVENTINJ_VALID || vmcb02.int_state ||
			       vmcb_get_int_ctl(&vmcb12) & (INT_CTL_V_IRQ | INT_CTL_V_NMI_ENABLE)));
	svm_nested_prepare(&v);
	why = own();
	if (!why)
		why = asked();
	if (!why)
		why = rate();
	if (!why)
		why = branch_records();
	if (why)
		return why;
	/* The CPU that L0 runs on: it would not refuse. */
	env = *svm_nested_check_env(&n);
	env.maxphyaddr = 48;
	vmcb_set_guest_asid(&vmcb02, 9);
	CHECK(!svm_nested_check(&vmcb02, &vmcb02, &env));
	return NULL;
}

static const char *refused(const struct vmcb *was)
{
	CHECK(invalid && !v.in_l2 && a.vmcb == &vmcb01 && n.failed && n.failed->id);
	/* RIP and the shadow are VMRUN's own. */
	CHECK(v.rip == 0x1003);
	CHECK(!memcmp(was, &vmcb01, sizeof(*was)));
	return NULL;
}

static void test_random(void **state)
{
	const char *states = getenv("NB_STATES");
	u64 count = states ? strtoull(states, NULL, 0) : STATES, good = 0;
	struct rng r = rng_seed(1);
	static struct vmcb was, before;

	for (u64 i = 0; i < count; i++) {
		const u64 seed = r.s;
		const char *why;

		reset();
		v.l2_tsc.frac = rng_one_in(&r, 4) ? TSC_RATIO_FRAC : 0;
		scales = rng_one_in(&r, 2);
		svm.lbr = rng_one_in(&r, 2);
		vmcb_set_dbgctl(&vmcb01, svm.lbr && rng_one_in(&r, 2) ? DEBUGCTL_LBR : 0);
		svm.caps.vmsave_virt = rng_one_in(&r, 2);
		mutate(&r, (struct vmcb *)(memory + PAGE12));
		before = *(struct vmcb *)(memory + PAGE12);
		was = vmcb01;
		if (!svm_nested_vmrun(&v, PAGE12))
			fail_msg("NB_SEED=%llu: no VMRUN", (unsigned long long)seed);
		why = v.in_l2 ? entered() : refused(&was);
		if (why)
			fail_msg("NB_SEED=%llu NB_STATES=1: %s", (unsigned long long)seed, why);
		/* L1's page changes with #VMEXIT only. */
		assert_memory_equal(&before, memory + PAGE12, sizeof(before));
		good += v.in_l2;
	}
	if (count >= 1000)
		assert_in_range(good, count / 4, count - count / 4);
}

/* What is no writable memory of L1's is #GP, and nothing has happened. */
static void test_no_page(void **state)
{
	static const u64 pa[] = { ROM, ROM + 0x1000, MEM_SIZE, BIT(39), BIT(52) - 0x1000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(pa); i++) {
		reset();
		assert_false(svm_nested_vmrun(&v, pa[i]));
		assert_false(v.in_l2 || invalid);
		assert_int_equal(v.rip, 0x1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_no_page, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
