/* SPDX-License-Identifier: MIT */
/*
 * Starts an emulator in a process group of its own, so that nothing of it
 * survives, and hands over the other end of its serial line.
 */
#ifndef TOOLS_NESTBED_LAUNCH_H
#define TOOLS_NESTBED_LAUNCH_H

#include <sys/types.h>
#include "tools/nestbed/text.h"

/* Where the emulator finds its serial line; as a file it is for output alone. */
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
	int serial;	/* our end of the line; -1 when none was asked for */
};

enum launch_serial {
	SERIAL_NONE,
	SERIAL_OUT,	/* a pipe: it writes, we read */
	SERIAL_BOTH,	/* a socket */
};

struct launch {
	const struct argv *argv;	/* word[0] is the path of the program */
	const char *dir;		/* working directory, or NULL */
	const char *output;		/* file for its stdout and stderr */
	enum launch_serial serial;
};

/* 0 or -errno, also when the program could not be executed. */
__must_check int launch(const struct launch *l, struct child *c);

/*
 * For an emulator that connects its serial line to a TCP port: a socket that
 * listens on a free one of 127.0.0.1; a descriptor or -errno.
 */
__must_check int serial_listen(u16 *port);

/*
 * Waits for the child to connect.  A descriptor, which reads as closed when it
 * did not or has ended.  Closes listener.
 */
int serial_accept(int listener, const struct child *c, double seconds);

/* Kills what is left of the process group and waits; returns the wait status. */
int child_kill(struct child *c);

/* Waits at most so long for the child to end by itself; then kills it. */
int child_wait(struct child *c, double seconds, bool *killed);

/* "ended with status 1", "was killed by signal 9 (Killed)" */
char *status_text(int status);

#endif
