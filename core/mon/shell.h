/* SPDX-License-Identifier: MIT */
/*
 * The monitor's commands.  What they work on comes as callbacks, so that the
 * shell is pure and knows neither statistics nor tests.
 */
#ifndef CORE_MON_SHELL_H
#define CORE_MON_SHELL_H

#include "core/mon/montree.h"

#define SHELL_LINE_MAX	512	/* a command, with the terminator */
#define SHELL_ARGS_MAX	16

enum mon_show { MON_SHOW_VM, MON_SHOW_CPU, MON_SHOW_MEM };
enum mon_power { MON_REBOOT, MON_POWEROFF };

/* A test, or a guest that the boot loader brought. */
struct mon_item {
	const char *name;
	const char *note;	/* manual section, reason; may be NULL */
};

struct monitor_env {
	const struct mon_tree *tree;	/* NULL: no statistics */
	/* One line for people; the text behind "@nestbed monitor ". */
	void (*print)(void *ctx, const char *line);
	void (*answer)(void *ctx, const char *text);
	/* Number i; false behind the last. */
	bool (*test)(void *ctx, size_t i, struct mon_item *item);
	bool (*guest)(void *ctx, size_t i, struct mon_item *item);
	/* All whose name matches (there is one); 0 or -E... */
	int (*run_tests)(void *ctx, const char *glob);
	int (*run_guests)(void *ctx, const char *glob);
	/* A block of statistics on the line. */
	int (*dump_stats)(void *ctx);
	void (*show)(void *ctx, enum mon_show what);
	/* Returns in tests only. */
	void (*power)(void *ctx, enum mon_power what);
	void *ctx;
	/* What "continue" goes on with; NULL: nothing. */
	const char *go_on;
};

struct shell {
	const struct monitor_env *env;
	struct mon_walk walk;
	char line[SHELL_LINE_MAX];	/* cut into args */
	char *arg[SHELL_ARGS_MAX];	/* arg[0]: the command */
	u32 args;
	int err;			/* first one of this command */
	char why[MON_PATH_MAX + 80];
	bool one_path;			/* one argument: the answer need not name it again */
	bool leave, answered;
};

void shell_init(struct shell *sh, const struct monitor_env *env);

/*
 * Runs one line and answers it, unless it is empty.  True: leave the monitor.
 */
bool shell_exec(struct shell *sh, const char *line);

/*
 * Candidates for the word that ends at line + pos.  found gets each, as it is
 * typed, and what follows it: ' ' or '/'.  Returns where the replaced part of
 * the word (for paths: its last component) begins.
 */
u32 shell_candidates(struct shell *sh, const char *line, u32 pos,
		     void (*found)(void *ctx, const char *text, char end), void *ctx);

/* For commands: a line of output, a failure. */
void shell_print(struct shell *sh, const char *fmt, ...) __printf(2, 3);
void shell_error(struct shell *sh, int err, const char *what);

/* ls, cat, clear (shell_fs.c); arguments in sh->arg. */
void shell_ls(struct shell *sh);
void shell_cat(struct shell *sh);
void shell_clear(struct shell *sh);

#endif
