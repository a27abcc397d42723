/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a command line on the serial line.  Joins the line editor, the
 * shell and the log.  Pure: bytes come from a callback.
 */
#ifndef CORE_MON_MONITOR_H
#define CORE_MON_MONITOR_H

#include "core/mon/lineedit.h"
#include "core/mon/shell.h"

struct monitor_input {
	/* The next byte, or -EAGAIN: waited a little and nothing came. */
	int (*getc)(void *ctx);
	/*
	 * Asked whenever nothing came until the first command: nobody is there,
	 * leave again?  NULL: never.
	 */
	bool (*give_up)(void *ctx);
	void *ctx;
};

struct monitor {
	const struct monitor_input *input;
	struct line_edit_ops ops;
	struct line_edit edit;
	struct shell shell;
	/* Of a completion under way. */
	u32 found, shown, common_len;
	char common[LINE_EDIT_MAX];
	char end;
};

/* Once; history lives on from one run of the monitor to the next. */
void monitor_init(struct monitor *m, const struct monitor_env *env,
		  const struct monitor_input *input);

/* Until a command leaves it, or give_up. */
void monitor_run(struct monitor *m);

#endif
