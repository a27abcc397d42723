// SPDX-License-Identifier: MIT
/*
 * A saved guest on its way over a bad line.  The first byte chooses: 0, the rest
 * is the line as it came; else the rest is a guest's bytes, which the image's own
 * code sends, and its end says what the line does to them.  What comes whole is
 * what was sent, and how the line is cut up changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mon/blob.h"
#include "core/mon/log.h"
#include "tools/nestbed/blob.h"

#define CHANGES		4	/* bytes of each, from the input's end */

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct strbuf sent;
static const u8 *guest;		/* NULL: anything may come */
static size_t guest_size, came;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void take(void *ctx, const char *s, size_t len)
{
	sb_add(&sent, s, len);
	sb_puts(&sent, "\r\n");
}

static void whole(void *ctx, const char *file, const char *data, size_t len)
{
	check(*file && *file != '.' && !strchr(file, '/') && len);
	check(!guest || (len == guest_size && !memcmp(data, guest, len)));
	came++;
}

static void event(void *ctx, const struct serial_event *ev)
{
	blob_event(ctx, ev);
}

/* How many came whole; told says whether there was a complaint. */
static size_t read_line(const char *s, size_t n, size_t piece, bool *told)
{
	struct serial_parser *p = xcalloc(1, sizeof(*p));
	struct blob_reader *b = xcalloc(1, sizeof(*b));
	struct run_model m;

	came = 0;
	model_init(&m);
	blob_init(b, &m, whole, NULL);
	serial_init(p, event, b);
	for (size_t at = 0; at < n; at += piece)
		serial_feed(p, s + at, MIN(piece, n - at));
	serial_finish(p);
	blob_finish(b);
	check(m.problems.n <= 1);
	*told = m.problems.n;
	model_free(&m);
	free(b);
	free(p);
	return came;
}

/* A byte away, another one, one more, or the rest of a line. */
static void disturb(const u8 *how)
{
	size_t at = sent.len ? (how[0] | (size_t)how[1] << 8) % sent.len : 0;
	char *end = memchr(sent.s + at, '\n', sent.len - at);
	size_t n = how[2] & 3 ? 1 : (size_t)(end ? end - (sent.s + at) : 1);

	if ((how[2] & 3) == 1) {
		sent.s[at] = (char)how[3];
	} else if ((how[2] & 3) == 2) {
		sent.s[at] ^= (char)(1 << how[3] % 8);
	} else if (n && sent.len) {
		memmove(sent.s + at, sent.s + at + n, sent.len - at - n);
		sent.len -= n;
	}
}

static bool never(void *ctx)
{
	return false;
}

static void over_a_line(const u8 *data, size_t size, u8 n)
{
	bool told;
	u64 lines;

	n = (u8)MIN((size_t)n, size / CHANGES);
	guest = data;
	guest_size = size - (size_t)n * CHANGES;
	if (!guest_size)
		return;
	check(!blob_send(guest, guest_size, 1, "x", never, NULL, &lines));
	check(read_line(sent.s, sent.len, 7, &told) == 1 && !told);
	for (u8 i = 0; i < n; i++)
		disturb(data + guest_size + (size_t)i * CHANGES);
	/* Several can take away both its ends, and then there is nothing to tell. */
	check(read_line(sent.s, sent.len, 61, &told) || told || n > 1);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct log_sink sink = { .line = take };
	static bool added;
	bool told, told_again;
	size_t n;

	if (!added)
		log_add_sink(&sink);
	added = true;
	if (!size)
		return 0;
	sent.len = 0;
	if (data[0]) {
		over_a_line(data + 1, size - 1, data[0] % 5);
		return 0;
	}
	guest = NULL;
	n = read_line((const char *)data + 1, size - 1, size, &told);
	check(n == read_line((const char *)data + 1, size - 1, 1 + size % 61, &told_again));
	check(told == told_again);
	return 0;
}
