/* SPDX-License-Identifier: MIT */
/* Where the image lies; also read by the linker script and assembly. */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

#define IMAGE_BASE	0x100000
#define IMAGE_MAX	0x400000	/* with bss */
#define BOOT_STACK_SIZE	32768


#endif
