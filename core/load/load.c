// SPDX-License-Identifier: MIT
#include "core/load/load.h"

#include "core/lib/physview.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/load/load_plan.h"

#define LIMIT_4G	(1ULL << 32)

int plan_refuse(const struct load_plan *p, int err, const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	va_start(ap, fmt);
	nb_vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	diag_printf(p->d, "guest %.60s: refused: %s", p->img->name, reason);
	return err;
}

/* Is [gpa, gpa + size) all RAM?  The map is sorted and disjoint. */
static bool in_ram(const struct load_image *img, u64 gpa, u64 size)
{
	u64 at = gpa, end = gpa + size;
	u32 i;

	for (i = 0; i < img->n_map && at < end; i++) {
		const struct mem_range *r = &img->map[i];

		if (r->type == MEM_RAM && at >= r->base && at - r->base < r->size)
			at = r->base + r->size;
	}
	return at >= end;
}

/* The segment that [gpa, gpa + size) overlaps, or NULL. */
static const struct load_segment *find_overlap(const struct load_plan *p, u64 gpa, u64 size)
{
	u32 i;

	for (i = 0; i < p->n_segs; i++) {
		const struct load_segment *s = &p->seg[i];

		if (gpa < s->gpa + s->size && s->gpa < gpa + size)
			return s;
	}
	return NULL;
}

static void add_segment(struct load_plan *p, const struct load_segment *s)
{
	p->seg[p->n_segs++] = *s;
	p->end = MAX(p->end, s->gpa + s->size);
}

int plan_add_segment(struct load_plan *p, u64 gpa, u64 mem_size, u64 file_offset, u64 file_size)
{
	const struct load_image *img = p->img;
	struct load_segment s = { gpa, mem_size, NULL, file_size };
	const struct load_segment *other;

	if (file_size > mem_size)
		return plan_refuse(p, -EINVAL,
				   "segment %u has more bytes in the file than in memory",
				   p->n_segs);
	if (!mem_size)
		return 0;
	if (file_offset > img->size || file_size > img->size - file_offset)
		return plan_refuse(p, -EINVAL, "truncated: segment %u ends at 0x%llx, the file at "
				   "0x%llx", p->n_segs,
				   (unsigned long long)file_offset + file_size,
				   (unsigned long long)img->size);
	if (p->n_segs == PLAN_SEGMENTS_MAX)
		return plan_refuse(p, -EINVAL, "more than %d segments", PLAN_SEGMENTS_MAX);
	if (gpa >= LIMIT_4G || mem_size > LIMIT_4G - gpa || !in_ram(img, gpa, mem_size))
		return plan_refuse(p, -ENOSPC, "segment %u, 0x%llx bytes at 0x%llx, is beyond the "
				   "guest's memory", p->n_segs, (unsigned long long)mem_size,
				   (unsigned long long)gpa);
	other = find_overlap(p, gpa, mem_size);
	if (other)
		return plan_refuse(p, -EINVAL, "segment %u at 0x%llx overlaps the one at 0x%llx",
				   p->n_segs, (unsigned long long)gpa,
				   (unsigned long long)other->gpa);
	s.data = (const u8 *)img->data + file_offset;
	add_segment(p, &s);
	return 0;
}

/* Lowest address from at on in one range, or the range's end. */
static u64 first_gap(const struct load_plan *p, u64 at, u64 size, u64 align, u64 end)
{
	const struct load_segment *s;

	for (;;) {
		at = ALIGN_UP(at, align);
		if (at >= end || size > end - at)
			return end;
		s = find_overlap(p, at, size);
		if (!s)
			return at;
		at = s->gpa + s->size;
	}
}

u64 plan_place(struct load_plan *p, u64 size, u64 align, u64 min, u64 max, const void *data)
{
	const struct load_image *img = p->img;
	u32 i;

	if (p->n_segs == ARRAY_SIZE(p->seg))
		return 0;
	for (i = 0; i < img->n_map; i++) {
		const struct mem_range *r = &img->map[i];
		u64 from = MAX(r->base, min), end = MIN(r->base + r->size, max), at;

		if (r->type != MEM_RAM || from >= end)
			continue;
		at = first_gap(p, from, size, align, end);
		if (at < end) {
			struct load_segment s = { at, size, data, data ? size : 0 };

			add_segment(p, &s);
			return at;
		}
	}
	return 0;
}

bool plan_has_code(const struct load_plan *p, u64 gpa)
{
	u32 i;

	for (i = 0; i < p->n_segs; i++) {
		if (gpa >= p->seg[i].gpa && gpa - p->seg[i].gpa < p->seg[i].file_size)
			return true;
	}
	return false;
}

static int write_segments(const struct load_plan *p, struct gmem *mem)
{
	u32 i;

	for (i = 0; i < p->n_segs; i++) {
		const struct load_segment *s = &p->seg[i];
		u64 zeros = s->size - s->file_size;

		if ((s->file_size && gmem_write(mem, s->gpa, s->data, s->file_size)) ||
		    (zeros && gmem_zero(mem, s->gpa + s->file_size, zeros)))
			return plan_refuse(p, -ENOSPC, "0x%llx bytes at 0x%llx cannot be written",
					   (unsigned long long)s->size,
					   (unsigned long long)s->gpa);
	}
	return 0;
}

static bool is_elf(const u8 *data, u64 size)
{
	return size >= 6 && !memcmp(data, "\x7f" "ELF", 4);
}

/* Linux Documentation/arch/x86/boot.rst, "The real-mode kernel header". */
static bool is_bzimage(const u8 *data, u64 size)
{
	return size >= 0x206 && get_le16(data + 0x1fe) == 0xaa55 &&
	       !memcmp(data + 0x202, "HdrS", 4);
}

/* Multiboot 2, 3.1.1: in the first 32 KiB, 8-byte aligned. */
static bool is_mb2(const u8 *data, u64 size)
{
	u64 at, end = MIN(size, 32768);

	for (at = 0; at + 16 <= end; at += 8) {
		const u8 *h = data + at;

		if (get_le32(h) == 0xe85250d6 &&
		    !(u32)(get_le32(h) + get_le32(h + 4) + get_le32(h + 8) + get_le32(h + 12)))
			return true;
	}
	return false;
}

/* A kernel with several headers is taken by the first that can be loaded. */
static enum load_format recognise(const u8 *data, u64 size, const char **why)
{
	s64 mb1 = mb1_find_header(data, size);

	if (mb1 >= 0 && mb1_has_addresses(data, (u64)mb1))
		return LOAD_MB1_AOUT;
	if (mb1 >= 0 && is_elf(data, size))
		return data[4] == 2 ? LOAD_MB1_ELF64 : LOAD_MB1_ELF32;
	if (is_bzimage(data, size))
		return LOAD_BZIMAGE;
	if (is_mb2(data, size))
		return LOAD_MB2;
	if (!size)
		*why = "the file is empty";
	else if (mb1 >= 0)
		*why = "multiboot header without addresses in a file that is not ELF";
	else if (is_elf(data, size))
		*why = "ELF without a multiboot header in its first 8 KiB";
	else if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b)
		*why = "compressed with gzip";
	else
		*why = "neither a multiboot kernel nor a Linux bzImage";
	return LOAD_UNKNOWN;
}

enum load_format load_recognise(const char *name, const void *data, u64 size,
				const struct diag *d)
{
	const char *why = NULL;
	enum load_format format = recognise(data, size, &why);

	if (why)
		diag_printf(d, "guest %.60s: refused: %s", name, why);
	return format;
}

const char *load_format_name(enum load_format format)
{
	static const char *const names[] = {
		[LOAD_UNKNOWN] = "unknown format",
		[LOAD_MB1_ELF32] = "multiboot 1 ELF32",
		[LOAD_MB1_ELF64] = "multiboot 1 ELF64",
		[LOAD_MB1_AOUT] = "multiboot 1 with addresses",
		[LOAD_MB2] = "multiboot 2",
		[LOAD_BZIMAGE] = "Linux bzImage",
	};

	return (u32)format < ARRAY_SIZE(names) ? names[format] : names[LOAD_UNKNOWN];
}

int load_guest(const struct load_image *img, struct gmem *mem, struct load_entry *e,
	       const struct diag *d)
{
	struct load_plan p = { .img = img, .d = d };
	int err;

	memset(e, 0, sizeof(*e));
	e->format = load_recognise(img->name, img->data, img->size, d);
	if (e->format == LOAD_UNKNOWN)
		return -EINVAL;
	if (e->format == LOAD_MB2 || e->format == LOAD_BZIMAGE)
		return plan_refuse(&p, -EOPNOTSUPP, "%s kernels cannot be loaded yet",
				   load_format_name(e->format));
	err = plan_mb1(&p);
	if (!err)
		err = mb1_plan_info(&p);
	if (!err)
		err = write_segments(&p, mem);
	if (!err)
		err = mb1_write_info(&p, mem);
	if (err)
		return err;
	e->mode = LOAD_MODE_PROT32;
	e->rip = p.entry;
	e->eax = 0x2badb002;	/* Multiboot 0.6.96, 3.2 */
	e->ebx = (u32)p.info;
	e->end = p.end;
	return 0;
}
