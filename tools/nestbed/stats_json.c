// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_write.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

/* As digits: a double has no room for 64 bits. */
static void add_u64(cJSON *obj, const char *key, u64 v)
{
	char text[24];

	stats_value_text(&(struct stats_value){ .magnitude = v }, text, sizeof(text));
	cJSON_AddRawToObject(obj, key, text);
}

static void add_value(cJSON *obj, const struct stats_value *v)
{
	static const char mode[2][5] = { "0644", "0444" };
	char text[64];

	stats_value_text(v, text, sizeof(text));
	cJSON_AddRawToObject(obj, "value", text);
	cJSON_AddStringToObject(obj, "unit", v->unit);
	cJSON_AddStringToObject(obj, "aggregate", stats_kind_name(v->kind));
	cJSON_AddStringToObject(obj, "mode", mode[stats_value_mode(v) == 0444]);
	if (v->flags & STATS_INSTANT)
		cJSON_AddTrueToObject(obj, "instant");
	if (v->flags & STATS_REVOKED)
		cJSON_AddTrueToObject(obj, "revoked");
	if (v->flags & STATS_EMPTY)
		cJSON_AddTrueToObject(obj, "empty");
}

static void add_hist(cJSON *obj, const struct stats_dump *d, const struct stats_node *n)
{
	cJSON *hist = cJSON_AddObjectToObject(obj, "histogram");
	cJSON *list;
	struct stats_hist h;

	stats_hist_read(d, n, &h);
	add_u64(hist, "count", h.count);
	cJSON_AddStringToObject(hist, "unit", h.unit);
	add_u64(hist, "p50", h.p50);
	add_u64(hist, "p90", h.p90);
	add_u64(hist, "p99", h.p99);
	list = cJSON_AddArrayToObject(hist, "buckets");
	for (size_t i = 0; i < h.n; i++) {
		cJSON *b = cJSON_CreateObject();

		add_u64(b, "from", h.bucket[i].low);
		add_u64(b, "count", h.bucket[i].count);
		cJSON_AddItemToArray(list, b);
	}
	stats_hist_free(&h);
}

static cJSON *node_object(const struct stats_dump *d, const struct stats_node *n, const bool *keep)
{
	cJSON *obj = cJSON_CreateObject(), *sub;

	if (n->has_value && keep[n - d->node])
		add_value(obj, &n->value);
	if (n->nlabels) {
		sub = cJSON_AddObjectToObject(obj, "labels");
		for (size_t i = 0; i < n->nlabels; i++)
			cJSON_AddStringToObject(sub, n->label[i].key, n->label[i].value);
	}
	if (stats_is_hist(d, n)) {
		add_hist(obj, d, n);
		return obj;
	}
	if (!n->child)
		return obj;
	sub = cJSON_AddObjectToObject(obj, "children");
	for (n = stats_first(d, n); n; n = stats_next(d, n)) {
		if (keep[n - d->node])
			cJSON_AddItemToObject(sub, n->name, node_object(d, n, keep));
	}
	return obj;
}

void stats_json(const struct stats_dump *d, const struct stats_view *v, struct strbuf *out)
{
	bool *keep = stats_select(d, v);
	cJSON *top = cJSON_CreateObject(), *list;
	char *text;

	cJSON_AddStringToObject(top, "format", "nestbed-stats-1");
	add_u64(top, "seq", d->seq);
	add_u64(top, "us", d->us);
	add_u64(top, "values", d->values);
	cJSON_AddBoolToObject(top, "damaged", d->damaged);
	add_u64(top, "lost", d->lost);
	list = cJSON_AddArrayToObject(top, "messages");
	for (size_t i = 0; i < d->messages.n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(d->messages.text[i]));
	cJSON_AddItemToObject(top, "root", node_object(d, d->node, keep));
	text = cJSON_Print(top);
	sb_puts(out, text ? text : "");
	sb_puts(out, "\n");
	free(text);
	cJSON_Delete(top);
	free(keep);
}
