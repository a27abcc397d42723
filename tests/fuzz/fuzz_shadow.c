// SPDX-License-Identifier: MIT
/*
 * Shadow tables of an L1 that is an enemy: its nested tables, what it changes
 * in them and when it flushes are the input.  Nothing outside L1's memory may
 * be read or mapped, pages and records must stay within their limits, and
 * after a flush what is mapped must agree with a fresh walk of both levels.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mm/shadow.h"
#include "core/x86/regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGES		6u		/* of L1, with its tables */
#define RAM_PA		0x40000000ULL
#define ROM_GPA		0x8000ULL
#define ROM_PA		0x80000000ULL
#define L0_PAGES	64u
#define LIMIT_TABLES	12u
#define LIMIT_RECORDS	24u
#define POOL		8u

struct header {
	u8 mode, maxphyaddr, flags, pages_free;
	u32 pool[POOL];		/* four table indices of 8 bits each */
};

/* One thing that L1 or L2 does. */
struct op {
	u8 what, page, index, access;
	u64 entry;
} __packed;

struct world {
	u8 *ram, *rom;		/* own allocations: ASan guards the ends */
	u8 *l0;
	bool used[L0_PAGES];
	unsigned int pages_free;
	struct gmem mem;
	struct shadow_config cfg;
	struct shadow_cache cache;
	struct shadow *s;
	struct shadow_key key;
	u64 pool[POOL];
	u64 gen;
};

static u64 l0_alloc(void *ctx)
{
	struct world *w = ctx;

	for (u64 i = 1; i < L0_PAGES && w->pages_free; i++) {
		if (w->used[i])
			continue;
		w->used[i] = true;
		w->pages_free--;
		memset(w->l0 + i * PAGE_SIZE, 0xa5, PAGE_SIZE);
		return i * PAGE_SIZE;
	}
	return 0;
}

static void l0_free(void *ctx, u64 pa)
{
	struct world *w = ctx;

	if (pa % PAGE_SIZE || pa / PAGE_SIZE >= L0_PAGES || !w->used[pa / PAGE_SIZE])
		abort();
	w->used[pa / PAGE_SIZE] = false;
	w->pages_free++;
}

static void *l0_virt(void *ctx, u64 pa)
{
	struct world *w = ctx;

	if (pa / PAGE_SIZE >= L0_PAGES || !w->used[pa / PAGE_SIZE])
		abort();
	return w->l0 + pa;
}

static int fresh_read(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	struct world *w = ctx;

	if (gmem_read(&w->mem, gpa, buf, len))
		memset(buf, 0xff, len);
	return 0;
}

/* A mapping of the shadow, which has just been flushed. */
static void check_mapping(struct world *w, u64 l2, const struct pt_mapping *m)
{
	struct pt_walk_env env = w->s->l1;
	struct pt_walk_result res;
	struct gmem_backing b;

	env.set_ad = false;
	env.mem = (struct pt_mem){ fresh_read, NULL, w };
	if (pt_walk(&env, l2, PTA_USER, &res) ||
	    gmem_backing(&w->mem, res.gpa, MIN(res.page_size, w->cfg.page_max), &b))
		abort();
	if (m->pa != b.pa + (res.gpa - b.gpa) || m->size != b.size ||
	    (m->prot ^ res.prot) & PT_X)
		abort();
	if (m->prot & PT_W && (!(res.prot & PT_W) || b.flags & GMEM_RO))
		abort();
	/* L1's ROM cannot show that a page is dirty. */
	if (m->prot & PT_W && !res.dirty && res.entry_gpa < ROM_GPA)
		abort();
}

static void check_all(struct world *w)
{
	struct pt_mapping m;

	for (unsigned int i = 0; i < POOL; i++)
		if (!pt_query(&w->s->pt, w->pool[i], &m))
			check_mapping(w, w->pool[i], &m);
}

static void flush(struct world *w)
{
	u64 gen = w->s->gen;
	bool taken = shadow_sync(w->s);

	if (taken != (gen != w->s->gen) || shadow_sync(w->s))
		abort();
	check_all(w);
}

static void fill(struct world *w, const struct op *op)
{
	u64 l2 = w->pool[op->index % POOL];
	struct pt_mapping before, m;
	bool was = !pt_query(&w->s->pt, l2, &before);
	u64 gen = w->s->gen;
	struct shadow_fault f;
	enum shadow_result ret = shadow_fill(w->s, l2, op->access, &f);
	bool is = !pt_query(&w->s->pt, l2, &m);

	if (ret == SHADOW_RETRY)
		abort();	/* nobody else changes the tables */
	if (ret == SHADOW_OK && (!is || (op->access & PTA_WRITE && !(m.prot & PT_W)) ||
				 (op->access & PTA_EXEC && !(m.prot & PT_X))))
		abort();
	if ((ret == SHADOW_REFLECT) != !!(f.error_code & PFERR_U))
		abort();
	if (was && gen == w->s->gen && (!is || m.entry != before.entry))
		abort();
}

static void find(struct world *w, u64 root, u32 asid)
{
	w->key.root = root % (PAGES + 1) * PAGE_SIZE;
	w->key.asid = asid;
	w->s = shadow_cache_find(&w->cache, &w->key);
}

static void put_entry(struct world *w, unsigned int page, unsigned int index, u64 e)
{
	unsigned int size = w->key.cr4 & CR4_PAE ? 8 : 4;

	u8 *p = page % (PAGES + 1) < PAGES ? w->ram + page % (PAGES + 1) * PAGE_SIZE : w->rom;

	/* Few places, so that operations meet. */
	memcpy(p + index % 4 * size, &e, size);
}

/* Anything, or an entry whose address and rights have a meaning. */
static void write_entry(struct world *w, const struct op *op)
{
	u64 e = op->entry;

	if (op->what & 0x10)
		e = (e & (PTE_NX | BITS(11, 0))) | (e >> 12 & 15) << 12;
	if (op->what & 0x20)
		e |= PTE_P | PTE_W | PTE_U;
	put_entry(w, op->page, op->index, e);
}

/* Tables that work to begin with: each page points to the next one. */
static void first_tables(struct world *w)
{
	bool pae = w->key.cr4 & CR4_PAE && !(w->key.efer & EFER_LMA);

	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned int i = 0; i < 4; i++)
			put_entry(w, page, i, (page + 1) * PAGE_SIZE |
					      (pae && !page ? PTE_P : PTE_P | PTE_W | PTE_U));
}

static void step(struct world *w, const struct op *op)
{
	struct shadow_fault f;

	switch (op->what % 8) {
	case 0:
	case 1:
		write_entry(w, op);
		break;
	case 2:
		flush(w);
		break;
	case 3:
		shadow_translate(w->s, op->entry, op->access, &f);
		break;
	case 4:
		shadow_cache_flush_asid(&w->cache, op->index % 4);
		find(w, op->page, op->index % 4);
		break;
	case 5:
		if (op->index == 0)
			shadow_cache_drop_all(&w->cache);
		break;
	default:
		fill(w, op);
	}
}

static void check_limits(const struct world *w)
{
	for (u32 i = 0; i < w->cache.made; i++) {
		const struct shadow *s = &w->cache.shadow[i];

		if (s->n > LIMIT_RECORDS || s->vacant > s->n || s->chunks > 1 ||
		    s->pt.tables > LIMIT_TABLES)
			abort();
	}
}

static void set_up(struct world *w, const struct header *h)
{
	static const struct {
		u64 cr4, efer;
	} modes[] = {
		{ CR4_PAE, EFER_LMA | EFER_NXE }, { CR4_PAE, EFER_LMA }, { CR4_PAE, EFER_NXE },
		{ CR4_PAE | CR4_LA57, EFER_LMA | EFER_NXE }, { CR4_PSE, 0 }, { 0, 0 },
	};
	unsigned int m = h->mode % ARRAY_SIZE(modes);
	unsigned int bits = modes[m].cr4 & CR4_PAE ? 9 : 10;

	w->ram = calloc(PAGES, PAGE_SIZE);
	w->rom = calloc(1, PAGE_SIZE);
	w->l0 = aligned_alloc(PAGE_SIZE, L0_PAGES * PAGE_SIZE);
	if (!w->ram || !w->rom || !w->l0)
		abort();
	gmem_init(&w->mem);
	if (gmem_add(&w->mem, 0, PAGES * PAGE_SIZE, w->ram, RAM_PA, 0) ||
	    gmem_add(&w->mem, ROM_GPA, PAGE_SIZE, w->rom, ROM_PA, GMEM_RO))
		abort();
	for (unsigned int i = 0; i < POOL; i++)
		for (unsigned int l = 0; l < 4; l++)
			if (12 + l * bits < 32 || modes[m].efer & EFER_LMA)
				w->pool[i] |= (u64)(h->pool[i] >> 8 * l & 3) << (12 + l * bits);
	w->pages_free = h->pages_free;
	w->cfg = (struct shadow_config){
		.pt = { .format = &pt_format_npt, .alloc_page = l0_alloc, .free_page = l0_free,
			.to_virt = l0_virt, .ctx = w, .pat = PT_PAT_RESET, .nx = true },
		.mem = &w->mem, .page_max = h->flags & 1 ? PAGE_SIZE : SIZE_2M,
		.max_records = LIMIT_RECORDS, .max_tables = LIMIT_TABLES,
		.maxphyaddr = 32 + h->maxphyaddr % 21, .page1g = h->flags & 2,
		.amd = h->flags & 4,
	};
	w->key = shadow_key(0, modes[m].cr4, modes[m].efer, 0);
	if (h->flags & 8)
		first_tables(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct header h;
	struct op op;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	memset(&w, 0, sizeof(w));
	set_up(&w, &h);
	if (shadow_cache_init(&w.cache, &w.cfg, 1 + h.flags / 64))
		abort();
	find(&w, 0, 0);
	for (data += sizeof(h), size -= sizeof(h); size >= sizeof(op) && w.s;
	     data += sizeof(op), size -= sizeof(op)) {
		memcpy(&op, data, sizeof(op));
		step(&w, &op);
		check_limits(&w);
	}
	shadow_cache_fini(&w.cache);
	if (w.pages_free != h.pages_free)
		abort();
	free(w.ram);
	free(w.rom);
	free(w.l0);
	return 0;
}
