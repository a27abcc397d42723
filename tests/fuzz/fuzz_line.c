// SPDX-License-Identifier: MIT
/*
 * What a guest sends to its console, and any text as console= option.  No
 * input may put a control byte on the wire or pass the limits.
 */
#include <stdlib.h>
#include <string.h>

#include "core/mon/console.h"
#include "core/mon/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
	size_t wire, lines;
};

static void check_line(void *ctx, const char *line)
{
	struct count *c = ctx;
	size_t n = strlen(line);

	if (n > GUEST_LINE_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			abort();
	c->wire += n;
	c->lines++;
}

static void guest_console(const uint8_t *data, size_t size)
{
	struct guest_line g = { .limit = size ? 1 + data[0] * 16u : 0 };
	u32 limit = g.limit ? g.limit : GUEST_OUTPUT_LIMIT;
	struct count c = { 0, 0 };
	u64 now = 0;

	for (size_t i = 0; i < size; i++) {
		/* Time goes by. */
		if (data[i] != 0xf5)
			guest_line_putc(&g, data[i], check_line, &c);
		else if (guest_line_idle(&g, now += GUEST_IDLE_US / 2))
			guest_line_break(&g, check_line, &c);
	}
	guest_line_end(&g, check_line, &c);
	/* One line and the notes about dropped bytes may pass the limit. */
	if (c.wire > limit + GUEST_LINE_MAX + 2 * 64 || c.lines > limit / 8 + 4)
		abort();
}

static void console_option(const uint8_t *data, size_t size)
{
	struct console_config c, old;
	char text[128];

	size = MIN(size, sizeof(text) - 1);
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&c, 0x5a, sizeof(c));
	old = c;
	if (console_parse(text, &c, NULL)) {
		if (memcmp(&c, &old, sizeof(c)))
			abort();
		return;
	}
	if (c.baud && 115200 % c.baud)
		abort();
	if (c.kind == CONSOLE_PCI && (c.dev > 31 || c.fn > 7))
		abort();
	if (c.kind == CONSOLE_IO && (!c.addr || c.addr > 0xfff8))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[64];

	guest_console(data, size);
	console_option(data, size);
	if (line_escape(out, sizeof(out), (const char *)data, size) != strlen(out))
		abort();
	return 0;
}
