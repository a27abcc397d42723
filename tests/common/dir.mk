# SPDX-License-Identifier: MIT
obj-y += tests/common/basic.o
obj-y += tests/common/out_exit.o
