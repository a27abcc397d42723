// SPDX-License-Identifier: MIT
/* The monitor's commands for guests that run and for those that can be run. */
#include "core/mon/shell.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"

static void list_running(struct shell *sh)
{
	struct mon_running r;

	for (size_t i = 0; sh->env->running(sh->env->ctx, i, &r); i++) {
		char more[80] = "";
		size_t n = 0;

		if (r.waiting)
			str_append(more, sizeof(more), &n, ", %u typed bytes wait", r.waiting);
		if (r.lost)
			str_append(more, sizeof(more), &n, ", %llu lost",
				   (unsigned long long)r.lost);
		shell_print(sh, "  vm%u: %s is running%s", r.vm_id, r.name, more);
	}
}

static void list_guests(struct shell *sh)
{
	if (!shell_items(sh, sh->env->guest, "*", true))
		shell_print(sh, "# no guests: the boot loader brought no modules");
	list_running(sh);
}

void shell_guests(struct shell *sh)
{
	int err;

	if (sh->args == 1) {
		list_guests(sh);
		return;
	}
	if (shell_refuse_inside(sh))
		return;
	if (!shell_items(sh, sh->env->guest, sh->arg[1], false)) {
		shell_fail(sh, -ENOENT, sh->arg[1], "no such guest");
		return;
	}
	err = sh->env->run_guests(sh->env->ctx, sh->arg[1]);
	if (err)
		shell_error(sh, err, sh->arg[1]);
}

/* The number of the guest that the first argument names, negative after a message. */
static int named_guest(struct shell *sh)
{
	int id = sh->env->find_running(sh->env->ctx, sh->arg[1]);

	if (id < 0)
		shell_fail(sh, id, sh->arg[1], "no such guest is running");
	return id;
}

void shell_console(struct shell *sh)
{
	int id = named_guest(sh);

	if (id < 0)
		return;
	if (sh->env->attach(sh->env->ctx, (u32)id)) {
		shell_fail(sh, -ENOENT, sh->arg[1], "it has just ended");
		return;
	}
	shell_print(sh, "# vm%u has the line, Ctrl-] takes it back", (u32)id);
	sh->leave = true;
}

/* What follows the first two words and one blank. */
static const char *rest_of(const char *line)
{
	for (u32 words = 0; words < 2; words++) {
		while (*line == ' ')
			line++;
		while (*line && *line != ' ')
			line++;
	}
	return *line ? line + 1 : line;
}

void shell_type(struct shell *sh)
{
	int id = named_guest(sh);
	int err;

	if (id < 0)
		return;
	err = sh->env->type(sh->env->ctx, (u32)id, rest_of(sh->text));
	if (err) {
		shell_fail(sh, err, sh->arg[1], err == -ENOSPC ? "it does not read what is typed" :
								 "it has just ended");
		return;
	}
	sh->leave = true;
}

void shell_save(struct shell *sh)
{
	int id = named_guest(sh);
	char what[80] = "";
	int err;

	if (id < 0)
		return;
	err = sh->env->save(sh->env->ctx, (u32)id, what, sizeof(what));
	if (err)
		shell_fail(sh, err, sh->arg[1], what);
	else
		shell_print(sh, "# vm%u is kept in memory, %s", (u32)id, what);
}

static bool nothing_kept(struct shell *sh)
{
	if (sh->env->can_restore(sh->env->ctx))
		return false;
	shell_fail(sh, -ENOENT, NULL, "no guest was saved");
	return true;
}

void shell_send(struct shell *sh)
{
	char what[80];
	int err;

	if (nothing_kept(sh))
		return;
	err = sh->env->send(sh->env->ctx, what, sizeof(what));
	if (err)
		shell_fail(sh, err, NULL, what);
	else
		shell_print(sh, "# sent %s", what);
}

void shell_restore(struct shell *sh)
{
	if (!shell_refuse_inside(sh) && !nothing_kept(sh))
		sh->env->restore(sh->env->ctx);
}
