// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_smp, .nested = "svm", .cpus = "2", .timeout = "60000",
	.ref = "APM2 15.13.4, 15.21.8, 15.5.1, 15.30.1",
	.desc = "L2 on two CPUs, a VMCB that changes while VMRUN reads it, INIT that ends L2");

#define ROUNDS	1000

/* What each CPU has of its own. */
static struct cpu {
	struct l2 l2;
	u8 hsave[0x1000] __attribute__((aligned(4096)));
	u8 host[0x1000] __attribute__((aligned(4096)));
	volatile u32 rounds;
} cpus[2];

static volatile bool stop;

L2_CODE(cpuid, "", "cpuid");
L2_CODE(spin, "", "1: pause; jmp 1b");

static struct cpu *enable(void)
{
	struct cpu *c = &cpus[rt_this_cpu()->index];

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (ulong)c->hsave);
	return c;
}

static void run(struct cpu *c, const struct l2_code *code)
{
	l2_goto(&c->l2, NULL);
	c->l2.c.rip = code->at;
	c->l2.c.exitcode = EXIT_POISON;
	__asm__ volatile("clgi" : : : "memory");
	svm_enter_on(&c->l2.c, &c->l2.regs, c->host);
	__asm__ volatile("stgi" : : : "memory");
}

static void init_both(void)
{
	for (u32 i = 0; i < 2; i++) {
		l2_init(&cpus[i].l2, NULL);
		L2_INTERCEPT(&cpus[i].l2, vec3, VEC3_CPUID, true);
		cpus[i].rounds = 0;
	}
}

static void run_many(void *arg)
{
	struct cpu *c = enable();
	u64 mark = rt_this_cpu()->index + 0x77;
	bool ok = true;

	for (; c->rounds < ROUNDS && ok; c->rounds++) {
		c->l2.regs.rbx = mark;
		run(c, &l2_cpuid);
		ok = c->l2.c.exitcode == EXIT_CPUID && c->l2.c.rip == l2_cpuid.at &&
		     c->l2.regs.rbx == mark;
	}
}

static void check_both(const char *name)
{
	init_both();
	rt_check(rt_smp_all(2, run_many, NULL), name, "a CPU is lost");
	for (u32 i = 0; i < 2; i++)
		rt_check(cpus[i].rounds == ROUNDS, "its rounds", "CPU %u: %u, exit %llx", i,
			 cpus[i].rounds, cpus[i].l2.c.exitcode);
}

/* Breaks CPU 0's VMCB and mends it, member by member, as fast as it can. */
static void disturb(void *arg)
{
	volatile struct vmcb *c = &cpus[0].l2.c;
	u64 efer = c->efer, cr0 = c->cr0, cr4 = c->cr4, msrpm = c->msrpm_base_pa;

	while (!stop) {
		c->guest_asid = 0;
		c->guest_asid = 1;
		c->efer = 0;
		c->efer = efer;
		c->cr0 = cr0 | CR0_NW;
		c->cr0 = cr0;
		c->cr4 = ~0ULL;
		c->cr4 = cr4;
		c->intercept_vec4 = 0;
		c->intercept_vec4 = 1u << VEC4_VMRUN | 1u << VEC4_VMMCALL;
		c->msrpm_base_pa = ~0ULL;
		c->msrpm_base_pa = msrpm;
		c->dr7 = BIT64(63);
		c->dr7 = 0x400;
		c->eventinj = 0x80000000 | 0x700;
		c->eventinj = 0;
	}
}

/* Each VMRUN sees the good or the bad value: it enters or is refused, no more. */
static void check_race(void)
{
	struct cpu *c = enable();
	const struct vmcb_seg cs = c->l2.c.cs;
	const u64 cr3 = c->l2.c.cr3;
	u32 entered = 0, refused = 0;
	bool ok = true;

	stop = false;
	rt_smp_call(1, disturb, NULL);
	for (u32 i = 0; i < 4 * ROUNDS && ok; i++) {
		c->l2.c.cr3 = cr3;
		c->l2.c.cs = cs;
		c->l2.c.rflags = 2;
		run(c, &l2_cpuid);
		entered += c->l2.c.exitcode == EXIT_CPUID;
		refused += (u32)c->l2.c.exitcode == 0xffffffff;
		ok = rt_quiet(entered + refused == i + 1, "race", "exit %llx info %llx at %llx",
			      c->l2.c.exitcode, c->l2.c.exitinfo1, c->l2.c.rip);
	}
	stop = true;
	rt_check(rt_smp_wait(1), "the other CPU ends", " ");
	rt_check(ok, "a VMCB that changes", "%u entered, %u refused", entered, refused);
	if (!refused || !entered)
		rt_note("the CPUs never met");
}

static void run_spin(void *arg)
{
	run(enable(), &l2_spin);
}

/* L2 runs on CPU 1, which gets an INIT. */
static void send_init(bool intercept)
{
	struct vmcb *c = &cpus[1].l2.c;

	init_both();
	L2_INTERCEPT(&cpus[1].l2, vec3, VEC3_INIT, intercept);
	rt_smp_call(1, run_spin, NULL);
	rt_check(RT_WAIT(*(volatile u64 *)&c->exitcode == EXIT_POISON), "L2 runs", " ");
	for (u32 i = 0; i < 10000; i++)
		cpu_pause();
	apic_ipi(rt_cpus[1].apic_id, APIC_ASSERT | APIC_DM_INIT);
}

static void check_init(void)
{
	send_init(true);
	rt_check(RT_WAIT(*(volatile u64 *)&cpus[1].l2.c.exitcode == EXIT_INIT), "INIT ends L2",
		 "exit %llx", cpus[1].l2.c.exitcode);
	/* INIT is still pending, and until L1's STGI a SIPI is lost (APM2 15.17). */
	rt_check(rt_smp_restart_late(1), "CPU 1 comes up again", " ");
	check_both("L2 on it");
	send_init(false);
	rt_check(rt_smp_restart(1), "INIT that is not intercepted", "CPU 1 is lost");
	rt_check(cpus[1].l2.c.exitcode == EXIT_POISON, "makes no exit", "%llx",
		 cpus[1].l2.c.exitcode);
	check_both("L2 on it");
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	if (!rt_check(rt_smp_start(2) == 2, "a second CPU", " "))
		return rt_result();
	check_both("both CPUs at once");
	init_both();
	check_race();
	check_init();
	return rt_result();
}
