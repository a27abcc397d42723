// SPDX-License-Identifier: MIT
#include "tools/nestbed/media.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/vm/container.h"
#include "tools/nestbed/files.h"

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_.+-";

/* "key=value,key=value" as far as s reaches? */
static bool looks_like_options(const char *s, size_t n)
{
	size_t key = strspn(s, "abcdefghijklmnopqrstuvwxyz_");

	return key && key < n && s[key] == '=';
}

void guest_split(const char *text, size_t *file_len, size_t *opts_len)
{
	size_t word = strcspn(text, " ");
	size_t at = word;

	*file_len = word;
	*opts_len = 0;
	while (at && text[at - 1] != ':')
		at--;
	if (at && looks_like_options(text + at, word - at)) {
		*file_len = at - 1;
		*opts_len = word - *file_len;
	}
}

int guest_parse(const char *text, struct guest_arg *g)
{
	size_t file_len, opts_len;
	const char *args, *base;
	char *file, *name;

	guest_split(text, &file_len, &opts_len);
	file = xstrndup(text, file_len);
	*g = (struct guest_arg){ .path = absolute_path(file) };
	if (!g->path || !file_exists(g->path)) {
		fprintf(stderr, "nestbed: guest %s: no such file\n", file);
		free(g->path);
		free(file);
		return -ENOENT;
	}
	base = strrchr(file, '/');
	name = xstrdup(base ? base + 1 : file);
	for (char *p = name; *p; p++) {
		if (!strchr(name_chars, *p))
			*p = '_';
	}
	g->name = xasprintf("%s%.*s", name, (int)opts_len, text + file_len);
	args = text + file_len + opts_len;
	args += strspn(args, " ");
	g->args = *args ? xstrdup(args) : NULL;
	free(name);
	free(file);
	return 0;
}

/* NULL, or why the file is no saved guest; the image looks at all of it. */
static const char *container_refused(const char *path)
{
	struct save_header h;
	struct mapped map;
	const char *why = NULL;
	int err = map_file(path, &map);

	if (err)
		return strerror(-err);
	if (map.len < sizeof(h)) {
		why = "not a saved guest";
	} else {
		memcpy(&h, map.data, sizeof(h));
		err = save_header_check(&h);
		if (err)
			why = err == -EPROTO ? "saved by another version of nestbed" :
					       "not a saved guest";
		else if (h.size > map.len)
			why = "cut off";
	}
	unmap_file(&map);
	return why;
}

/* "x.save:timeout=9" becomes "x:timeout=9". */
static void drop_suffix(char *name)
{
	static const char suffix[] = ".save";
	size_t word = strcspn(name, ":"), n = sizeof(suffix) - 1;

	if (word > n && !memcmp(name + word - n, suffix, n))
		memmove(name + word - n, name + word, strlen(name + word) + 1);
}

int restore_parse(const char *text, struct guest_arg *g)
{
	const char *why;
	int err = guest_parse(text, g);

	if (err)
		return err;
	why = g->args ? "a saved guest takes no arguments" : container_refused(g->path);
	if (!why) {
		drop_suffix(g->name);
		return 0;
	}
	fprintf(stderr, "nestbed: --restore %s: %s\n", text, why);
	guest_free(g);
	return -EINVAL;
}

void guest_free(struct guest_arg *g)
{
	free(g->path);
	free(g->name);
	free(g->args);
}

void boot_spec_free(struct boot_spec *spec)
{
	free(spec->work);
	free(spec->iso);
	free(spec->kernel);
	free(spec->append);
	free(spec->initrd);
	free(spec->modules_dir);
}

/* Each word in single quotes, as GRUB's shell wants it. */
static void add_quoted_words(struct strbuf *out, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, " \t\r\n");

		if (n)
			sb_puts(out, " '");
		for (size_t i = 0; i < n; i++) {
			if (s[i] == '\'')
				sb_puts(out, "'\\''");
			else
				sb_add(out, s + i, 1);
		}
		if (n)
			sb_puts(out, "'");
		s += n;
		s += strspn(s, " \t\r\n");
	}
}

void media_grub_cfg(const struct media_request *req, bool uefi, struct strbuf *out)
{
	/* As in boot/grub.cfg: multiboot 2 for UEFI, 1 for a BIOS. */
	const char *v = uefi ? "2" : "";

	sb_puts(out, "if serial --unit=0 --speed=115200; then\n"
		     "\tterminal_output console serial\nfi\n");
	if (uefi)
		sb_puts(out, "insmod all_video\n");
	sb_puts(out, "set timeout=0\nmenuentry run {\n");
	sb_printf(out, "\tmultiboot%s /boot/nestbed.elf", v);
	if (req->append)
		add_quoted_words(out, req->append);
	sb_puts(out, "\n");
	for (size_t i = 0; i < req->nguests; i++) {
		sb_printf(out, "\tmodule%s /boot/module%zu", v, i);
		add_quoted_words(out, req->guest[i].name);
		if (req->guest[i].args)
			add_quoted_words(out, req->guest[i].args);
		sb_puts(out, "\n");
	}
	sb_puts(out, "}\n");
}

/* Runs a helper program to its end; its output is kept in a file of work. */
static int run_helper(const char *what, const struct argv *argv, const char *work)
{
	char *output = xasprintf("%s/%s.log", work, what);
	struct launch l = { .argv = argv, .output = output };
	struct child c;
	bool killed = false;
	int status = 0;
	int err = launch(&l, &c);

	if (!err) {
		status = child_wait(&c, 120, &killed);
		err = status ? -EIO : 0;
	}
	if (err) {
		struct mapped m;

		fprintf(stderr, "nestbed: %s failed%s\n", what,
			killed ? ": it did not end" : "");
		if (!map_file(output, &m)) {
			fwrite(m.data, 1, m.len, stderr);
			unmap_file(&m);
		}
	}
	free(output);
	return err;
}

/* The image out of an ISO, for another ISO around it. */
static int extract_kernel(const char *iso, struct boot_spec *spec)
{
	char *program = find_program("xorriso");
	struct argv argv = { 0 };
	int err;

	if (!program) {
		fprintf(stderr, "nestbed: xorriso is not installed; install package xorriso\n");
		return -ENOENT;
	}
	spec->kernel = xasprintf("%s/nestbed.elf", spec->work);
	unlink(spec->kernel);
	argv_add(&argv, program);
	argv_add(&argv, "-osirrox");
	argv_add(&argv, "on");
	argv_add(&argv, "-indev");
	argv_add(&argv, iso);
	argv_add(&argv, "-extract");
	argv_add(&argv, "/boot/nestbed.elf");
	argv_add(&argv, spec->kernel);
	err = run_helper("xorriso", &argv, spec->work);
	argv_free(&argv);
	free(program);
	return err;
}

/* An ISO of this run's own around spec->kernel. */
static int make_iso(const struct media_request *req, struct boot_spec *spec)
{
	char *dir = program_dir();
	char *cfg = xasprintf("%s/grub.cfg", spec->work);
	struct strbuf text = { 0 };
	struct argv argv = { 0 };
	int err;

	media_grub_cfg(req, spec->uefi, &text);
	err = write_file(cfg, text.s, text.len);
	sb_free(&text);
	spec->iso = xasprintf("%s/run.iso", spec->work);
	argv_add(&argv, "/bin/sh");
	argv_addf(&argv, "%s/mkiso.sh", dir);
	argv_add(&argv, spec->kernel);
	argv_add(&argv, cfg);
	argv_add(&argv, spec->iso);
	for (size_t i = 0; i < req->nguests; i++)
		argv_addf(&argv, "%s=module%zu", req->guest[i].path, i);
	if (!err)
		err = run_helper("mkiso", &argv, spec->work);
	argv_free(&argv);
	free(cfg);
	free(dir);
	return err;
}

/*
 * QEMU names a module by the path it opens, so each guest gets a link whose
 * name is what its command line is to begin with.
 */
static int link_modules(const struct media_request *req, struct boot_spec *spec)
{
	struct strbuf list = { 0 };
	int err;

	spec->modules_dir = xasprintf("%s/modules", spec->work);
	err = make_dirs(spec->modules_dir);
	for (size_t i = 0; !err && i < req->nguests; i++) {
		const struct guest_arg *g = &req->guest[i];
		char *path = xasprintf("%s/%s", spec->modules_dir, g->name);
		char *item = xasprintf("%s%s%s", g->name, g->args ? " " : "",
				       g->args ? g->args : "");

		unlink(path);
		if (symlink(g->path, path))
			err = -errno;
		if (i)
			sb_puts(&list, ",");
		for (const char *p = item; *p; p++)
			sb_add(&list, *p == ',' ? ",," : p, *p == ',' ? 2 : 1);
		free(item);
		free(path);
	}
	if (err)
		fprintf(stderr, "nestbed: %s: %s\n", spec->modules_dir, strerror(-err));
	spec->initrd = list.s;
	return err;
}

/* The ISO to boot when none is named: beside this program, else ./build. */
static char *default_iso(void)
{
	char *dir = program_dir();
	char *iso = xasprintf("%s/nestbed.iso", dir);
	char *found = absolute_path(iso);

	if (!found)
		found = absolute_path("build/nestbed.iso");
	if (!found)
		fprintf(stderr, "nestbed: no image: neither %s nor build/nestbed.iso exists; "
				"build it or give --iso or --kernel\n", iso);
	free(iso);
	free(dir);
	return found;
}

/* The absolute path; NULL after a message. */
static char *named_file(const char *path)
{
	char *full = absolute_path(path);

	if (full && file_exists(full))
		return full;
	fprintf(stderr, "nestbed: %s: no such file\n", path);
	free(full);
	return NULL;
}

/* An ISO as it is, or its image in an ISO of this run's own. */
static int prepare_iso(const struct media_request *req, struct boot_spec *spec)
{
	char *iso = req->iso ? named_file(req->iso) : default_iso();
	int err;

	if (!iso)
		return -ENOENT;
	if (!req->append && !req->nguests) {
		spec->iso = iso;
		return 0;
	}
	err = extract_kernel(iso, spec);
	if (!err)
		err = make_iso(req, spec);
	free(iso);
	return err;
}

int media_prepare(const struct machine *m, const struct media_request *req,
		  struct boot_spec *spec)
{
	if (!req->kernel)
		return prepare_iso(req, spec);
	spec->kernel = named_file(req->kernel);
	if (!spec->kernel)
		return -ENOENT;
	/* UEFI firmware cannot start a multiboot image either. */
	if (!m->kernel || spec->uefi)
		return make_iso(req, spec);
	if (req->append)
		spec->append = xstrdup(req->append);
	return req->nguests ? link_modules(req, spec) : 0;
}
