# SPDX-License-Identifier: MIT
pure-y += core/dev/bus.o
pure-y += core/dev/vtest.o core/dev/vuart.o
