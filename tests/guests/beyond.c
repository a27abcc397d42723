// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(beyond, .ref = "APM2 15.25.6, SDM3 29.3.3", .bare = "no",
	.desc = "where no memory is, reads give all ones and writes are ignored");

/* Nested page faults of every size at addresses that nothing backs. */
static void check_at(u64 pa)
{
	volatile u8 *p = (volatile u8 *)pa;

	rt_quiet(*(volatile u64 *)p == ~0ull, "read of 8", "%llx", pa);
	rt_quiet(*(volatile u32 *)p == ~0u, "read of 4", "%llx", pa);
	rt_quiet(*(volatile u16 *)p == 0xffff, "read of 2", "%llx", pa);
	rt_quiet(*p == 0xff, "read of 1", "%llx", pa);
	*(volatile u64 *)p = 0x1234;
	*(volatile u32 *)p = 0x1234;
	*(volatile u16 *)p = 0x1234;
	*p = 0x12;
	rt_quiet(*(volatile u64 *)p == ~0ull, "read after a write", "%llx", pa);
}

/* The last bytes of memory and the first beyond, in one access. */
static void check_border(u64 end)
{
	volatile u32 *p = (volatile u32 *)(end - 2);
	u32 v;

	*(volatile u16 *)(end - 2) = 0x5a5a;
	v = *p;
	rt_check(v == 0xffff5a5a, "read across the end of memory", "%x", v);
	*p = 0x11223344;
	v = *p;
	rt_check(v == 0xffff3344, "write across the end of memory", "%x", v);
}

int main(struct rt_info *info)
{
	static u8 buf[64];

	if (!info->nestbed)
		return rt_skip("other machines have devices there");
	check_border(info->mem);
	for (u64 pa = info->mem; pa < 0xf0000000; pa += 0x1234567 & ~7ull)
		check_at(pa);
	check_at(info->mem);
	check_at(0xa0000);
	/* Option ROMs: none. */
	check_at(0xc0000);
	check_at(0xdfff8);
	check_at(0xfeb00000);
	check_at(0xfe000000);
	rt_check(true, "addresses without memory", " ");
	memcpy(buf, (void *)info->mem, sizeof(buf));
	rt_check(buf[0] == 0xff && buf[63] == 0xff, "REP MOVSB from there", "%x %x", buf[0],
		 buf[63]);
	memcpy((void *)(info->mem + 0x1000), buf, sizeof(buf));
	rt_check(info->mem >= 16 << 20, "memory size of the multiboot information", "%llx",
		 info->mem);
	return rt_result();
}
