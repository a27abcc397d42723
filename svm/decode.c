// SPDX-License-Identifier: MIT
/* Only on SVM: see decode.h. */
#include "svm/decode.h"

#include "core/vm/insn.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "svm/exit.h"
#include "svm/nested.h"
#include "svm/ops.h"

static struct vmcb *vmcb_of(struct vcpu *v)
{
	return ((struct svm_vcpu *)v->arch)->vmcb;
}

int svm_fetch_insn(struct vcpu *v, struct insn *out)
{
	return vcpu_decode(v, out, INSN_RULE_AMD);
}

/*
 * A CPU that reports something else for an interrupted INT n: with RIP still
 * at it, executing it again raises the same, be it the interrupt or the fault
 * of its gate.  Of L2's V_IRQ it is known that it is gone, and that no handler
 * has interrupts off yet.
 */
static void drop_stale(struct vcpu *v)
{
	struct insn i;

	if (!svm_fetch_insn(v, &i) && insn_is(&i, INSN_MAP_1, 0xcd))
		v->exit.idt.type = EVENT_NONE;
	else if (v->in_l2 && v->rflags & RFLAGS_IF && svm_nested_of(v)->virq_taken)
		v->exit.idt = event_intr((u8)vmcb_get_int_vector(vmcb_of(v)));
}

/*
 * An interrupted INT n, INT3 or INTO: core needs its length to inject it again.
 * One that was injected without a length has no instruction at RIP.
 */
static void soft_len(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	struct event *e = &v->exit.idt;
	struct insn i;

	if (a->injected)
		return;
	if (svm_fetch_insn(v, &i) || i.map != INSN_MAP_1 ||
	    (i.opcode != 0xcd && i.opcode != 0xcc && i.opcode != 0xce)) {
		/* RIP is still before it: executing it again is the same. */
		e->type = EVENT_NONE;
		return;
	}
	e->insn_len = i.len;
}

void svm_decode_operands(struct vcpu *v)
{
	struct vm_exit *x = &v->exit;
	const struct vmcb *c = vmcb_of(v), *vmload = ((struct svm_vcpu *)v->arch)->vmcb01;
	bool long_mode = virt->mode(v) == INSN_MODE_64;
	struct svm_operand_env env = { .gpr = v->gpr };
	struct event fault;
	struct insn i;
	u64 linear = 0;

	if (x->idt.type >= EVENT_SOFT_INT && !x->idt.insn_len)
		soft_len(v);
	else if (svm.quirks.int_idt_stale && x->idt.type != EVENT_NONE &&
		 !((struct svm_vcpu *)v->arch)->injected)
		drop_stale(v);
	if (!svm_exit_has_operands(x->reason))
		return;
	if (svm_fetch_insn(v, &i))
		return;
	env.rip_next = v->rip + i.len;
	env.seg_base[INSN_FS] = vmload->fs.base;
	env.seg_base[INSN_GS] = vmload->gs.base;
	env.linear_mask = ~0ULL;
	if (!long_mode) {
		env.seg_base[INSN_ES] = vmcb_get_es(c)->base;
		env.seg_base[INSN_CS] = vmcb_get_cs(c)->base;
		env.seg_base[INSN_SS] = vmcb_get_ss(c)->base;
		env.seg_base[INSN_DS] = vmcb_get_ds(c)->base;
		env.linear_mask = 0xffffffffULL;
	}
	if (svm_exit_operands(x, &i, &env, &linear) == 1 &&
	    vcpu_read(v, linear, &x->cr.lmsw, 2, &fault))
		x->cr.lmsw = 0;
}
