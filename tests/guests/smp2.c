// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(smp2, .ref = "SDM3 9.4.3, APM2 16.5", .cpus = "2",
	.desc = "a second CPU starts, works, is reset and works again");

#define ROUNDS	50

static volatile u32 sum;

static void add(void *arg)
{
	lock_xadd(&sum, rt_this_cpu()->index + 1);
}

int main(struct rt_info *info)
{
	unsigned int n = rt_smp_start(2);

	if (!rt_check(n == 2, "a second CPU", "%u CPUs", n))
		return rt_result();
	for (u32 i = 1; i <= ROUNDS; i++) {
		if (!rt_quiet(rt_smp_all(2, add, NULL), "work returns", "round %u", i) ||
		    !rt_quiet(sum == 3 * i, "each CPU worked once", "%u, not %u", sum, 3 * i) ||
		    !rt_quiet(rt_smp_restart(1), "INIT and SIPI", "round %u", i))
			break;
	}
	rt_check(rt_cpus[1].starts == ROUNDS + 1, "starts", "%u", rt_cpus[1].starts);
	return rt_result();
}
