/* SPDX-License-Identifier: MIT */
/* Real-mode half of payload "firmware": three ticks, with what the BIOS left. */
	.section .low, "awx"
	.code16

	.globl fw_body
fw_body:
	pushal
	cli
	int	$0x1c
	movw	$1, fw_ok
	movl	0x46c, %eax
	movl	%eax, fw_before
	addl	$3, %eax
1:	sti
	hlt
	cli
	incl	fw_halts
	cmpl	%eax, 0x46c
	js	1b
	movl	0x46c, %eax
	movl	%eax, fw_after
	popal
	retl

	.balign 4
	.globl fw_before, fw_after, fw_halts, fw_ok
fw_before: .long 0
fw_after: .long 0
fw_halts: .long 0
fw_ok:	.word 0
	.section .note.GNU-stack, "", @progbits
