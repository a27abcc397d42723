/* SPDX-License-Identifier: MIT */
/*
 * Follows one run on a serial line: keeps the raw log and saved guests, feeds
 * the model, shows progress, and decides when it is over.
 */
#ifndef TOOLS_NESTBED_CAPTURE_H
#define TOOLS_NESTBED_CAPTURE_H

#include "tools/nestbed/blob.h"
#include "tools/nestbed/launch.h"
#include "tools/nestbed/model.h"
#include "tools/nestbed/progress.h"
#include "tools/nestbed/typing.h"

struct capture_limits {
	double total;		/* seconds for the whole run; 0: none */
	double silence;		/* seconds without a byte; 0: none */
	bool silence_from_start; /* count it before the begin line too */
	double after_end;	/* seconds that the machine has to power off; 0: any */
	u64 log_bytes;		/* a run that writes more is stopped */
};

struct capture {
	int fd;			/* the line */
	int log_fd;		/* serial.log */
	struct child *child;	/* the emulator, or NULL */
	const char *child_name;
	const char *child_output; /* file with what it said, or NULL */
	struct capture_limits limits;
	const char *dir;	/* where guests go that are sent over the line */
	struct run_model *m;
	struct progress *progress;
	struct typing *typing;	/* what goes the other way, or NULL */
};

/* Ctrl-C and friends end a capture instead of the program. */
void capture_catch_signals(void);
bool capture_interrupted(void);

/*
 * Runs until the line ends, the run is over or a limit is passed; the child
 * is gone afterwards.  Returns NULL, or why the run was cut short.
 */
char *capture_run(struct capture *c);

#endif
