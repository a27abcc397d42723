/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/vm/state.h"
#include "core/vm/xcr0.h"
#include "core/x86/regs.h"

static const struct save_limits lim = {
	.xcr0_allowed = 7, .efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
	.cr4_allowed = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE, .xsave_size = 832,
	.mxcsr_mask = 0xffff, .maxphyaddr = 40,
};

/* A vCPU in 64-bit mode. */
static struct vcpu_save good(void)
{
	struct vcpu_save s = { .mp_state = MP_HALTED };

	s.reg[VREG_CR0] = CR0_PE | CR0_PG | CR0_ET;
	s.reg[VREG_CR4] = CR4_PAE;
	s.reg[VREG_EFER] = EFER_LME | EFER_LMA;
	s.reg[VREG_DR6] = DR6_FIXED1;
	s.reg[VREG_DR7] = DR7_FIXED1;
	s.reg[VREG_PAT] = PT_PAT_RESET;
	s.reg[VREG_XCR0] = 7;
	s.reg[VREG_LSTAR] = 0xffffffff81000000;
	return s;
}

static int check(const struct vcpu_save *s)
{
	const char *what = NULL;
	int err = vcpu_save_check(s, &lim, &what);

	if (err)
		assert_non_null(what);
	return err;
}

static void test_good(void **state)
{
	struct vcpu_save s = good();

	assert_int_equal(check(&s), 0);
}

/* What a WRMSR, a MOV to DR or XSETBV of the host would fault on. */
static void test_registers(void **state)
{
	static const struct { u8 reg; u64 bad; } rows[] = {
		{ VREG_CR0, 1ULL << 32 | CR0_PE }, { VREG_CR0, CR0_PG }, { VREG_CR0, CR0_NW },
		{ VREG_CR4, CR4_VMXE }, { VREG_CR4, 1ULL << 63 }, { VREG_CR8, 16 },
		{ VREG_EFER, EFER_SVME }, { VREG_EFER, 1ULL << 63 },
		{ VREG_DR6, 1ULL << 32 }, { VREG_DR7, 1ULL << 32 },
		{ VREG_LSTAR, 1ULL << 47 }, { VREG_CSTAR, 1ULL << 62 },
		{ VREG_KERNEL_GS_BASE, 0x800000000000 }, { VREG_SYSENTER_ESP, 1ULL << 47 },
		{ VREG_SYSENTER_EIP, 1ULL << 47 }, { VREG_SFMASK, 1ULL << 32 },
		{ VREG_TSC_AUX, 1ULL << 32 }, { VREG_PKRS, 1ULL << 32 },
		{ VREG_DEBUGCTL, 4 }, { VREG_PAT, 2 },
		{ VREG_XCR0, 0 }, { VREG_XCR0, 5 }, { VREG_XCR0, 8 | 7 },
		{ VREG_INT_SHADOW, 2 }, { VREG_NMI_BLOCKED, 2 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu_save s = good();

		s.reg[rows[i].reg] = rows[i].bad;
		if (check(&s) != -EINVAL)
			fail_msg("row %u", i);
	}
}

static void test_what_vmload_loads(void **state)
{
	static const u8 any[] = { VREG_LSTAR, VREG_CSTAR, VREG_SFMASK, VREG_KERNEL_GS_BASE,
				  VREG_SYSENTER_ESP, VREG_SYSENTER_EIP };
	struct save_limits svm = lim;
	struct vcpu_save s = good();
	const char *what;

	svm.vmload = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(any); i++)
		s.reg[any[i]] = 0x8000000000000000 + i;
	assert_int_equal(vcpu_save_check(&s, &svm, &what), 0);
	s.reg[VREG_TSC_AUX] = 1ULL << 32;
	assert_int_equal(vcpu_save_check(&s, &svm, &what), -EINVAL);
	assert_string_equal(what, "TSC_AUX");
}

static void test_events(void **state)
{
	static const struct event_save bad[] = {
		{ .type = EVENT_PRIV_EXC + 1 }, { .type = EVENT_NMI, .vector = 3 },
		{ .type = EVENT_EXCEPTION, .vector = 32 },
		{ .type = EVENT_SOFT_INT, .insn_len = 16 },
		{ .type = EVENT_EXCEPTION, .vector = 13, .has_error = 2 },
	};
	struct vcpu_save s = good();

	s.reinject = (struct event_save){ .type = EVENT_EXCEPTION, .vector = 13, .has_error = 1 };
	s.exception = (struct event_save){ .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 };
	s.nmi = 2;
	assert_int_equal(check(&s), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		s = good();
		s.reinject = bad[i];
		assert_int_equal(check(&s), -EINVAL);
		s = good();
		s.exception = bad[i];
		assert_int_equal(check(&s), -EINVAL);
	}
	s = good();
	s.nmi = 3;
	assert_int_equal(check(&s), -EINVAL);
	s = good();
	s.mp_state = MP_WAIT_SIPI + 1;
	assert_int_equal(check(&s), -EINVAL);
}

static int check_area(const u8 *area, u32 size)
{
	const char *what;

	return xsave_check(area, size, &lim, &what);
}

/* SDM1 13.8: MXCSR, XSTATE_BV, XCOMP_BV and the reserved bytes of the header. */
static void test_xsave(void **state)
{
	struct save_limits fx = lim;
	const char *what;
	u8 area[832] = { 0 };

	area[512] = 7;
	assert_int_equal(check_area(area, 832), 0);
	assert_int_equal(check_area(area, 831), -EINVAL);
	assert_int_equal(check_area(area, 512), -EINVAL);
	area[512] = 8;
	assert_int_equal(check_area(area, 832), -EINVAL);
	area[512] = 0;
	for (u32 i = 520; i < 576; i++) {
		area[i] = 1;
		assert_int_equal(check_area(area, 832), -EINVAL);
		area[i] = 0;
	}
	area[26] = 1;
	assert_int_equal(check_area(area, 832), -EINVAL);
	area[26] = 0;
	fx.xsave_size = 512;
	assert_int_equal(xsave_check(area, 512, &fx, &what), 0);
}

/* SDM1 13.3: which states need which. */
static void test_xcr0(void **state)
{
	assert_true(xcr0_valid(1, XCR0_GIVEN));
	assert_true(xcr0_valid(3, XCR0_GIVEN));
	assert_true(xcr0_valid(7, XCR0_GIVEN));
	assert_true(xcr0_valid(0xe7, XCR0_GIVEN));
	assert_true(xcr0_valid(0x201, XCR0_GIVEN));
	assert_true(xcr0_valid(0x2e7, XCR0_GIVEN));
	assert_false(xcr0_valid(0, XCR0_GIVEN));
	assert_false(xcr0_valid(2, XCR0_GIVEN));
	assert_false(xcr0_valid(5, XCR0_GIVEN));
	assert_false(xcr0_valid(0xe3, XCR0_GIVEN));
	assert_false(xcr0_valid(0x67, XCR0_GIVEN));
	/* MPX and AMX, whole or half, supervisor states, LWP. */
	assert_false(xcr0_valid(9, XCR0_GIVEN));
	assert_false(xcr0_valid(0x1b, XCR0_GIVEN));
	assert_false(xcr0_valid(0x20007, XCR0_GIVEN));
	assert_false(xcr0_valid(0x60007, XCR0_GIVEN));
	assert_false(xcr0_valid(0x107, XCR0_GIVEN));
	assert_false(xcr0_valid(BIT(62) | 7, XCR0_GIVEN));
	assert_false(xcr0_valid(7, 3));
}

/* A Sapphire Rapids has AMX and PKRU, its layout is that of SDM1 13.5. */
static void test_given_states(void **state)
{
	struct cpu_caps c = { .xsave = true, .xcr0_supported = 0x602e7, .xss_supported = 0x1900 };

	c.xstate[2].offset = 576, c.xstate[2].size = 256;
	c.xstate[5].offset = 1088, c.xstate[5].size = 64;
	c.xstate[6].offset = 1152, c.xstate[6].size = 512;
	c.xstate[7].offset = 1664, c.xstate[7].size = 1024;
	c.xstate[9].offset = 2688, c.xstate[9].size = 8;
	c.xstate[17].offset = 2752, c.xstate[17].size = 64;
	c.xstate[18].offset = 2816, c.xstate[18].size = 8192;
	assert_int_equal(xcr0_of_caps(&c), 0x2e7);
	assert_int_equal(xcr0_area_size(c.xstate, CPU_MAX_XSTATE, 0x2e7), 2696);
	assert_int_equal(xcr0_area_size(c.xstate, CPU_MAX_XSTATE, 0xe7), 2688);
	assert_int_equal(xcr0_area_size(c.xstate, CPU_MAX_XSTATE, 7), 832);
	assert_int_equal(xcr0_area_size(c.xstate, CPU_MAX_XSTATE, 3), 576);
	/* Without gaps, but where a state wants to be aligned. */
	assert_int_equal(xcr0_compact_size(&c, 3), 576);
	assert_int_equal(xcr0_compact_size(&c, 0xe7), 2432);
	assert_int_equal(xcr0_compact_size(&c, 0x2e7), 2440);
	c.xstate_aligned = BIT(17);
	assert_int_equal(xcr0_compact_size(&c, 0x202e7), 2560);
	/* Beyond the area of a vCPU: only what is always in it. */
	c.xstate[9].offset = XSAVE_AREA_SIZE - 7;
	assert_int_equal(xcr0_of_caps(&c), 3);
	c.xsave = false;
	assert_int_equal(xcr0_of_caps(&c), 0);
}

/* States that are not given: no check here knows what they may hold. */
static void test_no_amx(void **state)
{
	struct save_limits l = lim;
	const char *what;
	u8 area[2696] = { 0 };

	l.xcr0_allowed = XCR0_GIVEN;
	l.xsave_size = sizeof(area);
	area[512] = 0xe7;
	area[513] = 2;
	assert_int_equal(xsave_check(area, sizeof(area), &l, &what), 0);
	for (u32 bit = 16; bit < 64; bit++) {
		area[512 + bit / 8] = (u8)(1 << bit % 8);
		assert_int_equal(xsave_check(area, sizeof(area), &l, &what), -EINVAL);
		area[512 + bit / 8] = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_what_vmload_loads),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_xsave),
		cmocka_unit_test(test_xcr0),
		cmocka_unit_test(test_given_states),
		cmocka_unit_test(test_no_amx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
