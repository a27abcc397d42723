// SPDX-License-Identifier: MIT
/* Windows, interruptibility, and the host's own interrupts: SDM3 26.2, 27.7.5. */
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/percpu.h"
#include "core/x86/smp.h"
#include "core/x86/time.h"
#include "core/x86/trap.h"
#include "tests/vmx/vmx_test.h"

GUEST64(vw_sti, "nop; sti; nop; nop; cpuid");
GUEST64(vw_iret, "mov %rsp, %rax; pushq $0x10; push %rax; pushq $2; pushq $8\n\t"
	"lea 1f(%rip), %rax; push %rax; iretq; 1: nop; cpuid");
GUEST64(vw_movss, "mov %ss, %eax; mov %eax, %ss; nop; cpuid");
GUEST64(vw_sti_cpuid, "sti; cpuid; nop; cpuid");
GUEST64(vw_nops, "nop; nop; cpuid");
GUEST64(vw_spin, "1: jmp 1b");

TEST(vmx, intr_window, .ref = "SDM3 26.2, 27.7.5", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_sti);

	test_row(t, "at once with IF set");
	m->v->rflags |= RFLAGS_IF;
	virt->windows(m->v, WINDOW_INTR);
	REQUIRE_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	test_row(t, "behind the shadow of STI");
	m->v->rflags &= ~RFLAGS_IF;
	REQUIRE_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
	/* nop, sti, and the nop in the shadow have run. */
	EXPECT_EQ(t, m->v->rip, G_CODE + 3);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 0);
	test_row(t, "not with IF clear");
	m->v->rflags &= ~RFLAGS_IF;
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
	test_row(t, "switched off");
	virt->windows(m->v, 0);
	m->v->rip = G_CODE;
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}

TEST(vmx, intr_window_mov_ss, .ref = "SDM3 25.4.2, 27.7.5", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_movss);

	m->v->rflags |= RFLAGS_IF;
	/* Past the first instruction, so that the window is not there yet. */
	m->v->rip = G_CODE + 2;
	machine_set(m, VREG_RAX, G_SEL_DATA);
	machine_set(m, VREG_INT_SHADOW, 1);
	virt->windows(m->v, WINDOW_INTR);
	REQUIRE_EQ(t, machine_run(m), EXIT_INTR_WINDOW);
	/* STI blocking ended with MOV SS, which blocks again for the NOP. */
	EXPECT(t, m->v->rip == G_CODE + 5 || m->v->rip == G_CODE + 4);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 0);
}

/* An exit in a shadow says so, and stepping over the instruction ends it. */
TEST(vmx, interruptibility_saved, .ref = "SDM3 28.3.4", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_sti_cpuid);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, vmx_read(m->v, VMCS_GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_STI);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 1);
	REQUIRE_EQ(t, machine_next(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 0);
}

/*
 * Leaves this CPU without virtual-NMI blocking: a guest's IRET.  What the
 * interruptibility state says should do; nmi_blocking_per_guest tests that.
 */
static void unblock_nmis(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_iret);

	machine_set(m, VREG_NMI_BLOCKED, 1);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 0);
}

/* The blocking of one guest is not that of the next. */
TEST(vmx, nmi_blocking_per_guest, .ref = "SDM3 27.3.2.5, 27.7.6", .needs = NEED_VMX)
{
	struct machine *a = machine_new(t, MODE_LONG64, &vw_nops);
	struct machine *b = machine_new(t, MODE_LONG64, &vw_nops);
	u64 blocked;

	machine_set(a, VREG_NMI_BLOCKED, 1);
	REQUIRE_EQ(t, machine_run(a), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(a, VREG_NMI_BLOCKED), 1);
	REQUIRE_EQ(t, machine_run(b), EXIT_CPUID);
	blocked = machine_get(b, VREG_NMI_BLOCKED);
	unblock_nmis(t);
	EXPECT_EQ(t, blocked, 0);
}

TEST(vmx, nmi_window, .ref = "SDM3 26.2, 27.7.6", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_nops);

	if (!ctl_allowed(VMX_CTL_PROC, VMX_CTL(PROC_NMI_WINDOW_EXITING)))
		SKIP(t, "the CPU has no NMI window");
	virt->windows(m->v, WINDOW_NMI);
	test_row(t, "at once when nothing blocks");
	REQUIRE_EQ(t, machine_run(m), EXIT_NMI_WINDOW);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	test_row(t, "not while NMIs are blocked");
	machine_set(m, VREG_NMI_BLOCKED, 1);
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 1);
	unblock_nmis(t);
}

TEST(vmx, nmi_window_iret, .ref = "SDM3 26.3 IRET, 27.7.6", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_iret);
	u64 end = G_CODE + (u64)(vw_iret.end - vw_iret.start);

	if (!ctl_allowed(VMX_CTL_PROC, VMX_CTL(PROC_NMI_WINDOW_EXITING)))
		SKIP(t, "the CPU has no NMI window");
	machine_set(m, VREG_NMI_BLOCKED, 1);
	virt->windows(m->v, WINDOW_NMI);
	REQUIRE_EQ(t, machine_run(m), EXIT_NMI_WINDOW);
	EXPECT_EQ(t, m->v->rip, end - 3);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 0);
}

/* SDM3 28.2.3: IRET unblocked NMIs and then faulted: they are blocked again. */
TEST(vmx, nmi_unblocking_iret, .ref = "SDM3 28.2.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_iret);

	/* IRET pops from a page that EPT does not map. */
	m->v->rip = G_CODE + (u64)(vw_iret.end - vw_iret.start) - 5;
	m->v->gpr[VREG_RSP] = 0x400000;
	machine_set(m, VREG_NMI_BLOCKED, 1);
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, 0x400000, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, machine_get(m, VREG_NMI_BLOCKED), 1);
	unblock_nmis(t);
}

/* --- the host's interrupts --- */

static volatile u32 host_irqs;

static void count_irq(struct trap_frame *f)
{
	host_irqs++;
}

#define TEST_VECTOR	0x41

TEST(vmx, host_interrupt, .ref = "SDM3 26.2, 28.5.5", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_spin);
	u32 before;
	u64 flags;
	u16 reason;

	irq_register(TEST_VECTOR, count_irq);
	before = host_irqs;
	m->v->deadline = rdtsc() + 1000000;
	flags = irq_save();
	REQUIRE_EQ(t, lapic_send_ipi(this_cpu()->apic_id, LAPIC_FIXED, TEST_VECTOR), 0);
	/* Pending: the guest is left before its first instruction. */
	reason = vcpu_step(m->v);
	EXPECT_EQ(t, host_irqs, before);
	irq_restore(flags);
	__asm__ volatile("nop; nop");
	EXPECT_EQ(t, reason, EXIT_INTR);
	EXPECT_EQ(t, m->v->exit.code, VMX_EXIT_EXTERNAL_INTERRUPT);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	EXPECT_EQ(t, host_irqs, before + 1);
}

/* The guest's IF does not keep the host from its interrupts. */
TEST(vmx, host_interrupt_in_shadow, .ref = "SDM3 26.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_spin);
	u64 flags;
	u16 reason;

	irq_register(TEST_VECTOR, count_irq);
	m->v->rflags |= RFLAGS_IF;
	flags = irq_save();
	REQUIRE_EQ(t, lapic_send_ipi(this_cpu()->apic_id, LAPIC_FIXED, TEST_VECTOR), 0);
	reason = vcpu_step(m->v);
	irq_restore(flags);
	EXPECT_EQ(t, reason, EXIT_INTR);
	EXPECT_EQ(t, machine_get(m, VREG_RIP), G_CODE);
}

static volatile bool nmi_wanted;

static bool claim_nmi(struct trap_frame *f)
{
	bool mine = nmi_wanted;

	nmi_wanted = false;
	return mine;
}

/* From another CPU, while the guest runs on the boot CPU. */
static void send_nmi_later(void *arg)
{
	udelay(2000);
	nmi_wanted = true;
	lapic_send_ipi(*(const u32 *)arg, LAPIC_NMI, 0);
}

TEST(vmx, host_nmi, .ref = "SDM3 26.2, 28.5.5", .needs = NEED_VMX | NEED_SMP)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vw_spin);
	static bool registered;
	enum exit_reason r;
	u64 before;
	u32 target = this_cpu()->apic_id;

	if (!registered)
		nmi_register(claim_nmi);
	registered = true;
	m->v->deadline = rdtsc() + us_to_tsc(100000);
	before = this_cpu()->nmis;
	REQUIRE_EQ(t, smp_call(1, send_nmi_later, &target), 0);
	do {
		r = vcpu_step(m->v);
	} while (r == EXIT_INTR);
	EXPECT_EQ(t, smp_wait(1, 1000000), 0);
	EXPECT_EQ(t, r, EXIT_NMI);
	/* The handler has run, and its IRET lets the next one through. */
	EXPECT_EQ(t, this_cpu()->nmis, before + 1);
	EXPECT_EQ(t, nmi_wanted, false);
	before = this_cpu()->nmis;
	nmi_wanted = true;
	REQUIRE_EQ(t, lapic_send_ipi(target, LAPIC_NMI, 0), 0);
	udelay(10);
	EXPECT_EQ(t, this_cpu()->nmis, before + 1);
}
