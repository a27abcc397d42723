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
	const u64 all = 0x600ff;

	assert_true(xcr0_valid(1, all));
	assert_true(xcr0_valid(3, all));
	assert_true(xcr0_valid(7, all));
	assert_true(xcr0_valid(0xe7, all));
	assert_true(xcr0_valid(0x1b, all));
	assert_true(xcr0_valid(0x60001, all));
	assert_false(xcr0_valid(0, all));
	assert_false(xcr0_valid(2, all));
	assert_false(xcr0_valid(5, all));
	assert_false(xcr0_valid(0xe3, all));
	assert_false(xcr0_valid(0x67, all));
	assert_false(xcr0_valid(9, all));
	assert_false(xcr0_valid(0x20001, all));
	assert_false(xcr0_valid(7, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_xsave),
		cmocka_unit_test(test_xcr0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
