// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/regs.h"
#include "svm/inject.h"
#include "svm/nested.h"

static struct vmcb c;
static struct svm_vcpu a;
static struct vcpu v;
static enum svm_step_insn next_insn;
static int restored;
static u32 held_back;	/* windows that GIF or L2 leave no use for */
static bool virq_waits;	/* L2's virtual interrupt is below its TPR */
static bool virq_ready;	/* L2 could take it, but for a shadow */

/* In the image these read and mend guest memory (svm/step.c). */
enum svm_step_insn svm_step_classify(struct vcpu *vc)
{
	return next_insn;
}

void svm_step_restore_tf(struct vcpu *vc, struct svm_vcpu *av, bool executed)
{
	restored = executed ? 2 : 1;
	if (!av->step_tf)
		vc->rflags &= ~RFLAGS_TF;
}

/* svm/nested_enter.c: L1's events, of which there are none here. */
void svm_nested_prepare(struct vcpu *vc)
{
}

u32 svm_nested_windows(const struct vcpu *vc, u32 wanted)
{
	return wanted & ~held_back;
}

bool svm_nested_watches_cr8(const struct vcpu *vc)
{
	return virq_waits;
}

bool svm_nested_virq_waits(const struct vcpu *vc)
{
	return virq_waits;
}

bool svm_nested_take_vnmi(struct vcpu *vc)
{
	if (a.nmi_blocked)
		return false;
	svm_inject(vc, &(struct event){ .type = EVENT_NMI, .vector = VEC_NMI });
	return true;
}

bool svm_nested_wakes(struct vcpu *vc)
{
	return virq_ready;
}

void svm_nested_gif_intercepts(struct vcpu *vc)
{
}

/* What SVM's instructions raise in a guest that has them is #UD for L2. */
void svm_nested_fix_gp(struct vcpu *vc, struct event *e)
{
	*e = event_exception(VEC_UD);
}

static int setup(void **state)
{
	memset(&c, 0, sizeof(c));
	memset(&a, 0, sizeof(a));
	memset(&v, 0, sizeof(v));
	memset(&svm, 0, sizeof(svm));
	a.vmcb = &c;
	a.exc_want = BIT(VEC_MC);
	v.arch = &a;
	v.rip = 0x1000;
	v.rflags = RFLAGS_FIXED;
	vmcb_set_dr6(&c, DR6_FIXED1);
	vmcb_set_dr7(&c, DR7_FIXED1 | DR7_GD);
	next_insn = STEP_INSN_PLAIN;
	restored = 0;
	held_back = 0;
	virq_waits = virq_ready = false;
	return 0;
}

/* APM2 15.20: VECTOR 7:0, TYPE 10:8, EV 11, V 31, ERRORCODE 63:32. */
static void test_encode(void **state)
{
	struct event e = event_intr(0x80);

	assert_int_equal(svm_event_encode(&e), 0x80000080);
	e = event_nmi();
	assert_int_equal(svm_event_encode(&e), 0x80000202);
	e = event_exception(VEC_UD);
	assert_int_equal(svm_event_encode(&e), 0x80000306);
	e = event_exception_err(VEC_GP, 0x1234);
	assert_int_equal(svm_event_encode(&e), 0x0000123480000b0dULL);
	e = (struct event){ .type = EVENT_SOFT_INT, .vector = 0x21 };
	assert_int_equal(svm_event_encode(&e), 0x80000421);
	e = (struct event){ .type = EVENT_SOFT_EXC, .vector = VEC_BP };
	assert_int_equal(svm_event_encode(&e), 0x80000303);
	e = (struct event){ .type = EVENT_PRIV_EXC, .vector = VEC_DB };
	assert_int_equal(svm_event_encode(&e), 0x80000301);
}

static void test_payloads(void **state)
{
	struct event e = event_exception_err(VEC_PF, 2);

	e.payload = 0xabc000;
	svm_inject(&v, &e);
	assert_int_equal(vmcb_get_cr2(&c), 0xabc000);
	assert_int_equal(c.eventinj, 0x0000000280000b0eULL);
	e = event_exception(VEC_DB);
	e.payload = DR6_BS | 1;
	svm_set_dbgctl(&c, DEBUGCTL_LBR);
	svm_inject(&v, &e);
	/* Recording ends with it. */
	assert_int_equal(vmcb_get_dbgctl(&c), 0);
	assert_false(vmcb_get_virt_ext(&c) & VIRT_EXT_LBR);
	assert_int_equal(vmcb_get_dr6(&c), DR6_FIXED1 | DR6_BS | 1);
	assert_int_equal(vmcb_get_dr7(&c), DR7_FIXED1);
}

static void test_soft_without_nrip(void **state)
{
	struct event e = { .type = EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 };

	svm_inject(&v, &e);
	assert_int_equal(v.rip, 0x1002);
	/* Delivery was interrupted: RIP goes back, the length comes with it. */
	v.exit.idt = (struct event){ .type = EVENT_SOFT_INT, .vector = 0x80 };
	svm_inject_soft_back(&v);
	assert_int_equal(v.rip, 0x1000);
	assert_int_equal(v.exit.idt.insn_len, 2);
	assert_int_equal(a.soft_len, 0);
	/* It was delivered: RIP is the handler's. */
	svm_inject(&v, &e);
	v.rip = 0x5000;
	v.exit.idt.type = EVENT_NONE;
	svm_inject_soft_back(&v);
	assert_int_equal(v.rip, 0x5000);
}

static void test_soft_with_nrip(void **state)
{
	struct event e = { .type = EVENT_SOFT_EXC, .vector = VEC_BP, .insn_len = 1 };

	svm.caps.nrips = true;
	svm_inject(&v, &e);
	assert_int_equal(v.rip, 0x1000);
	assert_int_equal(c.nrip, 0x1001);
	v.exit.idt = (struct event){ .type = EVENT_SOFT_EXC, .vector = VEC_BP };
	svm_inject_soft_back(&v);
	assert_int_equal(v.rip, 0x1000);
	assert_int_equal(v.exit.idt.insn_len, 1);
	svm.quirks.soft_nrip_lost = true;
	svm_inject(&v, &e);
	assert_int_equal(v.rip, 0x1001);
}

/* Injected, #DB is no trap: nRIP does not count for ICEBP. */
static void test_icebp(void **state)
{
	struct event e = { .type = EVENT_PRIV_EXC, .vector = VEC_DB, .insn_len = 1 };

	svm.caps.nrips = true;
	svm_inject(&v, &e);
	assert_int_equal(v.rip, 0x1001);
}

/* Injected again without its instruction: it returns to where it is. */
static void test_soft_without_insn(void **state)
{
	struct event e = { .type = EVENT_SOFT_INT, .vector = 0x80 };

	svm.caps.nrips = true;
	c.nrip = 0x5555;
	svm_inject(&v, &e);
	assert_int_equal(v.rip, 0x1000);
	assert_int_equal(c.nrip, 0x1000);
}

static void test_intr_window(void **state)
{
	svm_windows(&v, WINDOW_INTR);
	assert_true(a.attention);
	svm_inject_prepare(&v);
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IGN_TPR);
	assert_true(vmcb_get_intercept_vec3(&c) & VEC3_VINTR);
	assert_int_equal(a.step, STEP_NONE);
	svm_windows(&v, 0);
	svm_inject_prepare(&v);
	assert_false(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	assert_false(vmcb_get_intercept_vec3(&c) & VEC3_VINTR);
	assert_false(a.attention);
}

/* A CPU that forgets the shadow: the instruction in it is stepped over. */
static void test_shadow_step(void **state)
{
	svm.quirks.shadow_lost = true;
	v.rflags |= RFLAGS_IF;
	c.int_state = INT_STATE_SHADOW;
	svm_set_dbgctl(&c, DEBUGCTL_LBR);
	svm_windows(&v, WINDOW_INTR);
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_SHADOW);
	assert_true(v.rflags & RFLAGS_TF);
	assert_int_equal(vmcb_get_intercept_exceptions(&c), 0xffffffff);
	assert_false(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	/* Its #DB, with which a CPU ends recording. */
	v.rip = 0x1001;
	c.int_state = 0;
	vmcb_set_dbgctl(&c, 0);
	vmcb_set_dr6(&c, DR6_FIXED1 | DR6_BS);
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_DB } };
	assert_false(svm_inject_finish(&v));
	assert_int_equal(v.exit.reason, EXIT_INTR_WINDOW);
	assert_int_equal(vmcb_get_dr6(&c), DR6_FIXED1);
	assert_int_equal(vmcb_get_dbgctl(&c), DEBUGCTL_LBR);
	assert_int_equal(restored, 2);
	assert_int_equal(a.step, STEP_NONE);
}

/* Without anything waiting too: the next entry would lose the shadow. */
static void test_shadow_step_without_window(void **state)
{
	svm.quirks.shadow_lost = true;
	v.rflags |= RFLAGS_IF;
	c.int_state = INT_STATE_SHADOW;
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_SHADOW);
	/* The host's interrupt comes first; this VMRUN did not have the shadow. */
	c.int_state = 0;
	v.exit = (struct vm_exit){ .reason = EXIT_INTR };
	assert_false(svm_inject_finish(&v));
	assert_int_equal(v.exit.reason, EXIT_INTR);
	assert_int_equal(c.int_state, INT_STATE_SHADOW);
	assert_int_equal(v.rflags & RFLAGS_TF, 0);
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_SHADOW);
	/* A fault of the instruction is delivered, which ends the shadow. */
	c.int_state = 0;
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_UD } };
	assert_true(svm_inject_finish(&v));
	assert_int_equal(c.int_state, 0);
	/* A CPU that keeps it needs no step. */
	c.eventinj = 0;
	svm.quirks.shadow_lost = false;
	c.int_state = INT_STATE_SHADOW;
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_NONE);
}

static void test_step_that_faults(void **state)
{
	svm.quirks.shadow_lost = true;
	v.rflags |= RFLAGS_IF;
	c.int_state = INT_STATE_SHADOW;
	svm_windows(&v, WINDOW_INTR);
	svm_inject_prepare(&v);
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_PF, .has_error = true, .error = 4,
				   .payload = 0x9000 } };
	assert_true(svm_inject_finish(&v));
	assert_int_equal(c.eventinj, 0x0000000480000b0eULL);
	assert_int_equal(vmcb_get_cr2(&c), 0x9000);
	assert_int_equal(v.rflags & RFLAGS_TF, 0);
	assert_int_equal(restored, 1);
	/* Another exit, as a nested page fault, is core's. */
	c.eventinj = 0;
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_SHADOW);
	v.exit = (struct vm_exit){ .reason = EXIT_NPF };
	assert_false(svm_inject_finish(&v));
	assert_int_equal(v.exit.reason, EXIT_NPF);
	assert_int_equal(v.rflags & RFLAGS_TF, 0);
}

/* A step of a guest with TF of its own ends: what svm_inject_finish says. */
static bool finish_own_step(void)
{
	svm.quirks.shadow_lost = true;
	v.rflags |= RFLAGS_IF | RFLAGS_TF;
	c.int_state = INT_STATE_SHADOW;
	svm_windows(&v, WINDOW_INTR);
	svm_inject_prepare(&v);
	assert_true(a.step_tf);
	v.rip = 0x1001;
	c.int_state = 0;
	vmcb_set_dr6(&c, DR6_FIXED1 | DR6_BS);
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_DB } };
	return svm_inject_finish(&v);
}

/* A guest that steps itself gets its own #DB; the window comes later. */
static void test_step_of_a_stepping_guest(void **state)
{
	assert_true(finish_own_step());
	assert_int_equal(c.eventinj, 0x80000301);
	assert_int_equal(vmcb_get_dr6(&c), DR6_FIXED1 | DR6_BS);
}

/* Who intercepts #DB gets the exit, as without our step. */
static void test_step_of_a_stepping_guest_wanted(void **state)
{
	a.exc_want = BIT(VEC_DB);
	assert_false(finish_own_step());
	assert_int_equal(c.eventinj, 0);
	assert_int_equal(v.exit.reason, EXIT_EXCEPTION);
	assert_int_equal(v.exit.exc.vector, VEC_DB);
	assert_int_equal(vmcb_get_dr6(&c), DR6_FIXED1 | DR6_BS);
	assert_int_equal(a.step, STEP_NONE);
	assert_true(v.rflags & RFLAGS_TF);
}

static void test_nmi_blocking(void **state)
{
	struct event e = event_nmi();

	svm_inject(&v, &e);
	assert_true(a.nmi_blocked);
	assert_true(vmcb_get_intercept_vec3(&c) & VEC3_IRET);
	/* Nobody waits: the IRET is let go, blocking ends when RIP has moved. */
	v.exit = (struct vm_exit){ .reason = EXIT_IRET };
	v.rip = 0x2000;
	assert_true(svm_inject_finish(&v));
	c.eventinj = 0;
	svm_inject_prepare(&v);
	assert_false(vmcb_get_intercept_vec3(&c) & VEC3_IRET);
	assert_true(a.nmi_blocked);
	v.exit = (struct vm_exit){ .reason = EXIT_NPF };
	assert_false(svm_inject_finish(&v));
	assert_true(a.nmi_blocked);
	v.rip = 0x1000;
	v.exit = (struct vm_exit){ .reason = EXIT_CPUID };
	assert_false(svm_inject_finish(&v));
	assert_false(a.nmi_blocked);
}

static void test_nmi_window(void **state)
{
	svm_set_nmi_blocked(&a, true);
	svm_windows(&v, WINDOW_NMI);
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_NONE);
	v.exit = (struct vm_exit){ .reason = EXIT_IRET };
	assert_true(svm_inject_finish(&v));
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_IRET);
	assert_false(vmcb_get_intercept_vec3(&c) & VEC3_IRET);
	v.rip = 0x3000;
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_DB } };
	assert_false(svm_inject_finish(&v));
	assert_int_equal(v.exit.reason, EXIT_NMI_WINDOW);
	assert_false(a.nmi_blocked);
}

/* #AC and #DB exit for the host's sake only: back to the guest. */
static void test_guard(void **state)
{
	a.exc_guard = BIT(VEC_AC) | BIT(VEC_DB);
	svm_apply_intercepts(&a);
	assert_int_equal(vmcb_get_intercept_exceptions(&c),
			 BIT(VEC_MC) | BIT(VEC_AC) | BIT(VEC_DB));
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_AC, .has_error = true } };
	assert_true(svm_inject_guarded(&v));
	assert_int_equal(c.eventinj, 0x80000b11);
	/* Wanted by somebody, or in the middle of another delivery: core's. */
	c.eventinj = 0;
	a.exc_want |= BIT(VEC_AC);
	assert_false(svm_inject_guarded(&v));
	a.exc_want = 0;
	v.exit.idt = event_intr(0x30);
	assert_false(svm_inject_guarded(&v));
	v.exit.idt.type = EVENT_NONE;
	v.exit.exc.vector = VEC_GP;
	assert_false(svm_inject_guarded(&v));
	assert_int_equal(c.eventinj, 0);
}

/* A guest that is a hypervisor: its own virtual interrupt is what L2 sees, if no window is. */
static void test_nested(void **state)
{
	struct vmcb vmcb12 = { 0 };
	struct svm_nested n = { .vmcb12 = &vmcb12 };

	v.nested = &n;
	vmcb_set_int_ctl(&vmcb12, INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(3) | INT_CTL_V_INTR_MASKING);
	svm_windows(&v, WINDOW_INTR);
	svm_inject_prepare(&v);
	assert_true(vmcb_get_intercept_vec3(&c) & VEC3_VINTR);
	assert_int_equal(vmcb_get_int_ctl(&c),
			 INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(15) | INT_CTL_V_IGN_TPR);
	held_back = WINDOW_INTR;
	svm_inject_prepare(&v);
	assert_false(vmcb_get_intercept_vec3(&c) & VEC3_VINTR);
	assert_int_equal(vmcb_get_int_ctl(&c), 0);
	v.in_l2 = true;
	svm_inject_prepare(&v);
	assert_int_equal(vmcb_get_int_ctl(&c), INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(3));
	assert_false(a.attention);
	virq_waits = true;
	svm_inject_prepare(&v);
	assert_int_equal(vmcb_get_int_ctl(&c), 0);
	assert_true(a.attention);
	/* L2's own GIF holds it back, but not the window that L0 borrows V_IRQ for. */
	virq_waits = false;
	vmcb_set_int_ctl(&vmcb12, vmcb_get_int_ctl(&vmcb12) | INT_CTL_V_GIF_ENABLE);
	svm_inject_prepare(&v);
	assert_int_equal(vmcb_get_int_ctl(&c), 0);
	held_back = 0;
	svm_inject_prepare(&v);
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	held_back = WINDOW_INTR;
	vmcb_set_int_ctl(&vmcb12, vmcb_get_int_ctl(&vmcb12) | INT_CTL_V_GIF);
	svm_inject_prepare(&v);
	assert_int_equal(vmcb_get_int_ctl(&c), INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(3));
}

/*
 * A virtual NMI blocks the next one until the IRET that lets it in, which is stepped
 * over; then L1 has no part in it.
 */
static void test_vnmi(void **state)
{
	struct vmcb vmcb12 = { 0 };
	struct svm_nested n = { .vmcb12 = &vmcb12 };

	v.nested = &n;
	v.in_l2 = true;
	vmcb_set_intercept_vec3(&vmcb12, VEC3_NMI);
	vmcb_set_int_ctl(&vmcb12, INT_CTL_V_NMI_ENABLE | INT_CTL_V_NMI);
	svm_inject_prepare(&v);
	assert_int_equal(c.eventinj, 0x80000202);
	assert_true(a.nmi_blocked);
	assert_true(vmcb_get_intercept_vec3(&c) & VEC3_IRET);
	c.eventinj = 0;
	svm_inject_prepare(&v);
	assert_int_equal(c.eventinj, 0);
	assert_true(a.windows & WINDOW_NMI);
	v.exit = (struct vm_exit){ .reason = EXIT_IRET };
	assert_true(svm_inject_finish(&v));
	svm_inject_prepare(&v);
	assert_int_equal(a.step, STEP_IRET);
	v.rip += 2;
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .vector = VEC_DB } };
	assert_false(svm_inject_finish(&v));
	assert_int_equal(v.exit.reason, EXIT_NMI_WINDOW);
	svm_inject_prepare(&v);
	assert_int_equal(c.eventinj, 0x80000202);
	/* Without them an NMI is one that L1 injects, and blocks nothing. */
	a.nmi_blocked = false;
	vmcb_set_int_ctl(&vmcb12, 0);
	svm_inject(&v, &(struct event){ .type = EVENT_NMI, .vector = VEC_NMI });
	assert_false(a.nmi_blocked);
}

/* Enters L2 with a V_IRQ of vector 33h that it could take. */
static bool enter_with_virq(struct svm_nested *n, u64 eventinj)
{
	v.nested = n;
	v.in_l2 = true;
	c.eventinj = eventinj;
	vmcb_set_int_ctl(n->vmcb12, INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(3));
	vmcb_set_int_vector(n->vmcb12, 0x33);
	virq_ready = true;
	return svm_inject_prepare(&v);
}

/* A CPU that forgets V_IRQ where IF = 1 when L2 is entered: it is injected instead. */
static void test_virq_lost(void **state)
{
	struct vmcb vmcb12 = { 0 };
	struct svm_nested n = { .vmcb12 = &vmcb12, .vmcb02 = &c };

	assert_false(enter_with_virq(&n, 0));
	assert_int_equal(c.eventinj, 0);
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	svm.quirks.virq_if1_lost = true;
	assert_false(enter_with_virq(&n, 0));
	assert_int_equal(c.eventinj, 0x80000033);
	assert_false(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	/* Another event goes first, and it waits until it may. */
	assert_false(enter_with_virq(&n, 0x80000062));
	assert_int_equal(c.eventinj, 0x80000062);
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	c.eventinj = 0;
	virq_ready = false;
	assert_false(svm_inject_prepare(&v));
	assert_int_equal(c.eventinj, 0);
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
}

/* In a shadow a step comes first; where L1 intercepts VINTR, that exit is made. */
static void test_virq_lost_vintr(void **state)
{
	struct vmcb vmcb12 = { 0 };
	struct svm_nested n = { .vmcb12 = &vmcb12, .vmcb02 = &c };

	svm.quirks.virq_if1_lost = true;
	vmcb_set_intercept_vec3(&vmcb12, VEC3_VINTR);
	c.int_state = INT_STATE_SHADOW;
	assert_false(enter_with_virq(&n, 0));
	assert_int_equal(a.step, STEP_SHADOW);
	assert_int_equal(c.eventinj, 0);
	assert_false(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	a.step = STEP_NONE;
	c.int_state = 0;
	n.run_pending = true;
	assert_true(enter_with_virq(&n, 0));
	assert_int_equal(v.exit.code, SVM_EXIT_VINTR);
	assert_int_equal(v.exit.reason, EXIT_INTR_WINDOW);
	assert_int_equal(c.eventinj, 0);
	/* Still pending, for L1 to see. */
	assert_true(vmcb_get_int_ctl(&c) & INT_CTL_V_IRQ);
	assert_true(vmcb_get_int_ctl(&vmcb12) & INT_CTL_V_IRQ);
	assert_false(n.run_pending);
}

/* Behind an exit the copy of vmcb12 has V_TPR, the shadow, and V_IRQ if that is L1's. */
static void test_nested_sync(void **state)
{
	struct vmcb vmcb12 = { 0 };
	struct svm_nested n = { .vmcb12 = &vmcb12, .vmcb02 = &c };
	const u32 asked = INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(3) | INT_CTL_V_INTR_MASKING | 9;

	v.nested = &n;
	for (u32 i = 0; i < 8; i++) {
		bool held = i & 1, window = i & 2, taken = i & 4;
		u32 virq = !held && !window && taken ? 0 : INT_CTL_V_IRQ;

		n.run_pending = true;
		vmcb12.eventinj = EVENTINJ_VALID;
		vmcb_set_int_ctl(&vmcb12, asked);
		vmcb_set_int_ctl(&c, (taken ? 0 : INT_CTL_V_IRQ) | INT_CTL_V_INTR_PRIO(15) | 4);
		c.int_state = INT_STATE_SHADOW;
		a.virq_held = held;
		a.virq_window = window;
		svm_nested_sync(&v);
		assert_int_equal(vmcb_get_int_ctl(&vmcb12),
				 (asked & ~(INT_CTL_V_IRQ | 9)) | virq | 4);
		assert_int_equal(vmcb12.int_state, INT_STATE_SHADOW);
		assert_int_equal(vmcb12.eventinj, 0);
		assert_false(n.run_pending);
	}
}

/* #GP of a guest that has SVM may be one of SVM's instructions: another fault. */
static void test_nested_gp(void **state)
{
	struct svm_nested n = { 0 };

	a.exc_guard = BIT(VEC_GP);
	v.exit = (struct vm_exit){ .reason = EXIT_EXCEPTION, .exc = { .type = EVENT_EXCEPTION,
				   .vector = VEC_GP, .has_error = true } };
	assert_true(svm_inject_guarded(&v));
	assert_int_equal(c.eventinj, 0x80000b0d);
	v.nested = &n;
	assert_true(svm_inject_guarded(&v));
	assert_int_equal(c.eventinj, 0x80000306);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_encode, setup),
		cmocka_unit_test_setup(test_payloads, setup),
		cmocka_unit_test_setup(test_soft_without_nrip, setup),
		cmocka_unit_test_setup(test_soft_with_nrip, setup),
		cmocka_unit_test_setup(test_icebp, setup),
		cmocka_unit_test_setup(test_soft_without_insn, setup),
		cmocka_unit_test_setup(test_intr_window, setup),
		cmocka_unit_test_setup(test_shadow_step, setup),
		cmocka_unit_test_setup(test_shadow_step_without_window, setup),
		cmocka_unit_test_setup(test_step_that_faults, setup),
		cmocka_unit_test_setup(test_step_of_a_stepping_guest, setup),
		cmocka_unit_test_setup(test_step_of_a_stepping_guest_wanted, setup),
		cmocka_unit_test_setup(test_nmi_blocking, setup),
		cmocka_unit_test_setup(test_nmi_window, setup),
		cmocka_unit_test_setup(test_guard, setup),
		cmocka_unit_test_setup(test_vnmi, setup),
		cmocka_unit_test_setup(test_nested, setup),
		cmocka_unit_test_setup(test_virq_lost, setup),
		cmocka_unit_test_setup(test_virq_lost_vintr, setup),
		cmocka_unit_test_setup(test_nested_sync, setup),
		cmocka_unit_test_setup(test_nested_gp, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
