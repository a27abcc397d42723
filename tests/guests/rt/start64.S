/* SPDX-License-Identifier: MIT */
/* Entry of 64-bit payloads: from multiboot's 32-bit mode to main. */
#include "tests/guests/rt/start.h"

	MULTIBOOT_HEADER

	.text
	.code32
	.globl _start
_start:
	cli
	cld
	movl	$stack_top, %esp
	movl	%eax, rt_boot_magic
	movl	%ebx, rt_boot_info
	pushl	$0
	popfl
	ENABLE_SSE32

	/* PML4[0] -> PDPT[0..3] -> 2 MiB pages; P RW US, PS in the last. */
	movl	$rt_pdpt + 7, rt_pml4
	movl	$rt_pd + 7, %eax
	movl	$rt_pdpt, %edi
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	1b
	movl	$0x87, %eax
	movl	$rt_pd, %edi
	movl	$2048, %ecx
2:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	2b

	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$rt_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: LME, NXE if CPUID has NX */
	rdmsr
	orl	$0x100, %eax
	movl	%eax, %esi
	movl	$0x80000001, %eax
	cpuid
	shrl	$20, %edx
	andl	$1, %edx
	shll	$11, %edx
	orl	%edx, %esi
	movl	%esi, %eax
	xorl	%edx, %edx
	movl	$0xc0000080, %ecx
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmp	$SEL_CODE, $3f

	.code64
3:	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movq	$stack_top, %rsp
	call	rt_main
	ud2

/* int rt_try(fn rdi, arg rsi) */
	.globl rt_try, rt_try_user, rt_unwind
.macro TRY_ENTER
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	pushq	rt_try_sp(%rip)
	movq	%rsp, rt_try_sp(%rip)
	movl	$-1, rt_fault(%rip)
.endm
rt_try:
	TRY_ENTER
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	/* Also where rt_trap goes on after an exception in a try. */
rt_unwind:
	movl	$SEL_DATA, %eax
	movl	%eax, %ss
	movq	rt_try_sp(%rip), %rsp
	popq	rt_try_sp(%rip)
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	movl	rt_fault(%rip), %eax
	ret

rt_try_user:
	TRY_ENTER
	movq	%rdi, %rax
	movq	%rsi, %rdi
	pushq	$SEL_UDATA
	pushq	$user_stack_top
	pushq	$2
	pushq	$SEL_UCODE
	pushq	$1f
	iretq
1:	call	*%rax
	int	$0x80

	.globl trap_common
trap_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rsp
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	call	rt_trap
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	addq	$8, %rsp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.section .rodata
boot_gdtr:
	.word	32 * 8 - 1
	.long	rt_gdt

	.bss
	.balign 4096
	.globl rt_pml4, rt_pdpt, rt_pd
rt_pml4: .skip 0x1000
rt_pdpt: .skip 0x1000
rt_pd:	.skip 0x4000
	.skip STACK_SIZE
stack_top:
	.skip 0x1000
	.globl rt_trap_stack_top, rt_ist_stack_top
rt_trap_stack_top:
	.skip 0x1000
rt_ist_stack_top:
	.skip 0x1000
user_stack_top:
	.globl rt_boot_magic, rt_boot_info, rt_try_sp
rt_boot_magic: .skip 4
rt_boot_info: .skip 4
	.balign 8
rt_try_sp: .skip 8
	.section .note.GNU-stack, "", @progbits
