// SPDX-License-Identifier: MIT
#include "core/mon/guest_input.h"

#include "core/lib/cmdline.h"
#include "core/lib/log.h"
#include "core/lib/string.h"
#include "core/mon/log.h"

#define NOBODY		LOG_NO_GUEST
/* Bytes taken at one look: somebody who sends without end must not stop the guests. */
#define FEED_MAX	64
/*
 * How often to look: a UART's 16 bytes take 1.4 ms at 115200 baud, but that
 * they come at this rate shows only when some have come.
 */
#define BUSY_US		1000
#define QUIET_US	10000
#define BUSY_AFTER_US	2000000

struct guest_in {
	bool open;
	u64 full_us;		/* since when bytes had to wait; 0: they have not */
	u64 lost;
	char name[GUEST_NAME_MAX];
	struct console_in queue;
};

static struct {
	u32 attached;
	u64 key_us;		/* when a byte came last */
	const char *want;
	struct guest_in guest[LOG_MAX_GUESTS];
} in = { .attached = NOBODY, .want = "" };

bool console_in_put(struct console_in *q, u8 c)
{
	if (console_in_waiting(q) == CONSOLE_IN_SIZE)
		return false;
	q->buf[q->head % CONSOLE_IN_SIZE] = c;
	__atomic_store_n(&q->head, q->head + 1, __ATOMIC_RELEASE);
	return true;
}

int console_in_get(struct console_in *q)
{
	u8 c;

	if (!console_in_waiting(q))
		return -EAGAIN;
	c = q->buf[q->tail % CONSOLE_IN_SIZE];
	__atomic_store_n(&q->tail, q->tail + 1, __ATOMIC_RELEASE);
	return c;
}

u32 console_in_waiting(const struct console_in *q)
{
	return __atomic_load_n(&q->head, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE);
}

static bool is_open(u32 vm_id)
{
	return vm_id < LOG_MAX_GUESTS && __atomic_load_n(&in.guest[vm_id].open, __ATOMIC_ACQUIRE);
}

static u32 attached(void)
{
	return __atomic_load_n(&in.attached, __ATOMIC_ACQUIRE);
}

static void set_attached(u32 vm_id)
{
	__atomic_store_n(&in.attached, vm_id, __ATOMIC_RELEASE);
	log_attach_guest(vm_id);
}

void guest_input_want(const char *pattern)
{
	in.want = pattern;
}

void guest_input_open(u32 vm_id, const char *name)
{
	struct guest_in *g;

	if (vm_id >= LOG_MAX_GUESTS)
		return;
	g = &in.guest[vm_id];
	memset(g, 0, sizeof(*g));
	str_copy(g->name, name, sizeof(g->name));
	__atomic_store_n(&g->open, true, __ATOMIC_RELEASE);
	if (*in.want && attached() == NOBODY && glob_match(in.want, name))
		set_attached(vm_id);
}

void guest_input_close(u32 vm_id)
{
	if (!is_open(vm_id))
		return;
	__atomic_store_n(&in.guest[vm_id].open, false, __ATOMIC_RELEASE);
	if (attached() == vm_id)
		set_attached(NOBODY);
}

int guest_console_getc(u32 vm_id)
{
	return is_open(vm_id) ? console_in_get(&in.guest[vm_id].queue) : -EAGAIN;
}

bool guest_console_waits(u32 vm_id)
{
	return is_open(vm_id) && console_in_waiting(&in.guest[vm_id].queue);
}

bool guest_input_running(size_t i, struct guest_input_info *info)
{
	for (u32 id = 0; id < LOG_MAX_GUESTS; id++) {
		const struct guest_in *g = &in.guest[id];

		if (!is_open(id) || i--)
			continue;
		*info = (struct guest_input_info){
			.name = g->name, .vm_id = id, .waiting = console_in_waiting(&g->queue),
			.lost = g->lost, .attached = attached() == id,
		};
		return true;
	}
	return false;
}

int guest_input_find(const char *who)
{
	const char *number = strncmp(who, "vm", 2) ? who : who + 2;
	u64 id;

	for (u32 i = 0; i < LOG_MAX_GUESTS; i++)
		if (is_open(i) && !strcmp(in.guest[i].name, who))
			return (int)i;
	if (!parse_u64(number, &id) && id < LOG_MAX_GUESTS && is_open((u32)id))
		return (int)id;
	return -ENOENT;
}

int guest_input_attach(u32 vm_id)
{
	if (!is_open(vm_id))
		return -ENOENT;
	set_attached(vm_id);
	return 0;
}

int guest_input_type(u32 vm_id, const char *text)
{
	struct console_in *q;

	if (!is_open(vm_id))
		return -ENOENT;
	q = &in.guest[vm_id].queue;
	if (strlen(text) + 1 > CONSOLE_IN_SIZE - console_in_waiting(q))
		return -ENOSPC;
	while (*text)
		(void)console_in_put(q, (u8)*text++);
	(void)console_in_put(q, '\r');
	return 0;
}

/* Bytes may be taken from the line: there is room, or there was none for long. */
static bool may_take(struct guest_in *g, u64 now_us)
{
	if (console_in_waiting(&g->queue) < CONSOLE_IN_SIZE) {
		g->full_us = 0;
		return true;
	}
	if (!g->full_us)
		g->full_us = MAX(now_us, (u64)1);
	return now_us >= g->full_us + CONSOLE_IN_PATIENCE_US;
}

enum guest_input_key guest_input_feed(int (*getc)(void *ctx), void *ctx, u64 now_us)
{
	for (u32 i = 0; i < FEED_MAX; i++) {
		u32 id = attached();
		struct guest_in *g = id == NOBODY ? NULL : &in.guest[id];
		int c;

		if (g && !may_take(g, now_us))
			return GUEST_KEY_NONE;
		c = getc(ctx);
		if (c < 0)
			return GUEST_KEY_NONE;
		in.key_us = now_us;
		if (!g)
			return GUEST_KEY_MONITOR;
		if (c == CONSOLE_IN_ESCAPE) {
			set_attached(NOBODY);
			return GUEST_KEY_ESCAPE;
		}
		if (!console_in_put(&g->queue, (u8)c))
			g->lost++;
	}
	return GUEST_KEY_NONE;
}

u64 guest_input_due_us(u64 now_us)
{
	struct guest_input_info info;

	if (!guest_input_running(0, &info))
		return ~0ULL;
	return in.key_us && now_us - in.key_us < BUSY_AFTER_US ? BUSY_US : QUIET_US;
}
