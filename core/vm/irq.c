// SPDX-License-Identifier: MIT
/* From the local APIC and the 8259 to the event queue of a vCPU; INIT and SIPI. */
#include "core/vm/pc.h"

#include "core/vm/nested.h"
#include "core/vm/run.h"
#include "core/vm/sched.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"

/* SDM3 10.1.1, table 10-1: the segments after INIT. */
static void reset_segments(struct vcpu *v)
{
	const struct vsegment data = { .limit = 0xffff, .attr = 0x93 };
	const struct vsegment cs = { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff,
				     .attr = 0x9b };
	const struct vsegment ldtr = { .limit = 0xffff, .attr = 0x82 };
	const struct vsegment tr = { .limit = 0xffff, .attr = 0x8b };
	const struct vsegment table = { .limit = 0xffff };

	for (enum vseg s = VSEG_ES; s <= VSEG_GS; s++)
		virt->set_seg(v, s, s == VSEG_CS ? &cs : &data);
	virt->set_seg(v, VSEG_LDTR, &ldtr);
	virt->set_seg(v, VSEG_TR, &tr);
	virt->set_seg(v, VSEG_GDTR, &table);
	virt->set_seg(v, VSEG_IDTR, &table);
}

/* What INIT sets; caches, FPU, and most MSRs stay (table 10-1). */
static const struct { u8 reg; u64 val; } init_regs[] = {
	{ VREG_CR0, CR0_ET | CR0_CD | CR0_NW }, { VREG_CR2, 0 }, { VREG_CR3, 0 },
	{ VREG_CR4, 0 }, { VREG_CR8, 0 }, { VREG_EFER, 0 },
	{ VREG_DR0, 0 }, { VREG_DR1, 0 }, { VREG_DR2, 0 }, { VREG_DR3, 0 },
	{ VREG_DR6, DR6_FIXED1 }, { VREG_DR7, DR7_FIXED1 },
	{ VREG_INT_SHADOW, 0 }, { VREG_NMI_BLOCKED, 0 },
};

void vcpu_init_reset(struct vcpu *v)
{
	if (v->nested)
		virt->nested->leave(v);
	for (unsigned int i = 0; i < ARRAY_SIZE(v->gpr); i++)
		v->gpr[i] = 0;
	/* RDX has the processor's signature. */
	v->gpr[VREG_RDX] = cpuid(1).eax;
	for (unsigned int i = 0; i < ARRAY_SIZE(init_regs); i++)
		virt->set(v, (enum vreg)init_regs[i].reg, init_regs[i].val);
	reset_segments(v);
	v->rflags = RFLAGS_FIXED;
	v->rip = 0xfff0;
	v->events = (struct event_queue){ 0 };
	vlapic_reset(v->apic);
	virt->flush(v);
	v->mp_state = v->id ? MP_WAIT_SIPI : MP_RUNNABLE;
}

void vcpu_sipi(struct vcpu *v, u8 vector)
{
	struct vsegment cs = { .selector = (u16)(vector << 8), .base = (u64)vector << 12,
			       .limit = 0xffff, .attr = 0x9b };

	virt->set_seg(v, VSEG_CS, &cs);
	v->rip = 0;
	v->mp_state = MP_RUNNABLE;
}

/* What was posted. */
static void take_signals(struct vcpu *v)
{
	u32 sig = vlapic_pull(v->apic);

	/* While one is handled, any number of them is one (APM2 8.2.3, SDM3 6.7.1). */
	if (sig & VLAPIC_NMI2 && !virt->get(v, VREG_NMI_BLOCKED))
		v->events.nmi = 2;
	else if (sig & VLAPIC_NMI && !v->events.nmi)
		v->events.nmi = 1;
	if (sig & VLAPIC_INIT)
		v->init_waits = true;
	if (unlikely(v->init_waits) && !(v->nested && virt->nested->init_signal(v))) {
		v->init_waits = false;
		vcpu_init_reset(v);
	}
	if (sig & VLAPIC_SMI)
		v->smi_waits = true;
	/* The firmware's handler (APM2 10.3) has nothing to do: it is RSM. */
	if (unlikely(v->smi_waits) && !(v->nested && virt->nested->smi_signal(v)))
		v->smi_waits = false;
	/* SDM3 9.4.2: a SIPI is for a CPU that waits for it. */
	if (sig & VLAPIC_SIPI && v->mp_state == MP_WAIT_SIPI)
		vcpu_sipi(v, (u8)v->apic->s.sipi_vector);
}

static bool extint_pending(const struct vcpu *v)
{
	return v->id == 0 && vpic_intr(&v->vm->pc->pic) && vlapic_extint(v->apic);
}

void vcpu_irq_offer(struct vcpu *v)
{
	struct event_queue *q = &v->events;
	int vector;

	vcpu_tpr_in(v);
	vector = vlapic_pending(v->apic);
	q->intr = vector >= 0 || extint_pending(v);
	q->intr_vector = vector >= 0 ? (u8)vector : 0;
}

void vcpu_irq_take(struct vcpu *v, struct event *e)
{
	struct pc *pc = v->vm->pc;

	if (vlapic_pending(v->apic) >= 0) {
		vlapic_ack(v->apic, e->vector);
		return;
	}
	spin_lock(&pc->lock);
	e->vector = vpic_ack(&pc->pic);
	spin_unlock(&pc->lock);
}

u32 vcpu_irq_tpr_window(struct vcpu *v)
{
	u8 class = vlapic_masked_class(v->apic);
	/* MOV to CR8 clears TPR 3:0 (SDM3 11.8.6.1), also when it changes no more. */
	u32 windows = v->apic->s.tpr & 0xf ? WINDOW_CR8 : 0;

	return class ? windows | WINDOW_TPR | WINDOW_TPR_CLASS(class) : windows;
}

bool vcpu_look(struct vcpu *v)
{
	u32 tpr;

	__atomic_exchange_n(&v->poke, 0, __ATOMIC_SEQ_CST);
	if (v->kicked) {
		v->stop = STOP_TIMEOUT;
		return false;
	}
	if (!v->apic)
		return true;
	if (READ_ONCE(v->vm->pause) || READ_ONCE(v->vm->end)) {
		v->poke = 1;
		/* It keeps the reason if it was itself the end. */
		if (v->vm->end != v)
			v->stop = STOP_PAUSE;
		return false;
	}
	if (v->flush) {
		v->flush = false;
		virt->flush(v);
	}
	take_signals(v);
	if (v->mp_state != MP_RUNNABLE) {
		v->stop = STOP_BLOCKED;
		return false;
	}
	vcpu_irq_offer(v);
	/* With nothing to deliver the windows are not looked at: this one is new. */
	tpr = vcpu_irq_tpr_window(v);
	if (!v->events.intr && tpr && v->windows != tpr) {
		virt->windows(v, v->windows | tpr);
		v->windows |= tpr;
	}
	sched_arm(v);
	return true;
}

bool vcpu_wakes(struct vcpu *v)
{
	if (!__atomic_exchange_n(&v->poke, 0, __ATOMIC_SEQ_CST))
		return false;
	take_signals(v);
	if (v->mp_state == MP_HALTED) {
		struct event_gate gate;

		vcpu_irq_offer(v);
		vcpu_gate(v, &gate);
		if ((v->events.nmi && gate.nmi_ok) || (v->events.intr && gate.intr_ok)) {
			v->mp_state = MP_RUNNABLE;
			v->stat.halt_wakeup++;
		}
	}
	if (v->mp_state != MP_RUNNABLE)
		return false;
	v->poke = 1;
	return true;
}

/* CR8 and the TPR are one register: the CPU has it while the guest runs. */
void vcpu_tpr_in(struct vcpu *v)
{
	u8 cr8 = (u8)virt->get(v, VREG_CR8);

	/* TPR 3:0 stay as long as the guest did not write CR8. */
	if (cr8 != vlapic_cr8(v->apic))
		vlapic_set_cr8(v->apic, cr8);
}

void vcpu_tpr_out(struct vcpu *v)
{
	if (vlapic_cr8(v->apic) != virt->get(v, VREG_CR8))
		virt->set(v, VREG_CR8, vlapic_cr8(v->apic));
	/* TPR, EOI and others change what can be delivered, and for what to wait. */
	if (vlapic_busy(v->apic) || v->events.intr || vpic_intr(&v->vm->pc->pic) ||
	    v->windows || v->apic->s.tpr & 0xf)
		v->poke = 1;
}

bool vcpu_apic_mmio(struct vcpu *v, u64 gpa, u8 size, bool write, u64 *val)
{
	u64 off = gpa - vlapic_mmio_base(v->apic);

	if (off >= VLAPIC_SIZE || !vlapic_mmio_on(v->apic))
		return false;
	v->stat.apic_accesses++;
	vcpu_tpr_in(v);
	if (write) {
		vlapic_mmio_write(v->apic, (u32)off, size, *val);
		vcpu_tpr_out(v);
	} else {
		*val = vlapic_mmio_read(v->apic, (u32)off, size);
	}
	return true;
}

/* A page where an APIC answers is no memory for its CPU: accesses must exit. */
static void apic_page(struct vm *vm, u64 gpa)
{
	u64 from = gpa - PC_ROM_SPACE;

	if (!gmem_ptr(&vm->mem, gpa, PAGE_SIZE) && from >= PC_ROM_SPACE_SIZE)
		return;
	if (pt_unmap(&vm->npt, gpa, PAGE_SIZE))
		return;
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		vm->vcpu[i]->flush = true;
		vcpu_poke(vm->vcpu[i]);
	}
}

void vcpu_apic_place(struct vcpu *v)
{
	if (vlapic_mmio_on(v->apic))
		apic_page(v->vm, vlapic_mmio_base(v->apic));
}

bool vcpu_apic_rdmsr(struct vcpu *v, u32 msr, u64 *val)
{
	if (!v->apic)
		return false;
	v->stat.apic_accesses++;
	vcpu_tpr_in(v);
	return vlapic_msr_read(v->apic, msr, val);
}

bool vcpu_apic_wrmsr(struct vcpu *v, u32 msr, u64 val)
{
	bool ok;

	if (!v->apic)
		return false;
	v->stat.apic_accesses++;
	vcpu_tpr_in(v);
	if (msr == MSR_IA32_APIC_BASE) {
		ok = vlapic_set_base(v->apic, val, run_policy.maxphyaddr);
		if (ok)
			vcpu_apic_place(v);
	} else {
		ok = vlapic_msr_write(v->apic, msr, val);
	}
	vcpu_tpr_out(v);
	return ok;
}
