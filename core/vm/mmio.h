/* SPDX-License-Identifier: MIT */
/* A guest's access to what may be no memory: the instruction is emulated. */
#ifndef CORE_VM_MMIO_H
#define CORE_VM_MMIO_H

#include "core/vm/vcpu.h"

/*
 * For the nested page fault in v->exit: emulates the instruction at RIP with
 * its memory operands going to guest memory or to the bus.  Instruction
 * fetches and page-table walks outside memory, and instructions that the
 * emulator does not know, are given up (vcpu_give_up).
 */
enum verdict mmio_exit(struct vcpu *v);

/*
 * One access of an instruction's memory operand, n bytes at most 64, to memory
 * or to a device.  0, or -EFAULT with *fault.  *stop becomes true when the
 * device ended the guest.
 */
int __must_check mmio_access(struct vcpu *v, u64 linear, void *buf, unsigned int n, bool write,
			     bool *stop, struct event *fault);

#endif
