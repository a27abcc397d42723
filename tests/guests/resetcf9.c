// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(resetcf9, .ref = "ICH9 13.7.5", .expect = "reset",
	.desc = "port CF9h: RST_CPU from 0 to 1 resets, SYS_RST alone does not");

#define RST_CNT		0xcf9
#define SYS_RST		0x02
#define RST_CPU		0x04

int main(struct rt_info *info)
{
	outb(RST_CNT, 0);
	rt_check(inb(RST_CNT) == 0, "reset control", "%x", inb(RST_CNT));
	outb(RST_CNT, SYS_RST);
	rt_check(inb(RST_CNT) == SYS_RST, "SYS_RST alone does nothing", "%x", inb(RST_CNT));
	if (rt_result() != RT_PASS)
		return RT_FAIL;
	outb(RST_CNT, SYS_RST | RST_CPU);
	for (u64 t = rdtsc(); rdtsc() - t < RT_WAIT_TICKS;)
		cpu_pause();
	return RT_FAIL;
}
