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

/*
 * Keeps a copy of the guest that runs with that console, its memory included;
 * one that was kept before goes.  From the safe point of its run.  0, with its
 * size in what; -ENOENT, -ENOMEM, -EBUSY (it did not stop), -EINVAL, with the
 * reason in what.
 */
int __must_check modules_save(u32 console, char *what, size_t size);
/*
 * Writes the copy that is kept (there is one) on the line, until stop says so; what:
 * its name and size, or how much of it was written.  0 or -ECANCELED.
 */
int __must_check modules_send(bool (*stop)(void *ctx), void *ctx, char *what, size_t size);
/* Is one kept? */
bool modules_kept(void);
/* Runs and reports the guest that is kept, from there on. */
void modules_restore(void);

#endif
