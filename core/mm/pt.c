/* SPDX-License-Identifier: MIT */
#include "core/mm/pt.h"

#include "core/lib/string.h"
#include "core/mm/pt_walk.h"

/* What the formats but EPT share; the table entries let the leaf decide. */
#define TABLE_BITS	(PTE_P | PTE_W | PTE_U)
#define X86_BITS \
	.present = PTE_P, .write = PTE_W, .user = PTE_U, .accessed = PTE_A, \
	.dirty = PTE_D, .large = PTE_PS
#define LONG_LEVELS \
	{ 12, 9, true, 0 }, { 21, 9, true, TABLE_BITS }, \
	{ 30, 9, true, TABLE_BITS }, { 39, 9, false, TABLE_BITS }

/* APM2 5.2.1-5.2.2, SDM3 4.3 */
const struct pt_format pt_format_32bit = {
	.name = "32-bit", .levels = 2, .entry_size = 4, .va_bits = 32,
	.pa_bits = 32, X86_BITS, .global = PTE_G, .addr = BITS(31, 12),
	.level = { { 12, 10, true, 0 }, { 22, 10, true, TABLE_BITS } },
};

/* APM2 5.2.3, SDM3 4.4: W, U and NX are reserved in the top level. */
const struct pt_format pt_format_pae = {
	.name = "PAE", .levels = 3, .entry_size = 8, .va_bits = 32,
	.pa_bits = 52, X86_BITS, .global = PTE_G, .nx = PTE_NX,
	.addr = PTE_ADDR,
	.level = { { 12, 9, true, 0 }, { 21, 9, true, TABLE_BITS },
		   { 30, 2, false, PTE_P } },
};

/* APM2 5.3, SDM3 4.5 */
const struct pt_format pt_format_4level = {
	.name = "4-level", .levels = 4, .entry_size = 8, .va_bits = 48,
	.pa_bits = 52, .canonical = true, X86_BITS, .global = PTE_G,
	.nx = PTE_NX, .addr = PTE_ADDR, .level = { LONG_LEVELS },
};

const struct pt_format pt_format_5level = {
	.name = "5-level", .levels = 5, .entry_size = 8, .va_bits = 57,
	.pa_bits = 52, .canonical = true, X86_BITS, .global = PTE_G,
	.nx = PTE_NX, .addr = PTE_ADDR,
	.level = { LONG_LEVELS, { 48, 9, false, TABLE_BITS } },
};

/* APM2 15.25.5: the nested table is walked as user accesses. */
const struct pt_format pt_format_npt = {
	.name = "NPT", .levels = 4, .entry_size = 8, .va_bits = 48,
	.pa_bits = 52, X86_BITS, .nx = PTE_NX, .addr = PTE_ADDR,
	.always_user = true, .level = { LONG_LEVELS },
};

/* SDM3 29.3.2 */
#define EPT_TABLE	(EPT_R | EPT_W | EPT_X)
const struct pt_format pt_format_ept = {
	.name = "EPT", .levels = 4, .entry_size = 8, .va_bits = 48,
	.pa_bits = 52, .ept = true, .present = EPT_R | EPT_W | EPT_X,
	.read = EPT_R, .write = EPT_W, .exec = EPT_X, .accessed = EPT_A,
	.dirty = EPT_D, .large = EPT_PS, .addr = PTE_ADDR,
	.level = { { 12, 9, true, 0 }, { 21, 9, true, EPT_TABLE },
		   { 30, 9, true, EPT_TABLE }, { 39, 9, false, EPT_TABLE } },
};

static void *entry_at(const struct pt *pt, u64 table, unsigned int level, u64 va)
{
	const struct pt_format *f = pt->cfg.format;
	const struct pt_level *l = &f->level[level - 1];
	u64 index = va >> l->shift & ((1ULL << l->bits) - 1);

	return (u8 *)pt->cfg.to_virt(pt->cfg.ctx, table) + index * f->entry_size;
}

static u64 load(const struct pt_format *f, const void *p)
{
	return f->entry_size == 4 ? READ_ONCE(*(const u32 *)p) :
				    READ_ONCE(*(const u64 *)p);
}

/* One store: a processor may be walking. */
static void store(const struct pt_format *f, void *p, u64 e)
{
	if (f->entry_size == 4)
		WRITE_ONCE(*(u32 *)p, (u32)e);
	else
		WRITE_ONCE(*(u64 *)p, e);
}

static bool is_present(const struct pt_format *f, u64 e)
{
	return e & f->present;
}

static bool is_leaf(const struct pt_format *f, u64 e, unsigned int level)
{
	return level == 1 || (f->level[level - 1].leaf && (e & f->large));
}

/* Address bits of a leaf: below a large page's size they mean other things. */
static u64 leaf_addr_mask(const struct pt_format *f, unsigned int level)
{
	return f->addr & ~(pt_level_size(f, level) - 1);
}

/* APM2 7.8.1, SDM3 4.9.2: PAT, PCD and PWT choose one of eight types. */
static u64 pat_bits(const struct pt *pt, unsigned int level, u32 mt)
{
	unsigned int i = 0;
	u64 bits = 0;

	while (i < 8 && (pt->cfg.pat >> (8 * i) & 7) != mt)
		i++;
	if (i == 8)
		i = 3;		/* UC unless IA32_PAT is most unusual */
	if (i & 1)
		bits |= PTE_PWT;
	if (i & 2)
		bits |= PTE_PCD;
	if (i & 4)
		bits |= level == 1 ? PTE_PAT : PTE_PAT_LARGE;
	return bits;
}

static u32 entry_mt(const struct pt *pt, unsigned int level, u64 e)
{
	u64 pat = level == 1 ? PTE_PAT : PTE_PAT_LARGE;
	unsigned int i;

	if (pt->cfg.format->ept)
		return FIELD_GET(e, 5, EPT_MT_SHIFT);
	i = (e & PTE_PWT ? 1 : 0) | (e & PTE_PCD ? 2 : 0) | (e & pat ? 4 : 0);
	return pt->cfg.pat >> (8 * i) & 7;
}

/* All bits of a leaf but address, accessed and dirty. */
static u64 leaf_bits(const struct pt *pt, unsigned int level, u32 prot)
{
	const struct pt_format *f = pt->cfg.format;
	u64 e = f->ept ? 0 : f->present;

	if (prot & PT_R)
		e |= f->read;
	if (prot & PT_W)
		e |= f->write;
	if (prot & PT_X)
		e |= f->exec;
	else if (pt->cfg.nx)
		e |= f->nx;
	if ((prot & PT_U) || f->always_user)
		e |= f->user;
	if (prot & PT_G)
		e |= f->global;
	if (level > 1)
		e |= f->large;
	if (!f->ept)
		return e | pat_bits(pt, level, PT_PROT_MT(prot));
	if (prot & PT_IPAT)
		e |= EPT_IPAT;
	return e | (u64)PT_PROT_MT(prot) << EPT_MT_SHIFT;
}

static u64 new_table(struct pt *pt)
{
	u64 pa = pt->cfg.alloc_page(pt->cfg.ctx);

	if (!pa)
		return 0;
	memset(pt->cfg.to_virt(pt->cfg.ctx, pa), 0, PAGE_SIZE);
	pt->tables++;
	return pa;
}

static void free_table(struct pt *pt, u64 table, unsigned int level)
{
	const struct pt_format *f = pt->cfg.format;
	u64 entries = 1ULL << f->level[level - 1].bits;

	for (u64 i = 0; level > 1 && i < entries; i++) {
		u64 va = i << f->level[level - 1].shift;
		u64 e = load(f, entry_at(pt, table, level, va));

		if (is_present(f, e) && !is_leaf(f, e, level))
			free_table(pt, e & f->addr, level - 1);
	}
	pt->tables--;
	pt->cfg.free_page(pt->cfg.ctx, table);
}

/* The first entry of the table that a large leaf turns into. */
static u64 first_child(const struct pt_format *f, u64 e, unsigned int level)
{
	if (level > 2)
		return e;
	/* In 4K entries bit 7 is PAT, which large ones have in bit 12. */
	if (f->ept || !(e & PTE_PAT_LARGE))
		return e & ~f->large;
	return (e & ~PTE_PAT_LARGE) | PTE_PAT;
}

/* Replaces a large leaf by a table of smaller ones; returns it, or 0. */
static u64 split_leaf(struct pt *pt, void *entry, unsigned int level)
{
	const struct pt_format *f = pt->cfg.format;
	u64 child = first_child(f, load(f, entry), level);
	u64 size = pt_level_size(f, level - 1);
	u64 table = new_table(pt);

	if (!table)
		return 0;
	for (u64 va = 0; va < pt_level_size(f, level); va += size)
		store(f, entry_at(pt, table, level - 1, va), child + va);
	store(f, entry, table | f->level[level - 1].table);
	return table;
}

/* The table below an entry that is to be descended into, or 0. */
static u64 make_child(struct pt *pt, void *entry, unsigned int level)
{
	const struct pt_format *f = pt->cfg.format;
	u64 e = load(f, entry), table;

	if (is_present(f, e))
		return is_leaf(f, e, level) ? split_leaf(pt, entry, level) :
					      e & f->addr;
	table = new_table(pt);
	if (table)
		store(f, entry, table | f->level[level - 1].table);
	return table;
}

enum op_kind { OP_MAP, OP_UNMAP, OP_PROTECT, OP_CLEAR_AD };

struct op {
	enum op_kind kind;
	u64 delta;		/* pa - va */
	u64 page_max;
	u32 prot;
};

/* One entry of a table, and the part of the range that it covers. */
struct cursor {
	void *entry;
	u64 e;
	unsigned int level;
	u64 va;
	bool whole;
	bool present;
	bool leaf;		/* present and not a table */
};

static u64 protected_entry(const struct pt *pt, const struct cursor *c, u32 prot)
{
	const struct pt_format *f = pt->cfg.format;

	return leaf_bits(pt, c->level, prot) |
	       (c->e & (leaf_addr_mask(f, c->level) | f->accessed | f->dirty));
}

/* True when the operation can be done at this entry. */
static bool done_here(const struct pt *pt, const struct op *op,
		      const struct cursor *c)
{
	const struct pt_format *f = pt->cfg.format;
	u64 size = pt_level_size(f, c->level);

	switch (op->kind) {
	case OP_MAP:
		return c->whole && f->level[c->level - 1].leaf &&
		       (c->level == 1 || size <= op->page_max) &&
		       IS_ALIGNED(c->va + op->delta, size);
	case OP_UNMAP:
		return !c->present || c->whole;
	case OP_PROTECT:
		return !c->present || (c->leaf &&
		       (c->whole || c->e == protected_entry(pt, c, op->prot)));
	default:
		return !c->present || c->leaf;
	}
}

static void apply(struct pt *pt, const struct op *op, const struct cursor *c)
{
	const struct pt_format *f = pt->cfg.format;
	u64 e = c->e;

	if (op->kind == OP_MAP)
		e = leaf_bits(pt, c->level, op->prot) | (c->va + op->delta);
	else if (op->kind == OP_UNMAP)
		e = 0;
	else if (!c->present)
		return;
	else if (op->kind == OP_PROTECT)
		e = protected_entry(pt, c, op->prot);
	else
		e &= ~(f->accessed | f->dirty);
	if (e != c->e)
		store(f, c->entry, e);
	if (c->present && !c->leaf)
		free_table(pt, c->e & f->addr, c->level - 1);
}

/* Does op for [va, last], which lies inside the given table. */
static int visit(struct pt *pt, const struct op *op, u64 table,
		 unsigned int level, u64 va, u64 last)
{
	const struct pt_format *f = pt->cfg.format;
	u64 low = pt_level_size(f, level) - 1;

	for (;;) {
		u64 stop = MIN(last, va | low);
		struct cursor c = {
			.entry = entry_at(pt, table, level, va),
			.level = level,
			.va = va,
			.whole = !(va & low) && stop == (va | low),
		};

		c.e = load(f, c.entry);
		c.present = is_present(f, c.e);
		c.leaf = c.present && is_leaf(f, c.e, level);
		if (done_here(pt, op, &c)) {
			apply(pt, op, &c);
		} else {
			u64 child = make_child(pt, c.entry, level);
			int ret;

			if (!child)
				return -ENOMEM;
			ret = visit(pt, op, child, level - 1, va, stop);
			if (ret)
				return ret;
		}
		if (stop == last)
			return 0;
		va = stop + 1;
	}
}

/* Both ends in the format's address space, and in the same half of it. */
static int check_va(const struct pt_format *f, u64 va, u64 size)
{
	u64 last = va + (size - 1);

	if (last < va)
		return -ERANGE;
	if (!f->canonical)
		return last >> f->va_bits ? -ERANGE : 0;
	if (!pt_canonical(va, f->va_bits) || !pt_canonical(last, f->va_bits) ||
	    va >> 63 != last >> 63)
		return -ERANGE;
	return 0;
}

static int run(struct pt *pt, const struct op *op, u64 va, u64 size)
{
	int ret;

	if (!size || !IS_ALIGNED(va | size, PAGE_SIZE))
		return -EINVAL;
	ret = check_va(pt->cfg.format, va, size);
	if (ret)
		return ret;
	return visit(pt, op, pt->root, pt->cfg.format->levels, va,
		     va + (size - 1));
}

static int check_prot(const struct pt_format *f, u32 prot)
{
	u32 mt = PT_PROT_MT(prot);

	/* SDM3 12.12.2: encodings 2 and 3 are reserved. */
	if (mt == 2 || mt == 3)
		return -EINVAL;
	if (!f->ept)
		return prot & PT_R ? 0 : -EINVAL;
	/* SDM3 29.3.3.1: such entries are misconfigured. */
	if (mt == MT_UCM || (prot & (PT_R | PT_W)) == PT_W)
		return -EINVAL;
	return prot & PT_RWX ? 0 : -EINVAL;
}

int pt_init(struct pt *pt, const struct pt_config *cfg)
{
	if (!cfg->format)
		return -EINVAL;
	pt->cfg = *cfg;
	pt->tables = 0;
	pt->root = new_table(pt);
	return pt->root ? 0 : -ENOMEM;
}

void pt_free(struct pt *pt)
{
	if (pt->root)
		free_table(pt, pt->root, pt->cfg.format->levels);
	pt->root = 0;
}

int pt_map(struct pt *pt, u64 va, u64 pa, u64 size, u32 prot, u64 page_max)
{
	const struct pt_format *f = pt->cfg.format;
	struct op op = {
		.kind = OP_MAP,
		.delta = pa - va,
		.page_max = page_max,
		.prot = prot,
	};

	if (!IS_ALIGNED(pa, PAGE_SIZE) || page_max < PAGE_SIZE ||
	    check_prot(f, prot))
		return -EINVAL;
	if (pa >> f->pa_bits || size > (1ULL << f->pa_bits) - pa)
		return -ERANGE;
	return run(pt, &op, va, size);
}

int pt_unmap(struct pt *pt, u64 va, u64 size)
{
	struct op op = { .kind = OP_UNMAP };

	return run(pt, &op, va, size);
}

void pt_clear(struct pt *pt)
{
	const struct pt_format *f = pt->cfg.format;
	const struct pt_level *top = &f->level[f->levels - 1];

	for (u64 i = 0; i < 1ULL << top->bits; i++) {
		void *entry = entry_at(pt, pt->root, f->levels, i << top->shift);
		u64 e = load(f, entry);

		if (!is_present(f, e))
			continue;
		store(f, entry, 0);
		if (!is_leaf(f, e, f->levels))
			free_table(pt, e & f->addr, f->levels - 1);
	}
}

int pt_protect(struct pt *pt, u64 va, u64 size, u32 prot)
{
	struct op op = { .kind = OP_PROTECT, .prot = prot };

	if (check_prot(pt->cfg.format, prot))
		return -EINVAL;
	return run(pt, &op, va, size);
}

int pt_clear_ad(struct pt *pt, u64 va, u64 size)
{
	struct op op = { .kind = OP_CLEAR_AD };

	return run(pt, &op, va, size);
}

/* Protection that one entry grants; PT_R to be taken off by no level. */
static u32 entry_prot(const struct pt_format *f, u64 e)
{
	u32 prot = 0;

	if (!f->ept || (e & f->read))
		prot |= PT_R;
	if (e & f->write)
		prot |= PT_W;
	if (f->ept ? e & f->exec : !(e & f->nx))
		prot |= PT_X;
	if (e & f->user)
		prot |= PT_U;
	return prot;
}

int pt_query(const struct pt *pt, u64 va, struct pt_mapping *out)
{
	const struct pt_format *f = pt->cfg.format;
	u32 prot = PT_RWX | PT_U;
	u64 table = pt->root;

	if (check_va(f, va, 1))
		return -ERANGE;
	for (unsigned int level = f->levels; level > 0; level--) {
		u64 e = load(f, entry_at(pt, table, level, va));
		u64 mask;

		out->size = pt_level_size(f, level);
		out->level = level;
		if (!is_present(f, e))
			return -ENOENT;
		/* A PAE top entry has no W and U and takes nothing away. */
		if (f->level[level - 1].table != PTE_P)
			prot &= entry_prot(f, e);
		if (!is_leaf(f, e, level)) {
			table = e & f->addr;
			continue;
		}
		mask = leaf_addr_mask(f, level);
		out->pa = (e & mask) | (va & (out->size - 1));
		out->entry = e;
		out->prot = prot | PT_MT(entry_mt(pt, level, e)) |
			    (e & f->global ? PT_G : 0) |
			    (f->ept && (e & EPT_IPAT) ? PT_IPAT : 0);
		out->accessed = e & f->accessed;
		out->dirty = e & f->dirty;
		return 0;
	}
	return -ENOENT;
}

void *pt_entry(const struct pt *pt, u64 va, unsigned int level)
{
	const struct pt_format *f = pt->cfg.format;
	u64 table = pt->root;

	if (check_va(f, va, 1) || !level)
		return NULL;
	for (unsigned int l = f->levels; l > level; l--) {
		u64 e = load(f, entry_at(pt, table, l, va));

		if (!is_present(f, e) || is_leaf(f, e, l))
			return NULL;
		table = e & f->addr;
	}
	return level > f->levels ? NULL : entry_at(pt, table, level, va);
}

void *pt_make_entry(struct pt *pt, u64 va, unsigned int level)
{
	const struct pt_format *f = pt->cfg.format;
	u64 table = pt->root;

	if (check_va(f, va, 1) || !level || level > f->levels)
		return NULL;
	for (unsigned int l = f->levels; l > level; l--) {
		void *entry = entry_at(pt, table, l, va);
		u64 e = load(f, entry);

		if (likely(is_present(f, e) && !is_leaf(f, e, l)))
			table = e & f->addr;
		else
			table = make_child(pt, entry, l);
		if (!table)
			return NULL;
	}
	return entry_at(pt, table, level, va);
}

/* The level whose entries map pages of a size, or 0. */
static unsigned int leaf_level(const struct pt_format *f, u64 size)
{
	for (unsigned int level = 1; level <= f->levels; level++)
		if (pt_level_size(f, level) == size)
			return f->level[level - 1].leaf ? level : 0;
	return 0;
}

int pt_map_page(struct pt *pt, u64 va, u64 pa, u64 size, u32 prot, bool *replaced)
{
	const struct pt_format *f = pt->cfg.format;
	unsigned int level = leaf_level(f, size);
	void *entry;
	u64 old;

	if (!level || !IS_ALIGNED(va | pa, size) || check_prot(f, prot))
		return -EINVAL;
	if (pa >> f->pa_bits || check_va(f, va, size))
		return -ERANGE;
	entry = pt_make_entry(pt, va, level);
	if (!entry)
		return -ENOMEM;
	old = load(f, entry);
	*replaced = is_present(f, old);
	store(f, entry, leaf_bits(pt, level, prot) | pa);
	if (*replaced && !is_leaf(f, old, level))
		free_table(pt, old & f->addr, level - 1);
	return 0;
}
