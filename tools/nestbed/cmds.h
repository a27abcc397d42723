/* SPDX-License-Identifier: MIT */
/* The subcommands: each gets its own argv and returns the exit code. */
#ifndef TOOLS_NESTBED_CMDS_H
#define TOOLS_NESTBED_CMDS_H

#include "core/lib/base.h"

#define EXIT_USAGE	64

int cmd_run(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_stats(int argc, char **argv);

/* Values of options; 0, or -EINVAL after a message that names the option. */
__must_check int arg_seconds(const char *opt, const char *text, double *out);
__must_check int arg_count(const char *opt, const char *text, u64 min, u64 max, u64 *out);
/* "512M", "6G", or a number of MiB. */
__must_check int arg_mem(const char *opt, const char *text, u64 *mib);

#endif
