/* SPDX-License-Identifier: MIT */
/* The monitor's vm, cpu and mem: the machine's state as lines for people. */
#ifndef TESTS_MONITOR_SHOW_H
#define TESTS_MONITOR_SHOW_H

#include "boot/stage.h"
#include "core/mon/shell.h"

void monitor_show(const struct run_env *env, enum mon_show what);

#endif
