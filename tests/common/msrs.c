/* SPDX-License-Identifier: MIT */
/* RDMSR and WRMSR: what exits, what core answers. */
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

GUEST64(c_rdmsr, "rdmsr; hlt");
GUEST64(c_wrmsr, "wrmsr; hlt");

static void msr_regs(struct machine *m, u32 msr, u64 val)
{
	m->v->rip = G_CODE;
	m->v->exit.reason = EXIT_NONE;
	m->v->gpr[VREG_RCX] = msr;
	/* Only the lower halves count. */
	m->v->gpr[VREG_RAX] = (u32)val | 0xffULL << 32;
	m->v->gpr[VREG_RDX] = val >> 32 | 0xffULL << 32;
}

TEST(common, msr_exit_record, .ref = "APM2 15.11, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *rd = machine_new(t, MODE_LONG64, &c_rdmsr);
	struct machine *wr = machine_new(t, MODE_LONG64, &c_wrmsr);

	/* In neither map: always an exit. */
	msr_regs(rd, 0x12345678, 0);
	REQUIRE_EQ(t, machine_run(rd), EXIT_MSR);
	EXPECT_EQ(t, rd->v->exit.msr.index, 0x12345678);
	EXPECT(t, !rd->v->exit.msr.write);
	msr_regs(wr, MSR_IA32_MISC_ENABLE, 5);
	REQUIRE_EQ(t, machine_run(wr), EXIT_MSR);
	EXPECT_EQ(t, wr->v->exit.msr.index, MSR_IA32_MISC_ENABLE);
	EXPECT(t, wr->v->exit.msr.write);
	EXPECT_EQ(t, wr->v->rip, G_CODE);
}

/* ECX is the number, whatever the upper half of RCX holds. */
TEST(common, msr_upper_half_of_rcx, .ref = "APM3 RDMSR, SDM2 RDMSR", .needs = NEED_VIRT)
{
	static const u32 msrs[] = { MSR_IA32_SYSENTER_CS, MSR_STAR };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, &c_rdmsr);

		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_READ, msrs[i], true), 0);
		msr_regs(m, msrs[i], 0);
		m->v->gpr[VREG_RCX] |= 0xffULL << 32;
		EXPECT_EQ(t, machine_run(m), EXIT_MSR);
		EXPECT_EQ(t, m->v->exit.msr.index, msrs[i]);
	}
}

/* One MSR at a time, reads and writes apart. */
TEST(common, msr_intercept_one, .ref = "APM2 15.11, SDM3 25.6.9", .needs = NEED_VIRT)
{
	static const u32 msrs[] = { MSR_IA32_SYSENTER_CS, MSR_STAR, MSR_FS_BASE, MSR_SFMASK };

	struct machine *rd = machine_new(t, MODE_LONG64, &c_rdmsr);
	struct machine *wr = machine_new(t, MODE_LONG64, &c_wrmsr);

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		for (u32 bits = 0; bits < 4; bits++) {
			struct machine *m[2] = { rd, wr };
			enum exit_reason got;

			for (u32 k = 0; k < 2; k++) {
				REQUIRE_EQ(t, virt->intercept(m[k]->v, ICPT_MSR_READ, msrs[i],
							      bits & 1), 0);
				REQUIRE_EQ(t, virt->intercept(m[k]->v, ICPT_MSR_WRITE, msrs[i],
							      bits & 2), 0);
				msr_regs(m[k], msrs[i], 0x1000);
				got = machine_run(m[k]);
				CHECK(t, got == (bits >> k & 1 ? EXIT_MSR : EXIT_HLT),
				      "MSR 0x%x: exit %s with %s intercepted %u", msrs[i],
				      exit_reason_name(got), k ? "write" : "read", bits >> k & 1);
			}
		}
	}
}

static const struct {
	const char *name;
	u32 msr;
	u64 val;
	bool write, gp;
} denied[] = {
	{ "read of an unknown MSR", 0x12345678, 0, false, true },
	{ "write of an unknown MSR", 0x12345678, 0, true, true },
	{ "read of FEATURE_CONTROL", MSR_IA32_FEATURE_CONTROL, 0, false, true },
	{ "write of VM_HSAVE_PA", MSR_VM_HSAVE_PA, 0, true, true },
	{ "read of VMX_BASIC", MSR_IA32_VMX_BASIC, 0, false, true },
	{ "write of MTRRCAP", MSR_IA32_MTRRCAP, 0, true, true },
	{ "read of MTRRCAP", MSR_IA32_MTRRCAP, 0, false, false },
	{ "EFER.SVME", MSR_EFER, EFER_LME | EFER_LMA | EFER_SVME, true, true },
	{ "EFER reserved bit", MSR_EFER, EFER_LME | EFER_LMA | BIT(20), true, true },
	{ "EFER.LME off under paging", MSR_EFER, 0, true, true },
	{ "EFER.SCE", MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE, true, false },
	{ "PAT with a reserved type", MSR_IA32_PAT, 0x0007040600070402ULL, true, true },
	{ "PAT", MSR_IA32_PAT, 0x0007040600070405ULL, true, false },
	{ "moved APIC", MSR_IA32_APIC_BASE, 0xfee10900, true, true },
};

/* Those that core decides on are intercepted for it. */
TEST(common, msr_denied, .ref = "APM2 3.1.7, 7.8.1, SDM3 2.2.1, 12.12.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_rdmsr);

	machine_idt(m);
	for (u32 i = 0; i < ARRAY_SIZE(denied); i++) {
		enum exit_reason got;

		test_row(t, denied[i].name);
		reload(m, denied[i].write ? &c_wrmsr : &c_rdmsr);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_READ, denied[i].msr, true), 0);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_WRITE, denied[i].msr, true), 0);
		msr_regs(m, denied[i].msr, denied[i].val);
		got = machine_run_handling(m, BIT(EXIT_MSR));
		if (denied[i].gp) {
			expect_exception(m, got, VEC_GP, 0);
			EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
		} else {
			EXPECT_EQ(t, got, EXIT_HLT);
		}
	}
}

/* Not canonical is #GP, by the CPU itself and by core. */
static void msr_canonical(struct test_ctx *t, bool intercept)
{
	static const struct { const char *name; u32 msr; } row[] = {
		{ "FS_BASE", MSR_FS_BASE }, { "GS_BASE", MSR_GS_BASE },
		{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE }, { "LSTAR", MSR_LSTAR },
		{ "CSTAR", MSR_CSTAR },
	};

	struct machine *m = machine_new(t, MODE_LONG64, &c_wrmsr);

	machine_idt(m);
	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		reload(m, &c_wrmsr);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_WRITE, row[i].msr, intercept), 0);
		msr_regs(m, row[i].msr, 0xffff8000deadbeefULL);
		EXPECT_EQ(t, machine_run_handling(m, BIT(EXIT_MSR)), EXIT_HLT);
		msr_regs(m, row[i].msr, 0x0123456789abcdefULL);
		expect_exception(m, machine_run_handling(m, BIT(EXIT_MSR)), VEC_GP, 0);
	}
}

TEST(common, msr_canonical_cpu, .ref = "APM2 6.1.1, SDM2 WRMSR", .needs = NEED_VIRT)
{
	msr_canonical(t, false);
}

TEST(common, msr_canonical_core, .ref = "APM2 6.1.1, SDM2 WRMSR", .needs = NEED_VIRT)
{
	msr_canonical(t, true);
}

TEST(common, msr_tsc, .ref = "APM2 15.30.5, SDM3 18.17", .needs = NEED_VIRT)
{
	struct machine *rd = machine_new(t, MODE_LONG64, &c_rdmsr);
	struct machine *wr = machine_new(t, MODE_LONG64, &c_wrmsr);
	u64 before, val;

	machine_set(rd, VREG_TSC_OFFSET, 1ULL << 50);
	msr_regs(rd, MSR_IA32_TSC, 0);
	before = rdtsc() + (1ULL << 50);
	run_to_hlt(rd);
	val = (u32)rd->v->gpr[VREG_RAX] | rd->v->gpr[VREG_RDX] << 32;
	EXPECT(t, val - before <= rdtsc() + (1ULL << 50) - before);
	/* A write moves the guest's clock, not ours. */
	before = rdtsc();
	msr_regs(wr, MSR_IA32_TSC, 0x1000);
	run_to_hlt(wr);
	EXPECT(t, rdtsc() >= before);
	val = rdtsc() + machine_get(wr, VREG_TSC_OFFSET);
	EXPECT(t, val >= 0x1000 && val - 0x1000 <= rdtsc() - before);
}
