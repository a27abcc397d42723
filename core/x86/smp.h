/* SPDX-License-Identifier: MIT */
/*
 * Starting the other processors and giving them work.  CPUs are named by
 * their dense number: 0 is the boot processor.
 */
#ifndef CORE_X86_SMP_H
#define CORE_X86_SMP_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/x86/env.h"

struct acpi_info;

/* Fills boot's record with its APIC id; before smp_start and smp_call. */
void smp_init_boot_cpu(const struct acpi_info *acpi);

/*
 * INIT-SIPI-SIPI to every enabled CPU of the MADT, at most max CPUs in all
 * (0: MAX_CPUS).  One that does not answer is left out with a warning.
 * Returns cpu_count, at least 1.  Needs lapic, time and traps.
 */
u32 smp_start(const struct acpi_info *acpi, const struct x86_env *env, u32 max,
	      const struct diag *diag);

/*
 * fn(arg) on cpu, with its interrupts on, returning at once (on the calling
 * CPU's own number: runs it in place).  0, -ENODEV, -EBUSY (has work).
 */
int __must_check smp_call(u32 cpu, void (*fn)(void *arg), void *arg);

/* Until cpu has no work.  0 or -ETIMEDOUT (us; 0: wait for ever). */
int __must_check smp_wait(u32 cpu, u64 timeout_us);

/* On every CPU at once, the caller's included; waits.  0 or the first error. */
int __must_check smp_call_all(void (*fn)(void *arg), void *arg, u64 timeout_us);

/* 0 or -ENODEV. */
int smp_send_nmi(u32 cpu);

/* Stops the others for ever (NMI): panic.  The caller goes on alone. */
void smp_stop_others(void);

/* A CPU whose work was abandoned by a watchdog goes on here: back to waiting. */
void __noreturn smp_idle(void);

#endif
