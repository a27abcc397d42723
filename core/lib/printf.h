/* SPDX-License-Identifier: MIT */
/*
 * Formatting: %d %i %u %x %X %o %c %s %p %% with flags - 0 + space #, width
 * and precision (also *), length hh h l ll z j t.  No floating point.
 */
#ifndef CORE_LIB_PRINTF_H
#define CORE_LIB_PRINTF_H

#include "core/lib/base.h"

/*
 * As C11 7.21.6.5: writes at most size bytes including the terminator and
 * returns the length that the whole text has.  size 0 writes nothing.
 */
int nb_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
	__printf(3, 0);
int nb_snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/*
 * Appends to a buffer that already holds *len bytes; *len never passes
 * size - 1, the text is always terminated.  For building one line in steps.
 */
void str_append(char *buf, size_t size, size_t *len, const char *fmt, ...)
	__printf(4, 5);

#endif
