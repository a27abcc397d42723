// SPDX-License-Identifier: MIT
/*
 * Any accesses at any times at the 8254, and states from outside.  Counters are
 * those of a model that moves by single CLK pulses, the interrupt line has an
 * edge when OUT has, and the state is one that can be restored.
 */
#include <stdlib.h>
#include <string.h>

#include "core/dev/vpit.h"
#include "tests/unit/pit_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The model is slow. */
#define MAX_CLKS	30000

static struct bus bus[3];
static struct vpit pit[3];	/* two that take turns; what is asked without a trace */
static struct pit_model model[3];
static struct dev_env env, env_probe;
static int cur;
static u64 now, clk;
static bool line, modelled;
static u32 rises;

static u64 get_now(void *ctx)
{
	return now;
}

static void set_irq(void *ctx, u8 irq, bool level)
{
	if (irq || level == line)
		abort();
	line = level;
	rises += level;
}

static void set_irq_probe(void *ctx, u8 irq, bool level)
{
}

static void rearm(void *ctx)
{
}

static u8 in(int dev, u16 port)
{
	u32 val = 0;

	bus_io(&bus[dev], port, 1, true, &val);
	return (u8)val;
}

static void out(int dev, u16 port, u8 v)
{
	u32 val = v;

	bus_io(&bus[dev], port, 1, false, &val);
}

static void compare(u8 ch)
{
	const struct pit_model *m = &model[ch];
	struct vpit_channel *c = &pit[2].s.ch[ch];

	pit[2].s = pit[cur].s;
	c->latched = c->status_latched = c->read_high = 0;
	c->latch = c->status = 0;
	out(2, 0x43, 0xe0 | (u8)(2 << ch));
	if (in(2, 0x40 + ch) != (m->control | m->out << 7 | m->null << 6))
		abort();
	if (!m->loaded || m->load)
		return;
	if (m->control >> 4 != 2 && in(2, 0x40 + ch) != (pit_model_read(m) & 0xff))
		abort();
	if (m->control >> 4 != 1 && in(2, 0x40 + ch) != pit_model_read(m) >> 8)
		abort();
}

static void check(bool rose)
{
	u64 next = vpit_next(&pit[cur]);

	if (vpit_state_check(&pit[cur].s) || line != pit[cur].s.line)
		abort();
	if (next <= now)
		abort();
	if (!modelled)
		return;
	if (rises != rose)
		abort();
	for (u8 ch = 0; ch < 3; ch++)
		compare(ch);
}

static void pass(u32 clks)
{
	u32 before = model[0].rises;

	if (clks > MAX_CLKS - clk)
		clks = (u32)(MAX_CLKS - clk);
	for (u32 i = 0; modelled && i < clks; i++)
		for (u8 ch = 0; ch < 3; ch++)
			pit_model_clk(&model[ch]);
	clk += clks;
	now = pit_model_ns(clk);
	rises = 0;
	vpit_tick(&pit[cur], now);
	check(model[0].rises != before);
}

static void write_port(u8 port, u8 val)
{
	u32 before = model[0].rises;
	u8 ch = val >> 6;

	rises = 0;
	out(cur, port == 4 ? 0x61 : 0x40 + port, val);
	if (port == 4)
		pit_model_gate(&model[2], val & 1);
	else if (port < 3)
		pit_model_write(&model[port], val);
	else if (ch < 3 && (val & 0x30))
		pit_model_control(&model[ch], val);
	/* The line may have been held high when OUT rises. */
	if (rises && model[0].rises == before && modelled)
		abort();
	rises = 0;
	check(false);
}

/* A state that the check lets through; there is no model of it. */
static void poke(u8 at, u8 val)
{
	struct vpit_state s = pit[cur].s;

	((u8 *)&s)[at % sizeof(s)] = val;
	if (vpit_state_check(&s))
		return;
	pit[cur].s = s;
	line = s.line;
	modelled = false;
	vpit_tick(&pit[cur], now);
}

static void step(const u8 *op)
{
	switch (op[0] % 8) {
	case 0:
	case 1:
		write_port(op[0] / 8 % 5, op[1]);
		break;
	case 2:
		in(cur, op[1] % 5 == 4 ? 0x61 : 0x40 + op[1] % 5);
		break;
	case 3:
	case 4:
		pass(op[1]);
		break;
	case 5:
		pass(op[1] * 64u);
		break;
	case 6:
		/* Within a CLK nothing changes. */
		now += op[1];
		if (now >= pit_model_ns(clk + 1))
			now = pit_model_ns(clk + 1) - 1;
		pass(0);
		break;
	default:
		if (op[0] & 0x80) {
			poke(op[1], op[0] >> 3);
			break;
		}
		pit[!cur].s = pit[cur].s;
		cur = !cur;
		break;
	}
}

/* The power-on state is that after control word 0x30. */
static void start(void)
{
	env = (struct dev_env){ .now = get_now, .set_irq = set_irq, .rearm = rearm };
	env_probe = (struct dev_env){ .now = get_now, .set_irq = set_irq_probe, .rearm = rearm };
	cur = 0;
	now = clk = 0;
	line = false;
	modelled = true;
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 3; i++) {
		bus_init(&bus[i]);
		if (vpit_init(&pit[i], &bus[i], i == 2 ? &env_probe : &env))
			abort();
		model[i].gate = i != 2;
		pit_model_control(&model[i], 0x30);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	for (; size >= 2; data += 2, size -= 2)
		step(data);
	return 0;
}
