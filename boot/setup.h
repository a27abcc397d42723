/* SPDX-License-Identifier: MIT */
/* The steps of main(), in the order in which they must run. */
#ifndef BOOT_SETUP_H
#define BOOT_SETUP_H

#include "boot/stage.h"

/* GDT, IDT, GS of the boot CPU: exceptions are caught from here on. */
void setup_boot_cpu(void);
/* Boot loader data and the command line. */
void setup_bootinfo(struct run_env *env, u32 magic, u64 info);
/* Memory map, page allocator, the W^X host page table. */
void setup_memory(struct run_env *env);
void setup_acpi(struct run_env *env);
/* Serial line and screen; early lines are replayed to them. */
void setup_console(struct run_env *env);
/* Local APIC, I/O APICs, TSC frequency, watchdog. */
void setup_timers(struct run_env *env);
void setup_smp(struct run_env *env);
/* SVM or VMX on every CPU; the reason is kept when there is none. */
void setup_virt(struct run_env *env);
void setup_platform(struct run_env *env);
/* The begin line and the inventory. */
void setup_announce(const struct run_env *env);

#endif
