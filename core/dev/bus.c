// SPDX-License-Identifier: MIT
#include "core/dev/bus.h"

#include "core/lib/string.h"
#include "stats/stat.h"

void bus_init(struct bus *b)
{
	memset(b, 0, sizeof(*b));
}

static int add(struct bus_range *table, u32 *n, u32 max, const struct bus_range *r)
{
	if (r->last < r->first || !r->width || r->width > 8 ||
	    (r->width & (r->width - 1)))
		return -EINVAL;
	for (u32 i = 0; i < *n; i++)
		if (r->first <= table[i].last && table[i].first <= r->last)
			return -EEXIST;
	if (*n == max)
		return -ENOSPC;
	table[(*n)++] = *r;
	return 0;
}

int bus_add_io(struct bus *b, const struct bus_range *r)
{
	if (r->first > 0xffff || r->last > 0xffff)
		return -EINVAL;
	return add(b->io, &b->n_io, BUS_MAX_IO, r);
}

int bus_add_mmio(struct bus *b, const struct bus_range *r)
{
	return add(b->mmio, &b->n_mmio, BUS_MAX_MMIO, r);
}

static const struct bus_range *find(const struct bus_range *table, u32 n, u64 addr)
{
	for (u32 i = 0; i < n; i++)
		if (addr >= table[i].first && addr <= table[i].last)
			return &table[i];
	return NULL;
}

static u64 ones(u8 size)
{
	return ~0ULL >> (64 - 8 * size);
}

static void count(const struct bus_range *r)
{
	if (r->accesses)
		stat_inc(r->accesses);
}

/* The range takes [addr, addr + size) in one piece. */
static bool takes_whole(const struct bus_range *r, u64 addr, u8 size)
{
	return r && size <= r->width && r->last - addr >= (u64)size - 1;
}

static u64 bus_read(struct bus *b, bool io, u64 addr, u8 size)
{
	const struct bus_range *r = io ? find(b->io, b->n_io, addr)
				       : find(b->mmio, b->n_mmio, addr);
	u8 half = size / 2;
	u64 low;

	if (takes_whole(r, addr, size)) {
		count(r);
		if (!r->read)
			return ones(size);
		return r->read(r->ctx, addr - r->first, size) & ones(size);
	}
	if (size == 1) {
		b->unclaimed++;
		return 0xff;
	}
	low = bus_read(b, io, addr, half);
	addr = io ? (u16)(addr + half) : addr + half;
	return low | bus_read(b, io, addr, half) << (8 * half);
}

static enum bus_result bus_write(struct bus *b, bool io, u64 addr, u8 size, u64 val)
{
	const struct bus_range *r = io ? find(b->io, b->n_io, addr)
				       : find(b->mmio, b->n_mmio, addr);
	u8 half = size / 2;
	enum bus_result res;

	if (takes_whole(r, addr, size)) {
		count(r);
		if (!r->write)
			return BUS_OK;
		return r->write(r->ctx, addr - r->first, size, val & ones(size));
	}
	if (size == 1) {
		b->unclaimed++;
		return BUS_OK;
	}
	res = bus_write(b, io, addr, half, val);
	if (res != BUS_OK)
		return res;
	addr = io ? (u16)(addr + half) : addr + half;
	return bus_write(b, io, addr, half, val >> (8 * half));
}

enum bus_result bus_io(struct bus *b, u16 port, u8 size, bool in, u32 *val)
{
	if (!in)
		return bus_write(b, true, port, size, *val);
	*val = (u32)bus_read(b, true, port, size);
	return BUS_OK;
}

enum bus_result bus_mmio(struct bus *b, u64 gpa, u8 size, bool write, u64 *val)
{
	if (write)
		return bus_write(b, false, gpa, size, *val);
	*val = bus_read(b, false, gpa, size);
	return BUS_OK;
}

bool bus_mmio_claimed(const struct bus *b, u64 gpa)
{
	return find(b->mmio, b->n_mmio, gpa);
}
