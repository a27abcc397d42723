/* SPDX-License-Identifier: MIT */
/* Ends the run: none of these returns; each falls through to a weaker one. */
#ifndef CORE_X86_POWER_H
#define CORE_X86_POWER_H

#include "core/x86/env.h"

struct acpi_info;
struct cpu_caps;

/* What power_off and power_reboot may use; keeps the pointer to acpi. */
void power_init(const struct acpi_info *acpi, const struct cpu_caps *caps,
		const struct x86_env *env);

/* ACPI S5, else the ports of known emulators, else power_halt. */
void __noreturn power_off(void);

/* FADT reset register, 0xcf9, keyboard controller, triple fault. */
void __noreturn power_reboot(void);

void __noreturn power_halt(void);

#endif
