// SPDX-License-Identifier: MIT
/*
 * Page tables written by an enemy: the walkers must not read outside guest
 * memory, must end, and must agree with each other.  Input: a header, then
 * records that write one entry each into a small, otherwise empty memory.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mm/gmem.h"
#include "core/mm/pt_walk.h"
#include "core/x86/regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct header {
	u64 cr0, cr3, cr4, efer, rflags, va, cap;
	u32 pkru, access;
	u8 maxphyaddr, flags, races, pad[5];
};

/* Where level is 1..5, at the place that va selects there; else anywhere. */
struct record {
	u8 page, level;
	u16 index;
	u64 entry;
} __packed;

#define PAGES	6u

struct memory {
	struct gmem slots;
	u8 *mem;		/* its own allocation: ASan guards the ends */
	unsigned int reads, races;
};

static int read_mem(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	struct memory *m = ctx;

	/* An aligned entry cannot cross the end of a page. */
	if (gpa % len || ++m->reads > 5 * 16)
		abort();
	return gmem_read(&m->slots, gpa, buf, len);
}

/* Some other CPU changes an entry now and then. */
static int cmpxchg_mem(void *ctx, u64 gpa, u64 old, u64 new, unsigned int len)
{
	struct memory *m = ctx;
	u8 *p = gmem_ptr(&m->slots, gpa, len);
	u64 now = 0;

	if (!p || gpa % len)
		abort();
	memcpy(&now, p, len);
	if (m->races) {
		m->races--;
		now ^= 0x63 << (m->races % 8);
		memcpy(p, &now, len);
	}
	if (now != old)
		return -EAGAIN;
	memcpy(p, &new, len);
	return 0;
}

static void check_result(int ret, u64 gpa, u64 va, u64 page_size, bool paging)
{
	if (ret != 0 && ret != -EFAULT && ret != -ERANGE && ret != -EIO &&
	    ret != -EAGAIN && ret != -EPROTO)
		abort();
	if (ret || !paging)
		return;
	/* The offset inside the page is never changed, 52 bits never passed. */
	if (((gpa ^ va) & (page_size - 1)) || gpa >> 52)
		abort();
}

static void walk(const struct header *h, struct memory *m)
{
	struct pt_walk_env env = {
		.cr0 = h->cr0, .cr3 = h->cr3, .cr4 = h->cr4, .efer = h->efer,
		.rflags = h->rflags, .pkru = h->pkru, .pkrs = ~h->pkru,
		.maxphyaddr = 32 + h->maxphyaddr % 21,
		.page1g = h->flags & 1, .amd = h->flags & 2,
		.set_ad = h->flags & 4, .nested = h->flags & 8,
		.use_pdptr = h->flags & 16,
		.pdptr = { h->va, h->cap, h->cr3, h->rflags },
		.mem = { read_mem, cmpxchg_mem, m },
	};
	struct pt_walk_result res;
	int ret = pt_walk(&env, h->va, h->access & 0xf, &res);

	check_result(ret, res.gpa, h->va, res.page_size, h->cr0 & CR0_PG);
	if (ret != -EFAULT && res.error_code)
		abort();
}

static void walk_ept(const struct header *h, struct memory *m)
{
	struct ept_walk_env env = {
		.eptp = h->cr3, .cap = h->cap,
		.maxphyaddr = 32 + h->maxphyaddr % 21,
		.mode_based_exec = h->flags & 32, .set_ad = h->flags & 4,
		.mem = { read_mem, cmpxchg_mem, m },
	};
	struct ept_walk_result res;
	int ret;

	m->reads = 0;
	ret = ept_walk(&env, h->va, h->access & 0x1f, &res);
	check_result(ret, res.gpa, h->va, res.page_size, true);
}

static void write_entries(const struct header *h, struct memory *m,
			  const uint8_t *data, size_t size)
{
	struct record r;

	for (; size >= sizeof(r); data += sizeof(r), size -= sizeof(r)) {
		u64 index;

		memcpy(&r, data, sizeof(r));
		index = r.index;
		if (r.level >= 1 && r.level <= 5)
			index = h->va >> (3 + 9 * r.level);
		memcpy(m->mem + r.page % PAGES * PAGE_SIZE + index % 512 * 8,
		       &r.entry, 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = { .reads = 0 };
	struct header h;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	m.races = h.races;
	m.mem = calloc(PAGES, PAGE_SIZE);
	if (!m.mem)
		return 0;
	write_entries(&h, &m, data + sizeof(h), size - sizeof(h));
	gmem_init(&m.slots);
	/* Sometimes not from 0, so that there is a hole below too. */
	if (gmem_add(&m.slots, h.flags & 64 ? PAGE_SIZE : 0, PAGES * PAGE_SIZE,
		     m.mem, 0, 0))
		abort();
	m.reads = 0;
	walk(&h, &m);
	walk_ept(&h, &m);
	free(m.mem);
	return 0;
}
