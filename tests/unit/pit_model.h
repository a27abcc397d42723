/* SPDX-License-Identifier: MIT */
/*
 * One counter of an 82C54, moved by one CLK pulse at a time as the data sheet
 * tells it.  core/dev/vpit.c computes the same from the time that has passed;
 * tests compare the two.
 */
#ifndef TESTS_UNIT_PIT_MODEL_H
#define TESTS_UNIT_PIT_MODEL_H

#include <string.h>

#include "core/lib/base.h"

struct pit_model {
	u8 control, mode;
	bool gate, out, null;
	bool load;		/* the next CLK loads the counting element */
	bool loaded;
	bool half;		/* the first of two bytes is written */
	u8 low;
	u32 cr, ce;		/* count register (0: none), counting element */
	bool done;		/* one-shot modes: terminal count was reached */
	bool high;		/* mode 3 */
	u32 left;		/* CLKs of this half-cycle */
	u32 rises;		/* of OUT */
};

static inline void pit_model_out(struct pit_model *m, bool out)
{
	m->rises += out && !m->out;
	m->out = out;
}

static inline u32 pit_model_top(const struct pit_model *m)
{
	return m->control & 1 ? 10000 : 65536;
}

static inline void pit_model_control(struct pit_model *m, u8 val)
{
	bool gate = m->gate, out = m->out;
	u32 rises = m->rises;

	memset(m, 0, sizeof(*m));
	m->gate = gate;
	m->out = out;
	m->rises = rises;
	m->control = val & 0x3f;
	m->mode = val >> 1 & 7;
	if (m->mode > 5)
		m->mode -= 4;
	m->null = true;
	pit_model_out(m, m->mode != 0);
}

static inline void pit_model_count(struct pit_model *m, u32 val)
{
	if (m->control & 1)
		val = (val & 15) + 10 * (val >> 4 & 15) + 100 * (val >> 8 & 15) +
		      1000 * (val >> 12);
	m->cr = val ? val : pit_model_top(m);
	m->null = true;
	switch (m->mode) {
	case 0:
		m->load = true;
		pit_model_out(m, false);
		break;
	case 2:
	case 3:
		/* Counting: at the end of the cycle. */
		if (!m->loaded)
			m->load = true;
		break;
	case 4:
		m->load = true;
		pit_model_out(m, true);
		break;
	default:
		break;
	}
}

static inline void pit_model_write(struct pit_model *m, u8 val)
{
	switch (m->control >> 4) {
	case 1:
		pit_model_count(m, val);
		return;
	case 2:
		pit_model_count(m, (u32)val << 8);
		return;
	default:
		break;
	}
	if (m->half) {
		m->half = false;
		pit_model_count(m, (u32)val << 8 | m->low);
		return;
	}
	m->half = true;
	m->low = val;
	if (m->mode == 0)
		pit_model_out(m, false);
}

static inline void pit_model_gate(struct pit_model *m, bool gate)
{
	bool rises = gate && !m->gate;

	m->gate = gate;
	if (m->mode == 2 || m->mode == 3) {
		if (!gate)
			pit_model_out(m, true);
		else if (rises && m->cr)
			m->load = true;
	} else if ((m->mode == 1 || m->mode == 5) && rises && m->cr) {
		m->load = true;
		if (m->mode == 5)
			pit_model_out(m, true);
	}
}

/* Mode 3: the half-cycle with OUT high, or low, begins. */
static inline void pit_model_half(struct pit_model *m, bool high)
{
	m->null = false;
	m->high = high;
	m->left = high ? (m->cr + 1) / 2 : m->cr / 2;
	m->ce = m->cr & ~1u;
	if (!m->left) {
		m->high = true;
		m->left = 1;
	}
	pit_model_out(m, m->high);
}

static inline void pit_model_load(struct pit_model *m)
{
	m->load = false;
	m->loaded = true;
	m->null = false;
	m->done = false;
	m->ce = m->cr;
	if (m->mode == 1)
		pit_model_out(m, false);
	else if (m->mode == 2)
		pit_model_out(m, !m->gate || m->ce != 1);
	else if (m->mode == 3)
		pit_model_half(m, true);
}

static inline void pit_model_one_shot(struct pit_model *m)
{
	bool strobe = m->mode > 3;

	m->ce = (m->ce ? m->ce : pit_model_top(m)) - 1;
	if (m->done) {
		pit_model_out(m, true);
	} else if (!m->ce) {
		m->done = true;
		pit_model_out(m, !strobe);
	}
}

static inline void pit_model_periodic(struct pit_model *m)
{
	if (m->mode == 3) {
		m->ce -= 2;
		if (!--m->left)
			pit_model_half(m, !m->high);
		return;
	}
	if (m->ce == 1) {
		m->ce = m->cr;
		m->null = false;
	} else {
		m->ce--;
	}
	pit_model_out(m, m->ce != 1);
}

static inline void pit_model_clk(struct pit_model *m)
{
	if (m->load) {
		pit_model_load(m);
		return;
	}
	if (!m->loaded || (!m->gate && m->mode != 1 && m->mode != 5))
		return;
	if (m->mode == 0 && m->half)
		return;
	if (m->mode == 2 || m->mode == 3)
		pit_model_periodic(m);
	else
		pit_model_one_shot(m);
}

/* The count as it is read; meaningless before it is loaded. */
static inline u16 pit_model_read(const struct pit_model *m)
{
	u32 v = m->ce;

	if (!(m->control & 1))
		return (u16)v;
	return (u16)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12);
}

/* The first guest time of CLK n. */
static inline u64 pit_model_ns(u64 n)
{
	return (u64)(((unsigned __int128)n * 1000000000 + 1193181) / 1193182);
}

#endif
