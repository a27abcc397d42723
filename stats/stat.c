/* SPDX-License-Identifier: MIT */
#include "stats/stat.h"

#include "core/lib/string.h"
#include "stats/statsfs_path.h"

struct stats_fs *stat_fs;

/* The subordinate of that name, made if need be. */
static int child_of(struct stats_fs *fs, struct stats_fs_source *parent, const char *path,
		    const char *name, struct stats_fs_source **out)
{
	struct stats_fs_node node;
	int err = stats_fs_source_create(fs, out, 0, "%s", name);

	if (err)
		return err;
	err = stats_fs_source_add_subordinate(parent, *out);
	if (!err)
		return 0;
	stats_fs_source_put(*out);
	*out = NULL;
	if (err != -EEXIST)
		return err;
	/* Was there: by its path, whose end at a slash means the source. */
	err = stats_fs_lookup(fs, path, &node);
	if (!err)
		*out = node.src;
	return err;
}

int stat_source(struct stats_fs *fs, const char *path, struct stats_fs_source **out)
{
	struct stats_fs_source *at;
	char name[STATS_FS_NAME_MAX + 1], so_far[256];
	size_t end = 0;
	int err = 0;

	*out = NULL;
	if (!fs)
		return -ENODEV;
	if (path[0] != '/' || strlen(path) + 2 > sizeof(so_far))
		return -EINVAL;
	at = fs->root;
	stats_fs_source_get(at);
	while (!err && path[end] && path[end + 1]) {
		size_t start = end + 1;
		struct stats_fs_source *next;

		for (end = start; path[end] && path[end] != '/'; end++)
			;
		if (end - start > STATS_FS_NAME_MAX) {
			err = -EINVAL;
			break;
		}
		memcpy(name, path + start, end - start);
		name[end - start] = 0;
		memcpy(so_far, path, end);
		so_far[end] = '/';
		so_far[end + 1] = 0;
		err = child_of(fs, at, so_far, name, &next);
		stats_fs_source_put(at);
		at = next;
	}
	if (err)
		stats_fs_source_put(at);
	else
		*out = at;
	return err;
}

int stat_register_table(struct stats_fs *fs, const struct stat_rec *from,
			const struct stat_rec *to)
{
	int err = 0;

	for (; from < to; from++) {
		struct stats_fs_source *src;
		int e = stat_source(fs, from->dir, &src);

		if (!e) {
			e = stats_fs_source_add_values(src, from->value, from->base, 0);
			stats_fs_source_put(src);
		}
		err = err ? err : e;
	}
	return err;
}
