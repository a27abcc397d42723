/* SPDX-License-Identifier: MIT */
/* CRC-32/ISO-HDLC, the one of zlib, gzip, PNG and Ethernet. */
#ifndef CORE_LIB_CRC32_H
#define CORE_LIB_CRC32_H

#include "core/lib/base.h"

/*
 * Continues a checksum over n more bytes; start with crc = 0.  The result
 * after any number of calls is the checksum of all bytes so far, so
 * crc32_update(0, "123456789", 9) is 0xcbf43926.
 */
u32 crc32_update(u32 crc, const void *data, size_t n);

#endif
