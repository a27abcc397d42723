/* SPDX-License-Identifier: MIT */
/*
 * Where pure code sends a message for people: parsers take a struct diag and
 * never print by themselves.  A NULL diag or emit drops the message.
 */
#ifndef CORE_LIB_DIAG_H
#define CORE_LIB_DIAG_H

#include "core/lib/base.h"

struct diag {
	/* One line without a line end; valid only during the call. */
	void (*emit)(void *ctx, const char *line);
	void *ctx;
};

/*
 * Formats at most 200 bytes and hands the line to d->emit.  Bytes that are
 * not printable ASCII become '?': messages quote what a guest or a damaged
 * table contains.
 */
void diag_printf(const struct diag *d, const char *fmt, ...) __printf(2, 3);

#endif
