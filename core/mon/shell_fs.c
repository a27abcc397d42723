// SPDX-License-Identifier: MIT
#include "core/mon/shell.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"

/* A full line of output holds no more. */
#define TEXT_MAX	700

/* The walk's path as it would be typed. */
static const char *shown_path(struct mon_walk *w, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	mon_escape(buf, size, &len, w->path);
	return buf;
}

static void path_error(struct shell *sh, int err)
{
	char path[MON_PATH_MAX];

	shell_error(sh, err, shown_path(&sh->walk, path, sizeof(path)));
}

static const char *mode_text(u32 mode)
{
	if (mon_is_dir(mode))
		return "drwxr-xr-x";
	return mode & 0200 ? "-rw-r--r--" : "-r--r--r--";
}

static int ls_file(struct mon_walk *w, u32 mode)
{
	char path[MON_PATH_MAX];

	shell_print(w->ctx, "%s %s", mode_text(mode), shown_path(w, path, sizeof(path)));
	return 0;
}

/* Like ls(1): what is in a directory, without its path. */
static int ls_visit(struct mon_walk *w, u32 mode)
{
	struct shell *sh = w->ctx;
	const struct mon_tree *t = w->tree;
	char text[4 * MON_NAME_MAX + 1];
	struct mon_entry e;

	if (!mon_is_dir(mode))
		return ls_file(w, mode);
	if (!sh->one_path)
		shell_print(sh, "%s:", shown_path(w, text, sizeof(text)));
	for (u32 i = 0; !t->entry(t->ctx, w->path, i, &e); i++) {
		size_t len = 0;

		text[0] = '\0';
		mon_escape(text, sizeof(text), &len, e.name);
		shell_print(sh, "%s %s%s", mode_text(e.mode), text, mon_is_dir(e.mode) ? "/" : "");
	}
	return 0;
}

/* A file of a subtree: its path and its content. */
static int cat_below(struct mon_walk *w, u32 mode)
{
	const struct mon_tree *t = w->tree;
	char path[MON_PATH_MAX], value[80];
	int err = t->read(t->ctx, w->path, value, sizeof(value));

	/* A file may go away between the look at its directory and here. */
	if (err < 0)
		path_error(w->ctx, err);
	else if (!(mode & MON_QUIET) || strcmp(value, "0"))
		shell_print(w->ctx, "%s %s", shown_path(w, path, sizeof(path)), value);
	return 0;
}

static int cat_visit(struct mon_walk *w, u32 mode)
{
	struct shell *sh = w->ctx;
	const struct mon_tree *t = w->tree;
	char value[TEXT_MAX];
	int err;

	if (mon_is_dir(mode)) {
		w->visit = cat_below;
		err = mon_subtree(w);
		w->visit = cat_visit;
		return err;
	}
	if (!sh->one_path)
		return cat_below(w, mode);
	err = t->read(t->ctx, w->path, value, sizeof(value));
	if (err < 0)
		path_error(sh, err);
	else
		shell_print(sh, "%s", value);
	return 0;
}

static int clear_visit(struct mon_walk *w, u32 mode)
{
	struct shell *sh = w->ctx;
	int err;

	/* A pattern means files; a directory that is named is a mistake. */
	if (mon_is_dir(mode))
		err = sh->one_path ? -EISDIR : 0;
	else if (!(mode & 0200))
		err = -EPERM;
	else
		err = w->tree->clear(w->tree->ctx, w->path);
	if (err)
		path_error(sh, err);
	return 0;
}

static void each_path(struct shell *sh, int (*visit)(struct mon_walk *w, u32 mode))
{
	if (!sh->env->tree) {
		shell_error(sh, -ENODEV, NULL);
		return;
	}
	sh->one_path = sh->args == 2 && !strchr(sh->arg[1], '*') && !strchr(sh->arg[1], '?');
	for (u32 i = 1; i < sh->args; i++) {
		int err;

		sh->walk.tree = sh->env->tree;
		sh->walk.ctx = sh;
		sh->walk.visit = visit;
		err = mon_expand(&sh->walk, sh->arg[i]);
		if (err)
			shell_error(sh, err, sh->arg[i]);
	}
}

void shell_ls(struct shell *sh)
{
	static char root[] = "/";

	if (sh->args == 1)
		sh->arg[sh->args++] = root;
	each_path(sh, ls_visit);
}

void shell_cat(struct shell *sh)
{
	each_path(sh, cat_visit);
}

void shell_clear(struct shell *sh)
{
	each_path(sh, clear_visit);
}
