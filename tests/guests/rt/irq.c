// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

/*
 * Stubs for vectors that start*.S has none for are made when somebody wants
 * the vector: a stub of each would be in every payload's file.
 */
#define FIRST		64
#define STUB_SIZE	16
#define VEC_TRY_END	0x80

extern char trap_common[];

static u8 stubs[(256 - FIRST) * STUB_SIZE] __attribute__((aligned(16)));
static rt_irq_fn fns[256];

static bool dispatch(struct rt_regs *r)
{
	fns[r->vector]((unsigned int)r->vector);
	return true;
}

/* push $0; push $vector; jmp trap_common */
static void make_stub(unsigned int vector)
{
	u8 *p = stubs + (vector - FIRST) * STUB_SIZE;
	u32 rel = (u32)(ulong)trap_common - (u32)(ulong)(p + 12);

	p[0] = 0x6a;
	p[1] = 0;
	p[2] = 0x68;
	memcpy(p + 3, &vector, 4);
	p[7] = 0xe9;
	memcpy(p + 8, &rel, 4);
	rt_set_gate(vector, p, SEL_CODE, 0xe, 0, 0);
}

void rt_irq(unsigned int vector, rt_irq_fn fn)
{
	fns[vector] = fn;
	rt_set_handler(vector, fn ? dispatch : NULL);
	if (fn && vector >= FIRST && vector != VEC_TRY_END)
		make_stub(vector);
}
