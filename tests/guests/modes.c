// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(modes, .ref = "APM2 14.6, 14.7, SDM3 10.9",
	.desc = "long mode to real mode and back, compatibility mode, many times");

/* modes_16.S */
extern u16 low_count;
extern u32 low_cr0_seen, low_efer, low_sum;
void low_body(void);

static void check_round_trips(void)
{
	ulong cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	u64 efer = rdmsr(MSR_EFER);

	for (u16 i = 1; i <= 100; i++) {
		low_count = 0;
		rt_real_call(low_body);
		rt_quiet(low_count == 1, "real mode", "round %u: ran %u times", i, low_count);
		rt_quiet(!(low_cr0_seen & 1) && !(low_cr0_seen >> 31), "CR0 in real mode",
			 "%x", low_cr0_seen);
		rt_quiet(!(low_efer & (EFER_LME | EFER_LMA)), "EFER in real mode", "%x",
			 low_efer);
		rt_quiet(low_sum == 5050, "arithmetic in real mode", "%u", low_sum);
		rt_quiet(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4,
			 "control registers after it", "%lx %lx %lx", read_cr0(), read_cr3(),
			 read_cr4());
		rt_quiet(rdmsr(MSR_EFER) == efer, "EFER after it", "%llx", rdmsr(MSR_EFER));
	}
	rt_check(true, "100 round trips", " ");
}

/* In compatibility mode: exits, wrap at 4 GiB, 64-bit registers kept. */
u64 compat_r8, compat_rax;
u32 compat_sp, compat_cpuid;
__asm__(".pushsection .text\n"
	"compat_call:\n"
	"	push %rbx; push %rbp\n"
	"	mov $0x1122334455667788, %r8\n"
	"	lcall *compat_to(%rip)\n"
	"	mov %r8, compat_r8(%rip)\n"
	"	pop %rbp; pop %rbx\n"
	"	ret\n"
	"	.code32\n"
	"compat_body:\n"
	"	mov %esp, compat_sp\n"
	"	xor %eax, %eax; cpuid; mov %ebx, compat_cpuid\n"
	"	inb $0x80, %al\n"
	"	mov $0x277, %ecx; rdmsr; wrmsr\n"
	"	mov %ds, %eax; mov %eax, %ds\n"
	"	mov $0xfffffff0, %esi\n"
	"	mov $compat_byte + 0x10, %edi\n"
	"	movzbl (%esi, %edi), %eax\n"
	"	mov %eax, compat_rax\n"
	"	lret\n"
	"	.code64\n"
	"	.popsection\n"
	"	.pushsection .data\n"
	"compat_to: .long compat_body; .word 0x18\n"
	"compat_byte: .byte 0x5c\n"
	"	.popsection\n");
void compat_call(void);

static void check_compat(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		compat_rax = 0;
		compat_call();
		rt_quiet(compat_r8 == 0x1122334455667788, "R8 across compatibility mode", "%llx",
			 compat_r8);
		rt_quiet(compat_cpuid == cpuid(0).ebx, "CPUID in compatibility mode", "%x",
			 compat_cpuid);
		rt_quiet(compat_rax == 0x5c, "addresses wrap at 4 GiB", "%llx", compat_rax);
	}
	rt_check(true, "compatibility mode", " ");
}

static void compat_ud(void *arg)
{
	/* An exception out of compatibility mode comes to 64-bit handlers. */
	__asm__ volatile("lcall *%0" : : "m"(*(u64 *)arg) : "memory");
}
extern char compat_fault[];
__asm__(".pushsection .text\n.code32\ncompat_fault: .byte 0x40; ud2; lret\n.code64\n.popsection\n");

static void check_compat_fault(void)
{
	struct { u32 at; u16 sel; } __attribute__((packed, aligned(8))) to = {
		(u32)(ulong)compat_fault, SEL_CODE32 };
	int vec = rt_try(compat_ud, &to);

	/* 40h is INC EAX here, no REX prefix. */
	rt_expect("#UD in compatibility mode", vec, VEC_UD, -1);
	rt_check(rt_fault.ip == (ulong)compat_fault + 1 && rt_fault.cs == SEL_CODE32, "its CS:RIP",
		 "%x:%lx", rt_fault.cs, rt_fault.ip);
}

static void user_loop(void *arg)
{
	for (volatile u32 i = 0; i < 10; i++)
		cpuid(0);
}

int main(struct rt_info *info)
{
	check_round_trips();
	check_compat();
	check_compat_fault();
	rt_expect("ring 3 after all that", rt_try_user(user_loop, NULL), VEC_NONE, -1);
	return rt_result();
}
