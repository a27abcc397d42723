// SPDX-License-Identifier: MIT
/* Control and debug registers: masks, shadows, exits (SDM3 25.6.6, 26.3, 28.2.1). */
#include "tests/vmx/vmx_test.h"

GUEST64(vr_cr_read, "mov %cr0, %rax; mov %cr4, %rbx; smsw %ecx; cpuid");

TEST(vmx, cr_shadow, .ref = "SDM3 25.6.6, 26.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr_read);

	/* Host-owned bits come from the shadow, which need not be the truth. */
	vmx_write(m->v, VMCS_CR0_GUEST_HOST_MASK, CR0_NE | CR0_CD | CR0_TS | CR0_MP);
	vmx_write(m->v, VMCS_CR0_READ_SHADOW, CR0_CD | CR0_MP);
	vmx_write(m->v, VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE | CR4_TSD | CR4_DE);
	vmx_write(m->v, VMCS_CR4_READ_SHADOW, CR4_TSD);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RAX),
		  CR0_PE | CR0_MP | CR0_ET | CR0_WP | CR0_CD | CR0_PG);
	EXPECT_EQ(t, machine_get(m, VREG_RBX) & (CR4_VMXE | CR4_TSD | CR4_DE), CR4_TSD);
	EXPECT_EQ(t, machine_get(m, VREG_RCX) & 0xffff, CR0_PE | CR0_MP | CR0_ET);
}

/* What a guest sees of the bits that VMX operation fixes. */
TEST(vmx, cr_fixed_hidden, .ref = "SDM3 24.8, 25.6.6", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr_read);

	machine_set(m, VREG_CR0, CR0_PE | CR0_PG | CR0_ET);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), CR0_PE | CR0_PG | CR0_ET);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), CR4_PAE | CR4_OSFXSR);
	EXPECT_EQ(t, machine_get(m, VREG_CR0), CR0_PE | CR0_PG | CR0_ET);
	EXPECT_EQ(t, machine_get(m, VREG_CR4), CR4_PAE | CR4_OSFXSR);
	/* But the CPU runs with them. */
	EXPECT(t, vmread(VMCS_GUEST_CR0) & CR0_NE);
	EXPECT(t, vmread(VMCS_GUEST_CR4) & CR4_VMXE);
}

GUEST64(vr_cr0_write, "mov %cr0, %rax; mov %rax, %cr0; bts $1, %rax; mov %rax, %cr0\n\t"
	"btr $5, %rax; mov %rax, %r11; mov %r11, %cr0; cpuid");

TEST(vmx, cr0_write_exit, .ref = "SDM3 26.1.3, table 28-3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr0_write);

	/* The same value and a guest-owned bit (MP): no exit; NE: exit. */
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.num, 0);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_R11);
	EXPECT_EQ(t, m->v->exit.cr.kind, CR_MOV);
	EXPECT_EQ(t, m->v->exit.cr.write, true);
	EXPECT_EQ(t, m->v->exit.insn_len, 4);
	EXPECT_EQ(t, machine_get(m, VREG_CR0) & CR0_MP, CR0_MP);
	machine_set(m, VREG_CR0, machine_get(m, VREG_R11));
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_CR0), machine_get(m, VREG_R11));
}

GUEST64(vr_clts, "clts; mov $0xffff0008, %eax; lmsw %ax; lmsw 0x30000; cpuid");

TEST(vmx, clts_lmsw_exit, .ref = "SDM3 26.1.3, table 28-3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_clts);

	vmx_write(m->v, VMCS_CR0_GUEST_HOST_MASK, ~0ULL);
	vmx_write(m->v, VMCS_CR0_READ_SHADOW, CR0_PE | CR0_PG | CR0_TS | CR0_MP);
	machine_write64(m, G_DATA, 1);
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.kind, CR_CLTS);
	REQUIRE_EQ(t, machine_next(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.kind, CR_LMSW);
	EXPECT_EQ(t, m->v->exit.cr.lmsw, 8);
	REQUIRE_EQ(t, machine_next(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.kind, CR_LMSW);
	EXPECT_EQ(t, m->v->exit.cr.lmsw, 1);
	EXPECT_EQ(t, vmread(VMCS_GUEST_LINEAR_ADDRESS), G_DATA);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}

/* SDM3 26.3: CLTS of a host-owned TS whose shadow is clear does nothing. */
TEST(vmx, clts_host_owned, .ref = "SDM3 26.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_clts);

	vmx_write(m->v, VMCS_GUEST_CR0, vmx_read(m->v, VMCS_GUEST_CR0) | CR0_TS);
	vmx_write(m->v, VMCS_CR0_GUEST_HOST_MASK, CR0_TS | CR0_NE);
	vmx_write(m->v, VMCS_CR0_READ_SHADOW, CR0_NE);
	/* The first exit is LMSW's, which would set the host-owned TS. */
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.kind, CR_LMSW);
	EXPECT(t, vmread(VMCS_GUEST_CR0) & CR0_TS);
}

GUEST64(vr_cr4, "mov %cr4, %rax; mov %rax, %cr4; bts $2, %rax; mov %rax, %cr4\n\t"
	"bts $13, %rax; mov %rax, %cr4; cpuid");

TEST(vmx, cr4_write_exit, .ref = "SDM3 26.1.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr4);

	/* VMXE is the host's: setting it exits, although it is set in truth. */
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.num, 4);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RAX);
	EXPECT_EQ(t, machine_get(m, VREG_CR4), CR4_PAE | CR4_OSFXSR | CR4_TSD);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}

GUEST64(vr_cr3, "mov %cr3, %rbx; mov %rbx, %cr3; lea 0x1000(%rbx), %rdx; mov %rdx, %cr3\n\t"
	"mov %rbx, %cr3; cpuid");

TEST(vmx, cr3_exit, .ref = "SDM3 26.1.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr3);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_READ, 3, true), 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, 3, true), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.num, 3);
	EXPECT_EQ(t, m->v->exit.cr.write, false);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RBX);
	machine_set(m, VREG_RBX, G_PML4);
	REQUIRE_EQ(t, machine_next(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.write, true);
	REQUIRE_EQ(t, machine_next(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RDX);
}

/* SDM3 25.6.7: no exit for a value among the CR3 targets. */
TEST(vmx, cr3_targets, .ref = "SDM3 25.6.7", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr3);
	u32 n = MIN(VMX_MISC_CR3_TARGETS(vmx_caps.misc), 4u);

	if (!n)
		SKIP(t, "the CPU has no CR3 targets");
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, 3, true), 0);
	for (u32 i = 0; i < n; i++)
		vmx_write(m->v, VMCS_CR3_TARGET_VALUE0 + 2 * i, i == n - 1 ? G_PML4 : 0);
	vmx_write(m->v, VMCS_CR3_TARGET_COUNT, n);
	/* The first write is the target, the second is not. */
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RDX);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
	/* One less: all writes exit. */
	vmx_write(m->v, VMCS_CR3_TARGET_COUNT, n - 1);
	m->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RBX);
}

GUEST64(vr_cr8, "mov $5, %eax; mov %rax, %cr8; xor %ebx, %ebx; mov %cr8, %rbx; cpuid");

TEST(vmx, cr8_shadow, .ref = "SDM3 30.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr8);
	u64 host = 0;

	if (!ctl_allowed(VMX_CTL_PROC, VMX_CTL(PROC_USE_TPR_SHADOW)))
		SKIP(t, "the CPU has no TPR shadow");
	machine_set(m, VREG_CR8, 9);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 5);
	EXPECT_EQ(t, machine_get(m, VREG_CR8), 5);
	__asm__ volatile("mov %%cr8, %0" : "=r"(host));
	EXPECT_EQ(t, host, 0);
}

TEST(vmx, cr8_exit, .ref = "SDM3 26.1.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_cr8);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, 8, true), 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_READ, 8, true), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.num, 8);
	EXPECT_EQ(t, m->v->exit.cr.write, true);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RAX);
	REQUIRE_EQ(t, machine_next(m), EXIT_CR);
	EXPECT_EQ(t, m->v->exit.cr.write, false);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RBX);
}

GUEST64(vr_tpr, "mov $8, %eax; mov %rax, %cr8; mov $3, %eax; mov %rax, %cr8; cpuid");

/* SDM3 30.1.2: falling below the threshold exits behind the instruction. */
TEST(vmx, tpr_threshold, .ref = "SDM3 30.1.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_tpr);

	if (!ctl_allowed(VMX_CTL_PROC, VMX_CTL(PROC_USE_TPR_SHADOW)))
		SKIP(t, "the CPU has no TPR shadow");
	machine_set(m, VREG_CR8, 9);
	vmx_write(m->v, VMCS_TPR_THRESHOLD, 4);
	REQUIRE_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
	EXPECT_EQ(t, m->v->exit.code, VMX_EXIT_TPR_THRESHOLD);
	EXPECT_EQ(t, m->v->rip, G_CODE + 18);
	EXPECT_EQ(t, machine_get(m, VREG_CR8), 3);
	vmx_write(m->v, VMCS_TPR_THRESHOLD, 0);
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}

GUEST64(vr_dr, "mov %dr0, %rax; mov %rax, %dr3; mov %dr7, %rdx; mov %rdx, %dr6; cpuid");

TEST(vmx, dr_exit, .ref = "SDM3 table 28-4", .needs = NEED_VMX)
{
	static const struct {
		const char *name;
		u8 num, write, gpr;
	} rows[] = {
		{ "from DR0", 0, 0, VREG_RAX }, { "to DR3", 3, 1, VREG_RAX },
		{ "from DR7", 7, 0, VREG_RDX }, { "to DR6", 6, 1, VREG_RDX },
	};
	struct machine *m = machine_new(t, MODE_LONG64, &vr_dr);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_DR, 0, true), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		test_row(t, rows[i].name);
		REQUIRE_EQ(t, i ? machine_next(m) : machine_run(m), EXIT_DR);
		EXPECT_EQ(t, m->v->exit.cr.num, rows[i].num);
		EXPECT_EQ(t, m->v->exit.cr.write, rows[i].write);
		EXPECT_EQ(t, m->v->exit.cr.gpr, rows[i].gpr);
	}
	test_row(t, "then on");
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}

/* SDM3 28.3.1, 28.5.1: DR7 is switched by the CPU, the others by us. */
GUEST64(vr_dr_set, "mov $0x1234, %eax; mov %rax, %dr0; mov $0x5678, %eax; mov %rax, %dr3\n\t"
	"mov $0x402, %eax; mov %rax, %dr7; cpuid");

TEST(vmx, dr_kept, .ref = "SDM3 28.3.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vr_dr_set);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_DR0), 0x1234);
	EXPECT_EQ(t, machine_get(m, VREG_DR3), 0x5678);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), 0x402);
	vcpu_put(m->v);
	EXPECT_EQ(t, machine_get(m, VREG_DR0), 0x1234);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), 0x402);
}
