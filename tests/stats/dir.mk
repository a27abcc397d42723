# SPDX-License-Identifier: MIT
pure-y += tests/stats/kunit.o
