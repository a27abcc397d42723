/* SPDX-License-Identifier: MIT */
/*
 * A PC for a whole kernel: conventional memory, memory from 1 MiB up (split
 * below 4 GiB), the test devices, one vCPU.  For payloads and for guests that
 * come as modules.
 */
#ifndef TESTS_GUEST_VM_H
#define TESTS_GUEST_VM_H

#include "core/dev/vtest.h"
#include "core/dev/vuart.h"
#include "core/load/load.h"
#include "tests/machine.h"

#define GUEST_LOW_END	0xa0000ULL	/* end of conventional memory */
#define GUEST_HIGH	0x100000ULL
#define GUEST_HOLE	0xc0000000ULL	/* devices from here to 4 GiB */
#define GUEST_MEM_MIN	(2ULL << 20)

struct guest_vm {
	struct machine m;	/* freed with the test's other machines */
	struct vtest vtest;
	struct vuart vuart;
	struct mem_range map[3];
	u32 n_map;
};

/*
 * mem: bytes, a multiple of 4 KiB, at least GUEST_MEM_MIN.  Returns NULL after
 * a message to why when the machine has not that much memory.
 */
struct guest_vm *guest_vm_new(struct test_ctx *t, u32 id, u64 mem, const char **why);

/* Loads img (its map members are filled in here) and sets the entry state. */
int __must_check guest_vm_load(struct guest_vm *g, struct load_image *img, const struct diag *d);

#endif
