/* SPDX-License-Identifier: MIT */
/* Unpacks gzip members: RFC 1952, with DEFLATE, RFC 1951.  Pure. */
#ifndef CORE_LIB_GUNZIP_H
#define CORE_LIB_GUNZIP_H

#include "core/lib/base.h"

/*
 * Unpacks the member that starts at src into dst; *len is what came out.  What
 * follows the member is ignored.  Returns 0, -EINVAL (no gzip member, damaged,
 * cut off, wrong checksum or length) or -ENOSPC (more than cap bytes).
 */
int __must_check gunzip(const void *src, size_t n, void *dst, size_t cap, size_t *len);

#endif
