# SPDX-License-Identifier: MIT
obj-y += tests/svm/svm_test.o tests/svm/entry.o tests/svm/intercept.o
