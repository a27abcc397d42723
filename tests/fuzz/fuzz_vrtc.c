// SPDX-License-Identifier: MIT
/* Any accesses to the clock, and time in steps of nanoseconds to years. */
#include "tests/fuzz/io_stream.h"

#include "core/dev/vrtc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static s64 epoch;
static u64 mem;

static int init(void *dev, struct io_world *w)
{
	return vrtc_init(dev, &w->bus, &w->env, epoch, mem);
}

static int check(const void *s)
{
	return vrtc_state_check(s);
}

static u64 next(const void *dev)
{
	return vrtc_next(dev);
}

static void tick(void *dev, u64 now)
{
	vrtc_tick(dev, now);
}

/* An event that is waited for is one that would raise the line. */
static bool holds(const void *dev, const struct io_world *w)
{
	const struct vrtc *r = dev;

	return vrtc_next(r) == DEV_NEVER || r->s.ram[0x0b] & 0x70;
}

static const u16 ports[] = { 0x70, 0x71 };

static const struct io_target target = {
	.dev_size = sizeof(struct vrtc), .state_size = sizeof(struct vrtc_state),
	.init = init, .check = check, .next = next, .tick = tick, .holds = holds,
	.ports = ports, .n_ports = ARRAY_SIZE(ports),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vrtc r[2];
	struct stream s = { data, size };

	epoch = (s64)stream_num(&s, 8);
	mem = stream_num(&s, 8);
	io_stream_run(&target, &r[0], &r[1], s.p, s.left);
	return 0;
}
