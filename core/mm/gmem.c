/* SPDX-License-Identifier: MIT */
#include "core/mm/gmem.h"

#include "core/lib/string.h"

void gmem_init(struct gmem *g)
{
	memset(g, 0, sizeof(*g));
}

/* Index of the first slot that ends above gpa; n when there is none. */
static u32 first_above(const struct gmem *g, u64 gpa)
{
	u32 i = 0;

	while (i < g->n && g->slot[i].gpa + g->slot[i].size <= gpa)
		i++;
	return i;
}

int gmem_add(struct gmem *g, u64 gpa, u64 size, void *host, u64 pa, u32 flags)
{
	bool mmio = flags & GMEM_MMIO;
	u32 i;

	if (!IS_ALIGNED(gpa | size, PAGE_SIZE) || !size || gpa >= GMEM_GPA_LIMIT ||
	    size > GMEM_GPA_LIMIT - gpa || (flags & ~(GMEM_RO | GMEM_MMIO | GMEM_ALIAS)))
		return -EINVAL;
	if (!mmio && (!host || !IS_ALIGNED(pa, PAGE_SIZE)))
		return -EINVAL;
	i = first_above(g, gpa);
	if (i < g->n && g->slot[i].gpa < gpa + size)
		return -EEXIST;
	if (g->n == GMEM_MAX_SLOTS)
		return -ENOSPC;
	memmove(&g->slot[i + 1], &g->slot[i], (g->n - i) * sizeof(g->slot[0]));
	g->slot[i] = (struct gmem_slot){
		.gpa = gpa,
		.size = size,
		.mem_size = mmio ? 0 : size,
		.host = mmio ? NULL : host,
		.pa = mmio ? 0 : pa,
		.flags = flags,
	};
	g->n++;
	return 0;
}

int gmem_remove(struct gmem *g, u64 gpa)
{
	u32 i = first_above(g, gpa);

	if (i == g->n || g->slot[i].gpa != gpa)
		return -ENOENT;
	g->n--;
	memmove(&g->slot[i], &g->slot[i + 1], (g->n - i) * sizeof(g->slot[0]));
	/* gmem_ptr may still look here: an empty slot never matches. */
	memset(&g->slot[g->n], 0, sizeof(g->slot[0]));
	return 0;
}

const struct gmem_slot *gmem_slot(const struct gmem *g, u64 gpa)
{
	u32 i = first_above(g, gpa);

	return i < g->n && g->slot[i].gpa <= gpa ? &g->slot[i] : NULL;
}

void *gmem_ptr_slow(const struct gmem *g, u64 gpa, u64 len)
{
	const struct gmem_slot *s = gmem_slot(g, gpa);
	u64 off;

	if (!s)
		return NULL;
	off = gpa - s->gpa;
	if (off >= s->mem_size || len > s->mem_size - off)
		return NULL;
	/* The hint is a cache, not part of the value that const promises. */
	WRITE_ONCE(((struct gmem *)g)->last, (u32)(s - g->slot));
	return s->host + off;
}

void *gmem_ptr_rw_slow(const struct gmem *g, u64 gpa, u64 len)
{
	const struct gmem_slot *s = gmem_slot(g, gpa);

	return s && !(s->flags & GMEM_RO) ? gmem_ptr_slow(g, gpa, len) : NULL;
}

/* The part of [gpa, gpa + len) that lies in the slot of gpa; 0 if none may. */
static u64 chunk(const struct gmem *g, u64 gpa, u64 len, bool write, u8 **p)
{
	const struct gmem_slot *s = gmem_slot(g, gpa);
	u64 off;

	if (!s || !s->mem_size || (write && (s->flags & GMEM_RO)))
		return 0;
	off = gpa - s->gpa;
	*p = s->host + off;
	return MIN(len, s->mem_size - off);
}

static bool reachable(const struct gmem *g, u64 gpa, u64 len, bool write)
{
	u8 *p;

	while (len) {
		u64 n = chunk(g, gpa, len, write, &p);

		if (!n)
			return false;
		gpa += n;
		len -= n;
	}
	return true;
}

int gmem_read(const struct gmem *g, u64 gpa, void *buf, u64 len)
{
	u8 *out = buf, *p;
	u64 n;

	if (!reachable(g, gpa, len, false))
		return -EFAULT;
	for (; len; gpa += n, out += n, len -= n) {
		n = chunk(g, gpa, len, false, &p);
		memcpy(out, p, n);
	}
	return 0;
}

int gmem_write(const struct gmem *g, u64 gpa, const void *buf, u64 len)
{
	const u8 *in = buf;
	u8 *p;
	u64 n;

	if (!reachable(g, gpa, len, true))
		return -EFAULT;
	for (; len; gpa += n, in += n, len -= n) {
		n = chunk(g, gpa, len, true, &p);
		memcpy(p, in, n);
	}
	return 0;
}

int gmem_zero(const struct gmem *g, u64 gpa, u64 len)
{
	u8 *p;
	u64 n;

	if (!reachable(g, gpa, len, true))
		return -EFAULT;
	for (; len; gpa += n, len -= n) {
		n = chunk(g, gpa, len, true, &p);
		memset(p, 0, n);
	}
	return 0;
}

int gmem_backing(const struct gmem *g, u64 gpa, u64 max_page,
		 struct gmem_backing *out)
{
	static const u64 sizes[] = { SIZE_1G, SIZE_2M, PAGE_SIZE };
	const struct gmem_slot *s = gmem_slot(g, gpa);

	if (max_page < PAGE_SIZE)
		return -EINVAL;
	if (!s)
		return -ENOENT;
	if (!s->mem_size)
		return -ENXIO;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 base = ALIGN_DOWN(gpa, sizes[i]);

		if (sizes[i] > max_page || base < s->gpa ||
		    sizes[i] > s->size - (base - s->gpa) ||
		    !IS_ALIGNED(s->pa + (base - s->gpa), sizes[i]))
			continue;
		out->gpa = base;
		out->pa = s->pa + (base - s->gpa);
		out->size = sizes[i];
		out->flags = s->flags;
		return 0;
	}
	/* Slots are 4K aligned, so the smallest size has always matched. */
	return -EINVAL;
}

u64 gmem_bytes(const struct gmem *g)
{
	u64 sum = 0;

	for (u32 i = 0; i < g->n; i++)
		sum += g->slot[i].mem_size;
	return sum;
}
