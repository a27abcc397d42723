// SPDX-License-Identifier: MIT
/* Any accesses to ACPI, the keyboard controller and port 0x92; the power button; time. */
#include "tests/fuzz/io_stream.h"

#include "core/dev/vpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int init(void *dev, struct io_world *w)
{
	return vpm_init(dev, &w->bus, &w->env);
}

static int check(const void *s)
{
	return vpm_state_check(s);
}

static u64 next(const void *dev)
{
	return vpm_next(dev);
}

static void tick(void *dev, u64 now)
{
	vpm_tick(dev, now);
}

static void poke(void *dev, u8 arg)
{
	vpm_power_button(dev);
}

static const u16 ports[] = {
	0xb000, 0xb001, 0xb002, 0xb003, 0xb004, 0xb005, 0xb008, 0xb009, 0xb2, 0xb3, 0x60, 0x64,
	0x92, 0xaffe, 0xb006,
};

static const struct io_target target = {
	.dev_size = sizeof(struct vpm), .state_size = sizeof(struct vpm_state),
	.init = init, .check = check, .next = next, .tick = tick, .poke = poke,
	.ports = ports, .n_ports = ARRAY_SIZE(ports),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vpm p[2];

	io_stream_run(&target, &p[0], &p[1], data, size);
	return 0;
}
