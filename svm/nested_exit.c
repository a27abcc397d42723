// SPDX-License-Identifier: MIT
/* From L2 back to L1: which exits and events are L1's, and #VMEXIT (APM2 15.6).  Only on SVM. */
#include "svm/nested.h"

#include "core/mm/gmem.h"
#include "core/mm/pt_walk.h"
#include "core/vm/insn.h"
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "svm/decode.h"
#include "svm/exit.h"
#include "svm/inject.h"
#include "svm/npt.h"
#include "svm/perm.h"
#include "svm/quirks.h"

/*
 * APM2 15.21.4: taking it clears V_IRQ, also where the delivery then faults.
 * QEMU clears it behind the delivery: L2 would get it twice.
 */
void svm_nested_virq_taken(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);

	vmcb_set_int_ctl(n->vmcb02, vmcb_get_int_ctl(n->vmcb02) & ~INT_CTL_V_IRQ);
	vmcb_set_int_ctl(n->vmcb12, vmcb_get_int_ctl(n->vmcb12) & ~INT_CTL_V_IRQ);
}

void svm_nested_sync_emulated(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	u32 ctl = vmcb_get_int_ctl(n->vmcb12) & ~INT_CTL_V_TPR;

	/* Before the first entry there is only what VMRUN found. */
	if (n->run_pending)
		return;
	if (unlikely(ctl & INT_CTL_V_NMI_ENABLE)) {
		const struct svm_vcpu *a = v->arch;

		ctl = (ctl & ~INT_CTL_V_NMI_MASK) | (a->nmi_blocked ? INT_CTL_V_NMI_MASK : 0);
	}
	n->vmcb12->int_state = n->vmcb02->int_state;
	vmcb_set_int_ctl(n->vmcb12, ctl | (vmcb_get_int_ctl(n->vmcb02) & 0xf));
}

/* No setters: the clean bits of the page are L1's. */
static void store_save_area(const struct vcpu *v, struct vmcb *to)
{
	const struct vmcb *c = svm_nested_of(v)->vmcb02;

	to->_es = *vmcb_get_es(c);
	to->_cs = *vmcb_get_cs(c);
	to->_ss = *vmcb_get_ss(c);
	to->_ds = *vmcb_get_ds(c);
	to->_gdtr = *vmcb_get_gdtr(c);
	to->_idtr = *vmcb_get_idtr(c);
	to->_cpl = vmcb_get_cpl(c);
	to->_efer = vmcb_get_efer(c);
	to->_cr0 = vmcb_get_cr0(c);
	to->_cr2 = vmcb_get_cr2(c);
	to->_cr3 = vmcb_get_cr3(c);
	to->_cr4 = vmcb_get_cr4(c);
	to->_dr6 = vmcb_get_dr6(c);
	to->_dr7 = vmcb_get_dr7(c);
	if (v->l2_paging)
		to->_g_pat = vmcb_get_g_pat(c);
	if (unlikely(svm.lbr))
		svm_nested_lbr_store(svm_nested_of(v), to);
	to->rflags = v->rflags;
	to->rip = v->rip;
	to->rsp = v->gpr[VREG_RSP];
	to->rax = v->gpr[VREG_RAX];
}

/* EXITINTINFO (APM2 15.7.2): the event that L2 did not get. */
static u64 interrupted(const struct vcpu *v)
{
	const struct event *e = &v->events.reinject;

	return e->type == EVENT_NONE ? 0 : svm_event_encode(e);
}

/*
 * What is in the queue is looked at before each entry anyhow.  Who waits
 * outside of it (INIT, an interrupt below the TPR) has to be asked again.
 */
static void look_again(struct vcpu *v)
{
	if (v->windows || svm_nested_signal_waits(v))
		v->poke = 1;
}

void svm_nested_forget_windows(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	look_again(v);
	a->wanted = 0;
	a->windows = 0;
	a->virq_window = a->virq_held = a->cr8_watch = false;
	v->windows = 0;
}

void svm_nested_leave(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);

	if (!v->in_l2)
		return;
	n->kept_pa = SVM_NOT_KEPT;
	/* A flush that was asked for and did not happen yet. */
	if (n->vmcb02->tlb_control != TLB_CONTROL_NOTHING)
		a->asid_gen = 0;
	n->vmcb02->tlb_control = TLB_CONTROL_NOTHING;
	n->now->hw = (struct svm_asid){ a->cpu, a->asid_gen, vmcb_get_guest_asid(n->vmcb02) };
	vmcb_set_cr2(n->vmcb01, vmcb_get_cr2(n->vmcb02));
	vmcb_set_dr6(n->vmcb01, vmcb_get_dr6(n->vmcb02));
	if (unlikely(svm.lbr))
		svm_nested_lbr_leave(n);
	if (!(vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_INTR_MASKING))
		vmcb_set_int_ctl(n->vmcb01, (vmcb_get_int_ctl(n->vmcb01) & ~INT_CTL_V_TPR) |
					    (vmcb_get_int_ctl(n->vmcb02) & 0xf));
	a->vmcb = n->vmcb01;
	a->vmcb_pa = (u64)n->vmcb01;
	a->cpu = n->l1.hw.cpu;
	a->asid_gen = n->l1.hw.gen;
	a->exc_want = n->l1.exc_want;
	a->vec3_want = n->l1.vec3_want;
	a->cr_write_want = n->l1.cr_write_want;
	a->efer_svme = n->l1.efer_svme;
	if (unlikely(svm_nested_vnmi(v)))
		svm_nested_vnmi_leave(v);
	a->step = 0;
	a->soft_len = 0;
	a->injected = false;
	a->kick = a->kick_entry = false;
	a->attention = a->nmi_blocked;
	n->run_pending = false;
	n->vmcb02->eventinj = 0;
	v->in_l2 = false;
	if (unlikely(v->l2_line.ratio)) {
		v->l2_line.ratio = 0;
		svm_regs_tsc_ratio(v);
	}
	v->l2_paging = false;
	v->l2_gen = 0;
	svm_nested_forget_windows(v);
	svm_apply_intercepts(a);
}

/* APM2 15.6: what #VMEXIT makes of the host's registers. */
/* VMRUN was single-stepped: it ends here. */
static void step_over_vmrun(struct vcpu *v)
{
	if (v->rflags & RFLAGS_TF)
		vcpu_queue_exception(v, (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_DB,
							.payload = DR6_BS });
}

static void load_l1(struct vcpu *v)
{
	struct vmcb *c = svm_nested_of(v)->vmcb01;

	v->gpr[VREG_RAX] = c->rax;
	v->gpr[VREG_RSP] = c->rsp;
	v->rip = c->rip;
	v->rflags = c->rflags & ~RFLAGS_VM;
	vmcb_set_cr0(c, vmcb_get_cr0(c) | CR0_PE);
	vmcb_set_dr7(c, DR7_FIXED1);
	vmcb_set_cpl(c, 0);
	c->int_state = 0;
}

void svm_nested_set_gif(struct vcpu *v, bool gif)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);
	u32 ctl = vmcb_get_int_ctl(n->vmcb01) & ~INT_CTL_V_GIF;

	n->gif = gif;
	if (svm.caps.vgif)
		vmcb_set_int_ctl(n->vmcb01, gif ? ctl | INT_CTL_V_GIF : ctl);
	/* Else there is no window, and no intercept, that depends on it. */
	if (a->wanted || svm_nested_signal_waits(v))
		a->attention = true;
	if (gif)
		look_again(v);
}

/* They exit while somebody waits for GIF, and when EFER says that there are none. */
void svm_nested_gif_intercepts(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	u32 both = VEC4_STGI | VEC4_CLGI, icpt = both;

	if (a->efer_svme) {
		bool waits = a->wanted || svm_nested_signal_waits(v);

		icpt = waits && !svm_nested_gif(v) ? VEC4_STGI : 0;
	}
	vmcb_set_intercept_vec4(a->vmcb, (vmcb_get_intercept_vec4(a->vmcb) & ~both) | icpt);
}

void svm_nested_exit(struct vcpu *v, u64 code, u64 info1, u64 info2)
{
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *page = svm_nested_page(v, n->vmcb12_pa);
	u64 kept_pa = page ? n->kept_pa : SVM_NOT_KEPT;

	v->stat.nested_vmexit++;
	if (page) {
		if (unlikely(code == SVM_EXIT_NPF || code == SVM_EXIT_EXCP + VEC_PF))
			svm_nested_insn_bytes(v, page, info1);
		else
			page->insn_bytes_count = 0;
		store_save_area(v, page);
		svm_nested_sync_emulated(v);
		page->int_state = n->vmcb12->int_state;
		page->_int_ctl = vmcb_get_int_ctl(n->vmcb12);
		page->exitcode = code;
		page->exitinfo1 = info1;
		page->exitinfo2 = info2;
		page->exitintinfo = interrupted(v);
		page->eventinj = 0;
		page->nrip = n->nrip;
	}
	n->nrip = 0;
	if (unlikely(vmcb_get_dr7(n->vmcb02) & DR7_ENABLES))
		svm_disarm(vmcb_get_dr7(n->vmcb02));
	svm_nested_leave(v);
	n->kept_pa = kept_pa;
	load_l1(v);
	/* What was for L2 is told above, or gone with it. */
	v->events.reinject.type = EVENT_NONE;
	v->events.exception.type = EVENT_NONE;
	v->mp_state = MP_RUNNABLE;
	svm_nested_set_gif(v, false);
	step_over_vmrun(v);
}

void svm_nested_exit_invalid(struct vcpu *v, struct vmcb *page)
{
	page->exitcode = (u64)SVM_EXIT_INVALID;
	page->exitinfo1 = 0;
	page->exitinfo2 = 0;
	page->eventinj = 0;
	svm_nested_leave(v);
	svm_nested_set_gif(v, false);
	step_over_vmrun(v);
}

/* The processor refused what our checks let through. */
static bool refused(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *page = svm_nested_page(v, n->vmcb12_pa);

	v->stat.nested_vmentry_fail++;
	svm_nested_leave(v);
	load_l1(v);
	v->events.reinject.type = EVENT_NONE;
	if (page)
		svm_nested_exit_invalid(v, page);
	return true;
}

/*
 * The vectors of intercepts follow each other in the order of their exit codes
 * (APM2 table B-1, appendix C): together they are one vector.
 */
bool svm_nested_wants(const struct vmcb *c, u64 code)
{
	STATIC_ASSERT(offsetof(struct vmcb, _intercept_vec5) == 0xa0 / 8, "by exit code");

	return code < 0xc0 && ((const u32 *)c)[code / 32] >> code % 32 & 1;
}

/* A byte of one of L1's maps; what is no memory intercepts. */
static u8 map_byte(struct vcpu *v, u64 map, u32 off)
{
	const u8 *p = gmem_ptr(&v->vm->mem, (map & PAGE_MASK) + off, 1);

	return p ? READ_ONCE(*p) : 0xff;
}

/* APM2 15.11 */
static bool wants_msr(struct vcpu *v)
{
	const struct vmcb *c = svm_nested_of(v)->vmcb12;
	int bit = msrpm_bit(v->exit.msr.index);

	if (bit < 0)
		return true;
	bit += v->exit.msr.write;
	return map_byte(v, vmcb_get_msrpm_base_pa(c), (u32)bit / 8) >> (bit % 8) & 1;
}

/* APM2 15.10.1: one bit for each byte that is accessed. */
static bool wants_io(struct vcpu *v)
{
	const struct vmcb *c = svm_nested_of(v)->vmcb12;

	for (u32 port = v->exit.io.port; port < (u32)v->exit.io.port + v->exit.io.size; port++)
		if (map_byte(v, vmcb_get_iopm_base_pa(c), port / 8) >> (port % 8) & 1)
			return true;
	return false;
}

static void next_rip(struct vcpu *v)
{
	int len = vcpu_exit_insn_len(v);

	svm_nested_of(v)->nrip = len > 0 ? v->rip + (u64)len : 0;
}

static bool is_insn(const struct vm_exit *x)
{
	if (x->code >= SVM_EXIT_ROWS)
		return false;
	switch (svm_exit_rows[x->code].kind) {
	case KIND_INSN: case KIND_CR: case KIND_IOIO: case KIND_MSR: case KIND_VIRT:
	case KIND_SWINT: case KIND_INVLPG: case KIND_WBINVD: case KIND_DR:
		return true;
	default:
		return false;
	}
}

/*
 * APM2 15.10.2, figure 15-2.  QEMU leaves the address size of INS and OUTS out; the
 * segment comes with decode assists.
 */
static u64 io_info1(const struct exit_io *io, u64 raw)
{
	if (!io->string || !io->addr_size)
		return raw;
	return (raw & ~(BITS(9, 7) | BITS(12, 10))) | (u64)io->addr_size << 6 | (u64)io->seg << 10;
}

static bool to_l1(struct vcpu *v)
{
	const struct vm_exit *x = &v->exit;
	u64 info1 = x->reason == EXIT_IO ? io_info1(&x->io, x->info1) : x->info1;

	if (is_insn(x))
		next_rip(v);
	svm_nested_exit(v, x->code, info1, x->info2);
	return true;
}

/* Does L1 want the exit, as far as its intercept bit says? */
static bool l1_wants(const struct vcpu *v)
{
	return svm_nested_wants(svm_nested_of(v)->vmcb12, v->exit.code);
}

static bool with_operands(struct vcpu *v)
{
	v->exit.info1 = svm_nested_operands(&v->exit);
	return to_l1(v);
}

/*
 * APM2 15.8, 15.14.3: VMMCALL that nobody intercepts is #UD.  L0's calls are
 * not for L2.
 */
static bool hypercall(struct vcpu *v)
{
	if (l1_wants(v))
		return to_l1(v);
	vcpu_queue_exception(v, event_exception(VEC_UD));
	return true;
}

static bool msr(struct vcpu *v)
{
	return l1_wants(v) && wants_msr(v) && to_l1(v);
}

static bool io(struct vcpu *v)
{
	return l1_wants(v) && wants_io(v) && to_l1(v);
}

/* VINTR: L1's, unless the pending V_IRQ was our window. */
static bool window(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	const struct svm_nested *n = svm_nested_of(v);

	return v->exit.code == SVM_EXIT_VINTR && !a->virq_window &&
	       vmcb_get_intercept_vec3(n->vmcb12) & VEC3_VINTR && to_l1(v);
}

/* APM2 13.1.1.4: with CR4.DE there is no DR4 and DR5, intercepted or not. */
static bool debug_register(struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);

	if ((v->exit.cr.num & ~1) == 4 && vmcb_get_cr4(n->vmcb02) & CR4_DE) {
		vcpu_queue_exception(v, event_exception(VEC_UD));
		return true;
	}
	return l1_wants(v) && with_operands(v);
}

bool svm_nested_watches_cr8(const struct vcpu *v)
{
	return (svm.quirks.virq_prio_wrong || svm.quirks.cr8_virq_fatal) &&
	       vmcb_get_int_ctl(svm_nested_of(v)->vmcb12) & INT_CTL_V_IRQ;
}

bool svm_nested_virq_waits(const struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);
	u32 ctl = vmcb_get_int_ctl(n->vmcb12);

	return !(ctl & INT_CTL_V_IGN_TPR) &&
	       (ctl >> 16 & 15) <= (vmcb_get_int_ctl(n->vmcb02) & 15);
}

/* MOV to the CR8 that V_INTR_MASKING gives to L2. */
static bool own_cr8(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct svm_vcpu *a = v->arch;
	u64 val = v->gpr[v->exit.cr.gpr & 15];

	if (val > 15) {
		vcpu_queue_exception(v, event_exception_err(VEC_GP, 0));
		return true;
	}
	vmcb_set_int_ctl(n->vmcb02, (vmcb_get_int_ctl(n->vmcb02) & ~INT_CTL_V_TPR) | (u32)val);
	a->attention = true;
	if (vcpu_advance(v))
		vcpu_give_up(v, "cannot decode MOV to CR8");
	return true;
}

/* APM2 15.8.1: does a write to CR0 change more than TS and MP? */
static bool selective(struct vcpu *v)
{
	const struct exit_cr *x = &v->exit.cr;
	u64 old = vmcb_get_cr0(svm_nested_of(v)->vmcb02), new = v->gpr[x->gpr & 15];

	/* LMSW meets it whatever it changes. */
	if (x->kind != CR_MOV)
		return x->kind == CR_LMSW;
	return (old ^ new) & ~(CR0_TS | CR0_MP);
}

static bool control_register(struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);

	if (l1_wants(v))
		return with_operands(v);
	if (v->exit.code == SVM_EXIT_CR_WRITE && selective(v) &&
	    vmcb_get_intercept_vec3(n->vmcb12) & VEC3_CR0_SEL_WRITE) {
		v->exit.code = SVM_EXIT_CR0_SEL_WRITE;
		return with_operands(v);
	}
	return v->exit.cr.num == 8 && v->exit.cr.write &&
	       vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_INTR_MASKING && own_cr8(v);
}

/* RDTSC, and what a CPU takes for it. */
static bool read_tsc(struct vcpu *v)
{
	struct vm_exit *x = &v->exit;
	struct insn i;

	if (svm.quirks.rdtscp_is_rdtsc && !svm_fetch_insn(v, &i) &&
	    insn_is(&i, INSN_MAP_0F, 0x01)) {
		x->reason = EXIT_RDTSCP;
		x->code = SVM_EXIT_RDTSCP;
	}
	return l1_wants(v) && to_l1(v);
}

static bool invlpg(struct vcpu *v)
{
	return l1_wants(v) && with_operands(v);
}

static bool pause_insn(struct vcpu *v)
{
	return l1_wants(v) && !svm_nested_pause_filtered(v) && to_l1(v);
}

/* INT n, and where the CPU takes them for one INT3 and INTO. */
static bool soft_interrupt(struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);
	struct event e = { .type = EVENT_SOFT_EXC };
	struct insn i;

	if (vcpu_decode(v, &i, INSN_RULE_AMD) || insn_is(&i, INSN_MAP_1, 0xcd)) {
		if (svm_nested_wants(n->vmcb12, SVM_EXIT_SWINT))
			return with_operands(v);
		/* L0 has intercepted it for the sake of the others. */
		v->events.reinject = v->exit.exc;
		return true;
	}
	e.vector = insn_is(&i, INSN_MAP_1, 0xcc) ? VEC_BP : VEC_OF;
	e.insn_len = i.len;
	if (svm_nested_wants(n->vmcb12, SVM_EXIT_EXCP + e.vector)) {
		v->exit.code = SVM_EXIT_EXCP + e.vector;
		svm_nested_exit(v, v->exit.code, 0, 0);
	} else {
		v->events.reinject = e;
	}
	return true;
}

/*
 * Was INT n at RIP, which can be read, being delivered?  Else the fault is that of
 * the fetch, or of INT n in virtual-8086 mode with IOPL < 3 (APM3 INT).
 */
static bool ends_int(const struct vcpu *v)
{
	const struct event *e = &v->exit.exc;

	switch (e->vector) {
	case VEC_TS: case VEC_NP: case VEC_SS:
		return true;
	case VEC_GP:
		return e->error || !(v->rflags & RFLAGS_VM);
	case VEC_PF:
		/* Tables are read as the supervisor, the stack is written. */
		return !(e->error & PFERR_I) && (e->error & PFERR_W || !(e->error & PFERR_U));
	default:
		return false;
	}
}

/* What this CPU has left out of the exit of an exception. */
static __attribute__((noinline)) void complete_exception(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct event *e = &v->events.reinject;
	struct insn i;

	/* APM2 15.12.2: of what DR6 would say a step's bit is known by RFLAGS alone. */
	if (svm.quirks.db_dr6_lost && v->exit.exc.vector == VEC_DB && v->rflags & RFLAGS_TF)
		vmcb_set_dr6(n->vmcb02, vmcb_get_dr6(n->vmcb02) | DR6_BS);
	/* APM2 15.7.2 */
	if (svm.quirks.int_idt_stale && e->type == EVENT_NONE && !svm_fetch_insn(v, &i) &&
	    insn_is(&i, INSN_MAP_1, 0xcd) && ends_int(v))
		*e = (struct event){ .type = EVENT_SOFT_INT, .vector = (u8)i.imm,
				     .insn_len = i.len };
}

static bool exception(struct vcpu *v)
{
	if (!l1_wants(v))
		return false;
	if (unlikely(svm.quirks.db_dr6_lost || svm.quirks.int_idt_stale))
		complete_exception(v);
	return to_l1(v);
}

/* What only L0 has asked for: interrupts of the host, windows of its own. */
static bool l0s(struct vcpu *v)
{
	return false;
}

static bool page_fault(struct vcpu *v)
{
	return v->l2_paging && svm_nested_npt_fault(v);
}

/* Exits that L1's intercept bit alone does not decide.  NULL: it does. */
static bool (*const judge[EXIT_REASON_COUNT])(struct vcpu *v) = {
	[EXIT_INTR] = l0s, [EXIT_NMI] = l0s, [EXIT_SMI] = l0s, [EXIT_INIT] = l0s,
	[EXIT_NMI_WINDOW] = l0s, [EXIT_INTR_WINDOW] = window, [EXIT_DR] = debug_register,
	[EXIT_CR] = control_register, [EXIT_SWINT] = soft_interrupt,
	[EXIT_EXCEPTION] = exception, [EXIT_NPF] = page_fault, [EXIT_ENTRY_FAIL] = refused,
	[EXIT_MSR] = msr, [EXIT_IO] = io, [EXIT_HYPERCALL] = hypercall,
	[EXIT_PAUSE] = pause_insn, [EXIT_INVLPG] = invlpg, [EXIT_RDTSC] = read_tsc,
};

bool svm_nested_reflect(struct vcpu *v)
{
	if (judge[v->exit.reason])
		return judge[v->exit.reason](v);
	return l1_wants(v) && to_l1(v);
}

static bool intercepts(const struct svm_nested *n, u32 vec3)
{
	return vmcb_get_intercept_vec3(n->vmcb12) & vec3;
}

/* Whose RFLAGS.IF counts (APM2 15.21.1). */
static bool host_if(const struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);
	bool masking = vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_INTR_MASKING;

	return (masking ? n->vmcb01->rflags : v->rflags) & RFLAGS_IF;
}

/* Whose flags mask what, L1's or L2's. */
static void masking(const struct vcpu *v, struct event_gate *gate)
{
	const struct svm_nested *n = svm_nested_of(v);

	if (v->in_l2) {
		bool shadow = n->vmcb02->int_state & INT_STATE_SHADOW;

		/* An intercepted event does not wait for L2's shadow, nor its NMI handler. */
		gate->intr_ok = host_if(v) && (!shadow || intercepts(n, VEC3_INTR));
		if (intercepts(n, VEC3_NMI))
			gate->nmi_ok = true;
	}
	if (!svm_nested_gif(v))
		*gate = (struct event_gate){ 0 };
}

void svm_nested_gate(struct vcpu *v, struct event_gate *gate)
{
	masking(v, gate);
	/* One event for each entry, and L1's comes first (APM2 15.20). */
	if (svm_nested_event_waits(v))
		*gate = (struct event_gate){ 0 };
}

u32 svm_nested_windows(const struct vcpu *v, u32 wanted)
{
	const struct svm_nested *n = svm_nested_of(v);

	/* STGI exits, and everything is looked at again. */
	if (!svm_nested_gif(v))
		return 0;
	/* L2's flags and CR8 hold nothing of L1's back: only its own end does. */
	if (v->in_l2 && vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_INTR_MASKING)
		return wanted & WINDOW_NMI;
	return wanted;
}

/* APM2 15.12: exit information of an exception that L0 raises for L2. */
static void exception_exit(struct vcpu *v, const struct event e)
{
	struct svm_nested *n = svm_nested_of(v);

	if (e.vector == VEC_DB) {
		vmcb_set_dr6(n->vmcb02, vmcb_get_dr6(n->vmcb02) |
			     (e.payload & (0xfULL | DR6_BD | DR6_BS | DR6_BT)));
		vmcb_set_dr7(n->vmcb02, vmcb_get_dr7(n->vmcb02) & ~DR7_GD);
	}
	svm_nested_exit(v, SVM_EXIT_EXCP + e.vector, e.has_error ? e.error : 0,
			e.vector == VEC_PF ? e.payload : 0);
}

static bool takes_exception(const struct svm_nested *n, const struct event *e)
{
	return vmcb_get_intercept_exceptions(n->vmcb12) & BIT(e->vector);
}

/* APM2 15.7.2: EXITINTINFO has what was being delivered. */
bool svm_nested_exception(struct vcpu *v, const struct event *e)
{
	const struct svm_nested *n = svm_nested_of(v);

	if (n->run_pending || !takes_exception(n, e))
		return false;
	exception_exit(v, *e);
	return true;
}

/*
 * Has VMRUN, or what it interrupted, to complete first?  An entry that delivers
 * nothing is complete as it stands: the exit comes before L2's first instruction
 * (APM2 15.13.1), and the CPU need not be asked for it.
 */
bool svm_nested_busy(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);

	if (v->events.reinject.type == EVENT_NONE) {
		if (!n->run_pending)
			return false;
		if (!svm_nested_event_waits(v)) {
			svm_nested_sync(v);
			return false;
		}
	}
	/* Leave as soon as it has. */
	a->kick_entry = true;
	a->attention = true;
	return true;
}

enum nested_events svm_nested_events(struct vcpu *v)
{
	struct svm_nested *n = svm_nested_of(v);
	struct event_queue *q = &v->events;
	struct event_gate gate = { .nmi_ok = true };

	if (!v->in_l2)
		return NESTED_NONE;
	if (q->exception.type != EVENT_NONE) {
		if (!takes_exception(n, &q->exception))
			return NESTED_NONE;
		if (n->run_pending && svm_nested_busy(v))
			return NESTED_BUSY;
		exception_exit(v, q->exception);
		return NESTED_EXITED;
	}
	masking(v, &gate);
	/* Both stay pending: L1 gets them with its STGI (APM2 15.13). */
	if (q->nmi && gate.nmi_ok && intercepts(n, VEC3_NMI)) {
		if (svm_nested_busy(v))
			return NESTED_BUSY;
		svm_nested_exit(v, SVM_EXIT_NMI, 0, 0);
		return NESTED_EXITED;
	}
	if (q->intr && gate.intr_ok && intercepts(n, VEC3_INTR)) {
		if (svm_nested_busy(v))
			return NESTED_BUSY;
		svm_nested_exit(v, SVM_EXIT_INTR, 0, 0);
		return NESTED_EXITED;
	}
	return NESTED_NONE;
}

/* APM2 15.21.4: V_IRQ ends L2's HLT when it can be taken. */
bool svm_nested_wakes(struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);
	u32 ctl = vmcb_get_int_ctl(n->vmcb12);

	/* What own_cr8 wrote has not been in L2 yet. */
	return ctl & INT_CTL_V_IRQ && v->rflags & RFLAGS_IF && !svm_nested_vgif_closed(v) &&
	       (ctl & INT_CTL_V_IGN_TPR ||
		(ctl >> 16 & 15) > (vmcb_get_int_ctl(n->vmcb02) & 15));
}

/* APM2 15.14.3 */
bool svm_nested_shutdown(struct vcpu *v)
{
	if (!intercepts(svm_nested_of(v), (u32)VEC3_SHUTDOWN))
		return false;
	v->events.reinject.type = EVENT_NONE;
	svm_nested_exit(v, SVM_EXIT_SHUTDOWN, 0, 0);
	return true;
}
