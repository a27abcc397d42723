/* SPDX-License-Identifier: MIT */
/*
 * What runs once the machine is up: records in a linker table, so that boot
 * need not know tests, guests or bench.  main() first asks every stage of the
 * chosen mode for its plan, then runs them in their order.
 */
#ifndef BOOT_STAGE_H
#define BOOT_STAGE_H

#include "boot/bootinfo.h"
#include "core/lib/cmdline.h"
#include "core/mon/screen.h"
#include "core/mon/uart_hw.h"
#include "core/x86/acpi.h"
#include "core/x86/caps.h"
#include "core/x86/pci.h"

/* The machine as boot found it; const once the stages run. */
struct run_env {
	struct bootinfo info;
	struct nb_options opts;
	struct cpu_caps caps;
	struct acpi_info acpi;
	struct pci_list pci;
	struct pci_access pci_access;
	struct uart uart;
	struct screen screen;
	struct log_sink *console;
	u64 hpet_va;
	u32 mem_mib;
	u64 boot_id;		/* random: shows silent resets */
	u64 start_tsc;		/* first instruction of main */
	char platform[16];	/* "tcg", "bochs", "kvm", "nestbed", "nestbed_tcg", ... or "bare" */
};

enum stage_order {
	STAGE_PLAN = 1, STAGE_STATS = 4, STAGE_RUNNER = 5, STAGE_TESTS = 10, STAGE_GUESTS = 20,
	STAGE_BENCH = 30, STAGE_MONITOR = 40,
	STAGE_STATS_DUMP = 80, STAGE_END = 90, STAGE_MONITOR_END = 95,
};

struct stage {
	const char *name;
	u32 order;		/* enum stage_order */
	u32 modes;		/* BIT(RUN_...) in which it takes part */
	/* Declares what will be reported (report_declare); may be NULL. */
	void (*plan)(const struct run_env *env);
	void (*run)(const struct run_env *env);
};

#define STAGE(sym, ...) \
	static const struct stage sym SECTION_ENTRY(stages) = { __VA_ARGS__ }

#endif
