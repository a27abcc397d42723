# SPDX-License-Identifier: MIT
obj-y += tests/vmx/basic.o
obj-y += tests/vmx/entry.o
obj-y += tests/vmx/entry_ctl.o
obj-y += tests/vmx/entry_host.o
obj-y += tests/vmx/entry_guest_regs.o
obj-y += tests/vmx/entry_guest_segs.o
obj-y += tests/vmx/entry_guest_state.o
