/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU begins after a SIPI: real mode, CS = vector << 8, IP 0 (SDM3
 * 9.4.3).  rt_smp_page copies the code up to rt_ap_code_end to a page below
 * 1 MiB, so it finds its data through CS.  The lock lets one CPU at a time
 * through to rt_ap_loop; the registers are noted before anything changes them.
 */
#include "tests/guests/rt/start.h"

#define AT(x)	%cs:((x) - rt_ap_code)

	.section .text.rt_ap, "ax"
	.balign 16
	.globl rt_ap_code, rt_ap_code_end, rt_ap_regs, rt_ap_lock
	.code16
rt_ap_code:
1:	lock btsl $0, AT(rt_ap_lock)
	jnc	2f
	pause
	jmp	1b
2:	movl	%eax, AT(regs_gpr)
	movl	%ebx, AT(regs_gpr + 4)
	movl	%ecx, AT(regs_gpr + 8)
	movl	%edx, AT(regs_gpr + 12)
	movl	%esi, AT(regs_gpr + 16)
	movl	%edi, AT(regs_gpr + 20)
	movl	%ebp, AT(regs_gpr + 24)
	movl	%esp, AT(regs_gpr + 28)
	movl	%cr0, %eax
	movl	%eax, AT(regs_cr)
	movl	%cr2, %eax
	movl	%eax, AT(regs_cr + 4)
	movl	%cr3, %eax
	movl	%eax, AT(regs_cr + 8)
	movl	%cr4, %eax
	movl	%eax, AT(regs_cr + 12)
	movl	%dr6, %eax
	movl	%eax, AT(regs_cr + 16)
	movl	%dr7, %eax
	movl	%eax, AT(regs_cr + 20)
	movl	$0xc0000080, %ecx
	rdmsr
	movl	%eax, AT(regs_cr + 24)
	movw	%cs, AT(regs_seg)
	movw	%ds, AT(regs_seg + 2)
	movw	%es, AT(regs_seg + 4)
	movw	%fs, AT(regs_seg + 6)
	movw	%gs, AT(regs_seg + 8)
	movw	%ss, AT(regs_seg + 10)
	sidtl	AT(regs_idt)
	movw	%cs, %ax
	movw	%ax, %ss
	movw	$0x1000, %sp		/* the end of this page */
	pushfl
	popl	AT(regs_cr + 28)
	cli
	cld
	xorl	%ebx, %ebx
	movw	%ax, %bx
	shll	$4, %ebx		/* the page */
	lgdtl	AT(gdtr)
	movl	%cr0, %eax
	andl	$~0x60000000, %eax	/* CD, NW */
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $ap32

	.balign 8
rt_ap_lock: .long 0
	.balign 8
rt_ap_regs:
regs_gpr: .skip	32
regs_cr: .skip	32
regs_seg: .skip	12
regs_idt: .skip	6		/* limit, base */
	.balign 8
	.word	0
gdtr:	.word	32 * 8 - 1
	.long	rt_gdt
rt_ap_code_end:

	.code32
ap32:	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	rt_ap_cr4, %eax
	movl	%eax, %cr4
	movl	rt_ap_cr3, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx
	movl	rt_ap_efer, %eax
	xorl	%edx, %edx
	wrmsr
	movl	rt_ap_cr0, %eax
	movl	%eax, %cr0
	ljmp	$SEL_CODE, $1f
	.code64
1:	lidt	idtr(%rip)
	movq	$shared_stack_top, %rsp
	movl	%ebx, %edi
	fninit
	call	rt_ap_enter
	movq	%rax, %rsp
	xorl	%ebp, %ebp
	call	rt_ap_loop
	ud2
idtr:	.word	256 * 16 - 1
	.quad	rt_idt

	.section .bss.rt_ap, "aw", @nobits
	.balign 16
	.skip	0x800
shared_stack_top:
	.globl rt_ap_cr0, rt_ap_cr3, rt_ap_cr4, rt_ap_efer
rt_ap_cr0: .skip 8
rt_ap_cr3: .skip 8
rt_ap_cr4: .skip 8
rt_ap_efer: .skip 8
	.section .note.GNU-stack, "", @progbits
