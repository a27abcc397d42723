// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(triple, .ref = "APM2 15.14.3, SDM3 26.2", .expect = "shutdown",
	.desc = "an exception without an IDT is a triple fault");

int main(struct rt_info *info)
{
	struct table_ptr none = { 0, 0 };

	lidt(&none);
	__asm__ volatile("ud2");
	return RT_FAIL;
}
