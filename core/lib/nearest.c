// SPDX-License-Identifier: MIT
#include "core/lib/nearest.h"

#include "core/lib/string.h"

#define LEN_MAX 63

/*
 * Optimal string alignment, row by row.  d[0] is the row being filled, d[1]
 * and d[2] the two before it; a value never exceeds LEN_MAX.
 */
unsigned int str_distance(const char *a, const char *b)
{
	u8 rows[3][LEN_MAX + 1];
	size_t la = strnlen(a, LEN_MAX), lb = strnlen(b, LEN_MAX), i, j;

	for (j = 0; j <= lb; j++)
		rows[0][j] = (u8)j;
	for (i = 1; i <= la; i++) {
		u8 *d = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		d[0] = (u8)i;
		for (j = 1; j <= lb; j++) {
			u8 best = (u8)(up[j - 1] + (a[i - 1] != b[j - 1]));

			best = MIN(best, (u8)(up[j] + 1));
			best = MIN(best, (u8)(d[j - 1] + 1));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, (u8)(up2[j - 2] + 1));
			d[j] = best;
		}
	}
	return rows[la % 3][lb];
}

const char *str_nearest(const char *word,
			const char *(*next)(void *ctx, size_t i), void *ctx)
{
	unsigned int best = ((unsigned int)strnlen(word, LEN_MAX) + 2) / 3 + 1;
	const char *found = NULL, *name;
	size_t i;

	for (i = 0; (name = next(ctx, i)); i++) {
		unsigned int dist = str_distance(word, name);

		if (dist < best) {
			best = dist;
			found = name;
		}
	}
	return found;
}
