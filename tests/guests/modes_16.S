/* SPDX-License-Identifier: MIT */
/* Real-mode half of payload "modes". */
	.section .low, "awx"
	.code16
	.globl low_body
low_body:
	pushal
	incw	low_count
	movl	%cr0, %eax
	movl	%eax, low_cr0_seen
	movl	$0xc0000080, %ecx
	rdmsr
	movl	%eax, low_efer
	xorl	%eax, %eax
	cpuid
	inb	$0x80, %al
	xorl	%eax, %eax
	movl	$100, %ecx
1:	addl	%ecx, %eax
	loopl	1b
	movl	%eax, low_sum
	popal
	retl

	.balign 4
	.globl low_count, low_cr0_seen, low_efer, low_sum
low_cr0_seen: .long 0
low_efer: .long 0
low_sum: .long 0
low_count: .word 0
	.section .note.GNU-stack, "", @progbits
