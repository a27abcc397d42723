// SPDX-License-Identifier: MIT
/* Any accesses to the test device. */
#include "tests/fuzz/io_stream.h"

#include "core/dev/vtest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int init(void *dev, struct io_world *w)
{
	struct vtest *vt = dev;
	int err = vtest_init(vt, &w->bus, world_putc, w);

	vt->set_gsi = world_set_line;
	vt->gsi_ctx = w;
	return err;
}

static int check(const void *s)
{
	return vtest_state_check(s);
}

static const u16 ports[] = {
	0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe7, 0xe9, 0xf3, 0xf4, 0xf7, 0x5fd, 0x600, 0x607,
	0x60e, 0x60f, 0x1fff, 0x2000, 0x2009, 0x2014, 0x2017,
};

static const u64 mmio[] = {
	VTEST_MMIO_GPA, VTEST_MMIO_GPA + 0xc00, VTEST_MMIO_GPA + 0x1000, VTEST_MMIO_GPA + 0x1400,
	VTEST_MEM_GPA, VTEST_MEM_GPA + 0x8000, VTEST_MEM_GPA + VTEST_MEM_SIZE,
};

static const struct io_target target = {
	.dev_size = sizeof(struct vtest), .state_size = offsetof(struct vtest, bus),
	.init = init, .check = check,
	.ports = ports, .n_ports = ARRAY_SIZE(ports), .mmio = mmio, .n_mmio = ARRAY_SIZE(mmio),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vtest vt[2];

	io_stream_run(&target, &vt[0], &vt[1], data, size);
	return 0;
}
