/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/vm/cpuid_policy.h"
#include "core/x86/regs.h"

/* What a guest sees when the CPU answers cpu. */
static struct cpuid_regs guest_view(u32 leaf, u32 subleaf, const struct cpuid_view *v,
				    struct cpuid_regs cpu)
{
	const struct cpuid_mask *m = cpuid_mask_of(leaf);
	struct cpuid_regs r = { cpu.eax & m->eax, cpu.ebx & m->ebx, cpu.ecx & m->ecx,
				cpu.edx & m->edx };

	if (m->fix)
		cpuid_fix(leaf, subleaf, v, &r);
	return r;
}

/* Without a local APIC. */
static struct cpuid_regs guest(u32 leaf, u32 subleaf, u64 cr4, u32 id, struct cpuid_regs cpu)
{
	const struct cpuid_view v = { .cr4 = cr4, .id = id, .cpus = 1, .tsc_khz = 1234567,
				       .xcr0 = 0x2e7, .xsave_size = 2696,
				       .xsave_compact = 840 };

	return guest_view(leaf, subleaf, &v, cpu);
}

static const struct cpuid_regs ones = { ~0u, ~0u, ~0u, ~0u };
static const struct cpuid_regs zeros;

static void assert_regs(struct cpuid_regs got, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	assert_int_equal(got.eax, eax);
	assert_int_equal(got.ebx, ebx);
	assert_int_equal(got.ecx, ecx);
	assert_int_equal(got.edx, edx);
}

static void test_table_is_full(void **state)
{
	for (u32 i = 0; i < CPUID_BASIC_LEAVES; i++)
		assert_non_null(cpuid_basic_mask[i]);
	for (u32 i = 0; i < CPUID_EXT_LEAVES; i++)
		assert_non_null(cpuid_ext_mask[i]);
	assert_ptr_equal(cpuid_mask_of(0x1f), cpuid_basic_mask[0x1f]);
	assert_ptr_equal(cpuid_mask_of(0x20), &cpuid_hidden);
	assert_ptr_equal(cpuid_mask_of(0x80000021), cpuid_ext_mask[0x21]);
	assert_ptr_equal(cpuid_mask_of(0x80000022), &cpuid_hidden);
	assert_ptr_equal(cpuid_mask_of(0x7fffffff), &cpuid_hidden);
	assert_ptr_equal(cpuid_mask_of(~0u), &cpuid_hidden);
}

/* Nothing but what the CPU itself reports, except what cpuid_fix adds. */
static void test_adds_nothing(void **state)
{
	static const u32 subs[] = { 0, 1, 2, 3, 63 };

	for (u32 leaf = 0; leaf < 0x40; leaf++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(subs); i++) {
			struct cpuid_regs r = guest(leaf, subs[i], 0, 0, zeros);
			struct cpuid_regs e = guest(0x80000000 + leaf, subs[i], ~0ULL, 9, zeros);

			if (leaf == 1)
				assert_regs(r, 0, 1 << 16, 1u << 31, 0);
			else
				assert_regs(r, 0, 0, 0, 0);
			assert_regs(e, 0, 0, 0, 0);
		}
	}
}

struct bit {
	u32 leaf, subleaf;
	u8 reg;			/* 0 EAX .. 3 EDX */
	u8 bit;
};

static bool seen(const struct bit *b, u64 cr4)
{
	struct cpuid_regs r = guest(b->leaf, b->subleaf, cr4, 0, ones);
	const u32 reg[4] = { r.eax, r.ebx, r.ecx, r.edx };

	return reg[b->reg] >> b->bit & 1;
}

static void test_hidden(void **state)
{
	static const struct bit hidden[] = {
		{ 1, 0, 2, 3 }, { 1, 0, 2, 5 }, { 1, 0, 2, 6 }, { 1, 0, 2, 7 },
		{ 1, 0, 2, 2 }, { 1, 0, 2, 4 }, { 1, 0, 2, 11 }, { 1, 0, 2, 18 },
		{ 1, 0, 2, 15 }, { 1, 0, 2, 21 }, { 1, 0, 2, 24 }, { 1, 0, 2, 27 },
		{ 1, 0, 3, 9 }, { 1, 0, 3, 21 }, { 1, 0, 3, 22 }, { 1, 0, 3, 28 },
		{ 7, 0, 1, 2 }, { 7, 0, 1, 4 }, { 7, 0, 1, 11 },
		{ 7, 0, 1, 14 }, { 7, 0, 1, 25 }, { 7, 0, 2, 4 }, { 7, 0, 2, 5 },
		{ 7, 0, 2, 7 }, { 7, 0, 3, 20 }, { 7, 0, 3, 26 },
		{ 7, 0, 3, 27 }, { 7, 0, 3, 29 }, { 7, 0, 3, 31 }, { 7, 1, 0, 26 },
		{ 7, 1, 0, 17 }, { 7, 1, 0, 21 }, { 7, 0, 3, 22 }, { 7, 0, 3, 24 }, { 7, 0, 3, 25 },
		{ 0x1d, 0, 0, 0 }, { 0x1e, 0, 1, 0 },
		{ 0xd, 0, 0, 3 }, { 0xd, 0, 0, 17 }, { 0xd, 0, 0, 18 }, { 0xd, 0, 3, 30 },
		{ 0xd, 17, 0, 3 }, { 0xd, 18, 0, 3 }, { 0xd, 64, 0, 3 }, { 0xd, 1, 0, 4 },
		{ 0xd, 1, 0, 3 }, { 0xd, 1, 2, 11 },
		{ 7, 0, 3, 9 }, { 7, 0, 3, 16 }, { 0x80000001, 0, 2, 3 }, { 0x80000001, 0, 2, 17 },
		{ 0x80000001, 0, 2, 27 }, { 0x80000001, 0, 3, 25 },
		{ 0x80000021, 0, 0, 7 }, { 0x80000021, 0, 0, 8 }, { 0x80000021, 0, 1, 0 },
		{ 0x80000001, 0, 2, 2 }, { 0x80000001, 0, 2, 10 }, { 0x80000001, 0, 2, 12 },
		{ 0x80000001, 0, 2, 22 }, { 0x80000001, 0, 2, 23 }, { 0x80000001, 0, 2, 26 },
		{ 0x80000001, 0, 2, 29 }, { 0x80000001, 0, 3, 9 },
		{ 0x80000007, 0, 3, 7 }, { 0x80000008, 0, 1, 4 }, { 0x80000008, 0, 1, 12 },
		{ 0x80000008, 0, 1, 24 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++) {
		if (seen(&hidden[i], 0))
			fail_msg("leaf %x/%x register %u bit %u", hidden[i].leaf,
				 hidden[i].subleaf, hidden[i].reg, hidden[i].bit);
	}
}

static void test_given(void **state)
{
	static const struct bit given[] = {
		{ 0, 0, 0, 0 }, { 1, 0, 0, 0 }, { 1, 0, 2, 0 }, { 1, 0, 2, 12 }, { 1, 0, 2, 17 },
		{ 1, 0, 2, 26 }, { 1, 0, 2, 28 }, { 1, 0, 2, 31 }, { 1, 0, 3, 0 }, { 1, 0, 3, 4 },
		{ 1, 0, 3, 5 }, { 1, 0, 3, 6 }, { 1, 0, 3, 26 }, { 7, 0, 1, 0 }, { 7, 0, 1, 5 },
		{ 7, 0, 1, 7 }, { 7, 0, 1, 20 }, { 7, 0, 2, 2 }, { 7, 0, 2, 3 }, { 7, 0, 2, 16 },
		{ 7, 0, 2, 31 }, { 7, 1, 0, 4 }, { 0xd, 0, 0, 2 }, { 0xd, 1, 0, 1 },
		{ 0xd, 1, 1, 9 }, { 7, 0, 1, 10 },
		{ 0x80000001, 0, 2, 0 }, { 0x80000001, 0, 3, 11 }, { 0x80000001, 0, 3, 20 },
		{ 0x80000001, 0, 3, 26 }, { 0x80000001, 0, 3, 27 }, { 0x80000001, 0, 3, 29 },
		{ 0x80000007, 0, 3, 8 }, { 0x80000008, 0, 0, 4 }, { 0x80000002, 0, 3, 31 },
		{ 0x15, 0, 1, 3 }, { 0x80000021, 0, 0, 2 }, { 0x80000021, 0, 0, 6 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(given); i++) {
		if (!seen(&given[i], 0))
			fail_msg("leaf %x/%x register %u bit %u", given[i].leaf,
				 given[i].subleaf, given[i].reg, given[i].bit);
	}
}

/* SDM2 CPUID: OSXSAVE and OSPKE mirror CR4. */
static void test_follows_cr4(void **state)
{
	static const struct bit osxsave = { 1, 0, 2, 27 }, ospke = { 7, 0, 2, 4 };

	assert_false(seen(&osxsave, ~CR4_OSXSAVE));
	assert_true(seen(&osxsave, CR4_OSXSAVE));
	assert_false(seen(&ospke, ~CR4_PKE));
	assert_true(seen(&ospke, CR4_PKE));
	/* In no other subleaf. */
	assert_regs(guest(7, 2, CR4_PKE, 0, ones), 0, 0, 0, 0);
}

/* One logical processor, its APIC id in bits 31:24; CLFLUSH size from the CPU. */
static void test_apic_id(void **state)
{
	struct cpuid_regs cpu = { .ebx = 0x07100855 };

	assert_int_equal(guest(1, 0, 0, 0, cpu).ebx, 0x00010800);
	assert_int_equal(guest(1, 0, 0, 31, cpu).ebx, 0x1f010800);
}

static void test_subleaves(void **state)
{
	struct cpuid_regs supervisor = { 24, 0, 1, 0 }, user = { 256, 576, 0, 0 };

	/* SDM2 CPUID leaf 7: EAX of subleaf 0 is the highest subleaf. */
	assert_int_equal(guest(7, 0, 0, 0, (struct cpuid_regs){ .eax = 2 }).eax, 1);
	assert_int_equal(guest(7, 0, 0, 0, zeros).eax, 0);
	assert_regs(guest(0xd, 11, 0, 0, supervisor), 0, 0, 0, 0);
	assert_regs(guest(0xd, 2, 0, 0, user), 256, 576, 0, 0);
}

/* SDM2 CPUID 0Dh: the states that are given, and how long an area for them is. */
static void test_xsave_states(void **state)
{
	struct cpuid_regs cpu = { 0x602ff, 832, 11008, 0 }, amx = { 64, 2752, 2, 0 };

	assert_regs(guest(0xd, 0, 0, 0, cpu), 0x2e7, 832, 2696, 0);
	/* The CPU's own are fewer. */
	assert_regs(guest(0xd, 0, 0, 0, (struct cpuid_regs){ 7, 832, 832, 0 }), 7, 832, 2696, 0);
	assert_regs(guest(0xd, 0, 0, 0, zeros), 0, 0, 0, 0);
	/* Of XCR0 alone, in the compacted format; reserved without that format. */
	assert_regs(guest(0xd, 1, 0, 0, (struct cpuid_regs){ 0x1f, 3000, 0x100, 1 }), 7, 840, 0, 0);
	assert_regs(guest(0xd, 1, 0, 0, (struct cpuid_regs){ 5, 832, 0x100, 1 }), 5, 0, 0, 0);
	assert_regs(guest(0xd, 17, 0, 0, amx), 0, 0, 0, 0);
	assert_regs(guest(0xd, 9, 0, 0, (struct cpuid_regs){ 8, 2688, 0, 0 }), 8, 2688, 0, 0);
}

static void test_hypervisor_leaves(void **state)
{
	struct cpuid_regs r = guest(HYPERVISOR_LEAF, 0, 0, 0, ones);
	char sig[13] = "";

	assert_int_equal(r.eax, HYPERVISOR_LEAF);
	memcpy(sig, &r.ebx, 4);
	memcpy(sig + 4, &r.ecx, 4);
	memcpy(sig + 8, &r.edx, 4);
	assert_string_equal(sig, "nestbed");
	/* What another hypervisor below us says is not passed on. */
	for (u32 leaf = HYPERVISOR_LEAF + 1; leaf < HYPERVISOR_LEAF + 0x300; leaf++)
		assert_regs(guest(leaf, 0, ~0ULL, 7, ones), 0, 0, 0, 0);
}

/* CPU 3 of 6 with a local APIC, its TSC at 2.1 GHz. */
static const struct cpuid_view six = { .id = 3, .cpus = 6, .apic = true, .apic_on = true,
				       .tsc_khz = 2100000 };

static void test_apic_features(void **state)
{
	struct cpuid_view off = six;
	struct cpuid_regs r = guest_view(1, 0, &six, zeros);

	off.apic_on = false;
	/* Eight ids in the package for six CPUs: a power of two. */
	assert_regs(r, 0, 3u << 24 | 8 << 16, 1u << 31 | 1 << 24 | 1 << 21, 1 << 28 | 1 << 9);
	/* SDM3 11.4.3: the bit follows IA32_APIC_BASE. */
	assert_int_equal(guest_view(1, 0, &off, zeros).edx, 1 << 28);
	assert_int_equal(guest_view(0x80000001, 0, &six, ones).edx >> 9 & 1, 1);
	assert_int_equal(guest_view(0x80000001, 0, &off, ones).edx >> 9 & 1, 0);
	/* A CPU without the leaf does not get it. */
	assert_regs(guest_view(0x80000001, 0, &six, zeros), 0, 0, 0, 0);
	/* TSC_ADJUST is ours. */
	assert_int_equal(guest_view(7, 0, &six, zeros).ebx, 1 << 1);
}

static void test_topology(void **state)
{
	static const struct { u32 cpus, bits; } want[] = {
		{ 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 3 }, { 8, 3 }, { 9, 4 }, { 32, 5 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		const struct cpuid_view v = { .cpus = want[i].cpus, .apic = true };

		assert_regs(guest_view(0xb, 1, &v, ones), want[i].bits, want[i].cpus,
			    2 << 8 | 1, 0);
		assert_int_equal(guest_view(0x80000008, 0, &v, zeros).ecx,
				 want[i].bits << 12 | (want[i].cpus - 1));
		assert_int_equal(guest_view(1, 0, &v, zeros).ebx, 1u << (16 + want[i].bits));
	}
	assert_regs(guest_view(0xb, 0, &six, ones), 0, 1, 1 << 8, 3);
	assert_regs(guest_view(0x1f, 2, &six, ones), 0, 0, 2, 3);
	/* Caches: a third level of all six, a first level of one; eight ids of cores. */
	assert_int_equal(guest_view(4, 3, &six, (struct cpuid_regs){ .eax = 0xfc000163 }).eax,
			 7u << 26 | 5 << 14 | 0x163);
	assert_int_equal(guest_view(4, 0, &six, (struct cpuid_regs){ .eax = 0xfc004121 }).eax,
			 7u << 26 | 0x121);
	assert_int_equal(guest_view(4, 4, &six, zeros).eax, 0);
}

/* CRYSTAL * EBX fits into 32 bits in kHz, and the TSC comes out of it. */
static void test_any_frequency(void **state)
{
	static const u32 fixed[] = { 1000, 50001, 999999, 1000000, 2596090, 3500000, 6000000 };
	u32 khz = 1000;

	for (u32 i = 0; khz < 10000000; i++) {
		const struct cpuid_view v = { .apic = true, .cpus = 1, .tsc_khz = khz };
		struct cpuid_regs r = guest_view(0x15, 0, &v, zeros);
		u64 got;

		assert_int_equal(r.ecx, 1000000000);
		assert_true(r.eax && r.ebx && r.ebx <= ~0U / 1000000);
		got = 1000000ULL * r.ebx * 1000 / r.eax;
		assert_in_range(got, khz * 1000ULL - khz / 8, khz * 1000ULL + khz / 8);
		khz = i < ARRAY_SIZE(fixed) ? fixed[i] : khz + khz / 97 + 1;
		if (i == ARRAY_SIZE(fixed))
			khz = 1001;
	}
}

static void test_frequencies(void **state)
{
	/* TSC = crystal * EBX / EAX, and the crystal is the APIC timer's clock. */
	assert_regs(guest_view(0x15, 0, &six, zeros), 10, 21, 1000000000, 0);
	assert_int_equal(guest_view(HYPERVISOR_LEAF, 0, &six, zeros).eax, HYPERVISOR_FREQ_LEAF);
	/* A base frequency that is none of the guest's: SDM2 CPUID 16h. */
	assert_regs(guest_view(0x16, 0, &six, (struct cpuid_regs){ 3500, 4000, 100, 0 }),
		    2100, 4000, 100, 0);
	assert_regs(guest_view(0x16, 0, &six, (struct cpuid_regs){ 1000, 1200, 100, 0 }),
		    2100, 2100, 100, 0);
	assert_regs(guest_view(0x16, 0, &six, zeros), 0, 0, 0, 0);
	assert_regs(guest_view(HYPERVISOR_FREQ_LEAF, 0, &six, ones), 2100000, 1000000, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_full),
		cmocka_unit_test(test_adds_nothing),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_follows_cr4),
		cmocka_unit_test(test_apic_id),
		cmocka_unit_test(test_subleaves),
		cmocka_unit_test(test_xsave_states),
		cmocka_unit_test(test_hypervisor_leaves),
		cmocka_unit_test(test_apic_features),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_frequencies),
		cmocka_unit_test(test_any_frequency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
