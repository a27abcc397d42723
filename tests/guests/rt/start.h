/* SPDX-License-Identifier: MIT */
/* What both entry files share; assembly only. */
#ifndef TESTS_GUESTS_RT_START_H
#define TESTS_GUESTS_RT_START_H

/* Multiboot specification 0.6.96, 3.1.1; bit 1: wants the memory size. */
#define MB_MAGIC	0x1badb002
#define MB_FLAGS	0x00000003

#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_CODE16	0x20
#define SEL_DATA16	0x28
#define SEL_UDATA	0x3b
#define SEL_UCODE	0x43
#define SEL_TSS		0x48

#define STACK_SIZE	0x2000

.macro MULTIBOOT_HEADER
	.section .multiboot, "a"
	.balign 4
	.long MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)
.endm

/*
 * SSE usable, #XM and #MF reported as exceptions, x87 and MXCSR in reset
 * state, where CPUID has it (SDM3 10.6.1).  Clobbers eax, ebx, ecx, edx.
 */
.macro ENABLE_SSE32
	movl	$1, %eax
	cpuid
	movl	%cr0, %eax
	andl	$~0x6000000c, %eax	/* CD and NW of a reset, EM, TS */
	orl	$0x22, %eax		/* NE, MP */
	movl	%eax, %cr0
	fninit
	testl	$(1 << 25), %edx
	jz	8f
	movl	%cr4, %eax
	orl	$0x600, %eax		/* OSFXSR, OSXMMEXCPT */
	movl	%eax, %cr4
8:
.endm

#endif
