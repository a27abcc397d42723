/* SPDX-License-Identifier: MIT */
/*
 * A guest that somebody types at: a multiboot kernel which prints a prompt on
 * COM1 and echoes what it receives, until that is a 'q'.  With interrupts on
 * now and then, as kernels have them.
 */
	.text
	.align	4
	.long	0x1badb002, 0, -0x1badb002
	.globl	_start
_start:
	lidt	no_idt
	/* The tick that firmware leaves running would meet that. */
	mov	$0xff, %al
	outb	%al, $0x21
	outb	%al, $0xa1
	mov	$prompt, %esi
next:	lodsb
	test	%al, %al
	jz	wait
	mov	$0x3f8, %dx
	outb	%al, %dx
	jmp	next
wait:	sti
	nop
	cli
	mov	$0x3fd, %dx
	inb	%dx, %al
	test	$1, %al
	jz	wait
	mov	$0x3f8, %dx
	inb	%dx, %al
	outb	%al, %dx
	cmp	$'q', %al
	jne	wait
	xor	%eax, %eax
	mov	$0xf4, %dx
	outl	%eax, %dx
	hlt
prompt:	.asciz	"ready\r\necho> "
no_idt:	.long	0, 0
