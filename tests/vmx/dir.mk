# SPDX-License-Identifier: MIT
obj-y += tests/vmx/basic.o
