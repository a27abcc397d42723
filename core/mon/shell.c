// SPDX-License-Identifier: MIT
#include "core/mon/shell.h"

#include "core/lib/nearest.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"

#define TEXT_MAX	768	/* a line on the wire */

/* What a command's arguments are: for completion. */
enum arg_kind { ARG_NONE, ARG_COMMAND, ARG_PATH, ARG_TEST, ARG_GUEST, ARG_RUNNING };

struct command {
	const char *name;
	const char *usage;
	const char *help;
	void (*fn)(struct shell *sh);
	u8 kind;		/* enum arg_kind */
	u8 min, max;		/* arguments */
};

static const char *error_text(int err)
{
	static const struct {
		int err;
		const char *text;
	} texts[] = {
		{ -ENOENT, "no such file" },	{ -EPERM, "not permitted" },
		{ -EISDIR, "is a directory" },	{ -ENOMEM, "out of memory" },
		{ -ENODEV, "no statistics" },	{ -E2BIG, "path too long" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].err == err)
			return texts[i].text;
	return "failed";
}

void shell_print(struct shell *sh, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	nb_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sh->env->print(sh->env->ctx, text);
}

/* For the person the reason with all it concerns; for the program the first one. */
void shell_fail(struct shell *sh, int err, const char *what, const char *why)
{
	const char *sep = what ? ": " : "";

	if (!what)
		what = "";
	shell_print(sh, "# error: %s: %s%s%s", sh->arg[0], what, sep, why);
	if (sh->err)
		return;
	sh->err = err;
	if (sh->one_path)
		what = sep = "";
	nb_snprintf(sh->why, sizeof(sh->why), "%s%s%s", what, sep, why);
}

void shell_error(struct shell *sh, int err, const char *what)
{
	shell_fail(sh, err, what, error_text(err));
}

/* Items of either kind whose name matches; prints them if asked to. */
u32 shell_items(struct shell *sh, bool (*item)(void *ctx, size_t i, struct mon_item *it),
		const char *glob, bool print)
{
	struct mon_item it;
	u32 n = 0;

	for (size_t i = 0; item(sh->env->ctx, i, &it); i++) {
		if (!glob_match(glob, it.name))
			continue;
		n++;
		if (print && it.note)
			shell_print(sh, "  %-40s %s", it.name, it.note);
		else if (print)
			shell_print(sh, "  %s", it.name);
	}
	return n;
}

bool shell_refuse_inside(struct shell *sh)
{
	if (sh->env->inside)
		shell_fail(sh, -EBUSY, NULL, "a guest is running");
	return sh->env->inside;
}

static void cmd_tests(struct shell *sh)
{
	const char *glob = sh->args > 1 ? sh->arg[1] : "*";
	u32 n = shell_items(sh, sh->env->test, glob, true);

	if (n)
		shell_print(sh, "# %u tests", n);
	else
		shell_fail(sh, -ENOENT, glob, "no such test");
}

struct near_ctx {
	const struct monitor_env *env;
	struct mon_item item;
};

static const char *near_test(void *ctx, size_t i)
{
	struct near_ctx *n = ctx;

	return n->env->test(n->env->ctx, i, &n->item) ? n->item.name : NULL;
}

static void cmd_run(struct shell *sh)
{
	struct near_ctx ctx = { .env = sh->env };
	const char *near;

	if (shell_refuse_inside(sh))
		return;
	/* All names first: a mistyped one runs nothing. */
	for (u32 i = 1; i < sh->args; i++) {
		if (shell_items(sh, sh->env->test, sh->arg[i], false))
			continue;
		shell_fail(sh, -ENOENT, sh->arg[i], "no such test");
		near = str_nearest(sh->arg[i], near_test, &ctx);
		if (near)
			shell_print(sh, "# did you mean %s?", near);
		return;
	}
	for (u32 i = 1; i < sh->args && !sh->err; i++) {
		int err = sh->env->run_tests(sh->env->ctx, sh->arg[i]);

		if (err)
			shell_error(sh, err, sh->arg[i]);
	}
}

static void cmd_stats(struct shell *sh)
{
	int err = sh->env->tree ? sh->env->dump_stats(sh->env->ctx) : -ENODEV;

	if (err)
		shell_error(sh, err, NULL);
}

static void cmd_vm(struct shell *sh)
{
	sh->env->show(sh->env->ctx, MON_SHOW_VM);
}

static void cmd_cpu(struct shell *sh)
{
	sh->env->show(sh->env->ctx, MON_SHOW_CPU);
}

static void cmd_mem(struct shell *sh)
{
	sh->env->show(sh->env->ctx, MON_SHOW_MEM);
}

static void answer(struct shell *sh, const char *line)
{
	char text[TEXT_MAX];

	nb_snprintf(text, sizeof(text), "%s %s%s%s", sh->err ? "error" : "ok", line,
		    sh->err ? ": " : "", sh->err ? sh->why : "");
	sh->env->answer(sh->env->ctx, text);
	sh->answered = true;
}

static void cmd_continue(struct shell *sh)
{
	if (!sh->env->go_on) {
		shell_fail(sh, -EINVAL, NULL, "the run is over");
		return;
	}
	shell_print(sh, "# going on: %s", sh->env->go_on);
	sh->leave = true;
}

/* The answer comes first: there is nobody to give it afterwards. */
static void cmd_reboot(struct shell *sh)
{
	answer(sh, sh->arg[0]);
	sh->env->power(sh->env->ctx, MON_REBOOT);
	sh->leave = true;
}

static void cmd_poweroff(struct shell *sh)
{
	answer(sh, sh->arg[0]);
	sh->env->power(sh->env->ctx, MON_POWEROFF);
	sh->leave = true;
}

static void cmd_help(struct shell *sh);

#define NO_LIMIT	(SHELL_ARGS_MAX - 1)
#define ANY_TEXT	0xff	/* the rest of the line is one argument */

static const struct command commands[] = {
	{ "help", "[COMMAND]", "this list", cmd_help, ARG_COMMAND, 0, 1 },
	{ "ls", "[PATH...]", "statistics: a directory's entries with their modes", shell_ls,
	  ARG_PATH, 0, NO_LIMIT },
	{ "cat", "PATH...", "statistics: values; of a directory, all below it", shell_cat,
	  ARG_PATH, 1, NO_LIMIT },
	{ "clear", "PATH...", "statistics: sets values to 0 (mode -rw-r--r--)", shell_clear,
	  ARG_PATH, 1, NO_LIMIT },
	{ "stats", "", "statistics: all, as a block for programs", cmd_stats, ARG_NONE, 0, 0 },
	{ "tests", "[GLOB]", "lists tests, with the manual's section", cmd_tests, ARG_TEST, 0, 1 },
	{ "run", "GLOB...", "runs tests; the run's own verdict does not change", cmd_run,
	  ARG_TEST, 1, NO_LIMIT },
	{ "guests", "[GLOB]", "lists the guests, or runs those that match", shell_guests,
	  ARG_GUEST, 0, 1 },
	{ "console", "GUEST", "what is typed goes to a running guest, until Ctrl-]",
	  shell_console, ARG_RUNNING, 1, 1 },
	{ "type", "GUEST [TEXT]", "sends a line to a running guest and goes on", shell_type,
	  ARG_RUNNING, 1, ANY_TEXT },
	{ "save", "GUEST", "keeps a copy of a running guest in memory", shell_save,
	  ARG_RUNNING, 1, 1 },
	{ "send", "", "sends the copy that was kept over the serial line", shell_send,
	  ARG_NONE, 0, 0 },
	{ "restore", "", "runs the copy that was kept, as a new guest", shell_restore,
	  ARG_NONE, 0, 0 },
	{ "vm", "", "virtualization, vCPUs", cmd_vm, ARG_NONE, 0, 0 },
	{ "cpu", "", "processors and their interrupts", cmd_cpu, ARG_NONE, 0, 0 },
	{ "mem", "", "memory map and page allocator", cmd_mem, ARG_NONE, 0, 0 },
	{ "continue", "", "leaves the monitor, goes on with the run", cmd_continue,
	  ARG_NONE, 0, 0 },
	{ "reboot", "", "ends the run, restarts the machine", cmd_reboot, ARG_NONE, 0, 0 },
	{ "poweroff", "", "ends the run, switches the machine off", cmd_poweroff, ARG_NONE, 0, 0 },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static const char *command_name(void *ctx, size_t i)
{
	return i < ARRAY_SIZE(commands) ? commands[i].name : NULL;
}

static void help_line(struct shell *sh, const struct command *c)
{
	char text[40];

	nb_snprintf(text, sizeof(text), "%s %s", c->name, c->usage);
	shell_print(sh, "  %-18s %s", text, c->help);
}

static void cmd_help(struct shell *sh)
{
	const struct command *c = sh->args > 1 ? find_command(sh->arg[1]) : NULL;

	if (sh->args > 1 && !c) {
		shell_fail(sh, -ENOENT, sh->arg[1], "no such command");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!c || c == &commands[i])
			help_line(sh, &commands[i]);
	if (!c) {
		shell_print(sh, "  Paths may hold * and ?; \\x20 is a blank.  The tabulator key");
		shell_print(sh, "  completes, the arrow keys recall earlier lines.");
	}
}

/* False: too many words. */
static bool split(struct shell *sh, const char *line)
{
	char *p = sh->line;

	str_copy(sh->line, line, sizeof(sh->line));
	sh->args = 0;
	for (;;) {
		while (*p == ' ')
			*p++ = '\0';
		if (!*p)
			return true;
		if (sh->args == SHELL_ARGS_MAX)
			return false;
		sh->arg[sh->args++] = p;
		while (*p && *p != ' ')
			p++;
	}
}

static void dispatch(struct shell *sh, bool fits)
{
	const struct command *c = find_command(sh->arg[0]);
	const char *near;

	if (!c) {
		shell_fail(sh, -ENOENT, NULL, "no such command");
		near = str_nearest(sh->arg[0], command_name, NULL);
		shell_print(sh, "# %s%s%s", near ? "did you mean " : "\"help\" lists them",
			    near ? near : "", near ? "?" : "");
	} else if (c->max != ANY_TEXT && (!fits || sh->args - 1 > c->max)) {
		shell_fail(sh, -EINVAL, NULL, "too many arguments");
	} else if (sh->args - 1 < c->min) {
		shell_fail(sh, -EINVAL, NULL, "needs an argument");
		help_line(sh, c);
	} else {
		c->fn(sh);
	}
}

bool shell_exec(struct shell *sh, const char *line)
{
	char trimmed[SHELL_LINE_MAX];
	size_t n;
	bool fits;

	while (*line == ' ')
		line++;
	str_copy(trimmed, line, sizeof(trimmed));
	for (n = strlen(trimmed); n && trimmed[n - 1] == ' '; n--)
		trimmed[n - 1] = '\0';
	fits = split(sh, trimmed);
	sh->err = 0;
	sh->text = trimmed;
	sh->one_path = sh->args == 2;
	sh->leave = sh->answered = false;
	if (!sh->args)
		return false;
	dispatch(sh, fits);
	if (!sh->answered)
		answer(sh, trimmed);
	sh->text = NULL;
	return sh->leave;
}

struct found_ctx {
	const char *word;
	size_t len;
	void (*found)(void *ctx, const char *text, char end);
	void *ctx;
};

static void found_word(struct found_ctx *f, const char *name)
{
	if (!strncmp(name, f->word, f->len))
		f->found(f->ctx, name, ' ');
}

static void found_path(void *ctx, const char *name, bool dir)
{
	struct found_ctx *f = ctx;

	f->found(f->ctx, name, dir ? '/' : ' ');
}

static void complete_items(struct shell *sh, bool (*item)(void *ctx, size_t i,
							   struct mon_item *it),
			   struct found_ctx *f)
{
	struct mon_item it;

	for (size_t i = 0; item(sh->env->ctx, i, &it); i++)
		found_word(f, it.name);
}

static void complete_running(struct shell *sh, struct found_ctx *f)
{
	struct mon_running r;

	for (size_t i = 0; sh->env->running(sh->env->ctx, i, &r); i++)
		found_word(f, r.name);
}

static u32 complete_path(struct shell *sh, struct found_ctx *f, u32 start)
{
	const char *slash = strrchr(f->word, '/');

	sh->walk.tree = sh->env->tree;
	if (!sh->env->tree || mon_candidates(&sh->walk, f->word, found_path, f))
		return start;
	return slash ? start + (u32)(slash + 1 - f->word) : start;
}

static u32 complete_as(struct shell *sh, struct found_ctx *f, u8 kind, u32 start)
{
	if (kind == ARG_COMMAND)
		for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
			found_word(f, commands[i].name);
	else if (kind == ARG_PATH)
		return complete_path(sh, f, start);
	else if (kind == ARG_TEST)
		complete_items(sh, sh->env->test, f);
	else if (kind == ARG_GUEST)
		complete_items(sh, sh->env->guest, f);
	else if (kind == ARG_RUNNING)
		complete_running(sh, f);
	return start;
}

u32 shell_candidates(struct shell *sh, const char *line, u32 pos,
		     void (*found)(void *ctx, const char *text, char end), void *ctx)
{
	struct found_ctx f = { .found = found, .ctx = ctx };
	const struct command *c;
	u32 start, first = 0;

	/* Free between commands. */
	str_copy(sh->line, line, MIN((size_t)pos + 1, sizeof(sh->line)));
	start = (u32)strlen(sh->line);
	while (start && sh->line[start - 1] != ' ')
		start--;
	while (sh->line[first] == ' ')
		first++;
	f.word = sh->line + start;
	f.len = strlen(f.word);
	if (first < start)
		*strchr(sh->line + first, ' ') = '\0';
	c = first < start ? find_command(sh->line + first) : NULL;
	return complete_as(sh, &f, first >= start ? ARG_COMMAND : c ? c->kind : ARG_NONE, start);
}

void shell_init(struct shell *sh, const struct monitor_env *env)
{
	memset(sh, 0, sizeof(*sh));
	sh->env = env;
}
