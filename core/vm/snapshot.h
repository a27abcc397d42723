/* SPDX-License-Identifier: MIT */
/*
 * A whole machine, its memory included, as a stream: the container of
 * core/vm/state.h, then the chunks of core/vm/save_mem.h.  Nothing as large as
 * the memory is needed on the way.  Pure but for the memory that it asks for.
 *
 *	leaves		vm_snapshot_write
 *	comes in	vm_snapshot_open, a machine with devices that m describes,
 *			vm_snapshot_load, vm_snapshot_start, vm_snapshot_close
 */
#ifndef CORE_VM_SNAPSHOT_H
#define CORE_VM_SNAPSHOT_H

#include "core/vm/state.h"

/* More than 32 vCPUs with all that they can have take. */
#define SNAPSHOT_STATE_MAX	(2ULL << 20)

struct vm_snapshot {
	struct save_machine m;
	struct save_in in;
	void *state;			/* the container */
	u64 pages;			/* of state */
	struct save_mem_work *work;
	const struct save_source *src;
};

/*
 * Writes vm, whose vCPUs are not loaded anywhere, to out.  0, -ENOMEM, -EINVAL
 * (memory that cannot be saved), or an error of out.
 */
int __must_check vm_snapshot_write(struct vm *vm, const struct save_host *h,
				   const struct save_sink *out);
/* How many bytes vm_snapshot_write will write now; as that, without writing any. */
s64 __must_check vm_snapshot_size(struct vm *vm, const struct save_host *h);

/*
 * Reads the container from src and checks what m says.  mem_max: bytes of
 * memory that the machine may have; owner: for page_alloc.  0; -EINVAL (also: it
 * has no memory), -EPROTO, -ENOENT, -ENOMEM or an error of src, with the reason
 * in why: then there is nothing to close.  src stays until vm_snapshot_close.
 */
int __must_check vm_snapshot_open(struct vm_snapshot *s, const struct save_source *src,
				  const struct save_host *h, u64 mem_max, u16 owner, char *why,
				  size_t why_size);
/*
 * Is all of it there, before anything is made of it?  Reads src to its end and
 * goes back, if it can; else the answer is yes.  0, -EINVAL or an error of src, with
 * the reason in why.
 */
int __must_check vm_snapshot_verify(struct vm_snapshot *s, char *why, size_t why_size);
/*
 * Into vm, which has devices made for m.layout.ram and m.vm.vcpus, but no
 * memory; vCPUs that it lacks are made.  Memory is made and filled, and the
 * rest checked.  Errors as above: vm is then of no use and must be destroyed.
 */
int __must_check vm_snapshot_load(struct vm_snapshot *s, struct vm *vm, const struct save_host *h,
				  char *why, size_t why_size);
/* What was loaded becomes vm's state, as of h->now. */
void vm_snapshot_start(struct vm_snapshot *s, struct vm *vm, const struct save_host *h);
/* As of now, of this host's TSC with tsc_khz: what starting it took is no time of the guest's. */
void vm_snapshot_clock(struct vm_snapshot *s, struct vm *vm, u64 now, u64 tsc_khz);
void vm_snapshot_close(struct vm_snapshot *s);

#endif
