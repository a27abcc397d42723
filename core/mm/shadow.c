/* SPDX-License-Identifier: MIT */
#include "core/mm/shadow.h"

#include "core/lib/string.h"

#define NONE		0xffffu
#define BUCKETS		1024u
#define KEY_LEVEL	7u

/* One page that finds all records: by address and level, and by number. */
struct shadow_index {
	u16 bucket[BUCKETS];
	struct {
		struct shadow_chunk *at;
		u64 pa;
	} chunk[SHADOW_MAX_RECORDS / SHADOW_CHUNK];
};

STATIC_ASSERT(sizeof(struct shadow_index) == PAGE_SIZE, "a page");
STATIC_ASSERT(sizeof(struct shadow_chunk) == PAGE_SIZE, "a page");
STATIC_ASSERT(SHADOW_MAX_RECORDS <= NONE, "indices of 16 bits");

/* What L1's tables are where L1 has no memory: no device is read for a walk. */
static const u64 no_memory = ~0ULL;

/* ---- L1's memory ------------------------------------------------------- */

static __always_inline u64 load(const void *entry, unsigned int size)
{
	return size == 4 ? READ_ONCE(*(const u32 *)entry) :
			   READ_ONCE(*(const u64 *)entry);
}

static int l1_read(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	struct shadow *s = ctx;
	struct shadow_record *step = &s->step[s->steps++];

	step->entry = gmem_ptr(s->cfg.mem, gpa, len);
	if (!step->entry)
		step->entry = &no_memory;
	step->value = load(step->entry, len);
	if (len == 8)
		*(u64 *)buf = step->value;
	else
		*(u32 *)buf = (u32)step->value;
	return 0;
}

static bool swap(void *entry, u64 old, u64 new, unsigned int len)
{
	if (len == 8)
		return __sync_bool_compare_and_swap((u64 *)entry, old, new);
	return __sync_bool_compare_and_swap((u32 *)entry, (u32)old, (u32)new);
}

static int l1_cmpxchg(void *ctx, u64 gpa, u64 old, u64 new, unsigned int len)
{
	struct shadow *s = ctx;
	const struct gmem_slot *slot = gmem_slot(s->cfg.mem, gpa);
	void *entry = gmem_ptr(s->cfg.mem, gpa, len);

	/* All ones have A and D, so there is memory; ROM ignores the write. */
	if (slot->flags & GMEM_RO)
		return 0;
	if (!swap(entry, old, new, len)) {
		/* The walk starts again. */
		s->steps = 0;
		return -EAGAIN;
	}
	/* Tables may point to themselves: one entry, several steps. */
	for (u32 i = 0; i < s->steps; i++)
		if (s->step[i].entry == entry)
			s->step[i].value = new;
	return 0;
}

static enum shadow_result walk(struct shadow *s, u64 l2_gpa, u32 access,
			       struct pt_walk_result *res, struct shadow_fault *f)
{
	int ret;

	*f = (struct shadow_fault){ .l1_gpa = 0 };
	/* What only L1's format could address is not present in any. */
	if (l2_gpa >> s->cfg.pt.format->va_bits)
		l2_gpa = ~0ULL;
	s->steps = 0;
	/* APM2 15.25.5: user accesses, whatever L2's CPL. */
	ret = pt_walk(&s->l1, l2_gpa, (access & (PTA_WRITE | PTA_EXEC)) | PTA_USER, res);
	if (ret == -EFAULT) {
		f->error_code = res->error_code;
		return SHADOW_REFLECT;
	}
	if (ret)
		return SHADOW_RETRY;
	f->l1_gpa = res->gpa;
	f->page_size = res->page_size;
	return SHADOW_OK;
}

/* ---- records ----------------------------------------------------------- */

static struct shadow_record *record(const struct shadow *s, u32 i)
{
	return &s->index->chunk[i / SHADOW_CHUNK].at->record[i % SHADOW_CHUNK];
}

static struct shadow_place *place(const struct shadow *s, u32 i)
{
	return &s->index->chunk[i / SHADOW_CHUNK].at->place[i % SHADOW_CHUNK];
}

static u16 *bucket(const struct shadow *s, u64 key)
{
	return &s->index->bucket[(key * 0x9e3779b97f4a7c15ULL) >> 54];
}

static u32 find(const struct shadow *s, u64 key)
{
	u32 i = s->last[(key & KEY_LEVEL) - 1];

	/* Faults follow each other, and upper levels are then the same. */
	if (i < s->n && place(s, i)->key == key)
		return i;
	i = *bucket(s, key);
	while (i != NONE && place(s, i)->key != key)
		i = place(s, i)->next;
	return i;
}

/* Appends a record, for which there is room. */
static u32 put(struct shadow *s, u64 key, u32 parent, bool leaf, const struct shadow_record *r)
{
	u16 *head = bucket(s, key);
	u32 i = s->n++;
	struct shadow_place *p = place(s, i);

	*record(s, i) = *r;
	p->key = key;
	p->parent = (u16)parent;
	p->leaf = leaf;
	p->vacant = false;
	p->next = *head;
	*head = (u16)i;
	return i;
}

static int make_room(struct shadow *s)
{
	u64 pa;

	if (s->n == s->cfg.max_records)
		return -ENOMEM;
	if (s->n < s->chunks * SHADOW_CHUNK)
		return 0;
	pa = s->cfg.pt.alloc_page(s->cfg.pt.ctx);
	if (!pa)
		return -ENOMEM;
	s->index->chunk[s->chunks].pa = pa;
	s->index->chunk[s->chunks].at = s->cfg.pt.to_virt(s->cfg.pt.ctx, pa);
	s->chunks++;
	return 0;
}

static void forget_all(struct shadow *s)
{
	s->n = s->vacant = 0;
	memset(s->index->bucket, 0xff, sizeof(s->index->bucket));
}

static void free_chunks(struct shadow *s)
{
	while (s->chunks)
		s->cfg.pt.free_page(s->cfg.pt.ctx, s->index->chunk[--s->chunks].pa);
}

/* Takes away what was mapped through an entry. */
static void take_away(struct shadow *s, u64 key)
{
	u64 size = pt_level_size(s->l1_format, key & KEY_LEVEL);

	s->gen++;
	s->stats.taken++;
	/*
	 * No mapping is larger than the page of L1 that it is from, so none is
	 * split and nothing can fail; but to take too much is never wrong.
	 */
	if (pt_unmap(&s->pt, key & PAGE_MASK, size))
		pt_clear(&s->pt);
}

/*
 * Accessed and dirty bits that were not used are no change.  A PAE top entry
 * has none: there these bits are reserved (APM2 5.2.3).
 */
static bool same_but_ad(const struct shadow *s, u64 key, u64 used, u64 now)
{
	const struct pt_format *f = s->l1_format;
	u64 ad = f->accessed | f->dirty;

	if (f->level[(key & KEY_LEVEL) - 1].table == PTE_P)
		ad = 0;
	return now == (used | (now & ad));
}

/* Whether a record agrees with memory; new A and D bits are taken over. */
static bool agrees(struct shadow *s, u32 i)
{
	struct shadow_record *r = record(s, i);
	u64 now = load(r->entry, s->l1_format->entry_size);

	if (!same_but_ad(s, place(s, i)->key, r->value, now))
		return false;
	r->value = now;
	return true;
}

/*
 * A leaf's entry has changed: its mappings go, while the record stays for the
 * next fill, as one that always agrees with memory.
 */
static void vacate(struct shadow *s, u32 i)
{
	struct shadow_place *p = place(s, i);

	take_away(s, p->key);
	*record(s, i) = (struct shadow_record){
		&no_memory, load(&no_memory, s->l1_format->entry_size)
	};
	p->vacant = true;
	s->vacant++;
}

/*
 * Removes the records that do not agree with memory, those below them, and
 * vacant ones, and takes their mappings away.  Parents stand before their
 * children, and the order is kept, so one pass does.
 */
static void prune(struct shadow *s)
{
	u32 n = s->n;

	forget_all(s);
	for (u32 i = 0; i < n; i++) {
		struct shadow_place *p = place(s, i);
		u32 parent = p->parent;

		p->moved = NONE;
		if (parent != NONE) {
			parent = place(s, parent)->moved;
			if (parent == NONE)
				continue;
		}
		if (p->vacant)
			continue;
		if (!agrees(s, i)) {
			take_away(s, p->key);
			continue;
		}
		p->moved = (u16)s->n;
		put(s, p->key, parent, p->leaf, record(s, i));
	}
}

/*
 * Brings a record up to date with what a walk has used.  -EAGAIN: more depends
 * on the old value than the caller's mapping, and prune must remove it.
 */
static int renew(struct shadow *s, u32 i, bool leaf, const struct shadow_record *used)
{
	struct shadow_record *r = record(s, i);
	struct shadow_place *p = place(s, i);

	if (!p->vacant && !same_but_ad(s, p->key, r->value, used->value)) {
		if (!p->leaf)
			return -EAGAIN;
		vacate(s, i);
	}
	if (p->vacant) {
		p->vacant = false;
		s->vacant--;
	}
	p->leaf = leaf;
	*r = *used;
	return 0;
}

/* Records the steps of the walk for l2_gpa, whose leaf is at a level. */
static int remember(struct shadow *s, u64 l2_gpa, unsigned int leaf)
{
	u32 parent = NONE;

	for (u32 i = 0; i < s->steps; i++) {
		unsigned int level = leaf + s->steps - 1 - i;
		u64 size = pt_level_size(s->l1_format, level);
		u64 key = ALIGN_DOWN(l2_gpa, size) | level;
		u32 r = find(s, key);
		int err = r == NONE ? make_room(s) :
				      renew(s, r, level == leaf, &s->step[i]);

		if (err)
			return err;
		if (r == NONE)
			r = put(s, key, parent, level == leaf, &s->step[i]);
		s->last[level - 1] = (u16)r;
		parent = r;
	}
	return 0;
}

/* ---- filling ----------------------------------------------------------- */

/* Intersects the rights of both sides (APM2 15.25.5). */
static u32 rights(const struct pt_walk_result *res, const struct gmem_backing *b)
{
	u32 prot = PT_U | (res->prot & PT_RWX);

	/* The first write must come here to set the dirty bit. */
	if (!res->dirty || b->flags & GMEM_RO)
		prot &= ~PT_W;
	return prot;
}

static int map(struct shadow *s, u64 start, const struct gmem_backing *b, u32 prot)
{
	bool replaced = false;
	int err;

	/* The most that one page needs, none of it a split. */
	if (s->pt.tables + s->cfg.pt.format->levels - 1 > s->cfg.max_tables)
		return -ENOMEM;
	err = pt_map_page(&s->pt, start, b->pa, b->size, prot, &replaced);
	/* The fault has shown that a TLB has the old entry, even the same. */
	s->gen += replaced;
	s->stats.fills += !err;
	return err;
}

enum shadow_result shadow_fill(struct shadow *s, u64 l2_gpa, u32 access, struct shadow_fault *f)
{
	struct pt_walk_result res;
	enum shadow_result ret = walk(s, l2_gpa, access, &res, f);
	struct gmem_backing b;
	int err = 0;

	if (ret != SHADOW_OK)
		return ret;
	/* APM2 15.25.9: of two page sizes the smaller. */
	if (gmem_backing(s->cfg.mem, res.gpa, MIN(res.page_size, s->cfg.page_max), &b) ||
	    (access & PTA_WRITE && b.flags & GMEM_RO))
		return SHADOW_MMIO;
	/* At worst: other tables, then no room, then an empty shadow. */
	for (int i = 0; i < 3; i++) {
		err = remember(s, l2_gpa, res.level);
		if (!err)
			err = map(s, ALIGN_DOWN(l2_gpa, b.size), &b, rights(&res, &b));
		if (!err)
			return SHADOW_OK;
		if (err == -EAGAIN)
			prune(s);
		else
			shadow_drop(s);
	}
	return err == -EAGAIN ? SHADOW_RETRY : SHADOW_NOMEM;
}

enum shadow_result shadow_translate(struct shadow *s, u64 l2_gpa, u32 access,
				    struct shadow_fault *f)
{
	struct pt_walk_result res;

	return walk(s, l2_gpa, access, &res, f);
}

/* ---- flushing ---------------------------------------------------------- */

static __always_inline bool differs(const struct shadow_record *r, unsigned int size)
{
	return load(r->entry, size) != r->value;
}

/* The first of records i..n that differs from memory, or n. */
static __always_inline u32 first_change(const struct shadow_record *r, u32 i, u32 n,
					unsigned int size)
{
	for (; i + 4 <= n; i += 4)
		if (differs(r + i, size) || differs(r + i + 1, size) ||
		    differs(r + i + 2, size) || differs(r + i + 3, size))
			break;
	while (i < n && !differs(r + i, size))
		i++;
	return i;
}

/* False when a record that others depend on does not agree with memory. */
static __always_inline bool compare(struct shadow *s, unsigned int size)
{
	for (u32 base = 0; base < s->n; base += SHADOW_CHUNK) {
		const struct shadow_record *r = record(s, base);
		u32 n = MIN(s->n - base, SHADOW_CHUNK);

		for (u32 i = 0; (i = first_change(r, i, n, size)) < n; i++) {
			if (agrees(s, base + i))
				continue;
			if (!place(s, base + i)->leaf)
				return false;
			vacate(s, base + i);
		}
	}
	return true;
}

bool shadow_sync(struct shadow *s)
{
	u64 gen = s->gen;
	bool whole;

	if (!s->n)
		return false;
	s->stats.syncs++;
	s->stats.compared += s->n;
	whole = s->l1_format->entry_size == 4 ? compare(s, 4) : compare(s, 8);
	if (!whole || s->vacant > s->n / 2)
		prune(s);
	return s->gen != gen;
}

void shadow_drop(struct shadow *s)
{
	/* No mapping is without a record. */
	if (!s->n)
		return;
	s->gen++;
	s->stats.drops++;
	pt_clear(&s->pt);
	forget_all(s);
	free_chunks(s);
}

/* ---- life -------------------------------------------------------------- */

void shadow_bind(struct shadow *s, const struct shadow_key *key)
{
	bool same = s->l1_format && shadow_same_tables(&s->key, key);

	s->key = *key;
	if (same)
		return;
	shadow_drop(s);
	s->l1 = (struct pt_walk_env){
		/* APM2 15.25.3: only under paging are there nested tables. */
		.cr0 = CR0_PG | CR0_WP, .cr3 = key->root, .cr4 = key->cr4, .efer = key->efer,
		.maxphyaddr = s->cfg.maxphyaddr, .page1g = s->cfg.page1g, .amd = s->cfg.amd,
		.set_ad = true, .nested = true, .mem = { l1_read, l1_cmpxchg, s },
	};
	s->l1_format = pt_walk_format(&s->l1);
}

static bool valid(const struct shadow_config *cfg)
{
	return cfg->max_records >= PT_MAX_LEVELS && cfg->max_records <= SHADOW_MAX_RECORDS &&
	       cfg->max_tables >= SHADOW_MIN_TABLES && cfg->mem &&
	       (cfg->page_max == PAGE_SIZE || cfg->page_max == SIZE_2M ||
		cfg->page_max == SIZE_1G);
}

int shadow_init(struct shadow *s, const struct shadow_config *cfg)
{
	int err;

	memset(s, 0, sizeof(*s));
	if (!valid(cfg))
		return -EINVAL;
	s->cfg = *cfg;
	err = pt_init(&s->pt, &cfg->pt);
	if (err)
		return err;
	s->index_pa = cfg->pt.alloc_page(cfg->pt.ctx);
	if (!s->index_pa) {
		pt_free(&s->pt);
		return -ENOMEM;
	}
	s->index = cfg->pt.to_virt(cfg->pt.ctx, s->index_pa);
	forget_all(s);
	return 0;
}

void shadow_fini(struct shadow *s)
{
	free_chunks(s);
	s->cfg.pt.free_page(s->cfg.pt.ctx, s->index_pa);
	pt_free(&s->pt);
}
