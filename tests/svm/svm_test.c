// SPDX-License-Identifier: MIT
#include "tests/svm/svm_test.h"

#include "core/lib/string.h"
#include "tests/defects.h"
#include "tests/report.h"

GUEST64(g_vmmcall, "vmmcall; hlt");

struct machine *svm_machine(struct test_ctx *t)
{
	struct machine *m = machine_new(t, MODE_LONG64, &g_vmmcall);

	machine_idt(m);
	/* Once in and out: from here on the VMCB has an ASID and is complete. */
	if (svm_run(m) != SVM_EXIT_VMMCALL)
		TEST_ERROR(t, "exit %s from VMMCALL", svm_exit_code_name(m->v->exit.code));
	svm_rewind(m);
	return m;
}

void svm_rewind(struct machine *m)
{
	struct vmcb *c = vmcb_of(m);

	m->v->rip = G_CODE;
	m->v->gpr[VREG_RSP] = G_STACK_TOP;
	m->v->rflags = RFLAGS_FIXED;
	m->v->events = (struct event_queue){ 0 };
	c->int_state = 0;
	c->eventinj = 0;
	c->clean = 0;
	memset(machine_ptr(m, G_EXC, sizeof(struct guest_exception)), 0xff,
	       sizeof(struct guest_exception));
}

void svm_load(struct machine *m, const struct code *c)
{
	static const u8 tail[] = { B_VMMCALL, 0xf4 };
	u8 *p = machine_ptr(m, G_CODE, sizeof(c->b) + sizeof(tail));

	memcpy(p, c->b, c->len);
	memcpy(p + c->len, tail, sizeof(tail));
	svm_rewind(m);
}

u64 svm_run(struct machine *m)
{
	machine_run(m);
	return m->v->exit.code;
}

bool svm_expect(struct machine *m, u64 code, const char *what)
{
	u64 got = svm_run(m);

	if (got != code && got == SVM_EXIT_VMMCALL && m->v->rip >= G_HANDLERS)
		return CHECK(m->t, false, "%s: exception %llu at rip %llx instead of exit %s", what,
			     (unsigned long long)machine_exception(m)->vector,
			     (unsigned long long)machine_exception(m)->rip,
			     svm_exit_code_name(code));
	return CHECK(m->t, got == code, "%s: exit %s (%llx) at rip %llx instead of %s (%llx)", what,
		     svm_exit_code_name(got), (unsigned long long)got,
		     (unsigned long long)m->v->rip, svm_exit_code_name(code),
		     (unsigned long long)code);
}

bool svm_expect_exception(struct machine *m, u8 vector, u32 error)
{
	u64 got = svm_run(m);
	const struct guest_exception *e = machine_exception(m);

	if (!CHECK(m->t, got == SVM_EXIT_VMMCALL && m->v->rip >= G_HANDLERS,
		   "exit %s (%llx) at rip %llx instead of exception %u", svm_exit_code_name(got),
		   (unsigned long long)got, (unsigned long long)m->v->rip, vector))
		return false;
	return CHECK(m->t, e->vector == vector && (u32)e->error == error,
		     "exception %llu error %llx instead of %u error %x",
		     (unsigned long long)e->vector, (unsigned long long)e->error, vector, error);
}

bool svm_known_defect(struct test_ctx *t, const char *row)
{
	const struct defect *d = defect_find(report_platform(), t->test->id, row);

	if (d)
		test_report(t, OUTCOME_KNOWN, "%s", d->reason);
	return d;
}

void svm_save(struct machine *m, struct vmcb *copy)
{
	memcpy(copy, vmcb_of(m), sizeof(*copy));
}

void svm_restore(struct machine *m, const struct vmcb *copy)
{
	memcpy(vmcb_of(m), copy, sizeof(*copy));
	svm_rewind(m);
}
