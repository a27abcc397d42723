// SPDX-License-Identifier: MIT
/* Histograms of the last dump as small plots. */
#include "tools/nestbed/report.h"

#include <string.h>

#include "tools/nestbed/stats_model.h"

#define PLOTS_MAX	40	/* a machine has a histogram for each of its vCPUs */
#define BARS_MAX	64
#define BAR_STEP	9	/* pixels */
#define PLOT_HEIGHT	60

static struct stats_dump *dump_of(const struct run_model *m)
{
	struct stats_dump *d = stats_dump_new(m->stats.seq, m->stats.us);
	const char *line = sb_str(&m->stats.text);

	for (; *line; line += line[strcspn(line, "\n")] == '\n') {
		size_t n = strcspn(line, "\n");

		/* The model took it for good; what is none is not drawn. */
		if (stats_dump_add_line(d, line, n))
			d->lost++;
		line += n;
	}
	return d;
}

static u64 highest_of(const struct stats_hist *h)
{
	u64 highest = 1;

	for (size_t i = 0; i < h->n; i++)
		highest = MAX(highest, h->bucket[i].count);
	return highest;
}

/* A bar for each bucket that is not empty; its numbers show under the pointer. */
static void add_bars(struct strbuf *out, const struct stats_hist *h)
{
	size_t n = MIN(h->n, (size_t)BARS_MAX);
	double highest = (double)highest_of(h);

	sb_printf(out, "<svg class=\"plot\" width=\"%zu\" height=\"%d\" role=\"img\">",
		  n * BAR_STEP, PLOT_HEIGHT);
	for (size_t i = 0; i < n; i++) {
		const struct stats_bucket *b = &h->bucket[i];
		double high = MAX((double)b->count / highest * PLOT_HEIGHT, 1.0);

		sb_printf(out, "<rect x=\"%zu\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"><title>"
			       "from %llu: %llu</title></rect>", i * BAR_STEP, PLOT_HEIGHT - high,
			  BAR_STEP - 1, high, (unsigned long long)b->low,
			  (unsigned long long)b->count);
	}
	sb_puts(out, "</svg>");
	if (n)
		sb_printf(out, "<br/><span class=\"dim\">%llu to %llu and above</span>",
			  (unsigned long long)h->bucket[0].low,
			  (unsigned long long)h->bucket[n - 1].low);
}

static void add_row(struct strbuf *out, const struct stats_node *n, const struct stats_hist *h)
{
	sb_puts(out, "<tr><td class=\"id\">");
	sb_xml(out, n->path);
	sb_printf(out, "</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
		       "<td class=\"n\">%llu</td><td class=\"n\">%llu</td><td>",
		  (unsigned long long)h->count, (unsigned long long)h->p50,
		  (unsigned long long)h->p90, (unsigned long long)h->p99);
	sb_xml(out, h->unit);
	sb_puts(out, "</td><td>");
	add_bars(out, h);
	sb_puts(out, "</td></tr>\n");
}

void report_hist(const struct run_model *m, struct strbuf *out)
{
	struct stats_dump *d = dump_of(m);
	size_t shown = 0, more = 0;

	for (size_t i = 1; i < d->n; i++) {
		struct stats_hist h;

		if (!stats_is_hist(d, &d->node[i]))
			continue;
		stats_hist_read(d, &d->node[i], &h);
		if (h.count && shown < PLOTS_MAX) {
			if (!shown++)
				sb_puts(out, "<h2>Histograms</h2>\n<div class=\"wide\">\n<table>\n"
					     "<tr><th>statistic</th><th class=\"n\">samples</th>"
					     "<th class=\"n\">p50</th><th class=\"n\">p90</th>"
					     "<th class=\"n\">p99</th><th>unit</th>"
					     "<th>samples by size</th></tr>\n");
			add_row(out, &d->node[i], &h);
		} else if (h.count) {
			more++;
		}
		stats_hist_free(&h);
	}
	if (shown)
		sb_puts(out, "</table>\n</div>\n");
	if (more)
		sb_printf(out, "<p class=\"dim\">and %zu more in stats.txt</p>\n", more);
	stats_dump_put(d);
}
