// SPDX-License-Identifier: MIT
#include "core/mon/blob.h"

#include "core/lib/base64.h"
#include "core/lib/crc32.h"
#include "core/lib/log.h"
#include "core/mon/line.h"

/* "@nestbed blob", a number of 32 bits, a checksum. */
_Static_assert(BASE64_LEN(BLOB_LINE_BYTES) + sizeof("@nestbed blob 4294967295 ffffffff ") - 1 <=
	       LINE_MAX, "a line of a blob is too long");

static void send_line(u64 number, const u8 *p, size_t n)
{
	char text[BASE64_LEN(BLOB_LINE_BYTES) + 1];

	base64_encode(p, n, text);
	machine_line("blob %llu %08x %s", (unsigned long long)number, crc32_update(0, p, n), text);
}

static int give_up(u32 seq, u64 lines)
{
	machine_line("blob abort seq=%u lines=%llu", seq, (unsigned long long)lines);
	return -ECANCELED;
}

int blob_send(const void *data, u64 size, u32 seq, const char *guest, bool (*stop)(void *ctx),
	      void *ctx, u64 *lines)
{
	const u8 *p = data;

	*lines = 0;
	machine_line("blob begin seq=%u guest=\"%s\" bytes=%llu", seq, guest,
		     (unsigned long long)size);
	for (u64 at = 0; at < size; at += BLOB_LINE_BYTES) {
		if (stop(ctx))
			return give_up(seq, *lines);
		send_line(++*lines, p + at, (size_t)MIN(size - at, (u64)BLOB_LINE_BYTES));
	}
	machine_line("blob end seq=%u lines=%llu crc32=%08x", seq, (unsigned long long)*lines,
		     crc32_update(0, data, size));
	return 0;
}
