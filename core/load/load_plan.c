// SPDX-License-Identifier: MIT
#include "core/load/load_plan.h"

#include "core/lib/printf.h"

#define NO_PLACE	(~0ULL)

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

/* The map is sorted and disjoint. */
bool plan_in_ram(const struct load_image *img, u64 gpa, u64 size)
{
	u64 at = gpa, end = gpa + size;
	u32 i;

	if (gpa >= PLAN_LIMIT_4G || size > PLAN_LIMIT_4G - gpa)
		return false;
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
	struct load_segment s = { .gpa = gpa, .size = mem_size, .file_size = file_size };
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
	if (gpa >= PLAN_LIMIT_4G || mem_size > PLAN_LIMIT_4G - gpa ||
	    (!p->floating && !plan_in_ram(img, gpa, mem_size)))
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

/* The lowest free address in [start, end). */
static u64 first_gap(const struct load_plan *p, u64 size, u64 align, u64 start, u64 end)
{
	const struct load_segment *s;
	u64 at = start;

	for (;;) {
		at = ALIGN_UP(at, align);
		if (at >= end || size > end - at)
			return NO_PLACE;
		s = find_overlap(p, at, size);
		if (!s)
			return at;
		at = s->gpa + s->size;
	}
}

/* The highest one. */
static u64 last_gap(const struct load_plan *p, u64 size, u64 align, u64 start, u64 end)
{
	const struct load_segment *s;
	u64 at;

	for (;;) {
		if (end <= start || size > end - start)
			return NO_PLACE;
		at = ALIGN_DOWN(end - size, align);
		if (at < start)
			return NO_PLACE;
		s = find_overlap(p, at, size);
		if (!s)
			return at;
		end = s->gpa;
	}
}

u64 plan_find(const struct load_plan *p, const struct plan_window *w, u64 size)
{
	const struct load_image *img = p->img;
	bool high = w->preference == PLAN_HIGHEST;
	u32 i;

	for (i = 0; i < img->n_map; i++) {
		const struct mem_range *r = &img->map[high ? img->n_map - 1 - i : i];
		/* 0 says that there is none. */
		u64 from = MAX(MAX(r->base, w->min), 1), end = MIN(r->base + r->size, w->max);
		u64 at;

		if (r->type != MEM_RAM || from >= end)
			continue;
		at = high ? last_gap(p, size, w->align, from, end) :
			    first_gap(p, size, w->align, from, end);
		if (at != NO_PLACE)
			return at;
	}
	return 0;
}

u64 plan_place(struct load_plan *p, const struct plan_window *w, u64 size, const void *data)
{
	struct load_segment s = { .size = size, .data = data, .file_size = data ? size : 0 };

	if (p->n_segs == ARRAY_SIZE(p->seg))
		return 0;
	s.gpa = plan_find(p, w, size);
	if (s.gpa)
		add_segment(p, &s);
	return s.gpa;
}

/* Are all segments RAM inside the window as they lie? */
static bool settled(const struct load_plan *p, const struct plan_window *w, u64 start, u64 end)
{
	u32 i;

	if (!start || start < w->min || end > w->max || !IS_ALIGNED(start, w->align))
		return false;
	for (i = 0; i < p->n_segs; i++) {
		if (!plan_in_ram(p->img, p->seg[i].gpa, p->seg[i].size))
			return false;
	}
	return true;
}

u64 plan_settle(struct load_plan *p, const struct plan_window *w)
{
	u64 start = ~0ULL, end = 0, to;
	u32 i, n = p->n_segs;

	for (i = 0; i < n; i++) {
		start = MIN(start, p->seg[i].gpa);
		end = MAX(end, p->seg[i].gpa + p->seg[i].size);
	}
	if (w->preference == PLAN_ANYWHERE && settled(p, w, start, end))
		return start;
	/* The segments themselves are not in the way. */
	p->n_segs = 0;
	to = plan_find(p, w, end - start);
	p->n_segs = n;
	if (!to)
		return 0;
	for (i = 0; i < n; i++)
		p->seg[i].gpa += to - start;
	if (p->entry >= start && p->entry < end)
		p->entry += to - start;
	p->end = end + (to - start);
	return to;
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

int plan_check_entry(const struct load_plan *p)
{
	if (!p->n_segs)
		return plan_refuse(p, -EINVAL, "nothing to load");
	if (!plan_has_code(p, p->entry))
		return plan_refuse(p, -EINVAL, "entry 0x%llx is outside what is loaded",
				   (unsigned long long)p->entry);
	return 0;
}

int plan_write(const struct load_plan *p, struct gmem *mem)
{
	u32 i;

	for (i = 0; i < p->n_segs; i++) {
		const struct load_segment *s = &p->seg[i];
		u64 zeros = s->rest_kept ? 0 : s->size - s->file_size;

		if ((s->file_size && gmem_write(mem, s->gpa, s->data, s->file_size)) ||
		    (zeros && gmem_zero(mem, s->gpa + s->file_size, zeros)))
			return plan_refuse(p, -ENOSPC, "0x%llx bytes at 0x%llx cannot be written",
					   (unsigned long long)s->size,
					   (unsigned long long)s->gpa);
	}
	return 0;
}
