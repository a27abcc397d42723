// SPDX-License-Identifier: MIT
#include "core/dev/vtest.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(io_exit, "/kvm/dev", "test_exit", "count", "accesses to the port that ends a guest");
STAT_COUNTER(io_debug, "/kvm/dev", "debug_port", "count", "accesses to the debug console");
STAT_COUNTER(io_scratch, "/kvm/dev", "test_ports", "count", "accesses to the test ports");
STAT_COUNTER(mmio_regs, "/kvm/dev", "test_registers", "count", "accesses to the test registers");
STAT_COUNTER(mmio_scratch, "/kvm/dev", "test_memory", "count", "accesses to the test memory");

static void put(struct vtest *vt, u8 c)
{
	if (vt->putc)
		vt->putc(vt->ctx, c);
}

static enum bus_result exit_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	vt->bus->result = (u32)val;
	return BUS_DONE;
}

static u64 debug_read(void *ctx, u64 off, u8 size)
{
	return VTEST_PORT_DEBUG;
}

static enum bus_result debug_write(void *ctx, u64 off, u8 size, u64 val)
{
	put(ctx, (u8)val);
	return BUS_OK;
}

static u64 peek(const u8 *mem, u8 size)
{
	u64 val = 0;

	memcpy(&val, mem, size);
	return val;
}

static u64 port_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;

	return peek(vt->s.port_scratch + off, size);
}

static enum bus_result port_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	memcpy(vt->s.port_scratch + off, &val, size);
	return BUS_OK;
}

static u64 data_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;

	return peek(vt->s.port_data + off, size);
}

static enum bus_result data_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	memcpy(vt->s.port_data + off, &val, size);
	return BUS_OK;
}

static enum bus_result line_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	vt->s.lines = (vt->s.lines & ~(u32)BIT(off)) | (u32)!!val << off;
	if (vt->set_gsi)
		vt->set_gsi(vt->gsi_ctx, (u8)off, val);
	return BUS_OK;
}

static u64 mem_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;

	return peek(vt->mem + off, size);
}

static enum bus_result mem_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	memcpy(vt->mem + off, &val, size);
	return BUS_OK;
}

/* The register block: 64-bit registers, any aligned part of one. */
static u64 reg_read(void *ctx, u64 off, u8 size)
{
	const struct vtest *vt = ctx;
	u64 reg[] = { VTEST_ID, vt->s.reads, vt->s.writes, vt->s.last_off, vt->s.last_size,
		      vt->s.last_val };

	if (off / 8 >= ARRAY_SIZE(reg))
		return 0;
	return reg[off / 8] >> (off % 8 * 8);
}

static enum bus_result reg_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	if (off == VTEST_MMIO_READS)
		vt->s.reads = vt->s.writes = vt->s.last_off = vt->s.last_size = vt->s.last_val = 0;
	return BUS_OK;
}

static u64 scratch_read(void *ctx, u64 off, u8 size)
{
	struct vtest *vt = ctx;

	vt->s.reads++;
	vt->s.last_off = VTEST_MMIO_SCRATCH + off;
	vt->s.last_size = size;
	vt->s.last_val = peek(vt->s.scratch + off, size);
	return vt->s.last_val;
}

static enum bus_result scratch_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vtest *vt = ctx;

	vt->s.writes++;
	vt->s.last_off = VTEST_MMIO_SCRATCH + off;
	vt->s.last_size = size | 0x100;
	vt->s.last_val = val;
	memcpy(vt->s.scratch + off, &val, size);
	return BUS_OK;
}

/* clang-format off */
static const struct bus_range io_ranges[] = {
	/* first last width read write */
	{ VTEST_PORT_DATA,    0xe3,   4, data_read,  data_write,  NULL, &io_scratch },
	{ VTEST_PORT_FLUSH,   0xe7,   4, NULL,       NULL,        NULL, &io_scratch },
	{ VTEST_PORT_DEBUG,   0xe9,   1, debug_read, debug_write, NULL, &io_debug },
	{ VTEST_PORT_EXIT,    0xf7,   4, NULL,       exit_write,  NULL, &io_exit },
	{ VTEST_PORT_SCRATCH, 0x60f,  4, port_read,  port_write,  NULL, &io_scratch },
	{ VTEST_PORT_IRQ,     0x2017, 1, NULL,       line_write,  NULL, &io_scratch },
};

#define SCRATCH_GPA	(VTEST_MMIO_GPA + VTEST_MMIO_SCRATCH)

static const struct bus_range mmio_ranges[] = {
	{ VTEST_MMIO_GPA, VTEST_MMIO_GPA + 0xff, 8, reg_read, reg_write, NULL, &mmio_regs },
	{ SCRATCH_GPA, SCRATCH_GPA + VTEST_SCRATCH_SIZE - 1, 8, scratch_read, scratch_write,
	  NULL, &mmio_scratch },
	{ VTEST_MEM_GPA, VTEST_MEM_GPA + VTEST_MEM_SIZE - 1, 8, mem_read, mem_write, NULL,
	  &mmio_scratch },
};
/* clang-format on */

int vtest_init(struct vtest *vt, struct bus *bus, void (*putc)(void *ctx, u8 c), void *ctx)
{
	int err = 0;

	memset(vt, 0, sizeof(*vt));
	vt->bus = bus;
	vt->putc = putc;
	vt->ctx = ctx;
	for (size_t i = 0; i < ARRAY_SIZE(io_ranges) && !err; i++) {
		struct bus_range r = io_ranges[i];

		r.ctx = vt;
		err = bus_add_io(bus, &r);
	}
	for (size_t i = 0; i < ARRAY_SIZE(mmio_ranges) && !err; i++) {
		struct bus_range r = mmio_ranges[i];

		r.ctx = vt;
		err = bus_add_mmio(bus, &r);
	}
	return err;
}

/* The last access: none, or one that lies in the scratch memory. */
int vtest_state_check(const struct vtest_state *s)
{
	u64 size = s->last_size & ~0x100ULL;
	u64 end = VTEST_MMIO_SCRATCH + VTEST_SCRATCH_SIZE;

	if (s->lines >> VTEST_GSIS)
		return -EINVAL;
	if (!s->last_size)
		return s->reads || s->writes || s->last_off || s->last_val ? -EINVAL : 0;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return -EINVAL;
	if (s->last_off < VTEST_MMIO_SCRATCH || s->last_off > end - size)
		return -EINVAL;
	return s->last_val & ~(~0ULL >> (64 - 8 * size)) ? -EINVAL : 0;
}
