// SPDX-License-Identifier: MIT
#include "core/mon/log.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mon/line.h"

#define HISTORY_SIZE	(16 * 1024)
#define GUEST_PREFIX_MAX 16
/* Between two looks at half lines; of the guest that somebody types at. */
#define PARTIAL_POLL_US	10000
#define LIVE_POLL_US	1000
#define NO_OWNER	0u
#define UNKNOWN_OWNER	~0u

/*
 * Attempts before a lock is taken by force: its holder must have died in a way
 * that nobody noticed.  Seconds on hardware, far beyond any real line.
 */
#define LOCK_PATIENCE	(1u << 26)

static struct {
	u32 owner;			/* NO_OWNER, UNKNOWN_OWNER or CPU + 1 */
	bool panic;
	bool open;			/* log_raw wrote to the current line */
	enum log_level level;
	struct log_sink *sinks;
	u32 (*cpu_id)(void);
	/* Valid while the lock is held. */
	char raw[LINE_MAX + 1];
	char out[LINE_MAX + 1];
	/* The last lines, each ended by '\n', as a ring: [tail, head). */
	u64 head, tail;
	char history[HISTORY_SIZE];
	struct guest_line guest[LOG_MAX_GUESTS];
	u32 partial;			/* guests with half a line, a bit each */
	u32 attached;			/* guest that somebody types at, or LOG_NO_GUEST */
	u64 poll_us;			/* when half lines are looked at next */
	/* The guest whose half line is the open line, and that line so far. */
	const struct guest_line *live;
	u32 live_len;
	char live_text[GUEST_PREFIX_MAX + 2 * GUEST_LINE_MAX + 1];
} lg = { .level = LOG_INFO, .attached = LOG_NO_GUEST };

/*
 * Interrupts stay off while the lock is held, as a handler that prints would
 * wait for the code that it interrupted.  The compiler's flag intrinsics keep
 * this file free of hardware (in a host test IF cannot change).
 */
static u64 log_lock(void)
{
	u64 flags = __builtin_ia32_readeflags_u64();
	u32 me = lg.cpu_id ? lg.cpu_id() + 1 : UNKNOWN_OWNER;

	__builtin_ia32_writeeflags_u64(flags & ~(u64)BIT(9));
	for (u32 i = 0; i < LOCK_PATIENCE && !READ_ONCE(lg.panic); i++) {
		u32 expected = NO_OWNER;

		if (__atomic_compare_exchange_n(&lg.owner, &expected, me, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return flags;
		/* A handler on top of our own printing (NMI): goes ahead. */
		if (expected == me && me != UNKNOWN_OWNER)
			break;
		__builtin_ia32_pause();
	}
	__atomic_store_n(&lg.owner, me, __ATOMIC_RELAXED);
	return flags;
}

static void log_unlock(u64 flags)
{
	__atomic_store_n(&lg.owner, NO_OWNER, __ATOMIC_RELEASE);
	__builtin_ia32_writeeflags_u64(flags);
}

void log_panic_mode(void)
{
	WRITE_ONCE(lg.panic, true);
}

void log_abandon(void)
{
	if (lg.cpu_id && READ_ONCE(lg.owner) == lg.cpu_id() + 1)
		__atomic_store_n(&lg.owner, NO_OWNER, __ATOMIC_RELEASE);
}

void log_set_cpu_id(u32 (*fn)(void))
{
	lg.cpu_id = fn;
}

void log_set_level(enum log_level level)
{
	lg.level = level;
}

static char history_at(u64 pos)
{
	return lg.history[pos % HISTORY_SIZE];
}

static void history_add(const char *s, size_t len)
{
	/* Whole lines make room. */
	while (lg.head + len + 1 - lg.tail > HISTORY_SIZE) {
		while (history_at(lg.tail) != '\n')
			lg.tail++;
		lg.tail++;
	}
	for (size_t i = 0; i < len; i++)
		lg.history[lg.head++ % HISTORY_SIZE] = s[i];
	lg.history[lg.head++ % HISTORY_SIZE] = '\n';
}

static void put_raw(const char *s, size_t len)
{
	for (struct log_sink *k = lg.sinks; k; k = k->next)
		if (k->raw)
			k->raw(k->ctx, s, len);
}

static void put_not_raw(const char *s, size_t len)
{
	for (struct log_sink *k = lg.sinks; k; k = k->next)
		if (!k->raw)
			k->line(k->ctx, s, len);
}

/* What comes next is at column 0.  A guest's line goes where half lines could not. */
static void close_line(void)
{
	if (lg.open)
		put_raw("\r\n", 2);
	WRITE_ONCE(lg.open, false);
	if (lg.live) {
		WRITE_ONCE(lg.live, NULL);
		history_add(lg.live_text, lg.live_len);
		put_not_raw(lg.live_text, lg.live_len);
	}
}

/* With the lock held: one finished line to the history and all sinks. */
static void put_line(const char *s, size_t len)
{
	close_line();
	history_add(s, len);
	for (struct log_sink *k = lg.sinks; k; k = k->next)
		k->line(k->ctx, s, len);
}

void log_add_sink(struct log_sink *sink)
{
	static const char lost[] = "# (earlier lines are lost)";
	u64 flags = log_lock();
	size_t n = 0;

	if (lg.tail > 0)
		sink->line(sink->ctx, lost, sizeof(lost) - 1);
	for (u64 pos = lg.tail; pos < lg.head; pos++) {
		char c = history_at(pos);

		if (c != '\n' && n < LINE_MAX) {
			lg.out[n++] = c;
			continue;
		}
		sink->line(sink->ctx, lg.out, n);
		n = 0;
	}
	sink->next = lg.sinks;
	lg.sinks = sink;
	log_unlock(flags);
}

void log_raw(const char *s, size_t len)
{
	u64 flags = log_lock();

	if (lg.live)
		close_line();
	put_raw(s, len);
	WRITE_ONCE(lg.open, true);
	log_unlock(flags);
}

bool log_raw_open(void)
{
	return READ_ONCE(lg.open) && !READ_ONCE(lg.live);
}

void log_raw_end(const char *text)
{
	u64 flags = log_lock();

	close_line();
	put_not_raw(text, MIN(strlen(text), (size_t)LINE_MAX));
	log_unlock(flags);
}

/* With the lock held: prefix and escaped text as one line. */
static void put_prefixed(const char *prefix, const char *s, size_t len)
{
	size_t n = str_copy(lg.out, prefix, sizeof(lg.out));

	n += line_escape(lg.out + n, sizeof(lg.out) - n, s, len);
	put_line(lg.out, n);
}

static void emit_prefixed(void *ctx, const char *s, size_t len)
{
	put_prefixed(ctx, s, len);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = {
		[LOG_ERR] = "# error: ", [LOG_WARN] = "# warning: ",
		[LOG_INFO] = "# ", [LOG_DEBUG] = "# debug: ",
	};
	va_list ap;
	u64 flags;

	if (level > lg.level)
		return;
	flags = log_lock();
	va_start(ap, fmt);
	nb_vsnprintf(lg.raw, sizeof(lg.raw), fmt, ap);
	va_end(ap);
	line_split(lg.raw, emit_prefixed, (void *)(uintptr_t)prefix[level]);
	log_unlock(flags);
}

static void vprefixed(const char *prefix, const char *fmt, va_list ap)
{
	u64 flags = log_lock();

	nb_vsnprintf(lg.raw, sizeof(lg.raw), fmt, ap);
	put_prefixed(prefix, lg.raw, strlen(lg.raw));
	log_unlock(flags);
}

void machine_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprefixed("@nestbed ", fmt, ap);
	va_end(ap);
}

void ktap_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprefixed("", fmt, ap);
	va_end(ap);
}

static size_t guest_prefix(char *dst, const struct guest_line *g)
{
	return (size_t)nb_snprintf(dst, GUEST_PREFIX_MAX, "vm%u| ", (u32)(g - lg.guest));
}

static void live_add(const char *s)
{
	size_t len = strlen(s);

	put_raw(s, len);
	memcpy(lg.live_text + lg.live_len, s, len);
	lg.live_len += (u32)len;
}

/* Half a line of the guest that somebody types at, or what it adds to that. */
static void emit_live(void *ctx, const char *line)
{
	if (lg.live != ctx || lg.live_len + strlen(line) > GUEST_PREFIX_MAX + GUEST_LINE_MAX) {
		close_line();
		lg.live_len = (u32)guest_prefix(lg.live_text, ctx);
		put_raw(lg.live_text, lg.live_len);
		WRITE_ONCE(lg.live, ctx);
		WRITE_ONCE(lg.open, true);
	}
	live_add(line);
}

static void emit_guest(void *ctx, const char *line)
{
	char prefix[GUEST_PREFIX_MAX];

	if (lg.live == ctx) {
		live_add(line);
		close_line();
		return;
	}
	guest_prefix(prefix, ctx);
	put_prefixed(prefix, line, strlen(line));
}

static void note_partial(const struct guest_line *g)
{
	u32 bit = (u32)BIT(g - lg.guest);

	WRITE_ONCE(lg.partial, g->len ? lg.partial | bit : lg.partial & ~bit);
}

/* A guest's buffer belongs to the CPU that runs it, but lines are shared. */
void guest_putc(u32 vm_id, u8 c)
{
	struct guest_line *g;
	u64 flags;

	if (vm_id >= LOG_MAX_GUESTS || READ_ONCE(lg.panic))
		return;
	g = &lg.guest[vm_id];
	flags = log_lock();
	/* As in guest_line_putc: text behind a bare CR starts a line. */
	if (lg.live == g && g->cr && c != '\r' && c != '\n' && !g->len)
		close_line();
	guest_line_putc(g, c, emit_guest, g);
	/* The end of a line that was shown to its last byte. */
	if (lg.live == g && c == '\n')
		close_line();
	note_partial(g);
	log_unlock(flags);
}

void guest_console_poll(u64 now_us)
{
	u64 flags;

	if (!READ_ONCE(lg.partial) || now_us < READ_ONCE(lg.poll_us) || READ_ONCE(lg.panic))
		return;
	flags = log_lock();
	WRITE_ONCE(lg.poll_us, now_us + (lg.attached == LOG_NO_GUEST ? PARTIAL_POLL_US :
								       LIVE_POLL_US));
	for (u32 i = 0; i < LOG_MAX_GUESTS; i++) {
		struct guest_line *g = &lg.guest[i];

		if (i == lg.attached)
			guest_line_break(g, emit_live, g);
		else if (guest_line_idle(g, now_us))
			guest_line_break(g, emit_guest, g);
		note_partial(g);
	}
	log_unlock(flags);
}

void guest_console_limit(u32 vm_id, u64 bytes)
{
	if (vm_id < LOG_MAX_GUESTS)
		WRITE_ONCE(lg.guest[vm_id].limit, (u32)MIN(bytes, (u64)~0u));
}

void log_attach_guest(u32 vm_id)
{
	u64 flags = log_lock();

	if (lg.live)
		close_line();
	lg.attached = vm_id;
	log_unlock(flags);
}

void guest_console_end(u32 vm_id)
{
	struct guest_line *g;
	u64 flags;

	if (vm_id >= LOG_MAX_GUESTS)
		return;
	g = &lg.guest[vm_id];
	flags = log_lock();
	/* Unless there is more of it. */
	if (lg.live == g && !g->len)
		close_line();
	guest_line_end(g, emit_guest, g);
	note_partial(g);
	log_unlock(flags);
}

static void diag_emit(void *ctx, const char *line)
{
	log_printf(LOG_WARN, "%s", line);
}

const struct diag log_diag = { diag_emit, NULL };
