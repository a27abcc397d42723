/* SPDX-License-Identifier: MIT */
/*
 * What a person sees while a run goes on, on stderr: one line that is
 * rewritten when that is a terminal, a line now and then when it is not.
 */
#ifndef TOOLS_NESTBED_PROGRESS_H
#define TOOLS_NESTBED_PROGRESS_H

#include "tools/nestbed/model.h"

enum progress_mode {
	PROGRESS_QUIET,
	PROGRESS_LINE,		/* the live line */
	PROGRESS_PLAIN,		/* no terminal */
	PROGRESS_VERBOSE,	/* the serial text itself */
};

struct progress {
	enum progress_mode mode;
	const char *machine;
	double start;		/* of the run */
	double first;		/* when the first test started; 0: not yet */
	double drawn;		/* when something was last shown */
	size_t told;		/* bad results already shown */
	bool on_screen;		/* the live line needs clearing */
	bool said_begin;
};

void progress_init(struct progress *p, const char *machine, bool quiet, bool verbose);

/* A line came (call after the model took it). */
void progress_event(struct progress *p, const struct run_model *m,
		    const struct serial_event *ev);

/* Time went by. */
void progress_tick(struct progress *p, const struct run_model *m);

/* Clears the live line. */
void progress_done(struct progress *p);

/*
 * Seconds left, guessed from what the tests so far took; negative when
 * nothing can be said yet.  Pure.
 */
double progress_left(const struct run_model *m, double testing);

#endif
