/* SPDX-License-Identifier: MIT */
#include "stats/stat_fmt.h"

#include "core/lib/crc32.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "stats/statsfs_int.h"
#include "stats/statsfs_path.h"

#define PATH_MAX_LEN	512

struct dump {
	const struct stat_out *out;
	struct stat_dump_totals *totals;
	size_t len;			/* of path; PATH_MAX_LEN: does not fit */
	char path[PATH_MAX_LEN];
	char line[STAT_LINE_MAX];
};

/* "/name"; a blank would end the path, a backslash starts an escape. */
static void path_push(struct dump *d, const char *name)
{
	size_t len = d->len;

	if (len >= PATH_MAX_LEN)
		return;
	d->path[len++] = '/';
	for (; *name && len < PATH_MAX_LEN - 1; name++) {
		if (*name == ' ' || *name == '\\')
			str_append(d->path, sizeof(d->path), &len, "\\x%02x", (u8)*name);
		else
			d->path[len++] = *name;
	}
	d->path[len] = 0;
	d->len = len == PATH_MAX_LEN - 1 ? PATH_MAX_LEN : len;
}

static void path_pop(struct dump *d, size_t len)
{
	d->len = len;
	if (len < PATH_MAX_LEN)
		d->path[len] = 0;
}

static void emit_stat(struct dump *d, const char *number, const char *unit, const char *kind)
{
	static const char prefix[] = "@nestbed ";
	u32 crc = d->totals->crc;
	int n;

	if (d->len >= PATH_MAX_LEN) {
		d->totals->skipped++;
		return;
	}
	n = nb_snprintf(d->line, sizeof(d->line), "stat %s %s %s %s", d->path, number, unit, kind);
	d->out->line(d->out->ctx, d->line);
	crc = crc32_update(crc, prefix, sizeof(prefix) - 1);
	crc = crc32_update(crc, d->line, (size_t)n);
	d->totals->crc = crc32_update(crc, "\n", 1);
	d->totals->lines++;
}

static void emit_u64(struct dump *d, const char *name, u64 v, const char *unit, const char *kind)
{
	size_t len = d->len;
	char number[24];

	nb_snprintf(number, sizeof(number), "%llu", (unsigned long long)v);
	path_push(d, name);
	emit_stat(d, number, unit, kind);
	path_pop(d, len);
}

static const char *unit_of(const struct stats_fs_value *val)
{
	return val->unit ? val->unit : "count";
}

static void dump_hist(struct dump *d, struct stats_fs_source *src, const struct stats_fs_value *val)
{
	const struct stats_fs_hist *h = val->hist;
	u64 bucket[STATS_FS_BUCKETS_MAX], total = 0;
	char name[32];

	if (stats_fs_source_get_hist(src, val, bucket))
		return;
	for (u32 i = 0; i < h->buckets; i++)
		total += bucket[i];
	emit_u64(d, "count", total, "count", "hist");
	emit_u64(d, "p50", stats_fs_hist_percentile(h, bucket, 50), unit_of(val), "p50");
	emit_u64(d, "p90", stats_fs_hist_percentile(h, bucket, 90), unit_of(val), "p90");
	emit_u64(d, "p99", stats_fs_hist_percentile(h, bucket, 99), unit_of(val), "p99");
	for (u32 i = 0; i < h->buckets; i++) {
		if (!bucket[i])
			continue;
		nb_snprintf(name, sizeof(name), "ge_%llu",
			    (unsigned long long)stats_fs_hist_low(h, i));
		emit_u64(d, name, bucket[i], "count", "bucket");
	}
}

static void dump_number(struct dump *d, struct stats_fs_source *src, struct stats_fs_group *g,
			const struct stats_fs_value *val)
{
	struct stats_fs_reading r;
	char number[24], kind[48];
	u32 section = stats_fs_enter(src->fs);

	stats_fs_read_group(src, g, val, &r, NULL);
	stats_fs_leave(src->fs, section);
	if (!r.members)
		r.value = 0;
	nb_snprintf(number, sizeof(number), r.sign ? "%lld" : "%llu", (unsigned long long)r.value);
	nb_snprintf(kind, sizeof(kind), "%s%s%s", stats_fs_aggr_name(val->aggr_kind),
		    val->value_flag & STATS_FS_FLOATING_VALUE ? ",instant" : "",
		    r.members ? "" : r.revoked ? ",revoked" : ",empty");
	emit_stat(d, number, unit_of(val), kind);
}

static void dump_group(struct dump *d, struct stats_fs_source *src, struct stats_fs_group *g)
{
	size_t len = d->len;

	if (g->dir)
		path_push(d, g->dir);
	for (u32 i = 0; i < g->count; i++) {
		size_t below = d->len;

		path_push(d, g->array[i].name);
		if (g->array[i].hist)
			dump_hist(d, src, &g->array[i]);
		else
			dump_number(d, src, g, &g->array[i]);
		path_pop(d, below);
	}
	path_pop(d, len);
}

/* "label /kvm/vm0 guest="linux"": newest first, an older one of the key not again. */
static void dump_labels(struct dump *d, struct stats_fs_source *src)
{
	struct stats_fs_label *l = SFS_LOAD(src->labels);
	size_t len = 0;

	if (!l || d->len >= PATH_MAX_LEN)
		return;
	str_append(d->line, sizeof(d->line), &len, "label %s", d->path);
	for (; l; l = l->next) {
		const char *value = l->text + strlen(l->text) + 1;

		if (stats_fs_source_get_label(src, l->text) != value ||
		    len + 4 * STATS_FS_NAME_MAX > sizeof(d->line))
			continue;
		str_append(d->line, sizeof(d->line), &len, " %s=\"", l->text);
		for (; *value; value++) {
			bool plain = *value >= ' ' && *value <= '~' && *value != '"' &&
				     *value != '\\';

			str_append(d->line, sizeof(d->line), &len, plain ? "%c" : "\\x%02x",
				   (u8)*value);
		}
		str_append(d->line, sizeof(d->line), &len, "\"");
	}
	d->out->line(d->out->ctx, d->line);
}

static void dump_source(struct dump *d, struct stats_fs_source *src)
{
	struct stats_fs_group *g;

	dump_labels(d, src);
	for (g = SFS_LOAD(src->groups); g; g = SFS_LOAD(g->next))
		if (!(g->flags & STATS_FS_HIDDEN))
			dump_group(d, src, g);
}

static void dump_tree(struct dump *d, struct stats_fs_source *root)
{
	struct stats_fs_source *at[STATS_FS_DEPTH_MAX + 1] = { root }, *prev = NULL, *next;
	u16 len[STATS_FS_DEPTH_MAX + 1] = { 0 };
	u32 depth = 0;

	stats_fs_source_get(root);
	dump_source(d, root);
	for (;;) {
		next = stats_fs_next_child(at[depth], prev);
		stats_fs_source_put(prev);
		prev = NULL;
		if (next) {
			len[depth] = (u16)d->len;
			path_push(d, next->name);
			dump_source(d, next);
			if (depth < STATS_FS_DEPTH_MAX) {
				at[++depth] = next;
				continue;
			}
			prev = next;
			path_pop(d, len[depth]);
			continue;
		}
		if (!depth)
			break;
		prev = at[depth--];
		path_pop(d, len[depth]);
	}
	stats_fs_source_put(root);
}

void stat_dump(struct stats_fs *fs, u64 seq, u64 us, const struct stat_out *out,
	       struct stat_dump_totals *totals)
{
	struct dump d = { .out = out, .totals = totals };
	size_t len = 0;

	*totals = (struct stat_dump_totals){ 0 };
	nb_snprintf(d.line, sizeof(d.line), "stats begin seq=%llu us=%llu",
		    (unsigned long long)seq, (unsigned long long)us);
	out->line(out->ctx, d.line);
	if (fs)
		dump_tree(&d, fs->root);
	str_append(d.line, sizeof(d.line), &len, "stats end lines=%u crc32=%08x", totals->lines,
		   totals->crc);
	if (totals->skipped)
		str_append(d.line, sizeof(d.line), &len, " skipped=%u", totals->skipped);
	out->line(out->ctx, d.line);
}
