/* SPDX-License-Identifier: MIT */
/* What the monitor works on in its tests: a small tree, tests, guests, a record. */
#ifndef TESTS_UNIT_MON_BOX_H
#define TESTS_UNIT_MON_BOX_H

#include <stdio.h>
#include <string.h>

#include "core/mon/shell.h"

struct box_file {
	const char *path;	/* of a directory: ends in a slash */
	u32 mode;
	char value[16];
};

/* In the order of the listing: a directory before what is in it. */
static const struct box_file box_files[] = {
	{ "/", 0755, "" },
	{ "/kvm/", 0755, "" },
	{ "/kvm/exits", 0644, "1234" },
	{ "/kvm/guests", 0444, "2" },
	{ "/kvm/a b", 0644, "5" },
	{ "/kvm/x*", 0644, "6" },
	{ "/kvm/xy", 0644, "7" },
	{ "/kvm/exits/", 0755, "" },
	{ "/kvm/exits/cpuid", 0644, "1000" },
	{ "/kvm/exits/hlt", 0644, "234" },
	{ "/kvm/vm0/", 0755, "" },
	{ "/kvm/vm0/exits", 0644, "34" },
	{ "/kvm/vm1/", 0755, "" },
	{ "/kvm/vm1/exits", 0644, "1200" },
	{ "/kvm/hist/", 0755, "" },
	{ "/kvm/hist/count", 0644, "0" },
	{ "/kvm/hist/ge_1", 0444 | MON_QUIET, "0" },
	{ "/kvm/hist/ge_2", 0444 | MON_QUIET, "3" },
	{ "/mm/", 0755, "" },
	{ "/mm/free", 0444, "99" },
};

struct mon_box {
	struct box_file file[ARRAY_SIZE(box_files)];
	char out[16384];	/* print and answer lines ("@" in front), each with '\n' */
	char ran[256];		/* globs of run_tests and run_guests, "show N", "power N" */
	int run_error;
	int save_error, send_error;
	bool kept;
	int type_error;
	struct mon_tree tree;
	struct monitor_env env;
};

static inline struct box_file *box_find(struct mon_box *b, const char *path, bool dir)
{
	char want[MON_PATH_MAX + 1];

	snprintf(want, sizeof(want), "%s%s", path,
		 dir && path[strlen(path) - 1] != '/' ? "/" : "");
	for (size_t i = 0; i < ARRAY_SIZE(b->file); i++)
		if (!strcmp(b->file[i].path, want))
			return &b->file[i];
	return NULL;
}

static inline int box_stat(void *ctx, const char *path, u32 *mode)
{
	struct box_file *f = box_find(ctx, path, false);

	if (!f)
		f = box_find(ctx, path, true);
	if (!f)
		return -ENOENT;
	*mode = f->mode;
	return 0;
}

static inline int box_entry(void *ctx, const char *path, u32 index, struct mon_entry *e)
{
	struct mon_box *b = ctx;
	struct box_file *dir = box_find(b, path, true);
	size_t n = dir ? strlen(dir->path) : 0;

	for (size_t i = 0; dir && i < ARRAY_SIZE(b->file); i++) {
		const char *p = b->file[i].path;
		size_t len;

		if (strncmp(p, dir->path, n) || !p[n])
			continue;
		len = strcspn(p + n, "/");
		if (p[n + len] == '/' && p[n + len + 1])
			continue;
		if (index--)
			continue;
		snprintf(e->name, sizeof(e->name), "%.*s", (int)len, p + n);
		e->mode = b->file[i].mode;
		return 0;
	}
	return -ENOENT;
}

static inline int box_read(void *ctx, const char *path, char *buf, size_t size)
{
	struct box_file *f = box_find(ctx, path, false);

	if (!f)
		return -ENOENT;
	snprintf(buf, size, "%s", f->value);
	return 0;
}

static inline int box_clear(void *ctx, const char *path)
{
	struct box_file *f = box_find(ctx, path, false);

	if (!f || !(f->mode & 0200))
		return f ? -EPERM : -ENOENT;
	strcpy(f->value, "0");
	return 0;
}

static inline void box_add(char *buf, size_t size, const char *lead, const char *text)
{
	size_t n = strlen(buf);

	if (n + strlen(lead) + strlen(text) + 2 < size)
		snprintf(buf + n, size - n, "%s%s\n", lead, text);
}

static inline void box_print(void *ctx, const char *line)
{
	struct mon_box *b = ctx;

	box_add(b->out, sizeof(b->out), "", line);
}

static inline void box_answer(void *ctx, const char *text)
{
	struct mon_box *b = ctx;

	box_add(b->out, sizeof(b->out), "@", text);
}

static inline bool box_test(void *ctx, size_t i, struct mon_item *item)
{
	static const struct mon_item items[] = {
		{ "common.cpuid_exit", "APM2 15.9" }, { "common.hlt", NULL },
		{ "svm.vmrun", "APM2 15.5" },
	};

	if (i < ARRAY_SIZE(items))
		*item = items[i];
	return i < ARRAY_SIZE(items);
}

static inline bool box_guest(void *ctx, size_t i, struct mon_item *item)
{
	*item = (struct mon_item){ "linux", NULL };
	return i < 1;
}

static inline int box_run(void *ctx, const char *glob)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "run ", glob);
	return b->run_error;
}

static inline bool box_running(void *ctx, size_t i, struct mon_running *r)
{
	static const struct mon_running running[] = {
		{ "linux", 0, 0, 0 }, { "xen", 3, 17, 2 },
	};

	if (i < ARRAY_SIZE(running))
		*r = running[i];
	return i < ARRAY_SIZE(running);
}

static inline int box_find_running(void *ctx, const char *who)
{
	return !strcmp(who, "linux") ? 0 : !strcmp(who, "3") ? 3 : -ENOENT;
}

static inline int box_attach(void *ctx, u32 vm_id)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "attach ", vm_id == 3 ? "3" : "0");
	return b->type_error;
}

static inline int box_type(void *ctx, u32 vm_id, const char *text)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), vm_id == 3 ? "type 3 " : "type 0 ", text);
	return b->type_error;
}

static inline int box_save(void *ctx, u32 vm_id, char *what, size_t size)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "save ", vm_id == 3 ? "3" : "0");
	snprintf(what, size, "%s", b->save_error ? "it does not stop" : "4711 bytes");
	b->kept |= !b->save_error;
	return b->save_error;
}

static inline int box_send(void *ctx, char *what, size_t size)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "send", "");
	snprintf(what, size, "%s", b->send_error ? "stopped behind line 5" :
						   "xen, 4711 bytes in 9 lines");
	return b->send_error;
}

static inline bool box_can_restore(void *ctx)
{
	return ((struct mon_box *)ctx)->kept;
}

static inline void box_restore(void *ctx)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "restore", "");
}

static inline int box_dump(void *ctx)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "dump", "");
	return 0;
}

static inline void box_show(void *ctx, enum mon_show what)
{
	static const char *const name[] = { "vm", "cpu", "mem" };
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "show ", name[what]);
}

static inline void box_power(void *ctx, enum mon_power what)
{
	struct mon_box *b = ctx;

	box_add(b->ran, sizeof(b->ran), "power ", what == MON_REBOOT ? "reboot" : "off");
}

static inline void box_init(struct mon_box *b)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->file, box_files, sizeof(box_files));
	b->tree = (struct mon_tree){ box_stat, box_entry, box_read, box_clear, b };
	b->env = (struct monitor_env){
		.tree = &b->tree, .print = box_print, .answer = box_answer, .test = box_test,
		.guest = box_guest, .run_tests = box_run, .run_guests = box_run,
		.running = box_running, .find_running = box_find_running,
		.attach = box_attach, .type = box_type,
		.save = box_save, .send = box_send,
		.can_restore = box_can_restore, .restore = box_restore,
		.dump_stats = box_dump, .show = box_show, .power = box_power, .ctx = b,
		.go_on = "the run",
	};
}

#endif
