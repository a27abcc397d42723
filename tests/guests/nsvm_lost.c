// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_lost, .nested = "svm", .ref = "APM2 15.14.3", .expect = "shutdown", .bare = "no",
	.desc = "an L2 whose IDT is no memory ends L1, if that does not intercept shutdown");

L2_CODE(ud2, "", "ud2");

static struct l2 l2;

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_SHUTDOWN, false);
	l2.c.idtr.base = 0xd0000000;
	l2_run_code(&l2, &l2_ud2);
	return RT_FAIL;
}
