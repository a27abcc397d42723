/* SPDX-License-Identifier: MIT */
/*
 * World switch.  The global interrupt flag covers all of it (APM2 15.17): from
 * CLGI to STGI neither interrupts nor NMIs arrive, so that GS may be the
 * guest's.  RFLAGS.IF is 1 at VMRUN, because with V_INTR_MASKING it is the
 * host's IF that lets a physical interrupt end the guest (APM2 15.21.1).
 *
 * RAX, RSP, RIP and RFLAGS travel in the VMCB; floating point and debug
 * address registers stay in the CPU while the vCPU is loaded.  What VMLOAD and
 * VMSAVE move is in a VMCB of its own choice: VMRUN does not touch it, so that
 * a guest and its guest have it once.
 */
#include "asm_offsets.h"

#define GPR(n)	(VCPU_GPR + 8 * (n))

	.section .text.svm_world_switch, "ax"
	.code64

/* void svm_world_switch(struct vcpu *v, u64 vmcb_pa, u64 host_vmcb_pa, u64 vmload_pa) */
	.balign 64
	.globl svm_world_switch
svm_world_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx
	push	%rcx
	push	%rdi
	mov	%rcx, %rax
	clgi
	sti
	vmload	%rax
	mov	%rsi, %rax
	mov	GPR(1)(%rdi), %rcx
	mov	GPR(2)(%rdi), %rdx
	mov	GPR(3)(%rdi), %rbx
	mov	GPR(5)(%rdi), %rbp
	mov	GPR(6)(%rdi), %rsi
	mov	GPR(8)(%rdi), %r8
	mov	GPR(9)(%rdi), %r9
	mov	GPR(10)(%rdi), %r10
	mov	GPR(11)(%rdi), %r11
	mov	GPR(12)(%rdi), %r12
	mov	GPR(13)(%rdi), %r13
	mov	GPR(14)(%rdi), %r14
	mov	GPR(15)(%rdi), %r15
	mov	GPR(7)(%rdi), %rdi
	vmrun	%rax
	/* RSP is the host's again; GS is the guest's. */
1:	mov	8(%rsp), %rax
	vmsave	%rax
	/*
	 * Bochs 2.7 cpu/svm.cc Svm_Vmexit() keeps the trap of a guest that
	 * single-steps an intercepted instruction: the host gets its #DB here.
	 */
	.pushsection .nb.ex_table, "a"
	.quad	1b, 1b
	.popsection
	mov	(%rsp), %rax
	mov	%rcx, GPR(1)(%rax)
	mov	%rdx, GPR(2)(%rax)
	mov	%rbx, GPR(3)(%rax)
	mov	%rbp, GPR(5)(%rax)
	mov	%rsi, GPR(6)(%rax)
	mov	%rdi, GPR(7)(%rax)
	mov	%r8, GPR(8)(%rax)
	mov	%r9, GPR(9)(%rax)
	mov	%r10, GPR(10)(%rax)
	mov	%r11, GPR(11)(%rax)
	mov	%r12, GPR(12)(%rax)
	mov	%r13, GPR(13)(%rax)
	mov	%r14, GPR(14)(%rax)
	mov	%r15, GPR(15)(%rax)
	mov	16(%rsp), %rax
	add	$24, %rsp
	vmload	%rax
	cli
	stgi
	.globl svm_host_resumed
svm_host_resumed:			/* a pending NMI arrives with this RIP */
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

/* void svm_vmrun_bare(u64 vmcb_pa) */
	.balign 64
	.globl svm_vmrun_bare
svm_vmrun_bare:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rdi, %rax
	vmrun	%rax
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

/* u64 svm_break(void) */
	.globl svm_break, svm_break_at
svm_break:
	xor	%r8d, %r8d
svm_break_at:
	nop
1:	mov	%r8, %rax
	ret
	.pushsection .nb.ex_table, "a"
	.quad	svm_break_at, 1b
	.popsection
