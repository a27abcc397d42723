// SPDX-License-Identifier: MIT
/*
 * Linux bzImage: Documentation/arch/x86/boot.rst and zero-page.rst of the
 * kernel.  The setup code in real mode is not run: the kernel starts at its
 * 64-bit or 32-bit entry and unpacks itself.
 */
#include "core/lib/physview.h"
#include "core/lib/string.h"
#include "core/load/load_plan.h"

/* struct boot_params, the zero page; the setup header has these offsets in the file too. */
enum {
	BP_ACPI_RSDP_ADDR = 0x070,
	BP_E820_ENTRIES = 0x1e8,
	BP_HEADER = 0x1f1,
	BP_SETUP_SECTS = 0x1f1,
	BP_SYSSIZE = 0x1f4,
	BP_VID_MODE = 0x1fa,
	BP_JUMP_OFFSET = 0x201,
	BP_JUMP_END = 0x202,
	BP_VERSION = 0x206,
	BP_TYPE_OF_LOADER = 0x210,
	BP_LOADFLAGS = 0x211,
	BP_CODE32_START = 0x214,
	BP_RAMDISK_IMAGE = 0x218,
	BP_RAMDISK_SIZE = 0x21c,
	BP_HEAP_END_PTR = 0x224,
	BP_EXT_LOADER = 0x226,
	BP_CMD_LINE_PTR = 0x228,
	BP_INITRD_ADDR_MAX = 0x22c,
	BP_KERNEL_ALIGNMENT = 0x230,
	BP_RELOCATABLE_KERNEL = 0x234,
	BP_XLOADFLAGS = 0x236,
	BP_CMDLINE_SIZE = 0x238,
	BP_HARDWARE_SUBARCH = 0x23c,
	BP_SETUP_DATA = 0x250,
	BP_PREF_ADDRESS = 0x258,
	BP_INIT_SIZE = 0x260,
	BP_INIT_SIZE_END = 0x264,
	BP_HEADER_LIMIT = 0x290,	/* what lies behind the header in the zero page */
	BP_E820_TABLE = 0x2d0,
};
#define BP_SIZE		0x1000
#define E820_MAX	128

#define LOADED_HIGH	BIT(0)
#define CAN_USE_HEAP	BIT(7)
#define XLF_KERNEL_64	BIT(0)

/* init_size and pref_address exist since 2.10, xloadflags since 2.12. */
#define VERSION_OLDEST	0x020a
#define VERSION_XLOADFLAGS 0x020c

#define HIGH_MEMORY	0x100000
#define ENTRY_64	0x200
/* "Avoid using memory above 0x9a000." */
#define LOW_MIN		0x10000
#define LOW_MAX		0x9a000

/*
 * What the kernel is given lies in one block of low memory: the zero page,
 * page tables, GDT, command line.
 */
enum {
	BLOCK_ZERO_PAGE = 0,
	BLOCK_PML4 = 0x1000,
	BLOCK_PDPT = 0x2000,
	BLOCK_PD = 0x3000,		/* four, 2 MiB pages */
	BLOCK_GDT = 0x7000,
	BLOCK_CMDLINE = 0x7020,
};

#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define GDT_CODE64	0x00af9b000000ffffULL
#define GDT_CODE32	0x00cf9b000000ffffULL
#define GDT_DATA	0x00cf93000000ffffULL

/* APM2 5.3, SDM3 4.5: present, writable, accessed; and dirty, large page. */
#define PT_TABLE	0x23
#define PT_PAGE_2M	0xe3

struct linux_kernel {
	const u8 *file;
	u64 setup_size;		/* of boot sector and setup code; then the kernel */
	u64 code_size;
	u64 load;
};

static u64 header_end(const u8 *file)
{
	return (u64)BP_JUMP_END + file[BP_JUMP_OFFSET];
}

static int check_header(const struct load_plan *p, struct linux_kernel *k)
{
	const u8 *file = p->img->data;
	u64 size = p->img->size;
	u32 version, sects;

	if (size < BP_INIT_SIZE_END || header_end(file) > size)
		return plan_refuse(p, -EINVAL, "truncated: bzImage header is not complete");
	version = get_le16(file + BP_VERSION);
	if (version < VERSION_OLDEST)
		return plan_refuse(p, -EOPNOTSUPP, "Linux boot protocol %u.%02u is too old, 2.10 "
				   "is needed", version >> 8, version & 0xff);
	if (header_end(file) < BP_INIT_SIZE_END || header_end(file) > BP_HEADER_LIMIT)
		return plan_refuse(p, -EINVAL, "bzImage header ends at 0x%llx",
				   (unsigned long long)header_end(file));
	if (!(file[BP_LOADFLAGS] & LOADED_HIGH))
		return plan_refuse(p, -EOPNOTSUPP, "a zImage, not a bzImage");
	sects = file[BP_SETUP_SECTS];
	k->file = file;
	k->setup_size = (sects ? sects + 1 : 5) * 512;
	k->code_size = (u64)get_le32(file + BP_SYSSIZE) * 16;
	if (k->code_size <= ENTRY_64)
		return plan_refuse(p, -EINVAL, "bzImage with a kernel of %llu bytes",
				   (unsigned long long)k->code_size);
	if (k->setup_size > size || k->code_size > size - k->setup_size)
		return plan_refuse(p, -EINVAL, "truncated: bzImage of 0x%llx bytes, the file has "
				   "0x%llx", (unsigned long long)(k->setup_size + k->code_size),
				   (unsigned long long)size);
	return 0;
}

/*
 * Where the kernel goes, and the memory that it needs before it looks at its
 * memory map.  A relocatable one is put where it wants to be, or above: below
 * that it would move itself up again.  Others move to pref_address.
 */
static int plan_kernel(struct load_plan *p, struct linux_kernel *k)
{
	u64 pref = get_le64(k->file + BP_PREF_ADDRESS);
	u64 need = MAX(get_le32(k->file + BP_INIT_SIZE), k->code_size);
	u32 align = get_le32(k->file + BP_KERNEL_ALIGNMENT);
	struct plan_window w = { .min = MAX(pref, HIGH_MEMORY), .max = PLAN_LIMIT_4G };
	int err;

	if (k->file[BP_RELOCATABLE_KERNEL]) {
		if (!align || (align & (align - 1)))
			return plan_refuse(p, -EINVAL, "bzImage: kernel_alignment 0x%x", align);
		w.align = align;
		k->load = plan_find(p, &w, need);
	} else {
		need += w.min - HIGH_MEMORY;
		w.min = HIGH_MEMORY;
		k->load = plan_in_ram(p->img, w.min, need) ? w.min : 0;
	}
	if (!k->load)
		return plan_refuse(p, -ENOSPC, "the kernel needs 0x%llx bytes from 0x%llx on, "
				   "which the guest has not", (unsigned long long)need,
				   (unsigned long long)w.min);
	err = plan_add_segment(p, k->load, need, k->setup_size, k->code_size);
	if (!err)
		p->seg[0].rest_kept = true;
	return err;
}

static int plan_block(struct load_plan *p, const struct linux_kernel *k)
{
	struct plan_window w = { .min = LOW_MIN, .max = LOW_MAX, .align = PAGE_SIZE };
	u64 len = strlen(p->img->cmdline);
	u32 max = get_le32(k->file + BP_CMDLINE_SIZE);

	if (len > max)
		return plan_refuse(p, -E2BIG, "command line of %llu characters, the kernel takes "
				   "%u", (unsigned long long)len, max);
	if (p->img->n_map > E820_MAX)
		return plan_refuse(p, -EINVAL, "memory map of %u ranges", p->img->n_map);
	p->info = plan_place(p, &w, BLOCK_CMDLINE + len + 1, NULL);
	if (!p->info)
		return plan_refuse(p, -ENOSPC, "no room for the boot information");
	return 0;
}

/* As high as the kernel can reach it, out of the way of what it unpacks. */
static int plan_initrd(struct load_plan *p, const struct linux_kernel *k)
{
	const struct load_module *initrd = p->img->initrd;
	struct plan_window w = {
		.min = HIGH_MEMORY,
		.max = (u64)get_le32(k->file + BP_INITRD_ADDR_MAX) + 1,
		.align = PAGE_SIZE,
		.preference = PLAN_HIGHEST,
	};

	if (p->img->n_modules)
		return plan_refuse(p, -EOPNOTSUPP, "a Linux kernel takes an initrd and no modules");
	if (!initrd)
		return 0;
	if (!initrd->size)
		return plan_refuse(p, -EINVAL, "the initrd is empty");
	p->initrd = plan_place(p, &w, initrd->size, initrd->data);
	if (!p->initrd)
		return plan_refuse(p, -ENOSPC, "no room for the initrd of 0x%llx bytes below "
				   "0x%llx", (unsigned long long)initrd->size,
				   (unsigned long long)w.max);
	return 0;
}

int linux_plan(struct load_plan *p)
{
	struct linux_kernel k = { 0 };
	int err = check_header(p, &k);

	if (!err)
		err = plan_kernel(p, &k);
	if (!err)
		err = plan_block(p, &k);
	if (!err)
		err = plan_initrd(p, &k);
	if (err)
		return err;
	p->enter_long = get_le16(k.file + BP_VERSION) >= VERSION_XLOADFLAGS &&
			(get_le16(k.file + BP_XLOADFLAGS) & XLF_KERNEL_64);
	p->entry = k.load + (p->enter_long ? ENTRY_64 : 0);
	return 0;
}

static void put_at(struct info_writer *w, u64 gpa, const void *data, u64 size)
{
	w->at = gpa;
	info_put(w, data, size);
}

static void put_e820(struct info_writer *w, const struct load_plan *p)
{
	u32 i;

	w->at = p->info + BP_E820_TABLE;
	for (i = 0; i < p->img->n_map; i++) {
		const struct mem_range *r = &p->img->map[i];
		const u32 type = mb_mem_type(r->type);

		info_put(w, &r->base, 8);
		info_put(w, &r->size, 8);
		info_put(w, &type, 4);
	}
}

/*
 * The kernel's own header, then what the boot loader writes.  The heap is of
 * the setup code only, which does not run.
 */
static void put_zero_page(struct info_writer *w, const struct load_plan *p)
{
	const u8 *file = p->img->data;
	/* clang-format off */
	const struct { u16 at; u8 size; u64 value; } fields[] = {
		{ BP_ACPI_RSDP_ADDR,	8, p->img->rsdp },
		{ BP_E820_ENTRIES,	1, p->img->n_map },
		{ BP_VID_MODE,		2, 0xffff },		/* "normal" */
		{ BP_TYPE_OF_LOADER,	1, 0xff },		/* none of those with a number */
		{ BP_LOADFLAGS,		1, file[BP_LOADFLAGS] & ~CAN_USE_HEAP },
		{ BP_CODE32_START,	4, p->seg[0].gpa },
		{ BP_RAMDISK_IMAGE,	4, p->initrd },
		{ BP_RAMDISK_SIZE,	4, p->initrd ? p->img->initrd->size : 0 },
		{ BP_HEAP_END_PTR,	2, 0 },
		{ BP_EXT_LOADER,	2, 0 },
		{ BP_CMD_LINE_PTR,	4, p->info + BLOCK_CMDLINE },
		{ BP_HARDWARE_SUBARCH,	4, 0 },			/* a PC */
		{ BP_SETUP_DATA,	8, 0 },
	};
	/* clang-format on */
	size_t i;

	put_at(w, p->info + BP_HEADER, file + BP_HEADER, header_end(file) - BP_HEADER);
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		put_at(w, p->info + fields[i].at, &fields[i].value, fields[i].size);
	put_e820(w, p);
}

/* 4 GiB one to one. */
static void put_page_tables(struct info_writer *w, u64 block)
{
	u64 entry = (block + BLOCK_PDPT) | PT_TABLE;
	u32 i;

	put_at(w, block + BLOCK_PML4, &entry, 8);
	w->at = block + BLOCK_PDPT;
	for (i = 0; i < 4; i++) {
		entry = (block + BLOCK_PD + i * PAGE_SIZE) | PT_TABLE;
		info_put(w, &entry, 8);
	}
	w->at = block + BLOCK_PD;
	for (i = 0; i < 4 * 512; i++) {
		entry = i * SIZE_2M | PT_PAGE_2M;
		info_put(w, &entry, 8);
	}
}

int linux_write(const struct load_plan *p, struct gmem *mem)
{
	struct info_writer w = { mem, 0, 0 };
	const u64 gdt[4] = { 0, 0, p->enter_long ? GDT_CODE64 : GDT_CODE32, GDT_DATA };

	put_zero_page(&w, p);
	if (p->enter_long)
		put_page_tables(&w, p->info);
	put_at(&w, p->info + BLOCK_GDT, gdt, sizeof(gdt));
	w.at = p->info + BLOCK_CMDLINE;
	info_put_string(&w, p->img->cmdline);
	if (w.err)
		return plan_refuse(p, -ENOSPC, "boot information at 0x%llx cannot be written",
				   (unsigned long long)p->info);
	return 0;
}

void linux_enter(const struct load_plan *p, struct load_entry *e)
{
	e->mode = p->enter_long ? LOAD_MODE_LONG64 : LOAD_MODE_PROT32;
	e->rip = p->entry;
	e->rsi = p->info + BLOCK_ZERO_PAGE;
	e->cs = BOOT_CS;
	e->ds = BOOT_DS;
	e->cr3 = p->enter_long ? p->info + BLOCK_PML4 : 0;
	e->gdt_base = p->info + BLOCK_GDT;
	e->gdt_limit = 4 * 8 - 1;
}
