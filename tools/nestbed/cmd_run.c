// SPDX-License-Identifier: MIT
#include "tools/nestbed/cmds.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/nestbed/capture.h"
#include "tools/nestbed/files.h"
#include "tools/nestbed/machines.h"
#include "tools/nestbed/media.h"
#include "tools/nestbed/outdir.h"

/* A guest can print for ever: no run needs more than this. */
#define LOG_BYTES_MAX	(256ULL << 20)
#define MACHINES_MAX	16
/* An emulator that has not connected its serial line by now never will. */
#define CONNECT_SECONDS	20

struct run_options {
	const struct machine *machine[MACHINES_MAX];
	size_t nmachines;
	struct media_request media;
	struct guest_arg *guest;
	bool restore;		/* some of them are saved ones */
	char *append;		/* what media.append points to, when it is ours */
	u64 cpus;		/* 0: the machine's default */
	u64 mem_mib;
	bool uefi;
	bool icount;
	double timeout;		/* negative: the machine's default */
	double silence;
	struct typing_options typing;
	const char *out;
	bool quiet;
	bool verbose;
};

enum { OPT_ON = 256, OPT_ISO, OPT_KERNEL, OPT_CPUS, OPT_MEM, OPT_UEFI, OPT_ICOUNT,
       OPT_APPEND, OPT_GUEST, OPT_RESTORE, OPT_TIMEOUT, OPT_SILENCE, OPT_OUT, OPT_QUIET,
       OPT_VERBOSE, OPT_INTERACTIVE, OPT_INPUT, OPT_SEND, OPT_HELP };

static const struct option long_options[] = {
	{ "on", required_argument, NULL, OPT_ON },
	{ "iso", required_argument, NULL, OPT_ISO },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "mem", required_argument, NULL, OPT_MEM },
	{ "uefi", no_argument, NULL, OPT_UEFI },
	{ "icount", no_argument, NULL, OPT_ICOUNT },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "guest", required_argument, NULL, OPT_GUEST },
	{ "restore", required_argument, NULL, OPT_RESTORE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "silence", required_argument, NULL, OPT_SILENCE },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "interactive", no_argument, NULL, OPT_INTERACTIVE },
	{ "input", required_argument, NULL, OPT_INPUT },
	{ "send", required_argument, NULL, OPT_SEND },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void run_help(FILE *f)
{
	fputs("usage: nestbed run --on MACHINE [--on MACHINE ...] [options]\n"
	      "\n"
	      "Boots nestbed on a machine, follows its serial line, leaves a report.\n"
	      "\n"
	      "  --on MACHINE       where to run; several run one after another\n"
	      "  --iso FILE         boot this ISO (default: nestbed.iso beside this program,\n"
	      "                     else build/nestbed.iso)\n"
	      "  --kernel FILE      boot this multiboot ELF instead of an ISO\n"
	      "  --cpus N           processors (default 3 on qemu-svm, else 2, 1 on Bochs)\n"
	      "  --mem SIZE         memory, like 512M or 6G (default 512M)\n"
	      "  --uefi             boot through UEFI firmware\n"
	      "  --icount           QEMU: time counts instructions, so that runs repeat exactly\n"
	      "  --append STR       command line for nestbed, e.g. 'tests=svm.* seed=7'\n"
	      "  --guest SPEC       run a guest: FILE[:key=value,...][ ARGS]; may be repeated\n"
	      "  --restore SPEC     go on with a guest that was saved: FILE[:key=value,...], keys\n"
	      "                     timeout, expect and output; alone, unless --append has mode=\n"
	      "  --timeout S        stop after S seconds (default 300, Bochs 600)\n"
	      "  --silence S        no output for S seconds is a hang (default 120, Bochs 240)\n"
	      "  --out DIR          where the report goes (default out/MACHINE in the build\n"
	      "                     directory; with several machines DIR/MACHINE)\n"
	      "  --quiet            no progress\n"
	      "  --verbose          the serial text instead of progress\n"
	      "  -i, --interactive  this terminal is the serial line; no time limits unless\n"
	      "                     given; Ctrl-A x ends the run\n"
	      "  --send REGEX=TEXT  types TEXT when a line matches; may be repeated, in order;\n"
	      "                     \\n \\r \\t \\\\ \\xNN in TEXT; \\= in REGEX is an equals\n"
	      "                     sign\n"
	      "  --input FILE       types what is in FILE (- is standard input) when the image\n"
	      "                     has begun and all --send are done\n"
	      "\n"
	      "Machines:\n", f);
	machine_list(f);
	fputs("\n"
	      "NESTBED_QEMU and NESTBED_BOCHS in the environment name other emulator programs.\n"
	      "\n"
	      "Exit code: 0 passed, 1 something failed, 2 incomplete (hang, crash, reset,\n"
	      "truncated log, machine not available), 64 usage.\n", f);
}

/* The table is printed when the name is not in it. */
static int add_machine(struct run_options *o, const char *name)
{
	const struct machine *m = machine_find(name);

	if (!m) {
		fprintf(stderr, "nestbed: unknown machine %s; there are:\n", name);
		machine_list(stderr);
		return -EINVAL;
	}
	if (o->nmachines == MACHINES_MAX) {
		fprintf(stderr, "nestbed: too many machines\n");
		return -EINVAL;
	}
	o->machine[o->nmachines++] = m;
	return 0;
}

/* The request keeps a pointer to a list that may move: set it each time. */
static int add_guest(struct run_options *o, const char *text,
		     int (*parse)(const char *text, struct guest_arg *g))
{
	size_t n = o->media.nguests;

	o->guest = xrealloc(o->guest, n + 1, sizeof(*o->guest));
	if (parse(text, &o->guest[n]))
		return -EINVAL;
	o->media.guest = o->guest;
	o->media.nguests++;
	return 0;
}

/* 0, or -EINVAL after a message. */
static int take_option(struct run_options *o, int c, const char *arg)
{
	switch (c) {
	case OPT_ON:
		return add_machine(o, arg);
	case OPT_ISO:
		o->media.iso = arg;
		return 0;
	case OPT_KERNEL:
		o->media.kernel = arg;
		return 0;
	case OPT_CPUS:
		return arg_count("cpus", arg, 1, 288, &o->cpus);
	case OPT_MEM:
		return arg_mem("mem", arg, &o->mem_mib);
	case OPT_UEFI:
		o->uefi = true;
		return 0;
	case OPT_ICOUNT:
		o->icount = true;
		return 0;
	case OPT_APPEND:
		o->media.append = arg;
		return 0;
	case OPT_GUEST:
		return add_guest(o, arg, guest_parse);
	case OPT_RESTORE:
		o->restore = true;
		return add_guest(o, arg, restore_parse);
	case OPT_TIMEOUT:
		return arg_seconds("timeout", arg, &o->timeout);
	case OPT_SILENCE:
		return arg_seconds("silence", arg, &o->silence);
	case OPT_OUT:
		o->out = arg;
		return 0;
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case OPT_VERBOSE:
		o->verbose = true;
		return 0;
	case OPT_INTERACTIVE:
		o->typing.interactive = true;
		return 0;
	case OPT_INPUT:
		o->typing.input = arg;
		return 0;
	case OPT_SEND:
		return talk_add(&o->typing.talk, arg);
	}
	return -EINVAL;
}

/* Is there a word of the command line that begins so? */
static bool has_word(const char *line, const char *start)
{
	const char *at = line;

	while (at && (at = strstr(at, start))) {
		if (at == line || at[-1] == ' ')
			return true;
		at++;
	}
	return false;
}

/* Who goes on with a saved guest does not want all tests first. */
static void only_guests(struct run_options *o)
{
	const char *given = o->media.append;

	if (!o->restore || has_word(given, "mode="))
		return;
	o->append = xasprintf("%s%smode=guests", given ? given : "", given ? " " : "");
	o->media.append = o->append;
}

/* 0; 1 when help was asked for; -EINVAL after a message. */
static int parse_options(int argc, char **argv, struct run_options *o)
{
	int c;

	*o = (struct run_options){ .mem_mib = 512, .timeout = -1, .silence = -1 };
	while ((c = getopt_long(argc, argv, "hi", long_options, NULL)) != -1) {
		if (c == OPT_HELP || c == 'h')
			return 1;
		if (c == 'i')
			c = OPT_INTERACTIVE;
		if (take_option(o, c, optarg))
			return -EINVAL;
	}
	only_guests(o);
	if (optind < argc)
		fprintf(stderr, "nestbed: run: what is %s?\n", argv[optind]);
	else if (!o->nmachines)
		fprintf(stderr, "nestbed: run: --on MACHINE is missing\n");
	else if (o->media.iso && o->media.kernel)
		fprintf(stderr, "nestbed: run: --iso and --kernel exclude each other\n");
	else
		return typing_check(&o->typing, o->nmachines);
	return -EINVAL;
}

/* The machine that is asked for, and why it cannot be had; or NULL. */
static char *machine_refused(const struct machine *m, const struct run_options *o)
{
	const char *why = m->unavailable ? m->unavailable() : NULL;

	if (why)
		return xasprintf("%s is not available: %s", m->name, why);
	if (o->uefi && !m->uefi)
		return xasprintf("%s has no UEFI firmware; leave --uefi out or use qemu-svm",
				 m->name);
	return NULL;
}

/* One machine's run: everything that must be given back at the end. */
struct one_run {
	const struct machine *machine;
	char *dir;
	struct boot_spec spec;
	struct argv argv;
	struct run_facts facts;
	struct run_model model;
	int listener;		/* for a line that is a TCP connection, or -1 */
};

/* Emulators may run in another directory: they get absolute paths. */
static char *absolute_dir(const char *dir)
{
	int err = make_dirs(dir);

	if (!err)
		return absolute_path(dir);
	fprintf(stderr, "nestbed: %s: %s\n", dir, strerror(-err));
	return NULL;
}

/* The other end of a line that is to be a TCP connection. */
static int open_listener(struct one_run *run)
{
	if (!run->spec.input || !run->machine->serial_tcp)
		return 0;
	run->listener = serial_listen(&run->spec.serial_port);
	if (run->listener >= 0)
		return 0;
	fprintf(stderr, "nestbed: no port for the serial line: %s\n", strerror(-run->listener));
	return run->listener;
}

/* Everything that must exist before the emulator starts. */
static int prepare(struct one_run *run, const struct run_options *o)
{
	const struct machine *m = run->machine;
	char *program = machine_program(m);
	char *abs = program ? absolute_dir(run->dir) : NULL;
	int err = -ENOENT;

	if (abs) {
		run->spec.work = xasprintf("%s/work", abs);
		run->spec.cpus = o->cpus ? (unsigned int)o->cpus : m->cpus;
		run->spec.mem_mib = o->mem_mib;
		run->spec.uefi = o->uefi;
		run->spec.icount = o->icount;
		run->spec.input = typing_wanted(&o->typing);
		argv_add(&run->argv, program);
		err = make_dirs(run->spec.work);
		if (!err)
			err = media_prepare(m, &o->media, &run->spec);
		if (!err)
			err = open_listener(run);
		if (!err)
			err = m->prepare(m, &run->spec, &run->argv);
	}
	free(abs);
	free(program);
	return err;
}

/* The launched emulator's line, from its first byte to the end of the run. */
static void converse(struct one_run *run, struct run_options *o, struct capture *c)
{
	struct progress progress;
	struct typing typing;
	bool typed = run->spec.input;

	c->fd = c->child->serial;
	if (run->listener >= 0)
		c->fd = serial_accept(run->listener, c->child, CONNECT_SECONDS);
	run->listener = -1;
	progress_init(&progress, run->machine->name, o->quiet || o->typing.interactive,
		      o->verbose && !o->typing.interactive);
	c->progress = &progress;
	c->typing = typed ? &typing : NULL;
	if (typed && typing_start(&typing, &o->typing)) {
		child_kill(c->child);
		run->facts.stopped = xstrdup("there was nothing to type from");
	} else {
		run->facts.stopped = capture_run(c);
	}
	if (typed)
		typing_end(&typing);
	close(c->fd);
}

/* Somebody who sits there decides when it is enough. */
static double limit(double given, double usual, const struct run_options *o)
{
	return given >= 0 ? given : o->typing.interactive ? 0 : usual;
}

/* Starts the emulator and follows it; the model is filled, not judged. */
static int follow(struct one_run *run, struct run_options *o)
{
	const struct machine *m = run->machine;
	char *output = xasprintf("%s/emulator.log", run->spec.work);
	struct launch l = { .argv = &run->argv, .dir = run->spec.modules_dir, .output = output,
			    .serial = run->listener >= 0 ? SERIAL_NONE :
				      run->spec.input ? SERIAL_BOTH : SERIAL_OUT };
	struct child child;
	struct capture c = {
		.child = &child, .child_name = m->program, .child_output = output,
		.m = &run->model, .dir = run->dir,
		.limits = { .total = limit(o->timeout, m->timeout, o),
			    .silence = limit(o->silence, m->silence, o),
			    .silence_from_start = true,
			    .after_end = limit(-1, 5, o),
			    .log_bytes = LOG_BYTES_MAX },
	};
	double start = now_seconds();
	int err = outdir_open_log(run->dir);

	if (err >= 0) {
		c.log_fd = err;
		run->facts.started = utc_now();
		err = launch(&l, &child);
		if (err)
			fprintf(stderr, "nestbed: %s: %s\n", run->argv.word[0], strerror(-err));
		else
			converse(run, o, &c);
		close(c.log_fd);
	}
	run->facts.seconds = now_seconds() - start;
	free(output);
	return err;
}

static void one_run_free(struct one_run *run)
{
	if (run->listener >= 0)
		close(run->listener);
	free(run->dir);
	boot_spec_free(&run->spec);
	argv_free(&run->argv);
	facts_free(&run->facts);
	model_free(&run->model);
}

/* A run that never was leaves a report too: a reader of it must see why. */
static void refuse(struct one_run *run, const char *why)
{
	int fd = outdir_open_log(run->dir);

	fprintf(stderr, "nestbed: %s\n", why);
	free(run->facts.stopped);
	run->facts.stopped = xstrdup(why);
	if (fd >= 0)
		close(fd);
}

/* Prepares and follows one run; the model is filled, not judged. */
static void attempt(struct one_run *run, struct run_options *o)
{
	char *why = machine_refused(run->machine, o);

	if (!why) {
		int err = prepare(run, o);
		const struct boot_spec *spec = &run->spec;

		run->facts.source = xstrdup(spec->iso ? spec->iso :
					    spec->kernel ? spec->kernel : "");
		run->facts.command = argv_line(&run->argv);
		if (err || follow(run, o))
			why = xasprintf("%s could not be started", run->machine->name);
	}
	if (why)
		refuse(run, why);
	free(why);
}

/* One machine from start to report; the row says what came of it. */
static void run_machine(const struct machine *m, struct run_options *o, const char *dir,
			struct run_row *row)
{
	struct one_run run = { .machine = m, .dir = xstrdup(dir), .listener = -1 };

	model_init(&run.model);
	run.facts.machine = xstrdup(m->name);
	run.facts.about = xstrdup(m->about);
	attempt(&run, o);
	model_judge(&run.model, run.facts.stopped);
	if (outdir_write(dir, &run.model, &run.facts))
		run.model.verdict = VERDICT_INCOMPLETE;
	outdir_summary(dir, &run.model, &run.facts);
	row_fill(row, dir, &run.model, &run.facts);
	one_run_free(&run);
}

/* A page over all machines beside their directories, and the table. */
static void combine(const char *base, struct run_row *row, size_t n)
{
	char *path = xasprintf("%s/index.html", base);
	struct strbuf text = { 0 }, table = { 0 };

	for (size_t i = 0; i < n; i++) {
		/* Links are relative: the directory can be moved. */
		const char *slash = strrchr(row[i].dir, '/');
		char *name = xstrdup(slash ? slash + 1 : row[i].dir);

		free(row[i].dir);
		row[i].dir = name;
	}
	report_index(row, n, &text);
	if (make_dirs(base) || write_file(path, text.s, text.len))
		fprintf(stderr, "nestbed: cannot write %s\n", path);
	report_table(row, n, &table);
	printf("\n%snestbed: %s\n  report: %s\n", sb_str(&table),
	       verdict_name(rows_worst(row, n)), path);
	sb_free(&text);
	sb_free(&table);
	free(path);
}

/* One machine after the other: two at once would disturb their time. */
static enum verdict run_all(struct run_options *o)
{
	char *base = o->out ? xstrdup(o->out) : outdir_base();
	struct run_row row[MACHINES_MAX];
	enum verdict worst;
	size_t n = 0;

	while (n < o->nmachines && !capture_interrupted()) {
		const struct machine *m = o->machine[n];
		char *dir = o->out && o->nmachines == 1 ? xstrdup(o->out) :
			    xasprintf("%s/%s%s", base, m->name, o->uefi ? "-uefi" : "");

		run_machine(m, o, dir, &row[n++]);
		free(dir);
	}
	if (o->nmachines > 1)
		combine(base, row, n);
	/* Machines that were not reached after Ctrl-C have not passed. */
	worst = n < o->nmachines ? VERDICT_INCOMPLETE : rows_worst(row, n);
	while (n)
		row_free(&row[--n]);
	free(base);
	return worst;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	int err = parse_options(argc, argv, &o);
	int code = err ? EXIT_USAGE : 0;

	if (err > 0) {
		run_help(stdout);
		code = 0;
	} else if (err) {
		fprintf(stderr, "Try: nestbed run --help\n");
	} else {
		capture_catch_signals();
		code = (int)run_all(&o);
	}
	for (size_t i = 0; i < o.media.nguests; i++)
		guest_free(&o.guest[i]);
	free(o.guest);
	free(o.append);
	talk_free(&o.typing.talk);
	return code;
}
