// SPDX-License-Identifier: MIT
#include "tools/nestbed/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cjson/cJSON.h>

/* 64-bit numbers are written in full: cJSON's doubles would round them. */
static void add_u64(cJSON *o, const char *key, u64 v)
{
	char text[24];
	size_t at = sizeof(text);

	text[--at] = '\0';
	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	cJSON_AddRawToObject(o, key, text + at);
}

/* Absent rather than null: readers test for the key. */
static void add_text(cJSON *o, const char *key, const char *text)
{
	if (text)
		cJSON_AddStringToObject(o, key, text);
}

static void add_run(cJSON *root, const struct run_facts *f)
{
	cJSON *run = cJSON_AddObjectToObject(root, "run");

	add_text(run, "about", f->about);
	add_text(run, "source", f->source);
	add_text(run, "command", f->command);
	add_text(run, "started", f->started);
	cJSON_AddNumberToObject(run, "seconds", f->seconds);
	add_text(run, "stopped", f->stopped);
}

/* info is a list: a name may occur many times, as for PCI devices. */
static void add_inventory(cJSON *root, const struct run_model *m)
{
	cJSON *begin = cJSON_AddObjectToObject(root, "begin");
	cJSON *info = cJSON_AddArrayToObject(root, "info");

	for (size_t i = 0; i < m->nbegin; i++) {
		if (!cJSON_GetObjectItemCaseSensitive(begin, m->begin[i].name))
			add_text(begin, m->begin[i].name, m->begin[i].text);
	}
	for (size_t i = 0; i < m->ninfo; i++) {
		cJSON *o = cJSON_CreateObject();

		add_text(o, "key", m->info[i].name);
		add_text(o, "text", m->info[i].text);
		cJSON_AddItemToArray(info, o);
	}
}

static void add_counts(cJSON *root, const struct run_model *m)
{
	cJSON *counts = cJSON_AddObjectToObject(root, "counts");

	for (int r = RESULT_PASS; r < RESULT_NR; r++)
		add_u64(counts, result_name((enum test_result)r), m->count[r]);
	if (m->has_plan)
		add_u64(root, "plan", m->plan);
}

static void add_tests(cJSON *root, const struct run_model *m)
{
	cJSON *tests = cJSON_AddArrayToObject(root, "tests");

	for (size_t i = 0; i < m->ntests; i++) {
		const struct test_case *t = &m->test[i];
		cJSON *o = cJSON_CreateObject();

		add_text(o, "id", t->id);
		add_text(o, "result", result_name(t->result));
		add_text(o, "reason", t->reason);
		add_text(o, "ref", t->ref);
		if (t->has_us)
			add_u64(o, "us", t->us);
		cJSON_AddItemToArray(tests, o);
	}
}

/* The first one of a name counts: JSON keys are unique. */
static void add_measurement(cJSON *to, const struct bench *b)
{
	cJSON *o;

	if (cJSON_GetObjectItemCaseSensitive(to, b->name))
		return;
	o = cJSON_AddObjectToObject(to, b->name);
	add_u64(o, "min", b->min);
	add_u64(o, "median", b->median);
	add_u64(o, "max", b->max);
	add_text(o, "unit", b->unit);
}

static void add_bench(cJSON *root, const struct run_model *m)
{
	cJSON *bench = cJSON_AddObjectToObject(root, "bench");

	for (size_t i = 0; i < m->nbench; i++)
		add_measurement(bench, &m->bench[i]);
}

static void add_messages(cJSON *root, const char *key, const struct messages *list)
{
	cJSON *a = cJSON_AddArrayToObject(root, key);

	for (size_t i = 0; i < list->n; i++)
		cJSON_AddItemToArray(a, cJSON_CreateString(list->text[i]));
}

/* Writes it out and deletes it. */
static void print_json(cJSON *root, struct strbuf *out)
{
	char *text = cJSON_Print(root);

	sb_puts(out, text ? text : "{}");
	sb_puts(out, "\n");
	cJSON_free(text);
	cJSON_Delete(root);
}

void report_bench_json(const struct bench_row *row, size_t n, struct strbuf *out)
{
	cJSON *root = cJSON_CreateObject();

	for (size_t i = 0; i < n; i++) {
		cJSON *machine = cJSON_GetObjectItemCaseSensitive(root, row[i].machine);

		if (!machine)
			machine = cJSON_AddObjectToObject(root, row[i].machine);
		add_measurement(machine, &row[i].bench);
	}
	print_json(root, out);
}

void report_json(const struct report *r, struct strbuf *out)
{
	const struct run_model *m = r->m;
	cJSON *root = cJSON_CreateObject();
	cJSON *stats;

	add_text(root, "format", "nestbed-report-1");
	add_text(root, "machine", facts_machine(r->f));
	add_text(root, "verdict", verdict_name(m->verdict));
	add_u64(root, "exit", m->verdict);
	add_run(root, r->f);
	add_inventory(root, m);
	add_counts(root, m);
	add_messages(root, "problems", &m->problems);
	add_messages(root, "notes", &m->notes);
	add_tests(root, m);
	add_bench(root, m);
	stats = cJSON_AddObjectToObject(root, "stats");
	add_u64(stats, "blocks", m->stats_good);
	add_u64(stats, "damaged", m->stats_damaged);
	add_u64(stats, "lines", m->stats.lines);
	print_json(root, out);
}

/* A copy that is clean even if someone edited the file; NULL when it is no string. */
static char *take_text(const cJSON *o, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	return s ? clean_dup(s, strlen(s)) : NULL;
}

int facts_from_json(struct run_facts *f, const char *json)
{
	cJSON *root = cJSON_Parse(json);
	const cJSON *run = cJSON_GetObjectItemCaseSensitive(root, "run");
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(run, "seconds");

	*f = (struct run_facts){ 0 };
	if (!cJSON_IsObject(run)) {
		cJSON_Delete(root);
		return -EINVAL;
	}
	f->machine = take_text(root, "machine");
	f->about = take_text(run, "about");
	f->source = take_text(run, "source");
	f->command = take_text(run, "command");
	f->started = take_text(run, "started");
	f->stopped = take_text(run, "stopped");
	f->seconds = cJSON_IsNumber(seconds) ? seconds->valuedouble : 0;
	cJSON_Delete(root);
	return 0;
}
