// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/cmdline.h"
#include "tests/unit/capture.h"

static struct nb_options o;
static struct capture cap;

static void parse(const char *line)
{
	memset(&o, 0xaa, sizeof(o));
	cmdline_parse(line, &o, capture_start(&cap));
}

static void test_defaults(void **state)
{
	static const char *const empty[] = { NULL, "", "  ", "/boot/nestbed.elf", "a/b.elf",
					     "nestbed.elf ", "(cd)/x=y" };

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		parse(empty[i]);
		assert_int_equal(cap.lines, 0);
		assert_int_equal(o.tests.count + o.skip.count + o.guests.count, 0);
		assert_int_equal(o.mode, RUN_ALL);
		assert_true(o.stats == STATS_AT_END);
		assert_int_equal(o.timeout, 20);
		assert_int_equal(o.watchdog, 1);
		assert_int_equal(o.migrate, MIGRATE_OFF);
		assert_int_equal(o.has_seed, 0);
		assert_int_equal(o.on_end, ON_END_POWEROFF);
		assert_int_equal(o.loglevel, 2);
		assert_string_equal(o.profile, "");
		assert_string_equal(o.console, "");
		assert_string_equal(o.console_in, "");
		assert_int_equal(o.guests_run, GUESTS_SERIAL);
	}
}

static void test_every_key(void **state)
{
	parse("nestbed.elf tests=svm.*,vmx.* skip=*.slow guest=kut mode=tests stats=5 timeout=7 "
	      "watchdog=off migrate=3 seed=0x10 on-end=halt loglevel=debug profile=quick "
	      "console=io:0x2f8,115200 console_in=linux guests=parallel");
	assert_string_equal(cap.text, "");
	assert_int_equal(o.tests.count, 2);
	assert_string_equal(o.tests.item[0], "svm.*");
	assert_string_equal(o.tests.item[1], "vmx.*");
	assert_int_equal(o.skip.count, 1);
	assert_string_equal(o.skip.item[0], "*.slow");
	assert_string_equal(o.guests.item[0], "kut");
	assert_int_equal(o.mode, RUN_TESTS);
	assert_int_equal(o.stats, 5);
	assert_int_equal(o.timeout, 7);
	assert_int_equal(o.watchdog, 0);
	assert_int_equal(o.migrate, 3);
	assert_int_equal(o.migrate_memory, 0);
	assert_int_equal(o.seed, 16);
	assert_int_equal(o.has_seed, 1);
	assert_int_equal(o.on_end, ON_END_HALT);
	assert_int_equal(o.loglevel, 3);
	assert_string_equal(o.profile, "quick");
	assert_string_equal(o.console, "io:0x2f8,115200");
	assert_string_equal(o.console_in, "linux");
	assert_int_equal(o.guests_run, GUESTS_PARALLEL);
}

static void test_every_word_of_a_value(void **state)
{
	/* clang-format off */
	static const struct { const char *line; size_t offset; u64 value; } rows[] = {
		{ "mode=all",		offsetof(struct nb_options, mode),	RUN_ALL },
		{ "mode=guests",	offsetof(struct nb_options, mode),	RUN_GUESTS },
		{ "mode=monitor",	offsetof(struct nb_options, mode),	RUN_MONITOR },
		{ "mode=bench",		offsetof(struct nb_options, mode),	RUN_BENCH },
		{ "guests=serial",	offsetof(struct nb_options, guests_run), GUESTS_SERIAL },
		{ "on-end=poweroff",	offsetof(struct nb_options, on_end),	ON_END_POWEROFF },
		{ "on-end=reboot",	offsetof(struct nb_options, on_end),	ON_END_REBOOT },
		{ "on-end=monitor",	offsetof(struct nb_options, on_end),	ON_END_MONITOR },
		{ "stats=end",		offsetof(struct nb_options, stats),	STATS_AT_END },
		{ "stats=off",		offsetof(struct nb_options, stats),	STATS_OFF },
		{ "stats=86400",	offsetof(struct nb_options, stats),	86400 },
		{ "timeout=off",	offsetof(struct nb_options, timeout),	TIMEOUT_OFF },
		{ "watchdog=on",	offsetof(struct nb_options, watchdog),	1 },
		{ "migrate=off",	offsetof(struct nb_options, migrate),	MIGRATE_OFF },
		{ "migrate=12,memory",	offsetof(struct nb_options, migrate),	12 },
		{ "migrate=12,memory",	offsetof(struct nb_options, migrate_memory), 1 },
		{ "migrate=12,memory migrate=1",
		  offsetof(struct nb_options, migrate_memory), 0 },
		{ "seed=0",		offsetof(struct nb_options, seed),	0 },
		{ "loglevel=error",	offsetof(struct nb_options, loglevel),	0 },
		{ "loglevel=warn",	offsetof(struct nb_options, loglevel),	1 },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		parse(rows[i].line);
		assert_int_equal(cap.lines, 0);
		assert_true(*(u64 *)((char *)&o + rows[i].offset) == rows[i].value);
	}
}

static void test_repetition(void **state)
{
	parse("tests=a tests=b,,c, timeout=5 timeout=6 timeout=x");
	assert_int_equal(o.tests.count, 3);
	assert_string_equal(o.tests.item[2], "c");
	assert_int_equal(o.timeout, 6);
	assert_one_message(&cap, "timeout=x");
}

static void test_bad_words_are_named(void **state)
{
	/* clang-format off */
	static const struct { const char *line, *message; } rows[] = {
		{ "tset=x",	"command line: unknown key \"tset\", did you mean \"tests\"?" },
		{ "zzzzzz=1",	"command line: unknown key \"zzzzzz\"\n" },
		{ "debug",	"command line: unknown word \"debug\"\n" },
		{ "x a/b",	"unknown word" },
		{ "timeout",	"timeout without a value: must be off or 1..86400" },
		{ "timeout=",	"timeout=: must be off or 1..86400" },
		{ "timeout=0",	"timeout=0: must be off or 1..86400" },
		{ "timeout=86401", "timeout=86401: must be" },
		{ "timeout=-1",	"timeout=-1: must be" },
		{ "stats=never", "stats=never: must be end, off or 1..86400" },
		{ "mode=fast",	"mode=fast: must be all, tests, guests, monitor, bench" },
		{ "mode=0",	"mode=0: must be all" },
		{ "watchdog=1",	"watchdog=1: must be on, off" },
		{ "seed=1K",	"seed=1K: must be a number from 0" },
		{ "seed=18446744073709551616", "must be a number" },
		{ "migrate=0",	"migrate=0: must be off or a number from 1, with or without" },
		{ "migrate=5,mem", "migrate=5,mem: must be off" },
		{ "migrate=off,memory", "migrate=off,memory: must be off" },
		{ "tests=",	"tests=: must be a list of at most 64 names" },
		{ "console=",	"console=: must be some text" },
		{ "on-end=x",	"on-end=x: must be poweroff, reboot, halt, monitor" },
		{ "guests=all",	"guests=all: must be serial, parallel" },
		{ "guest_s=x",	"unknown key \"guest_s\", did you mean \"guests\"?" },
		{ "console-in=x", "did you mean \"console_in\"?" },
		{ "console_in=", "console_in=: must be some text" },
		{ "=x",		"unknown key \"\"" },
		{ "\x01=\xff",	"unknown key \"?\"" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[100];

		if (!strncmp(rows[i].line, "x ", 2)) {
			parse(rows[i].line);
			assert_int_equal(cap.lines, 2);
			continue;
		}
		snprintf(line, sizeof(line), "seed=5 %s migrate=9", rows[i].line);
		parse(line);
		assert_one_message(&cap, rows[i].message);
		/* The words around it are taken. */
		assert_int_equal(o.seed, 5);
		assert_int_equal(o.migrate, 9);
	}
}

static void test_too_long(void **state)
{
	static char line[4000];

	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, "seed=1 tests=", 13);
	parse(line);
	assert_one_message(&cap, "longer than 2047 bytes");
	assert_int_equal(o.seed, 1);
	assert_int_equal(o.tests.count, 0);

	/* Exactly as long as fits. */
	line[CMDLINE_MAX - 1] = 0;
	parse(line);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(strlen(o.tests.item[0]), CMDLINE_MAX - 1 - 13);

	/* No blank to cut at. */
	memset(line, 'a', sizeof(line) - 1);
	parse(line);
	assert_one_message(&cap, "longer than");
}

static void test_list_overflow(void **state)
{
	char line[600] = "tests=", *p = line + 6;

	for (int i = 0; i < CMDLINE_LIST_MAX + 5; i++)
		p += sprintf(p, "t%d,", i);
	parse(line);
	assert_one_message(&cap, "at most 64 names");
	assert_int_equal(o.tests.count, CMDLINE_LIST_MAX);
	assert_string_equal(o.tests.item[63], "t63");
}

static void test_name_list_match(void **state)
{
	parse("tests=svm.*,*.cpuid");
	assert_true(name_list_match(&o.tests, "svm.npt"));
	assert_true(name_list_match(&o.tests, "vmx.cpuid"));
	assert_false(name_list_match(&o.tests, "vmx.npt"));
	assert_false(name_list_match(&o.skip, "vmx.npt"));
}

static void test_guest_good(void **state)
{
	struct guest_options g;
	const char *line = " /tmp/vmlinuz-6.1:mem=64M,cpus=4,initrd=rd,nested=svm,expect=0x21,"
			   "timeout=9,modules=a.bin+b,output=256k,  console=ttyS0 quiet ";

	assert_int_equal(guest_options_parse(line, 3, &g, capture_start(&cap)), 0);
	assert_int_equal(cap.lines, 0);
	assert_string_equal(g.name, "vmlinuz-6.1");
	assert_int_equal(g.mem, 64 << 20);
	assert_int_equal(g.cpus, 4);
	assert_string_equal(g.initrd, "rd");
	assert_int_equal(g.nested, GUEST_NESTED_SVM);
	assert_int_equal(g.expect, 0x21);
	assert_int_equal(g.has_expect, 1);
	assert_int_equal(g.timeout, 9);
	assert_string_equal(g.args, "console=ttyS0 quiet ");
	assert_int_equal(g.modules.count, 2);
	assert_string_equal(g.modules.name[0], "a.bin");
	assert_string_equal(g.modules.name[1], "b");
	assert_int_equal(g.output, 256 << 10);
	assert_true(guest_options_use(&g, "rd"));
	assert_true(guest_options_use(&g, "b"));
	assert_false(guest_options_use(&g, "vmlinuz-6.1"));
	assert_false(guest_options_use(&g, ""));
}

static void test_guest_limits(void **state)
{
	struct guest_options g;

	assert_int_equal(guest_options_parse("a:cpus=32,output=1G", 0, &g, capture_start(&cap)), 0);
	assert_int_equal(g.cpus, GUEST_CPUS_MAX);
	assert_int_equal(g.output, 1 << 30);
	assert_int_equal(g.tsc_khz, 0);
	assert_int_equal(guest_options_parse("a:tsc=2500000", 0, &g, capture_start(&cap)), 0);
	assert_int_equal(g.tsc_khz, 2500000);
	assert_int_equal(guest_options_parse("a:output=4K,modules=1+2+3+4,modules=5+6+7+8", 0, &g,
					     &cap.diag), 0);
	assert_int_equal(g.output, 4096);
	assert_int_equal(g.modules.count, GUEST_MODULES_MAX);
	assert_string_equal(g.modules.name[7], "8");
	assert_int_equal(cap.lines, 0);
}

static void test_guest_defaults(void **state)
{
	struct guest_options g;

	assert_int_equal(guest_options_parse("", 3, &g, capture_start(&cap)), 0);
	assert_string_equal(g.name, "module3");
	assert_string_equal(g.args, "");
	assert_int_equal(guest_options_parse("kut a,b:c=d", 0, &g, &cap.diag), 0);
	assert_string_equal(g.name, "kut");
	assert_string_equal(g.args, "a,b:c=d");
	assert_string_equal(g.initrd, "");
	assert_int_equal(g.mem, 0);
	assert_int_equal(g.cpus, 1);
	assert_int_equal(g.nested, GUEST_NESTED_DEFAULT);
	assert_int_equal(g.has_expect, 0);
	assert_int_equal(g.timeout, 0);
	assert_int_equal(g.output, 0);
	assert_int_equal(g.modules.count, 0);
	/* No initrd, and a module cannot have an empty name. */
	assert_false(guest_options_use(&g, ""));
	assert_int_equal(guest_options_parse("kut:,,nested=off,", 0, &g, &cap.diag), 0);
	assert_int_equal(g.nested, GUEST_NESTED_OFF);
	assert_int_equal(cap.lines, 0);
}

static void test_guest_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *line, *name, *message; } rows[] = {
		{ "a:mem=1G,cpu=2 x", "a", "guest a: unknown key \"cpu\", did you mean \"cpus\"?" },
		{ "a:cpus=0",	"a",	"guest a: cpus=0: must be 1..32" },
		{ "a:cpus=33",	"a",	"guest a: cpus=33: must be 1..32" },
		{ "a:cpus",	"a",	"cpus without a value" },
		{ "a:mem=1000000000001", "a", "mem=1000000000001: must be 1M..1048576M in steps" },
		{ "a:mem=512K",	"a",	"must be 1M" },
		{ "a:mem=2T",	"a",	"must be 1M" },
		{ "a:nested=kvm", "a",	"nested=kvm: must be svm, vmx, off" },
		{ "a:expect=4294967296", "a", "expect=4294967296: must be 0..4294967295" },
		{ "a:initrd=",	"a",	"initrd=: must be a name of at most 63" },
		{ "a:initrd=0123456789012345678901234567890123456789012345678901234567890123",
				"a",	"must be a name" },
		{ "a:tsc=999", "a",	"tsc=999: must be 1000..60000000" },
		{ "a:tsc=60000001", "a", "tsc=60000001: must be 1000..60000000" },
		{ "a:tsc=1G", "a",	"tsc=1G: must be 1000..60000000" },
		{ "a:output=2K", "a",	"output=2K: must be 4K..1024M in steps of 4K" },
		{ "a:output=2G", "a",	"output=2G: must be 4K..1024M" },
		{ "a:modules=x+", "a",	"must be at most 8 names with + between them" },
		{ "a:modules=1+2+3+4+5+6+7+8+9", "a", "must be at most 8 names" },
		{ "a:modules=0123456789012345678901234567890123456789012345678901234567890123",
				"a",	"must be at most 8 names" },
		{ "a:module=x",	"a",	"unknown key \"module\", did you mean \"modules\"?" },
		{ "a:ouput=1M",	"a",	"unknown key \"ouput\", did you mean \"output\"?" },
		{ ":mem=1G",	"module9", "refused: a name has 1 to 63" },
		{ "a\"b",	"a",	"refused: a name has" },
		{ "\xc3\xa4",	"module9", "refused: a name has" },
		{ "0123456789012345678901234567890123456789012345678901234567890123",
				"module9", "refused: a name has" },
	};
	/* clang-format on */
	struct guest_options g;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(guest_options_parse(rows[i].line, 9, &g, capture_start(&cap)),
				 -EINVAL);
		assert_one_message(&cap, rows[i].message);
		assert_string_equal(g.name, rows[i].name);
	}
}

static void test_guest_options_too_long(void **state)
{
	struct guest_options g;
	char line[1000];

	memset(line, ',', sizeof(line));
	memcpy(line, "a:", 2);
	line[sizeof(line) - 1] = 0;
	assert_int_equal(guest_options_parse(line, 0, &g, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "guest a: refused: options too long");
	line[511] = 0;
	assert_int_equal(guest_options_parse(line, 0, &g, capture_start(&cap)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_every_word_of_a_value),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_bad_words_are_named),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_list_overflow),
		cmocka_unit_test(test_name_list_match),
		cmocka_unit_test(test_guest_good),
		cmocka_unit_test(test_guest_limits),
		cmocka_unit_test(test_guest_defaults),
		cmocka_unit_test(test_guest_refused),
		cmocka_unit_test(test_guest_options_too_long),
	};

	return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
