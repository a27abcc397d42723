# SPDX-License-Identifier: MIT
fuzz-y += tests/fuzz/fuzz_cmdline.c
