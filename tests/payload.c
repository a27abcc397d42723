/* SPDX-License-Identifier: MIT */
#include "tests/payload.h"

#include "core/dev/vtest.h"
#include "core/lib/string.h"
#include "core/load/load.h"
#include "core/mm/host.h"
#include "core/mon/log.h"
#include "core/x86/insn.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "tests/machine.h"

#define LOW_END		0xa0000ULL	/* conventional memory */
#define HIGH_START	0x100000ULL
#define MIB		0x100000ULL

/* What a payload's machine has besides struct machine. */
struct payload_machine {
	struct machine m;
	struct vtest vtest;
	struct mem_range map[2];
};

#define PAGES(type)	(ALIGN_UP(sizeof(type), PAGE_SIZE) / PAGE_SIZE)

static void console_putc(void *ctx, u8 c)
{
	const struct vm *vm = ctx;

	guest_putc(vm->id, c);
}

static struct payload_machine *new_machine(struct test_ctx *t, const struct payload *p)
{
	struct payload_machine *pm = host_alloc(PAGES(struct payload_machine), t->owner);
	struct machine *m;
	int err;

	if (!pm)
		TEST_ERROR(t, "no memory for the machine");
	m = &pm->m;
	m->t = t;
	err = vm_init(&m->vm, t->cpu, t->owner);
	if (err)
		TEST_ERROR(t, "vm_init failed (error %d)", err);
	m->next = t->machine;
	t->machine = m;
	err = vtest_init(&pm->vtest, &m->vm.bus, console_putc, &m->vm);
	if (!err)
		err = vm_add_ram(&m->vm, 0, LOW_END);
	if (!err)
		err = vm_add_ram(&m->vm, HIGH_START, p->mem_mib * MIB - HIGH_START);
	if (!err)
		err = vcpu_create(&m->vm, &m->v);
	if (err)
		TEST_ERROR(t, "the machine with %u MiB cannot be made (error %d)", p->mem_mib,
			   err);
	pm->map[0] = (struct mem_range){ 0, LOW_END, MEM_RAM };
	pm->map[1] = (struct mem_range){ HIGH_START, p->mem_mib * MIB - HIGH_START, MEM_RAM };
	return pm;
}

static int load(struct payload_machine *pm, const struct payload *p, struct load_entry *e)
{
	const struct load_image img = {
		.name = p->name, .data = p->start, .size = (u64)(p->end - p->start),
		.cmdline = p->name, .map = pm->map, .n_map = ARRAY_SIZE(pm->map),
	};

	return load_guest(&img, &pm->m.vm.mem, e, &log_diag);
}

/*
 * Multiboot 0.6.96, 3.2: flat 32-bit segments, paging off, A20 on, interrupts
 * off.  The descriptor tables may be anything: none here.
 */
static void enter_prot32(struct vcpu *v, const struct load_entry *e)
{
	const struct vsegment code = { .selector = 8, .attr = 0xc9b, .limit = ~0u };
	const struct vsegment data = { .selector = 16, .attr = 0xc93, .limit = ~0u };
	const struct vsegment ldt = { .attr = 0x82, .limit = 0xffff };
	const struct vsegment tss = { .attr = 0x8b, .limit = 0xffff };
	const struct vsegment none = { .limit = 0 };

	for (enum vseg s = VSEG_ES; s <= VSEG_GS; s++)
		virt->set_seg(v, s, s == VSEG_CS ? &code : &data);
	virt->set_seg(v, VSEG_LDTR, &ldt);
	virt->set_seg(v, VSEG_TR, &tss);
	virt->set_seg(v, VSEG_GDTR, &none);
	virt->set_seg(v, VSEG_IDTR, &none);
	virt->set(v, VREG_CR0, CR0_PE | CR0_ET | CR0_NE);
	virt->set(v, VREG_CR4, 0);
	virt->set(v, VREG_EFER, 0);
	virt->set(v, VREG_DR6, DR6_FIXED1);
	virt->set(v, VREG_DR7, DR7_FIXED1);
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[VREG_RAX] = e->eax;
	v->gpr[VREG_RBX] = e->ebx;
	v->rip = e->rip;
	v->rflags = RFLAGS_FIXED;
}

/* The stop reason that goes with an expectation. */
static const u8 wanted_stop[] = {
	[PAYLOAD_END_RESULT] = STOP_DONE,
	[PAYLOAD_END_SHUTDOWN] = STOP_SHUTDOWN,
	[PAYLOAD_END_HLT] = STOP_HLT,
	[PAYLOAD_END_TIMEOUT] = STOP_TIMEOUT,
	[PAYLOAD_END_ANY] = STOP_NONE,
};

static void report_wrong_stop(struct test_ctx *t, const struct payload *p, struct vcpu *v)
{
	t->timed_out = v->stop == STOP_TIMEOUT;
	vcpu_dump(v);
	test_report(t, OUTCOME_FAIL, "ended with %s at rip 0x%llx%s%s", stop_reason_name(v->stop),
		    (unsigned long long)v->rip, v->why[0] ? ": " : "", v->why);
}

/*
 * Random bytes and scribblers may end in any way that leaves the hypervisor
 * alone; it is still wrong if it cannot name what the guest did.
 */
static bool any_end_is_right(const struct vcpu *v)
{
	return v->stop != STOP_ERROR && v->stop != STOP_NONE && v->stop != STOP_EXIT;
}

static void judge(struct test_ctx *t, const struct payload *p, struct vcpu *v)
{
	t->checks++;
	if (p->expect == PAYLOAD_END_ANY) {
		test_note(t, "ended with %s", stop_reason_name(v->stop));
		if (!any_end_is_right(v))
			report_wrong_stop(t, p, v);
		return;
	}
	if (v->stop != wanted_stop[p->expect]) {
		report_wrong_stop(t, p, v);
		return;
	}
	if (p->expect != PAYLOAD_END_RESULT || v->result == p->result)
		return;
	if (v->result == PAYLOAD_SKIPPED)
		test_report(t, OUTCOME_SKIP, "the payload found nothing to check here");
	else
		test_report(t, OUTCOME_FAIL, "the payload ended with %u, not %u", v->result,
			    p->result);
}

static u64 earlier(u64 a, u64 b)
{
	return a && a < b ? a : b;
}

void payload_run(struct test_ctx *t, const struct payload *p)
{
	struct payload_machine *pm = new_machine(t, p);
	struct load_entry e;
	struct vcpu *v = pm->m.v;
	int err = load(pm, p, &e);

	if (p->expect == PAYLOAD_END_REFUSED) {
		EXPECT(t, err);
		return;
	}
	if (err)
		TEST_ERROR(t, "not loaded (error %d)", err);
	enter_prot32(v, &e);
	v->deadline = earlier(t->deadline, rdtsc() + us_to_tsc(p->timeout_ms * 1000ULL));
	vcpu_run(v);
	guest_console_end(pm->m.vm.id);
	judge(t, p, v);
}

void payload_test(struct test_ctx *t)
{
	payload_run(t, t->test->arg);
}
