/* SPDX-License-Identifier: MIT */
/* Real-mode half of payload "nsvm_insn": the vector that each instruction makes. */
	.section .low, "awx"
	.code16

/* TRY: 255 is noted when the instruction does not fault. */
.macro TRY insn:vararg
	movw	$8f, low_next
	movb	$255, %bl
	\insn
8:	movb	%bl, (%di)
	incw	%di
.endm

	.globl low_svm
low_svm:
	pushal
	movl	0x18, %eax		/* the vectors of #UD and #GP */
	movl	%eax, low_ud
	movl	0x34, %eax
	movl	%eax, low_gp
	movl	$on_ud, 0x18
	movl	$on_gp, 0x34
	movw	$low_svm_vector, %di
	movl	low_svm_vmcb, %eax
	xorl	%ecx, %ecx
	TRY	vmrun
	TRY	vmload
	TRY	vmsave
	TRY	stgi
	TRY	clgi
	TRY	invlpga
	TRY	skinit
	TRY	vmmcall
	movl	low_ud, %eax
	movl	%eax, 0x18
	movl	low_gp, %eax
	movl	%eax, 0x34
	popal
	retl

on_ud:	movb	$6, %bl
	jmp	1f
on_gp:	movb	$13, %bl
1:	pushw	%ax
	pushw	%bp
	movw	%sp, %bp
	movw	low_next, %ax
	movw	%ax, 4(%bp)
	popw	%bp
	popw	%ax
	iretw

	.balign 4
	.globl low_svm_vmcb, low_svm_vector
low_svm_vmcb: .long 0
low_ud:	.long 0
low_gp:	.long 0
low_next: .word 0
low_svm_vector: .skip 8
	.section .note.GNU-stack, "", @progbits
