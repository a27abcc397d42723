/* SPDX-License-Identifier: MIT */
/*
 * The two command lines that a person writes: the kernel's (a list of
 * key=value words) and a module's, which says how to run it as a guest.
 */
#ifndef CORE_LIB_CMDLINE_H
#define CORE_LIB_CMDLINE_H

#include "core/lib/base.h"
#include "core/lib/diag.h"

#define CMDLINE_MAX		2048	/* longer ones are cut, with a warning */
#define CMDLINE_LIST_MAX	64
#define GUEST_NAME_MAX		64
#define GUEST_CPUS_MAX		32
#define GUEST_MODULES_MAX	8

/* Patterns for glob_match, in the order given. */
struct name_list {
	u32 count;
	const char *item[CMDLINE_LIST_MAX];
};

/* Does any pattern of the list match?  An empty list matches nothing. */
bool name_list_match(const struct name_list *list, const char *name);

enum run_mode {
	RUN_ALL,		/* tests, then guests */
	RUN_TESTS,
	RUN_GUESTS,
	RUN_MONITOR,
	RUN_BENCH,
};

enum on_end {
	ON_END_POWEROFF,
	ON_END_REBOOT,
	ON_END_HALT,
	ON_END_MONITOR,
};

enum guests_run {
	GUESTS_SERIAL,		/* one after the other */
	GUESTS_PARALLEL,	/* all at once */
};

#define STATS_OFF	0ULL
#define STATS_AT_END	(~0ULL)
#define TIMEOUT_OFF	0ULL
#define MIGRATE_OFF	0ULL

/* Points into itself: pass it by address, never copy it. */
struct nb_options {
	struct name_list tests;		/* empty: the default selection */
	struct name_list skip;
	struct name_list guests;	/* empty: all */
	u64 guests_run;			/* enum guests_run */
	u64 mode;			/* enum run_mode */
	u64 stats;			/* period in seconds, or STATS_* */
	u64 timeout;			/* seconds per test, or TIMEOUT_OFF */
	u64 watchdog;			/* 0: tests run without one */
	u64 migrate;			/* every N-th exit, or MIGRATE_OFF */
	u64 migrate_memory;		/* 1: the guest's memory, too */
	u64 seed;			/* of random tests; valid if has_seed */
	u64 has_seed;
	u64 on_end;			/* enum on_end */
	u64 loglevel;			/* 0 error, 1 warn, 2 info, 3 debug */
	const char *profile;		/* "" when not given */
	const char *console;		/* "" when not given */
	const char *console_in;		/* guest that has the line from its start, or "" */
	char text[CMDLINE_MAX];
};

/*
 * Fills o with the defaults, then with what cmdline (may be NULL) says.
 * Never fails: an unknown word or a bad value is a message to d, and the
 * default or the earlier value stays.  A repeated key: the last one counts,
 * lists grow.  A first word that looks like the file name which some boot
 * loaders put there is passed over.
 */
void cmdline_parse(const char *cmdline, struct nb_options *o, const struct diag *d);

enum guest_nested {
	GUEST_NESTED_DEFAULT,	/* whatever the machine has */
	GUEST_NESTED_OFF,
	GUEST_NESTED_SVM,
	GUEST_NESTED_VMX,
};

/* Names of other modules. */
struct guest_names {
	u32 count;
	char name[GUEST_MODULES_MAX][GUEST_NAME_MAX];
};

/* NAME[:key=value,...] ARGS... */
struct guest_options {
	char name[GUEST_NAME_MAX];	/* [A-Za-z0-9_.+-], no directory */
	char initrd[GUEST_NAME_MAX];	/* another module's name, or "" */
	struct guest_names modules;	/* handed on to a multiboot kernel, in this order */
	u64 mem;			/* bytes, multiple of 4 KiB; 0: default */
	u64 cpus;			/* 1..GUEST_CPUS_MAX */
	u64 nested;			/* enum guest_nested */
	u64 expect;			/* value at port 0xf4; valid if has_expect */
	u64 has_expect;
	u64 timeout;			/* seconds, 0: as for tests */
	u64 tsc_khz;			/* of its TSC; 0: as the machine */
	u64 output;			/* bytes that its console may print; 0: default */
	const char *args;		/* points into the parsed string */
};

/*
 * Parses the command line of module number index (named "moduleN" when the
 * line is empty).  Returns 0, or -EINVAL after a message to d that names the
 * guest and the reason; g->name is set in any case.
 */
int __must_check guest_options_parse(const char *cmdline, unsigned int index,
				     struct guest_options *g, const struct diag *d);

/* Is the module of that name one that g hands on?  Then it is no guest itself. */
bool guest_options_use(const struct guest_options *g, const char *name);

#endif
