// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(random, .ref = "design: bad input", .expect = "any", .bare = "no",
	.timeout = "4000", .mem = "8",
	.desc = "random bytes as instructions in ring 3 and ring 0 are contained");

#define LEN	64

static u8 code[4096] __attribute__((aligned(4096)));

/*
 * Half of it is from the parts of the opcode map that leave the guest, so
 * that the hypervisor gets its share.
 */
static void make_code(void)
{
	static const u8 interesting[] = { 0x0f, 0x01, 0xf4, 0xe4, 0x6c, 0xf3, 0x66, 0x67, 0x48,
					  0x20, 0x22, 0x23, 0xa2, 0x30, 0x32, 0x31, 0xc7, 0xae,
					  0xcd, 0xcf, 0x9d, 0xf1, 0xd9, 0xda, 0xc1, 0xe0 };

	for (unsigned int i = 0; i < LEN; i++)
		code[i] = rt_random() & 1 ? interesting[rt_random() % sizeof(interesting)]
					  : (u8)rt_random();
	code[LEN] = 0xc3;
}

static void run_code(void *arg)
{
	((void (*)(void))code)();
}


int main(struct rt_info *info)
{
	u32 kinds = 0;

	for (unsigned int round = 0; round < 3000; round++) {
		int vec;

		make_code();
		vec = rt_try_user(run_code, NULL);
		kinds |= 1u << (vec & 31);
	}
	rt_printf("ring 3 done, vectors %x\n", kinds);
	for (unsigned int round = 0; round < 100000; round++) {
		make_code();
		rt_try(run_code, NULL);
	}
	rt_printf("ring 0 done\n");
	return RT_PASS;
}
