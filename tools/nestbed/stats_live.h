/* SPDX-License-Identifier: MIT */
/*
 * Statistics of a machine that runs: reads its serial line all the time (a
 * line that nobody reads would stop the machine), keeps the newest dumps, and
 * types commands into its monitor.
 */
#ifndef TOOLS_NESTBED_STATS_LIVE_H
#define TOOLS_NESTBED_STATS_LIVE_H

#include "tools/nestbed/stats_reader.h"

struct stats_live;

/* Is the target a line, not a file of any kind? */
bool stats_live_is(const char *target);

/*
 * Opens the line.  ask: may type into it.  Does not wait for anything; the
 * reading begins with stats_live_start(), which makes a thread.
 * 0 or -errno after a message.
 */
__must_check int stats_live_open(struct stats_live **out, const char *target, u64 speed, bool ask);
__must_check int stats_live_start(struct stats_live *l);
void stats_live_close(struct stats_live *l);

/*
 * The newest dump, with a reference, or NULL; *count says how many came so
 * far, *before (may be NULL) is the good one before it.
 */
struct stats_dump *stats_live_dump(struct stats_live *l, u64 *count, struct stats_dump **before);
/* Waits until more than count dumps came; false: not in time, or the line is closed. */
bool stats_live_wait(struct stats_live *l, u64 count, double seconds);
/* The line is closed: nothing more will come. */
bool stats_live_closed(struct stats_live *l);

/*
 * A fresh dump: asks the monitor for one and waits, or (not ask) waits for the
 * next one that comes by itself.  0; -ETIMEDOUT; -EIO: the line is closed;
 * -EPROTO: the monitor refused.  Then the newest dump is simply older.
 */
int stats_live_refresh(struct stats_live *l, double seconds);

/* From now on refreshes by itself, with pauses of that length. */
__must_check int stats_live_repeat(struct stats_live *l, double pause);

/*
 * Types a command and waits for the answer of the monitor.  0; -EPROTO: it
 * says error, *why has its words (to be freed); -ETIMEDOUT; -EIO; -EROFS: may
 * not type.
 */
__must_check int stats_live_command(struct stats_live *l, const char *command, double seconds,
				    char **why);

#endif
