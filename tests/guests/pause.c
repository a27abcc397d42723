// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(pause, .ref = "APM2 15.14.4, SDM3 26.1.3", .desc = "a long loop of PAUSE ends");

int main(struct rt_info *info)
{
	ulong n = 100000;

	__asm__ volatile("1: pause; dec %0; jnz 1b" : "+r"(n) : : "memory", "cc");
	rt_check(n == 0, "pause loop", "%lu left", n);
	return rt_result();
}
