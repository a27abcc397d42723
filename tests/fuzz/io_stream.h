/* SPDX-License-Identifier: MIT */
/*
 * A device on ports, driven by a stream of operations: accesses, steps of
 * time, events, save and restore, states from outside.  Two of them get the
 * same; now and then the second is made anew from the first one's state.
 *
 * They must agree in what they read, in lines, in output, in the next event
 * and in all of their state; a state that came to be passes its check; behind
 * a tick no event is due; lines are low or high as the target says.
 */
#ifndef TESTS_FUZZ_IO_STREAM_H
#define TESTS_FUZZ_IO_STREAM_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define TRUST(cond) do { if (!(cond)) abort(); } while (0)

/* Time stays where no device's sums can wrap. */
#define STREAM_TIME_MAX	(1ULL << 62)

struct stream {
	const u8 *p;
	size_t left;
};

/* The world of one device. */
struct io_world {
	struct bus bus;
	struct dev_env env;
	u64 now;
	u32 lines;		/* irq or gsi */
	u64 output;		/* of bytes sent, mixed */
	bool rearmed;
};

/* dev is a device whose first member is its state. */
struct io_target {
	size_t dev_size, state_size;
	int (*init)(void *dev, struct io_world *w);
	int (*check)(const void *state);
	u64 (*next)(const void *dev);			/* may be NULL */
	void (*tick)(void *dev, u64 now);		/* may be NULL */
	void (*poke)(void *dev, u8 arg);		/* an event from outside; may be NULL */
	bool (*holds)(const void *dev, const struct io_world *w);	/* may be NULL */
	const u16 *ports;
	u8 n_ports;
	const u64 *mmio;
	u8 n_mmio;
};

struct io_pair {
	const struct io_target *t;
	void *dev[2];
	struct io_world w[2];
};

static inline void stream_bytes(struct stream *s, void *buf, size_t n)
{
	size_t have = s->left < n ? s->left : n;

	memset(buf, 0, n);
	memcpy(buf, s->p, have);
	s->p += have;
	s->left -= have;
}

static inline u64 stream_num(struct stream *s, size_t n)
{
	u64 val = 0;

	stream_bytes(s, &val, n);
	return val;
}

static inline u64 world_now(void *ctx)
{
	return ((struct io_world *)ctx)->now;
}

static inline void world_set_line(void *ctx, u8 line, bool level)
{
	struct io_world *w = ctx;

	TRUST(line < 24);
	w->lines = (w->lines & ~(1U << line)) | (u32)level << line;
}

static inline void world_rearm(void *ctx)
{
	((struct io_world *)ctx)->rearmed = true;
}

static inline void world_putc(void *ctx, u8 c)
{
	struct io_world *w = ctx;

	w->output = w->output * 31 + c + 1;
}

static inline void pair_make(struct io_pair *p, int i)
{
	struct io_world *w = &p->w[i];

	memset(p->dev[i], 0, p->t->dev_size);
	bus_init(&w->bus);
	w->env = (struct dev_env){ w, world_now, world_set_line, world_rearm };
	TRUST(p->t->init(p->dev[i], w) == 0);
}

static inline u64 pair_next(struct io_pair *p, int i)
{
	return p->t->next ? p->t->next(p->dev[i]) : DEV_NEVER;
}

static inline void pair_tick(struct io_pair *p)
{
	for (int i = 0; i < 2 && p->t->tick; i++) {
		p->t->tick(p->dev[i], p->w[i].now);
		TRUST(pair_next(p, i) > p->w[i].now);
	}
}

static inline void pair_io(struct io_pair *p, struct stream *s, bool in)
{
	u16 port = p->t->ports[stream_num(s, 1) % p->t->n_ports];
	u8 size = (u8)(1U << stream_num(s, 1) % 3);
	u32 out = in ? 0 : (u32)stream_num(s, size), val[2] = { out, out };
	enum bus_result res[2];

	for (int i = 0; i < 2; i++)
		res[i] = bus_io(&p->w[i].bus, port, size, in, &val[i]);
	TRUST(res[0] == res[1] && val[0] == val[1]);
	TRUST(p->w[0].bus.result == p->w[1].bus.result);
	if (in)
		TRUST(res[0] == BUS_OK && (size == 4 || !(val[0] >> (8 * size))));
}

static inline void pair_mmio(struct io_pair *p, struct stream *s, bool write)
{
	u64 gpa = p->t->mmio[stream_num(s, 1) % p->t->n_mmio] + stream_num(s, 1) - 128;
	u8 size = (u8)(1U << stream_num(s, 1) % 4);
	u64 out = write ? stream_num(s, size) : 0, val[2] = { out, out };

	for (int i = 0; i < 2; i++)
		TRUST(bus_mmio(&p->w[i].bus, gpa, size, write, &val[i]) == BUS_OK);
	TRUST(val[0] == val[1]);
}

static inline void pair_step(struct io_pair *p, u64 now)
{
	if (now >= STREAM_TIME_MAX || now < p->w[0].now)
		return;
	p->w[0].now = p->w[1].now = now;
}

/* The second becomes what the first one is. */
static inline void pair_restore(struct io_pair *p)
{
	TRUST(p->t->check(p->dev[0]) == 0);
	pair_make(p, 1);
	memcpy(p->dev[1], p->dev[0], p->t->state_size);
	p->w[1].bus.result = p->w[0].bus.result;
	p->w[1].lines = p->w[0].lines;
}

/* Bytes from outside, on top of the state that is there. */
static inline void pair_load(struct io_pair *p, struct stream *s)
{
	size_t at = stream_num(s, 2) % p->t->state_size;
	size_t n = stream_num(s, 1) + 1;
	u8 *copy = malloc(p->t->state_size);

	TRUST(copy);
	memcpy(copy, p->dev[0], p->t->state_size);
	if (n > p->t->state_size - at)
		n = p->t->state_size - at;
	stream_bytes(s, copy + at, n);
	if (p->t->check(copy) == 0) {
		memcpy(p->dev[0], copy, p->t->state_size);
		memcpy(p->dev[1], copy, p->t->state_size);
	}
	free(copy);
}

static inline void pair_agrees(struct io_pair *p)
{
	const struct io_world *w = p->w;

	TRUST(w[0].lines == w[1].lines && w[0].output == w[1].output);
	TRUST(pair_next(p, 0) == pair_next(p, 1));
	TRUST(memcmp(p->dev[0], p->dev[1], p->t->state_size) == 0);
	TRUST(p->t->check(p->dev[0]) == 0);
	if (p->t->holds)
		TRUST(p->t->holds(p->dev[0], &w[0]));
}

/* An event that came to be before the timer was set for it must have been told. */
static inline void pair_op(struct io_pair *p, struct stream *s)
{
	u64 next = pair_next(p, 0);
	u8 op = (u8)stream_num(s, 1), arg;
	bool told;

	p->w[0].rearmed = false;
	switch (op & 7) {
	case 0:
	case 1:
		if (op & 8 && p->t->n_mmio)
			pair_mmio(p, s, op & 1);
		else
			pair_io(p, s, op & 1);
		break;
	case 2:
		pair_step(p, p->w[0].now + (stream_num(s, 2) << (op >> 3)));
		return;
	case 3:
		/* Not before its time, then at it. */
		if (next != DEV_NEVER && next > p->w[0].now)
			pair_step(p, next - (op >> 3 & 1));
		pair_tick(p);
		return;
	case 4:
		arg = (u8)stream_num(s, 1);
		for (int i = 0; i < 2 && p->t->poke; i++)
			p->t->poke(p->dev[i], arg);
		break;
	case 5:
		pair_restore(p);
		return;
	case 6:
		pair_load(p, s);
		return;
	default:
		pair_tick(p);
		return;
	}
	told = p->w[0].rearmed || pair_next(p, 0) >= next || pair_next(p, 0) <= p->w[0].now;
	TRUST(told);
}

static inline void io_stream_run(const struct io_target *t, void *a, void *b, const u8 *data,
				 size_t size)
{
	static struct io_pair p;
	struct stream s = { data, size };

	memset(&p, 0, sizeof(p));
	p.t = t;
	p.dev[0] = a;
	p.dev[1] = b;
	pair_make(&p, 0);
	pair_make(&p, 1);
	for (pair_agrees(&p); s.left; pair_agrees(&p))
		pair_op(&p, &s);
}

#endif
