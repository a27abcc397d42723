// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(exc64, .ref = "APM2 8.2, SDM3 6.15",
	.desc = "each exception of 64-bit mode: vector, error code, CR2, saved RIP");

#define RFLAGS_RF	0x10000ul
#define FAR_AWAY	0x8000000000ul	/* canonical, beyond the identity map */

#define TCG_IDT	"QEMU 7.2 seg_helper.c do_interrupt64: the error code is intno * 16 + 2"
#define TCG_SSE	"QEMU 7.2 fpu_helper.c: no SIMD exceptions, no check of MXCSR"

static const ulong non_canonical = 0x0000800000000000;

/*
 * An exception whose error code names an IDT entry.  EXT is set for an earlier
 * exception by SDM3 6.13, for what is external only by APM2 8.4.1.
 */
static void expect_idt(const char *name, int got, int vec, u32 error)
{
	if (rt_check(got == vec, name, "vector %d, not %d", got, vec))
		rt_known(rt.tcg, rt_fault.error == error ||
			 (rt.vendor == RT_AMD && rt_fault.error == (error & ~1u)), name, TCG_IDT);
}

/* Faults save the RIP of their instruction (APM2 8.1.3). */
#define FAULTS_AT(name, vec, err, insn, ...) do {				\
	ulong at;								\
	int got = RT_TRY("lea 1f(%%rip), %0\n\t1: " insn, __VA_ARGS__);	\
										\
	if (rt_expect(name, got, vec, err))					\
		rt_quiet(rt_fault.ip == at, name, "rip %lx, not %lx", rt_fault.ip, at); \
} while (0)

static void check_faults(void)
{
	FAULTS_AT("#DE by DIV", VEC_DE, -1, "divl %1",
		  : "=&r"(at) : "r"(0), "a"(1), "d"(0) : "cc");
	FAULTS_AT("#DE by IDIV overflow", VEC_DE, -1, "idivl %1",
		  : "=&r"(at) : "r"(-1), "a"(0x80000000), "d"(-1) : "cc");
	FAULTS_AT("#UD by UD2", VEC_UD, -1, "ud2", : "=&r"(at));
	FAULTS_AT("#UD by PUSH CS", VEC_UD, -1, ".byte 0x0e", : "=&r"(at));
	FAULTS_AT("#UD by LOCK of a register", VEC_UD, -1, ".byte 0xf0, 0x01, 0xc0", : "=&r"(at));
	FAULTS_AT("#GP by a non-canonical read", VEC_GP, 0, "mov (%1), %1",
		  : "=&r"(at) : "r"(non_canonical));
}

/* APM2 3.1.6, SDM3 18.3.1.1: RF is saved set, a breakpoint there does not hit again. */
static void check_resume_flag(const struct rt_info *info)
{
	rt_known(rt.tcg, RT_TRY("ud2", : :) == VEC_UD && rt_fault.flags & RFLAGS_RF,
		 "RF of #UD", "QEMU 7.2 seg_helper.c do_interrupt64 pushes it as it is");
	if (!info->nestbed)
		return;
	/* One that the hypervisor injects. */
	rt_expect("#GP by an unknown MSR",
		  RT_TRY("rdmsr", : : "c"(0x3fffffff) : "rax", "rdx"), VEC_GP, 0);
	rt_check(rt_fault.flags & RFLAGS_RF, "RF of #GP by an unknown MSR", "%lx", rt_fault.flags);
}

static void do_stack_read(void *arg)
{
	__asm__ volatile("mov %0, %%rbp; mov (%%rbp), %%eax" : : "r"(non_canonical) : "rax");
}

static void check_page_fault(void)
{
	ulong at;
	int got = RT_TRY("lea 1f(%%rip), %0\n1: mov (%1), %%eax",
			 : "=&r"(at) : "r"(FAR_AWAY + 0x123) : "rax");

	rt_expect("#PF on a read", got, VEC_PF, 0);
	rt_check(rt_fault.cr2 == FAR_AWAY + 0x123, "CR2 is the address", "%lx", rt_fault.cr2);
	rt_check(rt_fault.ip == at, "RIP of a page fault", "%lx, not %lx", rt_fault.ip, at);
	got = RT_TRY("movb $1, (%0)", : : "r"(FAR_AWAY + 0xfff) : "memory");
	rt_expect("#PF on a write", got, VEC_PF, 2);
	rt_check(rt_fault.cr2 == FAR_AWAY + 0xfff, "CR2 of the write", "%lx", rt_fault.cr2);
}

static volatile ulong trap_ip;
static volatile u32 trap_count;

static bool on_trap(struct rt_regs *r)
{
	trap_ip = r->ip;
	trap_count++;
	return true;
}

/* Traps save the RIP behind their instruction. */
static void check_traps(void)
{
	ulong after;

	rt_set_handler(VEC_BP, on_trap);
	rt_set_handler(VEC_OF, on_trap);
	rt_set_handler(0x2f, on_trap);
	__asm__ volatile("lea 1f(%%rip), %0; int3; 1:" : "=&r"(after) : : "memory");
	rt_check(trap_count == 1 && trap_ip == after, "INT3", "%u, %lx", trap_count, trap_ip);
	__asm__ volatile("lea 1f(%%rip), %0; .byte 0xcd, 3; 1:" : "=&r"(after) : : "memory");
	rt_check(trap_count == 2 && trap_ip == after, "INT 3", "%u, %lx", trap_count, trap_ip);
	__asm__ volatile("lea 1f(%%rip), %0; int $4; 1:" : "=&r"(after) : : "memory");
	rt_check(trap_count == 3 && trap_ip == after, "INT 4", "%u, %lx", trap_count, trap_ip);
	__asm__ volatile("lea 1f(%%rip), %0; int $0x2f; 1:" : "=&r"(after) : : "memory");
	rt_check(trap_count == 4 && trap_ip == after, "INT 2Fh", "%u, %lx", trap_count, trap_ip);
	FAULTS_AT("INTO is #UD", VEC_UD, -1, ".byte 0xce", : "=&r"(at));
}

static void check_selectors(void)
{
	rt_gdt[SEL_FREE / 8] = rt_desc(0, 0xfffff, 0x13, 0xc);		/* not present */
	rt_gdt[SEL_FREE / 8 + 1] = rt_desc(0, 0xfffff, 0x99, 0xa);	/* execute only */
	FAULTS_AT("#NP by DS", VEC_NP, SEL_FREE, "mov %1, %%ds", : "=&r"(at) : "r"(SEL_FREE));
	FAULTS_AT("#SS by SS", VEC_SS, SEL_FREE, "mov %1, %%ss", : "=&r"(at) : "r"(SEL_FREE));
	FAULTS_AT("#GP by DS execute-only", VEC_GP, SEL_FREE + 8, "mov %1, %%ds",
		  : "=&r"(at) : "r"(SEL_FREE + 8));
	FAULTS_AT("#GP by a selector beyond the GDT", VEC_GP, 0x7f8, "mov %1, %%es",
		  : "=&r"(at) : "r"(0x7fb));
	/* SDM2 MOV: a null SS must have RPL = CPL. */
	rt_known(rt.tcg, RT_TRY("mov %0, %%ss", : : "r"(3) : "memory") == VEC_GP,
		 "#GP by a null SS with RPL 3",
		 "QEMU 7.2 seg_helper.c helper_load_seg does not compare RPL and CPL");
	write_ss(SEL_DATA);
	FAULTS_AT("#GP by LTR of no TSS", VEC_GP, SEL_DATA, "ltr %w1",
		  : "=&r"(at) : "r"(SEL_DATA));
}

static void user_int(void *arg)
{
	__asm__ volatile("int $0x2f");
}

static void user_hlt(void *arg)
{
	__asm__ volatile("hlt");
}

static void user_unaligned(void *arg)
{
	__asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq; mov 1(%0), %%eax"
			 : : "r"(arg) : "rax", "memory");
}

static void user_fault(void *arg)
{
	*(volatile u32 *)FAR_AWAY = 1;
}

static void check_user(void)
{
	static u64 cell[2];

	rt_set_handler(0x2f, NULL);
	expect_idt("INT to a DPL 0 gate from ring 3", rt_try_user(user_int, NULL), VEC_GP,
		   0x2f * 8 + 2);
	rt_check((rt_fault.cs & 3) == 3, "saved CS is ring 3", "%x", rt_fault.cs);
	rt_expect("HLT in ring 3", rt_try_user(user_hlt, NULL), VEC_GP, 0);
	rt_expect("#PF of ring 3", rt_try_user(user_fault, NULL), VEC_PF, 6);
	write_cr0(read_cr0() | CR0_AM);
	rt_known(rt.tcg, rt_try_user(user_unaligned, cell) == VEC_AC, "#AC",
		 "QEMU 7.2 target/i386/tcg raises EXCP11_ALGN nowhere");
	write_cr0(read_cr0() & ~CR0_AM);
	rt_expect("no #AC without CR0.AM", rt_try_user(user_unaligned, cell), VEC_NONE, -1);
}

static void check_numeric(void)
{
	static const u16 fcw_unmasked = 0x037b;		/* ZM clear */
	static const u32 mxcsr_unmasked = 0x1d80, mxcsr_init = 0x1f80,
			 mxcsr_bad = ~0u;
	static const float one[4] __attribute__((aligned(16))) = { 1, 1, 1, 1 };

	/* #MF comes at the next waiting instruction. */
	rt_expect("#MF", RT_TRY("fninit; fldcw %0; fldz; fld1; fdivp; fwait",
				: : "m"(fcw_unmasked) : "memory"), VEC_MF, -1);
	__asm__ volatile("fninit");
	rt_known(rt.tcg, RT_TRY("ldmxcsr %0; xorps %%xmm1, %%xmm1; movaps %1, %%xmm0;"
				"divps %%xmm1, %%xmm0",
				: : "m"(mxcsr_unmasked), "m"(one) : "memory") == VEC_XM,
		 "#XM", TCG_SSE);
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr_init));
	/* Without the fault: what no CPU can hold must not meet a save of the machine. */
	rt_known(rt.tcg, RT_TRY("ldmxcsr %0; ldmxcsr %1", : : "m"(mxcsr_bad), "m"(mxcsr_init)
				: "memory") == VEC_GP,
		 "#GP by reserved bits of MXCSR", TCG_SSE);
}

/* A gate that is not present: #NP with the gate's number and IDT. */
static void check_gates(void)
{
	u8 saved[16];

	memcpy(saved, rt_idt + 0x30 * 16, 16);
	rt_idt[0x30 * 16 + 5] &= 0x7f;
	expect_idt("#NP by a gate", RT_TRY("int $0x30", : : : "memory"), VEC_NP, 0x30 * 8 + 2);
	memcpy(rt_idt + 0x30 * 16, saved, 16);
	rt_idt[0x30 * 16 + 2] = SEL_DATA;
	rt_expect("#GP by a gate to a data segment", RT_TRY("int $0x30", : : : "memory"),
		  VEC_GP, SEL_DATA);
	memcpy(rt_idt + 0x30 * 16, saved, 16);
}

/*
 * Contributory on contributory is #DF (APM2 8.2.9, SDM3 table 6-5): a #GP
 * whose gate is not present.
 */
static void check_double(void)
{
	rt_idt[VEC_GP * 16 + 5] &= 0x7f;
	rt_expect("#DF", RT_TRY("mov (%0), %%eax", : : "r"(non_canonical) : "rax"), VEC_DF, 0);
	rt_idt[VEC_GP * 16 + 5] |= 0x80;
	rt_idt[VEC_PF * 16 + 5] &= 0x7f;
	rt_expect("#DF by #NP in #PF", RT_TRY("mov (%0), %%eax", : : "r"(FAR_AWAY) : "rax"),
		  VEC_DF, 0);
	rt_idt[VEC_PF * 16 + 5] |= 0x80;
	/* Benign first: #UD whose gate is not present is a plain #NP. */
	rt_idt[VEC_UD * 16 + 5] &= 0x7f;
	expect_idt("#NP in #UD", RT_TRY("ud2", : : : "memory"), VEC_NP, VEC_UD * 8 + 2 + 1);
	rt_idt[VEC_UD * 16 + 5] |= 0x80;
}

int main(struct rt_info *info)
{
	check_faults();
	check_resume_flag(info);
	rt_known(rt.tcg, rt_try(do_stack_read, NULL) == VEC_SS, "#SS by a non-canonical RBP",
		 "QEMU 7.2 excp_helper.c get_physical_address raises #GP for any segment");
	check_page_fault();
	check_traps();
	check_selectors();
	check_user();
	check_numeric();
	check_gates();
	check_double();
	return rt_result();
}
