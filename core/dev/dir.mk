# SPDX-License-Identifier: MIT
pure-y += core/dev/bus.o
pure-y += core/dev/vtest.o core/dev/vuart.o
pure-y += core/dev/bus.o core/dev/vtest.o
pure-y += core/dev/vlapic.o core/dev/vlapic_regs.o core/dev/vlapic_route.o
pure-y += core/dev/vlapic_timer.o core/dev/vlapic_state.o
pure-y += core/dev/bus.o core/dev/vfwcfg.o core/dev/vpci.o
pure-y += core/dev/vpm.o core/dev/vrtc.o core/dev/vtest.o core/dev/vuart.o
