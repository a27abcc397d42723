/* SPDX-License-Identifier: MIT */
/*
 * A saved guest on its way over the serial line: a block of machine lines, each
 * with a piece of it in base64 and a checksum of its own, so that a reader can
 * say which one was lost or damaged (docs/serial.md, "Saved guests").  Pure.
 */
#ifndef CORE_MON_BLOB_H
#define CORE_MON_BLOB_H

#include "core/lib/base.h"

/* Bytes in each line but the last: no line is longer than LINE_MAX. */
#define BLOB_LINE_BYTES	540

/*
 * Writes the size bytes of data, which come from a guest of that name, as block
 * number seq.  stop is asked before each line of data: true ends the block there,
 * with a line that says so.  *lines: how many with data were written.  0, or
 * -ECANCELED: stopped.
 */
int __must_check blob_send(const void *data, u64 size, u32 seq, const char *guest,
			   bool (*stop)(void *ctx), void *ctx, u64 *lines);

#endif
