/* SPDX-License-Identifier: MIT */
/* Values: reading, folding, clearing. */
#include "stats/statsfs.h"

#include "core/lib/string.h"
#include "stats/statsfs_int.h"

#define PATIENCE	(1u << 26)

const struct stats_fs_type stats_fs_type_u8 = { "u8", 1, false, NULL, NULL };
const struct stats_fs_type stats_fs_type_u16 = { "u16", 2, false, NULL, NULL };
const struct stats_fs_type stats_fs_type_u32 = { "u32", 4, false, NULL, NULL };
const struct stats_fs_type stats_fs_type_u64 = { "u64", 8, false, NULL, NULL };
const struct stats_fs_type stats_fs_type_s8 = { "s8", 1, true, NULL, NULL };
const struct stats_fs_type stats_fs_type_s16 = { "s16", 2, true, NULL, NULL };
const struct stats_fs_type stats_fs_type_s32 = { "s32", 4, true, NULL, NULL };
const struct stats_fs_type stats_fs_type_s64 = { "s64", 8, true, NULL, NULL };
const struct stats_fs_type stats_fs_type_bool = { "bool", 1, false, NULL, NULL };

/* Aligned loads of 8 bytes and less are never torn. */
static u64 load_int(const void *addr, u32 size, bool sign)
{
	switch (size) {
	case 1: {
		u8 v = __atomic_load_n((const u8 *)addr, __ATOMIC_RELAXED);

		return sign ? (u64)(s64)(s8)v : v;
	}
	case 2: {
		u16 v = __atomic_load_n((const u16 *)addr, __ATOMIC_RELAXED);

		return sign ? (u64)(s64)(s16)v : v;
	}
	case 4: {
		u32 v = __atomic_load_n((const u32 *)addr, __ATOMIC_RELAXED);

		return sign ? (u64)(s64)(s32)v : v;
	}
	default:
		return __atomic_load_n((const u64 *)addr, __ATOMIC_RELAXED);
	}
}

static void store_int(void *addr, u32 size, u64 v)
{
	switch (size) {
	case 1: __atomic_store_n((u8 *)addr, (u8)v, __ATOMIC_RELAXED); break;
	case 2: __atomic_store_n((u16 *)addr, (u16)v, __ATOMIC_RELAXED); break;
	case 4: __atomic_store_n((u32 *)addr, (u32)v, __ATOMIC_RELAXED); break;
	default: __atomic_store_n((u64 *)addr, v, __ATOMIC_RELAXED);
	}
}

static u64 load_value(const struct stats_fs_value *val, const void *addr)
{
	if (val->type->get)
		return val->type->get(val, addr);
	return load_int(addr, val->type->size, val->type->sign);
}

static bool less(u64 a, u64 b, bool sign)
{
	return sign ? (s64)a < (s64)b : a < b;
}

static u64 neutral(enum stats_fs_aggr kind, bool sign)
{
	switch (kind) {
	case STATS_FS_MIN:
		return sign ? ~0ULL >> 1 : ~0ULL;
	case STATS_FS_MAX:
		return sign ? 1ULL << 63 : 0;
	default:
		return 0;
	}
}

/* Where the numbers of val begin among those of its array. */
static u32 cell_of(const struct stats_fs_value *array, const struct stats_fs_value *val)
{
	u32 cell = 0;

	for (; array < val; array++)
		cell += array->hist ? array->hist->buckets : 1;
	return cell;
}

/*
 * One number of a group, its per-CPU copies folded, as it was counted since it
 * was made: index is the bucket of a histogram.
 */
static u64 raw_slots(const struct stats_fs_group *g, const struct stats_fs_value *val,
		     const u8 *base, u32 index)
{
	const u8 *addr = base + val->offset + index * sizeof(u64);
	u64 v = load_value(val, addr), w;

	for (u32 i = 1; i < g->slots; i++) {
		addr += g->stride;
		w = load_value(val, addr);
		if (val->aggr_kind == STATS_FS_MIN || val->aggr_kind == STATS_FS_MAX) {
			if (less(w, v, val->type->sign) == (val->aggr_kind == STATS_FS_MIN))
				v = w;
		} else {
			v += w;
		}
	}
	return v;
}

/* The baseline first: what is counted meanwhile then makes no negative number. */
static u64 read_number(struct stats_fs_group *g, const struct stats_fs_value *val,
		       const u8 *base, u32 index)
{
	const u64 *baseline = SFS_LOAD(g->baseline);
	u64 was = 0;

	if (unlikely(baseline))
		was = SFS_LOAD(baseline[cell_of(g->array, val) + index]);
	return raw_slots(g, val, base, index) - was;
}

struct fold {
	u64 acc;
	u64 members;
};

static void fold_hist(struct fold *f, struct stats_fs_group *g, const struct stats_fs_value *val,
		      const u8 *base, u64 *bucket)
{
	for (u32 i = 0; i < val->hist->buckets; i++) {
		u64 n = read_number(g, val, base, i);

		f->acc += n;
		if (bucket)
			bucket[i] += n;
	}
}

static void fold_one(struct fold *f, enum stats_fs_aggr kind, bool sign, u64 v)
{
	switch (kind) {
	case STATS_FS_SUM:
	case STATS_FS_AVG:
		f->acc += v;
		break;
	case STATS_FS_MIN:
		if (less(v, f->acc, sign))
			f->acc = v;
		break;
	case STATS_FS_MAX:
		if (less(f->acc, v, sign))
			f->acc = v;
		break;
	case STATS_FS_COUNT_ZERO:
		f->acc += !v;
		break;
	case STATS_FS_NONE:
		break;
	}
}

static void fold_group(struct fold *f, struct stats_fs_group *g,
		       const struct stats_fs_value *val, const u8 *base, u64 *bucket)
{
	f->members++;
	if (val->hist)
		fold_hist(f, g, val, base, bucket);
	else
		fold_one(f, val->aggr_kind, val->type->sign, read_number(g, val, base, 0));
}

/* A sum of plain u64: nearly all there are. */
static bool plain_sum(const struct stats_fs_value *val)
{
	return val->aggr_kind == STATS_FS_SUM && !val->type->get && val->type->size == 8 &&
	       !val->hist;
}

static void read_aggregate(struct stats_fs_source *top, const struct stats_fs_group *like,
			   const struct stats_fs_value *val, struct fold *f, u64 *bucket)
{
	const struct stats_fs_value *array = like->array;
	bool plain = plain_sum(val);
	u64 offset = val->offset, sum = 0, n = 0;

	for (struct stats_fs_source *s = top; s; s = stats_fs_next(top, s)) {
		for (struct stats_fs_group *g = SFS_LOAD(s->groups); g; g = SFS_LOAD(g->next)) {
			const u8 *base;

			if (g->array != array)
				continue;
			base = SFS_LOAD(g->base);
			if (!base)
				continue;
			if (likely(plain && g->slots == 1 && !SFS_LOAD(g->baseline))) {
				sum += __atomic_load_n((const u64 *)(base + offset),
						       __ATOMIC_RELAXED);
				n++;
			} else {
				fold_group(f, g, val, base, bucket);
			}
		}
	}
	f->acc += sum;
	f->members += n;
	if (val->aggr_kind == STATS_FS_AVG && f->members)
		f->acc = val->type->sign ? (u64)((s64)f->acc / (s64)f->members) :
					   f->acc / f->members;
}

static void read_once(struct stats_fs_source *src, struct stats_fs_group *g,
		      const struct stats_fs_value *val, struct stats_fs_reading *r, u64 *bucket)
{
	bool sign = val->type->sign;
	struct fold f = { .acc = neutral(val->aggr_kind, sign) };
	const u8 *base = SFS_LOAD(g->base);

	if (bucket)
		memset(bucket, 0, val->hist->buckets * sizeof(*bucket));
	if (!base) {
		read_aggregate(src, g, val, &f, bucket);
	} else if (val->hist) {
		f.acc = 0;
		f.members = 1;
		fold_hist(&f, g, val, base, bucket);
	} else {
		f.acc = read_number(g, val, base, 0);
		f.members = 1;
	}
	*r = (struct stats_fs_reading){
		.value = f.acc, .members = f.members, .sign = sign,
		.revoked = __atomic_load_n(&g->revoked, __ATOMIC_RELAXED),
	};
}

void stats_fs_read_group(struct stats_fs_source *src, struct stats_fs_group *g,
			 const struct stats_fs_value *val, struct stats_fs_reading *r,
			 u64 *bucket)
{
	struct stats_fs *fs = src->fs;
	u32 seq;

	/* Bounded: whoever moves numbers may have been stopped for ever. */
	for (u32 i = 0; i < PATIENCE; i++) {
		seq = __atomic_load_n(&fs->seq, __ATOMIC_ACQUIRE);
		if (unlikely(seq & 1)) {
			__builtin_ia32_pause();
			continue;
		}
		read_once(src, g, val, r, bucket);
		if (likely(__atomic_load_n(&fs->seq, __ATOMIC_SEQ_CST) == seq))
			return;
	}
	read_once(src, g, val, r, bucket);
}

struct stats_fs_group *stats_fs_find_group(struct stats_fs_source *src,
					   const struct stats_fs_value *val)
{
	struct stats_fs_group *g;

	for (g = SFS_LOAD(src->groups); g; g = SFS_LOAD(g->next))
		if (val >= g->array && val < g->array + g->count)
			return g;
	return NULL;
}

static int read_locked(struct stats_fs_source *src, const struct stats_fs_value *val,
		       struct stats_fs_reading *r, u64 *bucket)
{
	u32 section = stats_fs_enter(src->fs);
	struct stats_fs_group *g = stats_fs_find_group(src, val);

	if (g)
		stats_fs_read_group(src, g, val, r, bucket);
	stats_fs_leave(src->fs, section);
	return g ? 0 : -ENOENT;
}

int stats_fs_source_read(struct stats_fs_source *src, const struct stats_fs_value *val,
			 struct stats_fs_reading *r)
{
	*r = (struct stats_fs_reading){ 0 };
	return src ? read_locked(src, val, r, NULL) : -ENODEV;
}

int stats_fs_source_get_value(struct stats_fs_source *src, const struct stats_fs_value *val,
			      u64 *ret)
{
	struct stats_fs_reading r;
	int err = stats_fs_source_read(src, val, &r);

	*ret = r.value;
	return err;
}

int stats_fs_source_get_hist(struct stats_fs_source *src, const struct stats_fs_value *val,
			     u64 *bucket)
{
	struct stats_fs_reading r;

	if (!src)
		return -ENODEV;
	return val->hist ? read_locked(src, val, &r, bucket) : -EINVAL;
}

int stats_fs_source_get_value_by_name(struct stats_fs_source *src, const char *name, u64 *ret)
{
	const struct stats_fs_value *found = NULL;
	struct stats_fs_group *g;
	u32 section;

	*ret = 0;
	if (!src)
		return -ENODEV;
	section = stats_fs_enter(src->fs);
	for (g = SFS_LOAD(src->groups); g && !found; g = SFS_LOAD(g->next))
		for (u32 i = 0; i < g->count && !found; i++)
			if (!strcmp(g->array[i].name, name))
				found = &g->array[i];
	stats_fs_leave(src->fs, section);
	return found ? stats_fs_source_get_value(src, found, ret) : -ENOENT;
}

static u32 numbers_of(const struct stats_fs_value *val)
{
	return val->hist ? val->hist->buckets : 1;
}

/* With the lock held.  The lock's holder is the only one who makes baselines. */
static u64 *make_baseline(struct stats_fs *fs, struct stats_fs_group *g)
{
	u64 *b = g->baseline;

	if (b)
		return b;
	b = fs->mem.alloc(fs->mem.ctx, g->cells * sizeof(u64));
	if (b) {
		memset(b, 0, g->cells * sizeof(u64));
		SFS_STORE(g->baseline, b);
	}
	return b;
}

static int clear_one(struct stats_fs *fs, struct stats_fs_group *g,
		     const struct stats_fs_value *val, u8 *base)
{
	u32 cell = cell_of(g->array, val), n = numbers_of(val);

	if (val->value_flag & STATS_FS_COUNTER) {
		u64 *b = make_baseline(fs, g);

		if (!b)
			return -ENOMEM;
		for (u32 i = 0; i < n; i++)
			SFS_STORE(b[cell + i], raw_slots(g, val, base, i));
		return 0;
	}
	for (u32 slot = 0; slot < g->slots; slot++, base += g->stride) {
		u8 *addr = base + val->offset;

		for (u32 i = 0; i < n; i++, addr += sizeof(u64)) {
			if (val->type->clear)
				val->type->clear(val, addr);
			else
				store_int(addr, val->type->size, 0);
		}
	}
	return 0;
}

int stats_fs_clear_group(struct stats_fs_source *src, struct stats_fs_group *g,
			 const struct stats_fs_value *val)
{
	const struct stats_fs_value *array = g->array;
	int err = 0, e;

	if (stats_fs_value_mode(val) != 0644)
		return -EPERM;
	spin_lock(&src->fs->lock);
	if (g->base) {
		err = clear_one(src->fs, g, val, g->base);
		spin_unlock(&src->fs->lock);
		return err;
	}
	for (struct stats_fs_source *s = src; s; s = stats_fs_next(src, s)) {
		for (g = s->groups; g; g = g->next) {
			e = g->array == array && g->base ?
				clear_one(src->fs, g, val, g->base) : 0;
			err = err ? err : e;
		}
	}
	spin_unlock(&src->fs->lock);
	return err;
}

int stats_fs_source_clear(struct stats_fs_source *src, const struct stats_fs_value *val)
{
	struct stats_fs_group *g;

	if (!src)
		return -ENODEV;
	/* Groups stay as long as their source, which the caller holds. */
	g = stats_fs_find_group(src, val);
	return g ? stats_fs_clear_group(src, g, val) : -ENOENT;
}

/* May retire add it up? */
static bool foldable(const struct stats_fs_value *val)
{
	if (val->value_flag & (STATS_FS_FLOATING_VALUE | STATS_FS_DERIVED))
		return false;
	if (val->aggr_kind == STATS_FS_SUM)
		return true;
	return !(val->value_flag & STATS_FS_COUNTER) &&
	       (val->aggr_kind == STATS_FS_MIN || val->aggr_kind == STATS_FS_MAX);
}

/* was: a baseline that cannot be kept apart is taken off the number instead. */
static void fold_number(struct stats_fs_group *t, const struct stats_fs_value *val, u32 index,
			u64 v, u64 was)
{
	u8 *addr = (u8 *)t->base + val->offset + index * sizeof(u64);
	u64 old = load_value(val, addr);

	switch (val->aggr_kind) {
	case STATS_FS_SUM:
		v = old + v - was;
		break;
	case STATS_FS_MIN:
		v = less(old, v, val->type->sign) ? old : v;
		break;
	default:
		v = less(v, old, val->type->sign) ? old : v;
	}
	store_int(addr, val->type->size, v);
}

void stats_fs_fold_group(struct stats_fs *fs, struct stats_fs_group *t, struct stats_fs_group *g)
{
	u64 *to = g->baseline ? make_baseline(fs, t) : NULL;

	for (u32 i = 0; i < g->count; i++) {
		const struct stats_fs_value *val = &g->array[i];
		u32 cell = cell_of(g->array, val);

		for (u32 k = 0; k < numbers_of(val); k++) {
			u64 was = g->baseline ? g->baseline[cell + k] : 0;

			if (foldable(val))
				fold_number(t, val, k, raw_slots(g, val, g->base, k),
					    to ? 0 : was);
			if (to && val->aggr_kind == STATS_FS_SUM)
				SFS_STORE(to[cell + k], to[cell + k] + was);
		}
	}
}

u32 stats_fs_value_mode(const struct stats_fs_value *val)
{
	if (val->value_flag & STATS_FS_FLOATING_VALUE)
		return 0444;
	if (val->type->get && !val->type->clear && !(val->value_flag & STATS_FS_COUNTER))
		return 0444;
	return 0644;
}

const char *stats_fs_aggr_name(enum stats_fs_aggr kind)
{
	static const char *const name[] = {
		[STATS_FS_NONE] = "none", [STATS_FS_SUM] = "sum", [STATS_FS_MIN] = "min",
		[STATS_FS_MAX] = "max", [STATS_FS_COUNT_ZERO] = "count_zero",
		[STATS_FS_AVG] = "avg",
	};

	return (u32)kind < ARRAY_SIZE(name) ? name[kind] : "?";
}

u64 stats_fs_hist_low(const struct stats_fs_hist *h, u32 bucket)
{
	if (h->width)
		return bucket * h->width;
	return !bucket ? 0 : bucket < 64 ? 1ULL << bucket : ~0ULL;
}

u64 stats_fs_hist_percentile(const struct stats_fs_hist *h, const u64 *bucket, u32 percent)
{
	u64 total = 0, below = 0, rank, low, width, pos;
	u32 i;

	for (i = 0; i < h->buckets; i++)
		total += bucket[i];
	if (!total)
		return 0;
	/* The sample of that rank, 1 to total, rounded up; without overflow. */
	rank = total / 100 * percent + (total % 100 * percent + 99) / 100;
	rank = MAX(rank, 1ULL);
	for (i = 0; i + 1 < h->buckets && below + bucket[i] < rank; i++)
		below += bucket[i];
	low = stats_fs_hist_low(h, i);
	if (i + 1 == h->buckets)
		return low;
	width = stats_fs_hist_low(h, i + 1) - low;
	pos = rank - below - 1;
	if (pos >> 32 || width >> 32)		/* the product would not fit */
		return low + width / bucket[i] * pos;
	return low + width * pos / bucket[i];
}
