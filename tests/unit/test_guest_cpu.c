// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "core/vm/guest_cpu.h"

#define AREA	2696

/* A CPU that says all it can, except where a leaf was set. */
static struct { u32 leaf, subleaf; struct cpuid_regs r; } leaves[4];
static u32 max_basic, max_ext;

static void read_cpu(void *ctx, u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	*out = (struct cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
	if (leaf == 0)
		out->eax = max_basic;
	if (leaf == 0x80000000)
		out->eax = max_ext;
	if (leaf == 0xd && subleaf >= 2)
		*out = (struct cpuid_regs){ 64 * subleaf, 600 + 64 * subleaf, 0, 0 };
	if (leaf == 0x80000008)
		out->eax = 0x3930;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i].leaf == leaf && leaf && leaves[i].subleaf == subleaf)
			*out = leaves[i].r;
}

static const struct cpuid_source cpu = { read_cpu, NULL };
static struct guest_cpu full;

static int setup(void **state)
{
	memset(leaves, 0, sizeof(leaves));
	max_basic = 0x1f;
	max_ext = 0x80000021;
	guest_cpu_read(&full, &cpu, 0x207, 600 + 64 * 9 + 64 * 9);
	return 0;
}

static void accepted(const struct guest_cpu *want, const struct guest_cpu *have)
{
	char why[100] = "";

	assert_int_equal(guest_cpu_check(want, have, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

static void refused(const struct guest_cpu *want, const struct guest_cpu *have, const char *text)
{
	char why[100] = "";

	assert_int_equal(guest_cpu_check(want, have, why, sizeof(why)), -EPROTO);
	assert_string_equal(why, text);
}

static void test_read(void **state)
{
	/* Hidden are MONITOR and VMX; there are OSXSAVE, x2APIC, TSC deadline, hypervisor. */
	assert_int_equal(full.word[0] & (BIT(3) | BIT(5)), 0);
	assert_int_equal(full.word[0] >> 21 & 1, 1);
	assert_int_equal(full.word[0] >> 24 & 1, 1);
	assert_int_equal(full.word[0] >> 27 & 1, 1);
	assert_int_equal(full.word[0] >> 31, 1);
	/* OSPKE follows CR4; SVM follows nested=. */
	assert_int_equal(full.word[3] >> 4 & 1, 1);
	assert_int_equal(full.word[7] >> 2 & 1, 1);
	/* How many cores the host has is no feature. */
	assert_int_equal(full.word[7] >> 1 & 1, 0);
	assert_int_equal(full.word[6], 7);
	assert_int_equal(full.sizes, 0x3930);
	assert_int_equal(full.state[2].size, 128);
	assert_int_equal(full.state[9].offset, 600 + 64 * 9);
	/* Those that it may not enable are not there. */
	assert_int_equal(full.state[5].size, 0);
	assert_int_equal(full.nested, 0);
}

/* Above the highest leaf Intel's CPUs repeat another one. */
static void test_leaves_that_are_not_there(void **state)
{
	struct guest_cpu old;

	max_basic = 6;
	max_ext = 0x80000001;
	guest_cpu_read(&old, &cpu, 0, 512);
	assert_int_equal(old.word[0], full.word[0]);
	for (u32 i = 2; i < 7; i++)
		assert_int_equal(old.word[i], 0);
	assert_int_equal(old.word[8], full.word[8]);
	for (u32 i = 9; i < GUEST_CPU_WORDS; i++)
		assert_int_equal(old.word[i], 0);
	assert_int_equal(old.sizes, 0);
	/* The guest of a CPU without XSAVE is none for one with it, nor the other way. */
	refused(&old, &full, "has other XSAVE states here");
	old.xcr0 = full.xcr0;
	old.xsave_size = full.xsave_size;
	memcpy(old.state, full.state, sizeof(old.state));
	accepted(&old, &full);
}

static void test_features(void **state)
{
	struct guest_cpu less = full;

	accepted(&full, &full);
	leaves[0].leaf = 7;
	leaves[0].r = (struct cpuid_regs){ 1, 0, ~0u, ~0u };
	guest_cpu_read(&less, &cpu, full.xcr0, full.xsave_size);
	accepted(&less, &full);
	assert_int_equal(less.word[2], BIT(1));	/* TSC_ADJUST is ours */
	refused(&full, &less, "lacks features of CPUID 7.0 ebx: fdff27e9");
	for (u32 i = 0; i < GUEST_CPU_WORDS; i++) {
		for (u32 bit = 0; bit < 32; bit++) {
			char why[100];

			less = full;
			less.word[i] &= ~(1u << bit);
			accepted(&less, &full);
			assert_int_equal(guest_cpu_check(&full, &less, why, sizeof(why)),
					 full.word[i] >> bit & 1 ? -EPROTO : 0);
		}
	}
}

static void test_states(void **state)
{
	const char *other = "has other XSAVE states here";
	struct guest_cpu w = full;

	/* Fewer of them, in the same places. */
	w.xcr0 = 7;
	w.state[9].size = w.state[9].offset = 0;
	w.xsave_size = 600 + 128 + 128;
	accepted(&w, &full);
	refused(&full, &w, other);
	w.xsave_size = full.xsave_size;
	refused(&w, &full, other);
	w = full;
	w.state[9].offset += 64;
	refused(&w, &full, other);
	w = full;
	w.state[9].size -= 8;
	refused(&w, &full, other);
	w = full;
	w.state[7].size = 8;
	refused(&w, &full, other);
	w = full;
	w.xcr0 |= BIT(63);
	refused(&w, &full, other);
	w = full;
	w.xsave_size = ~0u;
	refused(&w, &full, other);
	w = full;
	w.reserved = 1;
	refused(&w, &full, "is damaged");
	w = full;
	w.sizes = 0x3934;
	refused(&w, &full, "has shorter addresses here");
	w.sizes = 0x4030;
	refused(&w, &full, "has shorter addresses here");
	w.sizes = 0x3028;
	accepted(&w, &full);
}

static void test_fix(void **state)
{
	struct guest_cpu small = full;
	struct cpuid_regs r = { 1, 2, 3, 0xffffffff };

	small.word[1] = 0x178bfbff;
	small.sizes = 0x3028;
	guest_cpu_fix(&small, 1, 0, &r);
	assert_int_equal(r.eax, 1);
	assert_int_equal(r.ebx, 2);
	assert_int_equal(r.ecx, 3 & small.word[0]);
	assert_int_equal(r.edx, 0x178bfbff);
	r = (struct cpuid_regs){ 0x3930, 0, 0, 0 };
	guest_cpu_fix(&small, 0x80000008, 0, &r);
	assert_int_equal(r.eax, 0x3028);
	r = (struct cpuid_regs){ 0, 0, 6, 0 };
	guest_cpu_fix(&small, 0x80000001, 0, &r);
	assert_int_equal(r.ecx, 6);
	/* Other leaves and subleaves stay. */
	r = (struct cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
	guest_cpu_fix(&small, 7, 2, &r);
	guest_cpu_fix(&small, 0x40000000, 0, &r);
	assert_int_equal(r.eax & r.ebx & r.ecx & r.edx, ~0u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_leaves_that_are_not_there, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_states, setup),
		cmocka_unit_test_setup(test_fix, setup),
	};

	return cmocka_run_group_tests_name("guest_cpu", tests, NULL, NULL);
}
