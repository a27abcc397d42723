/* SPDX-License-Identifier: MIT */
/* "Did you mean": the known name that is closest to a mistyped one. */
#ifndef CORE_LIB_NEAREST_H
#define CORE_LIB_NEAREST_H

#include "core/lib/base.h"

/*
 * Insertions, deletions, replacements and swaps of neighbours that turn a
 * into b.  Only the first 63 bytes of each count.
 */
unsigned int str_distance(const char *a, const char *b);

/*
 * Asks next(ctx, 0), next(ctx, 1)... for the known names until it returns
 * NULL.  Returns the first of those nearest to word, or NULL when none is
 * near enough to be worth naming (more than a third of word, rounded up, would change).
 */
const char *str_nearest(const char *word,
			const char *(*next)(void *ctx, size_t i), void *ctx);

#endif
