// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(resetkbc, .ref = "8042: command FEh pulses bit 0 of the output port", .expect = "reset",
	.desc = "port 64h: other commands do not reset, FEh does");

#define KBC		0x64
#define KBC_DATA	0x60

int main(struct rt_info *info)
{
	/* Self test: 55h; the input buffer is empty then. */
	outb(KBC, 0xaa);
	rt_check(RT_WAIT(inb(KBC) & 1) && inb(KBC_DATA) == 0x55, "self test", " ");
	/* No bit of the output port is pulsed. */
	outb(KBC, 0xff);
	rt_check(RT_WAIT(!(inb(KBC) & 2)), "the controller takes commands", "%x", inb(KBC));
	if (rt_result() != RT_PASS)
		return RT_FAIL;
	outb(KBC, 0xfe);
	for (u64 t = rdtsc(); rdtsc() - t < RT_WAIT_TICKS;)
		cpu_pause();
	return RT_FAIL;
}
