/* SPDX-License-Identifier: MIT */
/* Statistics as a file system (FUSE). */
#ifndef TOOLS_NESTBED_STATS_MOUNT_H
#define TOOLS_NESTBED_STATS_MOUNT_H

#include "tools/nestbed/stats_live.h"

struct stats_mount {
	struct stats_dump *dump;	/* a finished one: read-only; or NULL */
	struct stats_live *live;	/* not started yet; or NULL */
	const char *dir;
	double age;			/* seconds after which a live dump is too old */
	bool foreground;
};

/*
 * Mounts; in the foreground returns when it is unmounted, else as soon as it
 * is mounted.  The exit code, after a message if it is not 0.
 */
int stats_mount_run(struct stats_mount *m);

#endif
