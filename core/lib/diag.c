// SPDX-License-Identifier: MIT
#include "core/lib/diag.h"

#include "core/lib/printf.h"

void diag_printf(const struct diag *d, const char *fmt, ...)
{
	char line[201];
	va_list ap;
	char *p;

	if (!d || !d->emit)
		return;
	va_start(ap, fmt);
	nb_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (p = line; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	d->emit(d->ctx, line);
}
