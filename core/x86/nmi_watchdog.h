/* SPDX-License-Identifier: MIT */
/*
 * A deadline that fires as NMI, so that it also ends code that hangs with
 * interrupts off: an HPET comparator, else PIT channel 0, through an I/O APIC
 * pin in NMI mode.  One deadline at a time for the whole machine.
 */
#ifndef CORE_X86_NMI_WATCHDOG_H
#define CORE_X86_NMI_WATCHDOG_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/x86/env.h"

struct acpi_info;

/*
 * Chooses the timer and the pin and tests them once with a real NMI on the
 * calling CPU (takes a few ms).  Needs traps, time_init, lapic, ioapic_setup.
 */
void nmi_watchdog_init(const struct acpi_info *acpi, u64 hpet_va, const struct diag *diag);

/* *reason: which timer is used ("hpet", "pit") or why there is none. */
bool nmi_watchdog_available(const char **reason);

/* NMI to the CPU with this APIC id in us (bounded to 60 s ... longer is chained). */
void nmi_watchdog_arm(u32 apic_id, u64 us);
void nmi_watchdog_disarm(void);

/*
 * For a CPU on which only NMIs end a guest with IF = 0: while a deadline is
 * armed, its target gets one each us microseconds.  0: none, as at first.
 */
void nmi_watchdog_beat(u64 us);

/*
 * The NMI handler asks for every NMI: true when the armed deadline has passed
 * (it is then disarmed); false when this NMI is none of ours, or an early
 * tick of a timer that cannot count that far and has been re-armed.
 */
bool nmi_watchdog_expired(void);

#endif
