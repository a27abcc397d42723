/* SPDX-License-Identifier: MIT */
/* Guests that would never come back, and the same on every CPU at once. */
#include "core/mm/pt.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/smp.h"
#include "core/x86/time.h"
#include "tests/common/common.h"

GUEST64(c_spin, "1: jmp 1b");
GUEST64(c_cpuid_spin, "1: xor %eax, %eax; cpuid; inc %r8; jmp 1b");

#define SLICE_US	20000

static void hang(struct test_ctx *t, const struct guest_code *code, u64 rflags)
{
	struct machine *m = machine_new(t, MODE_LONG64, code);
	u64 start = rdtsc();

	m->v->rflags = RFLAGS_FIXED | rflags;
	m->vm.stop_mask = 0;
	m->v->deadline = start + us_to_tsc(SLICE_US);
	/* The tick that looks at the deadline; the runner's own follows. */
	lapic_timer_oneshot(SLICE_US + 1000);
	EXPECT_EQ(t, vcpu_run(m->v), STOP_TIMEOUT);
	EXPECT(t, rdtsc() >= m->v->deadline);
	/* It can go on afterwards. */
	m->v->deadline = 0;
	m->v->rip = G_CODE;
}

TEST(common, deadline_spin, .ref = "APM2 15.13.1, SDM3 26.5.1", .needs = NEED_VIRT)
{
	hang(t, &c_spin, RFLAGS_IF);
}

TEST(common, deadline_exits, .ref = "APM2 15.13.1, SDM3 26.5.1", .needs = NEED_VIRT)
{
	hang(t, &c_cpuid_spin, RFLAGS_IF);
}

/* APM2 15.21.1: with V_INTR_MASKING the guest's IF has no say. */
TEST(common, deadline_if0_svm, .ref = "APM2 15.13.1, 15.21.1", .needs = NEED_SVM)
{
	hang(t, &c_spin, 0);
	hang(t, &c_cpuid_spin, 0);
}

TEST(common, deadline_if0_vmx, .ref = "SDM3 26.2, 26.5.1", .needs = NEED_VMX)
{
	hang(t, &c_spin, 0);
	hang(t, &c_cpuid_spin, 0);
}

GUEST64(c_work,
	"mov $200, %r15d\n\t"
	"1: mov %r15, %rax; mov %r15, %rcx; cpuid; mov %r15, 0x30000(,%r15,8)\n\t"
	"mov $0xc0000102, %ecx; mov %r15d, %eax; xor %edx, %edx; wrmsr\n\t"
	"out %al, $0x80; movd %r15d, %xmm7; mov %r15, %dr2\n\t"
	"dec %r15d; jnz 1b; rdmsr; movd %xmm7, %ebx; mov %dr2, %rdx; hlt");

static void work(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_work);

	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 1);
	EXPECT_EQ(t, m->v->gpr[VREG_RBX], 1);
	EXPECT_EQ(t, m->v->gpr[VREG_RDX], 1);
	for (u64 i = 1; i <= 200; i++)
		CHECK(t, machine_read64(m, G_DATA + i * 8) == i, "word %llu",
		      (unsigned long long)i);
}

TEST(common, exits_on_all_cpus, .ref = "APM2 15.5, SDM3 25.11", .needs = NEED_VIRT)
{
	test_guests_on_all_cpus(t, work);
}

/* Paging and flushing on each CPU, with tables of its own. */
GUEST64(c_read_loop, "1: mov (%rbx), %rax; hlt; jmp 1b");

static void remap(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read_loop);

	for (u64 i = 0; i < 16; i++)
		machine_write64(m, 0x400000 + i * PAGE_SIZE, 0x1000 * (t->cpu + 1) + i);
	m->v->gpr[VREG_RBX] = 0x200000;
	for (u64 i = 0; i < 16; i++) {
		void *page = machine_ptr(m, 0x400000 + i * PAGE_SIZE, PAGE_SIZE);

		REQUIRE_EQ(t, pt_map(&m->vm.npt, 0x200000, (u64)page, PAGE_SIZE, PT_RWX | PT_U,
				     PAGE_SIZE), 0);
		virt->flush(m->v);
		run_to_hlt(m);
		EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x1000 * (t->cpu + 1) + i);
	}
}

TEST(common, npt_on_all_cpus, .ref = "APM2 15.16, SDM3 29.4.3", .needs = NEED_VIRT)
{
	test_guests_on_all_cpus(t, remap);
}

/* Events on each CPU. */
GUEST64(c_event_loop, "1: sti; nop; nop; cli; hlt; jmp 1b");

static void events(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_event_loop);

	machine_idt(m);
	for (u32 i = 0; i < 8; i++) {
		u8 vector = (u8)(0x40 + i + 16 * (t->cpu & 3));

		m->v->rip = G_CODE;
		m->v->gpr[VREG_RSP] = G_STACK_TOP;
		m->v->rflags = RFLAGS_FIXED;
		m->v->events.intr = true;
		m->v->events.intr_vector = vector;
		expect_exception(m, machine_run_handling(m, BIT(EXIT_INTR_WINDOW)), vector, 0);
		EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	}
}

TEST(common, events_on_all_cpus, .ref = "APM2 15.20, SDM3 27.6", .needs = NEED_VIRT)
{
	test_guests_on_all_cpus(t, events);
}

/* A vCPU that moves: it runs on each CPU in turn, with all its state. */
struct move {
	struct machine *m;
	u32 cpu;
	bool ok;
};

GUEST64(c_count, "mov $0x1234, %eax; mov %rax, %dr3; movd %eax, %xmm9\n\t"
		 "1: inc %r14; add $8, %rbx; mov %r14, (%rbx); hlt; jmp 1b");

static void run_there(void *arg)
{
	struct move *mv = arg;
	struct vcpu *v = mv->m->v;

	mv->ok = vcpu_run(v) == STOP_EXIT && v->exit.reason == EXIT_HLT && !vcpu_advance(v);
	/* Off this CPU again, so that the next one can take it. */
	vcpu_put(v);
}

TEST(common, vcpu_moves_between_cpus, .ref = "APM2 15.15.1, 15.16, SDM3 25.11.1",
     .needs = NEED_VIRT | NEED_SMP)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_count);
	struct move mv = { .m = m };

	m->v->gpr[VREG_RBX] = G_DATA;
	m->vm.stop_mask = BIT(EXIT_HLT);
	for (u32 i = 1; i <= 3 * cpu_count; i++) {
		mv.cpu = i % cpu_count;
		mv.ok = false;
		if (mv.cpu == this_cpu()->id)
			run_there(&mv);
		else if (smp_call(mv.cpu, run_there, &mv) || smp_wait(mv.cpu, 2000000))
			TEST_ERROR(t, "CPU %u does not do its work", mv.cpu);
		CHECK(t, mv.ok, "run %u on CPU %u", i, mv.cpu);
		EXPECT_EQ(t, m->v->gpr[VREG_R14], i);
		EXPECT_EQ(t, machine_read64(m, G_DATA + 8 * i), i);
		EXPECT_EQ(t, machine_get(m, VREG_DR3), 0x1234);
	}
}
