// SPDX-License-Identifier: MIT
/* Any accesses to the UART, bytes that come in, and time. */
#include "tests/fuzz/io_stream.h"

#include "core/dev/vuart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int init(void *dev, struct io_world *w)
{
	return vuart_init(dev, &w->bus, &w->env, world_putc, w);
}

static int check(const void *s)
{
	return vuart_state_check(s);
}

static u64 next(const void *dev)
{
	return vuart_next(dev);
}

static void tick(void *dev, u64 now)
{
	vuart_tick(dev, now);
}

/* A byte that there is room for does not overrun. */
static void poke(void *dev, u8 arg)
{
	struct vuart *u = dev;
	u8 lsr = u->s.lsr;
	bool room = vuart_can_receive(u);

	vuart_receive(u, arg);
	TRUST(!room || (u->s.lsr == lsr && u->s.rx_len && u->s.rx[u->s.rx_len - 1] == arg));
}

static const u16 ports[] = { 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff };

static const struct io_target target = {
	.dev_size = sizeof(struct vuart), .state_size = sizeof(struct vuart_state),
	.init = init, .check = check, .next = next, .tick = tick, .poke = poke,
	.ports = ports, .n_ports = ARRAY_SIZE(ports),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vuart u[2];

	io_stream_run(&target, &u[0], &u[1], data, size);
	return 0;
}
