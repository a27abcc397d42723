# SPDX-License-Identifier: MIT
pure-y += svm/caps.o svm/exit.o svm/inject.o svm/npt.o svm/perm.o svm/vmcb.o
pure-y += svm/nested_check.o svm/nested_enter.o svm/nested_lbr.o \
	svm/nested_state_blob.o
obj-y += svm/decode.o svm/entry.o svm/intercept.o svm/ops.o svm/probe.o svm/quirks.o
obj-y += svm/nested_exit.o svm/nested_insn.o svm/nested_npt.o svm/nested_state.o
obj-y += svm/nested_soft.o svm/regs.o svm/step.o
