/* SPDX-License-Identifier: MIT */
/* void svm_enter_on(struct vmcb *c rdi, struct l2_regs *r rsi, void *host rdx): svm.h. */


	.section .text.svm_enter, "ax"
	.code64
	.globl svm_enter, svm_enter_on, svm_vmrun_at
svm_enter:
	leaq	host_state(%rip), %rdx
svm_enter_on:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdx
	pushq	%rsi
	movq	%rdx, %rax
	vmsave
	movq	%rdi, %rax
	vmload
	movq	0x00(%rsi), %rcx
	movq	0x08(%rsi), %rdx
	movq	0x10(%rsi), %rbx
	movq	0x18(%rsi), %rbp
	movq	0x28(%rsi), %rdi
	movq	0x30(%rsi), %r8
	movq	0x38(%rsi), %r9
	movq	0x40(%rsi), %r10
	movq	0x48(%rsi), %r11
	movq	0x50(%rsi), %r12
	movq	0x58(%rsi), %r13
	movq	0x60(%rsi), %r14
	movq	0x68(%rsi), %r15
	movq	0x20(%rsi), %rsi
svm_vmrun_at:
	vmrun
	/* RAX and RSP are L1's (APM2 15.6). */
	vmsave
	xchgq	%rsi, (%rsp)
	movq	%rcx, 0x00(%rsi)
	movq	%rdx, 0x08(%rsi)
	movq	%rbx, 0x10(%rsi)
	movq	%rbp, 0x18(%rsi)
	popq	0x20(%rsi)
	movq	%rdi, 0x28(%rsi)
	movq	%r8, 0x30(%rsi)
	movq	%r9, 0x38(%rsi)
	movq	%r10, 0x40(%rsi)
	movq	%r11, 0x48(%rsi)
	movq	%r12, 0x50(%rsi)
	movq	%r13, 0x58(%rsi)
	movq	%r14, 0x60(%rsi)
	movq	%r15, 0x68(%rsi)
	popq	%rax
	vmload
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	/* Where L2 comes when its function returns. */
	.globl svm_l2_end
svm_l2_end:
	vmmcall
	jmp	svm_l2_end

	.section .bss.svm_enter, "aw", @nobits
	.balign 4096
host_state: .skip 0x1000
	.section .note.GNU-stack, "", @progbits
