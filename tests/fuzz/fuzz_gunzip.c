// SPDX-License-Identifier: MIT
/*
 * Any bytes as a gzip member.  Few pass the checksum: blocks behind a good
 * header are tried as well, where only the checksum is wrong.  Nothing may be
 * written behind cap, and a member that is taken has its checksum.
 */
#include <stdlib.h>
#include <string.h>

#include "core/lib/crc32.h"
#include "core/lib/gunzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(const u8 *gz, size_t n, size_t cap)
{
	size_t len = ~(size_t)0;
	u8 *out = malloc(cap ? cap : 1);
	int err = gunzip(gz, n, out, cap, &len);

	if (err != 0 && err != -EINVAL && err != -ENOSPC)
		abort();
	if (!err && len > cap)
		abort();
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = size ? data[size - 1] * 64u : 0;
	u8 *gz = malloc(size + 10);

	memcpy(gz, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	memcpy(gz + 10, data, size);
	unpack(gz, size + 10, cap);
	unpack(data, size, cap);
	free(gz);
	return 0;
}
