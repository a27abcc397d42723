// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(hlt, .ref = "APM2 15.9, SDM3 26.1.3", .expect = "hlt", .bare = "no",
	.desc = "HLT with interrupts off and nothing pending ends the guest");

int main(struct rt_info *info)
{
	__asm__ volatile("cli; hlt");
	rt_printf("FAIL HLT was left\n");
	return RT_FAIL;
}
