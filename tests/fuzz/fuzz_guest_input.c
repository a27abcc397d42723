// SPDX-License-Identifier: MIT
/*
 * Guests that come and go while bytes are typed for them: a stream of
 * operations, checked against a plain list.  No guest may get a byte that was
 * not typed for it, twice, or out of order; Ctrl-] is never a guest's.
 */
#include <stdlib.h>
#include <string.h>

#include "core/lib/log.h"
#include "core/mon/guest_input.h"
#include "core/mon/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GUESTS	4

static struct {
	bool open;
	size_t n;
	u8 byte[CONSOLE_IN_SIZE];
} model[GUESTS];
static u32 attached;

static struct {
	const u8 *p, *end;
} input;

static int input_getc(void *ctx)
{
	return input.p < input.end ? *input.p++ : -EAGAIN;
}

static void model_put(u32 id, u8 c)
{
	if (model[id].n < CONSOLE_IN_SIZE)
		model[id].byte[model[id].n++] = c;
}

static void feed(const u8 *p, size_t n, u64 now)
{
	enum guest_input_key key;
	size_t taken;

	input.p = p;
	input.end = p + n;
	key = guest_input_feed(input_getc, NULL, now);
	taken = (size_t)(input.p - p);
	if (attached == LOG_NO_GUEST) {
		if (key != (n ? GUEST_KEY_MONITOR : GUEST_KEY_NONE) || taken != (n != 0))
			abort();
		return;
	}
	for (size_t i = 0; i < taken; i++) {
		if (p[i] == CONSOLE_IN_ESCAPE) {
			if (key != GUEST_KEY_ESCAPE || i + 1 != taken)
				abort();
			attached = LOG_NO_GUEST;
			return;
		}
		model_put(attached, p[i]);
	}
	if (key != GUEST_KEY_NONE)
		abort();
}

static void take(u32 id)
{
	int c = guest_console_getc(id);

	if (!model[id].open || !model[id].n) {
		if (c != -EAGAIN)
			abort();
		return;
	}
	if (c != model[id].byte[0])
		abort();
	memmove(model[id].byte, model[id].byte + 1, --model[id].n);
}

static void type(u32 id, u32 n)
{
	char text[CONSOLE_IN_SIZE + 2];
	int want = !model[id].open ? -ENOENT :
		   n + 1 > CONSOLE_IN_SIZE - model[id].n ? -ENOSPC : 0;

	memset(text, 't', n);
	text[n] = '\0';
	if (guest_input_type(id, text) != want)
		abort();
	for (u32 i = 0; !want && i < n; i++)
		model_put(id, 't');
	if (!want)
		model_put(id, '\r');
}

static void open_close(u32 id, bool open)
{
	if (open) {
		/* As the owner does: a number is used again once it is free. */
		guest_input_close(id);
		guest_input_open(id, "guest");
	} else {
		guest_input_close(id);
	}
	if (attached == id)
		attached = LOG_NO_GUEST;
	model[id].open = open;
	model[id].n = 0;
}

static void attach(u32 id)
{
	if (guest_input_attach(id) != (model[id].open ? 0 : -ENOENT))
		abort();
	if (model[id].open)
		attached = id;
}

static void check_list(void)
{
	struct guest_input_info info;
	size_t n = 0, open = 0;

	for (u32 i = 0; i < GUESTS; i++)
		open += model[i].open;
	for (; guest_input_running(n, &info); n++)
		if (info.vm_id >= GUESTS || !model[info.vm_id].open ||
		    info.waiting != model[info.vm_id].n ||
		    info.attached != (attached == info.vm_id))
			abort();
	if (n != open || (guest_input_due_us(1) == ~0ULL) != !open)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u64 now = 1;

	memset(model, 0, sizeof(model));
	attached = LOG_NO_GUEST;
	for (u32 i = 0; i < LOG_MAX_GUESTS; i++)
		guest_input_close(i);
	for (size_t i = 0; i + 1 < size; i += 2) {
		u32 id = data[i] % GUESTS, arg = data[i + 1];
		size_t n = MIN((size_t)arg, size - i - 2);

		now += 100000;
		switch (data[i] / GUESTS % 8) {
		case 0:
			open_close(id, arg & 1);
			break;
		case 1:
			attach(id);
			break;
		case 2:
			type(id, arg * 4);
			break;
		case 3:
		case 4:
			take(id);
			break;
		default:
			feed(data + i + 2, n, now);
			i += n;
		}
		check_list();
	}
	return 0;
}
