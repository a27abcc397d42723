// SPDX-License-Identifier: MIT
#include "tools/nestbed/cmds.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/nestbed/capture.h"
#include "tools/nestbed/files.h"
#include "tools/nestbed/stats_mount.h"
#include "tools/nestbed/stats_screen.h"
#include "tools/nestbed/stats_set.h"
#include "tools/nestbed/stats_write.h"

#define EXIT_DAMAGED	2

struct stats_options {
	const char *target[2];	/* diff takes two */
	int ntargets;
	const char *dir;	/* of the mount */
	struct stats_view view;
	struct stats_filter *filter;
	u64 seq[2];
	size_t nseq;
	u64 depth, speed;
	double timeout;
	bool passive;		/* do not type into the line */
	bool all;
	bool ascii;
	enum stats_prom prom;
	struct top_options top;
	bool batch, once;
	bool foreground;
	bool help;
};

struct stats_command;

/* What a command works on: dumps of a log or of a live line. */
struct stats_input {
	struct stats_set set[2];
	struct stats_live *live;
};

struct stats_command {
	const char *name;
	int (*run)(struct stats_options *o, struct stats_input *in);
	const char *about;
	int targets;		/* at most, apart from the mount's directory */
	bool starts_live;	/* opens the live line, but does not read it yet */
};

/* Writes what is there and says what is wrong with it; the exit code. */
static int finish(const struct stats_options *o, const struct stats_set *s,
		  const struct stats_dump *d)
{
	for (size_t i = 0; i < s->messages.n; i++)
		fprintf(stderr, "nestbed: %s\n", s->messages.text[i]);
	if (s->messages.dropped)
		fprintf(stderr, "nestbed: and %zu messages more\n", s->messages.dropped);
	if (stats_set_whole(s))
		return 0;
	fprintf(stderr, "nestbed: damaged: %llu of %llu dumps, %llu lines or dumps lost; "
			"dump %llu, which is %s, is shown\n", (unsigned long long)s->ndamaged,
		(unsigned long long)(s->ndamaged + s->ngood), (unsigned long long)s->lost,
		(unsigned long long)d->seq, d->damaged ? "damaged itself" : "whole");
	/* Who asks for a whole dump by its number gets what he asks for. */
	return o->nseq && !d->damaged ? 0 : EXIT_DAMAGED;
}

/* The dump that the options ask for, or NULL after a message. */
static struct stats_dump *choose(const struct stats_options *o, const struct stats_set *s)
{
	struct stats_dump *d = o->nseq ? s->found[0] : stats_set_best(s);

	if (d)
		return d;
	for (size_t i = 0; i < s->messages.n; i++)
		fprintf(stderr, "nestbed: %s\n", s->messages.text[i]);
	if (o->nseq)
		fprintf(stderr, "nestbed: %s: there is no dump %llu; %llu dumps came\n",
			o->target[0], (unsigned long long)o->seq[0],
			(unsigned long long)(s->ngood + s->ndamaged));
	else
		fprintf(stderr, "nestbed: %s: no statistics\n", o->target[0]);
	return NULL;
}

/* The commands that turn one dump into text. */
static int write_one(struct stats_options *o, struct stats_input *in,
		     void (*write)(const struct stats_options *o, const struct stats_dump *d,
				   struct strbuf *out))
{
	struct stats_dump *d = choose(o, &in->set[0]);
	struct strbuf out = { 0 };

	if (!d)
		return EXIT_DAMAGED;
	write(o, d, &out);
	fputs(sb_str(&out), stdout);
	sb_free(&out);
	if (fflush(stdout)) {
		perror("nestbed: standard output");
		return EXIT_DAMAGED;
	}
	return finish(o, &in->set[0], d);
}

static void text_show(const struct stats_options *o, const struct stats_dump *d,
		      struct strbuf *out)
{
	stats_show(d, &o->view, out);
}

static int run_show(struct stats_options *o, struct stats_input *in)
{
	return write_one(o, in, text_show);
}

static void text_json(const struct stats_options *o, const struct stats_dump *d,
		      struct strbuf *out)
{
	stats_json(d, &o->view, out);
}

static int run_json(struct stats_options *o, struct stats_input *in)
{
	o->view.zero = true;
	return write_one(o, in, text_json);
}

static void text_prom(const struct stats_options *o, const struct stats_dump *d,
		      struct strbuf *out)
{
	stats_prom(d, &o->view, o->prom, out);
}

static int run_prom(struct stats_options *o, struct stats_input *in)
{
	o->view.zero = true;
	return write_one(o, in, text_prom);
}

static void text_csv(const struct stats_options *o, const struct stats_dump *d,
		     struct strbuf *out)
{
	stats_csv_head(out);
	stats_csv(d, &o->view, out);
}

static int run_csv(struct stats_options *o, struct stats_input *in)
{
	const struct stats_set *s = &in->set[0];
	struct strbuf out = { 0 };

	o->view.zero = true;
	if (!o->all || !s->nlist)
		return write_one(o, in, text_csv);
	stats_csv_head(&out);
	for (size_t i = 0; i < s->nlist; i++) {
		stats_csv(s->list[i], &o->view, &out);
		fputs(sb_str(&out), stdout);
		out.len = 0;
		out.s[0] = '\0';
	}
	sb_free(&out);
	return finish(o, s, s->last);
}

/* Two logs: their last dumps.  One: its first and its last, or those that are asked for. */
static int run_diff(struct stats_options *o, struct stats_input *in)
{
	struct stats_set *s = in->set;
	struct stats_dump *a = s[0].first, *b = s[0].last;
	struct strbuf out = { 0 };
	int code, second;

	if (o->ntargets == 2) {
		a = o->nseq ? s[0].found[0] : stats_set_best(&s[0]);
		b = o->nseq ? s[1].found[o->nseq - 1] : stats_set_best(&s[1]);
	} else if (o->nseq) {
		a = o->nseq == 2 ? s[0].found[0] : s[0].first;
		b = s[0].found[o->nseq - 1];
	}
	if (!a || !b || a == b) {
		fprintf(stderr, "nestbed: %s: there are not two dumps to compare\n", o->target[0]);
		return EXIT_DAMAGED;
	}
	stats_diff(a, b, &o->view, o->all, &out);
	fputs(sb_str(&out), stdout);
	sb_free(&out);
	fflush(stdout);
	code = finish(o, &s[0], a);
	second = o->ntargets == 2 ? finish(o, &s[1], b) : 0;
	return code ? code : second;
}

static int run_top(struct stats_options *o, struct stats_input *in)
{
	struct top_feed f = { in->live, in->set[0].before, NULL };
	bool batch = o->batch || o->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	int code, damage;

	o->top.view = o->view;
	o->top.timeout = o->timeout;
	if (!f.live) {
		f.b = choose(o, &in->set[0]);
		if (!f.b)
			return EXIT_DAMAGED;
	} else if (stats_live_start(f.live) ||
		   (!o->passive && stats_live_repeat(f.live, o->top.interval))) {
		return EXIT_DAMAGED;
	}
	if (o->once)
		o->top.count = 1;
	capture_catch_signals();
	code = batch ? top_batch(&f, &o->top) : top_screen(&f, &o->top);
	damage = f.live ? 0 : finish(o, &in->set[0], f.b);
	return code ? code : damage;
}

static int run_mount(struct stats_options *o, struct stats_input *in)
{
	struct stats_mount m = { .live = in->live, .dir = o->dir, .age = o->top.interval,
				 .foreground = o->foreground };
	int code = 0, err;

	if (!m.live) {
		m.dump = choose(o, &in->set[0]);
		if (!m.dump)
			return EXIT_DAMAGED;
		code = finish(o, &in->set[0], m.dump);
	}
	err = stats_mount_run(&m);
	return err ? err : code;
}

static const struct stats_command commands[] = {
	{ "show", run_show, "a tree for people", 1, false },
	{ "json", run_json, "nested JSON", 1, false },
	{ "prom", run_prom, "OpenMetrics, for Prometheus", 1, false },
	{ "csv", run_csv, "a row for each value", 1, false },
	{ "diff", run_diff, "what changed from one dump to another", 2, false },
	{ "top", run_top, "values and their rates, live", 1, true },
	{ "mount", run_mount, "a file system: directories for sources, files for values", 1, true },
};

static void stats_help(FILE *f)
{
	fputs("usage: nestbed stats COMMAND TARGET [options]\n\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-6s %s\n", commands[i].name, commands[i].about);
	fputs("\n"
	      "TARGET is a serial log or - (standard input), stats.txt, a report's directory, or\n"
	      "a live line: a tty, unix:PATH, tcp:HOST:PORT.  diff takes one or two; mount takes\n"
	      "the directory to mount on behind it.\n"
	      "\n"
	      "  -f, --filter RE    only paths that match the regular expression\n"
	      "  -z, --zero         show, top: values that are 0 too\n"
	      "      --depth N      show: at most N levels\n"
	      "      --buckets      show, top: histograms bucket by bucket\n"
	      "      --ascii        show: no line-drawing characters\n"
	      "      --seq N[,M]    dump N of the log (default: the last one that is whole);\n"
	      "                     diff: from dump N to dump M\n"
	      "  -a, --all          csv: all whole dumps; diff: what did not change too\n"
	      "      --strict       prom: OpenMetrics to the letter (docs/stats-readers.md)\n"
	      "  -i, --interval S   top: between two dumps (default 2); mount: age at which a\n"
	      "                     number is read again\n"
	      "  -b, --batch        top: text instead of a screen\n"
	      "  -1, --once         top: one table\n"
	      "  -n, --count N      top: N tables\n"
	      "  -s, --sort ORDER   top: rate, value or path\n"
	      "  -F, --foreground   mount: stay in the foreground\n"
	      "      --passive      live: do not type into the monitor; wait for the dumps that\n"
	      "                     come by themselves (stats=SECONDS)\n"
	      "      --speed BPS    of a tty (default 115200)\n"
	      "      --timeout S    live: wait for a dump (default 30)\n"
	      "\n"
	      "Exit code: 0, 2 statistics are missing or damaged, 64 usage.\n", f);
}

/* "3", "3,7", and with diff also "3 7": the second word is taken if it is a number. */
static int take_seq(struct stats_options *o, char *arg, char **next)
{
	char *comma = strchr(arg, ',');

	if (comma)
		*comma++ = '\0';
	else if (next && *next && (*next)[strspn(*next, "0123456789")] == '\0' &&
		 !file_exists(*next) && !is_dir(*next))
		comma = *next;
	else
		next = NULL;
	if (o->nseq || arg_count("seq", arg, 0, ~0ULL, &o->seq[o->nseq++]))
		return -EINVAL;
	if (!comma)
		return 0;
	if (next && comma == *next)
		optind++;
	return arg_count("seq", comma, 0, ~0ULL, &o->seq[o->nseq++]);
}

static int take_filter(struct stats_options *o, const char *arg)
{
	char *why;

	stats_filter_free(o->filter);
	o->filter = stats_filter_new(arg, &why);
	o->view.filter = o->filter;
	if (o->filter)
		return 0;
	fprintf(stderr, "nestbed: --filter %s: %s\n", arg, why);
	free(why);
	return -EINVAL;
}

static int take_sort(struct stats_options *o, const char *arg)
{
	o->top.sort = top_sort_from(arg);
	if (o->top.sort < TOP_SORT_NR)
		return 0;
	fprintf(stderr, "nestbed: --sort %s: must be rate, value or path\n", arg);
	return -EINVAL;
}

/* Options without an argument.  False: it is none. */
static bool take_switch(struct stats_options *o, int c)
{
	const struct {
		int c;
		bool *what;
	} rows[] = {
		{ 'z', &o->view.zero }, { 'B', &o->view.buckets }, { 'A', &o->ascii },
		{ 'a', &o->all },	{ 'b', &o->batch },	   { '1', &o->once },
		{ 'F', &o->foreground }, { 'p', &o->passive },	   { 'h', &o->help },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].c == c) {
			*rows[i].what = true;
			return true;
		}
	}
	if (c == 'S')
		o->prom = PROM_STRICT;
	return c == 'S';
}

/* 0, or -EINVAL after a message. */
static int take_option(struct stats_options *o, int c, char *arg, char **next)
{
	if (take_switch(o, c))
		return 0;
	switch (c) {
	case 'f':
		return take_filter(o, arg);
	case 'q':
		return take_seq(o, arg, next);
	case 'd':
		return arg_count("depth", arg, 1, 100, &o->depth);
	case 'i':
		return arg_seconds("interval", arg, &o->top.interval);
	case 'n':
		return arg_count("count", arg, 1, ~0ULL, &o->top.count);
	case 's':
		return take_sort(o, arg);
	case 'P':
		return arg_count("speed", arg, 1, 4000000, &o->speed);
	case 't':
		return arg_seconds("timeout", arg, &o->timeout);
	}
	return -EINVAL;
}

static const struct option options[] = {
	{ "filter", required_argument, NULL, 'f' },
	{ "zero", no_argument, NULL, 'z' },
	{ "depth", required_argument, NULL, 'd' },
	{ "buckets", no_argument, NULL, 'B' },
	{ "ascii", no_argument, NULL, 'A' },
	{ "seq", required_argument, NULL, 'q' },
	{ "all", no_argument, NULL, 'a' },
	{ "strict", no_argument, NULL, 'S' },
	{ "interval", required_argument, NULL, 'i' },
	{ "batch", no_argument, NULL, 'b' },
	{ "once", no_argument, NULL, '1' },
	{ "count", required_argument, NULL, 'n' },
	{ "sort", required_argument, NULL, 's' },
	{ "foreground", no_argument, NULL, 'F' },
	{ "passive", no_argument, NULL, 'p' },
	{ "speed", required_argument, NULL, 'P' },
	{ "timeout", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int take_targets(struct stats_options *o, const struct stats_command *cmd, int n,
			char **arg)
{
	bool mount = cmd->run == run_mount;

	if (n < 1 + mount || n > cmd->targets + mount) {
		fprintf(stderr, "nestbed: stats %s: name %s\n", cmd->name,
			mount ? "a log or line, and a directory to mount on" :
			cmd->targets == 2 ? "one or two logs" : "one log or line");
		return -EINVAL;
	}
	if (mount)
		o->dir = arg[--n];
	o->ntargets = n;
	for (int i = 0; i < n; i++)
		o->target[i] = arg[i];
	return 0;
}

static int parse_options(struct stats_options *o, const struct stats_command *cmd, int argc,
			 char **argv)
{
	int c;

	*o = (struct stats_options){ .speed = 115200, .timeout = 30, .top = { .interval = 2 } };
	while ((c = getopt_long(argc, argv, "f:zai:b1n:s:Fh", options, NULL)) != -1) {
		char **next = cmd->run == run_diff && optind < argc ? &argv[optind] : NULL;

		if (take_option(o, c, optarg, next))
			return -EINVAL;
	}
	if (o->help)
		return 0;
	o->view.depth = (unsigned int)o->depth;
	setlocale(LC_CTYPE, "");
	o->view.utf8 = !o->ascii && !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (o->nseq == 2 && cmd->run != run_diff) {
		fprintf(stderr, "nestbed: stats %s: one dump, please\n", cmd->name);
		return -EINVAL;
	}
	return take_targets(o, cmd, argc - optind, argv + optind);
}

/* All that comes on standard input. */
static void read_all(FILE *f, struct strbuf *b)
{
	char buf[65536];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), f)))
		sb_add(b, buf, n);
}

/* A directory's log; without one the list of the last dump. */
static char *file_of(const char *target)
{
	char *path;

	if (!is_dir(target))
		return xstrdup(target);
	path = xasprintf("%s/serial.log", target);
	if (!file_exists(path)) {
		free(path);
		path = xasprintf("%s/stats.txt", target);
	}
	return path;
}

static int load_file(struct stats_set *s, const char *target)
{
	struct strbuf in = { 0 };
	struct mapped map;
	char *path;
	int err;

	if (!strcmp(target, "-")) {
		read_all(stdin, &in);
		stats_set_load(s, sb_str(&in), in.len);
		sb_free(&in);
		return 0;
	}
	path = file_of(target);
	err = map_file(path, &map);
	if (err)
		fprintf(stderr, "nestbed: %s: %s\n", path, strerror(-err));
	else
		stats_set_load(s, map.data, map.len);
	unmap_file(&map);
	free(path);
	return err;
}

/* One dump of a live line. */
static int load_live(struct stats_set *s, const struct stats_options *o, struct stats_live *l)
{
	struct stats_dump *d;
	u64 count;
	int err = stats_live_start(l);

	if (!err)
		err = stats_live_refresh(l, o->timeout);
	d = stats_live_dump(l, &count, NULL);
	if (d)
		stats_set_add(s, d);
	else if (err)
		fprintf(stderr, "nestbed: %s: no statistics came: %s\n", o->target[0],
			err == -EPROTO ? "the monitor refused" : strerror(-err));
	return d ? 0 : err ? err : -ETIMEDOUT;
}

static int load(const struct stats_command *cmd, struct stats_options *o, struct stats_input *in)
{
	int err = 0;

	for (int i = 0; i < o->ntargets && !err; i++) {
		struct stats_set *s = &in->set[i];

		s->nwant = o->nseq;
		memcpy(s->want, o->seq, sizeof(s->want));
		s->all = o->all && cmd->run == run_csv;
		if (!stats_live_is(o->target[i])) {
			err = load_file(s, o->target[i]);
			continue;
		}
		if (in->live || cmd->run == run_diff) {
			fprintf(stderr, "nestbed: %s: compare recorded dumps\n", o->target[i]);
			return -EINVAL;
		}
		err = stats_live_open(&in->live, o->target[i], o->speed, !o->passive);
		if (!err && !cmd->starts_live)
			err = load_live(s, o, in->live);
	}
	return err;
}

static int run_command(const struct stats_command *cmd, int argc, char **argv)
{
	struct stats_options o;
	struct stats_input in = { .live = NULL };
	int code = EXIT_USAGE;

	if (parse_options(&o, cmd, argc, argv)) {
		fprintf(stderr, "Try: nestbed stats --help\n");
	} else if (o.help) {
		stats_help(stdout);
		code = 0;
	} else if (load(cmd, &o, &in)) {
		code = EXIT_DAMAGED;
	} else {
		code = cmd->run(&o, &in);
	}
	stats_live_close(in.live);
	stats_set_free(&in.set[0]);
	stats_set_free(&in.set[1]);
	stats_filter_free(o.filter);
	return code;
}

int cmd_stats(int argc, char **argv)
{
	if (argc < 2) {
		stats_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		stats_help(stdout);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return run_command(&commands[i], argc - 1, argv + 1);
	}
	fprintf(stderr, "nestbed: stats: unknown command %s\n", argv[1]);
	stats_help(stderr);
	return EXIT_USAGE;
}
