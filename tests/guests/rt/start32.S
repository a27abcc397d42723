/* SPDX-License-Identifier: MIT */
/* Entry of 32-bit and 16-bit payloads: flat protected mode, no paging. */
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
	lgdt	boot_gdtr
	ljmp	$SEL_CODE, $1f
1:	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	call	rt_main
	ud2

/* int rt_try(fn 4(esp), arg 8(esp)) */
	.globl rt_try, rt_try_user, rt_unwind
.macro TRY_ENTER
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	pushfl
	pushl	rt_try_sp
	movl	%esp, rt_try_sp
	movl	$-1, rt_fault
.endm
rt_try:
	TRY_ENTER
	pushl	%edx
	call	*%eax
	/* Also where rt_trap goes on after an exception in a try. */
rt_unwind:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	rt_try_sp, %esp
	popl	rt_try_sp
	popfl
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	movl	rt_fault, %eax
	ret

rt_try_user:
	TRY_ENTER
	movl	$SEL_UDATA, %ecx
	movl	%ecx, %ds
	movl	%ecx, %es
	movl	%edx, user_stack_top - 4
	pushl	%ecx
	pushl	$user_stack_top - 4
	pushl	$2
	pushl	$SEL_UCODE
	pushl	$1f
	iretl
1:	call	*%eax
	int	$0x80

	.globl trap_common
trap_common:
	pushal
	pushl	%ds
	pushl	%es
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	cld
	pushl	%esp
	call	rt_trap
	addl	$4, %esp
	popl	%es
	popl	%ds
	popal
	addl	$8, %esp
	iretl

	.section .rodata
boot_gdtr:
	.word	32 * 8 - 1
	.long	rt_gdt

	.bss
	.balign 4096
	.skip STACK_SIZE
stack_top:
	.skip 0x1000
	.globl rt_trap_stack_top
rt_trap_stack_top:
	.skip 0x1000
user_stack_top:
	.globl rt_boot_magic, rt_boot_info, rt_try_sp
rt_boot_magic: .skip 4
rt_boot_info: .skip 4
rt_try_sp: .skip 4
	.section .note.GNU-stack, "", @progbits
