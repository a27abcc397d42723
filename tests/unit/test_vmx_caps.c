// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "vmx/caps.h"

/* The capability MSRs of a CPU with everything that is wanted, and no more. */
static void good_caps(struct vmx_caps *c)
{
	memset(c, 0, sizeof(*c));
	c->basic = VMX_BASIC_TRUE_CTLS | 0x12;
	c->ctl[VMX_CTL_PIN] = 0x7fULL << 32 | 0x16;
	c->ctl[VMX_CTL_PROC] = 0xfff9fffeULL << 32 | 0x04006172;
	c->ctl[VMX_CTL_PROC2] = 0x0011cfffULL << 32;
	c->ctl[VMX_CTL_EXIT] = 0x01ffffffULL << 32 | 0x36dfb;
	c->ctl[VMX_CTL_ENTRY] = 0x0003ffffULL << 32 | 0x11fb;
	c->misc = 5 | VMX_MISC_STORE_LMA;
	c->cr0_fixed0 = 0x80000021;
	c->cr0_fixed1 = 0xffffffff;
	c->cr4_fixed0 = 0x2000;
	c->cr4_fixed1 = 0x3727ff;
	c->ept_vpid = EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_UC | EPT_CAP_2M | EPT_CAP_INVEPT |
		      EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL | VPID_CAP_INVVPID |
		      VPID_CAP_SINGLE | VPID_CAP_ALL;
}

static void test_adjust(void **state)
{
	/* bit: 0 free, 1 forced to 1, 2 forced to 0, 3 free */
	const u64 cap = 0xbULL << 32 | 0x2;
	u32 out;

	assert_int_equal(vmx_ctl_adjust(cap, 0, 0, &out), 0);
	assert_int_equal(out, 2);
	assert_int_equal(vmx_ctl_adjust(cap, 1, 0, &out), 0);
	assert_int_equal(out, 3);
	/* What is optional and not there is left out silently. */
	assert_int_equal(vmx_ctl_adjust(cap, 1, 0xc, &out), 0);
	assert_int_equal(out, 0xb);
	/* What must be and is not there comes back. */
	assert_int_equal(vmx_ctl_adjust(cap, 0x15, 0xffffffff, &out), -EOPNOTSUPP);
	assert_int_equal(out, 0x14);
}

static void test_valid_agrees_with_a_model(void **state)
{
	for (u32 low = 0; low < 8; low++)
		for (u32 high = 0; high < 8; high++)
			for (u32 val = 0; val < 8; val++) {
				u64 cap = (u64)high << 32 | low;
				bool ok = true;

				for (int b = 0; b < 3; b++) {
					if (low >> b & 1 && !(val >> b & 1))
						ok = false;
					if (!(high >> b & 1) && val >> b & 1)
						ok = false;
				}
				assert_int_equal(vmx_ctl_valid(cap, val), ok);
			}
}

static void test_adjusted_is_valid(void **state)
{
	struct vmx_caps c;
	struct vmx_ctls ctls;
	char why[80];

	good_caps(&c);
	assert_int_equal(vmx_ctls_choose(&c, &ctls, why, sizeof(why)), 0);
	for (int w = 0; w < VMX_CTL_WORDS; w++)
		assert_true(vmx_ctl_valid(c.ctl[w], ctls.word[w]));
	assert_true(ctls.word[VMX_CTL_PROC2] & VMX_CTL(PROC2_ENABLE_EPT));
	assert_true(ctls.word[VMX_CTL_PIN] & VMX_CTL(PIN_VIRTUAL_NMIS));
	assert_false(ctls.word[VMX_CTL_EXIT] & VMX_CTL(EXIT_ACK_INTR));
	assert_false(ctls.word[VMX_CTL_PIN] & VMX_CTL(PIN_PREEMPTION_TIMER));
	assert_false(ctls.word[VMX_CTL_PROC] & VMX_CTL(PROC_CR8_LOAD_EXITING));
}

static void test_without_tpr_shadow_cr8_exits(void **state)
{
	struct vmx_caps c;
	struct vmx_ctls ctls;
	char why[80];

	good_caps(&c);
	c.ctl[VMX_CTL_PROC] &= ~((u64)VMX_CTL(PROC_USE_TPR_SHADOW) << 32);
	assert_int_equal(vmx_ctls_choose(&c, &ctls, why, sizeof(why)), 0);
	assert_true(ctls.word[VMX_CTL_PROC] & VMX_CTL(PROC_CR8_LOAD_EXITING));
	assert_true(ctls.word[VMX_CTL_PROC] & VMX_CTL(PROC_CR8_STORE_EXITING));
}

static void refused(struct vmx_caps *c, const char *text)
{
	struct vmx_ctls ctls;
	char why[80] = "";

	assert_int_equal(vmx_ctls_choose(c, &ctls, why, sizeof(why)), -ENODEV);
	if (!strstr(why, text))
		fail_msg("\"%s\" does not say \"%s\"", why, text);
}

static void test_reasons_for_refusal(void **state)
{
	struct vmx_caps c;

	good_caps(&c);
	c.ctl[VMX_CTL_PROC] &= ~((u64)VMX_CTL(PROC_ACTIVATE_SECONDARY) << 32);
	refused(&c, "EPT");
	good_caps(&c);
	c.ctl[VMX_CTL_PROC2] &= ~((u64)VMX_CTL(PROC2_ENABLE_EPT) << 32);
	refused(&c, "EPT");
	good_caps(&c);
	c.ctl[VMX_CTL_PROC2] &= ~((u64)VMX_CTL(PROC2_UNRESTRICTED_GUEST) << 32);
	refused(&c, "unrestricted guest");
	good_caps(&c);
	c.ctl[VMX_CTL_PROC2] &= ~((u64)VMX_CTL(PROC2_ENABLE_VPID) << 32);
	refused(&c, "proc2 controls: ENABLE_VPID");
	good_caps(&c);
	c.ept_vpid &= ~EPT_CAP_WALK_4;
	refused(&c, "4-level");
	good_caps(&c);
	c.ept_vpid &= ~(EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL);
	refused(&c, "INVEPT");
	good_caps(&c);
	c.ctl[VMX_CTL_EXIT] &= ~((u64)VMX_CTL(EXIT_LOAD_EFER) << 32);
	refused(&c, "exit controls: LOAD_EFER");
}

static void test_names(void **state)
{
	char buf[64], tiny[8];

	vmx_ctl_names(VMX_CTL_PIN, VMX_CTL(PIN_NMI_EXITING) | 1u << 31, buf, sizeof(buf));
	assert_string_equal(buf, "NMI_EXITING bit31");
	vmx_ctl_names(VMX_CTL_PIN, 0, buf, sizeof(buf));
	assert_string_equal(buf, "");
	vmx_ctl_names(VMX_CTL_PIN, ~0u, tiny, sizeof(tiny));
	assert_int_equal(strlen(tiny), 7);
}

static void test_cr_fix(void **state)
{
	assert_int_equal(vmx_cr_fix(0, 0x21, 0xff), 0x21);
	assert_int_equal(vmx_cr_fix(0x100, 0x21, 0xff), 0x21);
	assert_int_equal(vmx_cr_fix(0x42, 0x21, 0xff), 0x63);
}

static void test_feature_control(void **state)
{
	u64 w = 0;

	assert_int_equal(vmx_feature_control(0, false, &w), -EAGAIN);
	assert_int_equal(w, 5);
	assert_int_equal(vmx_feature_control(0, true, &w), -EAGAIN);
	assert_int_equal(w, 3);
	/* What firmware wrote and did not lock stays. */
	assert_int_equal(vmx_feature_control(0x100002, false, &w), -EAGAIN);
	assert_int_equal(w, 0x100007);
	assert_int_equal(vmx_feature_control(5, false, &w), 0);
	assert_int_equal(vmx_feature_control(1, false, &w), -ENODEV);
	assert_int_equal(vmx_feature_control(3, false, &w), -ENODEV);
	assert_int_equal(vmx_feature_control(3, true, &w), 0);
}

static void test_eptp(void **state)
{
	struct vmx_caps c;

	good_caps(&c);
	assert_int_equal(vmx_eptp(&c, 0x12345000), 0x1234501e);
	c.ept_vpid |= EPT_CAP_AD;
	assert_int_equal(vmx_eptp(&c, 0x12345000), 0x1234505e);
	c.ept_vpid &= ~EPT_CAP_WB;
	assert_int_equal(vmx_eptp(&c, 0x12345000), 0x12345058);
}

static void test_timer_value(void **state)
{
	struct vmx_caps c = { .misc = 5 };

	assert_int_equal(vmx_timer_value(&c, 0), 0);
	assert_int_equal(vmx_timer_value(&c, 1), 1);
	assert_int_equal(vmx_timer_value(&c, 32), 1);
	assert_int_equal(vmx_timer_value(&c, 33), 2);
	assert_int_equal(vmx_timer_value(&c, 0xffffffffULL << 5), 0xffffffff);
	assert_int_equal(vmx_timer_value(&c, ~0ULL), 0xffffffff);
	c.misc = 0;
	assert_int_equal(vmx_timer_value(&c, ~0ULL), 0xffffffff);
	assert_int_equal(vmx_timer_value(&c, 7), 7);
}

static void test_describe(void **state)
{
	struct vmx_caps c;
	char buf[300];

	good_caps(&c);
	vmx_caps_describe(&c, buf, sizeof(buf));
	assert_non_null(strstr(buf, "ept vpid unrestricted vnmi preempt_timer"));
	assert_non_null(strstr(buf, "ept_2m"));
	assert_null(strstr(buf, "ept_1g"));
	memset(&c, 0, sizeof(c));
	vmx_caps_describe(&c, buf, sizeof(buf));
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adjust),
		cmocka_unit_test(test_valid_agrees_with_a_model),
		cmocka_unit_test(test_adjusted_is_valid),
		cmocka_unit_test(test_without_tpr_shadow_cr8_exits),
		cmocka_unit_test(test_reasons_for_refusal),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cr_fix),
		cmocka_unit_test(test_feature_control),
		cmocka_unit_test(test_eptp),
		cmocka_unit_test(test_timer_value),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests_name("vmx_caps", tests, NULL, NULL);
}
