/* SPDX-License-Identifier: MIT */
/*
 * void rt_real_call(void (*fn)(void)): down to real mode, a near call with
 * CS = DS = ES = SS = 0, SP = 0x7c00, and back (SDM3 10.9.2, 10.9.1; from
 * long mode APM2 14.6.2 and 14.7 backwards).  fn ends with a 32-bit RET, as
 * gcc -m16 makes it.  .low is linked to run at 0x8000; rt_main copies it.
 */
#include "tests/guests/rt/start.h"

	.section .text.rt_real, "ax"
	.globl rt_real_call
#ifdef __x86_64__
	.code64
rt_real_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	cli
	movq	%rsp, saved_sp
	movl	%edi, low_fn
	movq	%cr3, %rax
	movl	%eax, low_cr3
	sidt	low_idtr
	ljmp	*to_compat
	.code32
compat:
	movl	$SEL_DATA, %eax
	movl	%eax, %ss
	movl	%cr0, %eax
	andl	$0x7fffffff, %eax	/* PG off leaves long mode */
	movl	%eax, %cr0
	movl	$0xc0000080, %ecx
	rdmsr
	andl	$~0x100, %eax
	wrmsr
	ljmp	$SEL_CODE16, $low_down

	.globl rt_back
rt_back:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	low_cr3, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmp	$SEL_CODE, $1f
	.code64
1:	lidt	low_idtr
	movq	saved_sp, %rsp
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.section .data.rt_real, "aw"
to_compat:
	.long	compat
	.word	SEL_CODE32
#else
	.code32
rt_real_call:
	movl	4(%esp), %eax
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	pushfl
	cli
	movl	%esp, saved_sp
	movl	%eax, low_fn
	movl	%cr3, %eax
	movl	%eax, low_cr3
	movl	%cr0, %eax
	movl	%eax, low_cr0
	sidt	low_idtr
	andl	$0x7fffffff, %eax
	movl	%eax, %cr0
	ljmp	$SEL_CODE16, $low_down

	.globl rt_back
rt_back:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	low_cr3, %eax
	movl	%eax, %cr3
	movl	low_cr0, %eax
	movl	%eax, %cr0
	jmp	1f
1:	lidt	low_idtr
	movl	saved_sp, %esp
	popfl
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	ret
#endif

	.section .bss.rt_real, "aw", @nobits
	.balign 8
saved_sp: .skip 8

	.section .low, "awx"
	.code16
low_down:
	movw	$SEL_DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmpw	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	$0x7c00, %esp
	lidtw	real_idtr
	sgdtl	low_gdtr
	calll	*low_fn
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	low_gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $rt_back

	.balign 8
	.globl low_fn
low_fn:	.long	0
low_cr3: .long	0
low_cr0: .long	0
	.word	0
	.globl	low_gdtr
low_gdtr: .word	0
	.quad	0
	.word	0
real_idtr: .word 0x3ff
	.long	0
	.word	0, 0, 0
	.word	0
low_idtr: .word	0
	.quad	0
	.section .note.GNU-stack, "", @progbits
