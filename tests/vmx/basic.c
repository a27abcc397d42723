// SPDX-License-Identifier: MIT
/* A guest enters and leaves, on any CPU, and its registers stay its own. */
#include "core/x86/percpu.h"
#include "core/x86/smp.h"
#include "tests/vmx/vmx_test.h"

GUEST64(vb_cpuid, "mov $0x40001234, %eax; cpuid; vmcall");

TEST(vmx, cpuid_exit, .ref = "SDM3 26.1.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vb_cpuid);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, m->v->exit.code, VMX_EXIT_CPUID);
	EXPECT_EQ(t, m->v->exit.insn_len, 2);
	EXPECT_EQ(t, m->v->rip, G_CODE + 5);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 0x40001234);
	EXPECT_EQ(t, machine_next(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, m->v->exit.insn_len, 3);
	EXPECT_EQ(t, m->v->rip, G_CODE + 7);
}

static void one_cpu(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vb_cpuid);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, m->v->rip, G_CODE + 5);
	EXPECT_EQ(t, machine_next(m), EXIT_HYPERCALL);
}

TEST(vmx, cpuid_on_all_cpus, .ref = "SDM3 24.7", .needs = NEED_VMX)
{
	test_on_all_cpus(t, one_cpu);
}

/* Everything that a vCPU switches lazily must come along. */
GUEST64(vb_state, "mov $0xc0000102, %ecx; mov $0x1234, %eax; xor %edx, %edx; wrmsr\n\t"
	"mov $0x77, %eax; mov %rax, %dr1; mov $6, %eax; mov %rax, %cr8; cpuid\n\t"
	"mov $0xc0000102, %ecx; rdmsr; mov %eax, %ebx; mov %dr1, %rsi; mov %cr8, %rdi; vmcall");

struct elsewhere {
	struct vcpu *v;
	enum exit_reason reason;
};

static void step_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	do {
		e->reason = vcpu_step(e->v);
	} while (e->reason == EXIT_INTR || e->reason == EXIT_NMI);
	vcpu_put(e->v);
}

/* SDM3 25.11.1: VMCLEAR on the one, VMPTRLD on the other. */
TEST(vmx, vcpu_moves_to_other_cpu, .ref = "SDM3 25.11.1", .needs = NEED_VMX | NEED_SMP)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vb_state);
	struct elsewhere e = { .v = m->v };

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	vcpu_put(m->v);
	REQUIRE_EQ(t, smp_call(1, step_elsewhere, &e), 0);
	REQUIRE_EQ(t, smp_wait(1, 5000000), 0);
	REQUIRE_EQ(t, e.reason, EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 0x1234);
	EXPECT_EQ(t, machine_get(m, VREG_RSI), 0x77);
	EXPECT_EQ(t, machine_get(m, VREG_RDI), 6);
	/* And back. */
	m->v->rip = G_CODE;
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}

/* Two guests on one CPU do not see each other's state. */
TEST(vmx, two_vcpus_on_one_cpu, .ref = "SDM3 25.11.1", .needs = NEED_VMX)
{
	struct machine *a = machine_new(t, MODE_LONG64, &vb_state);
	struct machine *b = machine_new(t, MODE_LONG64, &vb_state);

	REQUIRE_EQ(t, machine_run(a), EXIT_CPUID);
	machine_set(b, VREG_KERNEL_GS_BASE, 0x999);
	machine_set(b, VREG_DR1, 0x111);
	/* Past the part that sets them. */
	b->v->rip = a->v->rip + 2;
	REQUIRE_EQ(t, machine_run(b), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_get(b, VREG_RBX), 0x999);
	EXPECT_EQ(t, machine_get(b, VREG_RSI), 0x111);
	EXPECT_EQ(t, machine_get(b, VREG_RDI), 0);
	REQUIRE_EQ(t, machine_next(a), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_get(a, VREG_RBX), 0x1234);
	EXPECT_EQ(t, machine_get(a, VREG_RSI), 0x77);
	EXPECT_EQ(t, machine_get(a, VREG_RDI), 6);
}

/* Values that each register takes in any mode. */
static const struct {
	u8 reg;
	u64 val;
} reg_rows[] = {
	{ VREG_RAX, 0x0123456789abcdefULL }, { VREG_RSP, 0x48000 }, { VREG_R15, ~0ULL },
	{ VREG_RIP, G_CODE + 7 }, { VREG_RFLAGS, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_ID },
	{ VREG_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_CD | CR0_MP },
	{ VREG_CR2, 0xdeadbeef000ULL }, { VREG_CR3, G_PML4 },
	{ VREG_CR4, CR4_PAE | CR4_TSD | CR4_OSFXSR }, { VREG_CR8, 11 },
	{ VREG_EFER, EFER_LME | EFER_LMA | EFER_SCE }, { VREG_XCR0, 1 },
	{ VREG_DR0, 0x1000 }, { VREG_DR1, 0x2000 }, { VREG_DR2, 0x3000 }, { VREG_DR3, 0x4000 },
	{ VREG_DR6, DR6_FIXED1 | 3 }, { VREG_DR7, DR7_FIXED1 },
	{ VREG_STAR, 0x0013000800000000ULL }, { VREG_LSTAR, 0x7fff12345678ULL },
	{ VREG_CSTAR, 0x7fff00001111ULL }, { VREG_SFMASK, 0x47700 },
	{ VREG_KERNEL_GS_BASE, 0xffff888000000000ULL }, { VREG_TSC_AUX, 0x42 },
	{ VREG_SYSENTER_CS, 0x10 }, { VREG_SYSENTER_ESP, 0x7ffff000 },
	{ VREG_SYSENTER_EIP, 0x7fffe000 }, { VREG_PAT, 0x0606060606060606ULL },
	{ VREG_DEBUGCTL, 0 }, { VREG_TSC_OFFSET, 0x100000 },
};

static void check_regs(struct machine *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(reg_rows); i++) {
		u64 got = machine_get(m, reg_rows[i].reg);

		CHECK(m->t, got == reg_rows[i].val, "%s: %llx instead of %llx",
		      vreg_name(reg_rows[i].reg), (unsigned long long)got,
		      (unsigned long long)reg_rows[i].val);
	}
}

GUEST64(vb_three, "cpuid; cpuid; cpuid; nop; cpuid");

/* Set before the first load, kept by an entry, an exit, put and load. */
TEST(vmx, registers_kept, .ref = "SDM3 27.3.2, 28.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vb_three);

	for (unsigned int i = 0; i < ARRAY_SIZE(reg_rows); i++)
		machine_set(m, reg_rows[i].reg, reg_rows[i].val);
	test_row(t, "set and read back");
	check_regs(m);
	test_row(t, "behind an exit");
	/* The guest stops at its first instruction: nothing changes but the CPU. */
	m->v->rip = G_CODE + 7;
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	check_regs(m);
	test_row(t, "put away");
	vcpu_put(m->v);
	check_regs(m);
	test_row(t, "behind another exit");
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	check_regs(m);
}

GUEST64(vb_enabled, "rdtscp; mov $2, %eax; invpcid 0x30000, %rax; vmcall");

/* Secondary controls that let instructions run which would be #UD. */
TEST(vmx, enabled_instructions, .ref = "SDM3 26.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vb_enabled);
	u32 both = VMX_CTL(PROC2_ENABLE_RDTSCP) | VMX_CTL(PROC2_ENABLE_INVPCID);

	if (!ctl_allowed(VMX_CTL_PROC2, both))
		SKIP(t, "the CPU lacks RDTSCP or INVPCID for guests");
	machine_idt(m);
	machine_set(m, VREG_TSC_AUX, 0x1717);
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, m->v->rip, G_CODE + (u64)(vb_enabled.end - vb_enabled.start) - 3);
	EXPECT_EQ(t, machine_get(m, VREG_RCX), 0x1717);
	/* Without the control: #UD. */
	vmx_write(m->v, VMCS_PROC2_CTLS, vmx_read(m->v, VMCS_PROC2_CTLS) & ~(u64)both);
	m->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_UD);
}
