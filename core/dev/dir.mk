# SPDX-License-Identifier: MIT
pure-y += core/dev/bus.o core/dev/vtest.o
