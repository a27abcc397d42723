# SPDX-License-Identifier: MIT
obj-y += tests/svm/svm_test.o tests/svm/entry.o tests/svm/entry_random.o tests/svm/intercept.o tests/svm/npt.o
obj-y += tests/svm/perm.o tests/svm/inject.o tests/svm/virq.o tests/svm/state.o
obj-y += tests/svm/feature.o tests/svm/debug.o tests/svm/nested_state.o
