// SPDX-License-Identifier: MIT
/* Multiboot2 specification 2.0: the kernel's header and what it is told. */
#include "core/lib/physview.h"
#include "core/lib/string.h"
#include "core/load/load_plan.h"

#define MB2_MAGIC	0xe85250d6
#define MB2_SEARCH	32768
#define MB2_ARCH_I386	0
#define MB2_HEADER_SIZE	16

/* 3.1.3: bit 0 of a tag's flags. */
#define TAG_OPTIONAL	BIT(0)

/* 3.6: tags of the information. */
enum {
	INFO_END = 0,
	INFO_CMDLINE = 1,
	INFO_LOADER = 2,
	INFO_MODULE = 3,
	INFO_MEMORY = 4,
	INFO_MMAP = 6,
	INFO_ELF_SECTIONS = 9,
	INFO_RSDP_OLD = 14,
	INFO_RSDP_NEW = 15,
	INFO_LOAD_BASE = 21,
};

/* What the header's tags ask for. */
struct mb2_header {
	struct load_plan *p;
	u64 at;			/* offset in the file */
	bool has_addresses, has_entry;
	u32 header_addr, load_addr, load_end, bss_end, entry;
	struct plan_window window;	/* when p->relocatable */
};

s64 mb2_find_header(const u8 *data, u64 size)
{
	u64 at, end = MIN(size, MB2_SEARCH);

	for (at = 0; at + MB2_HEADER_SIZE <= end; at += 8) {
		const u8 *h = data + at;

		if (get_le32(h) == MB2_MAGIC &&
		    !(u32)(get_le32(h) + get_le32(h + 4) + get_le32(h + 8) + get_le32(h + 12)))
			return (s64)at;
	}
	return -ENOENT;
}

/*
 * 3.1.4: a loader that does not know what is asked for must refuse; what it
 * knows and the machine has not is simply not told.  This machine has no EFI,
 * no VGA, no APM and no SMBIOS; a kernel in ELF does have sections.
 */
static int read_request(struct mb2_header *h, const u8 *tag, u32 size)
{
	u32 i;

	if (get_le16(tag + 2) & TAG_OPTIONAL)
		return 0;
	for (i = 8; i + 4 <= size; i += 4) {
		u32 type = get_le32(tag + i);

		if (type > INFO_LOAD_BASE)
			return plan_refuse(h->p, -EOPNOTSUPP,
					   "asks for multiboot 2 information %u, which is not "
					   "known", type);
		if (type == INFO_ELF_SECTIONS)
			return plan_refuse(h->p, -EOPNOTSUPP,
					   "asks for multiboot 2 information 9 (ELF sections), "
					   "which is not given");
	}
	return 0;
}

static int read_address(struct mb2_header *h, const u8 *tag, u32 size)
{
	h->has_addresses = true;
	h->header_addr = get_le32(tag + 8);
	h->load_addr = get_le32(tag + 12);
	h->load_end = get_le32(tag + 16);
	h->bss_end = get_le32(tag + 20);
	return 0;
}

static int read_entry(struct mb2_header *h, const u8 *tag, u32 size)
{
	h->has_entry = true;
	h->entry = get_le32(tag + 8);
	return 0;
}

/* 3.1.9: bit 0: a console must be there, and the information about it. */
static int read_console(struct mb2_header *h, const u8 *tag, u32 size)
{
	if ((get_le32(tag + 8) & BIT(0)) && !(get_le16(tag + 2) & TAG_OPTIONAL))
		return plan_refuse(h->p, -EOPNOTSUPP, "multiboot 2 header asks for a screen");
	return 0;
}

/* 3.1.13 */
static int read_relocatable(struct mb2_header *h, const u8 *tag, u32 size)
{
	u32 align = get_le32(tag + 16), preference = get_le32(tag + 20);

	if (align & (align - 1))
		return plan_refuse(h->p, -EINVAL, "multiboot 2 header: alignment 0x%x", align);
	if (preference > PLAN_HIGHEST)
		return plan_refuse(h->p, -EINVAL, "multiboot 2 header: load preference %u",
				   preference);
	h->p->relocatable = true;
	h->window.min = get_le32(tag + 8);
	/* "Highest possible physical address at which loaded image should end." */
	h->window.max = get_le32(tag + 12);
	h->window.align = align ? align : 1;
	h->window.preference = preference;
	return 0;
}

/*
 * 3.1.10: the framebuffer tag is a wish.  3.1.11: modules always lie on pages.
 * 3.1.12: the kernel can start with EFI boot services, and need not.  3.1.7,
 * 3.1.8: entries that count on EFI only.
 */
static int read_nothing(struct mb2_header *h, const u8 *tag, u32 size)
{
	return 0;
}

/* clang-format off */
static const struct {
	u16 size;		/* at least */
	int (*read)(struct mb2_header *h, const u8 *tag, u32 size);
} header_tags[] = {
	/* type	  size	reader */
	[1]	= { 8,	read_request },
	[2]	= { 24,	read_address },
	[3]	= { 12,	read_entry },
	[4]	= { 12,	read_console },
	[5]	= { 20,	read_nothing },		/* framebuffer */
	[6]	= { 8,	read_nothing },		/* module alignment */
	[7]	= { 8,	read_nothing },		/* EFI boot services */
	[8]	= { 12,	read_nothing },		/* EFI i386 entry */
	[9]	= { 12,	read_nothing },		/* EFI amd64 entry */
	[10]	= { 24,	read_relocatable },
};
/* clang-format on */

static int read_tag(struct mb2_header *h, const u8 *tag, u32 size)
{
	u16 type = get_le16(tag);

	if (!type || type >= ARRAY_SIZE(header_tags)) {
		if (get_le16(tag + 2) & TAG_OPTIONAL)
			return 0;
		return plan_refuse(h->p, -EOPNOTSUPP, "multiboot 2 header tag %u is not known",
				   type);
	}
	if (size < header_tags[type].size)
		return plan_refuse(h->p, -EINVAL, "multiboot 2 header tag %u has only %u bytes",
				   type, size);
	return header_tags[type].read(h, tag, size);
}

/* 3.1.3: each tag on 8 bytes, the last one of type 0 and size 8. */
static int read_header(struct mb2_header *h)
{
	struct load_plan *p = h->p;
	const u8 *data = (const u8 *)p->img->data + h->at;
	u32 arch = get_le32(data + 4), len = get_le32(data + 8), at, size;
	int err;

	if (arch != MB2_ARCH_I386)
		return plan_refuse(p, -EOPNOTSUPP, "multiboot 2 header for architecture %u, not "
				   "i386", arch);
	if (len > MIN(p->img->size, MB2_SEARCH) - h->at)
		return plan_refuse(p, -EINVAL, "truncated: multiboot 2 header of %u bytes", len);
	for (at = MB2_HEADER_SIZE; at + 8 <= len; at += ALIGN_UP(size, 8)) {
		size = get_le32(data + at + 4);
		if (size < 8 || size > len - at)
			return plan_refuse(p, -EINVAL, "multiboot 2 header tag of %u bytes at "
					   "offset %u", size, at);
		if (!get_le16(data + at) && size == 8)
			return 0;
		err = read_tag(h, data + at, size);
		if (err)
			return err;
	}
	return plan_refuse(p, -EINVAL, "multiboot 2 header without an end tag");
}

/* 3.1.5.  load_addr -1: the file from its beginning. */
static int plan_from_tag(struct mb2_header *h)
{
	struct mb_addresses a = { h->header_addr, h->load_addr, h->load_end, h->bss_end };

	if (!h->has_entry)
		return plan_refuse(h->p, -EINVAL, "multiboot 2 header has an address tag, but no "
				   "entry address tag");
	if (a.load == 0xffffffff)
		a.load = (u32)(h->header_addr - h->at);
	return plan_addresses(h->p, h->at, &a);
}

static bool is_elf(const struct load_image *img)
{
	return img->size >= 6 && !memcmp(img->data, "\x7f" "ELF", 4);
}

static int plan_kernel(struct mb2_header *h)
{
	struct load_plan *p = h->p;
	int err;

	p->floating = p->relocatable;
	if (h->has_addresses)
		err = plan_from_tag(h);
	else if (is_elf(p->img))
		err = plan_elf(p);
	else
		err = plan_refuse(p, -EINVAL, "multiboot 2 header without an address tag in a "
				  "file that is not ELF");
	if (err)
		return err;
	/* 3.1.6: a physical address; counts more than that of the ELF header. */
	if (h->has_entry)
		p->entry = h->entry;
	err = plan_check_entry(p);
	if (err || !p->relocatable)
		return err;
	p->load_base = plan_settle(p, &h->window);
	if (!p->load_base)
		return plan_refuse(p, -ENOSPC, "no room for the kernel from 0x%llx to 0x%llx",
				   (unsigned long long)h->window.min,
				   (unsigned long long)h->window.max);
	return 0;
}

/* 3.6.2: a tag's head; the next one starts on 8 bytes. */
static void put_tag(struct info_writer *w, u32 type, u32 size)
{
	static const u8 zeros[8];
	const u32 head[2] = { type, 8 + size };

	info_put(w, zeros, -w->at & 7);
	info_put(w, head, sizeof(head));
}

static void put_string_tag(struct info_writer *w, u32 type, const char *s)
{
	put_tag(w, type, (u32)strlen(s) + 1);
	info_put_string(w, s);
}

/* 3.6.6 */
static void put_modules(struct info_writer *w, const struct load_plan *p)
{
	u32 i;

	for (i = 0; i < mb_modules(p->img); i++) {
		const struct load_segment *seg = &p->seg[p->first_module + i];
		const char *cmdline = mb_module(p->img, i)->cmdline;
		const u32 range[2] = { (u32)seg->gpa, (u32)(seg->gpa + seg->size) };

		put_tag(w, INFO_MODULE, (u32)(sizeof(range) + strlen(cmdline) + 1));
		info_put(w, range, sizeof(range));
		info_put_string(w, cmdline);
	}
}

struct mb2_mmap {
	u64 base, length;
	u32 type, reserved;
};
HW_FIELD(struct mb2_mmap, type, 16);
HW_SIZE(struct mb2_mmap, 24);

/* 3.6.3, 3.6.8 */
static void put_memory(struct info_writer *w, const struct load_image *img)
{
	const u32 sizes[2] = { mb_mem_lower(img), mb_mem_upper(img) };
	const u32 entry[2] = { sizeof(struct mb2_mmap), 0 };
	u32 i;

	put_tag(w, INFO_MEMORY, sizeof(sizes));
	info_put(w, sizes, sizeof(sizes));
	put_tag(w, INFO_MMAP, (u32)(sizeof(entry) + img->n_map * sizeof(struct mb2_mmap)));
	info_put(w, entry, sizeof(entry));
	for (i = 0; i < img->n_map; i++) {
		const struct mem_range *r = &img->map[i];
		struct mb2_mmap e = { r->base, r->size, mb_mem_type(r->type), 0 };

		info_put(w, &e, sizeof(e));
	}
}

/* 3.6.16, 3.6.17: copies; the old one is the first 20 bytes, with revision 0. */
static void put_rsdp(struct info_writer *w, const u8 *rsdp)
{
	u8 old[20];

	put_tag(w, INFO_RSDP_NEW, PLAN_RSDP_SIZE);
	info_put(w, rsdp, PLAN_RSDP_SIZE);
	memcpy(old, rsdp, sizeof(old));
	/* The checksum covers the revision. */
	old[8] = (u8)(old[8] + old[15]);
	old[15] = 0;
	put_tag(w, INFO_RSDP_OLD, sizeof(old));
	info_put(w, old, sizeof(old));
}

/* All of it; w->at is a multiple of 8. */
static void put_info(struct info_writer *w, const struct load_plan *p)
{
	const struct load_image *img = p->img;
	u32 base = (u32)p->load_base, head[2] = { 0, 0 };
	u64 start = w->at, end;

	w->at += sizeof(head);
	put_string_tag(w, INFO_CMDLINE, img->cmdline);
	put_string_tag(w, INFO_LOADER, mb_loader_name);
	put_modules(w, p);
	put_memory(w, img);
	if (img->rsdp)
		put_rsdp(w, p->rsdp);
	if (p->relocatable) {
		put_tag(w, INFO_LOAD_BASE, sizeof(base));
		info_put(w, &base, sizeof(base));
	}
	put_tag(w, INFO_END, 0);
	end = w->at;
	head[0] = (u32)(end - start);
	w->at = start;
	info_put(w, head, sizeof(head));
	w->at = end;
}

int mb2_plan(struct load_plan *p)
{
	struct info_writer count = { NULL, 0, 0 };
	struct mb2_header h = { .p = p };
	s64 at = mb2_find_header(p->img->data, p->img->size);
	int err;

	if (at < 0)
		return -EINVAL;
	h.at = (u64)at;
	if (p->img->rsdp && gmem_read(p->mem, p->img->rsdp, p->rsdp, sizeof(p->rsdp)))
		return plan_refuse(p, -EINVAL, "RSDP at 0x%llx cannot be read",
				   (unsigned long long)p->img->rsdp);
	err = read_header(&h);
	if (!err)
		err = plan_kernel(&h);
	if (!err)
		err = mb_plan_modules(p);
	if (err)
		return err;
	put_info(&count, p);
	return mb_plan_info(p, count.at);
}

int mb2_write(const struct load_plan *p, struct gmem *mem)
{
	struct info_writer w = { mem, p->info, 0 };

	put_info(&w, p);
	if (w.err)
		return plan_refuse(p, -ENOSPC, "boot information at 0x%llx cannot be written",
				   (unsigned long long)p->info);
	return 0;
}

/* 3.3: the i386 state, for 64-bit kernels too. */
void mb2_enter(const struct load_plan *p, struct load_entry *e)
{
	e->mode = LOAD_MODE_PROT32;
	e->rip = p->entry;
	e->eax = 0x36d76289;
	e->ebx = (u32)p->info;
	e->cs = MB_CODE_SELECTOR;
	e->ds = MB_DATA_SELECTOR;
}
