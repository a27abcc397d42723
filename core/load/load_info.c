// SPDX-License-Identifier: MIT
/* What a multiboot kernel is told, and its modules: the same for versions 1 and 2. */
#include "core/lib/string.h"
#include "core/load/load_plan.h"

/*
 * The information lies in low memory, where no kernel is linked; above the
 * real-mode tables and QEMU's own choice, below the EBDA.
 */
#define INFO_MIN	0x9000
#define INFO_MAX	0x9f000
#define HIGH_MEMORY	0x100000

const char mb_loader_name[] = "nestbed";

u32 mb_modules(const struct load_image *img)
{
	return img->n_modules + !!img->initrd;
}

const struct load_module *mb_module(const struct load_image *img, u32 i)
{
	if (!img->initrd)
		return &img->modules[i];
	return i ? &img->modules[i - 1] : img->initrd;
}

/* Behind the kernel, where loaders put them, or else wherever there is room. */
static u64 place_module(struct load_plan *p, u64 min, const struct load_module *m)
{
	struct plan_window w = { .min = min, .max = PLAN_LIMIT_4G, .align = PAGE_SIZE };
	u64 at = plan_place(p, &w, m->size, m->data);

	w.min = HIGH_MEMORY;
	return at ? at : plan_place(p, &w, m->size, m->data);
}

int mb_plan_modules(struct load_plan *p)
{
	u32 n = mb_modules(p->img), i;
	u64 min = p->end;

	if (n > PLAN_MODULES_MAX)
		return plan_refuse(p, -EINVAL, "more than %d modules", PLAN_MODULES_MAX);
	p->first_module = p->n_segs;
	for (i = 0; i < n; i++) {
		const struct load_module *m = mb_module(p->img, i);

		if (!m->size)
			return plan_refuse(p, -EINVAL, "module \"%.40s\" is empty", m->cmdline);
		if (!place_module(p, min, m))
			return plan_refuse(p, -ENOSPC, "no room for module \"%.40s\" of 0x%llx "
					   "bytes", m->cmdline, (unsigned long long)m->size);
	}
	return 0;
}

int mb_plan_info(struct load_plan *p, u64 size)
{
	struct plan_window w = { .min = INFO_MIN, .max = INFO_MAX, .align = 8 };

	if (p->img->n_map > PLAN_MMAP_MAX)
		return plan_refuse(p, -EINVAL, "memory map of %u ranges", p->img->n_map);
	p->info = plan_place(p, &w, size, NULL);
	if (p->info)
		return 0;
	w.min = p->end;
	w.max = PLAN_LIMIT_4G;
	p->info = plan_place(p, &w, size, NULL);
	if (p->info)
		return 0;
	return plan_refuse(p, -ENOSPC, "no room for the boot information");
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

u32 mb_mem_lower(const struct load_image *img)
{
	return (u32)(MIN(ram_from(img, 0), 0xa0000) >> 10);
}

u32 mb_mem_upper(const struct load_image *img)
{
	return (u32)MIN(ram_from(img, HIGH_MEMORY) >> 10, 0xffffffff);
}

u32 mb_mem_type(u32 type)
{
	return type > MEM_BAD ? MEM_RESERVED : type;
}

u32 info_put(struct info_writer *w, const void *data, u64 size)
{
	u32 at = (u32)w->at;

	if (w->mem && !w->err && size)
		w->err = gmem_write(w->mem, w->at, data, size);
	w->at += size;
	return at;
}

u32 info_put_string(struct info_writer *w, const char *s)
{
	return info_put(w, s, strlen(s) + 1);
}
