// SPDX-License-Identifier: MIT
#include "tools/nestbed/cmds.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nestbed/files.h"
#include "tools/nestbed/outdir.h"

static void report_help(FILE *f)
{
	fputs("usage: nestbed report DIR...\n"
	      "\n"
	      "Makes the report files of each DIR again from its serial.log (and from what\n"
	      "report.json says about the run itself).  Several DIRs give a table.\n"
	      "\n"
	      "Exit code: that of the worst run.\n", f);
}

/* What an earlier report.json knows; otherwise the directory's name. */
static void load_facts(const char *dir, struct run_facts *f)
{
	char *path = xasprintf("%s/report.json", dir);
	struct mapped map;
	char *text;

	*f = (struct run_facts){ 0 };
	if (!map_file(path, &map)) {
		text = xstrndup(map.data, map.len);
		if (facts_from_json(f, text))
			fprintf(stderr, "nestbed: %s is damaged and was not used\n", path);
		free(text);
		unmap_file(&map);
	}
	if (!f->machine) {
		char *abs = absolute_path(dir);

		f->machine = xstrdup(abs ? strrchr(abs, '/') + 1 : dir);
		free(abs);
	}
	free(path);
}

static int load_log(const char *dir, struct run_model *m)
{
	char *path = xasprintf("%s/serial.log", dir);
	struct serial_parser *p = xcalloc(1, sizeof(*p));
	struct mapped map;
	int err = map_file(path, &map);

	if (err) {
		fprintf(stderr, "nestbed: %s: %s\n", path, strerror(-err));
	} else {
		serial_init(p, model_event, m);
		serial_feed(p, map.data, map.len);
		serial_finish(p);
	}
	unmap_file(&map);
	free(p);
	free(path);
	return err;
}

static void report_one(const char *dir, struct run_row *row, bool summary)
{
	struct run_model m;
	struct run_facts f;
	int err;

	model_init(&m);
	load_facts(dir, &f);
	err = load_log(dir, &m);
	model_judge(&m, err ? "there is no serial.log" : f.stopped);
	if (!err && outdir_write(dir, &m, &f))
		m.verdict = VERDICT_INCOMPLETE;
	if (summary)
		outdir_summary(dir, &m, &f);
	row_fill(row, dir, &m, &f);
	facts_free(&f);
	model_free(&m);
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct strbuf table = { 0 };
	struct run_row *row;
	enum verdict worst;
	size_t n;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return EXIT_USAGE;
		report_help(stdout);
		return 0;
	}
	if (optind == argc) {
		report_help(stderr);
		return EXIT_USAGE;
	}
	n = (size_t)(argc - optind);
	row = xcalloc(n, sizeof(*row));
	for (size_t i = 0; i < n; i++)
		report_one(argv[optind + (int)i], &row[i], n == 1);
	worst = rows_worst(row, n);
	if (n > 1) {
		report_table(row, n, &table);
		printf("%snestbed: %s\n", sb_str(&table), verdict_name(worst));
		sb_free(&table);
	}
	for (size_t i = 0; i < n; i++)
		row_free(&row[i]);
	free(row);
	return (int)worst;
}
