// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(reset92, .ref = "ICH9 13.7.3", .expect = "reset",
	.desc = "port 92h: A20 is kept, INIT_NOW resets");

#define PORT92		0x92
#define INIT_NOW	0x01
#define A20		0x02

int main(struct rt_info *info)
{
	outb(PORT92, A20);
	rt_check((inb(PORT92) & 3) == A20, "A20", "%x", inb(PORT92));
	if (rt_result() != RT_PASS)
		return RT_FAIL;
	outb(PORT92, A20 | INIT_NOW);
	for (u64 t = rdtsc(); rdtsc() - t < RT_WAIT_TICKS;)
		cpu_pause();
	return RT_FAIL;
}
