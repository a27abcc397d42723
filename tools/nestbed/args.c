// SPDX-License-Identifier: MIT
#include "tools/nestbed/cmds.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/nestbed/text.h"

int arg_seconds(const char *opt, const char *text, double *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || v < 0) {
		fprintf(stderr, "nestbed: --%s %s: not a number of seconds\n", opt, text);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

int arg_count(const char *opt, const char *text, u64 min, u64 max, u64 *out)
{
	if (!decimal_u64(text, out) && *out >= min && *out <= max)
		return 0;
	fprintf(stderr, "nestbed: --%s %s: must be a number from %llu to %llu\n", opt, text,
		(unsigned long long)min, (unsigned long long)max);
	return -EINVAL;
}

int arg_mem(const char *opt, const char *text, u64 *mib)
{
	u64 scale = 1, max = 16ULL << 20;
	char *digits = xstrdup(text);
	size_t n = 0;
	int err;

	while (digits[n] >= '0' && digits[n] <= '9')
		n++;
	if (digits[n] == 'G' || digits[n] == 'g')
		scale = 1024;
	if (digits[n] && !digits[n + 1] && (scale > 1 || digits[n] == 'M' || digits[n] == 'm'))
		digits[n] = '\0';
	err = decimal_u64(digits, mib);
	free(digits);
	if (err || !*mib || *mib > max / scale) {
		fprintf(stderr, "nestbed: --%s %s: must be like 512M or 6G\n", opt, text);
		return -EINVAL;
	}
	*mib *= scale;
	return 0;
}
