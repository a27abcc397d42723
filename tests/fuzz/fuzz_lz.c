// SPDX-License-Identifier: MIT
/* Unpacks any bytes to any length; packs and unpacks them again. */
#include <stdlib.h>
#include <string.h>

#include "core/lib/lz.h"

#define TRUST(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Into a block of exactly len bytes, so that one more would be seen. */
static void unpack(const u8 *packed, u32 n, u32 len)
{
	u8 *out = malloc(len ? len : 1);
	static struct lz_table table;
	static u8 again[LZ_MAX + LZ_MAX / 64];

	if (lz_unpack(packed, n, out, len) == 0 && len) {
		u32 size = lz_pack(out, len, again, sizeof(again), &table);

		TRUST(size);
		TRUST(lz_unpack(again, size, out, len) == 0);
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lz_table table;
	u8 *packed, *out;
	u32 cap, n;

	if (size < 4 || size > LZ_MAX)
		return 0;
	unpack(data + 4, (u32)size - 4, data[0] | (u32)data[1] << 8);
	cap = data[2] | (u32)data[3] << 8;
	packed = malloc(cap ? cap : 1);
	out = malloc(size);
	n = lz_pack(data, (u32)size, packed, cap, &table);
	TRUST(n <= cap);
	if (n) {
		TRUST(lz_unpack(packed, n, out, (u32)size) == 0);
		TRUST(!memcmp(out, data, size));
	} else {
		/* A byte for each 128 is all that it can cost. */
		TRUST(cap < size + size / 128 + 1);
	}
	free(packed);
	free(out);
	return 0;
}
