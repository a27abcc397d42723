/* SPDX-License-Identifier: MIT */
/*
 * Entry points of all 256 vectors.  Each leaves a struct trap_frame
 * (core/x86/trap.h) on the stack and calls trap_dispatch.  No SWAPGS: there is
 * no user mode, and GS is the host's wherever host code can be interrupted.
 */
	.section .text
	.code64

/* Vectors that push an error code (APM2 8.2, SDM3 6.13). */
#define ERROR_CODE_VECTORS 0x60227d00

	.balign 16
	.globl trap_stubs
trap_stubs:
	vec = 0
	.rept 256
	.balign 16
	no_error = 1
	.if vec < 32
	no_error = ((ERROR_CODE_VECTORS >> vec) & 1) == 0
	.endif
	.if no_error
	push	$0
	.endif
	push	$vec
	jmp	trap_common
	vec = vec + 1
	.endr

trap_common:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	call	trap_dispatch
	mov	%rbx, %rsp
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq

/*
 * int context_save(struct context *): 0 when called, the value of
 * context_restore when it comes back (like setjmp).  For abandoning a test
 * whose code hangs.
 */
	.globl context_save
context_save:
	mov	%rbx, (%rdi)
	mov	%rbp, 8(%rdi)
	mov	%r12, 16(%rdi)
	mov	%r13, 24(%rdi)
	mov	%r14, 32(%rdi)
	mov	%r15, 40(%rdi)
	lea	8(%rsp), %rax
	mov	%rax, 48(%rdi)
	mov	(%rsp), %rax
	mov	%rax, 56(%rdi)
	xor	%eax, %eax
	ret

	.globl context_restore
context_restore:
	mov	%esi, %eax
	mov	(%rdi), %rbx
	mov	8(%rdi), %rbp
	mov	16(%rdi), %r12
	mov	24(%rdi), %r13
	mov	32(%rdi), %r14
	mov	40(%rdi), %r15
	mov	48(%rdi), %rsp
	jmp	*56(%rdi)
