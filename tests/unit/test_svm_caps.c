// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/caps.h"
#include "core/x86/regs.h"
#include "svm/caps.h"

static void test_absent(void **state)
{
	struct cpu_caps c = { .svm_leaf = { 1, 99, 0, ~0u } };
	struct svm_caps s;

	memset(&s, 0xff, sizeof(s));
	svm_caps_decode(&c, &s);
	assert_int_equal(s.nasid, 0);
	assert_false(s.np || s.nrips || s.vgif);
	assert_int_equal(s.cr4_valid, 0);
}

/* One bit at a time: each sets its own feature and no other. */
static void test_bits(void **state)
{
	static const u8 bits[] = {
#define X(name, bit, text) bit,
		SVM_FEATURES(X)
#undef X
	};
	struct cpu_caps c = { .svm = true, .svm_leaf = { 0x101, 16, 0, 0 } };
	struct svm_caps s;

	for (unsigned int i = 0; i < 32; i++) {
		unsigned int on = 0, listed = 0;

		c.svm_leaf.edx = 1u << i;
		svm_caps_decode(&c, &s);
#define X(name, bit, text) on += s.name; if (i == (bit)) assert_true(s.name);
		SVM_FEATURES(X)
#undef X
		for (unsigned int n = 0; n < ARRAY_SIZE(bits); n++)
			listed += bits[n] == i;
		assert_int_equal(on, listed);
		assert_in_range(listed, 0, 1);
	}
	assert_int_equal(s.revision, 1);
	assert_int_equal(s.nasid, 16);
}

static void test_cr4_follows_cpuid(void **state)
{
	struct cpu_caps c = { .svm = true };
	struct svm_caps s;

	svm_caps_decode(&c, &s);
	assert_int_equal(s.cr4_valid & (CR4_SMEP | CR4_LA57 | CR4_OSXSAVE | CR4_PCIDE), 0);
	assert_true(s.cr4_valid & CR4_PAE);
	assert_int_equal(s.cr4_valid & (CR4_VMXE | CR4_SMXE), 0);
	c.smep = c.xsave = true;
	svm_caps_decode(&c, &s);
	assert_int_equal(s.cr4_valid & (CR4_SMEP | CR4_OSXSAVE), CR4_SMEP | CR4_OSXSAVE);
	assert_int_equal(s.cr4_valid & (CR4_LA57 | CR4_PCIDE), 0);
}

static void test_names(void **state)
{
	struct cpu_caps c = { .svm = true, .svm_leaf = { 1, 32768, 0, 1 | 1 << 3 | 1 << 16 } };
	struct svm_caps s;
	char buf[64];

	svm_caps_decode(&c, &s);
	svm_caps_names(&s, buf, sizeof(buf));
	assert_string_equal(buf, "rev 1, 32768 ASIDs: npt nrip_save vgif");
	svm_caps_names(&s, buf, 24);
	assert_string_equal(buf, "rev 1, 32768 ASIDs: npt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_cr4_follows_cpuid),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
