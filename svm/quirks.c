// SPDX-License-Identifier: MIT
/* Only on SVM: see quirks.h. */
#include "svm/quirks.h"

#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/regs.h"
#include "svm/insn.h"
#include "svm/npt.h"
#include "svm/perm.h"

/* One page of real mode: vectors, code, handler, stack. */
#define P_CODE		0x400
#define P_HANDLER	0x500
#define P_STACK		0xff0
#define P_VECTOR	0x21

#define VECTOR_PROBE	0xef	/* of the host; nobody listens to it */

struct probe {
	struct vmcb *c;
	u8 *page;
	u8 *iopm, *msrpm;
	struct pt npt;
};

static u64 table_alloc(void *ctx)
{
	return page_alloc(&host_pages, 0, PA_ZERO);
}

static void table_free(void *ctx, u64 pa)
{
	page_free(&host_pages, pa, 0);
}

static void *table_virt(void *ctx, u64 pa)
{
	return (void *)pa;
}

static int probe_alloc(struct probe *p)
{
	const struct pt_config cfg = {
		.format = svm_npt_format(), .alloc_page = table_alloc, .free_page = table_free,
		.to_virt = table_virt, .pat = PT_PAT_RESET, .nx = true,
	};
	int err = pt_init(&p->npt, &cfg);

	if (err)
		return err;
	p->c = host_alloc(1, PA_OWNER_CORE);
	p->page = host_alloc(1, PA_OWNER_CORE);
	p->iopm = host_alloc(IOPM_SIZE / PAGE_SIZE, PA_OWNER_CORE);
	p->msrpm = host_alloc(MSRPM_SIZE / PAGE_SIZE, PA_OWNER_CORE);
	if (!p->c || !p->page || !p->iopm || !p->msrpm)
		return -ENOMEM;
	return pt_map(&p->npt, 0, (u64)p->page, PAGE_SIZE, PT_RWX | PT_U, PAGE_SIZE);
}

static void probe_free(struct probe *p)
{
	pt_free(&p->npt);
	host_free(p->c, 1);
	host_free(p->page, 1);
	host_free(p->iopm, IOPM_SIZE / PAGE_SIZE);
	host_free(p->msrpm, MSRPM_SIZE / PAGE_SIZE);
}

/* Real mode, flat 64K segments, interrupts on or off, at P_CODE. */
static void guest_reset(struct probe *p, const u8 *code, size_t len, u64 rflags)
{
	struct vmcb *c = p->c;
	struct vmcb_seg seg = { .attrib = 0x93, .limit = 0xffff };

	memset(c, 0, sizeof(*c));
	memset(p->page, 0, PAGE_SIZE);
	memcpy(p->page + P_CODE, code, len);
	memcpy(p->page + P_HANDLER, (const u8[]){ 0x0f, 0x01, 0xd9 }, 3);
	*(u16 *)(p->page + P_VECTOR * 4) = P_HANDLER;
	vmcb_set_es(c, &seg);
	vmcb_set_ss(c, &seg);
	vmcb_set_ds(c, &seg);
	seg.attrib = 0x9b;
	vmcb_set_cs(c, &seg);
	vmcb_set_idtr(c, &(struct vmcb_seg){ .limit = 0x3ff });
	vmcb_set_gdtr(c, &(struct vmcb_seg){ .limit = 0xffff });
	vmcb_set_cr0(c, CR0_ET);
	vmcb_set_efer(c, EFER_SVME);
	vmcb_set_dr6(c, DR6_FIXED1);
	vmcb_set_dr7(c, DR7_FIXED1);
	vmcb_set_g_pat(c, PT_PAT_RESET);
	vmcb_set_intercept_vec3(c, VEC3_INTR | VEC3_NMI | VEC3_SMI | VEC3_INIT | VEC3_VINTR |
				   VEC3_SHUTDOWN);
	vmcb_set_intercept_vec4(c, VEC4_VMRUN | VEC4_VMMCALL);
	vmcb_set_iopm_base_pa(c, (u64)p->iopm);
	vmcb_set_msrpm_base_pa(c, (u64)p->msrpm);
	vmcb_set_guest_asid(c, 1);
	vmcb_set_int_ctl(c, INT_CTL_V_INTR_MASKING);
	svm_npt_attach(c, p->npt.root);
	c->tlb_control = TLB_CONTROL_FLUSH_ALL;
	c->rip = P_CODE;
	c->rsp = P_STACK;
	c->rflags = RFLAGS_FIXED | rflags;
}

/* Enters until an exit that is not the host's; with irq_ends: any exit. */
static u64 guest_run(struct probe *p, bool irq_ends)
{
	u64 code;

	for (unsigned int tries = 0; tries < 100; tries++) {
		__asm__ volatile("clgi; sti" ::: "memory");
		svm_vmrun_bare((u64)p->c);
		__asm__ volatile("cli; stgi" ::: "memory");
		code = p->c->exitcode;
		if (irq_ends || code < SVM_EXIT_INTR || code > SVM_EXIT_INIT)
			break;
		__asm__ volatile("sti; nop; cli" ::: "memory");
	}
	return code;
}

/* nop; nop; vmmcall, in an interrupt shadow, with a virtual interrupt pending. */
static void probe_shadow(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x90, 0x90, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), RFLAGS_IF);
	p->c->int_state = INT_STATE_SHADOW;
	vmcb_set_int_ctl(p->c, INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(15) |
			       INT_CTL_V_IGN_TPR);
	vmcb_set_int_vector(p->c, 0x20);
	if (guest_run(p, false) == SVM_EXIT_VINTR)
		q->shadow_lost = p->c->rip == P_CODE;
	else
		q->virq_if1_lost = true;
}

/* nop; vmmcall, with a virtual interrupt that the TPR holds back (APM2 15.21.4). */
static void probe_virq_prio(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x90, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), RFLAGS_IF);
	vmcb_set_int_ctl(p->c, INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(5) | 5);
	vmcb_set_int_vector(p->c, 0x20);
	q->virq_prio_wrong = guest_run(p, false) == SVM_EXIT_VINTR;
}

/* mov cx, 2000; loop .; vmmcall, IF = 0, with a host interrupt pending. */
static void probe_intr(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0xb9, 0xd0, 0x07, 0xe2, 0xfe, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), 0);
	if (lapic_send_ipi(lapic_id(), LAPIC_FIXED, VECTOR_PROBE))
		return;
	q->intr_if0_lost = guest_run(p, true) == SVM_EXIT_VMMCALL;
	__asm__ volatile("sti; nop; cli" ::: "memory");
}

/* An injected INT 21h must push nRIP (APM2 15.20). */
static void probe_soft(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x90 };

	guest_reset(p, code, sizeof(code), 0);
	p->c->eventinj = EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_SOFT_INT) | P_VECTOR;
	p->c->nrip = P_CODE + 2;
	if (guest_run(p, false) == SVM_EXIT_VMMCALL)
		q->soft_nrip_lost = *(u16 *)(p->page + P_STACK - 6) == P_CODE;
}

/* CR2 of the VMCB must come back unchanged (APM2 15.5.1: VMRUN loads it). */
static void probe_cr2(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x0f, 0x01, 0xd9 };
	const u64 cr2 = read_cr2() ^ 0x123456789000ULL;

	guest_reset(p, code, sizeof(code), 0);
	vmcb_set_cr2(p->c, cr2);
	if (guest_run(p, false) == SVM_EXIT_VMMCALL)
		q->cr2_lost = vmcb_get_cr2(p->c) != cr2;
}

/* An unpaged guest that has set LME first: #VMEXIT must load CR0 (APM2 15.6). */
static void probe_cr0(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x0f, 0x01, 0xd9 };
	const u64 cr0 = read_cr0();

	guest_reset(p, code, sizeof(code), 0);
	/* In real mode the host would end up there, too. */
	vmcb_set_cr0(p->c, CR0_ET | CR0_PE);
	vmcb_set_efer(p->c, EFER_SVME | EFER_LME);
	guest_run(p, false);
	q->cr0_lost = read_cr0() != cr0;
	if (q->cr0_lost)
		write_cr0(cr0);
}

/* A single step: the #DB intercept comes with DR6.BS set (APM2 15.12.2). */
static void probe_db(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x90, 0x90, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), RFLAGS_TF);
	vmcb_set_intercept_exceptions(p->c, BIT(VEC_DB));
	if (guest_run(p, false) == SVM_EXIT_EXCP + VEC_DB)
		q->db_dr6_lost = !(vmcb_get_dr6(p->c) & DR6_BS);
}

/* APM2 15.12.4: INT3 is an exception to the intercepts. */
static void probe_int3(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0xcc };

	guest_reset(p, code, sizeof(code), 0);
	vmcb_set_intercept_exceptions(p->c, BIT(VEC_BP));
	vmcb_set_intercept_vec3(p->c, vmcb_get_intercept_vec3(p->c) | VEC3_SWINT);
	q->int3_is_swint = guest_run(p, false) == SVM_EXIT_SWINT;
}

/* smsw ax; or al, 2; lmsw ax; vmmcall: LMSW of CR0.MP alone (APM2 15.9). */
static void probe_lmsw(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x0f, 0x01, 0xe0, 0x0c, 0x02, 0x0f, 0x01, 0xf0,
				   0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), 0);
	vmcb_set_intercept_vec3(p->c, vmcb_get_intercept_vec3(p->c) | VEC3_CR0_SEL_WRITE);
	q->lmsw_not_sel = guest_run(p, false) == SVM_EXIT_VMMCALL;
}

/* rdtscp; vmmcall, with the intercept of RDTSC, which is another's (APM2 15.9). */
static void probe_rdtscp(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0x0f, 0x01, 0xf9, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), 0);
	vmcb_set_intercept_vec3(p->c, vmcb_get_intercept_vec3(p->c) | VEC3_RDTSC);
	q->rdtscp_is_rdtsc = guest_run(p, false) == SVM_EXIT_RDTSC;
}

/* jmp . + 2; vmmcall: where it came from is in the VMCB (APM2 15.23). */
static void probe_lbr(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0xeb, 0x00, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), 0);
	svm_set_dbgctl(p->c, DEBUGCTL_LBR);
	q->lbr_lost = guest_run(p, false) == SVM_EXIT_VMMCALL && !vmcb_get_br_from(p->c);
}

/* INT 21h whose push meets an unmapped page: EXITINTINFO must name it (APM2 15.7.2). */
static void probe_int(struct probe *p, struct svm_quirks *q)
{
	static const u8 code[] = { 0xcd, P_VECTOR };
	struct vmcb_seg ss = { .attrib = 0x93, .limit = 0xffff, .base = 2 * PAGE_SIZE };

	guest_reset(p, code, sizeof(code), 0);
	vmcb_set_ss(p->c, &ss);
	if (guest_run(p, false) == SVM_EXIT_NPF)
		q->int_idt_stale = (u32)p->c->exitintinfo !=
			(u32)(EVENTINJ_VALID | EVENTINJ_TYPE(EVENTINJ_SOFT_INT) | P_VECTOR);
}

/*
 * The guest writes DR7, with no breakpoint of its own in the way.  NMIs are the
 * host's: once it has GIF it takes them.
 */
static void guest_dr7(struct probe *p, u64 from, u64 to)
{
	static const u8 code[] = { 0x0f, 0x23, 0xf8, 0x0f, 0x01, 0xd9 };

	guest_reset(p, code, sizeof(code), RFLAGS_RF);
	vmcb_set_dr7(p->c, from);
	p->c->rax = to;
	for (unsigned int tries = 0; tries < 100; tries++) {
		clgi();
		svm_vmrun_bare((u64)p->c);
		stgi();
		if (p->c->exitcode != SVM_EXIT_NMI)
			break;
	}
}

/* A guest arms a breakpoint: it must not be one of the host's (APM2 15.6). */
static void probe_dr7(struct probe *p, struct svm_quirks *q)
{
	const u64 armed = DR7_FIXED1 | BIT(0);

	write_dr0((u64)svm_break_at);
	guest_dr7(p, DR7_FIXED1, armed);
	q->dr7_stays = svm_break() != 0;
	if (q->dr7_stays)
		guest_dr7(p, armed, DR7_FIXED1);
	write_dr0(0);
}

/* Only the processor's own MOV to DR7 disarms what DR7 names: a guest does it. */
void svm_disarm(u64 dr7)
{
	struct probe p = { 0 };
	u64 flags;

	if (!svm.quirks.dr7_stays)
		return;
	if (!probe_alloc(&p)) {
		flags = irq_save();
		guest_dr7(&p, dr7, DR7_FIXED1);
		irq_restore(flags);
	}
	probe_free(&p);
}

int svm_find_quirks(struct svm_quirks *q)
{
	struct probe p = { 0 };
	int err = probe_alloc(&p);

	if (!err) {
		probe_shadow(&p, q);
		probe_virq_prio(&p, q);
		probe_intr(&p, q);
		probe_cr2(&p, q);
		probe_cr0(&p, q);
		probe_db(&p, q);
		probe_int3(&p, q);
		probe_lmsw(&p, q);
		probe_int(&p, q);
		probe_dr7(&p, q);
		if (svm.tsc_aux)
			probe_rdtscp(&p, q);
		if (svm.caps.lbr_virt)
			probe_lbr(&p, q);
		if (svm.caps.nrips)
			probe_soft(&p, q);
	}
	probe_free(&p);
	return err;
}
