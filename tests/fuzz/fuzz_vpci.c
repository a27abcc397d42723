// SPDX-License-Identifier: MIT
/* Any accesses to PCI configuration and reset control. */
#include "tests/fuzz/io_stream.h"

#include "core/dev/vpci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int init(void *dev, struct io_world *w)
{
	return vpci_init(dev, &w->bus);
}

static int check(const void *s)
{
	return vpci_state_check(s);
}

static const u16 ports[] = {
	0xcf7, 0xcf8, 0xcf9, 0xcfa, 0xcfb, 0xcfc, 0xcfd, 0xcfe, 0xcff,
};

static const struct io_target target = {
	.dev_size = sizeof(struct vpci), .state_size = sizeof(struct vpci_state),
	.init = init, .check = check,
	.ports = ports, .n_ports = ARRAY_SIZE(ports),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vpci p[2];

	io_stream_run(&target, &p[0], &p[1], data, size);
	return 0;
}
