# SPDX-License-Identifier: MIT
pure-y += core/dev/bus.o core/dev/vtest.o core/dev/vuart.o core/dev/vrtc.o core/dev/vpm.o
pure-y += core/dev/vpci.o core/dev/vfwcfg.o
pure-y += core/dev/vioapic.o core/dev/vpic.o core/dev/vpit.o
pure-y += core/dev/vlapic.o core/dev/vlapic_regs.o core/dev/vlapic_route.o
pure-y += core/dev/vlapic_timer.o core/dev/vlapic_state.o
