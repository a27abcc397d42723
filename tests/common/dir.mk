# SPDX-License-Identifier: MIT
obj-y += tests/common/random.o tests/common/excp32.o
obj-y += tests/common/basic.o tests/common/common.o tests/common/out_exit.o
obj-y += tests/common/regs.o tests/common/segs.o tests/common/fpu.o tests/common/insn.o tests/common/msrs.o tests/common/crs.o \
	tests/common/io.o tests/common/npt.o tests/common/mmio.o tests/common/events.o \
	tests/common/modes.o tests/common/tasks.o tests/common/time.o \
	tests/common/snapshot.o tests/common/stale_code.o tests/common/tsc_scale.o
