// SPDX-License-Identifier: MIT
/* State across exits and entries: timers, MSR lists, activity, task switch. */
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "tests/vmx/vmx_test.h"

GUEST64(vs_spin, "1: jmp 1b");
GUEST64(vs_exit_loop, "1: cpuid; jmp 1b");
GUEST64(vs_rdtsc, "rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %rbx\n\t"
	"rdtsc; shl $32, %rdx; or %rdx, %rax; cpuid");

TEST(vmx, tsc_offset, .ref = "SDM3 26.3 RDTSC", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_rdtsc);
	u64 before, after;

	machine_set(m, VREG_TSC_OFFSET, BIT(50));
	before = rdtsc();
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	after = rdtsc();
	EXPECT(t, machine_get(m, VREG_RBX) >= before + BIT(50));
	EXPECT(t, machine_get(m, VREG_RAX) >= machine_get(m, VREG_RBX));
	EXPECT(t, machine_get(m, VREG_RAX) <= after + BIT(50));
	/* A negative offset, too. */
	machine_set(m, VREG_TSC_OFFSET, -(before - 1000));
	m->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT(t, machine_get(m, VREG_RAX) < before);
}

static bool have_timer(void)
{
	return ctl_allowed(VMX_CTL_PIN, VMX_CTL(PIN_PREEMPTION_TIMER));
}

/* A guest that never exits is stopped at its deadline. */
TEST(vmx, preemption_timer, .ref = "SDM3 26.5.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_spin);
	u64 start = rdtsc(), now;
	enum exit_reason r;

	if (!have_timer())
		SKIP(t, "the CPU has no preemption timer");
	m->v->deadline = start + 2000000;
	do {
		r = vcpu_step(m->v);
	} while (r == EXIT_INTR || r == EXIT_NMI);
	now = rdtsc();
	REQUIRE_EQ(t, r, EXIT_PREEMPT_TIMER);
	EXPECT_EQ(t, m->v->exit.code, VMX_EXIT_PREEMPTION_TIMER);
	EXPECT(t, now >= m->v->deadline);
	EXPECT(t, now < m->v->deadline + 2000000);
	EXPECT_EQ(t, m->v->rip, G_CODE);
}

/* One that exits all the time as well. */
TEST(vmx, preemption_timer_busy, .ref = "SDM3 26.5.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_exit_loop);
	u64 n = 0;

	if (!have_timer())
		SKIP(t, "the CPU has no preemption timer");
	m->v->deadline = rdtsc() + 1000000;
	for (;;) {
		enum exit_reason r = vcpu_step(m->v);

		if (r == EXIT_PREEMPT_TIMER)
			break;
		n += r == EXIT_CPUID;
		REQUIRE(t, rdtsc() < m->v->deadline + 2000000);
	}
	EXPECT(t, n > 10);
	EXPECT(t, rdtsc() >= m->v->deadline);
}

TEST(vmx, preemption_timer_zero, .ref = "SDM3 26.5.1, 27.7.4", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);

	if (!have_timer())
		SKIP(t, "the CPU has no preemption timer");
	/* It expires before the first instruction. */
	vmx_write(m->v, VMCS_PIN_CTLS, vmx_read(m->v, VMCS_PIN_CTLS) |
		  VMX_CTL(PIN_PREEMPTION_TIMER));
	vmx_write(m->v, VMCS_PREEMPTION_TIMER_VALUE, 0);
	EXPECT_EQ(t, entry_try(m), EXIT_PREEMPT_TIMER);
	EXPECT_EQ(t, m->v->rip, G_CODE);
}

TEST(vmx, preemption_timer_saved, .ref = "SDM3 26.5.1, 28.3.4", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	u64 left;

	if (!ctl_allowed(VMX_CTL_EXIT, VMX_CTL(EXIT_SAVE_PREEMPTION_TIMER)) || !have_timer())
		SKIP(t, "the CPU cannot save the preemption timer");
	vmx_write(m->v, VMCS_PIN_CTLS, vmx_read(m->v, VMCS_PIN_CTLS) |
		  VMX_CTL(PIN_PREEMPTION_TIMER));
	vmx_write(m->v, VMCS_PREEMPTION_TIMER_VALUE, 1000000);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
	test_row(t, "kept without the control");
	EXPECT_EQ(t, vmx_read(m->v, VMCS_PREEMPTION_TIMER_VALUE), 1000000);
	test_row(t, "counted down with it");
	vmx_write(m->v, VMCS_EXIT_CTLS, vmx_read(m->v, VMCS_EXIT_CTLS) |
		  VMX_CTL(EXIT_SAVE_PREEMPTION_TIMER));
	vmx_write(m->v, VMCS_PREEMPTION_TIMER_VALUE, 1000000);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
	left = vmx_read(m->v, VMCS_PREEMPTION_TIMER_VALUE);
	EXPECT(t, left <= 1000000 && left > 900000);
}

/* --- MSR areas --- */

static struct vmx_msr_entry *msr_area(struct machine *m, u32 count_field, u32 addr_field,
				      u32 count)
{
	struct vmx_msr_entry *area = host_alloc(1, m->t->owner);

	REQUIRE(m->t, area);
	vmx_write(m->v, count_field, count);
	vmx_write(m->v, addr_field, (u64)area);
	return area;
}

GUEST64(vs_read_star, "mov $0xc0000081, %ecx; rdmsr; mov %eax, %ebx; mov %edx, %esi\n\t"
	"mov $0x11223344, %eax; mov $0x55667788, %edx; wrmsr; cpuid");

TEST(vmx, msr_entry_load, .ref = "SDM3 27.4", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_read_star);
	struct vmx_msr_entry *a = msr_area(m, VMCS_ENTRY_MSR_LOAD_COUNT,
					   VMCS_ENTRY_MSR_LOAD_ADDR, 2);

	a[0] = (struct vmx_msr_entry){ .index = MSR_STAR, .value = 0x1111111122222222ULL };
	/* The list is read in order: the last value stays. */
	a[1] = (struct vmx_msr_entry){ .index = MSR_STAR, .value = 0x89abcdef01234567ULL };
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 0x01234567);
	EXPECT_EQ(t, machine_get(m, VREG_RSI), 0x89abcdef);
}

TEST(vmx, msr_exit_store_load, .ref = "SDM3 28.4, 28.6", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_read_star);
	struct vmx_msr_entry *s = msr_area(m, VMCS_EXIT_MSR_STORE_COUNT,
					   VMCS_EXIT_MSR_STORE_ADDR, 1);
	struct vmx_msr_entry *l = msr_area(m, VMCS_EXIT_MSR_LOAD_COUNT,
					   VMCS_EXIT_MSR_LOAD_ADDR, 1);

	s[0] = (struct vmx_msr_entry){ .index = MSR_STAR, .value = ~0ULL };
	l[0] = (struct vmx_msr_entry){ .index = MSR_STAR, .value = 0x0013000800000000ULL };
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, s[0].value, 0x5566778811223344ULL);
	EXPECT_EQ(t, rdmsr(MSR_STAR), 0x0013000800000000ULL);
}

struct msr_bad_row {
	const char *name;
	u32 index, reserved;
	u64 value;
};

/* SDM3 27.4: what makes the load fail; the qualification is its number. */
static const struct msr_bad_row msr_bad_rows[] = {
	{ "FS_BASE",		MSR_FS_BASE, 0, 0 },
	{ "GS_BASE",		MSR_GS_BASE, 0, 0 },
	{ "x2APIC MSR",		MSR_IA32_X2APIC_FIRST, 0, 0 },
	{ "x2APIC EOI",		MSR_IA32_X2APIC_EOI, 0, 0 },
	{ "reserved bits 63:32", MSR_STAR, 1, 0 },
	{ "MSR that does not exist", 0x3fff, 0, 0 },
	{ "value that #GPs",	MSR_LSTAR, 0, NONCANONICAL },
	{ "read-only MSR",	MSR_IA32_VMX_BASIC, 0, 0 },
};

TEST(vmx, msr_entry_load_fails, .ref = "SDM3 27.4, 27.8", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct vmx_msr_entry *a = msr_area(m, VMCS_ENTRY_MSR_LOAD_COUNT,
					   VMCS_ENTRY_MSR_LOAD_ADDR, 3);

	for (unsigned int i = 0; i < ARRAY_SIZE(msr_bad_rows); i++) {
		const struct msr_bad_row *r = &msr_bad_rows[i];
		const struct exit_entry_fail *f = &m->v->exit.fail;

		test_row(t, r->name);
		a[0] = a[2] = (struct vmx_msr_entry){ .index = MSR_STAR };
		a[1] = (struct vmx_msr_entry){ r->index, r->reserved, r->value };
		if (!EXPECT_EQ(t, entry_try(m), EXIT_ENTRY_FAIL))
			continue;
		EXPECT_EQ(t, f->stage, ENTRY_FAIL_MSR_LOAD);
		EXPECT_EQ(t, f->qualification, 2);
	}
	test_row(t, "enters again");
	vmx_write(m->v, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

/* --- MSRs that load and put switch --- */

GUEST64(vs_set_msrs, "mov $0xc0000102, %ecx; mov $0x1234, %eax; mov $0x7fff, %edx; wrmsr\n\t"
	"mov $0xc0000082, %ecx; mov $0x5678, %eax; wrmsr\n\t"
	"mov $0xc0000084, %ecx; mov $0x700, %eax; xor %edx, %edx; wrmsr\n\t"
	"mov $0xc0000100, %ecx; mov $0x9000, %eax; mov $0x11, %edx; wrmsr\n\t"
	"mov $0x277, %ecx; mov $0x06060606, %eax; mov %eax, %edx; wrmsr; cpuid");

TEST(vmx, msrs_switched, .ref = "SDM3 26.3, 28.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_set_msrs);
	u64 host_kgs = rdmsr(MSR_KERNEL_GS_BASE), host_lstar = rdmsr(MSR_LSTAR);
	u64 host_pat = rdmsr(MSR_IA32_PAT);
	struct vsegment fs;

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_KERNEL_GS_BASE), 0x7fff00001234ULL);
	EXPECT_EQ(t, machine_get(m, VREG_LSTAR), 0x7fff00005678ULL);
	EXPECT_EQ(t, machine_get(m, VREG_SFMASK), 0x700);
	EXPECT_EQ(t, machine_get(m, VREG_PAT), 0x0606060606060606ULL);
	virt->get_seg(m->v, VSEG_FS, &fs);
	EXPECT_EQ(t, fs.base, 0x1100009000ULL);
	EXPECT_EQ(t, rdmsr(MSR_IA32_PAT), host_pat);
	vcpu_put(m->v);
	EXPECT_EQ(t, rdmsr(MSR_KERNEL_GS_BASE), host_kgs);
	EXPECT_EQ(t, rdmsr(MSR_LSTAR), host_lstar);
	EXPECT_EQ(t, machine_get(m, VREG_KERNEL_GS_BASE), 0x7fff00001234ULL);
	EXPECT_EQ(t, machine_get(m, VREG_LSTAR), 0x7fff00005678ULL);
	EXPECT_EQ(t, machine_get(m, VREG_PAT), 0x0606060606060606ULL);
}

GUEST32(vs_to_long, "mov %cr4, %eax; or $0x20, %eax; mov %eax, %cr4\n\t"
	"mov $0x4000, %eax; mov %eax, %cr3\n\t"
	"mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n\t"
	"mov %cr0, %eax; or $0x80000001, %eax; mov %eax, %cr0; cpuid");

/* SDM3 28.3.1, A.6: EFER.LMA and the entry control follow the guest. */
TEST(vmx, guest_enters_long_mode, .ref = "SDM3 28.2, A.6", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_PROT32, &vs_to_long);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_EFER), EFER_LME | EFER_LMA);
	EXPECT(t, vmx_read(m->v, VMCS_ENTRY_CTLS) & VMX_CTL(ENTRY_IA32E_GUEST));
	/* And it goes on in compatibility mode. */
	EXPECT_EQ(t, virt->mode(m->v), 1);
}

/* --- activity, shutdown, tasks --- */

GUEST64(vs_hlt, "hlt; cpuid");

TEST(vmx, hlt_activity, .ref = "SDM3 25.4.2, 27.7.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_hlt);
	struct event nmi = event_nmi();

	if (!(vmx_caps.misc & VMX_MISC_HLT))
		SKIP(t, "the CPU cannot enter HLT");
	/* An injected event ends it. */
	machine_idt(m);
	m->v->rip = G_CODE + 1;
	vmx_write(m->v, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	vmx_write(m->v, VMCS_ENTRY_INTR_INFO, vmx_event_encode(&nmi, true));
	REQUIRE_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, 2);
	EXPECT_EQ(t, vmx_read(m->v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
}

/* HLT that does not exit: the timer finds the guest halted behind it. */
TEST(vmx, hlt_not_exiting, .ref = "SDM3 25.4.2, 26.5.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_hlt);
	enum exit_reason r;

	if (!have_timer())
		SKIP(t, "the CPU has no preemption timer");
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_HLT, 0, false), 0);
	m->v->deadline = rdtsc() + 1000000;
	do {
		r = vcpu_step(m->v);
	} while (r == EXIT_INTR || r == EXIT_NMI);
	REQUIRE_EQ(t, r, EXIT_PREEMPT_TIMER);
	EXPECT_EQ(t, m->v->rip, G_CODE + 1);
	EXPECT_EQ(t, vmx_read(m->v, VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
}

GUEST64(vs_ud2, "ud2");

TEST(vmx, triple_fault, .ref = "SDM3 26.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_ud2);

	REQUIRE_EQ(t, machine_run(m), EXIT_SHUTDOWN);
	EXPECT_EQ(t, m->v->exit.code, VMX_EXIT_TRIPLE_FAULT);
	/* SDM3 28.2.4: not during event delivery, as far as the exit says. */
	EXPECT_EQ(t, m->v->exit.idt.type, EVENT_NONE);
}

GUEST32(vs_tasks, "lcall $0x50, $0; cpuid");
GUEST32(vs_task_jmp, "ljmp $0x50, $0; cpuid");
GUEST32(vs_task_iret, "pushf; orl $0x4000, (%esp); popf; iret");

struct task_row {
	const char *name;
	const struct guest_code *code;
	u8 source;
};

static const struct task_row task_rows[] = {
	{ "CALL", &vs_tasks, 0 }, { "JMP", &vs_task_jmp, 2 }, { "IRET", &vs_task_iret, 1 },
};

TEST(vmx, task_switch, .ref = "SDM3 26.4.2, table 28-2", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(task_rows); i++) {
		struct machine *m = machine_new(t, MODE_PROT32, task_rows[i].code);

		test_row(t, task_rows[i].name);
		/* The back link, for IRET: TSS2, which must be busy then. */
		*(u16 *)machine_ptr(m, G_TSS, 2) = G_SEL_TSS2;
		if (task_rows[i].source == 1)
			machine_write64(m, G_GDT + G_SEL_TSS2,
					machine_read64(m, G_GDT + G_SEL_TSS2) | 2ULL << 40);
		REQUIRE_EQ(t, machine_run(m), EXIT_TASK_SWITCH);
		EXPECT_EQ(t, m->v->exit.task.selector, G_SEL_TSS2);
		EXPECT_EQ(t, m->v->exit.task.source, task_rows[i].source);
		EXPECT_EQ(t, m->v->exit.idt.type, EVENT_NONE);
		machine_free(m);
	}
}

/* --- monitor trap flag --- */

GUEST64(vs_nops, "nop; nop; cpuid");

TEST(vmx, monitor_trap_flag, .ref = "SDM3 26.5.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_nops);

	if (!ctl_allowed(VMX_CTL_PROC, VMX_CTL(PROC_MONITOR_TRAP_FLAG)))
		SKIP(t, "the CPU has no monitor trap flag");
	vmx_write(m->v, VMCS_PROC_CTLS, vmx_read(m->v, VMCS_PROC_CTLS) |
		  VMX_CTL(PROC_MONITOR_TRAP_FLAG));
	REQUIRE_EQ(t, machine_run(m), EXIT_MTF);
	EXPECT_EQ(t, m->v->rip, G_CODE + 1);
	REQUIRE_EQ(t, machine_run(m), EXIT_MTF);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
	/* An instruction that exits does not trap. */
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}

/* SDM3 27.6.2: a pending MTF exit is injected as event 7; nothing runs. */
TEST(vmx, monitor_trap_injected, .ref = "SDM3 27.6.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vs_nops);

	if (!ctl_allowed(VMX_CTL_PROC, VMX_CTL(PROC_MONITOR_TRAP_FLAG)))
		SKIP(t, "the CPU has no monitor trap flag");
	vmx_write(m->v, VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_OTHER << INTR_TYPE_SHIFT);
	REQUIRE_EQ(t, machine_run(m), EXIT_MTF);
	EXPECT_EQ(t, m->v->rip, G_CODE);
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}
