# SPDX-License-Identifier: MIT
obj-y += core/x86/trap.o core/x86/percpu.o core/x86/panic.o
pure-y += core/x86/caps.o
pure-y += core/x86/tsc_calc.o
obj-y += core/x86/caps_read.o
obj-y += core/x86/time.o
obj-y += core/x86/hpet_hw.o
obj-y += core/x86/lapic_hw.o
obj-y += core/x86/smp.o
obj-y += core/x86/power.o
pure-y += core/x86/acpi.o core/x86/acpi_fadt.o core/x86/acpi_madt.o core/x86/acpi_serial.o
pure-y += core/x86/pci.o
obj-y += core/x86/pci_hw.o core/x86/rtc_hw.o
obj-y += core/x86/ioapic_hw.o
obj-y += core/x86/nmi_watchdog.o
