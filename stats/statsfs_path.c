/* SPDX-License-Identifier: MIT */
#include "stats/statsfs_path.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "stats/statsfs_int.h"

static bool same_dir(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Groups and labels never go while their source is held. */
static struct stats_fs_group *next_visible(struct stats_fs_group *g)
{
	while (g && g->flags & STATS_FS_HIDDEN)
		g = SFS_LOAD(g->next);
	return g;
}

#define FOR_EACH_VISIBLE(g, src)					\
	for (g = next_visible(SFS_LOAD((src)->groups)); g;		\
	     g = next_visible(SFS_LOAD((g)->next)))

static bool find_value(struct stats_fs_node *n, const char *dir, const char *name)
{
	struct stats_fs_group *g;

	FOR_EACH_VISIBLE(g, n->src) {
		if (!same_dir(g->dir, dir))
			continue;
		for (u32 i = 0; i < g->count; i++) {
			if (strcmp(g->array[i].name, name))
				continue;
			n->group = g;
			n->val = &g->array[i];
			n->kind = n->val->hist ? STATS_FS_HIST_DIR : STATS_FS_VALUE;
			return true;
		}
	}
	return false;
}

static bool find_child(struct stats_fs_node *n, const char *name)
{
	struct stats_fs_source *c;
	u32 section = stats_fs_enter(n->src->fs);

	for (c = SFS_LOAD(n->src->child); c; c = SFS_LOAD(c->next))
		if (!(c->flags & STATS_FS_HIDDEN) && !strcmp(c->name, name))
			break;
	if (c && !stats_fs_tryget(c))
		c = NULL;
	stats_fs_leave(n->src->fs, section);
	if (!c)
		return false;
	stats_fs_source_put(n->src);
	n->src = c;
	return true;
}

static bool find_dir(struct stats_fs_node *n, const char *name)
{
	struct stats_fs_group *g;

	FOR_EACH_VISIBLE(g, n->src) {
		if (g->dir && !strcmp(g->dir, name)) {
			n->dir = g->dir;
			return true;
		}
	}
	return false;
}

static const char *const hist_file[] = { "count", "p50", "p90", "p99" };
#define HIST_FILES	ARRAY_SIZE(hist_file)
STATIC_ASSERT(STATS_FS_HIST_P99 - STATS_FS_HIST_COUNT == 3, "order of hist_file");

static bool find_in_hist(struct stats_fs_node *n, const char *name)
{
	u64 low;

	for (u32 i = 0; i < HIST_FILES; i++) {
		if (!strcmp(name, hist_file[i])) {
			n->kind = (u8)(STATS_FS_HIST_COUNT + i);
			return true;
		}
	}
	if (strncmp(name, "ge_", 3) || parse_u64(name + 3, &low))
		return false;
	for (u32 i = 0; i < n->val->hist->buckets; i++) {
		if (stats_fs_hist_low(n->val->hist, i) == low) {
			n->kind = STATS_FS_HIST_BUCKET;
			n->bucket = i;
			return true;
		}
	}
	return false;
}

/* One component; last: nothing follows, not even a slash. */
static bool step(struct stats_fs_node *n, const char *name, bool last)
{
	if (n->kind == STATS_FS_HIST_DIR)
		return find_in_hist(n, name);
	if (n->kind != STATS_FS_DIR)
		return false;
	if (last && find_value(n, n->dir, name))
		return true;
	if (!n->dir && (find_child(n, name) || find_dir(n, name)))
		return true;
	/* Only a histogram goes on below a value. */
	return !last && find_value(n, n->dir, name) && n->kind == STATS_FS_HIST_DIR;
}

int stats_fs_lookup(struct stats_fs *fs, const char *path, struct stats_fs_node *node)
{
	char name[STATS_FS_NAME_MAX + 1];

	*node = (struct stats_fs_node){ .kind = STATS_FS_DIR };
	if (!fs)
		return -ENODEV;
	if (path[0] != '/')
		return -EINVAL;
	node->src = fs->root;
	stats_fs_source_get(node->src);
	for (;;) {
		size_t len = 0;

		while (*path == '/')
			path++;
		if (!*path)
			return 0;
		while (path[len] && path[len] != '/' && len <= STATS_FS_NAME_MAX)
			len++;
		if (len > STATS_FS_NAME_MAX) {
			stats_fs_node_put(node);
			return -EINVAL;
		}
		memcpy(name, path, len);
		name[len] = 0;
		path += len;
		if (!step(node, name, !*path)) {
			stats_fs_node_put(node);
			return -ENOENT;
		}
	}
}

void stats_fs_node_put(struct stats_fs_node *node)
{
	stats_fs_source_put(node->src);
	node->src = NULL;
}

u32 stats_fs_node_mode(const struct stats_fs_node *node)
{
	switch (node->kind) {
	case STATS_FS_DIR:
	case STATS_FS_HIST_DIR:
		return 0755;
	/* Clearing the count clears all of the histogram. */
	case STATS_FS_VALUE:
	case STATS_FS_HIST_COUNT:
		return stats_fs_value_mode(node->val);
	default:
		return 0444;
	}
}

int stats_fs_node_read(const struct stats_fs_node *node, struct stats_fs_reading *r)
{
	static const u8 percent[] = { 50, 90, 99 };
	u64 bucket[STATS_FS_BUCKETS_MAX];
	u32 section;

	*r = (struct stats_fs_reading){ 0 };
	if (node->kind == STATS_FS_DIR || node->kind == STATS_FS_HIST_DIR)
		return -EINVAL;
	section = stats_fs_enter(node->src->fs);
	stats_fs_read_group(node->src, node->group, node->val, r,
			    node->val->hist ? bucket : NULL);
	stats_fs_leave(node->src->fs, section);
	if (node->kind == STATS_FS_HIST_BUCKET)
		r->value = bucket[node->bucket];
	else if (node->kind >= STATS_FS_HIST_P50 && node->kind <= STATS_FS_HIST_P99)
		r->value = stats_fs_hist_percentile(node->val->hist, bucket,
						    percent[node->kind - STATS_FS_HIST_P50]);
	return 0;
}

int stats_fs_node_text(const struct stats_fs_node *node, char *buf, size_t size)
{
	struct stats_fs_reading r;
	int err = stats_fs_node_read(node, &r);
	u64 v = r.members ? r.value : 0;

	if (err)
		return err;
	if (node->kind == STATS_FS_VALUE && node->val->show)
		err = nb_snprintf(buf, size, "%s\n", node->val->show(v));
	else if (r.sign)
		err = nb_snprintf(buf, size, "%lld\n", (long long)v);
	else
		err = nb_snprintf(buf, size, "%llu\n", (unsigned long long)v);
	return err;
}

int stats_fs_node_write(const struct stats_fs_node *node, u64 v)
{
	if (node->kind == STATS_FS_DIR || node->kind == STATS_FS_HIST_DIR)
		return -EINVAL;
	if (stats_fs_node_mode(node) != 0644)
		return -EPERM;
	return v ? -EINVAL : stats_fs_clear_group(node->src, node->group, node->val);
}

int stats_fs_read_path(struct stats_fs *fs, const char *path, char *buf, size_t size)
{
	struct stats_fs_node node;
	int ret = stats_fs_lookup(fs, path, &node);

	if (ret)
		return ret;
	ret = stats_fs_node_text(&node, buf, size);
	stats_fs_node_put(&node);
	return ret;
}

int stats_fs_write_path(struct stats_fs *fs, const char *path, u64 v)
{
	struct stats_fs_node node;
	int ret = stats_fs_lookup(fs, path, &node);

	if (ret)
		return ret;
	ret = stats_fs_node_write(&node, v);
	stats_fs_node_put(&node);
	return ret;
}

static int hist_entry(const struct stats_fs_node *node, u32 index, struct stats_fs_entry *e)
{
	e->mode = index ? 0444 : stats_fs_value_mode(node->val);
	if (index < HIST_FILES) {
		str_copy(e->name, hist_file[index], sizeof(e->name));
		return 0;
	}
	index -= HIST_FILES;
	if (index >= node->val->hist->buckets)
		return -ENOENT;
	nb_snprintf(e->name, sizeof(e->name), "ge_%llu",
		    (unsigned long long)stats_fs_hist_low(node->val->hist, index));
	return 0;
}

/* Was the directory of g named by a group before it? */
static bool dir_repeats(const struct stats_fs_node *node, const struct stats_fs_group *g)
{
	struct stats_fs_group *i;

	FOR_EACH_VISIBLE(i, node->src) {
		if (i == g)
			return false;
		if (i->dir && !strcmp(i->dir, g->dir))
			return true;
	}
	return false;
}

static bool value_entry(const struct stats_fs_node *node, u32 *index, struct stats_fs_entry *e)
{
	struct stats_fs_group *g;

	FOR_EACH_VISIBLE(g, node->src) {
		if (!same_dir(g->dir, node->dir))
			continue;
		if (*index >= g->count) {
			*index -= g->count;
			continue;
		}
		str_copy(e->name, g->array[*index].name, sizeof(e->name));
		e->mode = g->array[*index].hist ? 0755 : stats_fs_value_mode(&g->array[*index]);
		return true;
	}
	return false;
}

int stats_fs_node_entry(const struct stats_fs_node *node, u32 index, struct stats_fs_entry *e)
{
	struct stats_fs_group *g;
	struct stats_fs_source *c;
	u32 section;
	int err = -ENOENT;

	if (node->kind == STATS_FS_HIST_DIR)
		return hist_entry(node, index, e);
	if (node->kind != STATS_FS_DIR)
		return -EINVAL;
	if (value_entry(node, &index, e))
		return 0;
	if (node->dir)
		return -ENOENT;
	e->mode = 0755;
	FOR_EACH_VISIBLE(g, node->src) {
		if (g->dir && !dir_repeats(node, g) && !index--) {
			str_copy(e->name, g->dir, sizeof(e->name));
			return 0;
		}
	}
	section = stats_fs_enter(node->src->fs);
	for (c = SFS_LOAD(node->src->child); c && err; c = SFS_LOAD(c->next)) {
		if (c->flags & STATS_FS_HIDDEN || index--)
			continue;
		str_copy(e->name, c->name, sizeof(e->name));
		err = 0;
	}
	stats_fs_leave(node->src->fs, section);
	return err;
}

struct stats_fs_source *stats_fs_next_child(struct stats_fs_source *parent,
					    struct stats_fs_source *prev)
{
	u32 section = stats_fs_enter(parent->fs);
	struct stats_fs_source *c;

	if (prev && SFS_LOAD(prev->parent) == parent) {
		c = SFS_LOAD(prev->next);
	} else {
		c = SFS_LOAD(parent->child);
		while (prev && c && stats_fs_name_cmp(c->name, prev->name) <= 0)
			c = SFS_LOAD(c->next);
	}
	while (c && (c->flags & STATS_FS_HIDDEN || !stats_fs_tryget(c)))
		c = SFS_LOAD(c->next);
	stats_fs_leave(parent->fs, section);
	return c;
}

const char *stats_fs_source_get_label(struct stats_fs_source *src, const char *key)
{
	struct stats_fs_label *l;

	for (l = SFS_LOAD(src->labels); l; l = l->next)
		if (!strcmp(l->text, key))
			return l->text + strlen(l->text) + 1;
	return NULL;
}
