/* SPDX-License-Identifier: MIT */
/* I/O APICs, as far as the NMI watchdog needs them; and the 8259s masked. */
#ifndef CORE_X86_IOAPIC_HW_H
#define CORE_X86_IOAPIC_HW_H

#include "core/lib/base.h"
#include "core/lib/diag.h"
#include "core/x86/env.h"

struct acpi_info;

/* Maps all, masks every pin that delivers nothing but interrupts.  Count found. */
u32 ioapic_setup(const struct acpi_info *acpi, const struct x86_env *env,
		 const struct diag *diag);

/* Routes a GSI as edge-triggered NMI to an APIC id (< 256).  0, -ENODEV, -ERANGE. */
int __must_check ioapic_route_nmi(u32 gsi, u32 apic_id, bool active_low, bool level);
void ioapic_mask(u32 gsi);

/* The pin exists and is masked. */
bool ioapic_pin_is_free(u32 gsi);

/* Both 8259s: all lines masked (and remapped to 0x20..0x2f first). */
void pic8259_mask_all(void);

#endif
