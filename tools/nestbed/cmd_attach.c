// SPDX-License-Identifier: MIT
#include "tools/nestbed/cmds.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/nestbed/capture.h"
#include "tools/nestbed/files.h"
#include "tools/nestbed/line.h"
#include "tools/nestbed/outdir.h"

#define LOG_BYTES_MAX	(1ULL << 30)

struct attach_options {
	const char *target;
	const char *name;
	const char *out;
	u64 speed;
	double timeout;
	double silence;
	struct typing_options typing;
	bool quiet;
	bool verbose;
};

static void attach_help(FILE *f)
{
	fputs("usage: nestbed attach TTY|unix:PATH|tcp:HOST:PORT|FILE|- [options]\n"
	      "\n"
	      "Follows the serial line of a machine that runs nestbed, until its end line, and\n"
	      "leaves a report.  Attach first, then start the machine.  A FILE is a log that\n"
	      "was recorded by something else.\n"
	      "\n"
	      "  --speed BPS        of a TTY (default 115200), 8N1\n"
	      "  --name NAME        of the machine, for the report (default: from the target)\n"
	      "  --timeout S        stop after S seconds (default: never)\n"
	      "  --silence S        once begun, no output for S seconds is a hang (default 120,\n"
	      "                     0: never)\n"
	      "  --out DIR          where the report goes (default out/NAME in the build\n"
	      "                     directory)\n"
	      "  --quiet            no progress\n"
	      "  --verbose          the serial text instead of progress\n"
	      "  --interactive, --send, --input   as for nestbed run\n"
	      "\n"
	      "Exit code: 0 passed, 1 something failed, 2 incomplete, 64 usage.\n", f);
}

/* 0, or -EINVAL after a message. */
static int take_option(struct attach_options *o, int c, const char *arg)
{
	switch (c) {
	case 's':
		return arg_count("speed", arg, 1, 4000000, &o->speed);
	case 'n':
		o->name = arg;
		return 0;
	case 't':
		return arg_seconds("timeout", arg, &o->timeout);
	case 'i':
		return arg_seconds("silence", arg, &o->silence);
	case 'o':
		o->out = arg;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case 'I':
		o->typing.interactive = true;
		return 0;
	case 'f':
		o->typing.input = arg;
		return 0;
	case 'S':
		return talk_add(&o->typing.talk, arg);
	}
	return -EINVAL;
}

/* 0; 1 when help was asked for; -EINVAL after a message. */
static int parse_options(int argc, char **argv, struct attach_options *o)
{
	static const struct option options[] = {
		{ "speed", required_argument, NULL, 's' },
		{ "name", required_argument, NULL, 'n' },
		{ "timeout", required_argument, NULL, 't' },
		{ "silence", required_argument, NULL, 'i' },
		{ "out", required_argument, NULL, 'o' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "interactive", no_argument, NULL, 'I' },
		{ "input", required_argument, NULL, 'f' },
		{ "send", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct attach_options){ .speed = 115200, .silence = -1 };
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (take_option(o, c, optarg))
			return -EINVAL;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "nestbed: attach: name one line to attach to\n");
		return -EINVAL;
	}
	o->target = argv[optind];
	if (o->silence < 0)
		o->silence = o->typing.interactive ? 0 : 120;
	return typing_check(&o->typing, 1);
}

/* Writing the log must not destroy the log that is read. */
static bool same_file(int fd, const char *dir)
{
	char *path = xasprintf("%s/serial.log", dir);
	struct stat a, b;
	bool same = !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino;

	if (same)
		fprintf(stderr, "nestbed: %s is where the log would go; use: nestbed report %s\n",
			path, dir);
	free(path);
	return same;
}

/* What would be typed at a recorded log would change it. */
static bool typed_at_log(const struct attach_options *o, bool file)
{
	bool bad = file && typing_wanted(&o->typing);

	if (bad)
		fprintf(stderr, "nestbed: %s: nobody reads what is typed at a recorded log\n",
			o->target);
	return bad;
}

/* From the first byte to the report; a file is read to its end. */
static enum verdict follow(struct attach_options *o, int fd, bool file, int log_fd,
			   const char *dir)
{
	struct run_model m;
	struct run_facts f = {
		.machine = o->name ? xstrdup(o->name) : line_name(o->target),
		.source = xstrdup(o->target),
		.started = file ? NULL : utc_now(),
	};
	struct progress progress;
	struct typing typing;
	bool typed = typing_wanted(&o->typing), person = o->typing.interactive;
	struct capture c = {
		.fd = fd, .log_fd = log_fd, .dir = dir, .m = &m, .progress = &progress,
		.limits = { .total = o->timeout, .silence = file ? 0 : o->silence,
			    .after_end = file || person ? 0 : 1, .log_bytes = LOG_BYTES_MAX },
		.typing = typed ? &typing : NULL,
	};
	double start = now_seconds();
	enum verdict verdict;

	model_init(&m);
	progress_init(&progress, f.machine, o->quiet || person, o->verbose && !person);
	if (typed && typing_start(&typing, &o->typing))
		f.stopped = xstrdup("there was nothing to type from");
	else
		f.stopped = capture_run(&c);
	if (typed)
		typing_end(&typing);
	f.seconds = file ? 0 : now_seconds() - start;
	model_judge(&m, f.stopped);
	if (outdir_write(dir, &m, &f))
		m.verdict = VERDICT_INCOMPLETE;
	outdir_summary(dir, &m, &f);
	verdict = m.verdict;
	model_free(&m);
	facts_free(&f);
	return verdict;
}

int cmd_attach(int argc, char **argv)
{
	struct attach_options o;
	enum verdict verdict = VERDICT_INCOMPLETE;
	char *base, *name, *dir;
	int fd, log_fd;
	bool file;
	int err = parse_options(argc, argv, &o);

	if (err > 0) {
		attach_help(stdout);
		return 0;
	}
	if (err) {
		fprintf(stderr, "Try: nestbed attach --help\n");
		return EXIT_USAGE;
	}
	base = outdir_base();
	name = line_name(o.name ? o.name : o.target);
	dir = o.out ? xstrdup(o.out) : xasprintf("%s/%s", base, name);
	capture_catch_signals();
	fd = typing_wanted(&o.typing) ? line_open_duplex(o.target, o.speed, &file) :
					line_open(o.target, o.speed, &file);
	log_fd = fd < 0 || typed_at_log(&o, file) || same_file(fd, dir) ? -1 :
									  outdir_open_log(dir);
	if (log_fd >= 0) {
		verdict = follow(&o, fd, file, log_fd, dir);
		close(log_fd);
	}
	if (fd >= 0)
		close(fd);
	free(dir);
	free(name);
	free(base);
	talk_free(&o.typing.talk);
	return (int)verdict;
}
