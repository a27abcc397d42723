# SPDX-License-Identifier: MIT
obj-y += tests/svm/svm_test.o tests/svm/entry.o tests/svm/intercept.o tests/svm/npt.o tests/svm/perm.o
obj-y += tests/svm/inject.o tests/svm/virq.o tests/svm/state.o tests/svm/feature.o
