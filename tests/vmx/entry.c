// SPDX-License-Identifier: MIT
/* How the tests of VM-entry checks enter. */
#include "tests/vmx/vmx_test.h"

#include "tests/defects.h"
#include "tests/report.h"

bool known_defect(struct test_ctx *t, const char *row)
{
	const struct defect *d = defect_find(report_platform(), t->test->id, row);

	if (d)
		test_report(t, OUTCOME_KNOWN, "%s", d->reason);
	return d;
}

GUEST64(vx_loop, "1: cpuid; jmp 1b");

enum exit_reason entry_try(struct machine *m)
{
	enum exit_reason r;

	do {
		r = vcpu_step(m->v);
	} while (r == EXIT_INTR || r == EXIT_NMI || r == EXIT_SMI);
	return r;
}

/* 32-bit paging with PAE, one to one, on the page directories of long mode. */
static void make_pae(struct machine *m)
{
	/* SDM3 4.4.1: of the low bits a PDPTE has only P, PWT and PCD. */
	for (u64 i = 0; i < 4; i++)
		machine_write64(m, G_DATA + 8 * i, (G_PD + i * PAGE_SIZE) | 1);
	machine_set(m, VREG_CR3, G_DATA);
	machine_set(m, VREG_CR4, CR4_PAE);
	machine_set(m, VREG_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
}

/* SDM3 27.3.1.2: the only segments that virtual-8086 mode has. */
static void make_v86(struct machine *m)
{
	const struct vsegment seg = { .selector = G_CODE >> 4, .base = G_CODE, .limit = 0xffff,
				      .attr = 0xf3 };

	for (enum vseg s = VSEG_ES; s <= VSEG_GS; s++)
		virt->set_seg(m->v, s, &seg);
	m->v->rflags = RFLAGS_FIXED | RFLAGS_VM;
	m->v->rip = 0;
	m->v->gpr[VREG_RSP] = 0xfff0;
}

struct machine *entry_machine_in(struct test_ctx *t, enum entry_env env)
{
	static const u8 modes[] = {
		[ENTRY_LONG64] = MODE_LONG64, [ENTRY_PROT32] = MODE_PROT32,
		[ENTRY_PAE32] = MODE_PROT32, [ENTRY_REAL16] = MODE_REAL16,
		[ENTRY_V86] = MODE_PROT32,
	};
	struct machine *m = machine_new(t, modes[env], &vx_loop);

	if (env == ENTRY_PAE32)
		make_pae(m);
	else if (env == ENTRY_V86)
		make_v86(m);
	/* The timer's controls belong to the test. */
	m->v->deadline = 0;
	REQUIRE_EQ(t, entry_try(m), EXIT_CPUID);
	return m;
}

/* RIP and RFLAGS are written by the entry itself. */
static u64 *cached(struct machine *m, u16 field)
{
	return field == VMCS_GUEST_RIP ? &m->v->rip :
	       field == VMCS_GUEST_RFLAGS ? &m->v->rflags : NULL;
}

void entry_poke(struct machine *m, const struct poke *p, u64 old[MAX_POKES])
{
	for (unsigned int i = 0; i < MAX_POKES && p[i].op != POKE_END; i++) {
		u64 *c = cached(m, p[i].field);
		u64 val = c ? *c : vmx_read(m->v, p[i].field);

		old[i] = val;
		switch (p[i].op) {
		case POKE_SET:
			val = p[i].val;
			break;
		case POKE_OR:
			val |= p[i].val;
			break;
		case POKE_CLEAR:
			val &= ~p[i].val;
			break;
		default:
			val |= BIT(run_policy.maxphyaddr);
			break;
		}
		if (c)
			*c = val;
		else
			vmx_write(m->v, p[i].field, val);
	}
}

void entry_undo(struct machine *m, const struct poke *p, const u64 old[MAX_POKES])
{
	unsigned int n = 0;

	while (n < MAX_POKES && p[n].op != POKE_END)
		n++;
	/* Backwards: a field may have been changed twice. */
	while (n--) {
		u64 *c = cached(m, p[n].field);

		if (c)
			*c = old[n];
		else
			vmx_write(m->v, p[n].field, old[n]);
	}
}

static const char *stage_name(unsigned int stage)
{
	static const char *const names[] = { "VM-instruction error", "guest state", "MSR load",
					     "machine check" };

	return stage < ARRAY_SIZE(names) ? names[stage] : "?";
}

static bool check_failed(struct machine *m, enum exit_reason r, enum entry_fail_stage stage,
			 u64 code)
{
	const struct exit_entry_fail *f = &m->v->exit.fail;
	u64 got;

	if (!CHECK(m->t, r == EXIT_ENTRY_FAIL, "entered: exit %s", exit_reason_name(r)))
		return false;
	got = f->stage == ENTRY_FAIL_INSN ? f->error : f->qualification;
	return CHECK(m->t, f->stage == stage && got == code, "%s %llu instead of %s %llu",
		     stage_name(f->stage), (unsigned long long)got, stage_name(stage),
		     (unsigned long long)code);
}

void entry_rows_in(struct test_ctx *t, enum entry_env env, const struct entry_row *rows,
		   unsigned int n, enum entry_fail_stage stage, u64 code)
{
	struct machine *m = entry_machine_in(t, env);

	for (unsigned int i = 0; i < n; i++) {
		const struct entry_row *row = &rows[i];
		u64 old[MAX_POKES];
		enum exit_reason r;

		if (!ctl_allowed(row->word, row->bits))
			continue;
		test_row(t, row->name);
		if (row->fatal && known_defect(t, row->name))
			continue;
		entry_poke(m, row->poke, old);
		r = entry_try(m);
		check_failed(m, r, stage, code);
		entry_undo(m, row->poke, old);
		if (r == EXIT_ENTRY_FAIL)
			continue;
		/* The guest ran with what should not have been: start afresh. */
		machine_free(m);
		m = entry_machine_in(t, env);
	}
	test_row(t, "enters again");
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

void entry_rows_good(struct test_ctx *t, enum entry_env env, const struct entry_row *rows,
		     unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct machine *m;
		u64 old[MAX_POKES];

		if (!ctl_allowed(rows[i].word, rows[i].bits))
			continue;
		test_row(t, rows[i].name);
		m = entry_machine_in(t, env);
		entry_poke(m, rows[i].poke, old);
		EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
		machine_free(m);
	}
}
