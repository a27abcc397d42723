/* SPDX-License-Identifier: MIT */
/* The serial line of a real machine, in the forms that `attach` takes. */
#ifndef TOOLS_NESTBED_LINE_H
#define TOOLS_NESTBED_LINE_H

#include "tools/nestbed/text.h"

/*
 * Opens TTY, unix:PATH, tcp:HOST:PORT, FILE or "-" (standard input) for
 * reading.  A descriptor or -errno, after a message.  speed in bits per
 * second counts for a TTY only.  *file says that it is a recorded log.
 */
__must_check int line_open(const char *target, u64 speed, bool *file);

/* As line_open, for writing too: what goes into a recorded log is an error. */
__must_check int line_open_duplex(const char *target, u64 speed, bool *file);

/* A name for the machine behind a target, for the report. */
char *line_name(const char *target);

#endif
