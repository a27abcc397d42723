/* SPDX-License-Identifier: MIT */
/* IN, OUT, INS, OUTS: onto the guest's port bus. */
#include "core/vm/run.h"

#include "core/vm/insn.h"
#include "core/vm/mmio.h"
#include "core/vm/pc.h"
#include "core/x86/regs.h"

/* At most this many elements of a REP at once, so that interrupts get in. */
#define REP_BATCH	4096

static enum verdict io_done(struct vcpu *v, enum bus_result r, enum verdict otherwise)
{
	return vcpu_bus_stops(v, r) ? VERDICT_STOP : otherwise;
}

static enum verdict plain_io(struct vcpu *v, const struct exit_io *io)
{
	u32 val = (u32)v->gpr[VREG_RAX];
	enum bus_result r;

	if (!io->in && io->size < 4)
		val &= (1u << io->size * 8) - 1;
	r = vcpu_bus_io(v, io->port, io->size, io->in, &val);
	if (io->in && io->size == 4)
		v->gpr[VREG_RAX] = val;
	else if (io->in)
		v->gpr[VREG_RAX] = (v->gpr[VREG_RAX] & ~BITS(io->size * 8 - 1, 0)) | val;
	return io_done(v, r, VERDICT_ADVANCE);
}

struct string_io {
	u64 mask;		/* of the address size */
	u64 base;		/* of the memory operand's segment */
	enum vreg index;	/* RSI or RDI */
	u64 step;
	u64 left;
	bool stop;		/* the memory operand was a device, which ended the guest */
};

static void string_setup(struct vcpu *v, const struct exit_io *io, struct string_io *s)
{
	static const u8 addr_bytes[] = {
		[INSN_MODE_16] = 2, [INSN_MODE_32] = 4, [INSN_MODE_64] = 8,
	};
	u8 mode = virt->mode(v);
	u8 addr = io->addr_size ? io->addr_size : addr_bytes[mode];
	enum vseg seg = io->in ? VSEG_ES : (enum vseg)io->seg;
	struct vsegment sd;

	s->mask = addr == 8 ? ~0ULL : BITS(addr * 8 - 1, 0);
	virt->get_seg(v, seg, &sd);
	/* APM2 4.5.3: in 64-bit mode only FS and GS have a base. */
	s->base = mode == INSN_MODE_64 && seg != VSEG_FS && seg != VSEG_GS ? 0 : sd.base;
	s->index = io->in ? VREG_RDI : VREG_RSI;
	s->step = v->rflags & RFLAGS_DF ? 0 - (u64)io->size : io->size;
	s->stop = false;
	s->left = io->rep ? v->gpr[VREG_RCX] & s->mask : 1;
}

/* 32-bit address size clears the upper half, 16-bit keeps the rest. */
static void add_index(struct vcpu *v, enum vreg r, u64 delta, u64 mask)
{
	u64 keep = mask == BITS(15, 0) ? v->gpr[r] & ~mask : 0;

	v->gpr[r] = keep | ((v->gpr[r] + delta) & mask);
}

static int string_element(struct vcpu *v, const struct exit_io *io, struct string_io *s,
			  enum bus_result *r, struct event *fault)
{
	u64 linear = s->base + (v->gpr[s->index] & s->mask);
	u32 val = 0;
	int err;

	if (virt->mode(v) != INSN_MODE_64)
		linear = (u32)linear;
	if (io->in) {
		/* The destination is checked first: the port is read once only. */
		err = vcpu_probe_write(v, linear, io->size, fault);
		if (err)
			return err;
		*r = vcpu_bus_io(v, io->port, io->size, true, &val);
		return mmio_access(v, linear, &val, io->size, true, &s->stop, fault);
	}
	err = mmio_access(v, linear, &val, io->size, false, &s->stop, fault);
	if (!err && !s->stop)
		*r = vcpu_bus_io(v, io->port, io->size, false, &val);
	return err;
}

static enum verdict string_io(struct vcpu *v, const struct exit_io *io)
{
	enum bus_result r = BUS_OK;
	u64 batch = v->rflags & RFLAGS_TF ? 1 : REP_BATCH;
	struct event fault;
	struct string_io s;
	u64 n = 0;

	string_setup(v, io, &s);
	while (s.left && n++ < batch) {
		if (string_element(v, io, &s, &r, &fault))
			return vcpu_inject(v, fault);
		add_index(v, s.index, s.step, s.mask);
		s.left--;
		if (io->rep)
			add_index(v, VREG_RCX, ~0ULL, s.mask);
		if (r != BUS_OK || s.stop)
			break;
	}
	if (s.stop)
		return VERDICT_STOP;
	if (!s.left)
		return io_done(v, r, VERDICT_ADVANCE);
	/* APM2 13.1.4: single-stepping traps after each iteration of REP. */
	if (v->rflags & RFLAGS_TF) {
		fault = event_exception(VEC_DB);
		fault.payload = DR6_BS;
		vcpu_queue_exception(v, fault);
	}
	return io_done(v, r, VERDICT_RESUME);
}

enum verdict exit_io(struct vcpu *v)
{
	if (unlikely(v->exit.io.string))
		return string_io(v, &v->exit.io);
	return plain_io(v, &v->exit.io);
}
