// SPDX-License-Identifier: MIT
/* Multiboot specification 0.6.96: the kernel's header and what it is told. */
#include "core/lib/physview.h"
#include "core/lib/string.h"
#include "core/load/load_plan.h"

#define MB1_MAGIC	0x1badb002
#define MB1_SEARCH	8192

/* 3.1.2: bits of the header's flags; 0 to 15 must be obeyed. */
#define MB1_NEEDS_VIDEO	BIT(2)
#define MB1_OBEYED	(BIT(0) | BIT(1))
#define MB1_MUST	BITS(15, 0)
#define MB1_HAS_ADDR	BIT(16)

/* 3.3: bits of the information's flags. */
#define INFO_MEMORY	BIT(0)
#define INFO_CMDLINE	BIT(2)
#define INFO_MODS	BIT(3)
#define INFO_MMAP	BIT(6)
#define INFO_LOADER	BIT(9)

struct mb1_info {
	u32 flags;
	u32 mem_lower, mem_upper;	/* KiB */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 boot_loader_name;
	/* APM, VBE and framebuffer: flags say that they are not there. */
	u32 unused[12];
};
HW_FIELD(struct mb1_info, mmap_length, 44);
HW_FIELD(struct mb1_info, boot_loader_name, 64);
HW_SIZE(struct mb1_info, 116);

struct mb1_mmap {
	u32 size;		/* of the rest */
	u64 base, length;
	u32 type;
} __packed;
HW_SIZE(struct mb1_mmap, 24);

struct mb1_module {
	u32 start, end;
	u32 cmdline;
	u32 reserved;
};

s64 mb1_find_header(const u8 *data, u64 size)
{
	u64 at, end = MIN(size, MB1_SEARCH);

	for (at = 0; at + 12 <= end; at += 4) {
		const u8 *h = data + at;

		/* With addresses, the header has 32 bytes. */
		if (get_le32(h) == MB1_MAGIC &&
		    !(u32)(MB1_MAGIC + get_le32(h + 4) + get_le32(h + 8)) &&
		    (!(get_le32(h + 4) & MB1_HAS_ADDR) || at + 32 <= end))
			return (s64)at;
	}
	return -ENOENT;
}

bool mb1_has_addresses(const u8 *data, u64 at)
{
	return get_le32(data + at + 4) & MB1_HAS_ADDR;
}

int plan_addresses(struct load_plan *p, u64 at, const struct mb_addresses *a)
{
	u64 offset = at - (a->header - a->load);
	u64 file_size = p->img->size - offset, mem_size;

	if (a->load > a->header || a->header - a->load > at)
		return plan_refuse(p, -EINVAL, "multiboot header: header_addr 0x%x does not fit "
				   "load_addr 0x%x", a->header, a->load);
	if (a->load_end && a->load_end <= a->load)
		return plan_refuse(p, -EINVAL, "multiboot header: load_end_addr 0x%x is below "
				   "load_addr 0x%x", a->load_end, a->load);
	/* 0: the whole rest of the file; 0: no bss. */
	if (a->load_end)
		file_size = a->load_end - a->load;
	mem_size = file_size;
	if (a->bss_end && a->bss_end < a->load + file_size)
		return plan_refuse(p, -EINVAL, "multiboot header: bss_end_addr 0x%x is below the "
				   "end of the data", a->bss_end);
	if (a->bss_end)
		mem_size = a->bss_end - a->load;
	return plan_add_segment(p, a->load, mem_size, offset, file_size);
}

/* 3.1.3: one segment, described by the header alone. */
static int plan_aout(struct load_plan *p, u64 at)
{
	const u8 *h = (const u8 *)p->img->data + at;
	const struct mb_addresses a = {
		.header = get_le32(h + 12),
		.load = get_le32(h + 16),
		.load_end = get_le32(h + 20),
		.bss_end = get_le32(h + 24),
	};

	p->entry = get_le32(h + 28);
	return plan_addresses(p, at, &a);
}

static int plan_kernel(struct load_plan *p)
{
	const u8 *data = p->img->data;
	s64 at = mb1_find_header(data, p->img->size);
	u32 flags;
	int err;

	if (at < 0)
		return -EINVAL;
	flags = get_le32(data + at + 4);
	if (flags & MB1_NEEDS_VIDEO)
		return plan_refuse(p, -EOPNOTSUPP, "multiboot header asks for a video mode");
	if (flags & MB1_MUST & ~MB1_OBEYED)
		return plan_refuse(p, -EOPNOTSUPP, "multiboot header flags 0x%x are not known",
				   flags);
	err = flags & MB1_HAS_ADDR ? plan_aout(p, (u64)at) : plan_elf(p);
	return err ? err : plan_check_entry(p);
}

static void put_mmap(struct info_writer *w, const struct load_image *img, struct mb1_info *info)
{
	u32 i;

	info->mmap_addr = (u32)w->at;
	for (i = 0; i < img->n_map; i++) {
		const struct mem_range *r = &img->map[i];
		struct mb1_mmap e = { sizeof(e) - 4, r->base, r->size, mb_mem_type(r->type) };

		info_put(w, &e, sizeof(e));
	}
	info->mmap_length = (u32)w->at - info->mmap_addr;
}

/* The entries point at strings: those first, the entries into their gap. */
static void put_modules(struct info_writer *w, const struct load_plan *p, struct mb1_info *info)
{
	const struct load_segment *seg = &p->seg[p->first_module];
	struct mb1_module entries[PLAN_MODULES_MAX] = { 0 };
	u32 n = mb_modules(p->img), i;
	u64 end;

	info->mods_count = n;
	info->mods_addr = (u32)w->at;
	w->at += n * sizeof(entries[0]);
	for (i = 0; i < n; i++) {
		entries[i].start = (u32)seg[i].gpa;
		entries[i].end = (u32)(seg[i].gpa + seg[i].size);
		entries[i].cmdline = info_put_string(w, mb_module(p->img, i)->cmdline);
	}
	end = w->at;
	w->at = info->mods_addr;
	info_put(w, entries, n * sizeof(entries[0]));
	w->at = end;
}

/*
 * All of it, from w->at on.  As with QEMU, the command line starts with the
 * kernel's name: kernels skip the first word.
 */
static void put_info(struct info_writer *w, const struct load_plan *p)
{
	const struct load_image *img = p->img;
	struct mb1_info info = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER,
		.mem_lower = mb_mem_lower(img),
		.mem_upper = mb_mem_upper(img),
	};
	u64 start = w->at, end;

	w->at += sizeof(info);
	put_mmap(w, img, &info);
	put_modules(w, p, &info);
	info.boot_loader_name = info_put_string(w, mb_loader_name);
	info.cmdline = info_put(w, img->name, strlen(img->name));
	info_put(w, " ", 1);
	info_put_string(w, img->cmdline);
	end = w->at;
	w->at = start;
	info_put(w, &info, sizeof(info));
	w->at = end;
}

int mb1_plan(struct load_plan *p)
{
	struct info_writer count = { NULL, 0, 0 };
	int err = plan_kernel(p);

	if (!err)
		err = mb_plan_modules(p);
	if (err)
		return err;
	put_info(&count, p);
	return mb_plan_info(p, count.at);
}

int mb1_write(const struct load_plan *p, struct gmem *mem)
{
	struct info_writer w = { mem, p->info, 0 };

	put_info(&w, p);
	if (w.err)
		return plan_refuse(p, -ENOSPC, "boot information at 0x%llx cannot be written",
				   (unsigned long long)p->info);
	return 0;
}

/* 3.2 */
void mb1_enter(const struct load_plan *p, struct load_entry *e)
{
	e->mode = LOAD_MODE_PROT32;
	e->rip = p->entry;
	e->eax = 0x2badb002;
	e->ebx = (u32)p->info;
	e->cs = MB_CODE_SELECTOR;
	e->ds = MB_DATA_SELECTOR;
}
