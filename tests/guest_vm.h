/* SPDX-License-Identifier: MIT */
/*
 * A PC for a whole kernel: conventional memory, ROM, memory from 1 MiB up
 * (split below 4 GiB), the devices of core/vm/pc.h, up to 32 vCPUs.  For
 * payloads and for guests that come as modules.
 */
#ifndef TESTS_GUEST_VM_H
#define TESTS_GUEST_VM_H

#include "core/load/guest_tables.h"
#include "core/load/load.h"
#include "core/vm/pc.h"
#include "core/vm/sched.h"
#include "core/vm/snapshot.h"
#include "tests/machine.h"

#define GUEST_MEM_MIN	(2ULL << 20)
#define GUEST_MEM_MAX	(1ULL << 40)	/* of one that comes from outside */

struct guest_vm {
	struct machine m;	/* freed with the test's other machines */
	struct pc pc;
	struct mem_range map[GUEST_MAP_MAX];
	u32 n_map;
	u64 rsdp;		/* of its ACPI tables */
};

struct guest_vm_config {
	u32 id;			/* number of its console: vm<id>| */
	u64 mem;		/* bytes, a multiple of 4 KiB, at least GUEST_MEM_MIN */
	u32 cpus;		/* 1 .. VM_MAX_VCPUS */
	u64 tsc_khz;		/* 0: as the machine */
	bool nested;		/* its vCPUs can virtualize */
};

/* Returns NULL after a message to why when the machine cannot give that. */
struct guest_vm *guest_vm_new(struct test_ctx *t, const struct guest_vm_config *cfg,
			      const char **why);

/* Loads img (its map and rsdp are filled in here) and sets the entry state. */
int __must_check guest_vm_load(struct guest_vm *g, struct load_image *img, const struct diag *d);

/*
 * All of g, its memory included, to out: core/vm/snapshot.h.  Its vCPUs do not
 * run.  guest_vm_saved_size: how many bytes that will be now.
 */
int __must_check guest_vm_save(struct guest_vm *g, const struct save_sink *out);
s64 __must_check guest_vm_saved_size(struct guest_vm *g);
/*
 * A new guest, with console id, that goes on from where the one that was saved
 * stood.  NULL with the reason in why.
 */
struct guest_vm *guest_vm_restore(struct test_ctx *t, u32 id, const struct save_source *src,
				  char *why, size_t why_size);

/*
 * Runs n guests to their ends, spread over this machine's CPUs.  deadline[i]:
 * host TSC at which guest i ends as timed out, 0: never.  How each ended is in
 * its vm.end.
 */
void guest_vms_run(struct test_ctx *t, struct guest_vm *const *g, u32 n, const u64 *deadline);
/* The same on at most so many of this machine's CPUs. */
void guest_vms_run_on(struct test_ctx *t, u32 max_cpus, struct guest_vm *const *g, u32 n,
		      const u64 *deadline);

#endif
