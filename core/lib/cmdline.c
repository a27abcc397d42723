// SPDX-License-Identifier: MIT
#include "core/lib/cmdline.h"

#include "core/lib/nearest.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"

enum opt_type {
	OPT_LIST,		/* struct name_list, comma-separated, grows */
	OPT_POINTER,		/* const char *, into the text */
	OPT_NAME,		/* char[GUEST_NAME_MAX] */
	OPT_NAMES,		/* struct guest_names, separated by '+', grows */
	OPT_NUMBER,		/* u64: one of the words, or min..max */
	OPT_MIGRATE,		/* as OPT_NUMBER; given: ",memory" stands behind it */
	OPT_SIZE,		/* as OPT_NUMBER, with a suffix, whole pages */
};

struct opt_word {
	const char *name;
	u64 value;
};

/* max 0: only the words.  given: offset of a u64 set to 1, or 0 for none. */
struct opt {
	const char *key;
	enum opt_type type;
	size_t offset;
	const struct opt_word *words;
	u64 min, max;
	size_t given;
};

struct opt_table {
	const struct opt *row;
	size_t count;
};

static const struct opt_word mode_words[] = {
	{ "all", RUN_ALL },	    { "tests", RUN_TESTS }, { "guests", RUN_GUESTS },
	{ "monitor", RUN_MONITOR }, { "bench", RUN_BENCH }, { 0 },
};
static const struct opt_word on_end_words[] = {
	{ "poweroff", ON_END_POWEROFF }, { "reboot", ON_END_REBOOT },
	{ "halt", ON_END_HALT },	 { "monitor", ON_END_MONITOR }, { 0 },
};
static const struct opt_word loglevel_words[] = {
	{ "error", 0 }, { "warn", 1 }, { "info", 2 }, { "debug", 3 }, { 0 },
};
static const struct opt_word nested_words[] = {
	{ "svm", GUEST_NESTED_SVM }, { "vmx", GUEST_NESTED_VMX },
	{ "off", GUEST_NESTED_OFF }, { 0 },
};
static const struct opt_word stats_words[] = {
	{ "end", STATS_AT_END }, { "off", STATS_OFF }, { 0 },
};
static const struct opt_word guests_words[] = {
	{ "serial", GUESTS_SERIAL }, { "parallel", GUESTS_PARALLEL }, { 0 },
};
static const struct opt_word switch_words[] = { { "on", 1 }, { "off", 0 }, { 0 } };
static const struct opt_word off_words[] = { { "off", 0 }, { 0 } };

#define O(f) offsetof(struct nb_options, f)
#define G(f) offsetof(struct guest_options, f)

/* clang-format off */
static const struct opt kernel_opts[] = {
	/* key		type		field		words		min	max */
	{ "tests",	OPT_LIST,	O(tests),	NULL,		0,	0, 0 },
	{ "skip",	OPT_LIST,	O(skip),	NULL,		0,	0, 0 },
	{ "guest",	OPT_LIST,	O(guests),	NULL,		0,	0, 0 },
	{ "guests",	OPT_NUMBER,	O(guests_run),	guests_words,	0,	0, 0 },
	{ "mode",	OPT_NUMBER,	O(mode),	mode_words,	0,	0, 0 },
	{ "stats",	OPT_NUMBER,	O(stats),	stats_words,	1,	86400, 0 },
	{ "timeout",	OPT_NUMBER,	O(timeout),	off_words,	1,	86400, 0 },
	{ "watchdog",	OPT_NUMBER,	O(watchdog),	switch_words,	0,	0, 0 },
	{ "migrate",	OPT_MIGRATE,	O(migrate),	off_words,	1,	~0ULL,
	  O(migrate_memory) },
	{ "seed",	OPT_NUMBER,	O(seed),	NULL,		0,	~0ULL,
	  O(has_seed) },
	{ "on-end",	OPT_NUMBER,	O(on_end),	on_end_words,	0,	0, 0 },
	{ "loglevel",	OPT_NUMBER,	O(loglevel),	loglevel_words,	0,	0, 0 },
	{ "profile",	OPT_POINTER,	O(profile),	NULL,		0,	0, 0 },
	{ "console",	OPT_POINTER,	O(console),	NULL,		0,	0, 0 },
	{ "console_in",	OPT_POINTER,	O(console_in),	NULL,		0,	0, 0 },
};

static const struct opt guest_opts[] = {
	/* key		type		field		words		min	max */
	{ "mem",	OPT_SIZE,	G(mem),		NULL,		1 << 20, 1ULL << 40, 0 },
	{ "cpus",	OPT_NUMBER,	G(cpus),	NULL,		1,	GUEST_CPUS_MAX, 0 },
	{ "initrd",	OPT_NAME,	G(initrd),	NULL,		0,	0, 0 },
	{ "modules",	OPT_NAMES,	G(modules),	NULL,		0,	0, 0 },
	{ "nested",	OPT_NUMBER,	G(nested),	nested_words,	0,	0, 0 },
	{ "expect",	OPT_NUMBER,	G(expect),	NULL,		0,	0xffffffff,
	  G(has_expect) },
	{ "timeout",	OPT_NUMBER,	G(timeout),	NULL,		1,	86400, 0 },
	{ "tsc",	OPT_NUMBER,	G(tsc_khz),	NULL,		1000,	60000000, 0 },
	{ "output",	OPT_SIZE,	G(output),	NULL,		4 << 10, 1ULL << 30, 0 },
};
/* clang-format on */

static const struct opt_table kernel_table = { kernel_opts, ARRAY_SIZE(kernel_opts) };
static const struct opt_table guest_table = { guest_opts, ARRAY_SIZE(guest_opts) };

bool name_list_match(const struct name_list *list, const char *name)
{
	u32 i;

	for (i = 0; i < list->count; i++) {
		if (glob_match(list->item[i], name))
			return true;
	}
	return false;
}

static const char *opt_key(void *ctx, size_t i)
{
	const struct opt_table *t = ctx;

	return i < t->count ? t->row[i].key : NULL;
}

/* What a value may be, for the message: "end, off or 1..86400". */
static void describe_allowed(const struct opt *opt, char *buf, size_t size)
{
	const struct opt_word *w;
	size_t len = 0;

	buf[0] = '\0';
	if (opt->type == OPT_LIST)
		str_append(buf, size, &len, "a list of at most %d names", CMDLINE_LIST_MAX);
	if (opt->type == OPT_POINTER)
		str_append(buf, size, &len, "some text");
	if (opt->type == OPT_NAME)
		str_append(buf, size, &len, "a name of at most %d characters", GUEST_NAME_MAX - 1);
	if (opt->type == OPT_NAMES)
		str_append(buf, size, &len, "at most %d names with + between them",
			   GUEST_MODULES_MAX);
	for (w = opt->words; w && w->name; w++)
		str_append(buf, size, &len, "%s%s", len ? ", " : "", w->name);
	if (!opt->max)
		return;
	str_append(buf, size, &len, len ? " or " : "");
	if (opt->type == OPT_SIZE)
		str_append(buf, size, &len, "%llu%c..%lluM in steps of 4K",
			   (unsigned long long)opt->min >> (opt->min >> 20 ? 20 : 10),
			   opt->min >> 20 ? 'M' : 'K', (unsigned long long)opt->max >> 20);
	else if (opt->max == ~0ULL)
		str_append(buf, size, &len, "a number from %llu%s", (unsigned long long)opt->min,
			   opt->type == OPT_MIGRATE ? ", with or without \",memory\"" : "");
	else
		str_append(buf, size, &len, "%llu..%llu", (unsigned long long)opt->min,
			   (unsigned long long)opt->max);
}

static int set_list(struct name_list *list, char *value)
{
	char *p;

	while (value) {
		p = strchr(value, ',');
		if (p)
			*p++ = '\0';
		if (*value && list->count == CMDLINE_LIST_MAX)
			return -EINVAL;
		if (*value)
			list->item[list->count++] = value;
		value = p;
	}
	return 0;
}

/* A name may hold '+' itself: such a module cannot be named here. */
static int set_names(struct guest_names *names, char *value)
{
	while (value) {
		char *next = strchr(value, '+');

		if (next)
			*next++ = '\0';
		if (!*value || strlen(value) >= GUEST_NAME_MAX || names->count == GUEST_MODULES_MAX)
			return -EINVAL;
		str_copy(names->name[names->count++], value, GUEST_NAME_MAX);
		value = next;
	}
	return 0;
}

static int set_number(const struct opt *opt, u64 *out, const char *value)
{
	const struct opt_word *w;
	u64 v;

	for (w = opt->words; w && w->name; w++) {
		if (!strcmp(w->name, value)) {
			*out = w->value;
			return 0;
		}
	}
	if (!opt->max)
		return -EINVAL;
	if (opt->type == OPT_SIZE ? parse_size(value, &v) : parse_u64(value, &v))
		return -EINVAL;
	if (v < opt->min || v > opt->max)
		return -EINVAL;
	if (opt->type == OPT_SIZE && !IS_ALIGNED(v, PAGE_SIZE))
		return -EINVAL;
	*out = v;
	return 0;
}

static int set_migrate(const struct opt *opt, void *base, char *value)
{
	char *more = strchr(value, ',');
	u64 n = 0;

	if (more)
		*more++ = '\0';
	if (set_number(opt, &n, value) || (more && (strcmp(more, "memory") || !n))) {
		/* Whole again, for the message. */
		if (more)
			more[-1] = ',';
		return -EINVAL;
	}
	*(u64 *)((char *)base + opt->offset) = n;
	*(u64 *)((char *)base + opt->given) = more != NULL;
	return 0;
}

static int set_value(const struct opt *opt, void *base, char *value)
{
	char *field = (char *)base + opt->offset;
	int err = 0;

	if (!*value)
		return -EINVAL;
	switch (opt->type) {
	case OPT_LIST:
		return set_list((struct name_list *)field, value);
	case OPT_POINTER:
		*(const char **)field = value;
		break;
	case OPT_NAME:
		if (strlen(value) >= GUEST_NAME_MAX)
			return -EINVAL;
		str_copy(field, value, GUEST_NAME_MAX);
		break;
	case OPT_NAMES:
		return set_names((struct guest_names *)field, value);
	case OPT_MIGRATE:
		return set_migrate(opt, base, value);
	case OPT_NUMBER:
	case OPT_SIZE:
		err = set_number(opt, (u64 *)field, value);
		break;
	}
	if (!err && opt->given)
		*(u64 *)((char *)base + opt->given) = 1;
	return err;
}

/* One key=value of the owner ("command line", "guest x"); word is changed. */
static int set_option(const struct opt_table *t, void *base, char *word,
		      const char *owner, const struct diag *d)
{
	char allowed[100];
	const char *near;
	char *value = strchr(word, '=');
	size_t i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < t->count; i++) {
		if (!strcmp(t->row[i].key, word))
			break;
	}
	if (i == t->count) {
		near = str_nearest(word, opt_key, (void *)t);
		diag_printf(d, "%s: unknown %s \"%.60s\"%s%s%s", owner, value ? "key" : "word",
			    word, near ? ", did you mean \"" : "", near ? near : "",
			    near ? "\"?" : "");
		return -EINVAL;
	}
	if (value && !set_value(&t->row[i], base, value))
		return 0;
	describe_allowed(&t->row[i], allowed, sizeof(allowed));
	diag_printf(d, "%s: %s%s%.40s: must be %s", owner, word, value ? "=" : "",
		    value ? value : " without a value", allowed);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies the command line; one too long is cut at the last blank. */
static void copy_text(char *dst, const char *src, const struct diag *d)
{
	size_t n = strnlen(src, CMDLINE_MAX);

	if (n == CMDLINE_MAX) {
		for (n--; n && !is_blank(src[n]); n--)
			;
		diag_printf(d, "command line: longer than %d bytes, the rest is ignored",
			    CMDLINE_MAX - 1);
	}
	memcpy(dst, src, n);
	dst[n] = '\0';
}

/* QEMU and some versions of GRUB start the line with the image's path. */
static bool is_file_name(const char *word)
{
	if (*word == '/' || *word == '(')
		return true;
	return !strchr(word, '=') && (strchr(word, '/') || strchr(word, '.'));
}

static void set_defaults(struct nb_options *o)
{
	memset(o, 0, sizeof(*o));
	o->mode = RUN_ALL;
	o->stats = STATS_AT_END;
	o->timeout = 20;
	o->watchdog = 1;
	o->on_end = ON_END_POWEROFF;
	o->loglevel = 2;
	o->profile = "";
	o->console = "";
	o->console_in = "";
}

void cmdline_parse(const char *cmdline, struct nb_options *o, const struct diag *d)
{
	char *p = o->text;
	bool first = true;

	set_defaults(o);
	copy_text(o->text, cmdline ? cmdline : "", d);
	while (*p) {
		char *word = p;

		while (*p && !is_blank(*p))
			p++;
		if (*p)
			*p++ = '\0';
		if (!*word)
			continue;
		/* A bad word has been reported; the run goes on without it. */
		if (!first || !is_file_name(word))
			(void)!set_option(&kernel_table, o, word, "command line", d);
		first = false;
	}
}

static bool is_name_char(char c)
{
	char lower = (char)(c | 0x20);

	return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_.+-", c));
}

/* Takes the name out of the first word; returns the text behind it. */
static char *guest_name(char *word, struct guest_options *g, const struct diag *d)
{
	char *name = strrchr(word, '/'), *end;

	name = name ? name + 1 : word;
	for (end = name; is_name_char(*end); end++)
		;
	if (end != name && end - name < GUEST_NAME_MAX) {
		memcpy(g->name, name, end - name);
		g->name[end - name] = '\0';
	}
	if (end != name && end - name < GUEST_NAME_MAX && (!*end || *end == ':'))
		return *end ? end + 1 : end;
	diag_printf(d, "guest \"%.60s\": refused: a name has 1 to %d of the characters "
		    "A-Z a-z 0-9 _ . + -", name, GUEST_NAME_MAX - 1);
	return NULL;
}

bool guest_options_use(const struct guest_options *g, const char *name)
{
	if (*name && !strcmp(g->initrd, name))
		return true;
	for (u32 i = 0; i < g->modules.count; i++)
		if (!strcmp(g->modules.name[i], name))
			return true;
	return false;
}

int guest_options_parse(const char *cmdline, unsigned int index,
			struct guest_options *g, const struct diag *d)
{
	char word[512], owner[GUEST_NAME_MAX + 8];
	const char *end;
	char *p;
	int err = 0;

	memset(g, 0, sizeof(*g));
	g->cpus = 1;
	nb_snprintf(g->name, sizeof(g->name), "module%u", index);
	while (is_blank(*cmdline))
		cmdline++;
	for (end = cmdline; *end && !is_blank(*end); end++)
		;
	for (g->args = end; is_blank(*g->args); g->args++)
		;
	if (end == cmdline)
		return 0;
	nb_snprintf(word, sizeof(word), "%.*s", (int)MIN(end - cmdline, 511), cmdline);
	p = guest_name(word, g, d);
	if (!p || end - cmdline >= (ptrdiff_t)sizeof(word)) {
		diag_printf(p ? d : NULL, "guest %s: refused: options too long", g->name);
		return -EINVAL;
	}
	nb_snprintf(owner, sizeof(owner), "guest %s", g->name);
	while (p && !err) {
		char *next = strchr(p, ',');

		if (next)
			*next++ = '\0';
		if (*p)
			err = set_option(&guest_table, g, p, owner, d);
		p = next;
	}
	return err;
}
