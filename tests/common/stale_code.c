// SPDX-License-Identifier: MIT
/* What is taken for an INT3 that is gone, and what is not. */
#include "core/mm/pt.h"
#include "core/vm/stale_code.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

GUEST64(c_patched, ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00; hlt");
GUEST64(c_int3, "int3; hlt");
GUEST64(c_int_3, ".byte 0xcd, 0x03; hlt");

#define FRAME		(G_STACK_TOP - 40)
#define FAR_AWAY	0x8000000000ULL	/* not in the guest's tables */

/* As #BP with that return address has just left the guest. */
static void take_bp(struct machine *m, u64 ret, u64 cs)
{
	const u16 *gate = machine_ptr(m, G_IDT + VEC_BP * 16, 16);

	machine_write64(m, FRAME, ret);
	machine_write64(m, FRAME + 8, cs);
	m->v->gpr[VREG_RSP] = FRAME;
	m->v->rip = gate[0] | (u64)gate[3] << 16;
}

/* First sight, and then the second: mended, once. */
static void expect_mended(struct machine *m, u64 ret, u64 cs)
{
	struct test_ctx *t = m->t;
	u64 before = m->v->stat.stale_int3;

	take_bp(m, ret, cs);
	EXPECT_EQ(t, stale_code_look(m->v), STALE_SUSPECT);
	EXPECT_EQ(t, m->v->stat.stale_int3, before);
	EXPECT_EQ(t, stale_code_look(m->v), STALE_MENDED);
	EXPECT_EQ(t, m->v->int3_at, ret - 1);
	EXPECT_EQ(t, m->v->stat.stale_int3, before + 1);
}

static const struct {
	const char *name;
	const struct guest_code *code;
	u64 ret, cs;
	u32 skew;		/* of RIP, to the handler */
} innocent[] = {
	{ "INT3 is there", &c_int3, G_CODE + 1, G_SEL_CODE64, 0 },
	{ "INT 3 is there", &c_int_3, G_CODE + 2, G_SEL_CODE64, 0 },
	{ "not at the handler", &c_patched, G_CODE + 1, G_SEL_CODE64, 1 },
	{ "not mapped", &c_patched, FAR_AWAY, G_SEL_CODE64, 0 },
	{ "no RAM", &c_patched, G_RAM_SIZE + 1, G_SEL_CODE64, 0 },
	{ "ring 3 of a supervisor's page", &c_patched, G_CODE + 1, G_SEL_USER_CODE, 0 },
};

TEST(common, stale_code_innocent, .ref = "APM2 7.6.1, SDM3 9.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_patched);

	machine_idt(m);
	machine_write64(m, G_PD, machine_read64(m, G_PD) & ~(u64)PTE_U);
	for (u32 i = 0; i < ARRAY_SIZE(innocent); i++) {
		test_row(t, innocent[i].name);
		machine_code(m, G_CODE, innocent[i].code);
		take_bp(m, innocent[i].ret, innocent[i].cs);
		m->v->rip += innocent[i].skew;
		EXPECT_EQ(t, stale_code_look(m->v), STALE_NONE);
		EXPECT_EQ(t, stale_code_look(m->v), STALE_NONE);
	}
	EXPECT_EQ(t, m->v->stat.stale_int3, 0);
}

TEST(common, stale_code_mended, .ref = "APM2 7.6.1, SDM3 9.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_patched);
	u64 code = machine_read64(m, G_CODE);
	u32 looks = 0;

	machine_idt(m);
	expect_mended(m, G_CODE + 1, G_SEL_CODE64);
	expect_mended(m, G_CODE + 1, G_SEL_USER_CODE);
	EXPECT_EQ(t, machine_read64(m, G_CODE), code);
	/* Seen at one place, then at another: that counts from there. */
	take_bp(m, G_CODE + 3, G_SEL_CODE64);
	EXPECT_EQ(t, stale_code_look(m->v), STALE_SUSPECT);
	expect_mended(m, G_CODE + 1, G_SEL_CODE64);
	/* Seen, and not again for long: forgotten. */
	take_bp(m, G_CODE + 1, G_SEL_CODE64);
	EXPECT_EQ(t, stale_code_look(m->v), STALE_SUSPECT);
	m->v->rip = G_CODE;
	while (stale_code_look(m->v) == STALE_SUSPECT && looks < 1000)
		looks++;
	EXPECT_EQ(t, looks, 99);
	expect_mended(m, G_CODE + 1, G_SEL_CODE64);
	EXPECT_EQ(t, machine_read64(m, G_CODE), code);
}
