# SPDX-License-Identifier: MIT
guest64-y += regs64 fpu ymm zmm xsetbv tsc tscrate hlt pause triple flood forge toobig
guest64-y += segs64 dr step msr msrflood cpuid exc64 cr64 paging64 invlpg io mmio
guest64-y += syscall user smc beyond scribble random
guest64-y += cr2 pks smp2
guest64-y += lapic lapicprio lapicbase lapicreset x2apic apictimer tscdeadline
guest64-y += hltwake nmi sipi crossmod smpipi smpwork storm stormipi stormhlt
guest64-y += pic picirq ioapic gsi pit pitirq uart rtc rtcdate
guest64-y += pm poweroff resetcf9 resetkbc reset92 pci fwcfg acpi isolation pitstorm
guest32-y += regs32 exc32 paging32 task32 v86 segs32
guest16-y += real bigreal firmware
# 64-bit, with a real-mode part
guest6416-y += modes

# L1 hypervisors
guest6416-y += nsvm_insn
guest64-y += nsvm_run nsvm_intercept nsvm_crdr nsvm_check nsvm_perm nsvm_inject nsvm_virq nsvm_gif
guest64-y += nsvm_except nsvm_npt nsvm_mode nsvm_misc nsvm_smp nsvm_paging nsvm_state nsvm_random
guest64-y += nsvm_lost nsvm_lbr

# For scripts of tests/host: not in the image
guest64-host-y += count typed

# In the image: the runner's glue, and the table with all payloads.
obj-y += tests/payload.o gen_payloads.o
