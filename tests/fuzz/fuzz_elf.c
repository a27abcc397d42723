// SPDX-License-Identifier: MIT
/*
 * Any bytes as a guest's kernel.  What is accepted must lie in the guest's
 * memory, and its boot information must be readable by our own parser.
 */
#include "boot/bootinfo.h"
#include "tests/unit/load_build.h"

static void check_line(void *ctx, const char *line)
{
	if (strncmp(line, "guest kut: refused: ", 20))
		abort();
	++*(int *)ctx;
}

static void unexpected_line(void *ctx, const char *line)
{
	abort();
}

static const void *guest_view(void *ctx, u64 pa, u64 len)
{
	return gmem_ptr(ctx, pa, len);
}

static void check_loaded(struct load_guest *g, const struct load_entry *e)
{
	static struct bootinfo b;
	const struct phys_view view = { guest_view, &g->mem };
	const struct diag d = { unexpected_line, NULL };

	if (!gmem_ptr(&g->mem, e->rip, 1) || e->end > GUEST_TOP || e->eax != MB1_LOADER_MAGIC)
		abort();
	if (bootinfo_parse(e->eax, e->ebx, &view, &b, &d))
		abort();
	if (strcmp(b.cmdline, "kut a b") || b.n_ranges != 3 || b.n_modules != 1 ||
	    b.modules[0].refused || b.modules[0].size != 3 ||
	    memcmp(g->ram + b.modules[0].start, "xyz", 3))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct load_guest g;
	const struct load_module module = { "xyz", 3, "rd" };
	struct load_entry e;
	int lines = 0, err;
	const struct diag d = { check_line, &lines };

	if (!g.ram)
		guest_init(&g);
	g.img.data = data;
	g.img.size = size;
	g.img.modules = &module;
	g.img.n_modules = 1;
	err = load_guest(&g.img, &g.mem, &e, &d);
	/* One reason for each refusal, none for success. */
	if (lines != !!err)
		abort();
	/* fuzz_mb2 and fuzz_bzimage know what holds for the others. */
	if (!err && e.format <= LOAD_MB1_AOUT)
		check_loaded(&g, &e);
	return 0;
}
