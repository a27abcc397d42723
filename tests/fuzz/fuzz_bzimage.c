// SPDX-License-Identifier: MIT
/*
 * Any bytes as a bzImage.  The first byte: bit 0 puts magic numbers and
 * LOADED_HIGH into the header, bit 1 brings an initrd, bit 2 a command line;
 * the rest is the file.
 */
#include "tests/fuzz/load_fuzz.h"

#define INITRD_SIZE	0x1234

static const u8 initrd_data[INITRD_SIZE] = "initrd";

/* 4 GiB one to one, as the CPU walks (SDM3 4.5), all tables in RAM. */
static void check_page_tables(const struct load_guest *g, u64 cr3)
{
	for (u64 va = 0; va < 1ULL << 32; va += SIZE_2M) {
		const u64 index[3] = { va >> 39, va >> 30 & 511, va >> 21 & 511 };
		u64 table = cr3, entry = 0;

		for (u32 i = 0; i < 3; i++) {
			const u8 *p = gmem_ptr(&g->mem, table + 8 * index[i], 8);

			if (!p)
				abort();
			entry = get_le64(p);
			/* Present, writable; large in the last level only. */
			if ((entry & 3) != 3 || !(entry & 0x80) != (i < 2))
				abort();
			table = entry & ~0xfffULL;
		}
		if (table != va)
			abort();
	}
}

static void check_entry(const struct load_guest *g, const struct load_entry *e, const u8 *file)
{
	const u8 *z = g->ram + e->rsi, *gdt = gmem_ptr(&g->mem, e->gdt_base, 32);
	bool wide = get_le16(file + 0x206) >= 0x20c && (file[0x236] & 1);

	if (e->mode != (wide ? LOAD_MODE_LONG64 : LOAD_MODE_PROT32) || !gdt ||
	    e->gdt_limit != 31 || e->cs != 0x10 || e->ds != 0x18 || e->eax || e->ebx)
		abort();
	if (get_le64(gdt + 0x10) != (wide ? 0x00af9b000000ffff : 0x00cf9b000000ffff) ||
	    get_le64(gdt + 0x18) != 0x00cf93000000ffff)
		abort();
	if (e->rip != get_le32(z + 0x214) + (wide ? 0x200u : 0u))
		abort();
	if (wide)
		check_page_tables(g, e->cr3);
	else if (e->cr3)
		abort();
}

static void check_zero_page(const struct load_guest *g, const struct load_entry *e,
			    const u8 *file)
{
	const u8 *z = gmem_ptr(&g->mem, e->rsi, 0x1000);
	u32 start, initrd;

	if (!z || z[0x1ef] || z[0x210] != 0xff || (z[0x211] & 0x81) != 1 ||
	    get_le64(z + 0x70) != FUZZ_RSDP || z[0x1e8] != 3 || get_le64(z + 0x250))
		abort();
	for (u32 i = 0; i < 3; i++) {
		if (get_le64(z + 0x2d0 + 20 * i) != g->map[i].base ||
		    get_le64(z + 0x2d8 + 20 * i) != g->map[i].size ||
		    get_le32(z + 0x2e0 + 20 * i) != g->map[i].type)
			abort();
	}
	if (strcmp((const char *)g->ram + get_le32(z + 0x228), g->img.cmdline))
		abort();
	/* The kernel is where the header now says, all of it. */
	start = (file[0x1f1] ? file[0x1f1] + 1u : 5u) * 512;
	if (memcmp(g->ram + get_le32(z + 0x214), file + start,
		   (size_t)get_le32(file + 0x1f4) * 16))
		abort();
	initrd = get_le32(z + 0x218);
	if (!initrd != !g->img.initrd || get_le32(z + 0x21c) != (initrd ? INITRD_SIZE : 0))
		abort();
	if (initrd && (initrd % PAGE_SIZE || initrd + INITRD_SIZE - 1 > get_le32(file + 0x22c) ||
		       memcmp(g->ram + initrd, initrd_data, INITRD_SIZE)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct load_guest g;
	const struct load_module initrd = { initrd_data, INITRD_SIZE, "" };
	struct load_entry e;
	u8 *file;

	if (!size)
		return 0;
	if (!g.ram)
		fuzz_guest_init(&g);
	/* A block of its own: the sanitizer sees what is read behind it. */
	file = malloc(size);
	memcpy(file, data + 1, size - 1);
	if ((data[0] & 1) && size - 1 >= 0x212) {
		put_le(file + 0x1fe, 2, 0xaa55);
		memcpy(file + 0x202, "HdrS", 4);
		file[0x211] |= 1;
	}
	g.img.data = file;
	g.img.size = size - 1;
	g.img.initrd = data[0] & 2 ? &initrd : NULL;
	g.img.cmdline = data[0] & 4 ? "console=ttyS0 panic=-1" : "";
	if (!fuzz_load_with(&g, &e, NULL) && e.format == LOAD_BZIMAGE) {
		check_zero_page(&g, &e, file);
		check_entry(&g, &e, file);
	}
	free(file);
	return 0;
}
