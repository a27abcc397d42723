/* SPDX-License-Identifier: MIT */
/* The guests that the boot loader brought, for whoever lists and runs them. */
#ifndef TESTS_MODULES_H
#define TESTS_MODULES_H

#include "boot/stage.h"

/* Finds them; again: nothing. */
void modules_scan(const struct run_env *e);

/* The name of guest i, NULL behind the last; *refused: why it cannot run, or NULL. */
const char *modules_guest(size_t i, const char **refused);

/* Runs and reports those whose name matches. */
void modules_run(const char *glob);

#endif
