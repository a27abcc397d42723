/* SPDX-License-Identifier: MIT */
/*
 * Compiled to assembly, from which build/gen/asm_offsets.h is made: structure
 * offsets for .S files.
 */
#include "core/vm/vcpu.h"
#include "core/x86/percpu.h"

#define DEFINE(name, value) \
	__asm__ volatile("\n.ascii \"->" #name " %0\"" :: "i"(value))

void asm_offsets(void);
void asm_offsets(void)
{
	DEFINE(PERCPU_STACK_TOP, offsetof(struct percpu, stack_top));
	DEFINE(VCPU_GPR, offsetof(struct vcpu, gpr));
	DEFINE(VCPU_RIP, offsetof(struct vcpu, rip));
	DEFINE(VCPU_RFLAGS, offsetof(struct vcpu, rflags));
}
