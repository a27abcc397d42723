// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(toobig, .ref = "design: bad input", .expect = "refused", .bare = "no",
	.desc = "a kernel larger than the guest's memory is refused");

u8 huge[64 << 20];

int main(struct rt_info *info)
{
	huge[rt_random() % sizeof(huge)] = 1;
	return RT_FAIL;
}
