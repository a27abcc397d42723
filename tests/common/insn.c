/* SPDX-License-Identifier: MIT */
/* Instructions that exit, and what core does about them. */
#include "core/lib/string.h"
#include "core/vm/cpuid_policy.h"
#include "core/vm/run.h"
#include "core/x86/insn.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "tests/common/common.h"

GUEST64(c_hlt, "hlt; inc %rax; hlt");

TEST(common, hlt_exit, .ref = "APM2 15.9, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_hlt);

	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	REQUIRE_EQ(t, machine_next(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 4);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 1);
}

/* Nothing can wake it: the vCPU stops, behind the HLT. */
TEST(common, hlt_nothing_queued, .ref = "APM3 HLT, SDM2 HLT", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_hlt);

	machine_run_handling(m, BIT(EXIT_HLT));
	EXPECT_EQ(t, m->v->stop, STOP_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 1);
	/* An interrupt does not wake it with IF = 0. */
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x30;
	machine_run_handling(m, BIT(EXIT_HLT));
	EXPECT_EQ(t, m->v->stop, STOP_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 5);
}

GUEST64(c_sti_hlt, "sti; hlt; ud2");

TEST(common, hlt_woken_by_interrupt, .ref = "APM3 HLT, SDM2 HLT", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_sti_hlt);
	enum exit_reason got;

	machine_idt(m);
	m->v->events.intr = true;
	m->v->events.intr_vector = 0x33;
	got = machine_run_handling(m, BIT(EXIT_HLT) | BIT(EXIT_INTR_WINDOW));
	expect_exception(m, got, 0x33, 0);
	/* STI's shadow covers HLT: the interrupt returns behind it. */
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
}

GUEST64(c_pause, "pause; pause; hlt");

TEST(common, pause_intercept, .ref = "APM2 15.9, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_pause);

	if (virt->intercept(m->v, ICPT_PAUSE, 0, true))
		SKIP(t, "PAUSE cannot be intercepted");
	REQUIRE_EQ(t, machine_run(m), EXIT_PAUSE);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	EXPECT_EQ(t, virt->intercept(m->v, ICPT_PAUSE, 0, false), 0);
	REQUIRE_EQ(t, machine_next(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 4);
}

GUEST64(c_vmmcall, "vmmcall; hlt");
GUEST64(c_vmcall, "vmcall; hlt");

TEST(common, hypercall, .ref = "APM2 15.9, APM3 VMMCALL, SDM3 26.1.2", .needs = NEED_VIRT)
{
	bool svm = virt->vendor == VIRT_SVM;
	struct machine *m = machine_new(t, MODE_LONG64, svm ? &c_vmmcall : &c_vmcall);

	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	m->v->gpr[VREG_RAX] = 0x1234;
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_HYPERCALL)), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, G_CODE + 3);
	/* No call is defined: the answer for unknown ones. */
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], (u64)-1000LL);
}

GUEST64(c_tsc, "rdtsc; shl $32, %rdx; or %rdx, %rax; hlt");
GUEST64(c_tscp, "rdtscp; shl $32, %rdx; or %rdx, %rax; hlt");

/* exit: how the instruction leaves the guest, EXIT_NONE: not at all. */
static void check_tsc(struct machine *m, u64 offset, enum exit_reason exit)
{
	struct test_ctx *t = m->t;
	u64 before, after;

	m->v->rip = G_CODE;
	m->v->exit.reason = EXIT_NONE;
	machine_set(m, VREG_TSC_OFFSET, offset);
	before = rdtsc() + offset;
	if (exit != EXIT_NONE && EXPECT_EQ(t, machine_run(m), exit))
		machine_run_handling(m, BIT(exit));
	else
		machine_run(m);
	REQUIRE_EQ(t, m->v->exit.reason, EXIT_HLT);
	after = rdtsc() + offset;
	CHECK(t, m->v->gpr[VREG_RAX] - before <= after - before,
	      "TSC 0x%llx is not between 0x%llx and 0x%llx",
	      (unsigned long long)m->v->gpr[VREG_RAX], (unsigned long long)before,
	      (unsigned long long)after);
}

static const u64 tsc_offsets[] = { 0, 1ULL << 40, (u64)-12345678901LL, 1ULL << 63 };

TEST(common, rdtsc_offset, .ref = "APM2 15.30.5, SDM3 26.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_tsc);

	for (u32 i = 0; i < ARRAY_SIZE(tsc_offsets); i++)
		check_tsc(m, tsc_offsets[i], EXIT_NONE);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_RDTSC, 0, true), 0);
	for (u32 i = 0; i < ARRAY_SIZE(tsc_offsets); i++)
		check_tsc(m, tsc_offsets[i], EXIT_RDTSC);
}

TEST(common, rdtscp_offset_and_aux, .ref = "APM2 15.9, SDM3 26.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_tscp);

	if (!run_policy.caps->rdtscp)
		SKIP(t, "the CPU has no RDTSCP");
	machine_set(m, VREG_TSC_AUX, 0x12345);
	check_tsc(m, 1ULL << 40, EXIT_NONE);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0x12345);
}

TEST(common, rdtscp_intercepted, .ref = "APM2 15.9, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_tscp);

	if (!run_policy.caps->rdtscp)
		SKIP(t, "the CPU has no RDTSCP");
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_RDTSCP, 0, true), 0);
	machine_set(m, VREG_TSC_AUX, 0x54321);
	check_tsc(m, 1ULL << 41, EXIT_RDTSCP);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0x54321);
}

/* Reads, changes the translation, INVLPG, reads again. */
GUEST64(c_invlpg, "mov 0x600000, %rbx; mov 0x30000, %rax; mov %rax, 0x6018\n\t"
		  "invlpg 0x600000; mov 0x600000, %rcx; hlt");

static void invlpg_machine(struct machine *m)
{
	machine_write64(m, 0x600000, 0x1111);
	machine_write64(m, 0x800000, 0x2222);
	machine_write64(m, G_DATA, 0x800000 | 0x87);
}

TEST(common, invlpg_not_intercepted, .ref = "APM2 5.5.2, SDM3 5.10.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_invlpg);

	STATIC_ASSERT(G_PD == 0x6000, "entry 3 of the page directory");
	invlpg_machine(m);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_INVLPG, 0, false), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RBX], 0x1111);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0x2222);
}

TEST(common, invlpg_intercepted, .ref = "APM2 15.9, SDM3 26.1.3, 28.2.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_invlpg);

	invlpg_machine(m);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_INVLPG, 0, true), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_INVLPG);
	EXPECT_EQ(t, m->v->exit.invlpg.linear, 0x600000);
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_INVLPG)), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0x2222);
}

GUEST64(c_xsetbv, "xsetbv; hlt");

/* SDM1 13.3, APM2 11.5.2 */
static const struct {
	const char *name;
	u32 ecx;
	u64 val;
	int vector;		/* -1: it works */
} xsetbv_rows[] = {
	{ "x87", 0, 1, -1 },
	{ "x87 and SSE", 0, 3, -1 },
	{ "nothing", 0, 0, VEC_GP },
	{ "SSE without x87", 0, 2, VEC_GP },
	{ "AVX without SSE", 0, 5, VEC_GP },
	{ "reserved bit 63", 0, BIT(63) | 3, VEC_GP },
	{ "reserved bit 62 in the upper half", 0, BIT(62) | 3, VEC_GP },
	{ "XCR1", 1, 1, VEC_GP },
	{ "XCR with bits above 31 of RCX only", 0, 3, -1 },
};

TEST(common, xsetbv, .ref = "APM2 11.5.2, SDM1 13.3, SDM2 XSETBV", .needs = NEED_VIRT)
{
	if (!run_policy.caps->xsave)
		SKIP(t, "the CPU has no XSAVE");
	for (u32 i = 0; i < ARRAY_SIZE(xsetbv_rows); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, &c_xsetbv);
		enum exit_reason got;

		test_row(t, xsetbv_rows[i].name);
		machine_idt(m);
		machine_set(m, VREG_CR4, CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE);
		m->v->gpr[VREG_RAX] = (u32)xsetbv_rows[i].val;
		m->v->gpr[VREG_RDX] = xsetbv_rows[i].val >> 32;
		m->v->gpr[VREG_RCX] = xsetbv_rows[i].ecx | (i == ARRAY_SIZE(xsetbv_rows) - 1 ?
							    0xffULL << 32 : 0);
		got = machine_run_handling(m, BIT(EXIT_XSETBV));
		if (xsetbv_rows[i].vector < 0) {
			EXPECT_EQ(t, got, EXIT_HLT);
			EXPECT_EQ(t, machine_get(m, VREG_XCR0), xsetbv_rows[i].val);
		} else {
			expect_exception(m, got, (u8)xsetbv_rows[i].vector, 0);
			EXPECT_EQ(t, machine_get(m, VREG_XCR0), 1);
		}
		machine_free(m);
	}
}

TEST(common, xsetbv_without_osxsave, .ref = "APM4 XSETBV, SDM2 XSETBV", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_xsetbv);

	machine_idt(m);
	m->v->gpr[VREG_RAX] = 1;
	expect_exception(m, machine_run_handling(m, BIT(EXIT_XSETBV)), VEC_UD, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
}

GUEST64(c_cpuid_leaf, "cpuid; hlt");

static struct cpuid_regs guest_cpuid(struct machine *m, u32 leaf, u32 subleaf)
{
	m->v->rip = G_CODE;
	m->v->exit.reason = EXIT_NONE;
	m->v->gpr[VREG_RAX] = leaf | 0xdeadULL << 32;
	m->v->gpr[VREG_RCX] = subleaf | 0xdeadULL << 32;
	m->v->gpr[VREG_RBX] = m->v->gpr[VREG_RDX] = ~0ULL;
	run_to_hlt(m);
	/* APM3 CPUID: the upper halves become 0. */
	CHECK(m->t, !((m->v->gpr[VREG_RAX] | m->v->gpr[VREG_RBX] | m->v->gpr[VREG_RCX] |
		       m->v->gpr[VREG_RDX]) >> 32), "upper halves of leaf 0x%x", leaf);
	return (struct cpuid_regs){ (u32)m->v->gpr[VREG_RAX], (u32)m->v->gpr[VREG_RBX],
				    (u32)m->v->gpr[VREG_RCX], (u32)m->v->gpr[VREG_RDX] };
}

TEST(common, cpuid_policy, .ref = "APM3 app. E, SDM2 CPUID", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_cpuid_leaf);
	struct cpuid_regs r = guest_cpuid(m, 1, 0);

	EXPECT(t, r.ecx & BIT(31));			/* a hypervisor is there */
	EXPECT(t, !(r.ecx & (BIT(3) | BIT(5) | BIT(21) | BIT(24) | BIT(27))));
	EXPECT(t, !(r.edx & BIT(9)));			/* no local APIC yet */
	EXPECT_EQ(t, r.ebx >> 24, m->v->id);
	EXPECT_EQ(t, r.eax, cpuid(1).eax);
	machine_set(m, VREG_CR4, machine_get(m, VREG_CR4) |
		    (run_policy.caps->xsave ? CR4_OSXSAVE : 0));
	EXPECT_EQ(t, !!(guest_cpuid(m, 1, 0).ecx & BIT(27)), run_policy.caps->xsave);
	EXPECT(t, !(guest_cpuid(m, 0x80000001, 0).ecx & BIT(2)));	/* no SVM */
	r = guest_cpuid(m, 0x8000000a, 0);
	EXPECT_EQ(t, r.eax | r.ebx | r.ecx | r.edx, 0);
	r = guest_cpuid(m, HYPERVISOR_LEAF, 0);
	EXPECT_EQ(t, r.eax, HYPERVISOR_LEAF);
	EXPECT(t, !memcmp(&r.ebx, HYPERVISOR_SIGNATURE, 4));
	r = guest_cpuid(m, 0x12345678, 0);
	EXPECT_EQ(t, r.eax | r.ebx | r.ecx | r.edx, 0);
}

/* Leaf 0Dh: what XCR0 enables now is the guest's, not ours. */
TEST(common, cpuid_xsave_size, .ref = "SDM2 CPUID leaf 0Dh, APM3 E.3.14", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_cpuid_leaf);

	if (!run_policy.caps->xsave || !run_policy.caps->avx)
		SKIP(t, "the CPU has no AVX");
	machine_set(m, VREG_CR4, CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE);
	machine_set(m, VREG_XCR0, 3);
	EXPECT_EQ(t, guest_cpuid(m, 0xd, 0).ebx, 576);
	machine_set(m, VREG_XCR0, 7);
	EXPECT_EQ(t, guest_cpuid(m, 0xd, 0).ebx, run_policy.caps->xstate[2].offset + 256);
	EXPECT(t, !(guest_cpuid(m, 0xd, 1).eax & BIT(3)));
	EXPECT_EQ(t, guest_cpuid(m, 0xd, 1).ebx, guest_cpuid(m, 0xd, 1).eax & BIT(1) ? 832 : 0);
}

GUEST64(c_ud2, "ud2");

static void triple_fault(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_ud2);

	EXPECT_EQ(t, machine_run(m), EXIT_SHUTDOWN);
	/* The host goes on, and a new guest runs. */
	machine_free(m);
	m = machine_new(t, MODE_LONG64, &c_hlt);
	EXPECT_EQ(t, machine_run(m), EXIT_HLT);
}

TEST(common, triple_fault_svm, .ref = "APM2 15.14.3", .needs = NEED_SVM)
{
	triple_fault(t);
}

TEST(common, triple_fault_vmx, .ref = "SDM3 26.2", .needs = NEED_VMX)
{
	triple_fault(t);
}

GUEST64(c_wbinvd, "wbinvd; hlt");

TEST(common, wbinvd_handled, .ref = "APM2 15.9, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_wbinvd);

	if (virt->intercept(m->v, ICPT_WBINVD, 0, true))
		SKIP(t, "WBINVD cannot be intercepted");
	REQUIRE_EQ(t, machine_run(m), EXIT_WBINVD);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
}

/* Virtualization instructions of a guest that has none: #UD. */
GUEST64(c_vmrun, "mov $0x30000, %eax; vmrun %rax; hlt");
GUEST64(c_vmxon, "vmxon 0x30000; hlt");

TEST(common, no_nested_virtualization, .ref = "APM3 VMRUN, SDM3 31.3 VMXON", .needs = NEED_VIRT)
{
	bool svm = virt->vendor == VIRT_SVM;
	struct machine *m = machine_new(t, MODE_LONG64, svm ? &c_vmrun : &c_vmxon);

	machine_idt(m);
	expect_exception(m, machine_run_handling(m, BIT(EXIT_VIRT_INSN)), VEC_UD, 0);
}
