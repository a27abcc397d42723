// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(syscall, .ref = "APM2 6.1, SDM3 5.8.8",
	.desc = "SYSCALL and SYSRET, SYSENTER and SYSEXIT, to ring 3 and back");

/*
 * Segment bases for STAR and SYSENTER_CS.  Kernel: 08h, 10h.  SYSRET adds 16
 * and 8 to 33h: 43h code, 3Bh stack.  SYSENTER wants four entries in a row,
 * SYSEXIT to 64-bit mode adds 32 and 40.
 */
#define STAR_USER	0x33ull
#define SEL_SYSENTER	0x60


/* Where SYSCALL lands: notes what it finds, goes back with SYSRET. */
__asm__(".pushsection .text\n"
	"syscall_entry:\n"
	"mov %rcx, sc_rcx(%rip); mov %r11, sc_r11(%rip)\n"
	"mov %rsp, sc_sp(%rip)\n"
	"mov $rt_trap_stack_top, %rsp\n"
	"pushfq; pop sc_flags(%rip)\n"
	"mov %cs, sc_cs(%rip); mov %ss, sc_ss(%rip)\n"
	"push %rax; push %rbx; push %rcx; push %rdx; xor %eax, %eax; cpuid\n"
	"pop %rdx; pop %rcx; pop %rbx; pop %rax\n"
	"mov sc_sp(%rip), %rsp\n"
	"sysretq\n"
	"sysenter_entry:\n"
	"mov %rsp, sc_sp(%rip)\n"
	"pushfq; pop sc_flags(%rip)\n"
	"mov %cs, sc_cs(%rip); mov %ss, sc_ss(%rip)\n"
	"push %rcx; push %rdx; xor %eax, %eax; push %rbx; cpuid; pop %rbx\n"
	"pop %rdx; pop %rcx\n"
	"rex.w sysexit\n"
	".popsection\n");
u64 sc_rcx, sc_r11, sc_flags, sc_sp;
u16 sc_cs, sc_ss;
extern char syscall_entry[], sysenter_entry[], rt_trap_stack_top[];

struct result {
	u64 after, flags, rbx;
	u16 cs, ss;
};

static void user_syscall(void *arg)
{
	struct result *r = arg;

	__asm__ volatile("mov $0x1234567, %%ebx; stc\n"
			 "lea 1f(%%rip), %0\n"
			 "syscall\n"
			 "1: pushfq; pop %1; mov %%cs, %2; mov %%ss, %3; mov %%rbx, %4"
			 : "=&r"(r->after), "=&r"(r->flags), "=&r"(r->cs), "=&r"(r->ss),
			   "=&r"(r->rbx)
			 : : "rcx", "r11", "rbx", "memory", "cc");
}

static void check_syscall(void)
{
	struct result r = { 0 };

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, STAR_USER << 48 | (u64)SEL_CODE << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_SFMASK, FL_CF);
	rt_expect("SYSCALL and SYSRET", rt_try_user(user_syscall, &r), VEC_NONE, -1);
	rt_check(sc_rcx == r.after, "RCX is the return address", "%llx, not %llx", sc_rcx,
		 r.after);
	rt_check(sc_r11 & FL_CF, "R11 has the flags", "%llx", sc_r11);
	rt_check(!(sc_flags & FL_CF), "SFMASK clears flags", "%llx", sc_flags);
	rt_check(sc_cs == SEL_CODE && sc_ss == SEL_DATA, "kernel selectors", "%x %x", sc_cs,
		 sc_ss);
	rt_check(r.cs == SEL_UCODE && r.ss == SEL_UDATA, "user selectors", "%x %x", r.cs, r.ss);
	rt_check(r.flags & FL_CF, "SYSRET restores the flags", "%llx", r.flags);
	rt_check(r.rbx == 0x1234567, "other registers are left", "%llx", r.rbx);
}

static void check_disabled(void)
{
	struct result r;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);
	rt_expect("SYSCALL without EFER.SCE", rt_try_user(user_syscall, &r), VEC_UD, -1);
	rt_expect("SYSRET without EFER.SCE", RT_TRY("sysretq", : : : "memory", "rcx", "r11"),
		  VEC_UD, -1);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
}

static void user_sysret(void *arg)
{
	__asm__ volatile("sysretq" : : "c"(0) : "memory");
}

static void user_sysenter(void *arg)
{
	struct result *r = arg;

	__asm__ volatile("lea 1f(%%rip), %%rdx; mov %%rsp, %%rcx\n"
			 "sysenter\n"
			 "1: mov %%cs, %0; mov %%ss, %1"
			 : "=&r"(r->cs), "=&r"(r->ss) : : "rax", "rcx", "rdx", "memory", "cc");
}

/* AMD has them in legacy mode only (APM2 6.1.2). */
static void check_sysenter(void)
{
	struct result r = { 0 };
	int vec;

	rt_gdt[SEL_SYSENTER / 8] = rt_gdt[1];
	rt_gdt[SEL_SYSENTER / 8 + 1] = rt_gdt[2];
	rt_gdt[SEL_SYSENTER / 8 + 2] = rt_gdt[6];
	rt_gdt[SEL_SYSENTER / 8 + 3] = rt_gdt[7];
	rt_gdt[SEL_SYSENTER / 8 + 4] = rt_gdt[8];
	rt_gdt[SEL_SYSENTER / 8 + 5] = rt_gdt[7];
	wrmsr(MSR_SYSENTER_CS, SEL_SYSENTER);
	wrmsr(MSR_SYSENTER_EIP, (u64)sysenter_entry);
	wrmsr(MSR_SYSENTER_ESP, (u64)rt_trap_stack_top);
	vec = rt_try_user(user_sysenter, &r);
	if (rt.vendor == RT_AMD) {
		rt_known(rt.bochs, vec == VEC_UD, "SYSENTER in long mode is #UD",
			 "Bochs 2.7 proc_ctrl.cc SYSENTER does not ask for the vendor");
		return;
	}
	rt_expect("SYSENTER and SYSEXIT", vec, VEC_NONE, -1);
	rt_check(sc_cs == SEL_SYSENTER && sc_ss == SEL_SYSENTER + 8, "SYSENTER selectors",
		 "%x %x", sc_cs, sc_ss);
	rt_check(sc_sp == (u64)rt_trap_stack_top, "SYSENTER_ESP", "%llx", sc_sp);
	rt_check(r.cs == SEL_SYSENTER + 32 + 3 && r.ss == SEL_SYSENTER + 40 + 3,
		 "SYSEXIT selectors", "%x %x", r.cs, r.ss);
	wrmsr(MSR_SYSENTER_CS, 0);
	rt_expect("SYSENTER with a null selector", rt_try_user(user_sysenter, &r), VEC_GP, 0);
}

int main(struct rt_info *info)
{
	check_syscall();
	check_disabled();
	rt_expect("SYSRET in ring 3", rt_try_user(user_sysret, NULL), VEC_GP, 0);
	check_sysenter();
	return rt_result();
}
