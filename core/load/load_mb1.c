// SPDX-License-Identifier: MIT
/* Multiboot specification 0.6.96: the kernel's header and what it is told. */
#include "core/lib/physview.h"
#include "core/lib/printf.h"
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

/*
 * The information lies in low memory, where no kernel is linked; above the
 * real-mode tables and QEMU's own choice, below the EBDA.
 */
#define INFO_MIN	0x9000
#define INFO_MAX	0x9f000
#define LIMIT_4G	(1ULL << 32)
#define INFO_MMAP_MAX	256

static const char loader_name[] = "nestbed";

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

/* 3.1.3: one segment, described by the header alone. */
static int plan_addresses(struct load_plan *p, u64 at)
{
	const u8 *h = (const u8 *)p->img->data + at;
	u32 header_addr = get_le32(h + 12), load_addr = get_le32(h + 16);
	u32 load_end = get_le32(h + 20), bss_end = get_le32(h + 24);
	u64 offset = at - (header_addr - load_addr);
	u64 file_size = p->img->size - offset, mem_size;

	if (load_addr > header_addr || header_addr - load_addr > at)
		return plan_refuse(p, -EINVAL, "multiboot header: header_addr 0x%x does not fit "
				   "load_addr 0x%x", header_addr, load_addr);
	if (load_end && load_end <= load_addr)
		return plan_refuse(p, -EINVAL, "multiboot header: load_end_addr 0x%x is below "
				   "load_addr 0x%x", load_end, load_addr);
	/* 0: the whole rest of the file; 0: no bss. */
	if (load_end)
		file_size = load_end - load_addr;
	mem_size = file_size;
	if (bss_end && bss_end < load_addr + file_size)
		return plan_refuse(p, -EINVAL, "multiboot header: bss_end_addr 0x%x is below the "
				   "end of the data", bss_end);
	if (bss_end)
		mem_size = bss_end - load_addr;
	p->entry = get_le32(h + 28);
	return plan_add_segment(p, load_addr, mem_size, offset, file_size);
}

int plan_mb1(struct load_plan *p)
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
	err = flags & MB1_HAS_ADDR ? plan_addresses(p, (u64)at) : plan_elf(p);
	if (err)
		return err;
	if (!p->n_segs)
		return plan_refuse(p, -EINVAL, "nothing to load");
	if (!plan_has_code(p, p->entry))
		return plan_refuse(p, -EINVAL, "entry 0x%llx is outside what is loaded",
				   (unsigned long long)p->entry);
	return 0;
}

/* Bytes of RAM without a gap from base on. */
static u64 ram_from(const struct load_image *img, u64 base)
{
	u64 at = base;
	u32 i;

	for (i = 0; i < img->n_map; i++) {
		const struct mem_range *r = &img->map[i];

		if (r->type == MEM_RAM && at >= r->base && at - r->base < r->size)
			at = r->base + r->size;
	}
	return at - base;
}

/* Writes the parts of the information one behind the other. */
struct info_writer {
	struct gmem *mem;
	u64 at;
	int err;
};

static u32 put(struct info_writer *w, const void *data, u64 size)
{
	u32 at = (u32)w->at;

	if (!w->err && size)
		w->err = gmem_write(w->mem, w->at, data, size);
	w->at += size;
	return at;
}

static u32 put_string(struct info_writer *w, const char *s)
{
	return put(w, s, strlen(s) + 1);
}

static void put_mmap(struct info_writer *w, const struct load_image *img, struct mb1_info *info)
{
	u32 i;

	info->mmap_addr = (u32)w->at;
	for (i = 0; i < img->n_map; i++) {
		const struct mem_range *r = &img->map[i];
		struct mb1_mmap e = { sizeof(e) - 4, r->base, r->size, r->type };

		if (e.type > MEM_BAD)
			e.type = MEM_RESERVED;
		put(w, &e, sizeof(e));
	}
	info->mmap_length = (u32)w->at - info->mmap_addr;
}

/*
 * All of the information.  As with QEMU, the command line starts with the
 * kernel's name: kernels skip the first word.
 */
static u64 info_size(const struct load_image *img)
{
	u64 size = sizeof(struct mb1_info) + img->n_map * sizeof(struct mb1_mmap) +
		   img->n_modules * sizeof(struct mb1_module) + sizeof(loader_name) +
		   strlen(img->name) + 1 + strlen(img->cmdline) + 1;
	u32 i;

	for (i = 0; i < img->n_modules; i++)
		size += strlen(img->modules[i].cmdline) + 1;
	return size;
}

/* Page-aligned behind the kernel (header flag bit 0). */
static int place_modules(struct load_plan *p)
{
	const struct load_image *img = p->img;
	u64 min = p->end;
	u32 i;

	if (img->n_modules > PLAN_MODULES_MAX)
		return plan_refuse(p, -EINVAL, "more than %d modules", PLAN_MODULES_MAX);
	p->first_module = p->n_segs;
	for (i = 0; i < img->n_modules; i++) {
		const struct load_module *m = &img->modules[i];

		if (!m->size)
			return plan_refuse(p, -EINVAL, "module \"%.40s\" is empty", m->cmdline);
		if (!plan_place(p, m->size, PAGE_SIZE, min, LIMIT_4G, m->data))
			return plan_refuse(p, -ENOSPC, "no room for module \"%.40s\" of 0x%llx "
					   "bytes", m->cmdline, (unsigned long long)m->size);
	}
	return 0;
}

int mb1_plan_info(struct load_plan *p)
{
	u64 size;
	int err;

	if (p->img->n_map > INFO_MMAP_MAX)
		return plan_refuse(p, -EINVAL, "memory map of %u ranges", p->img->n_map);
	err = place_modules(p);
	if (err)
		return err;
	size = info_size(p->img);
	p->info = plan_place(p, size, 8, INFO_MIN, INFO_MAX, NULL);
	if (!p->info)
		p->info = plan_place(p, size, 8, p->end, LIMIT_4G, NULL);
	if (!p->info)
		return plan_refuse(p, -ENOSPC, "no room for the boot information");
	return 0;
}

/* The entries point at strings: those first, the entries into their gap. */
static void put_modules(struct info_writer *w, const struct load_plan *p, struct mb1_info *info)
{
	const struct load_segment *seg = &p->seg[p->first_module];
	struct mb1_module entries[PLAN_MODULES_MAX] = { 0 };
	u32 n = p->img->n_modules, i;
	u64 end;

	info->mods_count = n;
	info->mods_addr = (u32)w->at;
	w->at += n * sizeof(entries[0]);
	for (i = 0; i < n; i++) {
		entries[i].start = (u32)seg[i].gpa;
		entries[i].end = (u32)(seg[i].gpa + seg[i].size);
		entries[i].cmdline = put_string(w, p->img->modules[i].cmdline);
	}
	end = w->at;
	w->at = info->mods_addr;
	put(w, entries, n * sizeof(entries[0]));
	w->at = end;
}

int mb1_write_info(const struct load_plan *p, struct gmem *mem)
{
	const struct load_image *img = p->img;
	struct info_writer w = { mem, p->info + sizeof(struct mb1_info), 0 };
	struct mb1_info info = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER,
		.mem_lower = (u32)(MIN(ram_from(img, 0), 0xa0000) >> 10),
		.mem_upper = (u32)MIN(ram_from(img, 1 << 20) >> 10, 0xffffffff),
	};

	put_mmap(&w, img, &info);
	put_modules(&w, p, &info);
	info.boot_loader_name = put_string(&w, loader_name);
	info.cmdline = put(&w, img->name, strlen(img->name));
	put(&w, " ", 1);
	put_string(&w, img->cmdline);
	w.at = p->info;
	put(&w, &info, sizeof(info));
	if (w.err)
		return plan_refuse(p, -ENOSPC, "boot information at 0x%llx cannot be written",
				   (unsigned long long)p->info);
	return 0;
}
