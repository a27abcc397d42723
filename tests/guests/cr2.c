/* SPDX-License-Identifier: MIT */
/* The example of docs/testing.md. */
#include "tests/guests/rt/rt.h"

PAYLOAD(cr2, .ref = "APM2 15.5.1, SDM3 28.5",
	.desc = "CR2 survives exits; UD2 is #UD");

int main(struct rt_info *info)
{
	for (u64 v = 1; v; v <<= 1) {
		write_cr2(v);
		cpuid(0);
		rt_quiet(read_cr2() == v, "CR2 over an exit", "%llx, not %llx",
			 (u64)read_cr2(), v);
	}
	rt_expect("UD2", RT_TRY("ud2", : : : "memory"), VEC_UD, -1);
	return rt_result();
}
