# SPDX-License-Identifier: MIT
fuzz-y += tests/fuzz/fuzz_cmdline.c
fuzz-y += tests/fuzz/fuzz_multiboot.c
fuzz-y += tests/fuzz/fuzz_insn.c
FUZZ_LIBS_fuzz_insn := -lZydis
fuzz-y += tests/fuzz/fuzz_acpi.c
fuzz-y += tests/fuzz/fuzz_serial.c
fuzz-y += tests/fuzz/fuzz_ptwalk.c
