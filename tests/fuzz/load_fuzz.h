/* SPDX-License-Identifier: MIT */
/*
 * What fuzz targets of the loader share: a guest whose memory is 0xcc before
 * each input, and what holds for every format.
 */
#ifndef TESTS_FUZZ_LOAD_FUZZ_H
#define TESTS_FUZZ_LOAD_FUZZ_H

#include "tests/unit/load_build.h"

#define FUZZ_RSDP	0xf0010u

static inline void fuzz_refusal(void *ctx, const char *line)
{
	if (strncmp(line, "guest kut: refused: ", 20))
		abort();
	++*(int *)ctx;
}

static inline bool fuzz_untouched(const u8 *p, size_t n)
{
	return !n || (*p == 0xcc && !memcmp(p, p + 1, n - 1));
}

/* Read-only memory with an RSDP, at the reserved range of the map. */
static inline void fuzz_guest_init(struct load_guest *g)
{
	guest_init(g);
	if (gmem_add(&g->mem, 0xf0000, 0x10000, g->ram + 0xf0000, 0x30000000, GMEM_RO))
		abort();
	g->img.rsdp = FUZZ_RSDP;
}

/*
 * Loads the image of g, after rom (which may be NULL) has filled the read-only
 * memory.  One reason for each refusal, and then no byte of RAM is written;
 * never one outside RAM, nor from e->end on above 1 MiB.
 */
static inline int fuzz_load_with(struct load_guest *g, struct load_entry *e,
				 void (*rom)(struct load_guest *g))
{
	static u8 before[GUEST_HIGH - GUEST_LOW];
	int lines = 0, err;
	const struct diag d = { fuzz_refusal, &lines };

	memset(g->ram, 0xcc, GUEST_TOP);
	if (rom)
		rom(g);
	memcpy(before, g->ram + GUEST_LOW, sizeof(before));
	err = load_guest(&g->img, &g->mem, e, &d);
	if (lines != !!err)
		abort();
	if (memcmp(before, g->ram + GUEST_LOW, sizeof(before)))
		abort();
	if (err && (!fuzz_untouched(g->ram, GUEST_LOW) ||
		    !fuzz_untouched(g->ram + GUEST_HIGH, GUEST_TOP - GUEST_HIGH)))
		abort();
	if (err)
		return err;
	if (e->end > GUEST_TOP || !gmem_ptr(&g->mem, e->rip, 1) || e->rip >= e->end)
		abort();
	if (e->end > GUEST_HIGH && !fuzz_untouched(g->ram + e->end, GUEST_TOP - e->end))
		abort();
	return 0;
}

#endif
