// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(flood, .ref = "design: serial output", .timeout = "30000",
	.desc = "32 KiB without a line end, with every byte value, is contained");

int main(struct rt_info *info)
{
	for (unsigned int i = 0; i < 24 * 1024; i++)
		outb(0x3f8, 'A' + i % 26);
	for (unsigned int i = 0; i < 4 * 1024; i++)
		outb(0x3f8, (u8)i);
	for (unsigned int i = 0; i < 4 * 1024; i++)
		outb(0xe9, '\n');
	return RT_PASS;
}
