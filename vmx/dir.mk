# SPDX-License-Identifier: MIT
obj-y += vmx/entry.o vmx/ept.o vmx/inject.o vmx/intercept.o vmx/ops.o vmx/probe.o \
	vmx/regs.o vmx/vmcs_hw.o
pure-y += vmx/caps.o vmx/exit.o vmx/perm.o vmx/vmcs.o
