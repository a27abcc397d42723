// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(bigreal, .ref = "APM2 4.8, SDM3 21.1.1, 10.9.2",
	.desc = "real mode with segment limits of 4 GiB and of less than 64 KiB");

/* bigreal_16.S */
extern u32 big_read, big_after_exit, big_gp, big_limit, big_mmio;
extern u16 big_ok;
void big_body(void);

static volatile u32 high __attribute__((aligned(4096)));
extern u32 big_high;

int main(struct rt_info *info)
{
	/* Selectors that the real-mode half loads on a short way up. */
	rt_gdt[SEL_FREE / 8] = rt_desc(0, 0xfffff, 0x93, 0x8);		/* 4 GiB, 16-bit */
	rt_gdt[SEL_FREE / 8 + 1] = rt_desc(0, 0x0fff, 0x93, 0);		/* 4 KiB */
	high = 0x600dcafe;
	big_high = (u32)(ulong)&high;
	rt_real_call(big_body);
	rt_check(big_ok == 1, "went there and back", "%u", big_ok);
	rt_check(big_read == 0x600dcafe, "read above 1 MiB in real mode", "%x", big_read);
	rt_check(big_after_exit == 0x600dcafe, "limits survive exits", "%x", big_after_exit);
	rt_check(high == 0x12345678, "write above 1 MiB in real mode", "%x", high);
	rt_check(big_mmio == 0xffffffff || !info->nestbed, "device memory in real mode", "%x",
		 big_mmio);
	if (rt.tcg) {
		rt_note("limits left out: QEMU 7.2 translate.c gen_lea_v_seg has none");
		return rt_result();
	}
	rt_check(big_gp == 13, "#GP beyond a limit of 4 KiB", "vector %u", big_gp);
	rt_check(big_limit == 0, "no fault below it", "vector %u", big_limit);
	return rt_result();
}
