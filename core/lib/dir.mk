# SPDX-License-Identifier: MIT
pure-y += core/lib/base64.o core/lib/cmdline.o core/lib/crc32.o core/lib/diag.o core/lib/nearest.o
pure-y += core/lib/gunzip.o core/lib/lz.o core/lib/printf.o core/lib/string.o
pure-y += core/lib/muldiv.o core/lib/tsc_ratio.o

# The compiler must not turn the loops that define memcpy, memset and strlen
# into calls of themselves.
$(O)/img/core/lib/string.o: IMG_CFLAGS += -fno-tree-loop-distribute-patterns
