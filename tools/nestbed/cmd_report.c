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
	fputs("usage: nestbed report [--bench FILE] DIR...\n"
	      "\n"
	      "Makes the report files of each DIR again from its serial.log (and from what\n"
	      "report.json says about the run itself).  Several DIRs give a table.\n"
	      "\n"
	      "  --bench FILE       print all measurements as a table, write them to FILE as JSON\n"
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

/* Feeds the recorded log through the same reader as a live one. */
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

/* The measurements of all runs. */
struct benches {
	struct bench_row *row;
	size_t n;
};

static void take_benches(struct benches *all, const struct run_model *m, const struct run_facts *f)
{
	all->row = xrealloc(all->row, all->n + m->nbench, sizeof(*all->row));
	for (size_t i = 0; i < m->nbench; i++) {
		struct bench_row *row = &all->row[all->n++];

		row->machine = xstrdup(facts_machine(f));
		row->bench = m->bench[i];
		row->bench.name = xstrdup(m->bench[i].name);
		row->bench.unit = xstrdup(m->bench[i].unit);
	}
}

static void free_benches(struct benches *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->row[i].machine);
		free(all->row[i].bench.name);
		free(all->row[i].bench.unit);
	}
	free(all->row);
}

/* 0 or -errno, after a message. */
static int write_benches(const char *path, const struct benches *all)
{
	struct strbuf table = { 0 }, json = { 0 };
	int err;

	report_bench_table(all->row, all->n, &table);
	fputs(sb_str(&table), stdout);
	report_bench_json(all->row, all->n, &json);
	err = write_file(path, json.s, json.len);
	if (err)
		fprintf(stderr, "nestbed: %s: %s\n", path, strerror(-err));
	sb_free(&table);
	sb_free(&json);
	return err;
}

/* Judges one directory anew and rewrites its files. */
static void report_one(const char *dir, struct run_row *row, bool summary, struct benches *benches)
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
	take_benches(benches, &m, &f);
	facts_free(&f);
	model_free(&m);
}

static enum verdict report_all(char **dir, size_t n, const char *bench_path)
{
	struct run_row *row = xcalloc(n, sizeof(*row));
	struct benches benches = { 0 };
	struct strbuf table = { 0 };
	enum verdict worst;

	for (size_t i = 0; i < n; i++)
		report_one(dir[i], &row[i], n == 1, &benches);
	worst = rows_worst(row, n);
	if (n > 1) {
		report_table(row, n, &table);
		printf("%snestbed: %s\n", sb_str(&table), verdict_name(worst));
		sb_free(&table);
	}
	if (bench_path && write_benches(bench_path, &benches))
		worst = VERDICT_INCOMPLETE;
	free_benches(&benches);
	for (size_t i = 0; i < n; i++)
		row_free(&row[i]);
	free(row);
	return worst;
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bench", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *bench_path = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			report_help(stdout);
			return 0;
		}
		if (c != 'b')
			return EXIT_USAGE;
		bench_path = optarg;
	}
	if (optind == argc) {
		report_help(stderr);
		return EXIT_USAGE;
	}
	return (int)report_all(argv + optind, (size_t)(argc - optind), bench_path);
}
