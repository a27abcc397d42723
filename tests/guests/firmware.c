// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(firmware, .ref = "SDM3 21.1.4, MP 1.4 3.6.2.2",
	.desc = "what a BIOS leaves: vectors of real mode, the 8259s, the timer's tick");

/* firmware_16.S */
extern u32 fw_before, fw_after, fw_halts;
extern u16 fw_ok;
void fw_body(void);

int main(struct rt_info *info)
{
	rt_check(!(info->pic_mask & 5), "the timer and the cascade are let through", "mask %x",
		 info->pic_mask);
	outb(0x21, 0xfe);
	outb(0x43, 0xe2);
	rt_check((inb(0x40) & 0x34) == 0x34, "counter 0 is periodic", " ");
	rt_real_call(fw_body);
	rt_check(fw_ok == 1, "an interrupt without a handler returns", "%u", fw_ok);
	rt_check(fw_after - fw_before == 3, "ticks are counted at 40:6c", "%u",
		 fw_after - fw_before);
	rt_check(fw_halts >= 3, "STI, HLT ends with a tick", "%u times", fw_halts);
	return rt_result();
}
