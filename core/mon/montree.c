// SPDX-License-Identifier: MIT
#include "core/mon/montree.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

u8 mon_char(const char **s, bool *literal)
{
	const char *p = *s;

	*literal = false;
	if (!*p)
		return 0;
	if (p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
		u8 c = (u8)(hex_digit(p[2]) * 16 + hex_digit(p[3]));

		/* No name contains a NUL, nor a slash: such a path names nothing. */
		*literal = true;
		*s += 4;
		return c ? c : 0xff;
	}
	(*s)++;
	return (u8)*p;
}

/* Goes back to the last '*' when a character does not fit: no recursion. */
bool mon_match(const char *pat, const char *end, const char *name)
{
	const char *star = NULL, *star_name = NULL;

	while (*name) {
		const char *p = pat;
		bool literal = false;
		u8 c = p < end ? mon_char(&p, &literal) : 0;

		if (c == '*' && !literal) {
			star = pat = p;
			star_name = name;
		} else if (c && ((c == '?' && !literal) || c == (u8)*name)) {
			pat = p;
			name++;
		} else if (star) {
			pat = star;
			name = ++star_name;
		} else {
			return false;
		}
	}
	while (pat < end && *pat == '*')
		pat++;
	return pat >= end;
}

void mon_escape(char *buf, size_t size, size_t *len, const char *s)
{
	for (; *s; s++) {
		bool plain = *s > ' ' && *s <= '~' && !strchr("\\*?", *s);

		str_append(buf, size, len, plain ? "%c" : "\\x%02x", (u8)*s);
	}
}

static int push(struct mon_walk *w, const char *name, bool dir)
{
	size_t n = strlen(name);

	if (w->len + n + 2 > sizeof(w->path))
		return -E2BIG;
	memcpy(w->path + w->len, name, n + 1);
	w->len += n;
	if (dir)
		str_copy(w->path + w->len++, "/", 2);
	return 0;
}

static void cut(struct mon_walk *w, size_t len)
{
	w->len = len;
	w->path[len] = '\0';
}

/* arg unescaped into w->path; -E2BIG. */
static int spell_out(struct mon_walk *w, const char *arg, const char *end)
{
	bool literal;

	cut(w, 0);
	if (arg >= end || *arg != '/') {
		cut(w, 1);
		w->path[0] = '/';
	}
	while (arg < end) {
		if (w->len + 2 > sizeof(w->path))
			return -E2BIG;
		w->path[w->len] = (char)mon_char(&arg, &literal);
		cut(w, w->len + 1);
	}
	return 0;
}

static const char *skip_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

static int visit(struct mon_walk *w, u32 mode)
{
	int err = 0;

	if (mon_is_dir(mode) && w->path[w->len - 1] != '/')
		err = push(w, "", true);
	return err ? err : w->visit(w, mode);
}

/* rest: what follows the directory w->path.  Counts in *n what was visited. */
static int expand(struct mon_walk *w, const char *rest, u32 depth, u32 *n)
{
	const struct mon_tree *t = w->tree;
	const char *pat = skip_slashes(rest), *end = pat, *next;
	size_t base = w->len;
	struct mon_entry e;
	int err = 0;

	while (*end && *end != '/')
		end++;
	next = skip_slashes(end);
	if (depth > MON_DEPTH_MAX)
		return -E2BIG;
	for (u32 i = 0; !err && !t->entry(t->ctx, w->path, i, &e); i++) {
		if (!mon_match(pat, end, e.name) || (*end && !mon_is_dir(e.mode)))
			continue;
		err = push(w, e.name, mon_is_dir(e.mode));
		if (!err && *next) {
			err = expand(w, next, depth + 1, n);
		} else if (!err) {
			(*n)++;
			err = w->visit(w, e.mode);
		}
		cut(w, base);
	}
	return err;
}

int mon_expand(struct mon_walk *w, const char *arg)
{
	u32 mode, n = 0;
	int err = spell_out(w, arg, arg + strlen(arg));

	if (err)
		return err;
	/* A name may hold what looks like a pattern: the file goes first. */
	if (!w->tree->stat(w->tree->ctx, w->path, &mode))
		return visit(w, mode);
	if (!strchr(arg, '*') && !strchr(arg, '?'))
		return -ENOENT;
	str_copy(w->path, "/", sizeof(w->path));
	w->len = 1;
	err = expand(w, arg, 0, &n);
	return err || n ? err : -ENOENT;
}

static int subtree(struct mon_walk *w, u32 depth)
{
	const struct mon_tree *t = w->tree;
	size_t base = w->len;
	struct mon_entry e;
	int err = 0;

	if (depth > MON_DEPTH_MAX)
		return -E2BIG;
	for (u32 i = 0; !err && !t->entry(t->ctx, w->path, i, &e); i++) {
		bool dir = mon_is_dir(e.mode);

		err = push(w, e.name, dir);
		if (!err)
			err = dir ? subtree(w, depth + 1) : w->visit(w, e.mode);
		cut(w, base);
	}
	return err;
}

int mon_subtree(struct mon_walk *w)
{
	return subtree(w, 0);
}

int mon_candidates(struct mon_walk *w, const char *word,
		   void (*found)(void *ctx, const char *name, bool dir), void *ctx)
{
	const char *slash = strrchr(word, '/'), *last = slash ? slash + 1 : word;
	char prefix[MON_NAME_MAX + 1], name[4 * MON_NAME_MAX + 1];
	struct mon_entry e;
	bool literal;
	size_t n = 0;
	int err = spell_out(w, word, last);

	if (err)
		return err;
	while (*last && n < MON_NAME_MAX)
		prefix[n++] = (char)mon_char(&last, &literal);
	if (*last)
		return -ENOENT;
	for (u32 i = 0; !w->tree->entry(w->tree->ctx, w->path, i, &e); i++) {
		size_t len = 0;

		if (strncmp(e.name, prefix, n))
			continue;
		name[0] = '\0';
		mon_escape(name, sizeof(name), &len, e.name);
		found(ctx, name, mon_is_dir(e.mode));
	}
	return 0;
}
