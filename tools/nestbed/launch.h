/* SPDX-License-Identifier: MIT */
/*
 * Starts an emulator in a process group of its own, so that nothing of it
 * survives, and hands over the other end of its serial line.
 */
#ifndef TOOLS_NESTBED_LAUNCH_H
#define TOOLS_NESTBED_LAUNCH_H

#include <sys/types.h>
#include "tools/nestbed/text.h"

/* Where the emulator is to write its serial output. */
#define SERIAL_FD	3
#define SERIAL_DEV	"/dev/fd/3"

/* A NULL-terminated list of words that grows. */
struct argv {
	char **word;
	size_t n;
};
void argv_add(struct argv *a, const char *word);
__printf(2, 3) void argv_addf(struct argv *a, const char *fmt, ...);
void argv_free(struct argv *a);
/* The words as a line that a shell would take, for people. */
char *argv_line(const struct argv *a);

struct child {
	pid_t pid;
	int serial;	/* read end; -1 when none was asked for */
};

struct launch {
	const struct argv *argv;	/* word[0] is the path of the program */
	const char *dir;		/* working directory, or NULL */
	const char *output;		/* file for its stdout and stderr */
	bool serial;
};

/* 0 or -errno, also when the program could not be executed. */
__must_check int launch(const struct launch *l, struct child *c);

/* Kills what is left of the process group and waits; returns the wait status. */
int child_kill(struct child *c);

/* Waits at most so long for the child to end by itself; then kills it. */
int child_wait(struct child *c, double seconds, bool *killed);

/* "ended with status 1", "was killed by signal 9 (Killed)" */
char *status_text(int status);

#endif
