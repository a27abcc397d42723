/* SPDX-License-Identifier: MIT */
/* What the tests of VMX share. */
#ifndef TESTS_VMX_VMX_TEST_H
#define TESTS_VMX_VMX_TEST_H

#include "tests/machine.h"
#include "vmx/insn.h"
#include "vmx/ops.h"

#endif
