// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A source without values is an empty directory, not nothing. */
static bool is_both(const struct stats_node *n)
{
	return n->has_value && n->child;
}

/* A name has no such byte: nothing else can be called so. */
#define RARE_TAIL	"\u00b7d"

/* What the directory of a node is called: its name, with a tail if a file has that name. */
static void dir_name(const struct stats_dump *d, const struct stats_node *n, char *buf,
		     size_t size)
{
	snprintf(buf, size, "%s%s", n->name, is_both(n) ? ".d" : "");
	if (is_both(n) && stats_child(d, &d->node[n->parent], buf))
		snprintf(buf, size, "%s" RARE_TAIL, n->name);
}

/* The directory that is called name, without the node of that very name. */
static const struct stats_node *find_alias(const struct stats_dump *d,
					   const struct stats_node *dir, const char *name)
{
	static const char *const tails[] = { ".d", RARE_TAIL };
	char base[STATS_FILE_NAME_MAX + 1], alias[STATS_FILE_NAME_MAX + 1];
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		size_t len = strlen(tails[i]);
		const struct stats_node *c;

		if (n <= len || strcmp(name + n - len, tails[i]))
			continue;
		snprintf(base, sizeof(base), "%.*s", (int)(n - len), name);
		c = stats_child(d, dir, base);
		if (!c || !is_both(c))
			continue;
		dir_name(d, c, alias, sizeof(alias));
		if (!strcmp(alias, name))
			return c;
	}
	return NULL;
}

static bool find_in(const struct stats_dump *d, const struct stats_node *dir, const char *name,
		    struct stats_file *f)
{
	f->node = stats_child(d, dir, name);
	if (f->node) {
		f->dir = !f->node->has_value;
		return true;
	}
	f->node = find_alias(d, dir, name);
	f->dir = true;
	return f->node;
}

int stats_file_find(const struct stats_dump *d, const char *path, struct stats_file *f)
{
	char name[STATS_FILE_NAME_MAX + 1];

	*f = (struct stats_file){ d->node, true };
	for (;;) {
		size_t n;

		path += strspn(path, "/");
		if (!*path)
			return 0;
		if (!f->dir)
			return -ENOTDIR;
		n = strcspn(path, "/");
		if (n >= sizeof(name))
			return -ENOENT;
		memcpy(name, path, n);
		name[n] = '\0';
		path += n;
		if (!find_in(d, f->node, name, f))
			return -ENOENT;
	}
}

unsigned int stats_file_mode(const struct stats_file *f)
{
	if (f->dir)
		return S_IFDIR | (f->node->depth ? 0755 : 0700);
	return S_IFREG | stats_value_mode(&f->node->value);
}

size_t stats_file_text(const struct stats_file *f, char *buf, size_t size)
{
	size_t n;

	stats_value_text(&f->node->value, buf, size - 1);
	n = strlen(buf);
	buf[n++] = '\n';
	buf[n] = '\0';
	return n;
}

/* As the kernel reads a number from a file: any base, blanks around it. */
static bool is_zero(const char *data, size_t n)
{
	char text[32], *end;
	unsigned long long v;

	if (!n || n >= sizeof(text) || memchr(data, '\0', n))
		return false;
	memcpy(text, data, n);
	text[n] = '\0';
	if (strchr(text, '-'))
		return false;
	errno = 0;
	v = strtoull(text, &end, 0);
	return end != text && !errno && !v && !end[strspn(end, " \t\n")];
}

int stats_file_write(const struct stats_file *f, const char *data, size_t n)
{
	if (f->dir)
		return -EISDIR;
	if (stats_value_mode(&f->node->value) != 0644)
		return -EPERM;
	return is_zero(data, n) ? 0 : -EINVAL;
}

void stats_file_list(const struct stats_dump *d, const struct stats_file *dir,
		     void (*entry)(void *ctx, const char *name, const struct stats_file *f),
		     void *ctx)
{
	char name[STATS_FILE_NAME_MAX + 1];
	const struct stats_node *n;

	for (n = stats_first(d, dir->node); n; n = stats_next(d, n)) {
		if (n->has_value)
			entry(ctx, n->name, &(struct stats_file){ n, false });
		if (n->has_value && !n->child)
			continue;
		dir_name(d, n, name, sizeof(name));
		entry(ctx, name, &(struct stats_file){ n, true });
	}
}
