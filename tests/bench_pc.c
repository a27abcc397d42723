/* SPDX-License-Identifier: MIT */
/*
 * Measurements of the virtual PC: its devices, and how long an interrupt takes
 * from what causes it to its handler.  The guests are 64-bit code with an IDT,
 * one or two vCPUs that start side by side; see MEASURE_TO.
 */
#include "tests/bench.h"

#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "tests/guest_vm.h"
#include "tests/runner.h"

#define MIB		(1ULL << 20)
#define GRACE_US	1000000
#define PC_MEM		(16 * MIB)
#define PEER_CODE	(G_CODE + 0x1000)	/* of the second vCPU */
#define HANDLERS	(G_HANDLERS + PAGE_SIZE)
#define VEC_SAMPLE	0x40
#define VEC_REPLY	0x41
#define STUB_SIZE	0x100

/* In RSI: the registers of the local APIC. */
#define APIC		"mov $0xfee00000, %esi\n\t"
#define X2APIC		"mov $0x1b, %ecx; rdmsr; or $0x400, %eax; wrmsr\n\t"
/* LVT timer: vector 40h, one-shot and TSC deadline.  SDM3 11.5.4.1: MFENCE. */
#define ONE_SHOT	APIC "movl $0x40, 0x320(%rsi)\n\t"
#define DEADLINE	APIC "movl $0x40040, 0x320(%rsi); mfence\n\t"
#define SET_DEADLINE	"mov %rax, %rdx; shr $32, %rdx; mov $0x6e0, %ecx; wrmsr\n\t"

/* ESR: a register that no processor virtualizes, and that does nothing else. */
GUEST64(p_apic, PC_MEASURE(APIC "xor %ebx, %ebx", "", "mov %ebx, 0x280(%rsi)"));
GUEST64(p_x2apic, PC_MEASURE(X2APIC, "mov $0x828, %esi",
			     "mov %esi, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr"));
GUEST64(p_tmict, PC_MEASURE(ONE_SHOT, "", "movl $0xffffffff, 0x380(%rsi)"));
GUEST64(p_arm, PC_MEASURE(DEADLINE, B_TSC "bts $40, %rax; mov %rax, %rbx",
			  "mov %rbx, %rax\n\t" SET_DEADLINE));
/* IA32_TSC_ADJUST */
GUEST64(p_rdmsr, PC_MEASURE("", "", "mov $0x3b, %ecx; rdmsr"));
GUEST64(p_wrmsr, PC_MEASURE("", "", "mov $0x3b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr"));
/* ELCR of the first 8259A, LSR and THR of the UART. */
GUEST64(p_in, PC_MEASURE("", "mov $0x4d0, %esi", "mov %esi, %edx; in %dx, %al"));
GUEST64(p_lsr, PC_MEASURE("", "mov $0x3fd, %esi", "mov %esi, %edx; in %dx, %al"));
GUEST64(p_out, PC_MEASURE("", "mov $0x3f8, %esi", "mov $'.', %al; mov %esi, %edx; out %al, %dx"));
GUEST64(p_cr0, PC_MEASURE("", "", "mov %cr0, %rax; mov %rax, %rbx; btc $16, %rax\n\t"
			  "mov %rax, %cr0; mov %rbx, %cr0"));
GUEST64(p_cr4, PC_MEASURE("", "", "mov %cr4, %rax; mov %rax, %rbx; btc $7, %rax\n\t"
			  "mov %rax, %cr4; mov %rbx, %cr4"));

/*
 * ROUNDS times: cause, with R12 the TSC that counts as the beginning; wait until
 * the handler has left a sample and moved RDI.
 */
#define EVENTS(before, cause, wait)					\
	B_BEGIN before "\n"						\
	"1: mov %rdi, %rbx\n\t" cause "\n"				\
	"2: " wait "\n\t"						\
	"cmp %rdi, %rbx; je 2b; dec %ebp; jnz 1b\n\t" PC_END
#define NOW_IN_R12	B_TSC "mov %rax, %r12\n\t"
#define SLEEP		"sti; hlt; cli"
/*
 * Far enough that it is not yet there when the timer is set; no multiple of
 * what the host's own timers do where its TSC is slow.
 */
#define SOON		B_TSC "add $700000, %rax; mov %rax, %r12\n\t" SET_DEADLINE

GUEST64(p_self, EVENTS(APIC "sti", NOW_IN_R12 "movl $0x44040, 0x300(%rsi)", ""));
GUEST64(p_timer, EVENTS(DEADLINE "sti", SOON, ""));
GUEST64(p_wake, EVENTS(DEADLINE "cli", SOON, SLEEP));
GUEST64(p_ipi, EVENTS(APIC "movl $0x1000000, 0x310(%rsi)",
		      NOW_IN_R12 "movl $0x4041, 0x300(%rsi)", SLEEP));
GUEST64(p_sample, B_TSC "sub %r12, %rax; mov %rax, (%rdi); add $8, %rdi\n\t"
	"movl $0, 0xb0(%rsi); iretq");

/* The second vCPU sleeps and answers: an IPI to APIC id 0, then EOI. */
GUEST64(p_idle, APIC "1: sti; hlt; jmp 1b");
GUEST64(p_reply, "movl $0x4040, 0x300(%rsi); movl $0, 0xb0(%rsi); iretq");

static void start_vcpu(struct vcpu *v)
{
	struct vsegment idtr = { .base = G_IDT, .limit = 0xfff };

	machine_enter(v, MODE_LONG64);
	virt->set_seg(v, VSEG_IDTR, &idtr);
	v->rip = v->id ? PEER_CODE : G_CODE;
	v->gpr[VREG_RSP] -= v->id * PAGE_SIZE;
	v->mp_state = MP_RUNNABLE;
	/* SVR: enabled. */
	vlapic_mmio_write(v->apic, 0xf0, 4, 0x1ff);
}

struct guest_vm *bench_make_pc(struct test_ctx *t)
{
	const struct bench *b = bench_of(t);
	const struct guest_vm_config cfg = { .id = t->cpu, .mem = PC_MEM, .cpus = b->cpus,
					     .nested = b->nested };
	const char *why = "";
	struct guest_vm *g = guest_vm_new(t, &cfg, &why);

	if (!g)
		TEST_ERROR(t, "%s", why);
	machine_memory(&g->m);
	machine_code(&g->m, G_CODE, b->amd);
	machine_code(&g->m, PEER_CODE, &p_idle);
	machine_code(&g->m, HANDLERS, &p_sample);
	machine_code(&g->m, HANDLERS + STUB_SIZE, &p_reply);
	machine_gate(&g->m, VEC_SAMPLE, HANDLERS);
	machine_gate(&g->m, VEC_REPLY, HANDLERS + STUB_SIZE);
	for (u32 i = 0; i < b->cpus; i++)
		start_vcpu(g->m.vm.vcpu[i]);
	return g;
}

/* Those of before and behind the rounds are too few to count. */
static void print_exits(struct test_ctx *t, const struct vcpu *v)
{
	u64 exits = v->stat.reentries;

	for (u32 i = 0; i < EXIT_REASON_COUNT; i++)
		exits += i == EXIT_INTR ? 0 : v->stat.exits[i];
	exits /= ROUNDS;
	bench_print(t, &exits, 1, "exits");
}

void bench_run_pc(struct test_ctx *t, struct guest_vm *g)
{
	const struct bench *b = bench_of(t);
	u64 deadline = t->deadline ? t->deadline - MIN(t->deadline, us_to_tsc(GRACE_US)) : 0;
	struct vcpu *end;

	guest_vms_run_on(t, b->shared ? 1 : cpu_count, &g, 1, &deadline);
	guest_console_end(g->m.vm.id);
	end = g->m.vm.end;
	CHECK(t, end->stop == STOP_DONE, "ended with %s at rip 0x%llx%s%s",
	      stop_reason_name(end->stop), (unsigned long long)end->rip,
	      end->why[0] ? ": " : "", end->why);
	if (end->stop == STOP_DONE && b->exits)
		print_exits(t, end);
	else if (end->stop == STOP_DONE)
		bench_print_guest(t, &g->m);
}

static void bench_pc(struct test_ctx *t)
{
	bench_run_pc(t, bench_make_pc(t));
}

#define PC_BENCH(id_, code, cpus_, needs_, ...)					\
	{ BENCH_TEST(id_, bench_pc, NEED_VIRT | (needs_)), .amd = code, .cpus = cpus_, __VA_ARGS__ }

/* clang-format off */
static const struct bench benches_pc[] SECTION_ENTRY(bench) = {
	PC_BENCH("l1_rdmsr",        &p_rdmsr,  1, 0),
	PC_BENCH("l1_wrmsr",        &p_wrmsr,  1, 0),
	PC_BENCH("l1_cr0_wp",       &p_cr0,    1, 0),
	PC_BENCH("l1_cr4_pge",      &p_cr4,    1, 0),
	PC_BENCH("l1_port_in",      &p_in,     1, 0),
	PC_BENCH("l1_serial_in",    &p_lsr,    1, 0),
	PC_BENCH("l1_serial_out",   &p_out,    1, 0),
	PC_BENCH("l1_apic_write",   &p_apic,   1, 0),
	PC_BENCH("l1_apic_timer",   &p_tmict,  1, 0),
	PC_BENCH("l1_x2apic_write", &p_x2apic, 1, 0),
	PC_BENCH("l1_tsc_deadline", &p_arm,    1, 0),
	PC_BENCH("l1_self_ipi",     &p_self,   1, 0),
	PC_BENCH("l1_timer",        &p_timer,  1, 0),
	PC_BENCH("l1_hlt_wake",     &p_wake,   1, 0),
	PC_BENCH("l1_ipi",          &p_ipi,    2, NEED_SMP),
	PC_BENCH("l1_ipi_shared",   &p_ipi,    2, 0, .shared = true),
};
/* clang-format on */
