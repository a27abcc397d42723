/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of the calling CPU, xAPIC or x2APIC.  It is never disabled
 * in IA32_APIC_BASE: some machines cannot enable it again.
 */
#ifndef CORE_X86_LAPIC_HW_H
#define CORE_X86_LAPIC_HW_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/x86/env.h"

struct acpi_info;

/* Vectors of the local APIC's own interrupts: VEC_TIMER, VEC_SPURIOUS in trap.h. */

/* SDM3 11.6.1, APM2 16.5: delivery modes. */
enum lapic_delivery {
	LAPIC_FIXED = 0, LAPIC_SMI = 2, LAPIC_NMI = 4, LAPIC_INIT = 5, LAPIC_SIPI = 6,
	LAPIC_EXTINT = 7,
};

/*
 * On the boot processor, once: chooses the mode (x2APIC when it is on already,
 * or when an APIC id is above 254) and maps the registers.  0, -ENODEV (no
 * APIC), -ENOMEM (not mappable).
 */
int __must_check lapic_setup(const struct acpi_info *acpi, const struct x86_env *env,
			     const struct diag *diag);

/*
 * On each CPU: software enable, spurious vector, LVTs masked, LINT pins as the
 * MADT says, ESR cleared, TPR 0.
 */
void lapic_enable(u32 acpi_uid);

bool lapic_is_x2apic(void);
u32 lapic_id(void);
void lapic_eoi(void);

/*
 * 0; -ETIMEDOUT when the APIC does not take the command, -ENODEV without an
 * APIC, -ERANGE for an id that xAPIC cannot address.
 */
int lapic_send_ipi(u32 apic_id, enum lapic_delivery mode, u8 vector);
int lapic_send_all_but_self(enum lapic_delivery mode, u8 vector);

/* SDM3 11.5.3: reads ESR (after the write that latches it). */
u32 lapic_esr(void);

/* Counts the timer against the TSC; needs time_init.  0 or -EIO. */
int __must_check lapic_timer_calibrate(bool tsc_deadline);

/* VEC_TIMER on this CPU in us (at most some seconds ahead; else it comes early). */
void lapic_timer_oneshot(u64 us);
/*
 * VEC_TIMER on this CPU when its TSC has reached tsc, at once if it has; too
 * far ahead for the timer: early.  Replaces what was set before.
 */
void lapic_timer_at(u64 tsc);
void lapic_timer_stop(void);
u64 lapic_timer_khz(void);	/* of the undivided input; 0 not calibrated */

/*
 * Which vectors are requested or in service, of the 32 that vector is one of;
 * it is bit vector % 32.
 */
u32 lapic_pending(u8 vector);

#endif
