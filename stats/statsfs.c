/* SPDX-License-Identifier: MIT */
/* The tree: sources, groups, references, and who may still be looking. */
#include "stats/statsfs.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "stats/statsfs_int.h"

/*
 * Rounds that a wait may take: seconds.  Only a reader that was stopped for
 * ever takes as long, and stats_fs_recover has not been called for it yet.
 */
#define PATIENCE	(1u << 26)

u32 stats_fs_enter(struct stats_fs *fs)
{
	u32 section = __atomic_load_n(&fs->epoch, __ATOMIC_SEQ_CST) & 1;

	__atomic_fetch_add(&fs->readers[section], 1, __ATOMIC_SEQ_CST);
	return section;
}

void stats_fs_leave(struct stats_fs *fs, u32 section)
{
	__atomic_fetch_sub(&fs->readers[section], 1, __ATOMIC_SEQ_CST);
}

/*
 * Until every reader that began before has left.  Twice, because one may have
 * read the epoch before the first change and entered after it.
 */
static void wait_for_readers(struct stats_fs *fs)
{
	for (u32 round = 0; round < 2; round++) {
		u32 old = __atomic_fetch_xor(&fs->epoch, 1, __ATOMIC_SEQ_CST) & 1;

		for (u32 i = 0; i < PATIENCE; i++) {
			if (!__atomic_load_n(&fs->readers[old], __ATOMIC_SEQ_CST))
				break;
			__builtin_ia32_pause();
		}
	}
}

static void *mem_alloc(struct stats_fs *fs, size_t size)
{
	void *p = fs->mem.alloc(fs->mem.ctx, size);

	if (p)
		memset(p, 0, size);
	return p;
}

static void mem_free(struct stats_fs *fs, void *p, size_t size)
{
	if (p)
		fs->mem.free(fs->mem.ctx, p, size);
}

static size_t source_size(const char *name)
{
	return sizeof(struct stats_fs_source) + strlen(name) + 1;
}

/* With the lock held. */
static struct stats_fs_source *source_new(struct stats_fs *fs, u32 flags, const char *name)
{
	struct stats_fs_source *s = mem_alloc(fs, source_size(name));

	if (!s)
		return NULL;
	s->fs = fs;
	s->flags = flags;
	s->refs = 1;
	str_copy(s->name, name, strlen(name) + 1);
	return s;
}

int stats_fs_init(struct stats_fs *fs, const struct stats_fs_mem *mem)
{
	*fs = (struct stats_fs){ .mem = *mem };
	fs->root = source_new(fs, 0, "");
	return fs->root ? 0 : -ENOMEM;
}

void stats_fs_fini(struct stats_fs *fs)
{
	stats_fs_source_put(fs->root);
	fs->root = NULL;
}

void stats_fs_recover(struct stats_fs *fs)
{
	if (!fs)
		return;
	__atomic_store_n(&fs->readers[0], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fs->readers[1], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fs->seq, (fs->seq + 1) & ~1u, __ATOMIC_SEQ_CST);
	spin_reset(&fs->lock);
}

bool stats_fs_name_valid(const char *name)
{
	size_t len = name ? strnlen(name, STATS_FS_NAME_MAX + 1) : 0;

	if (!len || len > STATS_FS_NAME_MAX || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name < ' ' || *name > '~' || *name == '/')
			return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Two runs of digits as numbers; both are stepped over. */
static int number_cmp(const char **a, const char **b)
{
	size_t na = 0, nb = 0;
	int d;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	while (is_digit((*a)[na]))
		na++;
	while (is_digit((*b)[nb]))
		nb++;
	/* Zeros apart, the longer one is larger. */
	d = na != nb ? (na < nb ? -1 : 1) : strncmp(*a, *b, na);
	*a += na;
	*b += nb;
	return d;
}

int stats_fs_name_cmp(const char *a, const char *b)
{
	const char *start_a = a, *start_b = b;
	int d = 0;

	while (*a && *b && !d) {
		if (is_digit(*a) && is_digit(*b))
			d = number_cmp(&a, &b);
		else
			d = (u8)*a++ - (u8)*b++;
	}
	if (!d)
		d = (u8)*a - (u8)*b;
	/* "01" and "1" are two names. */
	return d ? d : strcmp(start_a, start_b);
}

int stats_fs_source_create(struct stats_fs *fs, struct stats_fs_source **out, u32 flags,
			   const char *fmt, ...)
{
	char name[STATS_FS_NAME_MAX + 2];
	va_list ap;

	*out = NULL;
	if (!fs)
		return -ENODEV;
	va_start(ap, fmt);
	nb_vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (!stats_fs_name_valid(name))
		return -EINVAL;
	spin_lock(&fs->lock);
	*out = source_new(fs, flags, name);
	spin_unlock(&fs->lock);
	return *out ? 0 : -ENOMEM;
}

void stats_fs_source_get(struct stats_fs_source *src)
{
	if (src)
		__atomic_fetch_add(&src->refs, 1, __ATOMIC_RELAXED);
}

bool stats_fs_tryget(struct stats_fs_source *src)
{
	u32 refs = __atomic_load_n(&src->refs, __ATOMIC_RELAXED);

	while (refs) {
		if (__atomic_compare_exchange_n(&src->refs, &refs, refs + 1, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool drop_ref(struct stats_fs_source *src)
{
	return __atomic_fetch_sub(&src->refs, 1, __ATOMIC_ACQ_REL) == 1;
}

static void free_labels(struct stats_fs *fs, struct stats_fs_source *src)
{
	struct stats_fs_label *l, *next;

	for (l = src->labels; l; l = next) {
		next = l->next;
		mem_free(fs, l, l->size);
	}
}

static void free_one(struct stats_fs *fs, struct stats_fs_source *src)
{
	struct stats_fs_group *g, *next;

	for (g = src->groups; g; g = next) {
		next = g->next;
		mem_free(fs, g->baseline, g->cells * sizeof(u64));
		mem_free(fs, g, sizeof(*g));
	}
	free_labels(fs, src);
	mem_free(fs, src, source_size(src->name));
}

/*
 * With the lock held, src unreachable: frees it and what only it kept alive.
 * No reader is inside, because a reader of a tree holds a reference to its top.
 */
static void free_tree(struct stats_fs *fs, struct stats_fs_source *src)
{
	struct stats_fs_source *dead = src, *c, *next;

	src->next = NULL;
	while (dead) {
		src = dead;
		dead = src->next;
		for (c = src->child; c; c = next) {
			next = c->next;
			SFS_STORE(c->parent, NULL);
			SFS_STORE(c->next, NULL);
			if (!drop_ref(c))
				continue;
			c->next = dead;
			dead = c;
		}
		free_one(fs, src);
	}
}

void stats_fs_source_put(struct stats_fs_source *src)
{
	struct stats_fs *fs;

	if (!src)
		return;
	fs = src->fs;
	if (!drop_ref(src))
		return;
	spin_lock(&fs->lock);
	free_tree(fs, src);
	spin_unlock(&fs->lock);
}

/* With the lock held. */
static u32 depth_of(const struct stats_fs_source *s)
{
	u32 n = 0;

	for (; s->parent; s = s->parent)
		n++;
	return n;
}

static u32 height_of(struct stats_fs_source *top)
{
	u32 base = depth_of(top), max = 0;

	for (struct stats_fs_source *s = top; s; s = stats_fs_next(top, s))
		max = MAX(max, depth_of(s) - base);
	return max;
}

static int may_add(struct stats_fs_source *parent, struct stats_fs_source *sub)
{
	if (sub->parent)
		return sub->parent == parent ? -EEXIST : -EBUSY;
	for (struct stats_fs_source *s = parent; s; s = s->parent)
		if (s == sub)
			return -ELOOP;
	return depth_of(parent) + 1 + height_of(sub) > STATS_FS_DEPTH_MAX ? -E2BIG : 0;
}

int stats_fs_source_add_subordinate(struct stats_fs_source *parent,
				    struct stats_fs_source *sub)
{
	struct stats_fs_source **link;
	int err, cmp = 1;

	if (!parent || !sub)
		return -ENODEV;
	if (parent->fs != sub->fs)
		return -EINVAL;
	spin_lock(&parent->fs->lock);
	err = may_add(parent, sub);
	/* In the order of names, so that equal trees look equal. */
	for (link = &parent->child; *link; link = &(*link)->next) {
		cmp = stats_fs_name_cmp((*link)->name, sub->name);
		if (cmp >= 0)
			break;
	}
	if (!err && *link && !cmp)
		err = -EEXIST;
	if (!err) {
		stats_fs_source_get(sub);
		SFS_STORE(sub->parent, parent);
		SFS_STORE(sub->next, *link);
		SFS_STORE(*link, sub);
	}
	spin_unlock(&parent->fs->lock);
	return err;
}

int stats_fs_source_register(struct stats_fs_source *src)
{
	return src ? stats_fs_source_add_subordinate(src->fs->root, src) : -ENODEV;
}

/* With the lock held: readers may still be on sub. */
static void unlink_source(struct stats_fs_source *sub)
{
	struct stats_fs_source **link = &sub->parent->child;

	while (*link != sub)
		link = &(*link)->next;
	SFS_STORE(*link, sub->next);
}

/* No reader is on it any more: forgets where it was, drops the parent's reference. */
static void release_source(struct stats_fs *fs, struct stats_fs_source *sub)
{
	SFS_STORE(sub->parent, NULL);
	SFS_STORE(sub->next, NULL);
	if (drop_ref(sub))
		free_tree(fs, sub);
}

int stats_fs_source_remove_subordinate(struct stats_fs_source *parent,
				       struct stats_fs_source *sub)
{
	struct stats_fs *fs;
	int err = -ENOENT;

	if (!parent || !sub)
		return -ENODEV;
	fs = parent->fs;
	spin_lock(&fs->lock);
	if (sub->parent == parent) {
		unlink_source(sub);
		wait_for_readers(fs);
		release_source(fs, sub);
		err = 0;
	}
	spin_unlock(&fs->lock);
	return err;
}

/* How many values, and how many numbers they have; -EINVAL. */
static int check_array(const struct stats_fs_value *array, u32 *count, u32 *cells)
{
	*count = *cells = 0;
	for (const struct stats_fs_value *v = array; v->name; v++) {
		if (!stats_fs_name_valid(v->name) || !v->type)
			return -EINVAL;
		if (v->hist && (!v->hist->buckets || v->hist->buckets > STATS_FS_BUCKETS_MAX ||
				v->type->size != 8 || v->type->get))
			return -EINVAL;
		if (v->value_flag & STATS_FS_COUNTER && v->type->size != 8)
			return -EINVAL;
		*cells += v->hist ? v->hist->buckets : 1;
		(*count)++;
	}
	return 0;
}

int stats_fs_source_add_group(struct stats_fs_source *src, const struct stats_fs_group_desc *desc)
{
	struct stats_fs_group *g;
	u32 count, cells;
	int err = 0;

	if (!src)
		return -ENODEV;
	if (!desc->array || check_array(desc->array, &count, &cells) ||
	    (desc->dir && !stats_fs_name_valid(desc->dir)))
		return -EINVAL;
	spin_lock(&src->fs->lock);
	for (g = src->groups; g && !err; g = g->next)
		if (g->array == desc->array && g->base == desc->base)
			err = -EEXIST;
	g = err ? NULL : mem_alloc(src->fs, sizeof(*g));
	if (g) {
		*g = (struct stats_fs_group){
			.array = desc->array, .base = desc->base, .dir = desc->dir,
			.flags = desc->flags, .count = count, .cells = cells,
			.slots = desc->slots ? desc->slots : 1, .stride = desc->stride,
		};
		if (src->last_group)
			SFS_STORE(src->last_group->next, g);
		else
			SFS_STORE(src->groups, g);
		src->last_group = g;
	} else if (!err) {
		err = -ENOMEM;
	}
	spin_unlock(&src->fs->lock);
	return err;
}

int stats_fs_source_add_values(struct stats_fs_source *src, const struct stats_fs_value *array,
			       void *base, u32 flags)
{
	const struct stats_fs_group_desc d = { .array = array, .base = base, .flags = flags };

	return stats_fs_source_add_group(src, &d);
}

/* With the lock held. */
static void take_bases(struct stats_fs_source *top)
{
	for (struct stats_fs_source *s = top; s; s = stats_fs_next(top, s)) {
		for (struct stats_fs_group *g = s->groups; g; g = g->next) {
			if (!g->base)
				continue;
			__atomic_store_n(&g->revoked, true, __ATOMIC_RELAXED);
			SFS_STORE(g->base, NULL);
		}
	}
}

void stats_fs_source_revoke(struct stats_fs_source *src)
{
	if (!src)
		return;
	spin_lock(&src->fs->lock);
	take_bases(src);
	wait_for_readers(src->fs);
	spin_unlock(&src->fs->lock);
}

static struct stats_fs_group *total_group(struct stats_fs_source *into,
					  const struct stats_fs_value *array)
{
	struct stats_fs_group *g;

	for (g = into->groups; g; g = g->next)
		if (g->array == array && g->base)
			return g;
	return NULL;
}

static void fold_tree(struct stats_fs_source *top, struct stats_fs_source *into)
{
	for (struct stats_fs_source *s = top; s; s = stats_fs_next(top, s)) {
		for (struct stats_fs_group *g = s->groups; g; g = g->next) {
			struct stats_fs_group *t = g->base ? total_group(into, g->array) : NULL;

			if (t)
				stats_fs_fold_group(top->fs, t, g);
		}
	}
}

void stats_fs_source_retire(struct stats_fs_source *src, struct stats_fs_source *into)
{
	struct stats_fs *fs;

	if (!src || !into)
		return;
	fs = src->fs;
	spin_lock(&fs->lock);
	/* Readers that meet an odd number, or two different ones, try again. */
	__atomic_fetch_add(&fs->seq, 1, __ATOMIC_SEQ_CST);
	fold_tree(src, into);
	take_bases(src);
	if (src->parent)
		unlink_source(src);
	__atomic_fetch_add(&fs->seq, 1, __ATOMIC_SEQ_CST);
	wait_for_readers(fs);
	if (src->parent)
		release_source(fs, src);
	spin_unlock(&fs->lock);
}

/* Replaced labels stay in memory until the source goes: readers may look. */
int stats_fs_source_label(struct stats_fs_source *src, const char *key, const char *value)
{
	struct stats_fs_label *l;
	size_t nk, nv;

	if (!src)
		return -ENODEV;
	nk = strnlen(key, STATS_FS_NAME_MAX + 1);
	nv = strnlen(value, STATS_FS_NAME_MAX + 1);
	if (!stats_fs_name_valid(key) || strchr(key, '=') || strchr(key, ' ') ||
	    nv > STATS_FS_NAME_MAX)
		return -EINVAL;
	spin_lock(&src->fs->lock);
	l = mem_alloc(src->fs, sizeof(*l) + nk + nv + 2);
	if (l) {
		l->size = (u32)(sizeof(*l) + nk + nv + 2);
		str_copy(l->text, key, nk + 1);
		str_copy(l->text + nk + 1, value, nv + 1);
		/* In front: the newest of a key is found first. */
		l->next = src->labels;
		SFS_STORE(src->labels, l);
	}
	spin_unlock(&src->fs->lock);
	return l ? 0 : -ENOMEM;
}
