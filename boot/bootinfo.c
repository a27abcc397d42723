// SPDX-License-Identifier: MIT
/*
 * Everything is read through the view and nothing is believed: a length is
 * checked against what holds it before it is used.
 */
#include "boot/bootinfo.h"

#include "core/lib/string.h"

/* One parse: what the handlers below share. */
struct parse {
	struct bootinfo *b;
	const struct phys_view *view;
	const struct diag *d;
	u32 ranges_dropped, modules_dropped;
	bool has_cmdline, has_mmap;
};

/* What both protocols say, in the same words. */

static void add_range(struct parse *p, u64 base, u64 size, u32 type)
{
	struct bootinfo *b = p->b;

	if (base + size < base)
		size = ~0ULL - base;
	if (!size)
		return;
	if (b->n_ranges < BOOT_RANGES_MAX)
		b->ranges[b->n_ranges++] = (struct boot_range){ base, size, type };
	else if (!p->ranges_dropped++)
		diag_printf(p->d, "multiboot: more than %d memory ranges, the rest is ignored",
			    BOOT_RANGES_MAX);
}

/* Multiboot 1, 3.3: KiB from 0 and KiB from 1 MiB, when there is no map. */
static void add_basic_memory(struct parse *p, u32 lower, u32 upper)
{
	add_range(p, 0, (u64)lower << 10, 1);
	add_range(p, 1 << 20, (u64)upper << 10, 1);
}

static struct boot_module *add_module(struct parse *p, u64 start, u64 end)
{
	struct bootinfo *b = p->b;
	struct boot_module *m;

	if (b->n_modules == BOOT_MODULES_MAX) {
		if (!p->modules_dropped++)
			diag_printf(p->d, "multiboot: more than %d modules, the rest is ignored",
				    BOOT_MODULES_MAX);
		return NULL;
	}
	m = &b->modules[b->n_modules++];
	m->start = start;
	m->size = end > start ? end - start : 0;
	if (end <= start)
		m->refused = end < start ? "ends before it starts" : "empty";
	return m;
}

/* Copies a string that must end within avail bytes. */
static void set_string(struct parse *p, char *dst, size_t size, const char *src, size_t avail,
		       const char *what)
{
	size_t n = strnlen(src, avail);

	if (n == avail)
		diag_printf(p->d, "multiboot: %s is not terminated", what);
	else if (n >= size)
		diag_printf(p->d, "multiboot: %s is longer than %zu bytes, the rest is ignored",
			    what, size - 1);
	n = MIN(n, size - 1);
	memcpy(dst, src, n);
	dst[n] = '\0';
}

/* Lines long enough for their pixels, and all of it below 2^64. */
static bool framebuffer_fits(const struct boot_framebuffer *fb)
{
	/* A text cell has 16 bits, whatever bpp says. */
	u64 bits = fb->type == BOOT_FB_TEXT ? 16 : fb->bpp;
	u64 bytes = (u64)fb->pitch * fb->height;

	return fb->width && bytes && bits && bits <= 64 &&
	       fb->pitch >= (fb->width * bits + 7) / 8 && fb->addr + bytes > fb->addr;
}

/* colours: position and size of red, green, blue, or NULL. */
static bool set_colours(struct boot_framebuffer *fb, const u8 *colours)
{
	if (!colours)
		return false;
	fb->red = (struct boot_fb_colour){ colours[0], colours[1] };
	fb->green = (struct boot_fb_colour){ colours[2], colours[3] };
	fb->blue = (struct boot_fb_colour){ colours[4], colours[5] };
	return colours[0] + colours[1] <= fb->bpp && colours[2] + colours[3] <= fb->bpp &&
	       colours[4] + colours[5] <= fb->bpp;
}

static void set_framebuffer(struct parse *p, const u8 *raw, const u8 *colours)
{
	static const enum boot_fb_type types[] = { BOOT_FB_INDEXED, BOOT_FB_RGB, BOOT_FB_TEXT };
	struct boot_framebuffer fb = {
		.type = raw[21] < ARRAY_SIZE(types) ? types[raw[21]] : BOOT_FB_NONE,
		.addr = get_le64(raw),
		.pitch = get_le32(raw + 8),
		.width = get_le32(raw + 12),
		.height = get_le32(raw + 16),
		.bpp = raw[20],
	};

	if (!fb.addr)
		return;
	if (fb.type == BOOT_FB_NONE || !framebuffer_fits(&fb) ||
	    (fb.type == BOOT_FB_RGB && !set_colours(&fb, colours)))
		diag_printf(p->d, "multiboot: framebuffer %ux%ux%u, pitch %u, type %u makes no "
			    "sense, ignored", fb.width, fb.height, fb.bpp, fb.pitch, raw[21]);
	else
		p->b->fb = fb;
}

/* Multiboot 1. */

/* Multiboot 0.6.96, 3.3: bits of flags. */
#define MB1_MEMORY	BIT(0)
#define MB1_CMDLINE	BIT(2)
#define MB1_MODS	BIT(3)
#define MB1_MMAP	BIT(6)
#define MB1_LOADER	BIT(9)
#define MB1_FRAMEBUFFER	BIT(12)

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
};
HW_FIELD(struct mb1_info, mods_count, 20);
HW_FIELD(struct mb1_info, mmap_length, 44);
HW_SIZE(struct mb1_info, 68);

/* The framebuffer's part; older loaders' structure ends before it. */
#define MB1_FB_OFFSET	88
#define MB1_FB_SIZE	28
#define MB1_FB_COLOURS	22

#define MB1_MODULE_SIZE	16

/* Only the terminator tells the length: byte by byte. */
static void mb1_string(struct parse *p, char *dst, size_t size, u64 pa, const char *what)
{
	size_t n;

	for (n = 0; n < size - 1; n++) {
		const char *c = phys_map(p->view, pa + n, 1);

		if (!c) {
			diag_printf(p->d, "multiboot: %s at 0x%llx cannot be read", what,
				    (unsigned long long)pa);
			break;
		}
		if (!*c)
			break;
		dst[n] = *c;
	}
	dst[n] = '\0';
	if (n == size - 1)
		diag_printf(p->d, "multiboot: %s is longer than %zu bytes, the rest is ignored",
			    what, size - 1);
}

static void mb1_mmap(struct parse *p, const struct mb1_info *info)
{
	const u8 *map = info->mmap_length ?
		phys_map(p->view, info->mmap_addr, info->mmap_length) : NULL;
	u32 at = 0;

	if (!map) {
		diag_printf(p->d, "multiboot: memory map of %u bytes at 0x%x cannot be read",
			    info->mmap_length, info->mmap_addr);
		return;
	}
	/* size does not count itself. */
	while (info->mmap_length - at >= 24 && !p->ranges_dropped) {
		u32 size = get_le32(map + at);

		if (size < 20 || size > info->mmap_length - at - 4) {
			diag_printf(p->d, "multiboot: memory map entry of %u bytes, the rest is "
				    "ignored", size);
			return;
		}
		add_range(p, get_le64(map + at + 4), get_le64(map + at + 12),
			  get_le32(map + at + 20));
		at += 4 + size;
	}
}

static void mb1_modules(struct parse *p, const struct mb1_info *info)
{
	u32 i;

	for (i = 0; i < info->mods_count && !p->modules_dropped; i++) {
		u64 pa = info->mods_addr + (u64)i * MB1_MODULE_SIZE;
		const u8 *raw = phys_map(p->view, pa, MB1_MODULE_SIZE);
		struct boot_module *m;
		u32 cmdline;

		if (!raw) {
			diag_printf(p->d, "multiboot: entry of module %u of %u cannot be read, "
				    "the rest is ignored", i, info->mods_count);
			return;
		}
		m = add_module(p, get_le32(raw), get_le32(raw + 4));
		cmdline = get_le32(raw + 8);
		if (m && cmdline)
			mb1_string(p, m->cmdline, sizeof(m->cmdline), cmdline,
				   "a module's command line");
	}
}

static int mb1_parse(struct parse *p, u64 pa)
{
	struct bootinfo *b = p->b;
	const u8 *raw = phys_map(p->view, pa, sizeof(struct mb1_info));
	struct mb1_info info;

	if (!raw) {
		diag_printf(p->d, "multiboot: information at 0x%llx cannot be read",
			    (unsigned long long)pa);
		return -EINVAL;
	}
	memcpy(&info, raw, sizeof(info));
	b->protocol = 1;
	b->info_start = pa;
	b->info_size = MB1_FB_OFFSET + MB1_FB_SIZE;
	if ((info.flags & MB1_CMDLINE) && info.cmdline)
		mb1_string(p, b->cmdline, sizeof(b->cmdline), info.cmdline, "the command line");
	if ((info.flags & MB1_LOADER) && info.boot_loader_name)
		mb1_string(p, b->loader, sizeof(b->loader), info.boot_loader_name,
			   "the loader's name");
	if (info.flags & MB1_MMAP)
		mb1_mmap(p, &info);
	if (!b->n_ranges && (info.flags & MB1_MEMORY))
		add_basic_memory(p, info.mem_lower, info.mem_upper);
	if (info.flags & MB1_MODS)
		mb1_modules(p, &info);
	if (info.flags & MB1_FRAMEBUFFER) {
		raw = phys_map(p->view, pa + MB1_FB_OFFSET, MB1_FB_SIZE);
		if (raw)
			set_framebuffer(p, raw, raw + MB1_FB_COLOURS);
	}
	return 0;
}

/* Multiboot 2, 3.6: tags, each {type, size} and data; size counts all. */

static void tag_cmdline(struct parse *p, const u8 *tag, u32 size)
{
	/* A second one would hide the first from whoever reads the log. */
	if (p->has_cmdline) {
		diag_printf(p->d, "multiboot: second command line ignored");
		return;
	}
	p->has_cmdline = true;
	set_string(p, p->b->cmdline, sizeof(p->b->cmdline), (const char *)tag + 8, size - 8,
		   "the command line");
}

static void tag_loader(struct parse *p, const u8 *tag, u32 size)
{
	set_string(p, p->b->loader, sizeof(p->b->loader), (const char *)tag + 8, size - 8,
		   "the loader's name");
}

static void tag_module(struct parse *p, const u8 *tag, u32 size)
{
	struct boot_module *m = add_module(p, get_le32(tag + 8), get_le32(tag + 12));

	if (m && size > 16)
		set_string(p, m->cmdline, sizeof(m->cmdline), (const char *)tag + 16, size - 16,
			   "a module's command line");
}

static void tag_mmap(struct parse *p, const u8 *tag, u32 size)
{
	u32 entry = get_le32(tag + 8), at;

	if (entry < 24 || p->has_mmap) {
		diag_printf(p->d, "multiboot: %s memory map with entries of %u bytes ignored",
			    p->has_mmap ? "second" : "bad", entry);
		return;
	}
	p->has_mmap = true;
	for (at = 16; size - at >= entry && !p->ranges_dropped; at += entry)
		add_range(p, get_le64(tag + at), get_le64(tag + at + 8), get_le32(tag + at + 16));
}

static void tag_framebuffer(struct parse *p, const u8 *tag, u32 size)
{
	set_framebuffer(p, tag + 8, size >= 38 ? tag + 32 : NULL);
}

static void set_systab(struct parse *p, u64 pa, bool is_64)
{
	p->b->firmware = BOOT_FW_UEFI;
	p->b->efi_systab = pa;
	p->b->efi_64 = is_64;
}

static void tag_efi32(struct parse *p, const u8 *tag, u32 size)
{
	set_systab(p, get_le32(tag + 8), false);
}

static void tag_efi64(struct parse *p, const u8 *tag, u32 size)
{
	set_systab(p, get_le64(tag + 8), true);
}

static void tag_rsdp_v1(struct parse *p, const u8 *tag, u32 size)
{
	memcpy(p->b->rsdp_v1, tag + 8, sizeof(p->b->rsdp_v1));
	p->b->has_rsdp_v1 = true;
}

static void tag_rsdp_v2(struct parse *p, const u8 *tag, u32 size)
{
	memcpy(p->b->rsdp_v2, tag + 8, sizeof(p->b->rsdp_v2));
	p->b->has_rsdp_v2 = true;
}

/* Without a use here, except that only EFI firmware brings it. */
static void tag_efi(struct parse *p, const u8 *tag, u32 size)
{
	p->b->firmware = BOOT_FW_UEFI;
}

static void tag_basic_memory(struct parse *p, const u8 *tag, u32 size)
{
	add_basic_memory(p, get_le32(tag + 8), get_le32(tag + 12));
}

#define MB2_TAG_END		0
#define MB2_TAG_BASIC_MEMORY	4

struct tag_handler {
	u32 type;
	u32 min_size;
	void (*handle)(struct parse *p, const u8 *tag, u32 size);
};

/* clang-format off */
static const struct tag_handler tag_handlers[] = {
	/* type	size	handler */
	{ 1,	9,	tag_cmdline },
	{ 2,	9,	tag_loader },
	{ 3,	16,	tag_module },
	{ 6,	16,	tag_mmap },
	{ 8,	32,	tag_framebuffer },
	{ 11,	12,	tag_efi32 },
	{ 12,	16,	tag_efi64 },
	{ 14,	28,	tag_rsdp_v1 },
	{ 15,	44,	tag_rsdp_v2 },
	{ 17,	16,	tag_efi },
	{ 18,	8,	tag_efi },
	{ 19,	12,	tag_efi },
	{ 20,	16,	tag_efi },
};
/* clang-format on */

/* Waits for the end: a memory map makes it superfluous. */
static const struct tag_handler basic_memory_handler = {
	MB2_TAG_BASIC_MEMORY, 16, tag_basic_memory
};

static void handle_tag(struct parse *p, const struct tag_handler *h, const u8 *tag, u32 size)
{
	if (size < h->min_size)
		diag_printf(p->d, "multiboot: tag %u has %u bytes of at least %u, ignored",
			    h->type, size, h->min_size);
	else
		h->handle(p, tag, size);
}

static void dispatch_tag(struct parse *p, u32 type, const u8 *tag, u32 size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tag_handlers); i++) {
		if (tag_handlers[i].type == type)
			handle_tag(p, &tag_handlers[i], tag, size);
	}
}

static int mb2_parse(struct parse *p, u64 pa)
{
	const u8 *raw = phys_map(p->view, pa, 8), *basic = NULL;
	u32 total = raw ? get_le32(raw) : 0, at, size;

	if (total >= 16)
		raw = phys_map(p->view, pa, total);
	if (!raw || total < 16) {
		diag_printf(p->d, "multiboot: information of %u bytes at 0x%llx cannot be read",
			    total, (unsigned long long)pa);
		return -EINVAL;
	}
	p->b->protocol = 2;
	p->b->info_start = pa;
	p->b->info_size = total;
	for (at = 8; total - at >= 8; at += size) {
		u32 type = get_le32(raw + at);

		size = get_le32(raw + at + 4);
		if (type == MB2_TAG_END)
			break;
		if (size < 8 || size > total - at) {
			diag_printf(p->d, "multiboot: tag %u of %u bytes at offset %u, the rest "
				    "is ignored", type, size, at);
			break;
		}
		if (type == MB2_TAG_BASIC_MEMORY)
			basic = raw + at;
		else
			dispatch_tag(p, type, raw + at, size);
		size = ALIGN_UP(size, 8U);
		/* The last tag may lack its padding. */
		if (size > total - at)
			break;
	}
	if (basic && !p->b->n_ranges)
		handle_tag(p, &basic_memory_handler, basic, get_le32(basic + 4));
	return 0;
}

/* Is [start, start + size) wholly inside ranges of RAM? */
static bool in_ram(const struct bootinfo *b, u64 start, u64 size)
{
	u64 end = start + size, at = start;
	u32 i = 0;

	/* Each hit moves on by at least a byte; ranges may come in any order. */
	while (at < end && i < b->n_ranges) {
		const struct boot_range *r = &b->ranges[i++];

		if (r->type == 1 && at >= r->base && at - r->base < r->size) {
			at = r->base + r->size;
			i = 0;
		}
	}
	return at >= end;
}

/* Modules that lie where no file can be are kept, but marked. */
static void check_modules(struct parse *p)
{
	struct bootinfo *b = p->b;
	u32 i, k;

	for (i = 0; i < b->n_modules; i++) {
		struct boot_module *m = &b->modules[i];

		if (!m->refused && b->n_ranges && !in_ram(b, m->start, m->size))
			m->refused = "lies beyond memory";
		for (k = 0; k < i && !m->refused; k++) {
			const struct boot_module *o = &b->modules[k];

			if (!o->refused && m->start < o->start + o->size &&
			    o->start < m->start + m->size)
				m->refused = "overlaps another module";
		}
		if (!m->refused && !phys_map(p->view, m->start, m->size))
			m->refused = "cannot be read";
		if (m->refused)
			diag_printf(p->d, "multiboot: module %u \"%.60s\" %s", i, m->cmdline,
				    m->refused);
	}
}

int bootinfo_parse(u32 magic, u64 info_pa, const struct phys_view *view, struct bootinfo *b,
		   const struct diag *d)
{
	struct parse p = { .b = b, .view = view, .d = d };
	int err = -EINVAL;

	memset(b, 0, sizeof(*b));
	if (magic == MB1_LOADER_MAGIC)
		err = mb1_parse(&p, info_pa);
	else if (magic == MB2_LOADER_MAGIC)
		err = mb2_parse(&p, info_pa);
	else
		diag_printf(d, "multiboot: loader passed 0x%x, not a multiboot magic", magic);
	check_modules(&p);
	return err;
}
