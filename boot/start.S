/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader (32-bit protected mode, paging off: Multiboot 1 3.2,
 * Multiboot 2 3.3) to main() in 64-bit mode on the boot stack, with the first
 * 4 GiB mapped one to one.  hostmap replaces these tables soon.
 */
#include "boot/layout.h"
#include "core/x86/segments.h"

	.section .boot.text, "ax"
	.code32
	.globl start32
start32:
	cli
	cld
	mov	%eax, %edi		/* loader magic */
	mov	%ebx, %esi		/* its information */
	mov	$(boot_stack_top), %esp

	/* Long mode there? (APM2 14.8, SDM3 10.8.5) */
	mov	$0x80000000, %eax
	cpuid
	cmp	$0x80000001, %eax
	jb	no_long_mode
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx
	jnc	no_long_mode

	/* bss is not part of the file: some loaders leave old bytes there. */
	push	%edi
	mov	$bss_start, %edi
	mov	$bss_end, %ecx
	sub	%edi, %ecx
	shr	$2, %ecx
	xor	%eax, %eax
	mov	(%esp), %ebx
	rep stosl
	mov	%ebx, %edi

	mov	$boot_pml4, %eax
	lea	boot_pdpt + 3, %ebx
	mov	%ebx, (%eax)
	mov	$boot_pdpt, %eax
	mov	$(boot_pd + 3), %ebx
	mov	$4, %ecx
1:	mov	%ebx, (%eax)
	add	$8, %eax
	add	$4096, %ebx
	loop	1b

	mov	$boot_pd, %eax
	mov	$0x83, %ebx		/* present, writable, 2 MiB */
	mov	$2048, %ecx
1:	mov	%ebx, (%eax)
	add	$8, %eax
	add	$0x200000, %ebx
	loop	1b

	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$boot_pml4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	%cr0, %eax
	and	$0x9fffffff, %eax	/* CD = NW = 0 */
	or	$0x80010023, %eax	/* PG WP NE MP PE */
	mov	%eax, %cr0
	lgdt	boot_gdt_ptr
	ljmp	$SEL_CODE64, $start64

no_long_mode:
	mov	$no_long_mode_msg, %esi
	mov	$0xb8000, %ebx
2:	lodsb
	test	%al, %al
	jz	3f
	mov	$0x4f, %ah		/* white on red */
	mov	%ax, (%ebx)
	add	$2, %ebx
	mov	$0x3f8, %dx
	out	%al, %dx
	jmp	2b
3:	hlt
	jmp	3b

	.code64
start64:
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$boot_stack_top, %rsp
	xor	%ebp, %ebp		/* ends the backtrace */
	mov	%edi, %edi
	mov	%esi, %esi
	call	main
1:	hlt
	jmp	1b

	.section .rodata
	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE64 */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
	.quad	0, 0
	.quad	0x00cf9b000000ffff	/* SEL_CODE32 */
boot_gdt_end:
	.globl boot_gdt_ptr
boot_gdt_ptr:
	.short	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt
no_long_mode_msg:
	.asciz	"nestbed: this CPU has no 64-bit mode; nestbed cannot run here\r\n"

	.section .bss_pages, "aw", @nobits
	.balign 4096
	.globl boot_pml4, boot_stack_guard, boot_stack_top
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4096 * 4
boot_stack_guard:
	.skip	4096
	.skip	BOOT_STACK_SIZE
boot_stack_top:
