// SPDX-License-Identifier: MIT
#include "core/vm/save_mem.h"

#include "core/lib/crc32.h"
#include "core/lib/string.h"

/* Of a chunk's head: all but the checksum itself. */
#define SUMMED	offsetof(struct save_chunk, crc32)

static const struct gmem_slot *owner_of(const struct gmem *g, const struct gmem_slot *alias)
{
	for (u32 i = 0; i < g->n; i++)
		if (g->slot[i].host == alias->host && !(g->slot[i].flags & GMEM_ALIAS))
			return &g->slot[i];
	return NULL;
}

int save_layout_get(const struct gmem *g, u64 ram, struct save_layout *out)
{
	memset(out, 0, sizeof(*out));
	out->ram = ram;
	out->slots = g->n;
	for (u32 i = 0; i < g->n; i++) {
		const struct gmem_slot *s = &g->slot[i], *owner;

		out->slot[i] = (struct save_slot){ .gpa = s->gpa, .size = s->size,
						   .flags = s->flags };
		if (s->flags & GMEM_MMIO)
			return -EINVAL;
		if (!(s->flags & GMEM_ALIAS))
			continue;
		owner = owner_of(g, s);
		if (!owner)
			return -EINVAL;
		out->slot[i].same_as = owner->gpa;
	}
	return 0;
}

static const struct save_slot *slot_at(const struct save_layout *l, u64 gpa)
{
	for (u32 i = 0; i < l->slots; i++)
		if (l->slot[i].gpa == gpa)
			return &l->slot[i];
	return NULL;
}

/* As vm_add_rom makes them: one alias at most, of all of a ROM. */
static bool alias_valid(const struct save_layout *l, u32 i)
{
	const struct save_slot *s = &l->slot[i], *of = slot_at(l, s->same_as);

	if (!of || of->flags != GMEM_RO || of->size != s->size)
		return false;
	for (u32 k = 0; k < i; k++)
		if (l->slot[k].flags & GMEM_ALIAS && l->slot[k].same_as == s->same_as)
			return false;
	return true;
}

static bool slot_valid(const struct save_layout *l, u32 i)
{
	const struct save_slot *s = &l->slot[i];

	switch (s->flags) {
	case 0:
	case GMEM_RO:
		return !s->same_as && !s->reserved;
	case GMEM_RO | GMEM_ALIAS:
		/* 0 is no address of an alias for vm_add_rom. */
		return s->gpa && !s->reserved && alias_valid(l, i);
	default:
		return false;
	}
}

static bool unused_zero(const struct save_layout *l)
{
	const struct save_slot zero = { 0 };

	for (u32 i = l->slots; i < GMEM_MAX_SLOTS; i++)
		if (memcmp(&l->slot[i], &zero, sizeof(zero)))
			return false;
	return true;
}

int save_layout_check(const struct save_layout *l, u64 max)
{
	u64 end = 0, sum = 0;

	if (l->slots > GMEM_MAX_SLOTS || l->reserved || !unused_zero(l))
		return -EINVAL;
	for (u32 i = 0; i < l->slots; i++) {
		const struct save_slot *s = &l->slot[i];

		if (!IS_ALIGNED(s->gpa | s->size, PAGE_SIZE) || s->gpa < end || !s->size ||
		    s->gpa >= GMEM_GPA_LIMIT || s->size > GMEM_GPA_LIMIT - s->gpa)
			return -EINVAL;
		if (!slot_valid(l, i))
			return -EINVAL;
		end = s->gpa + s->size;
		sum += s->flags & GMEM_ALIAS ? 0 : s->size;
		if (sum > max)
			return -EINVAL;
	}
	return 0;
}

int save_layout_match(const struct save_layout *l, const struct gmem *g)
{
	struct save_layout have;

	if (save_layout_get(g, l->ram, &have))
		return -EINVAL;
	return memcmp(l, &have, sizeof(have)) ? -EINVAL : 0;
}

const struct save_slot *save_layout_alias(const struct save_layout *l, u32 i)
{
	for (u32 k = 0; k < l->slots; k++)
		if (l->slot[k].flags & GMEM_ALIAS && l->slot[k].same_as == l->slot[i].gpa)
			return &l->slot[k];
	return NULL;
}

/* Pages from at on that are not zero, as many as a chunk may have. */
static u32 run_length(const struct gmem_slot *s, u64 at)
{
	u32 n = 0;

	while (n < SAVE_CHUNK_PAGES && at < s->size && !block_is_zero(s->host + at, PAGE_SIZE)) {
		at += PAGE_SIZE;
		n++;
	}
	return n;
}

/* Seals c, which goes on from *crc, and sends it. */
static int put_chunk(struct save_chunk *c, const u8 *data, u32 *crc, const struct save_sink *out)
{
	int err;

	*crc = crc32_update(crc32_update(*crc, c, SUMMED), data, c->size);
	c->crc32 = *crc;
	err = out->write(out->ctx, c, sizeof(*c));
	return !err && c->size ? out->write(out->ctx, data, c->size) : err;
}

static int put_run(const struct gmem_slot *s, u64 at, u32 pages, u32 *crc,
		   const struct save_sink *out, struct save_mem_work *w)
{
	const u8 *data = s->host + at;
	u32 len = pages * (u32)PAGE_SIZE;
	struct save_chunk c = { .gpa = s->gpa + at, .pages = pages, .coding = SAVE_LZ };

	c.size = lz_pack(data, len, w->data, len - 1, &w->table);
	if (c.size)
		return put_chunk(&c, w->data, crc, out);
	c.coding = SAVE_RAW;
	c.size = len;
	return put_chunk(&c, data, crc, out);
}

int save_mem_write(const struct gmem *g, u32 crc, const struct save_sink *out,
		   struct save_mem_work *w)
{
	struct save_chunk end = { .coding = SAVE_END };

	for (u32 i = 0; i < g->n; i++) {
		const struct gmem_slot *s = &g->slot[i];
		u32 n;

		if (s->flags & GMEM_ALIAS)
			continue;
		for (u64 at = 0; at < s->mem_size; at += MAX(n, 1u) * PAGE_SIZE) {
			int err;

			n = run_length(s, at);
			err = n ? put_run(s, at, n, &crc, out, w) : 0;
			if (err)
				return err;
			end.gpa += n;
		}
	}
	return put_chunk(&end, NULL, &crc, out);
}

/* Where the chunk's pages are; NULL with the reason in *what. */
static u8 *place(const struct gmem *g, const struct save_chunk *c, const char **what)
{
	const struct gmem_slot *s = gmem_slot(g, c->gpa);

	*what = "pages are outside of memory";
	if (!s || s->flags & GMEM_ALIAS)
		return NULL;
	return gmem_ptr(g, c->gpa, c->pages * PAGE_SIZE);
}

static bool size_valid(const struct save_chunk *c)
{
	u64 len = c->pages * PAGE_SIZE;

	switch (c->coding) {
	case SAVE_END:
		return !c->size && !c->pages;
	case SAVE_RAW:
		return c->pages <= SAVE_CHUNK_PAGES && c->size == len;
	case SAVE_LZ:
		return c->pages <= SAVE_CHUNK_PAGES && c->size && c->size < len;
	default:
		return false;
	}
}

/* One chunk with its data, checked as far as it can be without the memory. */
static int get_chunk(struct save_chunk *c, u32 *crc, const struct save_source *in,
		     struct save_mem_work *w, const char **what)
{
	int err = in->read(in->ctx, c, sizeof(*c));

	*what = "ends too early";
	if (err)
		return err;
	if (!size_valid(c)) {
		*what = "has a damaged chunk";
		return -EINVAL;
	}
	err = c->size ? in->read(in->ctx, w->data, c->size) : 0;
	if (err)
		return err;
	*crc = crc32_update(crc32_update(*crc, c, SUMMED), w->data, c->size);
	*what = "has a wrong checksum";
	return *crc == c->crc32 ? 0 : -EINVAL;
}

/* Each chunk up to the end, checked but for where its pages are, goes to take. */
static int each_chunk(u32 crc, const struct save_source *in, struct save_mem_work *w,
		      int (*take)(const void *ctx, const struct save_chunk *c,
				  const struct save_mem_work *w, const char **what),
		      const void *ctx, const char **what)
{
	u64 next = 0, pages = 0;
	struct save_chunk c;
	int err;

	for (;;) {
		err = get_chunk(&c, &crc, in, w, what);
		if (err)
			return err;
		if (c.coding == SAVE_END)
			break;
		*what = "pages are out of order";
		if (!c.pages || !IS_ALIGNED(c.gpa, PAGE_SIZE) || c.gpa < next)
			return -EINVAL;
		err = take(ctx, &c, w, what);
		if (err)
			return err;
		next = c.gpa + c.pages * PAGE_SIZE;
		pages += c.pages;
	}
	*what = "has another number of pages";
	return c.gpa == pages ? 0 : -EINVAL;
}

static int unpack(const void *ctx, const struct save_chunk *c, const struct save_mem_work *w,
		  const char **what)
{
	u8 *to = place(ctx, c, what);

	if (!to)
		return -EINVAL;
	*what = "has a damaged chunk";
	if (c->coding == SAVE_LZ)
		return lz_unpack(w->data, c->size, to, c->pages * (u32)PAGE_SIZE);
	memcpy(to, w->data, c->size);
	return 0;
}

int save_mem_read(const struct gmem *g, u32 crc, const struct save_source *in,
		  struct save_mem_work *w, const char **what)
{
	return each_chunk(crc, in, w, unpack, g, what);
}

/* place, for memory that is not there yet. */
static int has_place(const void *ctx, const struct save_chunk *c, const struct save_mem_work *w,
		     const char **what)
{
	const struct save_layout *l = ctx;
	u64 len = c->pages * PAGE_SIZE;

	*what = "pages are outside of memory";
	for (u32 i = 0; i < l->slots; i++) {
		const struct save_slot *s = &l->slot[i];

		if (c->gpa >= s->gpa && c->gpa - s->gpa < s->size)
			return s->flags & GMEM_ALIAS || len > s->size - (c->gpa - s->gpa) ?
			       -EINVAL : 0;
	}
	return -EINVAL;
}

int save_mem_verify(const struct save_layout *l, u32 crc, const struct save_source *in,
		    struct save_mem_work *w, const char **what)
{
	return each_chunk(crc, in, w, has_place, l, what);
}

u64 save_layout_bytes(const struct save_layout *l)
{
	u64 sum = 0;

	for (u32 i = 0; i < l->slots; i++)
		sum += l->slot[i].flags & GMEM_ALIAS ? 0 : l->slot[i].size;
	return sum;
}
