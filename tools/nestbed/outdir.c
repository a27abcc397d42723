// SPDX-License-Identifier: MIT
#include "tools/nestbed/outdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nestbed/files.h"

char *outdir_base(void)
{
	char *dir = program_dir();
	char *elf = xasprintf("%s/nestbed.elf", dir);
	char *iso = xasprintf("%s/nestbed.iso", dir);
	/* Installed elsewhere, the program's own directory is not ours to fill. */
	bool build_dir = file_exists(elf) || file_exists(iso);
	char *base = build_dir ? xasprintf("%s/out", dir) : xstrdup("build/out");

	free(iso);
	free(elf);
	free(dir);
	return base;
}

int outdir_open_log(const char *dir)
{
	char *path = xasprintf("%s/serial.log", dir);
	int fd = make_dirs(dir);

	if (!fd) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0)
			fd = -errno;
	}
	if (fd < 0)
		fprintf(stderr, "nestbed: %s: %s\n", path, strerror(-fd));
	free(path);
	return fd;
}

int outdir_write(const char *dir, const struct run_model *m, const struct run_facts *f)
{
	/* report.json last: who waits for it finds the others complete. */
	static const struct {
		const char *name;
		void (*write)(const struct report *r, struct strbuf *out);
	} files[] = {
		{ "ktap.log", report_ktap },   { "stats.txt", report_stats },
		{ "junit.xml", report_junit }, { "index.html", report_html },
		{ "report.json", report_json },
	};
	char *log = xasprintf("%s/serial.log", dir);
	struct report r = { .m = m, .f = f };
	struct mapped map;
	int err = map_file(log, &map);

	if (err)
		fprintf(stderr, "nestbed: %s: %s\n", log, strerror(-err));
	r.log = map.data;
	r.log_len = map.len;
	for (size_t i = 0; !err && i < ARRAY_SIZE(files); i++) {
		char *path = xasprintf("%s/%s", dir, files[i].name);
		struct strbuf text = { 0 };

		files[i].write(&r, &text);
		err = write_file(path, sb_str(&text), text.len);
		if (err)
			fprintf(stderr, "nestbed: %s: %s\n", path, strerror(-err));
		sb_free(&text);
		free(path);
	}
	unmap_file(&map);
	free(log);
	return err;
}

void outdir_summary(const char *dir, const struct run_model *m, const struct run_facts *f)
{
	struct report r = { .m = m, .f = f, .log = "" };
	struct strbuf text = { 0 };

	report_summary(&r, dir, &text);
	fputs(sb_str(&text), stdout);
	fflush(stdout);
	sb_free(&text);
}

void row_fill(struct run_row *row, const char *dir, const struct run_model *m,
	      const struct run_facts *f)
{
	*row = (struct run_row){
		.dir = xstrdup(dir),
		.machine = xstrdup(facts_machine(f)),
		.problem = m->problems.n ? xstrdup(m->problems.text[0]) : NULL,
		.verdict = m->verdict,
		.seconds = f->seconds,
	};
	memcpy(row->count, m->count, sizeof(row->count));
}

void row_free(struct run_row *row)
{
	free(row->dir);
	free(row->machine);
	free(row->problem);
}

enum verdict rows_worst(const struct run_row *row, size_t n)
{
	enum verdict worst = VERDICT_PASS;

	for (size_t i = 0; i < n; i++)
		worst = MAX(worst, row[i].verdict);
	return worst;
}
