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

/* A guest that runs now. */
struct mon_running {
	const char *name;
	u32 vm_id;
	u32 waiting;		/* typed bytes that it has not read */
	u64 lost;		/* typed bytes that it never got */
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
	/* Number i of the guests that run; the number behind "vm" of one, or -ENOENT. */
	bool (*running)(void *ctx, size_t i, struct mon_running *r);
	int (*find_running)(void *ctx, const char *who);
	/* The serial line's input is that guest's; text and CR for it.  0 or -E... */
	int (*attach)(void *ctx, u32 vm_id);
	int (*type)(void *ctx, u32 vm_id, const char *text);
	/*
	 * Keeps a copy of that guest: 0 with its size in what, or -E... with the
	 * reason.  When can_restore says that there is one, restore runs it.
	 */
	int (*save)(void *ctx, u32 vm_id, char *what, size_t size);
	/*
	 * Writes that copy on the line, as a block of machine lines: 0 with its size in
	 * what, or -ECANCELED (Ctrl-C was typed) with how far it came.
	 */
	int (*send)(void *ctx, char *what, size_t size);
	bool (*can_restore)(void *ctx);
	void (*restore)(void *ctx);
	/* A block of statistics on the line. */
	int (*dump_stats)(void *ctx);
	void (*show)(void *ctx, enum mon_show what);
	/* Returns in tests only. */
	void (*power)(void *ctx, enum mon_power what);
	void *ctx;
	/* What "continue" goes on with; NULL: nothing. */
	const char *go_on;
	/* The monitor was opened inside a guest's run: no other can be started. */
	bool inside;
};

struct shell {
	const struct monitor_env *env;
	struct mon_walk walk;
	char line[SHELL_LINE_MAX];	/* cut into args */
	char *arg[SHELL_ARGS_MAX];	/* arg[0]: the command */
	u32 args;
	const char *text;		/* the command as it was typed */
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
void shell_fail(struct shell *sh, int err, const char *what, const char *why);
/* Items whose name matches; prints them if asked to.  Returns how many. */
u32 shell_items(struct shell *sh, bool (*item)(void *ctx, size_t i, struct mon_item *it),
		const char *glob, bool print);
/* Refuses the command when the monitor was opened inside a guest's run. */
bool shell_refuse_inside(struct shell *sh);

/* ls, cat, clear (shell_fs.c); arguments in sh->arg. */
void shell_ls(struct shell *sh);
void shell_cat(struct shell *sh);
void shell_clear(struct shell *sh);

/* guests, console, type, save, send, restore (shell_guest.c) */
void shell_guests(struct shell *sh);
void shell_console(struct shell *sh);
void shell_type(struct shell *sh);
void shell_save(struct shell *sh);
void shell_send(struct shell *sh);
void shell_restore(struct shell *sh);

#endif
