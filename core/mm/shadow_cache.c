/* SPDX-License-Identifier: MIT */
/* Several shadows, since an L1 runs several guests on one CPU. */
#include "core/mm/shadow.h"

#include "core/lib/string.h"

int shadow_cache_init(struct shadow_cache *c, const struct shadow_config *cfg, u32 n)
{
	memset(c, 0, sizeof(*c));
	if (!n || n > SHADOW_CACHE_MAX)
		return -EINVAL;
	c->cfg = *cfg;
	c->n = n;
	return 0;
}

void shadow_cache_fini(struct shadow_cache *c)
{
	while (c->made)
		shadow_fini(&c->shadow[--c->made]);
}

/* A shadow for other tables: a new one, or else the one used least recently. */
static struct shadow *take(struct shadow_cache *c)
{
	struct shadow *s = &c->shadow[c->made], *oldest = c->shadow;

	if (c->made < c->n && !shadow_init(s, &c->cfg)) {
		/* So that no two in a cache have the same. */
		s->gen = (u64)++c->made << 48;
		return s;
	}
	for (u32 i = 1; i < c->made; i++)
		if (c->shadow[i].used < oldest->used)
			oldest = &c->shadow[i];
	return c->made ? oldest : NULL;
}

static struct shadow *lookup(struct shadow_cache *c, const struct shadow_key *key)
{
	for (u32 i = 0; i < c->made; i++)
		if (shadow_same_tables(&c->shadow[i].key, key))
			return &c->shadow[i];
	return NULL;
}

struct shadow *shadow_cache_find_slow(struct shadow_cache *c, const struct shadow_key *key)
{
	struct shadow *s = lookup(c, key);

	if (!s) {
		s = take(c);
		if (!s)
			return NULL;
	} else if (s->stale || s->key.asid != key->asid) {
		shadow_sync(s);
		/* APM2 15.16: a new ASID has no translations of L2's either. */
		s->gen += s->key.asid != key->asid;
	}
	shadow_bind(s, key);
	s->stale = false;
	s->used = ++c->clock;
	c->last = s;
	return s;
}

void shadow_cache_flush_asid(struct shadow_cache *c, u32 asid)
{
	for (u32 i = 0; i < c->made; i++)
		if (c->shadow[i].key.asid == asid)
			c->shadow[i].stale = true;
}

void shadow_cache_flush_all(struct shadow_cache *c)
{
	for (u32 i = 0; i < c->made; i++)
		c->shadow[i].stale = true;
}

void shadow_cache_drop_all(struct shadow_cache *c)
{
	for (u32 i = 0; i < c->made; i++)
		shadow_drop(&c->shadow[i]);
}
