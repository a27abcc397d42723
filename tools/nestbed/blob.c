// SPDX-License-Identifier: MIT
#include "tools/nestbed/blob.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/base64.h"
#include "core/lib/crc32.h"

/* What a line has room for. */
#define LINE_BYTES_MAX	(SERIAL_LINE_MAX / 4 * 3)

void blob_init(struct blob_reader *b, struct run_model *m,
	       void (*whole)(void *ctx, const char *file, const char *data, size_t len), void *ctx)
{
	*b = (struct blob_reader){ .m = m, .whole = whole, .ctx = ctx };
}

/* The first thing that is wrong is the one that is told. */
__printf(2, 3) static void wrong(struct blob_reader *b, const char *fmt, ...)
{
	va_list ap;

	if (*b->why)
		return;
	va_start(ap, fmt);
	vsnprintf(b->why, sizeof(b->why), fmt, ap);
	va_end(ap);
}

/* The name is that of a file: nothing of it may come from elsewhere. */
static void take_name(struct blob_reader *b, const char *guest)
{
	size_t n = 0;

	for (; guest && guest[n] && n < BLOB_NAME_MAX; n++) {
		char c = guest[n];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || (n && strchr("_.+-", c));

		b->guest[n] = ok ? c : '_';
	}
	b->guest[n] = '\0';
	if (!n)
		snprintf(b->guest, sizeof(b->guest), "guest");
}

/* A name for the block that is whole; NULL: there are too many. */
static const char *file_name(struct blob_reader *b)
{
	char *name = xasprintf("%s.save", b->guest);

	for (size_t i = 0, k = 2; i < b->names; i++) {
		if (strcmp(b->name[i], name))
			continue;
		free(name);
		name = xasprintf("%s-%zu.save", b->guest, k++);
		i = (size_t)-1;
	}
	if (b->names == BLOB_NAMES_MAX) {
		free(name);
		return NULL;
	}
	b->name[b->names++] = name;
	return name;
}

static void hand_on(struct blob_reader *b)
{
	const char *file = file_name(b);

	b->failed[0] = '\0';
	if (!file) {
		model_note(b->m, "saved guest %s: not kept, there are %d already", b->guest,
			   BLOB_NAMES_MAX);
		return;
	}
	model_note(b->m, "saved guest %s: %zu bytes, in %s", b->guest, b->data.len, file);
	b->whole(b->ctx, file, b->data.s, b->data.len);
}

/* The block is over, in whatever way. */
static void close_block(struct blob_reader *b)
{
	char more[60] = "";

	if (b->wrong > 1)
		snprintf(more, sizeof(more), " (%llu lines in all)", (unsigned long long)b->wrong);
	if (*b->why) {
		snprintf(b->failed, sizeof(b->failed), "saved guest %s, block %llu: %s%s", b->guest,
			 (unsigned long long)b->seq, b->why, more);
		model_note(b->m, "%s; type send to have it sent again", b->failed);
	} else {
		hand_on(b);
	}
	sb_free(&b->data);
	b->open = false;
}

static bool take_number(const struct serial_event *ev, const char *key, u64 *out)
{
	const char *s = serial_value(ev, key);

	return s && !decimal_u64(s, out);
}

static bool take_hex(const char *s, size_t n, u32 *out)
{
	char *end, digits[9];

	if (n != 8 || strspn(s, "0123456789abcdef") < 8)
		return false;
	memcpy(digits, s, 8);
	digits[8] = '\0';
	*out = (u32)strtoul(digits, &end, 16);
	return !*end;
}

static void on_begin(struct blob_reader *b, const struct serial_event *ev)
{
	if (b->open) {
		wrong(b, "it has no end");
		close_block(b);
	}
	b->open = true;
	b->next = 1;
	b->wrong = 0;
	b->why[0] = '\0';
	b->seq = b->bytes = 0;
	take_name(b, serial_value(ev, "guest"));
	if (!take_number(ev, "seq", &b->seq) || !take_number(ev, "bytes", &b->bytes) || !b->bytes)
		wrong(b, "its begin line is damaged");
}

/* "CRC BASE64" behind the number: the bytes, when they are those that left. */
static s64 take_bytes(const char *s, u8 *out)
{
	size_t n = strcspn(s, " ");
	s64 len;
	u32 crc;

	if (!take_hex(s, n, &crc) || s[n] != ' ')
		return -EINVAL;
	s += n + 1;
	len = base64_decode(s, strlen(s), out);
	return len > 0 && crc32_update(0, out, (size_t)len) == crc ? len : -EINVAL;
}

/* False: it is not the one that should come. */
static bool in_order(struct blob_reader *b, u64 number)
{
	if (number < b->next) {
		wrong(b, "line %llu comes twice", (unsigned long long)number);
		return false;
	}
	if (number > b->next) {
		wrong(b, "line %llu is missing", (unsigned long long)b->next);
		b->wrong += number - b->next;
	}
	b->next = number + 1;
	return true;
}

static void on_data(struct blob_reader *b, const struct serial_event *ev)
{
	u8 bytes[LINE_BYTES_MAX];
	u64 number;
	s64 len;

	/* What has no begin was told when the begin line was lost: nothing came. */
	if (!b->open)
		return;
	if (decimal_u64(ev->word[0], &number) || number > b->bytes) {
		wrong(b, "behind line %llu is a damaged one", (unsigned long long)b->next - 1);
		return;
	}
	if (!in_order(b, number))
		return;
	len = take_bytes(ev->word[1], bytes);
	if (len < 0) {
		wrong(b, "line %llu is damaged", (unsigned long long)number);
		b->wrong++;
	} else if (b->data.len + (u64)len > b->bytes) {
		wrong(b, "it has more than its %llu bytes", (unsigned long long)b->bytes);
	} else if (!*b->why) {
		sb_add(&b->data, (const char *)bytes, (size_t)len);
	}
}

static void check_end(struct blob_reader *b, const struct serial_event *ev)
{
	const char *sum = serial_value(ev, "crc32");
	u64 seq, lines;
	u32 crc;

	if (!take_number(ev, "seq", &seq) || !take_number(ev, "lines", &lines) || !sum ||
	    !take_hex(sum, strlen(sum), &crc) || seq != b->seq || lines > b->bytes ||
	    lines + 1 < b->next) {
		wrong(b, "its end line does not fit");
		return;
	}
	if (!in_order(b, lines + 1))
		return;
	if (b->data.len != b->bytes)
		wrong(b, "it has %zu bytes instead of %llu", b->data.len,
		      (unsigned long long)b->bytes);
	else if (crc32_update(0, b->data.s, b->data.len) != crc)
		wrong(b, "the crc32 differs");
}

static void on_end(struct blob_reader *b, const struct serial_event *ev)
{
	if (!b->open) {
		take_name(b, NULL);
		snprintf(b->why, sizeof(b->why), "its begin line is missing");
		b->seq = b->wrong = 0;
		(void)take_number(ev, "seq", &b->seq);
	} else {
		check_end(b, ev);
	}
	close_block(b);
}

/* Nobody wants it any more: no file, and no problem of the run. */
static void on_abort(struct blob_reader *b, const struct serial_event *ev)
{
	u64 lines = 0;

	(void)take_number(ev, "lines", &lines);
	if (b->open)
		model_note(b->m, "saved guest %s, block %llu: stopped behind line %llu", b->guest,
			   (unsigned long long)b->seq, (unsigned long long)lines);
	sb_free(&b->data);
	b->open = false;
}

void blob_event(struct blob_reader *b, const struct serial_event *ev)
{
	/* A line that may have been cut is none; a machine that resets sends no more. */
	if (ev->partial)
		return;
	if (ev->type == SERIAL_BLOB_BEGIN)
		on_begin(b, ev);
	else if (ev->type == SERIAL_BLOB)
		on_data(b, ev);
	else if (ev->type == SERIAL_BLOB_END)
		on_end(b, ev);
	else if (ev->type == SERIAL_BLOB_ABORT)
		on_abort(b, ev);
}

void blob_finish(struct blob_reader *b)
{
	if (b->open) {
		wrong(b, "it has no end");
		close_block(b);
	}
	if (*b->failed)
		model_problem(b->m, "%s", b->failed);
	for (size_t i = 0; i < b->names; i++)
		free(b->name[i]);
	b->names = 0;
}
