/* SPDX-License-Identifier: MIT */
/* Local APICs in a machine that writes down what they ask of it. */
#ifndef TESTS_UNIT_VLAPIC_BOX_H
#define TESTS_UNIT_VLAPIC_BOX_H

#include "tests/unit/unit.h"

#include "core/dev/vlapic.h"

struct apic_box {
	struct vlapic_env env;
	struct vlapic apic[VLAPIC_MAX];
	struct vlapic *all[VLAPIC_MAX];
	u32 n;
	u64 now, tsc;		/* of every vCPU */
	u32 rearmed;
	u32 n_eoi;
	u8 eoi[8];		/* the last ones, from 0 */
	u32 n_sent;
	struct apic_msg sent;	/* the last one */
	u32 look;		/* what apic_route said to it */
};

static inline u64 box_now(void *ctx)
{
	return ((struct apic_box *)ctx)->now;
}

static inline u64 box_tsc(void *ctx, u32 id)
{
	return ((struct apic_box *)ctx)->tsc;
}

static inline void box_send(void *ctx, struct vlapic *from, const struct apic_msg *m)
{
	struct apic_box *b = ctx;

	b->n_sent++;
	b->sent = *m;
	b->look = apic_route(b->all, b->n, from, m);
}

static inline void box_eoi(void *ctx, u8 vector)
{
	struct apic_box *b = ctx;

	b->eoi[b->n_eoi++ % ARRAY_SIZE(b->eoi)] = vector;
}

static inline void box_rearm(void *ctx, u32 id)
{
	((struct apic_box *)ctx)->rearmed++;
}

/* n APICs as after power-up; the first is the boot processor's. */
static inline void box_init(struct apic_box *b, u32 n)
{
	memset(b, 0, sizeof(*b));
	b->env = (struct vlapic_env){
		.ctx = b, .now = box_now, .tsc = box_tsc, .send = box_send, .eoi = box_eoi,
		.rearm = box_rearm,
	};
	b->n = n;
	for (u32 i = 0; i < n; i++) {
		vlapic_init(&b->apic[i], i, i == 0, &b->env);
		b->all[i] = &b->apic[i];
	}
}

static inline u32 rd(struct vlapic *a, u32 off)
{
	return (u32)vlapic_mmio_read(a, off, 4);
}

static inline void wr(struct vlapic *a, u32 off, u32 val)
{
	vlapic_mmio_write(a, off, 4, val);
}

static inline u64 rdmsr_ok(struct vlapic *a, u32 msr)
{
	u64 val = 0xdeadbeefdeadbeef;

	assert_true(vlapic_msr_read(a, msr, &val));
	return val;
}

static inline void wrmsr_ok(struct vlapic *a, u32 msr, u64 val)
{
	assert_true(vlapic_msr_write(a, msr, val));
}

/* Its base with mode bits EN (2) and EXTD (1), as bits 11:10. */
static inline bool set_mode(struct vlapic *a, u32 mode)
{
	return vlapic_set_base(a, (a->s.base & ~0xc00ULL) | mode << 10, 40);
}

static inline void go_x2apic(struct vlapic *a)
{
	assert_true(set_mode(a, 3));
}

/* Software-enabled, spurious vector 0xff. */
static inline void box_enable(struct apic_box *b)
{
	for (u32 i = 0; i < b->n; i++)
		wr(&b->apic[i], 0xf0, 0x1ff);
}

static inline bool bit_of(const u32 *w, u8 vector)
{
	return w[vector / 32] >> vector % 32 & 1;
}

/* ESR as software reads it: write, then read. */
static inline u32 read_esr(struct vlapic *a)
{
	wr(a, 0x280, 0);
	return rd(a, 0x280);
}

static inline void fixed(struct vlapic *a, u8 vector, bool level)
{
	const struct apic_msg m = { .vector = vector, .level = level };

	assert_true(vlapic_accept(a, &m));
}

#endif
