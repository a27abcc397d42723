// SPDX-License-Identifier: MIT
/*
 * VMRUN of a guest with any vmcb12: what becomes of it is VMEXIT_INVALID, or a vmcb02
 * in which L0 keeps all that is its own and which a CPU would accept.
 */
#include "tests/unit/nested_box.h"

#define STATES		2000000

static u64 expected[MSRPM_SIZE / 8];	/* msrpm02 */

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
	struct vmcb *page = (struct vmcb *)(memory + PAGE12);
	static struct vmcb was, before;

	memcpy(expected, msrpm01, sizeof(expected));
	for (u64 i = 0; i < count; i++) {
		const u64 seed = r.s;
		const char *why;

		reset();
		v.l2_tsc.frac = rng_one_in(&r, 4) ? TSC_RATIO_FRAC : 0;
		scales = rng_one_in(&r, 2);
		svm.lbr = rng_one_in(&r, 2);
		vmcb_set_dbgctl(&vmcb01, svm.lbr && rng_one_in(&r, 2) ? DEBUGCTL_LBR : 0);
		svm.caps.vmsave_virt = rng_one_in(&r, 2);
		good_page(&r, page);
		mutate(&r, page, 1 + rng_below(&r, 4));
		before = *page;
		was = vmcb01;
		if (!svm_nested_vmrun(&v, PAGE12))
			fail_msg("NB_SEED=%llu: no VMRUN", (unsigned long long)seed);
		why = v.in_l2 ? entered() : refused(&was);
		if (why)
			fail_msg("NB_SEED=%llu NB_STATES=1: %s", (unsigned long long)seed, why);
		/* L1's page changes with #VMEXIT only. */
		assert_memory_equal(&before, page, sizeof(before));
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
