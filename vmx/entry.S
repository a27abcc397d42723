/* SPDX-License-Identifier: MIT */
/*
 * The world switch.  RIP, RSP, RFLAGS and all segment and control registers
 * are switched by the CPU (SDM3 27.3.2, 28.5); the other general registers
 * here.  SSE and AVX registers stay the guest's: the image has no such code.
 */
#define VMCS_HOST_RSP	0x6c14

	.section .text.vmx_world_switch, "ax"
	.globl vmx_world_switch, vmx_exit_entry
	.type vmx_world_switch, @function

/* u64 vmx_world_switch(u64 *gpr, u64 *host_rsp, u32 launched) */
	.balign 64
vmx_world_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	cmp	%rsp, (%rsi)
	jne	.Lnew_stack
.Lload:
	test	%edx, %edx		/* MOV keeps the flags until jz */
	mov	0x00(%rdi), %rax
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	mov	0x40(%rdi), %r8
	mov	0x48(%rdi), %r9
	mov	0x50(%rdi), %r10
	mov	0x58(%rdi), %r11
	mov	0x60(%rdi), %r12
	mov	0x68(%rdi), %r13
	mov	0x70(%rdi), %r14
	mov	0x78(%rdi), %r15
	mov	0x38(%rdi), %rdi
	jz	.Llaunch
	vmresume
	jmp	.Lfailed
.Llaunch:
	vmlaunch
.Lfailed:
	/* SDM3 31.2: CF: VMfailInvalid, ZF: VMfailValid. */
	mov	$1, %eax
	jc	1f
	mov	$2, %eax
1:	pop	%rdi
	jmp	.Lreturn

.Lnew_stack:
	mov	%rsp, (%rsi)
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jmp	.Lload

	/* RSP is HOST_RSP: gpr is on top of the stack. */
	.balign 16
vmx_exit_entry:
	xchg	%rdi, (%rsp)
	mov	%rax, 0x00(%rdi)
	mov	%rcx, 0x08(%rdi)
	mov	%rdx, 0x10(%rdi)
	mov	%rbx, 0x18(%rdi)
	mov	%rbp, 0x28(%rdi)
	mov	%rsi, 0x30(%rdi)
	mov	%r8,  0x40(%rdi)
	mov	%r9,  0x48(%rdi)
	mov	%r10, 0x50(%rdi)
	mov	%r11, 0x58(%rdi)
	mov	%r12, 0x60(%rdi)
	mov	%r13, 0x68(%rdi)
	mov	%r14, 0x70(%rdi)
	mov	%r15, 0x78(%rdi)
	pop	0x38(%rdi)
	xor	%eax, %eax
.Lreturn:
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size vmx_world_switch, . - vmx_world_switch

	.section .note.GNU-stack, "", @progbits
