# SPDX-License-Identifier: MIT
pure-y += tests/stats/kunit.o
obj-y += tests/stats/stats.o tests/stats/dump.o
