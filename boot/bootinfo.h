/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader said: multiboot 1 (specification 0.6.96, 3.3) or
 * multiboot 2 (3.6), copied out of its memory and checked.
 */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/lib/physview.h"

/* In eax when the loader jumps to the image. */
#define MB1_LOADER_MAGIC	0x2badb002
#define MB2_LOADER_MAGIC	0x36d76289

#define BOOT_RANGES_MAX		256
#define BOOT_MODULES_MAX	32
#define BOOT_CMDLINE_MAX	4096
#define BOOT_MODULE_CMDLINE_MAX	1024

/* As the loader listed it: any order, may overlap; E820 type numbers. */
struct boot_range {
	u64 base;
	u64 size;		/* bytes, not 0, base + size does not wrap */
	u32 type;		/* 1: RAM */
};

struct boot_module {
	u64 start;		/* physical address */
	u64 size;		/* bytes, not 0 unless refused */
	const char *refused;	/* NULL, or why its memory must not be read */
	char cmdline[BOOT_MODULE_CMDLINE_MAX];
};

enum boot_fb_type {
	BOOT_FB_NONE,
	BOOT_FB_RGB,
	BOOT_FB_INDEXED,
	BOOT_FB_TEXT,		/* width and height in characters */
};

struct boot_fb_colour {
	u8 position, size;	/* bits in a pixel */
};

struct boot_framebuffer {
	enum boot_fb_type type;
	u64 addr;
	u32 pitch;		/* bytes per line */
	u32 width, height;	/* pixels */
	u8 bpp;			/* bits per pixel */
	struct boot_fb_colour red, green, blue;	/* BOOT_FB_RGB */
};

enum boot_firmware { BOOT_FW_BIOS, BOOT_FW_UEFI };

struct bootinfo {
	u32 protocol;		/* 1, 2, or 0 when nothing could be read */
	enum boot_firmware firmware;
	char loader[64];
	char cmdline[BOOT_CMDLINE_MAX];

	u32 n_ranges;
	struct boot_range ranges[BOOT_RANGES_MAX];
	u32 n_modules;
	struct boot_module modules[BOOT_MODULES_MAX];
	struct boot_framebuffer fb;

	/* Copies of the RSDP: 20 bytes (ACPI 1.0) and 36 bytes (2.0). */
	bool has_rsdp_v1, has_rsdp_v2;
	u8 rsdp_v1[20];
	u8 rsdp_v2[36];

	u64 efi_systab;		/* physical address, or 0 */
	bool efi_64;		/* of that table: 64-bit firmware */

	/* All that was read of the loader's structures; keep off until parsed. */
	u64 info_start, info_size;
};

/*
 * Fills b from what the loader passed in eax and ebx.  Wrong or unknown parts
 * are left out with a message to d.  Returns 0; -EINVAL when magic is neither
 * of the two or the structure cannot be read at all (b is then valid but
 * empty).  b is large: not for the stack.
 */
int __must_check bootinfo_parse(u32 magic, u64 info_pa, const struct phys_view *view,
				struct bootinfo *b, const struct diag *d);

#endif
