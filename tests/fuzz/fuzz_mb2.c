// SPDX-License-Identifier: MIT
/*
 * Any bytes as a multiboot 2 kernel.  Bit 0 of the first byte: magic and
 * checksum are made right where the 8-byte word that the other bits number
 * lies; the rest is the file.
 */
#include "boot/bootinfo.h"
#include "tests/fuzz/load_fuzz.h"

static void unexpected_line(void *ctx, const char *line)
{
	abort();
}

static const void *guest_view(void *ctx, u64 pa, u64 len)
{
	return gmem_ptr(ctx, pa, len);
}

/* The bytes of the tag of this type behind its head, or NULL. */
static const u8 *info_tag(const u8 *info, u32 type)
{
	const u8 *t = info + 8, *end = info + get_le32(info);

	for (; t < end; t += ALIGN_UP(get_le32(t + 4), 8)) {
		if (get_le32(t + 4) < 8 || get_le32(t + 4) > (size_t)(end - t))
			abort();
		if (get_le32(t) == type)
			return t + 8;
	}
	return NULL;
}

static u8 sum(const u8 *p, u32 n)
{
	u8 s = 0;

	while (n--)
		s = (u8)(s + *p++);
	return s;
}

/* The new one is a copy; the old one is sound by itself, of revision 0. */
static void check_rsdp(const struct load_guest *g, const struct bootinfo *b)
{
	const u8 *rsdp = g->ram + FUZZ_RSDP;

	if (!b->has_rsdp_v1 || !b->has_rsdp_v2 || memcmp(b->rsdp_v2, rsdp, 36))
		abort();
	if (b->rsdp_v1[15] || sum(b->rsdp_v1, 20) || memcmp(b->rsdp_v1, rsdp, 8) ||
	    memcmp(b->rsdp_v1 + 16, rsdp + 16, 4))
		abort();
}

static void check_loaded(struct load_guest *g, const struct load_entry *e)
{
	static struct bootinfo b;
	const struct phys_view view = { guest_view, &g->mem };
	const struct diag d = { unexpected_line, NULL };
	const u8 *info = g->ram + e->ebx, *base;

	if (e->mode != LOAD_MODE_PROT32 || e->eax != MB2_LOADER_MAGIC || e->ebx % 8 || e->cr3)
		abort();
	if (bootinfo_parse(e->eax, e->ebx, &view, &b, &d))
		abort();
	if (strcmp(b.cmdline, "a b") || strcmp(b.loader, "nestbed") || b.n_ranges != 3 ||
	    b.n_modules != 1)
		abort();
	check_rsdp(g, &b);
	/* The end tag is the last of the total size. */
	if (info_tag(info, 0) != info + get_le32(info))
		abort();
	if (b.modules[0].refused || b.modules[0].start % PAGE_SIZE || b.modules[0].size != 3 ||
	    memcmp(g->ram + b.modules[0].start, "xyz", 3))
		abort();
	/* Only of an image that could be moved, and inside RAM. */
	base = info_tag(info, 21);
	if (base && !gmem_ptr(&g->mem, get_le32(base), 1))
		abort();
}

/* A sound RSDP of revision 2, so that the reader of the copies is content. */
static void put_rsdp(struct load_guest *g)
{
	u8 *r = g->ram + FUZZ_RSDP;

	memset(r, 0, 36);
	memcpy(r, "RSD PTR ", 8);
	r[15] = 2;
	put_le(r + 16, 4, 0x1000);
	put_le(r + 20, 4, 36);
	r[8] = (u8)-sum(r, 20);
	r[32] = (u8)-sum(r, 36);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct load_guest g;
	const struct load_module module = { "xyz", 3, "rd" };
	struct load_entry e;
	size_t at;
	u8 *file;

	if (!size)
		return 0;
	if (!g.ram)
		fuzz_guest_init(&g);
	/* A block of its own: the sanitizer sees what is read behind it. */
	file = malloc(size);
	memcpy(file, data + 1, size - 1);
	at = (data[0] >> 1) * 8u;
	if ((data[0] & 1) && at + 16 <= size - 1) {
		put_le(file + at, 4, 0xe85250d6);
		put_le(file + at + 12, 4,
		       0u - 0xe85250d6 - get_le32(file + at + 4) - get_le32(file + at + 8));
	}
	g.img.data = file;
	g.img.size = size - 1;
	g.img.modules = &module;
	g.img.n_modules = 1;
	if (!fuzz_load_with(&g, &e, put_rsdp) && e.format == LOAD_MB2)
		check_loaded(&g, &e);
	free(file);
	return 0;
}
