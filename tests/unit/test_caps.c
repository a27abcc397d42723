// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/caps.h"

struct row {
	u32 leaf, subleaf, eax, ebx, ecx, edx;
};

struct cpu {
	const struct row *row;
	size_t n;
	u32 max_asked_basic, max_asked_extended;
};

/* Leaves that are not in the list answer with noise, as some CPUs do. */
static void read_rows(void *ctx, u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	struct cpu *c = ctx;

	if (leaf < 0x40000000)
		c->max_asked_basic = MAX(c->max_asked_basic, leaf);
	else if (leaf >= 0x80000000)
		c->max_asked_extended = MAX(c->max_asked_extended, leaf);
	*out = (struct cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
	for (size_t i = 0; i < c->n; i++)
		if (c->row[i].leaf == leaf && c->row[i].subleaf == subleaf)
			*out = (struct cpuid_regs){ c->row[i].eax, c->row[i].ebx, c->row[i].ecx,
						    c->row[i].edx };
}

static struct cpu_caps decode(const struct row *row, size_t n, struct cpu *cpu)
{
	struct cpuid_source src = { read_rows, cpu };
	struct cpu_caps caps;

	*cpu = (struct cpu){ row, n, 0, 0 };
	memset(&caps, 0xaa, sizeof(caps));
	caps_decode(&caps, &src);
	return caps;
}

/* A guest of KVM on an AMD server. */
static const struct row amd_guest[] = {
	{ 0x00000000, 0, 0x0000001c, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 0x00000001, 0, 0x00b00f21, 0x01020800, 0xfffa3203, 0x178bfbff },
	{ 0x00000006, 0, 0x00000004, 0x00000000, 0x00000000, 0x00000000 },
	{ 0x00000007, 0, 0x00000001, 0xf1bf07ab, 0x00405fc6, 0x00000110 },
	{ 0x0000000b, 0, 0x00000000, 0x00000001, 0x00000100, 0x00000001 },
	{ 0x0000000d, 0, 0x000000e7, 0x00000980, 0x00000980, 0x00000000 },
	{ 0x0000000d, 1, 0x0000000f, 0x000009a8, 0x00001800, 0x00000000 },
	{ 0x0000000d, 2, 0x00000100, 0x00000240, 0x00000000, 0x00000000 },
	{ 0x00000015, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000000 },
	{ 0x00000016, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000000 },
	{ 0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x0000004d },
	{ 0x80000000, 0, 0x80000021, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 0x80000001, 0, 0x00b00f21, 0x40000000, 0x004003f3, 0x2fd3fbff },
	{ 0x80000002, 0, 0x20444d41, 0x43595045, 0x00000000, 0x00000000 },
	{ 0x80000003, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000000 },
	{ 0x80000004, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000000 },
	{ 0x80000007, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000100 },
	{ 0x80000008, 0, 0x00303030, 0x50020005, 0x00007001, 0x00000000 },
	{ 0x8000001f, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000000 },
};

static void test_amd_guest(void **state)
{
	struct cpu cpu;
	struct cpu_caps c = decode(amd_guest, ARRAY_SIZE(amd_guest), &cpu);

	assert_int_equal(c.vendor, VENDOR_AMD);
	assert_string_equal(c.vendor_id, "AuthenticAMD");
	assert_string_equal(c.brand, "AMD EPYC");
	assert_string_equal(c.hypervisor_id, "KVMKVMKVM");
	assert_int_equal(c.max_hypervisor, 0x40000001);
	/* 00b00f21: family f + b, model 0 << 4 | 2, stepping 1 */
	assert_int_equal(c.family, 0x1a);
	assert_int_equal(c.model, 0x02);
	assert_int_equal(c.stepping, 1);
	assert_int_equal(c.initial_apic_id, 1);
	assert_int_equal(c.clflush_size, 64);
	assert_int_equal(c.maxphyaddr, 48);
	assert_int_equal(c.linear_bits, 48);
	assert_true(c.hypervisor && c.nx && c.page1gb && c.rdtscp && c.invariant_tsc);
	assert_true(c.smep && c.smap && c.umip && c.x2apic && c.tsc_deadline && c.avx512f);
	assert_false(c.svm);
	assert_false(c.vmx);
	assert_false(c.la57);
	assert_int_equal(c.svm_leaf.ebx, 0);
	assert_int_equal(c.xcr0_supported, 0xe7);
	assert_int_equal(c.xss_supported, 0x1800);
	assert_int_equal(c.xsave_size_max, 0x980);
	assert_int_equal(c.xstate[2].size, 0x100);
	assert_int_equal(c.xstate[2].offset, 0x240);
	assert_int_equal(c.tsc_numerator, 0);
}

/* A desktop CPU on bare metal, Skylake generation. */
static const struct row intel[] = {
	{ 0x00000000, 0, 0x00000016, 0x756e6547, 0x6c65746e, 0x49656e69 },
	{ 0x00000001, 0, 0x000506e3, 0x02100800, 0x7ffafbff, 0xbfebfbff },
	{ 0x00000006, 0, 0x000027f7, 0x00000002, 0x00000009, 0x00000000 },
	{ 0x00000007, 0, 0x00000000, 0x029c6fbf, 0x00000000, 0x00000000 },
	{ 0x0000000b, 0, 0x00000001, 0x00000002, 0x00000100, 0x00000002 },
	{ 0x0000000d, 0, 0x0000001f, 0x00000440, 0x00000440, 0x00000000 },
	{ 0x0000000d, 1, 0x0000000f, 0x000003c0, 0x00000100, 0x00000000 },
	{ 0x0000000d, 2, 0x00000100, 0x00000240, 0x00000000, 0x00000000 },
	{ 0x00000015, 0, 0x00000002, 0x0000014e, 0x00000000, 0x00000000 },
	{ 0x00000016, 0, 0x00000fa0, 0x00001068, 0x00000064, 0x00000000 },
	{ 0x80000000, 0, 0x80000008, 0x00000000, 0x00000000, 0x00000000 },
	{ 0x80000001, 0, 0x00000000, 0x00000000, 0x00000121, 0x2c100800 },
	/* "   Intel\"R\\ CPU  ", trailing blanks */
	{ 0x80000002, 0, 0x49202020, 0x6c65746e, 0x5c522220, 0x55504320 },
	{ 0x80000003, 0, 0x20202020, 0x20202020, 0x20202020, 0x20202020 },
	{ 0x80000004, 0, 0x20202020, 0x20202020, 0x20202020, 0x00202020 },
	{ 0x80000007, 0, 0x00000000, 0x00000000, 0x00000000, 0x00000100 },
	{ 0x80000008, 0, 0x00003027, 0x00000000, 0x00000000, 0x00000000 },
};

static void test_intel(void **state)
{
	struct cpu cpu;
	struct cpu_caps c = decode(intel, ARRAY_SIZE(intel), &cpu);

	assert_int_equal(c.vendor, VENDOR_INTEL);
	assert_int_equal(c.family, 6);
	assert_int_equal(c.model, 0x5e);
	assert_int_equal(c.stepping, 3);
	assert_string_equal(c.brand, "Intel ?R? CPU");
	assert_string_equal(c.hypervisor_id, "");
	assert_false(c.hypervisor);
	assert_true(c.vmx && c.pcid && c.tsc_deadline && c.arat && c.xsaves);
	assert_false(c.svm);
	assert_int_equal(c.maxphyaddr, 39);
	assert_int_equal(c.tsc_denominator, 2);
	assert_int_equal(c.tsc_numerator, 334);
	assert_int_equal(c.crystal_hz, 0);
	assert_int_equal(c.base_mhz, 4000);
}

static void test_leaves_above_the_maximum_are_not_believed(void **state)
{
	static const struct row old[] = {
		{ 0x00000000, 0, 0x00000001, 0x746e6543, 0x736c7561, 0x48727561 },
		{ 0x00000001, 0, 0x00000634, 0x00000000, 0x00000000, 0x00000211 },
		{ 0x80000000, 0, 0x00000001, 0x00000000, 0x00000000, 0x00000000 },
	};
	struct cpu cpu;
	struct cpu_caps c = decode(old, ARRAY_SIZE(old), &cpu);

	assert_int_equal(c.vendor, VENDOR_OTHER);
	assert_int_equal(c.max_extended, 0);
	assert_true(cpu.max_asked_basic <= 1);
	assert_int_equal(cpu.max_asked_extended, 0x80000000);
	assert_false(c.nx || c.svm || c.avx2 || c.smap || c.sev);
	assert_string_equal(c.brand, "");
	assert_int_equal(c.maxphyaddr, 36);
	assert_int_equal(c.linear_bits, 48);
	assert_int_equal(c.sev_leaf.eax, 0);
}

static void test_every_feature_follows_its_bit(void **state)
{
	static const struct row none[] = {
		{ 0x00000000, 0, 0x00000020, 0x68747541, 0x444d4163, 0x69746e65 },
		{ 0x80000000, 0, 0x80000021, 0, 0, 0 },
	};
	struct cpu cpu;
	/* All other leaves answer all ones: each bool must be set. */
	struct cpu_caps c = decode(none, ARRAY_SIZE(none), &cpu);
	const bool *b = &c.hypervisor, *end = &c.sev_snp + 1;

	for (; b < end; b++)
		assert_int_equal(*(const u8 *)b, 1);
	assert_int_equal(c.svm_leaf.ebx, ~0u);
	assert_int_equal(c.sev_leaf.eax, ~0u);
	for (const char *p = c.brand; *p; p++)
		assert_true(*p >= ' ' && *p <= '~');
}

static void test_vendor_names(void **state)
{
	assert_string_equal(cpu_vendor_name(VENDOR_AMD), "amd");
	assert_string_equal(cpu_vendor_name(VENDOR_INTEL), "intel");
	assert_string_equal(cpu_vendor_name(VENDOR_OTHER), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amd_guest),
		cmocka_unit_test(test_intel),
		cmocka_unit_test(test_leaves_above_the_maximum_are_not_believed),
		cmocka_unit_test(test_every_feature_follows_its_bit),
		cmocka_unit_test(test_vendor_names),
	};

	return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
