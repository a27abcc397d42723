// SPDX-License-Identifier: MIT
/*
 * The first byte chooses the protocol; the rest is the machine's memory from
 * physical address 0x1000 on, the loader's structure at its start.
 */
#include "boot/bootinfo.h"
#include "tests/unit/physmem.h"

#define BASE	0x1000

static void check_line(void *ctx, const char *line)
{
	if (!*line || strlen(line) > 200)
		abort();
}

static void check_string(const char *s, size_t size)
{
	if (strnlen(s, size) == size)
		abort();
}

static void check_bootinfo(const struct bootinfo *b, const struct physmem *m)
{
	check_string(b->cmdline, sizeof(b->cmdline));
	check_string(b->loader, sizeof(b->loader));
	if (b->n_ranges > BOOT_RANGES_MAX || b->n_modules > BOOT_MODULES_MAX)
		abort();
	for (u32 i = 0; i < b->n_ranges; i++) {
		if (b->ranges[i].base + b->ranges[i].size <= b->ranges[i].base)
			abort();
	}
	for (u32 i = 0; i < b->n_modules; i++) {
		const struct boot_module *mod = &b->modules[i];

		check_string(mod->cmdline, sizeof(mod->cmdline));
		if (mod->refused)
			continue;
		/* What is not refused can be read. */
		if (!mod->size || !phys_map(&m->view, mod->start, mod->size))
			abort();
	}
	if (b->fb.type != BOOT_FB_NONE &&
	    b->fb.addr + (u64)b->fb.pitch * b->fb.height <= b->fb.addr)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bootinfo b;
	const struct diag d = { check_line, NULL };
	struct physmem m;
	int err;

	if (size < 2)
		return 0;
	physmem_init(&m, BASE, size - 1);
	physmem_put(&m, BASE, data + 1, size - 1);
	err = bootinfo_parse(data[0] & 1 ? MB2_LOADER_MAGIC : MB1_LOADER_MAGIC, BASE, &m.view, &b,
			     &d);
	if (!err != !!b.protocol)
		abort();
	check_bootinfo(&b, &m);
	physmem_free(&m);
	return 0;
}
