// SPDX-License-Identifier: MIT
/*
 * L1 and L2 in stages.  Each ends with an exit that L0 handles alone: with
 * migrate=1 the machine is saved, destroyed and restored there, and everything
 * that the next stage needs has to have come along.
 */
#include "tests/guests/rt/apic.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_state, .nested = "svm", .ref = "KVM_GET_NESTED_STATE; APM2 15.5, 15.6, 15.20",
	.desc = "what a nested hypervisor's machine must not lose when it is saved at any exit",
	.timeout = "60000");

#define VEC_L2		0x51
#define VEC_SELF	0x52
#define PORT		0x80
#define TSC_AHEAD	(1ULL << 44)

static struct l2 l2;
static const char *why_not;
static volatile u32 hits;
static volatile bool in_order;

/* The end of a stage. */
static void stage(void)
{
	cpuid(0x80000000);
}

/* Registers of L2, through exits that are L0's. */
static void registers(void)
{
	__asm__ volatile("mov $0x80000000, %%eax; cpuid; mov $0x1111, %%eax; mov $0x2222, %%ebx\n"
			 "mov $0x3333, %%ecx; mov $0x4444, %%edx; vmmcall\n"
			 "mov $0x80000000, %%eax; cpuid; not %%rsi; not %%rdi; not %%rbp\n"
			 "not %%r8; not %%r15; vmmcall" : : : "memory");
	__builtin_unreachable();
}

static void check_registers(void)
{
	const u64 pattern = 0x0123456789abcdef;
	u64 *r = (u64 *)&l2.regs;

	l2_init(&l2, registers);
	for (unsigned int i = 0; i < sizeof(l2.regs) / 8; i++)
		r[i] = pattern * (i + 1);
	svm_run(&l2);
	stage();
	l2_expect("first VMMCALL", &l2, EXIT_VMMCALL);
	rt_check(l2.c.rax == 0x1111 && l2.regs.rbx == 0x2222 && l2.regs.rcx == 0x3333 &&
		 l2.regs.rdx == 0x4444, "RAX to RDX", "%llx %llx %llx %llx", l2.c.rax, l2.regs.rbx,
		 l2.regs.rcx, l2.regs.rdx);
	l2.c.rip += 3;
	svm_run(&l2);
	l2_expect("second VMMCALL", &l2, EXIT_VMMCALL);
	rt_check(l2.regs.rbp == ~(pattern * 4) && l2.regs.rsi == ~(pattern * 5) &&
		 l2.regs.rdi == ~(pattern * 6) && l2.regs.r8 == ~(pattern * 7) &&
		 l2.regs.r9 == pattern * 8 && l2.regs.r15 == ~(pattern * 14), "the others",
		 "%llx %llx %llx", l2.regs.rbp, l2.regs.r8, l2.regs.r15);
}

/* What L1 and L2 each have of their own. */
static void change(void)
{
	write_cr2(0x2222);
	stage();
	write_dr7(0x455);
	stage();
	write_cr4(read_cr4() | CR4_TSD);
	stage();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) ^ EFER_SCE);
	stage();
	wrmsr(MSR_FS_BASE, 0x12345000);
	wrmsr(MSR_STAR, 0x0030002000000000);
	stage();
	write_ds(SEL_DATA16);
	stage();
	write_ds(SEL_DATA);
	in_order = read_cr2() == 0x2222 && read_dr7() == 0x455 && read_cr4() & CR4_TSD &&
		   rdmsr(MSR_FS_BASE) == 0x12345000;
}

static void check_own(void)
{
	u64 efer = rdmsr(MSR_EFER), cr3 = read_cr3(), cr4 = read_cr4();
	u64 fs = rdmsr(MSR_FS_BASE), star;

	wrmsr(MSR_STAR, 0x0018000800000000);
	star = rdmsr(MSR_STAR);
	in_order = false;
	l2_init(&l2, change);
	svm_run(&l2);
	stage();
	l2_expect("VMMCALL behind changes", &l2, EXIT_VMMCALL);
	rt_check(in_order, "L2 reads back what it wrote", "cr2 %llx dr7 %llx cr4 %llx", l2.c.cr2,
		 l2.c.dr7, l2.c.cr4);
	rt_check(l2.c.efer == (efer ^ EFER_SCE) && l2.c.cr4 == (cr4 | CR4_TSD) &&
		 l2.c.fs.base == 0x12345000 && l2.c.star == 0x0030002000000000, "and L1 finds it",
		 "efer %llx cr4 %llx fs %llx star %llx", l2.c.efer, l2.c.cr4, l2.c.fs.base,
		 l2.c.star);
	rt_check(rdmsr(MSR_EFER) == efer && read_cr4() == cr4 && rdmsr(MSR_FS_BASE) == fs &&
		 rdmsr(MSR_STAR) == star && read_cr3() == cr3, "L1 has its own",
		 "%llx %llx %llx %llx",
		 rdmsr(MSR_EFER), (u64)read_cr4(), rdmsr(MSR_FS_BASE), rdmsr(MSR_STAR));
}

static void take_self(unsigned int vector)
{
	hits++;
	stage();
	apic_eoi();
}

/* MSRs of the extension, GIF, and an L1 that is saved while it is clear. */
static void check_l1(void)
{
	rt_check(rdmsr(MSR_VM_HSAVE_PA) == (ulong)svm_hsave, "VM_HSAVE_PA", "%llx",
		 rdmsr(MSR_VM_HSAVE_PA));
	hits = 0;
	__asm__ volatile("clgi; sti" : : : "memory");
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC_SELF);
	stage();
	stage();
	rt_check(!hits, "GIF is clear over an exit", "%u interrupts", hits);
	__asm__ volatile("stgi" : : : "memory");
	rt_check(RT_WAIT(hits == 1), "and set again", "%u interrupts", hits);
	__asm__ volatile("cli" : : : "memory");
}

/* L1's intercepts: none of them may be lost, none may be new. */
static void accesses(void)
{
	for (;;) {
		stage();
		(void)rdmsr(MSR_KERNEL_GS_BASE);
		stage();
		(void)rdmsr(MSR_STAR);
		stage();
		outb(PORT + 1, 0);
		stage();
		outb(PORT, 0);
	}
}

static void check_maps(void)
{
	l2_init(&l2, accesses);
	L2_INTERCEPT(&l2, vec3, VEC3_MSR, true);
	L2_INTERCEPT(&l2, vec3, VEC3_IOIO, true);
	svm_msr_bit(MSR_STAR, false, true);
	svm_io_bit(PORT, true);
	for (u32 i = 0; i < 4; i++) {
		svm_run(&l2);
		if (!l2_expect_quiet("RDMSR STAR", &l2, EXIT_MSR))
			break;
		rt_quiet((u32)l2.regs.rcx == MSR_STAR, "its MSR", "%llx", l2.regs.rcx);
		l2.c.rip += 2;
		svm_run(&l2);
		if (!l2_expect_quiet("OUT", &l2, EXIT_IOIO))
			break;
		rt_quiet(l2.c.exitinfo1 >> 16 == PORT, "its port", "%llx", l2.c.exitinfo1);
		l2.c.rip = l2.c.exitinfo2;
	}
	rt_check(l2.c.exitcode == EXIT_IOIO, "permission maps", " ");
}

/* EVENTINJ: exactly once, whatever is between VMRUN and the first instruction. */
static void take(unsigned int vector)
{
	hits++;
	stage();
}

static bool take_ud(struct rt_regs *r)
{
	hits++;
	stage();
	return true;
}

static void injected(void)
{
	stage();
	in_order = hits == 1;
}

L2_CODE(soft, "", "int $0x51");

static void check_injection(void)
{
	bool ok = true;

	rt_set_handler(VEC_UD, take_ud);
	for (u32 i = 0; i < 8 && ok; i++) {
		hits = 0;
		l2_init(&l2, injected);
		l2.c.eventinj = (i & 1 ? EVENT_INTR : EVENT_EXCEPTION) | (i & 1 ? VEC_L2 : VEC_UD);
		svm_run(&l2);
		ok = l2_expect_quiet("VMMCALL", &l2, EXIT_VMMCALL) &&
		     rt_quiet(hits == 1 && in_order, "EVENTINJ", "%u times", hits) &&
		     rt_quiet(!l2.c.eventinj, "EVENTINJ afterwards", "%llx", l2.c.eventinj);
	}
	rt_check(ok, "interrupts and exceptions that L1 injects", " ");
	rt_set_handler(VEC_UD, NULL);
	hits = 0;
	l2_init(&l2, NULL);
	l2.c.eventinj = EVENT_SOFT_INT | VEC_L2;
	l2.c.nrip = l2_soft.next;
	l2.c.rip = l2_soft.at;
	svm_run(&l2);
	l2_expect("VMMCALL behind INT n", &l2, EXIT_VMMCALL);
	rt_known(svm_known(KNOWN_TCG_BARE | KNOWN_BOCHS_BARE),
		 hits == 1 && l2.c.rip == l2_soft.next, "INT n that L1 injects",
		 "without next RIP the CPU pushes RIP, not nRIP");
}

/* V_IRQ waits until L2 opens, through exits that are L0's. */
static void opens(void)
{
	stage();
	in_order = hits == 0;
	stage();
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	stage();
}

static void check_virq(void)
{
	hits = 0;
	l2_init(&l2, opens);
	l2.c.int_ctl = V_INTR_MASKING | V_IRQ | V_IGN_TPR;
	l2.c.int_vector = VEC_L2;
	svm_run(&l2);
	stage();
	l2_expect("VMMCALL", &l2, EXIT_VMMCALL);
	rt_check(hits == 1 && in_order, "V_IRQ is delivered once", "%u", hits);
	rt_check(!(l2.c.int_ctl & V_IRQ), "and gone", "%x", l2.c.int_ctl);
}

/* An interrupt of L1's ends L2: L1 has it once GIF is set. */
static void spin(void)
{
	for (;;)
		stage();
}

static void check_intr(void)
{
	hits = 0;
	l2_init(&l2, spin);
	l2.c.int_ctl = V_INTR_MASKING;
	L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
	__asm__ volatile("clgi; sti" : : : "memory");
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC_SELF);
	svm_enter(&l2.c, &l2.regs);
	stage();
	l2_expect("INTR", &l2, EXIT_INTR);
	rt_check(!hits, "not before STGI", "%u", hits);
	__asm__ volatile("stgi" : : : "memory");
	rt_check(RT_WAIT(hits == 1), "then once", "%u", hits);
	__asm__ volatile("cli" : : : "memory");
}

/* L2 runs ahead of L1 in time, also when it comes from a saved state. */
static volatile u64 times[4];

static void read_time(void)
{
	for (u32 i = 0; i < ARRAY_LEN(times); i++) {
		times[i] = rdtsc();
		stage();
	}
}

static void check_tsc(const char *name, u32 half)
{
	u64 before = rdtsc() >> half, after;
	bool ok = true;

	l2_init(&l2, read_time);
	l2.c.tsc_offset = TSC_AHEAD;
	svm_run(&l2);
	after = rdtsc() >> half;
	l2_expect("VMMCALL", &l2, EXIT_VMMCALL);
	for (u32 i = 0; i < ARRAY_LEN(times); i++)
		ok &= times[i] > before + TSC_AHEAD && times[i] < after + TSC_AHEAD;
	rt_check(ok, name, "%llx %llx %llx", before, times[0], after);
}

static void check_tsc_ratio(void)
{
	if (!svm_has(SVM_TSC_RATE))
		return;
	wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE / 2);
	check_tsc("TSC ratio", 1);
	rt_check(rdmsr(MSR_TSC_RATIO) == TSC_RATIO_ONE / 2, "TSC_RATIO", "%llx",
		 rdmsr(MSR_TSC_RATIO));
	wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE);
}

/* Nested paging: the tables are found again, with what L1 changed since. */
static u8 page[4096] __attribute__((aligned(4096)));

static void touch(void)
{
	for (;;) {
		stage();
		page[0]++;
		stage();
		__asm__ volatile("vmmcall" : : : "memory");
	}
}

static void check_npt(void)
{
	volatile u64 *e;

	if (!svm_has(SVM_NP))
		return;
	npt_init();
	l2_init(&l2, touch);
	npt_use(&l2);
	page[0] = 0;
	svm_run(&l2);
	l2_expect("with nested paging", &l2, EXIT_VMMCALL);
	e = npt_entry((ulong)page, NPT_4K);
	*e &= ~NPT_W;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	l2.c.rip += 3;
	svm_run(&l2);
	stage();
	l2_expect("no right to write", &l2, EXIT_NPF);
	rt_check((l2.c.exitinfo1 & ~NPF_FINAL) == (NPF_P | NPF_W | NPF_U) &&
		 l2.c.exitinfo2 == (ulong)page, "its information", "%llx %llx", l2.c.exitinfo1,
		 l2.c.exitinfo2);
	*e |= NPT_W;
	svm_run(&l2);
	l2_expect("with the right", &l2, EXIT_VMMCALL);
	rt_check(page[0] == 2, "both writes", "%u", page[0]);
}

int main(struct rt_info *info)
{
	if (!svm_enable(&why_not))
		return rt_skip(why_not);
	apic_enable();
	rt_irq(VEC_L2, take);
	rt_irq(VEC_SELF, take_self);
	check_registers();
	check_own();
	check_l1();
	check_maps();
	check_injection();
	check_virq();
	check_intr();
	check_tsc("TSC_OFFSET", 0);
	check_tsc_ratio();
	check_npt();
	return rt_result();
}
