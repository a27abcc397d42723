/* SPDX-License-Identifier: MIT */
#include "tests/guests/rt/rt.h"

PAYLOAD(msrflood, .ref = "APM2 15.11, SDM3 26.1.3", .bare = "no",
	.desc = "thousands of MSRs that do not exist: #GP each, counted in a bounded table");

#define FIRST	0x50000000u	/* in no range that a permission map covers */
#define COUNT	2000

int main(struct rt_info *info)
{
	bool ok = true;
	u64 v;

	for (u32 i = 0; i < COUNT; i++) {
		ok &= rt_quiet(rt_rdmsr(FIRST + i, &v) == VEC_GP, "RDMSR is #GP", "%x", FIRST + i);
		ok &= rt_quiet(rt_wrmsr(FIRST + i, i) == VEC_GP, "WRMSR is #GP", "%x", FIRST + i);
	}
	rt_check(ok, "none of them exists", " ");
	return rt_result();
}
