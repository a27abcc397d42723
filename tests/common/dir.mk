# SPDX-License-Identifier: MIT
obj-y += tests/common/basic.o
