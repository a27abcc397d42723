/* SPDX-License-Identifier: MIT */
/*
 * Where an application processor starts (SDM3 9.4.4, APM2 15.27.8): real mode,
 * CS:IP = page:0.  core/x86/smp.c copies this to a page below 1 MiB, fills in
 * struct ap_boot there, and starts one CPU at a time.  Position independent
 * until 64-bit mode; runs on the boot page tables until it is in the image.
 */
#include "core/x86/segments.h"
#include "core/x86/ap_boot.h"

#define REL(x)	((x) - ap_trampoline_start)

	.section .rodata
	.balign 16
	.globl ap_trampoline_start, ap_trampoline_end
	.code16
ap_trampoline_start:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	xor	%ebx, %ebx
	mov	%ax, %bx
	shl	$4, %ebx		/* the page's address, kept from here on */
	lea	REL(ap_gdt)(%ebx), %eax
	mov	%eax, REL(ap_gdt_ptr) + 2
	lea	REL(ap_code32)(%ebx), %eax
	mov	%eax, REL(ap_far32)
	lea	REL(ap_code64)(%ebx), %eax
	mov	%eax, REL(ap_far64)
	lgdtl	REL(ap_gdt_ptr)
	mov	%cr0, %eax
	and	$0x9fffffff, %eax	/* CD = NW = 0 */
	or	$0x21, %eax		/* NE PE */
	mov	%eax, %cr0
	ljmpl	*REL(ap_far32)

	.code32
ap_code32:
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x20, %eax		/* PAE; the rest follows in 64-bit mode */
	mov	%eax, %cr4
	mov	$boot_pml4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	mov	AP_BOOT_OFFSET + AP_EFER(%ebx), %eax
	mov	AP_BOOT_OFFSET + AP_EFER + 4(%ebx), %edx
	wrmsr
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	ljmpl	*REL(ap_far64)(%ebx)

	.code64
ap_code64:
	mov	$ap_start64, %rax
	jmp	*%rax

	.balign 8
ap_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE64 */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
	.quad	0, 0
	.quad	0x00cf9b000000ffff	/* SEL_CODE32 */
ap_gdt_ptr:
	.short	. - ap_gdt - 1
	.long	0
ap_far32:
	.long	0
	.short	SEL_CODE32
ap_far64:
	.long	0
	.short	SEL_CODE64
	/* struct ap_boot follows in the page: .org fails if code reaches into it. */
	.org	ap_trampoline_start + AP_BOOT_OFFSET
ap_trampoline_end:

	.section .text
	.code64
/* In the image: the trampoline's page is not executable in the real tables. */
ap_start64:
	mov	%ebx, %esi
	add	$AP_BOOT_OFFSET, %rsi
	/*
	 * A CPU that comes late may find the record of another one: only the
	 * one that is meant goes on, and only once.
	 */
	cmpl	$0, AP_LEAF_B(%rsi)
	jne	1f
	mov	$1, %eax
	cpuid
	mov	%ebx, %edx
	shr	$24, %edx
	jmp	2f
1:	mov	$0xb, %eax
	xor	%ecx, %ecx
	cpuid
2:	cmp	AP_APIC_ID(%rsi), %edx
	jne	3f
	mov	$1, %eax
	xchg	%eax, AP_CLAIMED(%rsi)
	test	%eax, %eax
	jnz	3f

	mov	AP_CR4(%rsi), %rax
	mov	%rax, %cr4
	mov	AP_CR3(%rsi), %rax
	mov	%rax, %cr3
	mov	AP_CR0(%rsi), %rax
	mov	%rax, %cr0
	mov	AP_STACK(%rsi), %rsp
	mov	AP_PERCPU(%rsi), %rdi
	xor	%ebp, %ebp
	call	ap_main
3:	cli
	hlt
	jmp	3b
