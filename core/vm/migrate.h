/* SPDX-License-Identifier: MIT */
/* A machine is saved, destroyed, made anew and restored, in its place. */
#ifndef CORE_VM_MIGRATE_H
#define CORE_VM_MIGRATE_H

#include "core/vm/state.h"

/* This machine, now. */
void save_host_now(struct save_host *h);

/*
 * Saves vm, destroys its vCPUs and devices, makes new ones and restores them.
 * The memory stays, unless vm->migrate_memory: then it goes the same way, to
 * other pages behind new nested tables.  0, or an error with the reason in why:
 * vm is then of no use.
 */
int __must_check vm_migrate(struct vm *vm, char *why, size_t why_size);

#endif
