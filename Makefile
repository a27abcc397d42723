# SPDX-License-Identifier: MIT
#
#   make            the image (build/nestbed.elf, build/nestbed.iso) and the host tool
#   make run        installs what is needed, builds, boots an AMD-like and an
#                   Intel-like machine, prints the verdict, leaves a report
#   make check      all tests; the last line is "N passed, N failed, N skipped"
#   make bench      instructions and cycles, build/bench.json
#   make fuzz       each fuzz target for FUZZ_SECONDS (60)
#   make states     ten million random vmcb12 on the host, alone and in sequences
#   make V=1 O=dir  shows commands; builds elsewhere

O ?= build
V ?= 0
Q := $(if $(filter 0,$(V)),@,)
say = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' $(1) $(2),@:)

CC ?= gcc
HOSTCC ?= gcc
CLANG ?= clang
OBJCOPY ?= objcopy
NM ?= nm
WERROR ?= -Werror

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

# Each folder lists its own files:
#   obj-y   compiled for the image only
#   pure-y  compiled for the image and, with sanitizers, for the host
#   unit-y  cmocka programs       fuzz-y  libFuzzer programs
obj-y :=
pure-y :=
unit-y :=
fuzz-y :=
DIRS := boot core/lib core/x86 core/mm core/vm core/dev core/load core/mon \
	svm vmx stats tests tests/common tests/svm tests/vmx tests/stats tests/selftest \
	tests/guests tests/unit tests/fuzz tools
include $(wildcard $(DIRS:%=%/dir.mk))

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wpointer-arith -Wvla -Wundef -Wwrite-strings -Wno-unused-parameter $(WERROR)

# No SSE or x87 in the image: the guest's registers stay in the CPU.  Frame
# pointers: the panic backtrace follows them.
IMG_OPT := -O2
IMG_CFLAGS = -std=gnu11 $(IMG_OPT) -g -m64 -ffreestanding -fno-builtin-printf -fno-pic -no-pie \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-strict-aliasing \
	-fno-delete-null-pointer-checks -fno-common -fwrapv \
	-ffunction-sections -fdata-sections -Wframe-larger-than=2048 $(WARN) -I. -I$(O)/gen
IMG_ASFLAGS := -m64 -g -I. -I$(O)/gen -D__ASSEMBLY__

IMG_OBJS := $(sort $(obj-y) $(pure-y))
IMG_OBJS := $(IMG_OBJS:%=$(O)/img/%)

all: $(O)/nestbed.elf $(O)/nestbed.iso $(O)/nestbed

include tools/mk/image.mk tools/mk/guests.mk tools/mk/host.mk tools/mk/setup.mk

clean:
	$(Q)rm -rf $(O)

.PHONY: all clean
