// SPDX-License-Identifier: MIT
#include "core/vm/msr_stats.h"

#include "stats/stat.h"

/* Listed in docs/stats.md by tools/gen_stats_doc.sh. */
#define MSR_VALUE(name_, member, help_)						\
	{ .name = name_, .offset = offsetof(struct msr_stats_row, member),	\
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,			\
	  .value_flag = STATS_FS_COUNTER, .help = help_ }

static const struct stats_fs_value values[] = {
	MSR_VALUE("rdmsr_unknown", reads, "reads of an MSR that the guest does not have: #GP"),
	MSR_VALUE("wrmsr_unknown", writes, "writes of an MSR that the guest does not have: #GP"),
	{ 0 },
};

int msr_stats_add_totals(struct stats_fs_source *src)
{
	return stats_fs_source_add_values(src, values, NULL, 0);
}

void msr_stats_init(struct msr_stats *s, struct msr_stats_row *row, u32 max)
{
	*s = (struct msr_stats){ .lock = SPINLOCK_INIT, .max = max, .row = row };
}

void msr_stats_show(struct msr_stats *s, struct stats_fs *fs, struct stats_fs_source *parent)
{
	s->fs = fs;
	s->parent = parent;
}

static int make_dir(struct msr_stats *s)
{
	struct stats_fs_source *dir;
	int err = stats_fs_source_create(s->fs, &dir, 0, "msr");

	if (!err)
		err = stats_fs_source_add_subordinate(s->parent, dir);
	if (err)
		stats_fs_source_put(dir);
	else
		s->dir = dir;
	return err;
}

/* With the lock held. */
static int show_row(struct msr_stats *s, struct msr_stats_row *r)
{
	bool other = r == &s->row[s->max];
	struct stats_fs_source *src;
	int err;

	err = s->dir ? 0 : make_dir(s);
	if (err)
		return err;
	err = other ? stats_fs_source_create(s->fs, &src, 0, "other") :
		      stats_fs_source_create(s->fs, &src, 0, "0x%x", r->msr);
	if (!err)
		err = stats_fs_source_add_values(src, values, r, 0);
	if (!err)
		err = stats_fs_source_add_subordinate(s->dir, src);
	if (err)
		stats_fs_source_put(src);
	else
		r->src = src;
	return err;
}

int msr_stats_show_other(struct msr_stats *s)
{
	int err;

	spin_lock(&s->lock);
	err = show_row(s, &s->row[s->max]);
	spin_unlock(&s->lock);
	return err;
}

static struct msr_stats_row *find(struct msr_stats *s, u32 msr)
{
	u32 used = __atomic_load_n(&s->used, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < used; i++)
		if (s->row[i].msr == msr)
			return &s->row[i];
	return NULL;
}

/* The row of msr: there, new, or "other".  A row without a source counts as well. */
static struct msr_stats_row *row_of(struct msr_stats *s, u32 msr)
{
	struct msr_stats_row *r = find(s, msr);

	if (r)
		return r;
	spin_lock(&s->lock);
	r = find(s, msr);
	if (!r) {
		r = &s->row[s->used];
		r->msr = msr;
		if (!r->src)
			(void)!show_row(s, r);
		if (s->used < s->max)
			__atomic_store_n(&s->used, s->used + 1, __ATOMIC_RELEASE);
	}
	spin_unlock(&s->lock);
	return r;
}

void msr_stats_count(struct msr_stats *s, u32 msr, bool write)
{
	struct msr_stats_row *r = row_of(s, msr);

	stat_inc(write ? &r->writes : &r->reads);
}

static void end_row(struct msr_stats_row *r, struct msr_stats_row *to,
		    struct msr_stats_row *other)
{
	stats_fs_source_retire(r->src, to->src ? to->src : other->src);
	stats_fs_source_put(r->src);
	*r = (struct msr_stats_row){ 0 };
}

void msr_stats_end(struct msr_stats *s, struct msr_stats *into)
{
	struct msr_stats_row *other = &into->row[into->max];

	for (u32 i = 0; i < s->used; i++)
		end_row(&s->row[i], row_of(into, s->row[i].msr), other);
	end_row(&s->row[s->max], other, other);
	s->used = 0;
	if (s->dir)
		stats_fs_source_remove_subordinate(s->parent, s->dir);
	stats_fs_source_put(s->dir);
	s->parent = s->dir = NULL;
}
