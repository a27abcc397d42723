# SPDX-License-Identifier: MIT
obj-y += tests/selftest/selftest.o
