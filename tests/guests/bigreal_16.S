/* SPDX-License-Identifier: MIT */
/* Real-mode half of payload "bigreal". */
	.section .low, "awx"
	.code16

/* Loads \seg with \sel in protected mode; its hidden limit stays. */
.macro LOAD_HIDDEN seg, sel
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	jmp	8f
8:	movw	$\sel, %bx
	movw	%bx, \seg
	andb	$0xfe, %al
	movl	%eax, %cr0
	jmp	9f
9:
.endm

	.globl big_body
big_body:
	pushal
	cli
	/* #GP: vector 13. */
	movw	$on_gp, 13 * 4
	movw	$0, 13 * 4 + 2
	lgdtl	low_gdtr
	LOAD_HIDDEN %fs, 0x58
	xorw	%bx, %bx
	movw	%bx, %fs
	movl	big_high, %esi
	movl	%fs:(%esi), %eax
	movl	%eax, big_read
	xorl	%eax, %eax
	cpuid
	inb	$0x80, %al
	movl	big_high, %esi
	movl	%fs:(%esi), %eax
	movl	%eax, big_after_exit
	movl	$0x12345678, %fs:(%esi)
	movl	$0xfeb00000, %esi
	movl	%fs:(%esi), %eax
	movl	%eax, big_mmio
	LOAD_HIDDEN %gs, 0x60
	/* A limit below 64 KiB holds in real mode too. */
	movl	$0, big_gp
	movw	$1f, resume
	movb	%gs:0xfff, %al
1:	movl	big_gp, %eax
	movl	%eax, big_limit
	movw	$1f, resume
	movb	%gs:0x1000, %al
1:	movw	$1, big_ok
	/* Whole segments again. */
	LOAD_HIDDEN %gs, 0x28
	LOAD_HIDDEN %fs, 0x28
	xorw	%bx, %bx
	movw	%bx, %fs
	movw	%bx, %gs
	popal
	retl

on_gp:
	movl	$13, %cs:big_gp
	pushw	%bp
	movw	%sp, %bp
	pushw	%ax
	movw	%cs:resume, %ax
	movw	%ax, 2(%bp)
	popw	%ax
	popw	%bp
	iretw

	.balign 4
	.globl big_read, big_after_exit, big_gp, big_limit, big_mmio, big_ok, big_high
big_read: .long 0
big_after_exit: .long 0
big_gp: .long 0
big_limit: .long 0
big_mmio: .long 0
big_high: .long 0
big_ok:	.word 0
resume:	.word 0
	.section .note.GNU-stack, "", @progbits
