/* SPDX-License-Identifier: MIT */
/*
 * Multiboot 1 (Multiboot Specification 0.6.96, 3.1) and multiboot 2 (3.1)
 * headers.  Multiboot 1 asks for no video mode: QEMU's loader would refuse.
 */
#define MB1_MAGIC	0x1badb002
#define MB1_FLAGS	0x3		/* page-aligned modules, memory map */
#define MB2_MAGIC	0xe85250d6

	.section .multiboot, "ax"
	.balign 8
	.globl multiboot_header
multiboot_header:
	.long	MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)

	.balign 8
mb2_start:
	.long	MB2_MAGIC, 0, mb2_end - mb2_start
	.long	-(MB2_MAGIC + (mb2_end - mb2_start))
	/* Framebuffer of any size, optional: text on BIOS, GOP on UEFI. */
	.balign 8
	.short	5, 1
	.long	20, 0, 0, 0
	/* Page-aligned modules. */
	.balign 8
	.short	6, 0
	.long	8
	/* End. */
	.balign 8
	.short	0, 0
	.long	8
mb2_end:
