// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(scribble, .ref = "design: bad input", .expect = "any", .bare = "no",
	.timeout = "5000", .mem = "8",
	.desc = "writes over all it can reach: devices, ports, MSRs, itself");

/* Ports that end the guest stay out until the end. */
static void scribble_ports(void)
{
	for (u32 port = 0; port < 0x10000; port += 1 + (rt_random() & 15)) {
		if ((port & ~3u) == 0xf4 || port == 0x3f8 || port == 0xe9 || port == 0x8900)
			continue;
		if ((port & ~3u) == 0xf0)
			continue;
		outb((u16)port, (u8)rt_random());
		if (rt_random() & 1)
			inl((u16)port);
	}
}

static void scribble_msrs(void)
{
	/* EFER, FS_BASE and the like keep this program alive: left for random.c */
	for (u32 i = 0; i < 0x800; i++)
		rt_wrmsr(i, (u64)rt_random() << 32 | rt_random());
	for (u32 i = 0xc0010000; i < 0xc0010200; i++)
		rt_wrmsr(i, (u64)rt_random() << 32 | rt_random());
}

int main(struct rt_info *info)
{
	volatile u64 *p;

	scribble_ports();
	rt_printf("ports done\n");
	scribble_msrs();
	rt_printf("MSRs done\n");
	for (u64 pa = info->mem; pa < 0x100000000; pa += 0x40000)
		*(volatile u64 *)pa = rt_random();
	rt_printf("holes done\n");
	/* From the bottom up, until it has written over itself. */
	for (p = (volatile u64 *)0x10; (u64)p < info->mem; p++)
		*p = rt_random();
	return RT_PASS;
}
