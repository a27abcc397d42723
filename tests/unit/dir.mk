# SPDX-License-Identifier: MIT
unit-y += tests/unit/test_crc32.c
unit-y += tests/unit/test_diag.c
unit-y += tests/unit/test_printf.c
unit-y += tests/unit/test_string.c
unit-y += tests/unit/test_memmap.c
unit-y += tests/unit/test_nearest.c
unit-y += tests/unit/test_cmdline.c
